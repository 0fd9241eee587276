#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# scripts/require.sh TOOL…: says in one sentence which of the tools a build needs (go node npm) is missing or too old.
set -eu

fail() {
	echo "$*" >&2
	exit 1
}

# at_least MAJOR MINOR VERSION: whether VERSION (like 1.26.8) is MAJOR.MINOR or newer.
at_least() {
	major=${3%%.*}
	rest=${3#*.}
	minor=${rest%%[!0-9]*}
	[ "$major" -gt "$1" ] || { [ "$major" -eq "$1" ] && [ "${minor:-0}" -ge "$2" ]; }
}

need_go() {
	command -v go >/dev/null ||
		fail "Go is missing: install Go 1.26 or newer (https://go.dev/dl/) and put its bin folder on the PATH."
	version=$(go env GOVERSION) ||
		fail "Go does not start here: install Go 1.26 or newer (https://go.dev/dl/)."
	at_least 1 26 "${version#go}" ||
		fail "Go is too old: this is $version, Filodiretto needs Go 1.26 or newer (https://go.dev/dl/)."
}

need_node() {
	command -v node >/dev/null ||
		fail "Node is missing: install Node 20 or newer with npm (https://nodejs.org/en/download)."
	version=$(node --version)
	at_least 20 0 "${version#v}" ||
		fail "Node is too old: this is $version, Filodiretto needs Node 20 or newer (https://nodejs.org/en/download)."
}

need_npm() {
	command -v npm >/dev/null ||
		fail "npm is missing: it comes with Node 20 or newer; on Debian and Ubuntu also as the package npm."
}

for tool; do
	case $tool in
	go) need_go ;;
	node) need_node ;;
	npm) need_npm ;;
	*) fail "scripts/require.sh does not know $tool." ;;
	esac
done
