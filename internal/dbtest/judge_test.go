// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Every table either grows or is small; one that nobody has thought about is neither.
func TestEveryTableIsKnown(t *testing.T) {
	d := Postgres(t)
	var tables []db.Table
	err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		tables, err = tx.Tables(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, table := range tables {
		if _, is := small[table.Name]; is == grows(table.Name) && !strings.HasPrefix(table.Name, "river_") {
			t.Errorf("say in judge.go whether the table %s grows or is small", table.Name)
		}
		all = append(all, table.Name)
	}
	for _, table := range growing {
		if !slices.Contains(all, table) {
			t.Errorf("there is no table %s", table)
		}
	}
}

// The judge must be able to condemn, on plans as the engines write them.
func TestPlansAreJudged(t *testing.T) {
	for _, c := range []struct {
		engine      db.Engine
		query, plan string
		bad         bool
	}{
		{db.SQLite, "SELECT 1 FROM message m", "SCAN m", true},
		{db.SQLite, "SELECT 1 FROM message", "SCAN message USING INDEX message_turn", false},
		{db.SQLite, "SELECT 1 FROM message", "SCAN message USING COVERING INDEX message_thread", true},
		{db.SQLite, "SELECT 1 FROM message", "SEARCH message USING INDEX message_thread (municipality_id=?)", true},
		{db.SQLite, "SELECT 1 FROM message ORDER BY message_id LIMIT 5", "SEARCH message USING INDEX sqlite_autoindex_message_1 (municipality_id=?)", false},
		{db.SQLite, "SELECT 1 FROM message ORDER BY at LIMIT 5", "SEARCH message USING INDEX message_thread (municipality_id=?)\nUSE TEMP B-TREE FOR ORDER BY", true},
		{db.SQLite, "SELECT 1 FROM message", "SEARCH message USING INDEX message_thread (municipality_id=? AND contact_id=?)", false},
		{db.SQLite, "SELECT 1 FROM number", "SCAN number", false},
		{db.SQLite, "SELECT rowid FROM message_search", "SCAN message_search VIRTUAL TABLE INDEX 0:", true},
		{db.SQLite, "SELECT rowid FROM message_search", "SCAN message_search VIRTUAL TABLE INDEX 0:M3", false},
		{db.PostgreSQL, "SELECT 1 FROM message m", "Seq Scan on message m  (cost=0.00..1.00 rows=1 width=1)\n  Filter: (text = 'x'::text)", true},
		{db.PostgreSQL, "SELECT 1 FROM number", "Seq Scan on number  (cost=0.00..1.00 rows=1 width=1)", false},
		{db.PostgreSQL, "SELECT 1 FROM message", "Index Scan using message_thread on message  (cost=0.00..1.00 rows=1 width=1)\n  Index Cond: (municipality_id = '7'::bigint)\n  Filter: (text = 'x'::text)", true},
		{db.PostgreSQL, "SELECT 1 FROM message", "Index Only Scan using message_pkey on message  (cost=0.00..1.00 rows=1 width=1)", true},
		{db.PostgreSQL, "SELECT 1 FROM message", "Index Scan using message_pkey on message  (cost=0.00..1.00 rows=1 width=1)\n  Index Cond: ((municipality_id = '7'::bigint) AND (message_id = '9'::bigint))", false},
		{db.PostgreSQL, "SELECT 1 FROM message", "Bitmap Heap Scan on message  (cost=0.00..1.00 rows=1 width=1)\n  ->  Bitmap Index Scan on message_thread  (cost=0.00..1.00 rows=1 width=0)\n        Index Cond: (municipality_id = '7'::bigint)", true},
	} {
		if problem := judge(c.engine, c.query, c.plan); (problem != "") != c.bad {
			t.Errorf("%s: %s\n%s\nis judged %q", c.engine, c.query, c.plan, problem)
		}
	}
}
