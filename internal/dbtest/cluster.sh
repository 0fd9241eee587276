#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# A throw-away PostgreSQL: prints its address on one line, serves until its standard input ends, then
# stops and removes everything. Whoever holds the other end of that input may die in any way: the end
# of the input comes all the same, so nothing is left behind.
#
#   cluster.sh            for tests: survives any kill of PostgreSQL, not of the machine
#   cluster.sh durable    for measurements: every commit waits for the disk, and the log has its files ready, as
#                         docs/operate.md recommends and a database that has run for a while has them
set -eu

# Control-C is for the tests; the database ends after them, when the input does.
trap '' INT

fail() {
	echo "$*" >&2
	exit 1
}

programs() {
	for initdb in $(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -t / -k 5 -rn); do
		dirname "$initdb"
		return
	done
	initdb=$(command -v initdb) && dirname "$(readlink -f "$initdb")"
}

# PostgreSQL refuses to run as root: root hands it to an account without rights.
as_owner() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid="$owner" --regid="$owner" --clear-groups "$@"
	else
		"$@"
	fi
}

bin=$(programs) || fail "PostgreSQL is missing: install it (Debian, Ubuntu: apt-get install --no-install-recommends postgresql)."

owner=postgres
id "$owner" >/dev/null 2>&1 || owner=nobody

# Directly under /tmp: the path of a socket may have 107 characters at most.
dir=$(mktemp -d /tmp/filodiretto-postgres.XXXXXX)
stop() {
	as_owner "$bin/pg_ctl" stop -D "$dir/data" -m immediate -w >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' HUP TERM

if [ "$(id -u)" -eq 0 ]; then
	chown "$owner:" "$dir"
fi

settings="-p 5432 -c listen_addresses= -c unix_socket_directories=$dir -c max_connections=400"
if [ "${1:-}" = durable ]; then
	settings="$settings -c min_wal_size=2GB -c max_wal_size=4GB"
else
	settings="$settings -c fsync=off -c full_page_writes=off"
fi

cd "$dir"
as_owner "$bin/initdb" -D "$dir/data" -U filodiretto -A trust -E UTF8 --locale=C.UTF-8 -N >"$dir/initdb.log" 2>&1 ||
	fail "PostgreSQL could not make a database folder: $(tail -n 3 "$dir/initdb.log")"
as_owner "$bin/pg_ctl" start -D "$dir/data" -w -t 60 -l "$dir/data/server.log" -o "$settings" </dev/null >/dev/null 2>&1 ||
	fail "PostgreSQL did not start: $(tail -n 3 "$dir/data/server.log" 2>&1)"

# Each switch begins a new file of 16 MB, and the checkpoint makes those before it ready to be used again.
if [ "${1:-}" = durable ]; then
	(
		for _ in $(seq 128); do
			echo "SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal();"
		done
		echo "CHECKPOINT;"
	) | as_owner "$bin/psql" -X -q -h "$dir" -U filodiretto -d postgres -v ON_ERROR_STOP=1 >/dev/null
fi

echo "postgres://filodiretto@/postgres?host=$dir&port=5432"
# Read to the end of the input, whatever is in it.
while read -r _; do :; done
