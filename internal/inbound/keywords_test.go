// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// rimini is the file with Rimini's two lists; changes are pairs of what to put where.
func rimini(changes ...string) string {
	return strings.NewReplacer(changes...).Replace(strings.Replace(file, `policy: {version: "1", text: "Informativa."}`, `policy: {version: "7", url: "https://comune.example.it/privacy"}
lists:
  - {keyword: EMERGENZE, name: Emergenze, kind: emergency}
  - {keyword: PUBBLICAUTILITA, name: Pubblica utilità, kind: notice}
subscription:
  join: ["ISCRIZIONE ON", "Iscrivimi"]
  leave: ["ISCRIZIONE OFF"]
  status: ["LISTE"]
  plain: all
  confirm: single
`, 1))
}

func eachOf(t *testing.T, file string, f func(t *testing.T, o *office)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, openAs(t, d, file)) })
}

const citizen = "393331234567"

// clock gives the times of messages, a minute apart and all of the last hour.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{at: time.Now().Add(-30 * time.Minute).Truncate(time.Second)} }

func (c *clock) next() string {
	c.at = c.at.Add(time.Minute)
	return fmt.Sprint(c.at.Unix())
}

var serial int

// says delivers what a citizen writes, each in a webhook of its own.
func (o *office) says(c *clock, from string, bodies ...string) {
	o.t.Helper()
	for _, body := range bodies {
		serial++
		o.deliver(change(contacts(from) + `,"messages":[` + text(from, fmt.Sprintf("wamid.%s.%d", from, serial), c.next(), body) + `]`))
	}
}

func contacts(from string) string {
	return fmt.Sprintf(`"contacts":[{"profile":{"name":"Anna"},"wa_id":%q}]`, from)
}

// picks delivers the choice of an option of the last answer.
func (o *office) picks(c *clock, from, id string) {
	o.t.Helper()
	serial++
	kind, title := "list_reply", id
	if strings.HasPrefix(id, "confirm:") {
		kind = "button_reply"
	}
	o.deliver(change(contacts(from) + fmt.Sprintf(`,"messages":[{"from":%q,"id":"wamid.p%d","timestamp":%q,"type":"interactive","context":{"from":"390541123456","id":%q},
		"interactive":{"type":%q,%q:{"id":%q,"title":%q}}}]`, from, serial, c.next(), o.accepted(from), kind, kind, id, title)))
}

// accepted gives the last answer the id that WhatsApp would.
func (o *office) accepted(from string) string {
	o.t.Helper()
	id := o.contact(from)
	answers := o.spoken(from)
	if len(answers) == 0 {
		return ""
	}
	last := answers[len(answers)-1]
	external := fmt.Sprintf("wamid.out.%d.%d", id, last.ID)
	if err := o.d.Update(o.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		claimed, err := conversation.Claim(ctx, tx, o.m.ID, "1001", conversation.Emergency, conversation.Broadcast, 10)
		if err != nil {
			return err
		}
		var outcomes []conversation.Outcome
		for _, m := range claimed {
			outcomes = append(outcomes, conversation.Outcome{MessageID: m.ID, Attempt: m.Attempts, Written: true, Status: conversation.Accepted,
				ExternalID: fmt.Sprintf("wamid.out.%d.%d", id, m.ID)})
		}
		return conversation.Settle(ctx, tx, o.m.ID, "1001", outcomes)
	}); err != nil {
		o.t.Fatal(err)
	}
	return external
}

func (o *office) contact(phone string) (id int64) {
	o.t.Helper()
	o.view(func(ctx context.Context, tx *db.Tx) error {
		c, err := contact.ByAddress(ctx, tx, o.m.ID, "+"+phone)
		id = c.ID
		return err
	})
	return id
}

// spoken is what the desk has said by itself, oldest first.
func (o *office) spoken(phone string) (out []conversation.Message) {
	o.t.Helper()
	id := o.contact(phone)
	o.view(func(ctx context.Context, tx *db.Tx) error {
		thread, err := conversation.LoadThread(ctx, tx, o.m.ID, id, "1001", conversation.Position{}, 200)
		for _, m := range thread.Messages {
			if m.Direction == conversation.Out && m.Lane == conversation.Automatic {
				out = append(out, m)
			}
		}
		return err
	})
	slices.SortFunc(out, func(a, b conversation.Message) int { return int(a.ID - b.ID) })
	return out
}

// answer is the last of them.
func (o *office) answer(phone string) conversation.Message {
	o.t.Helper()
	all := o.spoken(phone)
	if len(all) == 0 {
		o.t.Fatal("the desk said nothing")
	}
	return all[len(all)-1]
}

// lists are the topics a citizen is on, as "EMERGENZE PUBBLICAUTILITA"; what is suspended stands in brackets.
func (o *office) lists(phone string) string {
	o.t.Helper()
	id := o.contact(phone)
	var out []string
	o.view(func(ctx context.Context, tx *db.Tx) error {
		all, err := broadcast.SubscriptionsOf(ctx, tx, o.m.ID, id)
		for _, s := range all {
			topic := s.Topic
			if s.State == broadcast.Suspended {
				topic = "(" + topic + ")"
			}
			out = append(out, topic)
		}
		return err
	})
	return strings.Join(out, " ")
}

// proof is the consent register of a citizen, oldest first, as "given EMERGENZE".
func (o *office) proof(phone string) (events []string, rows []contact.Consent) {
	o.t.Helper()
	id := o.contact(phone)
	o.view(func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = contact.Consents(ctx, tx, o.m.ID, id)
		return err
	})
	slices.Reverse(rows)
	for _, c := range rows {
		events = append(events, strings.TrimSpace(string(c.Event)+" "+c.Topic))
	}
	return events, rows
}

func (o *office) wants(what, got, want string) {
	o.t.Helper()
	if got != want {
		o.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// RIM-07, RIM-11: one message subscribes, with the policy, and the proof of it is kept.
func TestJoining(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON")
		o.wants("lists", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
		a := o.answer(citizen)
		for _, part := range []string{"Emergenze e Pubblica utilità", "https://comune.example.it/privacy", "ISCRIZIONE OFF", "LISTE"} {
			if !strings.Contains(a.Text, part) {
				t.Errorf("the confirmation has no %q: %s", part, a.Text)
			}
		}
		if a.Status != conversation.Queued || a.Author.Kind != "system" {
			t.Errorf("the confirmation is %+v", a)
		}
		if n := len(o.inbox()); n != 0 {
			t.Errorf("%d conversations were opened", n)
		}
		events, rows := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "given EMERGENZE, given PUBBLICAUTILITA, acknowledged")
		for _, r := range rows {
			if r.Words != "ISCRIZIONE ON" || r.Wording != a.Text || r.PolicyVersion != "7" || r.PolicyHash == "" || r.Channel != "whatsapp" || r.Number != "1001" ||
				r.MessageID == 0 || !strings.HasPrefix(r.ExternalID, "wamid.") || r.Language != "it" || !r.At.Equal(c.at) || r.Actor.Kind != "citizen" {
				t.Errorf("proof: %+v", r)
			}
		}
		o.view(func(ctx context.Context, tx *db.Tx) error {
			p, ok, err := contact.PolicyByHash(ctx, tx, o.m.ID, rows[0].PolicyHash)
			if !ok || p.URL != "https://comune.example.it/privacy" || p.Version != "7" {
				t.Errorf("the policy kept is %+v", p)
			}
			return err
		})
	})
}

var _ = municipality.AutomationNone
