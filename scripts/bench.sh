#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Measures what the design promises and prints each figure with its target. Here every commit waits for the disk.
set -eu
cd "$(dirname "$0")/.."
scripts/install-test-tools.sh
exec scripts/with-postgres.sh --durable go run ./bench "$@"
