// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

const (
	comune = int64(7)
	number = "100000000000001"
)

// desk is a municipality's conversations, with a clock that the test sets.
type desk struct {
	t   *testing.T
	d   *db.DB
	now time.Time
}

// each runs f on both engines, at ten o'clock on a Tuesday.
func each(t *testing.T, f func(t *testing.T, k *desk)) {
	clock := &desk{now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		clock.t, clock.d = t, d
		clock.now = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
		f(t, clock)
	}, func(o *db.Options) { o.Now = func() time.Time { return clock.now } })
}

func (k *desk) update(f func(ctx context.Context, tx *db.Tx) error) error {
	return k.d.Update(k.t.Context(), f)
}

func (k *desk) must(f func(ctx context.Context, tx *db.Tx) error) {
	k.t.Helper()
	if err := k.update(f); err != nil {
		k.t.Fatal(err)
	}
}

// writes stores a text of the citizen with the phone, at the desk's time.
func (k *desk) writes(phone, id, text string) conversation.Receipt {
	k.t.Helper()
	return k.receives(phone, conversation.Message{ExternalID: id, Type: conversation.TypeText, Text: text, At: k.now, Number: number})
}

func (k *desk) receives(phone string, m conversation.Message) conversation.Receipt {
	k.t.Helper()
	var receipts []conversation.Receipt
	k.must(func(ctx context.Context, tx *db.Tx) error {
		ids, merges, err := contact.Resolve(ctx, tx, comune, []contact.Person{{Phone: phone, Name: "Maria", At: m.At}})
		if err != nil {
			return err
		}
		if err := conversation.Merge(ctx, tx, comune, merges); err != nil {
			return err
		}
		m.ID, m.ContactID = tx.NewID(), ids[0]
		receipts, err = conversation.Receive(ctx, tx, comune, []conversation.Message{m})
		return err
	})
	return receipts[0]
}

func (k *desk) get(id int64) (c conversation.Conversation) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = conversation.Get(ctx, tx, comune, id)
		return err
	})
	return c
}

func (k *desk) message(id int64) (m conversation.Message) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		m, err = conversation.GetMessage(ctx, tx, comune, id)
		return err
	})
	return m
}

func anna() staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Anna", Role: staff.Operator, Municipality: comune}
}

func luca() staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: 2, Name: "Luca", Role: staff.Operator, Municipality: comune}
}

func (k *desk) send(actor staff.Actor, id int64, key, text string) (m conversation.Message, err error) {
	err = k.update(func(ctx context.Context, tx *db.Tx) (err error) {
		m, err = conversation.Send(ctx, tx, actor, id, conversation.Outgoing{Type: conversation.TypeText, Text: text, ClientKey: key})
		return err
	})
	return m, err
}

func TestOneMessageOpensOneConversation(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		first := k.writes("393331234567", "wamid.1", "C'è una buca in via Garibaldi")
		again := k.writes("393331234567", "wamid.1", "C'è una buca in via Garibaldi")
		second := k.writes("393331234567", "wamid.2", "davanti al 12")
		if !first.Stored || again.Stored || !second.Stored {
			t.Fatalf("stored %v, again %v, second %v", first.Stored, again.Stored, second.Stored)
		}
		if first.Conversation == 0 || second.Conversation != first.Conversation {
			t.Fatalf("conversations %d and %d", first.Conversation, second.Conversation)
		}
		c := k.get(first.Conversation)
		if c.Unread != 2 || c.State != conversation.Open || c.LastText != "davanti al 12" || c.WaitingSince == nil || c.Contact.Phone != "+393331234567" {
			t.Errorf("conversation %+v", c)
		}
	})
}

