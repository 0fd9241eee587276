#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Writes docs/THIRD-PARTY.md: what the program and its pages hold of others, with version and licence.
# Run it when go.mod or package.json changes (make assets first). Fails on a licence it does not know:
# then a person has to look.
set -euo pipefail
cd "$(dirname "$0")/.."

# licence_of FOLDER: the SPDX name of the licence text in it.
licence_of() {
	local name text
	for name in LICENSE LICENSE.md LICENSE.txt COPYING; do
		[ -f "$1/$name" ] && break
	done
	text=$(tr -s '\n ' ' ' <"$1/$name")
	case $text in
	*"Zero-Clause BSD"* | *"Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted."*) echo 0BSD ;;
	*"Apache License"*"Version 2.0"*) echo Apache-2.0 ;;
	*"Mozilla Public License"*"2.0"*) echo MPL-2.0 ;;
	*"Permission is hereby granted, free of charge"*) echo MIT ;;
	*"Redistribution and use in source and binary forms"*"either the name"*) echo BSD-3-Clause ;;
	*"Redistribution and use in source and binary forms"*) echo BSD-2-Clause ;;
	*)
		echo "scripts/notices.sh: no known licence in $1" >&2
		return 1
		;;
	esac
}

go_modules() {
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/filodiretto | sort -u
}

page_packages() {
	node -p 'Object.entries(require("./package.json").dependencies).map(d => d.join(" ")).sort().join("\n")'
}

{
	cat <<-'HEAD'
		<!-- Written by scripts/notices.sh; do not edit. -->
		# Third-party parts

		Filodiretto is under AGPL-3.0-or-later. These parts are others', under their own licences, whose texts come with each part.

		## In the program

		| module | version | licence |
		| --- | --- | --- |
	HEAD
	go_modules | while read -r path version dir; do
		licence=$(licence_of "$dir")
		echo "| \`$path\` | $version | $licence |"
	done

	cat <<-'HEAD'

		## In the pages

		| package | version | licence |
		| --- | --- | --- |
	HEAD
	page_packages | while read -r name version; do
		licence=$(licence_of "node_modules/$name")
		echo "| \`$name\` | $version | $licence |"
	done
	cat <<-'TAIL'

		The font Titillium Web (in bootstrap-italia) is under the SIL Open Font License 1.1.

		Tools for building and testing (esbuild, sqlc, templ, staticcheck, chromedp, axe-core) are named in `go.mod` and
		`package.json`; nothing of them is in the program.
	TAIL
} >docs/THIRD-PARTY.md.new
mv docs/THIRD-PARTY.md.new docs/THIRD-PARTY.md
