// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func (k *desk) draft(actor staff.Actor, id int64) (d conversation.Draft) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		d, err = conversation.GetDraft(ctx, tx, actor, id)
		return err
	})
	return d
}

func (k *desk) save(actor staff.Actor, id int64, d conversation.Draft) error {
	return k.update(func(ctx context.Context, tx *db.Tx) error { return conversation.SaveDraft(ctx, tx, actor, id, d) })
}

func (k *desk) note(actor staff.Actor, id int64, text, key string) error {
	return k.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.AddNote(ctx, tx, actor, id, text, key)
		return err
	})
}

func (k *desk) cancel(actor staff.Actor, id int64) error {
	return k.update(func(ctx context.Context, tx *db.Tx) error { return conversation.Cancel(ctx, tx, actor, id) })
}

func (k *desk) resolve(actor staff.Actor, id int64, reason string) error {
	return k.update(func(ctx context.Context, tx *db.Tx) error { return conversation.Resolve(ctx, tx, actor, id, reason) })
}

// fails claims what is queued and settles m, the only one, as failed.
func (k *desk) fails(m conversation.Message) {
	k.t.Helper()
	for _, claimed := range k.claim(10) {
		if claimed.ID != m.ID {
			k.t.Fatalf("message %d is sent, not %d", claimed.ID, m.ID)
		}
		k.settle(conversation.Outcome{MessageID: m.ID, ConversationID: m.ConversationID, Attempt: claimed.Attempts, Written: true,
			Status: conversation.Failed, ErrorCode: 131026})
	}
}

func isUsed(err error) bool { return fault.Is(err, fault.Conflict, "error.key_used") }

// What is being written survives everything that is sent beside it.
func TestADraftSurvivesWhatIsSentBesideIt(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		first, err := k.send(anna(), id, "k1", "Subito")
		if err != nil {
			t.Fatal(err)
		}
		k.fails(first)
		being := conversation.Draft{Key: "k2", Mode: "reply", Text: "Gentile Maria"}
		if err := k.save(anna(), id, being); err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func() error{
			"a note":      func() error { return k.note(anna(), id, "Avvisato l'ufficio", "hand-over:1") },
			"a resending": func() error { _, err := k.resend(first.ID); return err },
			"a template": func() error {
				return k.update(func(ctx context.Context, tx *db.Tx) error {
					_, err := conversation.Send(ctx, tx, anna(), id, conversation.Outgoing{Type: conversation.TypeTemplate, Text: "Avviso",
						Template: &conversation.Template{Name: "avviso", Language: "it"}, ClientKey: "picker"})
					return err
				})
			},
			"an empty draft of another tab": func() error { return k.save(anna(), id, conversation.Draft{Key: "other", Mode: "reply"}) },
		} {
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if d := k.draft(anna(), id); d.Text != being.Text {
				t.Fatalf("%s leaves the draft %+v", what, d)
			}
		}
		if _, err := k.send(anna(), id, "k2", "Gentile Maria"); err != nil {
			t.Fatal(err)
		}
		if d := k.draft(anna(), id); d.Key != "" {
			t.Errorf("the draft that was sent is still there: %+v", d)
		}
	})
}

// A key is good for one message: what else comes under it is refused and said, never taken for sent.
func TestAUsedKeySendsNothingElse(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		if _, err := k.send(anna(), id, "k1", "uno"); err != nil {
			t.Fatal(err)
		}
		if err := k.save(anna(), id, conversation.Draft{Key: "k1", Mode: "reply", Text: "uno e due"}); !isUsed(err) {
			t.Errorf("saving a draft that could never be sent: %v", err)
		}
		if err := k.save(anna(), id, conversation.Draft{Key: "k1", Mode: "reply", Text: "uno"}); err != nil {
			t.Errorf("a late saving of what was sent: %v", err)
		}
		if d := k.draft(anna(), id); d.Key != "" {
			t.Errorf("the draft is back: %+v", d)
		}
		if _, err := k.send(anna(), id, "k1", "due"); !isUsed(err) {
			t.Errorf("sending another text: %v", err)
		}
		if err := k.note(anna(), id, "uno", "k1"); !isUsed(err) {
			t.Errorf("a note under the key of a reply: %v", err)
		}
		if m, err := k.send(anna(), id, "k1", "uno "); err != nil || m.Text != "uno" {
			t.Errorf("the same again: %+v, %v", m, err)
		}
		if err := k.note(anna(), id, "nota", ""); err == nil {
			t.Error("a note without a key")
		}
	})
}

