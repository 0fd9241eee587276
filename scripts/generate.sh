#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Makes the generated code anew: Go from SQL (sqlc) and from page templates (templ), and what go:generate asks.
set -eu
cd "$(dirname "$0")/.."
go tool sqlc generate
go tool templ generate -log-level warn -path internal/web/page
go generate ./...
