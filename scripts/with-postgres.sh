#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# scripts/with-postgres.sh [--durable] COMMAND…: runs the command beside a throw-away PostgreSQL,
# whose address is in FILODIRETTO_TEST_POSTGRES; the database is gone afterwards, whatever happens.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

mode=
if [ "${1:-}" = --durable ]; then
	mode=durable
	shift
fi

coproc CLUSTER { exec "$here/../internal/dbtest/cluster.sh" $mode; }
cluster=$CLUSTER_PID
if ! read -r FILODIRETTO_TEST_POSTGRES <&"${CLUSTER[0]}"; then
	exit 1 # cluster.sh has said why
fi
export FILODIRETTO_TEST_POSTGRES

status=0
"$@" || status=$?

exec {CLUSTER[1]}>&-
wait "$cluster" || true
exit "$status"