func TestAReplyThatDidNotGoOutIsNoAnswer(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		asked := k.now
		id := k.writes("393331234567", "wamid.1", "Quando aprite?").Conversation
		waits := func(what string) {
			t.Helper()
			c := k.get(id)
			if c.WaitingSince == nil || !c.WaitingSince.Equal(asked) || c.FirstReplyAt != nil {
				t.Errorf("%s: waiting since %v, first reply %v", what, c.WaitingSince, c.FirstReplyAt)
			}
			if err := k.resolve(anna(), id, ""); !fault.Is(err, fault.Invalid, "error.resolve_needs_reason") {
				t.Errorf("%s: resolving without a reason: %v", what, err)
			}
		}
		reply := func(key string) conversation.Message {
			t.Helper()
			k.now = k.now.Add(time.Minute)
			m, err := k.send(anna(), id, key, "Alle nove "+key)
			if err != nil {
				t.Fatal(err)
			}
			if c := k.get(id); c.WaitingSince != nil || c.FirstReplyAt == nil {
				t.Fatalf("after a reply: %+v", c)
			}
			return m
		}
		k.fails(reply("k1"))
		waits("refused by Meta")

		m := reply("k2")
		if err := k.cancel(anna(), m.ID); err != nil {
			t.Fatal(err)
		}
		waits("cancelled")

		m = reply("k3")
		claimed := k.claim(10)
		k.settle(conversation.Outcome{MessageID: m.ID, ConversationID: id, Attempt: claimed[0].Attempts, Written: true, Status: conversation.Accepted, ExternalID: "wamid.O"})
		k.told(conversation.Change{Number: number, ExternalID: "wamid.O", Status: conversation.Failed, At: k.now, ErrorCode: 131026})
		waits("failed by webhook")

		// A question asked meanwhile does not hide the first.
		m = reply("k4")
		k.now = k.now.Add(time.Minute)
		k.writes("393331234567", "wamid.2", "E il sabato?")
		k.fails(m)
		waits("failed after another question")

		// Where another reply went out, the question has its answer.
		m = reply("k5")
		other := reply("k6")
		if err := k.cancel(anna(), m.ID); err != nil {
			t.Fatal(err)
		}
		if c := k.get(id); c.WaitingSince != nil || c.FirstReplyAt == nil || !c.FirstReplyAt.Equal(other.At) {
			t.Errorf("answered by another: %+v", c)
		}
		if err := k.resolve(anna(), id, ""); err != nil {
			t.Errorf("resolving what was answered: %v", err)
		}
	})
}

// Only what was shown is read, and only what its author had read is answered.
func TestWhatCameMeanwhileStaysUnread(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		shown := k.last(id)
		k.now = k.now.Add(time.Second)
		later := k.now
		k.writes("393331234567", "wamid.2", "È urgente")
		see := func(last int64) (fresh bool) {
			k.must(func(ctx context.Context, tx *db.Tx) (err error) {
				fresh, err = conversation.See(ctx, tx, anna(), id, last)
				return err
			})
			return fresh
		}
		if !see(shown.ID) {
			t.Error("nothing was unread")
		}
		if c := k.get(id); c.Unread != 1 {
			t.Errorf("%d unread, of which one was never shown", c.Unread)
		}
		k.now = k.now.Add(time.Second)
		k.must(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Send(ctx, tx, anna(), id, conversation.Outgoing{Type: conversation.TypeText, Text: "Buongiorno a lei", ClientKey: "k1", Seen: shown.ID})
			return err
		})
		if c := k.get(id); c.Unread != 1 || c.WaitingSince == nil || !c.WaitingSince.Equal(later) {
			t.Errorf("a reply to the first answered the second: %d unread, waiting since %v", c.Unread, c.WaitingSince)
		}
		if _, err := k.send(anna(), id, "k2", "Arriviamo"); err != nil {
			t.Fatal(err)
		}
		if c := k.get(id); c.Unread != 0 || c.WaitingSince != nil {
			t.Errorf("after the second reply: %+v", c)
		}
		if see(shown.ID) {
			t.Error("something is unread after the reply")
		}
	})
}

func TestAFailedCopyCanBeSentAgain(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		m, err := k.send(anna(), id, "k1", "Buongiorno a lei")
		if err != nil {
			t.Fatal(err)
		}
		k.fails(m)
		first, err := k.resend(m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := k.resend(m.ID); err != nil || again.ID != first.ID {
			t.Fatalf("a double click made %d and %d, %v", first.ID, again.ID, err)
		}
		k.fails(first)
		second, err := k.resend(m.ID)
		if err != nil || second.ID == first.ID || second.Status != conversation.Queued {
			t.Fatalf("after the copy failed: %+v, %v", second, err)
		}
		if err := k.cancel(anna(), second.ID); err != nil {
			t.Fatal(err)
		}
		third, err := k.resend(first.ID)
		if err != nil || third.ID == second.ID || third.Status != conversation.Queued {
			t.Fatalf("after the copy was cancelled: %+v, %v", third, err)
		}
		auditor := anna()
		auditor.Role = staff.Auditor
		err = k.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Resend(ctx, tx, auditor, m.ID)
			return err
		})
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("an auditor sends again: %v", err)
		}
	})
}