func TestReplyTakesAndGoesOutOnce(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		m, err := k.send(anna(), id, "draft-1", "Buongiorno a lei")
		if err != nil {
			t.Fatal(err)
		}
		twice, err := k.send(anna(), id, "draft-1", "Buongiorno a lei")
		if err != nil || twice.ID != m.ID {
			t.Fatalf("the same key made message %d and %d, %v", m.ID, twice.ID, err)
		}
		c := k.get(id)
		if c.HolderID != 1 || c.WaitingSince != nil || c.Unread != 0 || c.FirstReplyAt == nil {
			t.Errorf("after the reply: %+v", c)
		}
		if _, err := k.send(luca(), id, "draft-2", "Rispondo io"); !fault.Is(err, fault.Conflict, "error.held_by") {
			t.Errorf("a colleague's reply was not stopped: %v", err)
		}
		claimed := k.claim(10)
		if len(claimed) != 1 || claimed[0].ID != m.ID {
			t.Fatalf("claimed %v", claimed)
		}
		if again := k.claim(10); len(again) != 0 {
			t.Errorf("claimed twice: %v", again)
		}
		k.settle(conversation.Outcome{MessageID: m.ID, ConversationID: id, Attempt: 1, Status: conversation.Accepted, ExternalID: "wamid.OUT"})
		k.told(conversation.Change{Number: number, ExternalID: "wamid.OUT", Status: conversation.Read, At: k.now},
			conversation.Change{Number: number, ExternalID: "wamid.OUT", Status: conversation.Delivered, At: k.now})
		if got := k.message(m.ID); got.Status != conversation.Read || got.ExternalID != "wamid.OUT" || got.DeliveredAt == nil {
			t.Errorf("message %+v", got)
		}
	})
}

func (k *desk) claim(n int) (out []conversation.Message) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) (err error) {
		out, err = conversation.Claim(ctx, tx, comune, number, conversation.Emergency, conversation.Broadcast, n)
		return err
	})
	return out
}

func (k *desk) settle(o ...conversation.Outcome) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) error { return conversation.Settle(ctx, tx, comune, number, o) })
}

func (k *desk) told(c ...conversation.Change) {
	k.t.Helper()
	k.must(func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.ApplyStatuses(ctx, tx, comune, c)
		return err
	})
}

// Every order of the same statuses, before and after our own send was settled, alone and in one batch,
// ends in the same state.
func TestStatusesMoveByRank(t *testing.T) {
	statuses := []conversation.Status{conversation.Sent, conversation.Delivered, conversation.Read, conversation.Failed}
	each(t, func(t *testing.T, k *desk) {
		n := 0
		for order := range permutations(statuses) {
			for _, batch := range []bool{true, false} {
				for _, byOurID := range []bool{true, false} {
					for settled := range len(order) + 1 {
						n++
						k.runStatuses(t, n, order, settled, batch, byOurID)
					}
				}
			}
		}
	})
}

func (k *desk) runStatuses(t *testing.T, n int, order []conversation.Status, settled int, batch, byOurID bool) {
	phone, external := fmt.Sprintf("3933300%05d", n), fmt.Sprintf("wamid.S%d", n)
	id := k.writes(phone, fmt.Sprintf("wamid.in%d", n), "domanda").Conversation
	m, err := k.send(anna(), id, fmt.Sprint("key", n), "risposta")
	if err != nil {
		t.Fatal(err)
	}
	k.claim(100)
	changes := make([]conversation.Change, len(order))
	for i, s := range order {
		changes[i] = conversation.Change{Number: number, ExternalID: external, Status: s, At: k.now.Add(time.Duration(s) * time.Second), ErrorCode: 131026}
		if byOurID {
			changes[i].MessageID = m.ID
		}
	}
	tell := func(c []conversation.Change) {
		if batch {
			k.told(c...)
			return
		}
		for _, one := range c {
			k.told(one)
		}
	}
	tell(changes[:settled])
	k.settle(conversation.Outcome{MessageID: m.ID, ConversationID: id, Attempt: 1, Status: conversation.Accepted, ExternalID: external})
	tell(changes[settled:])
	if got := k.message(m.ID); got.Status != conversation.Read || got.ExternalID != external || got.ReadAt == nil {
		t.Fatalf("order %v, %d before settling, batch %v, by our id %v: ended %v %q", order, settled, batch, byOurID, got.Status, got.ExternalID)
	}
}

func permutations(s []conversation.Status) func(yield func([]conversation.Status) bool) {
	return func(yield func([]conversation.Status) bool) {
		var walk func(k int) bool
		s := slices.Clone(s)
		walk = func(k int) bool {
			if k == len(s) {
				return yield(slices.Clone(s))
			}
			for i := k; i < len(s); i++ {
				s[k], s[i] = s[i], s[k]
				if !walk(k + 1) {
					return false
				}
				s[k], s[i] = s[i], s[k]
			}
			return true
		}
		walk(0)
	}
}

