// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// No statement on the road of a message walks through a table that grows.
func TestNoStatementScansAGrowingTable(t *testing.T) {
	var seen dbtest.Statements
	now := time.Now().UTC()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		k := &desk{t: t, d: d, now: now}
		ran := seen.During(func() { walkTheRoad(t, k) })
		if len(ran) < 30 {
			t.Fatalf("only %d statements were seen", len(ran))
		}
		for query, args := range ran {
			if plan := dbtest.Plan(t, d, query, args); scans(plan) {
				t.Errorf("%s\n%s", query, plan)
			}
		}
	}, func(o *db.Options) { o.Observe = seen.Observe })
}

// fill makes enough rows for the planners to choose as they will when there are many.
func fill(t *testing.T, d *db.DB) {
	t.Helper()
	const contacts, each = 3000, 6
	at := time.Now().UTC().Add(-48 * time.Hour)
	err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		var people, addresses, talks, messages, events, drafts, early [][]any
		for i := range contacts {
			c, m := int64(1000+i), int64(1+i%5)
			when := at.Add(time.Duration(i) * time.Second)
			people = append(people, []any{m, c, fmt.Sprint("N", i), when})
			addresses = append(addresses, []any{m, fmt.Sprint("3933300", i), c, when})
			state := "resolved"
			if i%3 == 0 {
				state = "open"
			}
			talks = append(talks, []any{m, c * 10, number, c, state, when, i % 7})
			for j := range each {
				status := 80
				if j == 0 {
					status = 0
				}
				messages = append(messages, []any{m, c*100 + int64(j), c * 10, c, number, fmt.Sprintf("wamid.F%d-%d", i, j), status, when.Add(time.Duration(j) * time.Minute)})
			}
			drafts = append(drafts, []any{m, c * 10, int64(i % 9), when})
			early = append(early, []any{m, fmt.Sprint("wamid.E", i), when})
			events = append(events, []any{m, c, c * 10, c, number, when})
		}
		for _, b := range []struct {
			query string
			rows  [][]any
		}{
			{`INSERT INTO contact (municipality_id, contact_id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)`, people},
			{`INSERT INTO contact_address (municipality_id, kind, value, contact_id, since) VALUES ($1, 'phone', $2, $3, $4)`, addresses},
			{`INSERT INTO conversation (municipality_id, conversation_id, number, contact_id, state, opened_at, last_message_at, waiting_since, holder_id)
				VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7)`, talks},
			{`INSERT INTO message (municipality_id, message_id, conversation_id, contact_id, number, direction, type, external_id, status, at, created_at, next_at)
				VALUES ($1, $2, $3, $4, $5, 'out', 'text', $6, $7, $8, $8, $8)`, messages},
			{`INSERT INTO conversation_event (municipality_id, event_id, conversation_id, contact_id, number, at, kind, actor_kind, actor_id, actor_name)
				VALUES ($1, $2, $3, $4, $5, $6, 'opened', '', 0, '')`, events},
			{`INSERT INTO draft (municipality_id, conversation_id, staff_id, draft_key, mode, text, updated_at) VALUES ($1, $2, $3, 'd', 'reply', 'x', $4)`, drafts},
			{`INSERT INTO status_early (municipality_id, external_id, status, at, error_code, error_detail, created_at) VALUES ($1, $2, 50, $3, 0, '', $3)`, early},
		} {
			if _, err := tx.Exec(ctx, b.query, b.rows); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `ANALYZE`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// walkTheRoad runs what happens to a message, and what the desk reads.
func walkTheRoad(t *testing.T, k *desk) {
	t.Helper()
	id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
	k.writes("393331234567", "wamid.2", "ci siete?")
	m, err := k.send(anna(), id, "1", "Eccoci")
	if err != nil {
		t.Fatal(err)
	}
	k.claim(10)
	k.told(conversation.Change{Number: number, ExternalID: "wamid.EARLY", Status: conversation.Sent, At: k.now})
	k.settle(conversation.Outcome{MessageID: m.ID, ConversationID: id, Status: conversation.Accepted, ExternalID: "wamid.EARLY"})
	k.told(conversation.Change{Number: number, MessageID: m.ID, ExternalID: "wamid.EARLY", Status: conversation.Delivered, At: k.now})
	a := anna()
	for _, box := range []conversation.Box{conversation.BoxOpen, conversation.BoxMine, conversation.BoxWaiting, conversation.BoxOffice, conversation.BoxResolved} {
		k.must(func(ctx context.Context, tx *db.Tx) error {
			_, _, err := conversation.List(ctx, tx, comune, conversation.Filter{Box: box, Staff: 1, Office: "urp"}, conversation.Cursor{}, 50)
			return err
		})
	}
	c := k.get(id)
	for _, step := range []func(ctx context.Context, tx *db.Tx) error{
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Count(ctx, tx, comune, 1)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.LoadThread(ctx, tx, comune, c.ContactID, number, conversation.Position{}, 50)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, _, err := conversation.Messages(ctx, tx, comune, c, conversation.Position{}, 50)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.OfContact(ctx, tx, comune, c.ContactID, 10)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.LastInbound(ctx, tx, comune, c)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Search(ctx, tx, comune, "buongiorno", 20)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := contact.Search(ctx, tx, comune, "maria", 20)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := contact.Addresses(ctx, tx, comune, c.ContactID)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			return conversation.SaveDraft(ctx, tx, a, id, conversation.Draft{Key: "d", Text: "x", Mode: "reply"})
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.GetDraft(ctx, tx, a, id)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.AddNote(ctx, tx, a, id, "nota", "n")
			return err
		},
		func(ctx context.Context, tx *db.Tx) error { return conversation.SetKind(ctx, tx, a, id, "report") },
		func(ctx context.Context, tx *db.Tx) error {
			return conversation.HandOverToOffice(ctx, tx, a, id, "urp")
		},
		func(ctx context.Context, tx *db.Tx) error { return conversation.Take(ctx, tx, a, id) },
		func(ctx context.Context, tx *db.Tx) error { return conversation.Release(ctx, tx, a, id) },
		func(ctx context.Context, tx *db.Tx) error { return conversation.Resolve(ctx, tx, a, id, "") },
		func(ctx context.Context, tx *db.Tx) error { return conversation.Reopen(ctx, tx, a, id) },
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Abandoned(ctx, tx, comune, k.now)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error { _, _, err := conversation.Waiting(ctx, tx); return err },
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.NextDue(ctx, tx, comune, number, conversation.Emergency, conversation.Reply, conversation.Automatic, conversation.Broadcast)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.MonthTally(ctx, tx, comune, conversation.FreeDelivered, k.now)
			return err
		},
	} {
		k.must(step)
	}
	k.must(func(ctx context.Context, tx *db.Tx) error {
		ids, _, err := contact.Resolve(ctx, tx, comune, []contact.Person{{UserID: "IT.1", At: k.now}})
		if err != nil {
			return err
		}
		both, merges, err := contact.Resolve(ctx, tx, comune, []contact.Person{{UserID: "IT.1", Phone: "393331234567", At: k.now}})
		if err != nil || len(merges) != 1 || both[0] == ids[0] {
			return fmt.Errorf("merges %v, %w", merges, err)
		}
		return conversation.Merge(ctx, tx, comune, merges)
	})
}

// scans reports whether a plan reads all of one of the tables that grow. The list of numbers, the
// municipalities and the full-text index's own walk are bounded by what they answer.
func scans(plan string) bool {
	for line := range strings.SplitSeq(plan, "\n") {
		line = strings.TrimSpace(line)
		for _, table := range []string{"message", "conversation", "contact", "contact_address", "conversation_event", "status_early", "audit", "draft"} {
			for _, alias := range []string{table, table + " m", table + " c", table + " k", table + " e", table + " f"} {
				if strings.Contains(line, "Seq Scan on "+alias+" ") || line == "SCAN "+alias {
					return true
				}
			}
		}
		if f := strings.Fields(line); len(f) == 2 && f[0] == "SCAN" && len(f[1]) == 1 && f[1] != "n" {
			return true // by its alias
		}
	}
	return false
}
