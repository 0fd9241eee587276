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
echo "== tests"
scripts/with-postgres.sh go test -race -timeout 12m ./...