func TestResolvingNeedsAReplyOrAReason(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		resolve := func(reason string) error {
			return k.update(func(ctx context.Context, tx *db.Tx) error { return conversation.Resolve(ctx, tx, anna(), id, reason) })
		}
		if err := resolve(" "); !fault.Is(err, fault.Invalid, "error.resolve_needs_reason") {
			t.Fatalf("resolved without an answer: %v", err)
		}
		if _, err := k.send(anna(), id, "1", "Ecco"); err != nil {
			t.Fatal(err)
		}
		if err := resolve(""); err != nil {
			t.Fatalf("resolve after a reply: %v", err)
		}
		k.now = k.now.Add(6 * 24 * time.Hour)
		if again := k.writes("393331234567", "wamid.2", "Ancora io"); again.Conversation != id {
			t.Errorf("within a week a message opened %d, not %d again", again.Conversation, id)
		}
		if err := resolve("doppione"); err != nil {
			t.Fatal(err)
		}
		k.now = k.now.Add(8 * 24 * time.Hour)
		if anew := k.writes("393331234567", "wamid.3", "Altra cosa"); anew.Conversation == id {
			t.Error("after a week a message reopened the old conversation")
		}
		if err := k.update(func(ctx context.Context, tx *db.Tx) error { return conversation.Reopen(ctx, tx, anna(), id) }); fault.KindOf(err) != fault.Conflict {
			t.Errorf("reopened beside another open conversation: %v", err)
		}
	})
}

func TestTheWindowCloses(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		k.now = k.now.Add(24*time.Hour - 3*time.Minute)
		if _, err := k.send(anna(), id, "1", "in tempo"); err != nil {
			t.Fatalf("within the window: %v", err)
		}
		k.now = k.now.Add(2 * time.Minute)
		if _, err := k.send(anna(), id, "2", "troppo tardi"); !fault.Is(err, fault.Invalid, "error.window_closed") {
			t.Errorf("a minute before the end a reply may arrive too late: %v", err)
		}
	})
}

func TestOtherMunicipalitiesSeeNothing(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		m, err := k.send(anna(), id, "1", "salve")
		if err != nil {
			t.Fatal(err)
		}
		stranger := staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Zoe", Role: staff.Administrator, Municipality: comune + 1}
		for name, act := range map[string]func(ctx context.Context, tx *db.Tx) error{
			"get": func(ctx context.Context, tx *db.Tx) error {
				_, err := conversation.Get(ctx, tx, comune+1, id)
				return err
			},
			"message": func(ctx context.Context, tx *db.Tx) error {
				_, err := conversation.GetMessage(ctx, tx, comune+1, m.ID)
				return err
			},
			"take":    func(ctx context.Context, tx *db.Tx) error { return conversation.Take(ctx, tx, stranger, id) },
			"release": func(ctx context.Context, tx *db.Tx) error { return conversation.Release(ctx, tx, stranger, id) },
			"office": func(ctx context.Context, tx *db.Tx) error {
				return conversation.HandOverToOffice(ctx, tx, stranger, id, "urp")
			},
			"resolve": func(ctx context.Context, tx *db.Tx) error { return conversation.Resolve(ctx, tx, stranger, id, "x") },
			"reopen":  func(ctx context.Context, tx *db.Tx) error { return conversation.Reopen(ctx, tx, stranger, id) },
			"kind": func(ctx context.Context, tx *db.Tx) error {
				return conversation.SetKind(ctx, tx, stranger, id, "report")
			},
			"see": func(ctx context.Context, tx *db.Tx) error {
				_, err := conversation.See(ctx, tx, stranger, id, 0)
				return err
			},
			"note": func(ctx context.Context, tx *db.Tx) error {
				_, err := conversation.AddNote(ctx, tx, stranger, id, "nota", "n")
				return err
			},
			"draft": func(ctx context.Context, tx *db.Tx) error {
				return conversation.SaveDraft(ctx, tx, stranger, id, conversation.Draft{Key: "d", Mode: "reply", Text: "x"})
			},
			"send": func(ctx context.Context, tx *db.Tx) error {
				_, err := conversation.Send(ctx, tx, stranger, id, conversation.Outgoing{Type: conversation.TypeText, Text: "x", ClientKey: "k"})
				return err
			},
			"resend": func(ctx context.Context, tx *db.Tx) error {
				_, err := conversation.Resend(ctx, tx, stranger, m.ID)
				return err
			},
			"cancel": func(ctx context.Context, tx *db.Tx) error { return conversation.Cancel(ctx, tx, stranger, m.ID) },
			"contact": func(ctx context.Context, tx *db.Tx) error {
				_, err := contact.ByAddress(ctx, tx, comune+1, "+393331234567")
				return err
			},
		} {
			if err := k.update(act); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: a stranger got %v", name, err)
			}
		}
		k.must(func(ctx context.Context, tx *db.Tx) error {
			if found, err := conversation.Search(ctx, tx, comune+1, "buongiorno", 10); err != nil || len(found) != 0 {
				t.Errorf("a stranger's search found %d, %v", len(found), err)
			}
			if found, err := contact.Search(ctx, tx, comune+1, "maria", 10); err != nil || len(found) != 0 {
				t.Errorf("a stranger's search found %d contacts, %v", len(found), err)
			}
			return nil
		})
	})
}

