// SPDX-License-Identifier: AGPL-3.0-or-later

package journal_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/journal"
)

// asBefore gives a database the journal of before journal_002, with entries that wait and such as are done.
var asBefore = []string{
	`DROP TABLE journal_waiting`,
	`ALTER TABLE journal ADD COLUMN done_at TIMESTAMP`,
	`ALTER TABLE journal ADD COLUMN replayed boolean NOT NULL DEFAULT false`,
	`CREATE INDEX journal_pending ON journal (entry_id) WHERE done_at IS NULL`,
	`DELETE FROM migration WHERE name LIKE 'journal_002%'`,
	`INSERT INTO journal (municipality_id, entry_id, received_at, body, done_at, replayed) VALUES
		(7, 2, '2026-11-24 10:00:00', 'again', NULL, true), (7, 1, '2026-11-24 09:00:00', 'done', '2026-11-24 09:00:01', false), (8, 3, '2026-11-24 11:00:00', 'new', NULL, false)`,
}

// What waited in an older installation waits after the upgrade, and nothing else does.
func TestWhatWaitsSurvivesTheUpgrade(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			d := dbtest.Upgraded(t, dsn, (*db.DB).UpdateJournal, asBefore)
			var came []string
			n, err := journal.New(d, slog.New(slog.DiscardHandler)).Process(t.Context(), 10, func(_ context.Context, _ *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
				for _, e := range entries {
					came = append(came, string(e.Body))
					if e.Replayed != (e.ID == 2) {
						t.Errorf("%s comes again: %v", e.Body, e.Replayed)
					}
				}
				return nil, nil
			})
			if want := []string{"again", "new"}; err != nil || n != 2 || !slices.Equal(came, want) {
				t.Errorf("%d came: %v, not %v; %v", n, came, want, err)
			}
		})
	}
}
