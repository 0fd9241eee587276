// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// work is what one transaction does.
type work func(ctx context.Context, tx *db.Tx) error

// atOnce runs second while first has done its work and not committed it. On PostgreSQL first commits only when
// second waits for it, or is done already; on SQLite second waits from its beginning.
func (k *desk) atOnce(first, second work) {
	k.t.Helper()
	done := make(chan error, 1)
	k.must(func(ctx context.Context, tx *db.Tx) error {
		if err := first(ctx, tx); err != nil {
			return err
		}
		go func() { done <- k.d.Update(k.t.Context(), second) }()
		if k.d.Engine == db.SQLite {
			return nil
		}
		return k.untilSomebodyWaits(done)
	})
	if err := <-done; err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) untilSomebodyWaits(done chan error) error {
	deadline := time.After(20 * time.Second)
	for {
		select {
		case err := <-done:
			done <- err
			return nil
		case <-deadline:
			return errors.New("nobody waits for the transaction")
		case <-time.After(time.Millisecond):
		}
		waiting := 0
		if err := k.d.View(k.t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		}); err != nil || waiting > 0 {
			return err
		}
	}
}

// named stores a text of somebody, known by any of their addresses.
func named(p contact.Person, id string) work {
	return func(ctx context.Context, tx *db.Tx) error {
		p := p
		p.At = tx.Now()
		ids, merges, err := contact.Resolve(ctx, tx, comune, []contact.Person{p})
		if err != nil {
			return err
		}
		if err := conversation.Merge(ctx, tx, comune, merges); err != nil || id == "" {
			return err
		}
		_, err = conversation.Receive(ctx, tx, comune, []conversation.Message{{ID: tx.NewID(), ContactID: ids[0], Number: number, ExternalID: id,
			Type: conversation.TypeText, Text: id, At: tx.Now()}})
		return err
	}
}

var (
	byPhone = contact.Person{Phone: "393331234567"}
	byUser  = contact.Person{UserID: "IT.1A"}
	byBoth  = contact.Person{Phone: "393331234567", UserID: "IT.1A"} // ties the two
)

// open are the open conversations, the one with the newest message first.
func (k *desk) open() (list []conversation.Conversation) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		list, _, err = conversation.List(ctx, tx, comune, conversation.Filter{Box: conversation.BoxOpen}, conversation.Cursor{}, 10)
		return err
	})
	return list
}

func (k *desk) thread(c conversation.Conversation) (th conversation.Thread) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		th, err = conversation.LoadThread(ctx, tx, comune, c.ContactID, c.Number, conversation.Position{}, 50)
		return err
	})
	return th
}

// Whatever is written while two contacts become one is with the one that is left, whoever comes first.
func TestWritingWhileContactsMerge(t *testing.T) {
	type chosen func(younger int64) work
	merge := func(int64) work { return named(byBoth, "") }
	message := func(int64) work { return named(byUser, "wamid.3") }
	reply := func(younger int64) work {
		return func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Send(ctx, tx, anna(), younger, conversation.Outgoing{Type: conversation.TypeText, Text: "risposta", ClientKey: "k"})
			return err
		}
	}
	for name, c := range map[string]struct {
		older         string // what the older contact wrote before, if anything
		first, second chosen
	}{
		"a message comes first":         {"wamid.1", message, merge},
		"a message comes second":        {"wamid.1", merge, message},
		"a reply goes first":            {"wamid.1", reply, merge},
		"a reply goes first, alone":     {"", reply, merge},
		"a message comes first, alone":  {"", message, merge},
		"a message comes second, alone": {"", merge, message},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, k *desk) {
				k.must(named(byPhone, c.older))
				k.now = k.now.Add(time.Minute)
				k.must(named(byUser, "wamid.2"))
				younger := k.open()[0]
				k.atOnce(c.first(younger.ID), c.second(younger.ID))
				list := k.open()
				if len(list) != 1 || list[0].ContactID == younger.ContactID {
					t.Fatalf("open conversations %+v", list)
				}
				want := 2
				if c.older != "" {
					want = 3
				}
				page := k.thread(list[0]).Messages
				if len(page) != want {
					t.Errorf("the thread has %d messages, not %d", len(page), want)
				}
				for _, m := range page {
					if m.ConversationID != list[0].ID {
						t.Errorf("message %q was left in another conversation", m.Text)
					}
				}
			})
		})
	}
}

