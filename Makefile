# SPDX-License-Identifier: AGPL-3.0-or-later
#
# make run      everything from a fresh clone, then the demo on http://127.0.0.1:8080
# make test     everything that CI runs: linters, generated code, all tests on both databases, the browser
# make build    bin/filodiretto
# make bench    the figures of the design, with their targets
# make fuzz     ten minutes of every fuzz test, some hours in all
# make lint     gofmt, go vet, staticcheck
# make generate the generated code anew, after a change to *.sql or *.templ
#
# A machine needs Go, Node with npm, and make; scripts/require.sh says which is missing.

.PHONY: run test build bench fuzz lint generate assets

run: build
	bin/filodiretto demo

build: assets
	go build -trimpath -o bin/filodiretto ./cmd/filodiretto

assets:
	@scripts/require.sh go node npm
	go run ./cmd/assets

test: assets
	scripts/test.sh

bench: build
	scripts/bench.sh

fuzz: assets
	scripts/fuzz.sh

lint: assets
	scripts/lint.sh

generate:
	@scripts/require.sh go
	scripts/generate.sh