func TestSearchFindsStemsAndNames(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		k.writes("393331234567", "wamid.1", "Quando si paga la carta d'identità in città? E nei luoghi con la buca?")
		for _, query := range []string{"citta", "città", "carte", "pagare", "identita carta", "iden", "luogo", "buche"} {
			k.must(func(ctx context.Context, tx *db.Tx) error {
				found, err := conversation.Search(ctx, tx, comune, query, 10)
				if err != nil || len(found) != 1 || found[0].Conversation.Contact.Name != "Maria" {
					t.Errorf("%q found %d, %v", query, len(found), err)
				}
				return nil
			})
		}
		for _, query := range []string{"mari", "333 1234567", "+39 333 123", "3331234567"} {
			k.must(func(ctx context.Context, tx *db.Tx) error {
				found, err := contact.Search(ctx, tx, comune, query, 10)
				if err != nil || len(found) != 1 {
					t.Errorf("%q found %d contacts, %v", query, len(found), err)
				}
				return nil
			})
		}
		k.must(func(ctx context.Context, tx *db.Tx) error {
			for _, odd := range []string{"", "\"", "a:b*", "NOT x OR", "( )", "x' --", "\x00"} {
				if _, err := conversation.Search(ctx, tx, comune, odd, 10); err != nil {
					t.Errorf("%q: %v", odd, err)
				}
			}
			return nil
		})
	})
}

// When a webhook ties two contacts together, their open conversations become one, with what was typed.
func TestMergingKeepsEverything(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		older := k.writes("393331234567", "wamid.1", "dal telefono").Conversation
		var younger int64
		k.must(func(ctx context.Context, tx *db.Tx) error {
			ids, _, err := contact.Resolve(ctx, tx, comune, []contact.Person{{UserID: "IT.1A", At: k.now}})
			if err != nil {
				return err
			}
			r, err := conversation.Receive(ctx, tx, comune, []conversation.Message{{ID: tx.NewID(), ContactID: ids[0], Number: number, ExternalID: "wamid.2",
				Type: conversation.TypeText, Text: "senza numero", At: k.now}})
			younger = r[0].Conversation
			return err
		})
		k.must(func(ctx context.Context, tx *db.Tx) error {
			if err := conversation.Take(ctx, tx, anna(), younger); err != nil {
				return err
			}
			return conversation.SaveDraft(ctx, tx, anna(), younger, conversation.Draft{Key: "d", Mode: "reply", Text: "Gentile"})
		})
		k.must(func(ctx context.Context, tx *db.Tx) error {
			_, merges, err := contact.Resolve(ctx, tx, comune, []contact.Person{{Phone: "393331234567", UserID: "IT.1A", At: k.now}})
			if err != nil {
				return err
			}
			return conversation.Merge(ctx, tx, comune, merges)
		})
		c := k.get(older)
		if c.Unread != 2 || c.HolderID != anna().ID || c.Contact.UserID != "IT.1A" {
			t.Errorf("the older conversation is %+v", c)
		}
		k.must(func(ctx context.Context, tx *db.Tx) error {
			d, err := conversation.GetDraft(ctx, tx, anna(), older)
			if d.Text != "Gentile" {
				t.Errorf("the draft is %+v", d)
			}
			page, _, err2 := conversation.Messages(ctx, tx, comune, c, conversation.Position{}, 10)
			if len(page) != 2 || err2 != nil {
				t.Errorf("messages %+v, %v", page, err2)
			}
			return err
		})
		if y := k.get(younger); y.State == conversation.Open {
			t.Errorf("the younger conversation is %v", y.State)
		}
	})
}

