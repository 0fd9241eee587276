// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"context"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// What the program takes for the stage of a state is what the column says.
func TestTheColumnSaysTheStage(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		m, err := k.send(anna(), id, "1", "Eccoci")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []conversation.Status{conversation.Received, conversation.Queued, conversation.Sending, conversation.Uncertain, conversation.Accepted,
			conversation.Held, conversation.Sent, conversation.Failed, conversation.Delivered, conversation.Read, conversation.Played, conversation.Cancelled, conversation.Skipped} {
			var stage conversation.Status
			k.must(func(ctx context.Context, tx *db.Tx) error {
				return tx.QueryRowContext(ctx, `UPDATE message SET status = $3 WHERE municipality_id = $1 AND message_id = $2 RETURNING stage`, comune, m.ID, int16(s)).Scan(&stage)
			})
			if stage != s.Stage() {
				t.Errorf("%v is at the stage %d in the database, not %d", s, stage, s.Stage())
			}
		}
	})
}

// A receipt that moves a message within its stage changes nothing that is indexed, so that PostgreSQL changes the row in
// its place. Three receipts come for each copy of a broadcast to a hundred thousand.
func TestReceiptsChangeNoIndex(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		if k.d.Engine != db.PostgreSQL {
			return // a row has one place there
		}
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		m, err := k.send(anna(), id, "1", "Eccoci")
		if err != nil {
			t.Fatal(err)
		}
		k.claim(1)
		k.settle(conversation.Outcome{MessageID: m.ID, ConversationID: id, Status: conversation.Accepted, ExternalID: "wamid.out"})
		for _, c := range []struct {
			told  conversation.Status
			stays bool
		}{{conversation.Sent, true}, {conversation.Delivered, false}, {conversation.Read, true}} {
			var before, after changes
			k.must(func(ctx context.Context, tx *db.Tx) error {
				before = changesOf(t, ctx, tx)
				change := conversation.Change{Number: number, MessageID: m.ID, ExternalID: "wamid.out", Status: c.told, At: k.now.Add(time.Second), Pricing: "utility:regular"}
				_, err := conversation.ApplyStatuses(ctx, tx, comune, []conversation.Change{change})
				after = changesOf(t, ctx, tx)
				return err
			})
			rows, inPlace := after.rows-before.rows, after.inPlace-before.inPlace
			if rows == 0 || (inPlace == rows) != c.stays {
				t.Errorf("%v changed %d rows, %d of them in their place", c.told, rows, inPlace)
			}
			if now := k.message(m.ID).Status; now != c.told {
				t.Fatalf("it is %v, not %v", now, c.told)
			}
		}
	})
}

// changes are how many rows of messages a connection changed.
type changes struct{ rows, inPlace int }

func changesOf(t *testing.T, ctx context.Context, tx *db.Tx) (c changes) {
	t.Helper()
	const count = `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'message'`
	if err := tx.QueryRowContext(ctx, count).Scan(&c.rows, &c.inPlace); err != nil {
		t.Fatal(err)
	}
	return c
}