// What was merged away is gone for good: it is in no list, and the citizen's next message belongs to the
// conversation that has the history, also when that was resolved.
func TestAMergedConversationStaysAway(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		k.must(named(byPhone, "wamid.1"))
		k.now = k.now.Add(time.Hour)
		k.must(named(byUser, "wamid.2"))
		younger, older := k.open()[0], k.open()[1]
		k.must(named(byBoth, ""))
		k.must(func(ctx context.Context, tx *db.Tx) error {
			return conversation.Resolve(ctx, tx, anna(), older.ID, "non serve altro")
		})
		k.must(func(ctx context.Context, tx *db.Tx) error {
			list, _, err := conversation.List(ctx, tx, comune, conversation.Filter{Box: conversation.BoxResolved}, conversation.Cursor{}, 10)
			if len(list) != 1 || list[0].ID != older.ID {
				t.Errorf("resolved conversations %+v", list)
			}
			return err
		})
		k.now = k.now.Add(24 * time.Hour)
		k.must(named(byUser, "wamid.3"))
		list := k.open()
		if len(list) != 1 || list[0].ID != older.ID {
			t.Fatalf("open conversations %+v", list)
		}
		told := 0
		for _, e := range k.thread(list[0]).Events {
			if e.Kind == conversation.Merged && e.ConversationID == older.ID && e.Detail == db.FormatID(younger.ID) {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the merge was told %d times", told)
		}
	})
}

// Two drafts of one operator become one, and what is internal stays so.
func TestMergedDrafts(t *testing.T) {
	for name, c := range map[string]struct{ older, younger, mode string }{
		"two replies":      {"reply", "reply", "reply"},
		"two notes":        {"note", "note", "note"},
		"a note and reply": {"reply", "note", "note"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, k *desk) {
				k.must(named(byPhone, "wamid.1"))
				k.now = k.now.Add(time.Hour)
				k.must(named(byUser, "wamid.2"))
				younger, older := k.open()[0].ID, k.open()[1].ID
				k.must(func(ctx context.Context, tx *db.Tx) error {
					return errors.Join(
						conversation.SaveDraft(ctx, tx, anna(), older, conversation.Draft{Key: "d1", Mode: c.older, Text: "Gentile"}),
						conversation.SaveDraft(ctx, tx, anna(), younger, conversation.Draft{Key: "d2", Mode: c.younger, Text: "Buongiorno", MediaID: 5}))
				})
				k.must(named(byBoth, ""))
				k.must(func(ctx context.Context, tx *db.Tx) error {
					d, err := conversation.GetDraft(ctx, tx, anna(), older)
					if d.Text != "Gentile\n\nBuongiorno" || d.Mode != c.mode || d.Key != "d1" || d.MediaID != 5 {
						t.Errorf("the draft is %+v", d)
					}
					gone, err2 := conversation.GetDraft(ctx, tx, anna(), younger)
					if gone.Key != "" {
						t.Errorf("the younger's draft is still there: %+v", gone)
					}
					return errors.Join(err, err2)
				})
			})
		})
	}
}

// A conversation resolved while a message arrives is open again, held by nobody, and its events say so.
func TestResolvedWhileAMessageArrives(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		k.must(func(ctx context.Context, tx *db.Tx) error { return conversation.Take(ctx, tx, anna(), id) })
		k.atOnce(func(ctx context.Context, tx *db.Tx) error {
			return conversation.Resolve(ctx, tx, anna(), id, "non serve")
		},
			named(byPhone, "wamid.2"))
		c := k.get(id)
		if c.State != conversation.Open || c.ResolvedAt != nil || c.Resolution != "" || c.HolderID != 0 || c.Unread != 1 {
			t.Errorf("the conversation is %+v", c)
		}
		events := k.thread(c).Events
		if last := events[len(events)-1]; last.Kind != conversation.Reopened {
			t.Errorf("the last event is %+v", last)
		}
	})
}

// A reaction changes what the thread shows, so whoever looks at it hears of it.
func TestAReactionIsToldOf(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		news := k.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Conversation && n.ID == id })
		defer news.Close()
		k.receives("393331234567", conversation.Message{ExternalID: "wamid.2", Type: conversation.TypeReaction, Text: "👍", At: k.now, Number: number})
		told := func() (n int) { // beside the Refresh of a listener that has just connected
			for len(news.C) > 0 {
				if notice := <-news.C; notice.Topic == db.Conversation {
					n++
				}
			}
			return n
		}
		if n := told(); n != 1 {
			t.Errorf("%d notices", n)
		}
		again := k.receives("393331234567", conversation.Message{ExternalID: "wamid.2", Type: conversation.TypeReaction, Text: "👍", At: k.now, Number: number})
		if n := told(); again.Stored || n != 0 {
			t.Errorf("a duplicate was told of: %d notices", n)
		}
	})
}

// The same message stored by two at once is stored once, and told to be so once.
func TestTheSameMessageAtOnce(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		k.writes("393331234567", "wamid.1", "Buongiorno")
		k.atOnce(named(byPhone, "wamid.2"), named(byPhone, "wamid.2"))
		if c := k.open()[0]; c.Unread != 2 {
			t.Errorf("%d unread", c.Unread)
		}
	})
}