// Settling an attempt again, as after a commit whose answer got lost, does not touch the attempt that came
// after it: otherwise a message that is on the wire would be queued and sent once more.
func TestAnAttemptIsSettledOnce(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		m, err := k.send(anna(), k.writes("393331234567", "wamid.1", "Buongiorno").Conversation, "1", "Eccoci")
		if err != nil {
			t.Fatal(err)
		}
		k.claim(1)
		back := conversation.Outcome{MessageID: m.ID, Attempt: 1, Status: conversation.Queued}
		k.settle(back)
		if again := k.claim(1); len(again) != 1 || again[0].Attempts != 2 {
			t.Fatalf("claimed %+v", again)
		}
		k.settle(back)
		if third := k.claim(1); len(third) != 0 {
			t.Error("a message on the wire was claimed again")
		}
		k.must(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Abandoned(ctx, tx, comune, tx.Now().Add(time.Second))
			return err
		})
		k.settle(conversation.Outcome{MessageID: m.ID, Attempt: 2, Written: true, Status: conversation.Failed, ErrorCode: 131026})
		if got := k.message(m.ID); got.Status != conversation.Failed || got.ErrorCode != 131026 {
			t.Errorf("a late sure refusal left it %v", got.Status)
		}
	})
}

// A number with only blocked messages has nothing due: its pump sleeps until what is in flight ends.
func TestWhatWaitsForAnotherIsNotDue(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		id := k.writes("393331234567", "wamid.1", "Buongiorno").Conversation
		for _, text := range []string{"uno", "due"} {
			if _, err := k.send(anna(), id, text, text); err != nil {
				t.Fatal(err)
			}
		}
		first := k.claim(5)
		if len(first) != 1 {
			t.Fatalf("claimed %d messages to one citizen", len(first))
		}
		due := func(lane conversation.Lane) (d conversation.Due) {
			k.must(func(ctx context.Context, tx *db.Tx) (err error) {
				d, err = conversation.NextDue(ctx, tx, comune, number, lane)
				return err
			})
			return d
		}
		if got := due(conversation.Reply); !got.At.IsZero() || !got.Queued {
			t.Errorf("of a blocked message it is told: %+v", got)
		}
		if got := due(conversation.Broadcast); got != (conversation.Due{}) {
			t.Errorf("of an empty lane it is told: %+v", got)
		}
		later := k.now.Add(5 * time.Minute)
		k.settle(conversation.Outcome{MessageID: first[0].ID, Attempt: 1, Status: conversation.Queued, NextAt: later})
		if got := due(conversation.Reply); !got.At.Equal(later) || !got.Queued {
			t.Errorf("next due is %+v, want %v", got, later)
		}
	})
}

// A status whose message never comes was of another program's on the same number: it is forgotten after a week, not before.
func TestEarlyStatusesAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		kept := func() (n int) {
			k.must(func(ctx context.Context, tx *db.Tx) error {
				if err := conversation.DropEarly(ctx, tx, comune); err != nil {
					return err
				}
				return tx.QueryRowContext(ctx, `SELECT count(*) FROM status_early`).Scan(&n)
			})
			return n
		}
		k.told(conversation.Change{Number: number, ExternalID: "wamid.another", Status: conversation.Sent, At: k.now})
		k.now = k.now.Add(7*24*time.Hour - time.Minute)
		if n := kept(); n != 1 {
			t.Errorf("%d are kept within the week", n)
		}
		k.now = k.now.Add(2 * time.Minute)
		if n := kept(); n != 0 {
			t.Errorf("%d are kept after it", n)
		}
	})
}
