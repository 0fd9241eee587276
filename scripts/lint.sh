#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# gofmt, go vet and staticcheck: no output means no warning.
set -eu
cd "$(dirname "$0")/.."

unformatted=$(find . -path ./node_modules -prune -o -name '*.go' -type f -print | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "Not as gofmt writes it (run gofmt -w on these):" >&2
	echo "$unformatted" >&2
	exit 1
fi
go vet ./...
go tool staticcheck ./...
