#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Fails when generated code is stale: generating must leave every Go file as it was.
# Compares contents, not git's state, so that work in progress may be tested too.
set -eu
cd "$(dirname "$0")/.."

contents() {
	find cmd internal bench -name '*.go' -type f -exec sha256sum {} + 2>/dev/null | sort -k 2
}

before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT

contents >"$before"
scripts/generate.sh
contents >"$after"
if ! cmp -s "$before" "$after"; then
	echo "Generated code was stale; it is new now, commit these files:" >&2
	diff "$before" "$after" | awk '/^>/ {print "  " $3}' >&2
	exit 1
fi
