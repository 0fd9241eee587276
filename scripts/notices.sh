#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Writes docs/THIRD-PARTY.md: what the program and its pages hold of others, with version and licence.
# Run it when go.mod or package.json changes (make assets first). Fails on a licence it does not know:
# then a person has to look.
set -euo pipefail
cd "$(dirname "$0")/.."

# licence_of FOLDER: the SPDX name of the licence text in it.
licence_of() {
	local text
	text=$(cat "$1"/LICEN[CS]E* "$1"/COPYING* 2>/dev/null | tr -s '\n ' ' ' || true)
	case $text in
	*"Apache License"*"Version 2.0"*) echo Apache-2.0 ;;
	*"Mozilla Public License"*"2.0"*) echo MPL-2.0 ;;
	*"Permission is hereby granted, free of charge"*) echo MIT ;;
	*"Permission to use, copy, modify, and"*"distribute this software for any purpose"*) echo ISC ;;
	*"Redistribution and use in source and binary forms"*"either the name"*) echo BSD-3-Clause ;;
	*"Redistribution and use in source and binary forms"*) echo BSD-2-Clause ;;
	*"unlicense.org"*) echo Unlicense ;;
	*)
		echo "scripts/notices.sh: no known licence in $1" >&2
		return 1
		;;
	esac
}

go_modules() {
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/filodiretto | sort -u
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
	node -e '
		const root = require("./package.json");
		for (const name of Object.keys(root.dependencies).sort()) {
			const p = require(`./node_modules/${name}/package.json`);
			console.log(`| \`${name}\` | ${p.version} | ${p.license} |`);
		}
	'
	cat <<-'TAIL'

		The font Titillium Web (in bootstrap-italia) is under the SIL Open Font License 1.1.

		Tools for building and testing (esbuild, sqlc, templ, staticcheck, chromedp, axe-core) are named in `go.mod` and
		`package.json`; nothing of them is in the program.
	TAIL
} >docs/THIRD-PARTY.md.new
mv docs/THIRD-PARTY.md.new docs/THIRD-PARTY.md
