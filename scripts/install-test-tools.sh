#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Installs with apt what the tests need beside Go and Node, or says in one sentence what to install:
# Chromium (pages), PostgreSQL's programs (the second database), a C compiler (Go's race detector), and the
# programs that make previews and sounds (FFmpeg, Poppler), without which Filodiretto works but shows less.
# No service of the machine is used: the tests start their own PostgreSQL and their own browser.
set -eu

has_browser() {
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" >/dev/null && return
	done
	return 1
}

has_postgres() {
	command -v initdb >/dev/null && return
	for initdb in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$initdb" ] && return
	done
	return 1
}

has_compiler() {
	command -v gcc >/dev/null || command -v clang >/dev/null
}

has_preview_tools() {
	command -v ffmpeg >/dev/null && command -v pdftoppm >/dev/null && command -v prlimit >/dev/null
}

missing=
has_browser || missing="$missing chromium"
has_postgres || missing="$missing postgresql"
has_compiler || missing="$missing gcc libc6-dev"
has_preview_tools || missing="$missing ffmpeg poppler-utils util-linux"
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo="sudo -n"
fi
if ! command -v apt-get >/dev/null || { [ -n "$sudo" ] && ! $sudo true 2>/dev/null; }; then
	echo "The tests need$missing: install them (Debian, Ubuntu: sudo apt-get install --no-install-recommends$missing) and run make test again." >&2
	exit 1
fi

echo "Installing what the tests need:$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086 # the packages are words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
