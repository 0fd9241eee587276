#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# All that must hold before a change is taken: linters, generated code, every test on both databases.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/require.sh go node npm
scripts/install-test-tools.sh

echo "== generated code"
scripts/generated.sh
echo "== linters"
scripts/lint.sh

# Where goroutines share things the race detector watches. The others drive the built program or a browser,
# which it does not see into: there it would only cost time.
module=$(go list -m)
plain="$module/(cmd|bench|internal/(app|browsertest|demo|house|walkthrough|web))(/|\$)"
# Every test binary leaves the statements it has seen here, each with its plan read.
FILODIRETTO_TEST_STATEMENTS=$(mktemp -d)
export FILODIRETTO_TEST_STATEMENTS
log=$(mktemp)
beside=
ended() {
	[ -z "$beside" ] || kill -- "-$beside" 2>/dev/null || true
	rm -rf "$FILODIRETTO_TEST_STATEMENTS" "$log"
}
trap ended EXIT

# Those of the built program wait most of the time, for what they have killed to come up again: they run beside the
# others, in a group of their own, so that they end with this script.
program="$module/internal/app"
set -m
scripts/with-postgres.sh go test -count 1 -timeout 14m "$program" >"$log" 2>&1 &
beside=$!
set +m
echo "== tests, watched for data races"
# shellcheck disable=SC2046 # the packages are words
scripts/with-postgres.sh go test -count 1 -race -timeout 12m $(go list ./... | grep -vE "$plain")
echo "== tests of the program and its pages"
# shellcheck disable=SC2046
scripts/with-postgres.sh go test -count 1 -timeout 12m $(go list ./... | grep -E "$plain" | grep -vx "$program")
status=0
wait "$beside" || status=$?
beside=
cat "$log"
[ "$status" -eq 0 ]
echo "== statements whose plan no test has read"
go run ./internal/dbtest/escaped "$FILODIRETTO_TEST_STATEMENTS"
