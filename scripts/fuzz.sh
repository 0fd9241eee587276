#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# fuzz.sh [DURATION]   every fuzz test of the tree, one after the other, each for DURATION (10m unless said)
#
# Goes on after a finding, and fails at the end. A finding leaves its input in testdata/fuzz of its package: commit it
# with the fix, and it is tried by every run of the tests from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
duration="${1:-10m}"
found=()
while IFS=: read -r file name; do
	echo "== $name in $(dirname "$file"), $duration"
	go test "./$(dirname "$file")" -run='^$' -fuzz="^$name\$" -fuzztime="$duration" -fuzzminimizetime=2s -parallel="${FUZZ_PARALLEL:-$(nproc)}" || found+=("$name")
done < <(grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd internal bench | sed 's/func //' | sort)
echo "== done: ${#found[@]} with a finding ${found[*]-}"
[ "${#found[@]}" -eq 0 ]