func TestNobodyCancelsAColleaguesReply(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		m, err := k.send(anna(), id, "k1", "Buongiorno a lei")
		if err != nil {
			t.Fatal(err)
		}
		if err := k.cancel(luca(), m.ID); !fault.Is(err, fault.Conflict, "error.held_by") {
			t.Errorf("a colleague cancels: %v", err)
		}
		supervisor := luca()
		supervisor.Role = staff.Supervisor
		if err := k.cancel(supervisor, m.ID); err != nil {
			t.Errorf("who may release what others hold: %v", err)
		}
	})
}

// What no database keeps is dropped or refused, alike on both engines.
func TestTextsThatNoDatabaseKeeps(t *testing.T) {
	const bad, kept = "a\x00b\xff", "ab\ufffd"
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		send := func(key string, out conversation.Outgoing) (m conversation.Message, err error) {
			out.ClientKey = key
			err = k.update(func(ctx context.Context, tx *db.Tx) (err error) {
				m, err = conversation.Send(ctx, tx, anna(), id, out)
				return err
			})
			return m, err
		}
		m, err := send("t", conversation.Outgoing{Type: conversation.TypeTemplate, Text: bad, Template: &conversation.Template{Name: bad, Language: bad, Texts: []string{bad}}})
		if got := k.message(m.ID); err != nil || got.Text != kept || got.Detail.Template.Texts[0] != kept || got.Detail.Template.Name != kept {
			t.Errorf("template %+v, %v", got, err)
		}
		m, err = send("l", conversation.Outgoing{Type: conversation.TypeLocation, Location: &conversation.Location{Name: bad, Address: bad}})
		if got := k.message(m.ID); err != nil || got.Detail.Location.Name != kept || got.Detail.Location.Address != kept {
			t.Errorf("location %+v, %v", got, err)
		}
		if _, err := send("r", conversation.Outgoing{Type: conversation.TypeReaction, Reaction: bad, ReplyTo: k.last(id).ID}); err != nil {
			t.Errorf("reaction: %v", err)
		}
		if err := k.note(anna(), id, bad, "n"); err != nil {
			t.Errorf("note: %v", err)
		}
		if err := k.save(anna(), id, conversation.Draft{Key: "d", Mode: "note", Text: bad}); err != nil || k.draft(anna(), id).Text != kept {
			t.Errorf("draft %v", err)
		}
		for what, err := range map[string]error{
			"a draft's key":   k.save(anna(), id, conversation.Draft{Key: bad, Mode: "note", Text: "x"}),
			"a draft's mode":  k.save(anna(), id, conversation.Draft{Key: "e", Mode: bad, Text: "x"}),
			"a note's key":    k.note(anna(), id, "x", bad),
			"a message's key": func() error { _, err := k.send(anna(), id, bad, "x"); return err }(),
		} {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := k.resolve(anna(), id, bad); err != nil {
			t.Errorf("reason: %v", err)
		}
		if c := k.get(id); !strings.HasPrefix(c.Resolution, kept) {
			t.Errorf("resolved because %q", c.Resolution)
		}
	})
}

// A reply that is tried again with its file attached anew is the same reply; with another file it is another.
func TestAFileAttachedAgainIsTheSame(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		store, err := media.NewStore(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		send := func(content string) error {
			f, err := store.Add(t.Context(), comune, "orari.txt", strings.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			return k.update(func(ctx context.Context, tx *db.Tx) error {
				f.ID = tx.NewID()
				if err := media.Save(ctx, tx, comune, f); err != nil {
					return err
				}
				_, err := conversation.Send(ctx, tx, anna(), id, conversation.Outgoing{Type: conversation.TypeDocument, MediaID: f.ID, ClientKey: "k1"})
				return err
			})
		}
		if err := errors.Join(send("dalle 9 alle 13"), send("dalle 9 alle 13")); err != nil {
			t.Error(err)
		}
		if err := send("dalle 14 alle 18"); !isUsed(err) {
			t.Errorf("another file under the key of a reply: %v", err)
		}
	})
}

// last is the citizen's latest message of a conversation.
func (k *desk) last(id int64) (m conversation.Message) {
	k.t.Helper()
	c := k.get(id)
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		m, err = conversation.LastInbound(ctx, tx, comune, c)
		return err
	})
	return m
}
