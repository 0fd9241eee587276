// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/journal"
)

// Whoever replays an entry for what of it was not understood gets back none of its messages that were deleted because
// their time was over; of one that is young enough all are there.
func TestReplayingBringsBackNothingTooOld(t *testing.T) {
	for name, c := range map[string]struct {
		age  time.Duration
		want int
	}{"too old": {31 * 24 * time.Hour, 0}, "young enough": {29 * 24 * time.Hour, 1}} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				o := openAs(t, d, file+"retention: {messages: 30d, media: 7d}\n")
				o.deliver(change(contacts(citizen) + `,"messages":[` + text(citizen, "w1", "1764000000", "Buongiorno") + `,{"from":` + `"` + citizen + `","timestamp":"1764000001","type":"text","text":{"body":"senza id"}}]`))
				items := o.quarantine()
				if len(items) != 1 || len(o.messages()) != 1 {
					t.Fatalf("%d items in quarantine, %d messages", len(items), len(o.messages()))
				}
				o.update(func(ctx context.Context, tx *db.Tx) error { // as retention does
					for _, table := range []string{"message", "conversation"} {
						if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
							return err
						}
					}
					return nil
				})
				err := d.UpdateJournal(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.ExecContext(ctx, `UPDATE journal SET received_at = $1`, tx.Now().Add(-c.age))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := journal.New(d, slog.New(slog.DiscardHandler)).Replay(t.Context(), o.m.ID, items[0]); err != nil {
					t.Fatal(err)
				}
				o.drain()
				if got := o.count(); got != c.want {
					t.Errorf("%d messages came back, want %d", got, c.want)
				}
			})
		})
	}
}

// count is how many messages there are.
func (o *office) count() (n int) {
	o.t.Helper()
	o.view(func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM message`).Scan(&n)
	})
	return n
}
