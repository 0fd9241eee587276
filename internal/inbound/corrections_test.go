// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// edits is the webhook of a citizen who changes a message into content.
func edits(from, id, at, target, content string) string {
	return change(fmt.Sprintf(`"messages":[{"from":%q,"id":%q,"timestamp":%q,"type":"edit","edit":{"original_message_id":%q,"message":%s}}]`, from, id, at, target, content))
}

func editedText(body string) string { return fmt.Sprintf(`{"type":"text","text":{"body":%q}}`, body) }

// Whoever corrects a message into a keyword means the keyword: it is heard once, in its own time; what is no keyword
// only changes the message.
func TestKeywordsInCorrections(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		o.deliver(change(contacts(citizen) + `,"messages":[` + text(citizen, "w1", c.next(), "ISCRIZZIONE ON") + `]`))
		o.wants("misspelt", o.lists(citizen), "")
		joins := edits(citizen, "e1", c.next(), "w1", editedText("ISCRIZIONE ON"))
		o.deliver(joins)
		o.wants("corrected", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
		o.deliver(joins)
		if n := len(o.spoken(citizen)); n != 1 {
			t.Errorf("answered %d times", n)
		}
		o.deliver(edits(citizen, "e2", c.next(), "w1", editedText("Vorrei ISCRIZIONE ON, come si fa?")))
		if m := o.messages(); len(m) != 3 || m[0].Text != "Vorrei ISCRIZIONE ON, come si fa?" || m[1].ExternalID != "e1" || !m[1].Detail.Corrects {
			t.Errorf("messages %+v", m)
		}
		// Under a file only leaving counts, and a file's words leave as well as any.
		o.deliver(edits(citizen, "e3", c.next(), "w9", `{"type":"image","image":{"id":"m1","mime_type":"image/jpeg","caption":"ISCRIZIONE OFF"}}`))
		o.wants("left under a photo", o.lists(citizen), "")
		o.deliver(edits(citizen, "e4", c.next(), "w9", `{"type":"image","image":{"id":"m1","mime_type":"image/jpeg","caption":"ISCRIZIONE ON"}}`))
		o.wants("joined under a photo", o.lists(citizen), "")
	})
}

// An edit whose message does not come is seen after a while, once; one that was taken back is not. Should the message
// come, it is revised; and when Meta delivers no more, nothing waits.
func TestEditsWithoutTheirMessages(t *testing.T) {
	const at = "1764000005"
	each(t, func(t *testing.T, o *office) {
		o.deliver(
			edits(citizen, "e1", at, "lost", editedText("corretto")),
			edits(citizen, "e2", at, "odd", `{"type":"hologram"}`),
			edits(citizen, "e3", at, "taken", editedText("ripreso")),
			change(`"messages":[{"from":"`+citizen+`","id":"r3","timestamp":"1764000006","type":"revoke","revoke":{"original_message_id":"taken"}}]`),
		)
		look := func(since time.Duration) {
			t.Helper()
			if err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.ExecContext(ctx, `UPDATE revision SET kept_at = $2 WHERE municipality_id = $1`, o.m.ID, tx.Now().Add(-since)); err != nil {
					return err
				}
				return conversation.ReceiveStrays(ctx, tx, o.m.ID)
			}); err != nil {
				t.Fatal(err)
			}
		}
		look(time.Minute)
		if n := len(o.inbox()); n != 0 {
			t.Fatalf("%d conversations while the message may still come", n)
		}
		look(time.Hour)
		look(time.Hour)
		m := o.messages()
		if len(m) != 2 || m[0].Text != "corretto" || !m[0].Detail.Corrects || m[1].Type != conversation.TypeUnsupported || m[1].Detail.Kind != "edit" {
			t.Fatalf("messages %+v", m)
		}
		if c := o.inbox()[0]; c.Unread != 2 || c.Number != "1001" {
			t.Errorf("conversation %+v", c)
		}
		o.deliver(change(`"messages":[` + text(citizen, "lost", "1764000001", "prima") + `]`))
		if m := o.messages(); len(m) != 3 || m[0].Text != "corretto" || m[0].EditedAt == nil {
			t.Errorf("messages %+v", m)
		}
		look(9 * 24 * time.Hour)
		o.view(func(ctx context.Context, tx *db.Tx) error {
			var waiting int
			err := tx.QueryRowContext(ctx, `SELECT count(*) FROM revision WHERE municipality_id = $1 AND applied = false`, o.m.ID).Scan(&waiting)
			if waiting != 0 {
				t.Errorf("%d revisions wait for ever", waiting)
			}
			return err
		})
		if m := o.messages(); len(m) != 3 {
			t.Errorf("%d messages", len(m))
		}
	})
}
