#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Makes the pictures of the README anew, by doing what the README tells in a real browser.
set -eu
cd "$(dirname "$0")/.."
scripts/require.sh go node npm
scripts/install-test-tools.sh
go run ./cmd/assets
FILODIRETTO_SCREENSHOTS="$PWD/docs/screenshots" go test -count=1 ./internal/walkthrough
ls docs/screenshots
