// SPDX-License-Identifier: AGPL-3.0-or-later

package db_test

import (
	"context"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// searchAsBefore gives a database the indexes of words of before 033, with messages of two municipalities, one of which
// was edited and one deleted.
var searchAsBefore = map[string][]string{"postgres": {
	`DROP INDEX message_search_id`,
	`DROP INDEX contact_search_id`,
	`DELETE FROM migration WHERE name = '033_search.postgresql.sql'`,
	`INSERT INTO message_search (municipality_id, id, vector) VALUES (7, 1, array_to_tsvector(ARRAY['xla', 'xbuca', 'xvia', 'xrossin', 'm7'])),
		(7, 2, array_to_tsvector(ARRAY['xtombin', 'm7'])), (7, 3, array_to_tsvector(ARRAY['xlampion', 'xvia', 'm7'])), (8, 5, array_to_tsvector(ARRAY['xbuca', 'm8']))`,
	`INSERT INTO contact_search (municipality_id, id, vector) VALUES (7, 9, array_to_tsvector(ARRAY['xmaria', 'xrossi', 'm7']))`,
}, "sqlite": {
	`DROP TABLE message_search`,
	`DROP TABLE contact_search`,
	`CREATE VIRTUAL TABLE message_search USING fts5(scope, words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2')`,
	`CREATE VIRTUAL TABLE contact_search USING fts5(scope, words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2', prefix='2 3')`,
	`DELETE FROM migration WHERE name = '033_search.sqlite.sql'`,
	`INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, at, created_at, next_at)
		SELECT municipality, id, 1, '1001', 'in', 'text', '2026-11-25', '2026-11-25', '2026-11-25' FROM (SELECT 7 AS municipality, 1 AS id UNION VALUES (7, 2), (7, 3), (8, 5))`,
	`INSERT INTO message_search (rowid, scope, words) VALUES (1, 'm7', 'xla xbuca xvia xrossin'), (2, 'm7', 'xbuca'), (3, 'm7', 'xlampion xvia'), (4, 'm7', 'xbuca xvia'), (5, 'm8', 'xbuca')`,
	`DELETE FROM message_search WHERE rowid IN (2, 4)`,
	`INSERT INTO message_search (rowid, scope, words) VALUES (2, 'm7', 'xtombin')`,
	`INSERT INTO contact (municipality_id, contact_id, name, created_at, updated_at) VALUES (7, 9, 'Maria Rossi', '2026-11-25', '2026-11-25')`,
	`INSERT INTO contact_search (rowid, scope, words) VALUES (9, 'm7', 'xmaria xrossi')`,
}}

// What an older installation would find is found after the upgrade: neither what was deleted nor words that were
// edited away come back.
func TestSearchSurvivesTheUpgrade(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			d := dbtest.Upgraded(t, dsn, (*db.DB).Update, searchAsBefore[engine])
			for query, want := range map[string][]int64{"buca": {1}, "via": {3, 1}, "tombino": {2}, "buca rossini": {1}, "lampi": {3}} {
				if got := search(t, d, 7, query, 10); !slices.Equal(got, want) {
					t.Errorf("%q finds %v, not %v", query, got, want)
				}
			}
			if got := search(t, d, 8, "buca", 10); !slices.Equal(got, []int64{5}) {
				t.Errorf("another municipality finds %v", got)
			}
			err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				got, err := tx.Search(ctx, db.ContactSearch, 7, "ma ros", 10)
				if !slices.Equal(got, []int64{9}) {
					t.Errorf("a begun name finds %v", got)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
