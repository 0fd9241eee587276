// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// rimini is the file with Rimini's two lists; changes are pairs of what to put where.
func rimini(changes ...string) string {
	return strings.NewReplacer(changes...).Replace(strings.Replace(file, `policy: {version: "1", text: "Informativa di prova."}`, `policy: {version: "7", url: "https://comune.example.it/privacy"}
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

// picks delivers the choice of an option of the last answer that has one which begins so.
func (o *office) picks(c *clock, from, id string) {
	o.t.Helper()
	for _, m := range slices.Backward(o.spoken(from)) {
		if m.Detail.Interactive == nil {
			continue
		}
		for _, choice := range m.Detail.Interactive.Choices {
			if strings.HasPrefix(choice.ID, id) {
				o.press(c, from, m, choice.ID)
				return
			}
		}
	}
	o.t.Fatalf("nobody was shown an option %s", id)
}

// press delivers the choice of an option of m.
func (o *office) press(c *clock, from string, m conversation.Message, id string) {
	o.t.Helper()
	o.accepted(from)
	serial++
	kind, title := "list_reply", id
	if strings.HasPrefix(id, "confirm:") {
		kind, title = "button_reply", "SÌ"
	}
	o.deliver(change(contacts(from) + fmt.Sprintf(`,"messages":[{"from":%q,"id":"wamid.p%d","timestamp":%q,"type":"interactive","context":{"from":"390541123456","id":%q},
		"interactive":{"type":%q,%q:{"id":%q,"title":%q}}}]`, from, serial, c.next(), fmt.Sprintf("wamid.out.%d.%d", o.contact(from), m.ID), kind, kind, id, title)))
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
			kept := make(map[string]contact.Policy)
			err := contact.EachPolicy(ctx, tx, o.m.ID, func(hash string, p contact.Policy) { kept[hash] = p })
			if p := kept[rows[0].PolicyHash]; p.URL != "https://comune.example.it/privacy" || p.Version != "7" {
				t.Errorf("the policy kept is %+v", p)
			}
			return err
		})
	})
}

// RIM-06, RIM-07, RIM-09: one list or both, told back; repeating harms nothing and is answered truthfully.
func TestOneListAndTheOther(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		for _, step := range []struct{ says, lists, answer string }{
			{"iscrizione on #emergenze", "EMERGENZE", "ricevi gli avvisi Emergenze del"},
			{"ISCRIZIONE ON #EMERGENZE", "EMERGENZE", "Ricevi già gli avvisi Emergenze"},
			{"LISTE", "EMERGENZE", "Puoi ricevere anche Pubblica utilità"},
			{"ISCRIZIONE ON #PUBBLICAUTILITA’", "EMERGENZE PUBBLICAUTILITA", "ricevi gli avvisi Pubblica utilità"},
			{"ISCRIZIONE OFF #EMERGENZE", "PUBBLICAUTILITA", "non ricevi più gli avvisi Emergenze"},
			{"ISCRIZIONE OFF #EMERGENZE", "PUBBLICAUTILITA", "Non ricevi gli avvisi Emergenze"},
			{"ISCRIZIONE ON #PIPPO", "PUBBLICAUTILITA", "Non abbiamo una lista con questo nome"},
			{"ISCRIZIONE OFF", "", "non ricevi più nessun avviso"},
			{"ISCRIZIONE OFF", "", "Non ricevi nessun avviso"},
			{"LISTE", "", "Non ricevi nessun avviso"},
		} {
			o.says(c, citizen, step.says)
			o.wants(step.says, o.lists(citizen), step.lists)
			if a := o.answer(citizen); !strings.Contains(a.Text, step.answer) {
				t.Errorf("%s is answered %q", step.says, a.Text)
			}
		}
		if n := len(o.spoken(citizen)); n != 10 {
			t.Errorf("%d answers to 10 words", n)
		}
		events, _ := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "given EMERGENZE, acknowledged, given PUBBLICAUTILITA, acknowledged, withdrawn EMERGENZE, withdrawn PUBBLICAUTILITA")
	})
}

// RIM-08: leaving works in every state of a conversation, and asks nothing of anybody.
func TestLeavingInEveryState(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		operator := staff.Actor{Kind: staff.OperatorKind, ID: 7, Name: "Anna", Role: staff.Supervisor, Municipality: o.m.ID}
		act := func(f func(ctx context.Context, tx *db.Tx, id int64) error) {
			t.Helper()
			id := o.inbox()[0].ID
			if err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return f(ctx, tx, id) }); err != nil {
				t.Fatal(err)
			}
		}
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON", "Buongiorno, a che ora aprite?")
		before := o.inbox()[0]
		o.wants("the inbox shows", before.LastText, "Buongiorno, a che ora aprite?")
		o.says(c, citizen, "STOP")
		o.wants("open", o.lists(citizen), "")
		if now := o.inbox()[0]; now.Unread != 1 || now.LastText != before.LastText || now.WaitingSince == nil || !now.WaitingSince.Equal(*before.WaitingSince) {
			t.Errorf("leaving changed the conversation from %+v to %+v", before, now)
		}
		act(func(ctx context.Context, tx *db.Tx, id int64) error {
			_, err := conversation.Send(ctx, tx, operator, id, conversation.Outgoing{Type: conversation.TypeText, Text: "Alle nove.", ClientKey: "1"})
			return err
		})
		o.says(c, citizen, "ISCRIZIONE ON", "STOP")
		o.wants("held", o.lists(citizen), "")
		if now := o.inbox()[0]; now.Unread != 0 || now.HolderID != 7 || now.WaitingSince != nil {
			t.Errorf("held, it is %+v", now)
		}
		act(func(ctx context.Context, tx *db.Tx, id int64) error {
			return conversation.Resolve(ctx, tx, operator, id, "")
		})
		o.says(c, citizen, "ISCRIZIONE ON", "STOP")
		o.wants("resolved", o.lists(citizen), "")
		if n := len(o.inbox()); n != 0 {
			t.Errorf("leaving reopened the conversation")
		}
		o.says(c, "393339999999", "STOP")
		if a := o.answer("393339999999"); !strings.Contains(a.Text, "Non ricevi nessun avviso") {
			t.Errorf("a stranger is answered %q", a.Text)
		}
	})
}

// RIM-10: a sentence that only mentions the words goes to a person.
func TestSentencesGoToAPerson(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		o.says(newClock(), citizen, "Come faccio per ISCRIZIONE ON alle emergenze, devo venire lì?")
		o.wants("lists", o.lists(citizen), "")
		if inbox := o.inbox(); len(inbox) != 1 || inbox[0].Unread != 1 || len(o.spoken(citizen)) != 0 {
			t.Errorf("the inbox is %+v", inbox)
		}
	})
}

// The same webhook again, and several words at once: each counts once, and one answer goes out.
func TestOnceAndOneAnswer(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		body := change(`"messages":[` + text(citizen, "wamid.a", c.next(), "ISCRIZIONE ON #EMERGENZE") + `,` + text(citizen, "wamid.b", c.next(), "ISCRIZIONE ON #PUBBLICAUTILITA") + `]`)
		o.deliver(body, body)
		o.deliver(body)
		if n := len(o.spoken(citizen)); n != 1 {
			t.Errorf("%d answers", n)
		}
		if a := o.answer(citizen); !strings.Contains(a.Text, "Emergenze e Pubblica utilità") {
			t.Errorf("the answer is %q", a.Text)
		}
		events, _ := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "given EMERGENZE, given PUBBLICAUTILITA, acknowledged, acknowledged")
		o.wants("tallies", o.tallies(), "joined:EMERGENZE:whatsapp 1, joined:PUBBLICAUTILITA:whatsapp 1")
		o.says(c, citizen, "STOP")
		o.wants("tallies", o.tallies(), "joined:EMERGENZE:whatsapp 1, joined:PUBBLICAUTILITA:whatsapp 1, left:EMERGENZE:whatsapp 1, left:PUBBLICAUTILITA:whatsapp 1")
	})
}

// tallies are the daily counts of who joined and left.
func (o *office) tallies() string {
	o.t.Helper()
	var out []string
	o.view(func(ctx context.Context, tx *db.Tx) error {
		return tx.Query(ctx, `SELECT name, count FROM tally WHERE municipality_id = $1 AND (name LIKE 'joined:%' OR name LIKE 'left:%') ORDER BY name`,
			[][]any{{o.m.ID}}, func(_ int, row db.Scanner) error {
				var name string
				var n int
				err := row.Scan(&name, &n)
				out = append(out, fmt.Sprint(name, " ", n))
				return err
			})
	})
	return strings.Join(out, ", ")
}

// A word that is older than the last one applied, or than the window, changes what it must and gets no answer.
func TestLateWordsGetNoAnswer(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		now := time.Now()
		at := func(ago time.Duration) string { return fmt.Sprint(now.Add(-ago).Unix()) }
		o.deliver(change(`"messages":[` + text(citizen, "wamid.2", at(time.Minute), "STOP") + `]`))
		o.deliver(change(`"messages":[` + text(citizen, "wamid.1", at(time.Hour), "ISCRIZIONE ON") + `]`))
		o.wants("lists", o.lists(citizen), "")
		if n := len(o.spoken(citizen)); n != 1 {
			t.Errorf("%d answers", n)
		}
		const other = "393337777777"
		o.deliver(change(`"messages":[` + text(other, "wamid.3", at(25*time.Hour), "ISCRIZIONE ON") + `]`))
		o.wants("lists of yesterday", o.lists(other), "EMERGENZE PUBBLICAUTILITA")
		if n := len(o.spoken(other)); n != 0 {
			t.Errorf("%d answers outside of the window", n)
		}
		_, rows := o.proof(other)
		if len(rows) != 2 || rows[0].Wording != "" {
			t.Errorf("proof of what was not answered: %+v", rows)
		}
	})
}

// ALL-01: under no automation the answer to the citizen's own keyword leaves, and nothing else.
func TestNoAutomation(t *testing.T) {
	eachOf(t, rimini("plain: all", "plain: ask"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "Buongiorno", "ISCRIZIONE ON", "SÌ")
		if n := len(o.spoken(citizen)); n != 1 {
			t.Errorf("%d answers, want only the choice", n)
		}
		o.picks(c, citizen, "join:EMERGENZE")
		o.says(c, citizen, "LISTE", "grazie")
		if n := len(o.spoken(citizen)); n != 3 {
			t.Errorf("%d answers", n)
		}
		o.changesNumber(c, citizen, "393330000001")
		if n := len(o.spoken("393330000001")); n != 3 {
			t.Errorf("%d answers: a change of number was answered", n)
		}
		if messages := o.messages(); len(messages) == 0 || len(o.inbox()) != 1 || o.inbox()[0].Unread != 3 { // Buongiorno, SÌ, grazie
			t.Errorf("the inbox is %+v", o.inbox())
		}
	})
}

// changesNumber delivers what WhatsApp says of a new number.
func (o *office) changesNumber(c *clock, from, to string) {
	o.t.Helper()
	serial++
	o.deliver(change(fmt.Sprintf(`"messages":[{"from":%q,"id":"wamid.s%d","timestamp":%q,"type":"system",
		"system":{"type":"user_changed_number","body":"changed","wa_id":%q}}]`, from, serial, c.next(), to)))
}

// Plain ask: the list is shown, and choosing from it is the consent.
func TestChoosing(t *testing.T) {
	eachOf(t, rimini("plain: all", "plain: ask", "confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "Iscrivimi")
		asked := o.answer(citizen)
		if asked.Type != conversation.TypeInteractive || asked.Detail.Interactive == nil || asked.Detail.Interactive.Button == "" || len(asked.Detail.Interactive.Choices) != 3 ||
			asked.Detail.Interactive.Choices[2].ID != "join:*" {
			t.Fatalf("the choice is %+v", asked)
		}
		o.picks(c, citizen, "join:EMERGENZE")
		o.wants("lists", o.lists(citizen), "EMERGENZE")
		_, rows := o.proof(citizen)
		if len(rows) != 2 || rows[0].Words != "join:EMERGENZE" || rows[0].Wording != asked.Text || rows[1].Event != contact.ConsentNotice {
			t.Errorf("proof: %+v", rows)
		}
		o.picks(c, citizen, "join:*")
		o.wants("lists", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
		o.press(c, citizen, asked, "join:TOLTA")
		if a := o.answer(citizen); !strings.Contains(a.Text, "Non abbiamo una lista") {
			t.Errorf("a list that is gone is answered %q", a.Text)
		}
	})
}

// With more lists than a message shows the rest is on the next page.
func TestManyLists(t *testing.T) {
	many := ""
	for i := range 23 {
		many += fmt.Sprintf("\n  - {keyword: LISTA%02d, name: \"Avvisi del quartiere numero %02d\", kind: notice}", i, i)
	}
	o := openAs(t, dbtest.SQLite(t), rimini("plain: all", "plain: ask", "\nsubscription:", many+"\nsubscription:"))
	c := newClock()
	o.says(c, citizen, "ISCRIZIONE ON")
	seen, next := map[string]bool{}, ""
	for range 5 {
		options := o.answer(citizen).Detail.Interactive
		if len(options.Choices) > 10 {
			t.Fatalf("%d rows", len(options.Choices))
		}
		next = ""
		for _, row := range options.Choices {
			if strings.HasPrefix(row.ID, "lists:") {
				next = row.ID
			} else if seen[row.ID] {
				t.Errorf("%s is shown twice", row.ID)
			}
			seen[row.ID] = true
			if n := len([]rune(row.Title)); n > 24 {
				t.Errorf("%q has %d letters", row.Title, n)
			}
		}
		if next == "" {
			break
		}
		o.picks(c, citizen, next)
	}
	if next != "" || len(seen) != 25+1+2 { // lists, all of them, two pages to turn
		t.Errorf("%d rows were shown", len(seen))
	}
}

// confirm: double: nothing is sent until SÌ, which must come within a day, before anybody of the office writes.
func TestDoubleConfirmation(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double", "automation: none", "automation: keywords"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON #EMERGENZE")
		question := o.answer(citizen)
		o.wants("asked", o.lists(citizen), "")
		if question.Detail.Interactive == nil || len(question.Detail.Interactive.Choices) != 2 || question.Detail.Interactive.Button != "" {
			t.Fatalf("the question is %+v", question)
		}
		o.says(c, citizen, "sì")
		o.wants("confirmed", o.lists(citizen), "EMERGENZE")
		events, rows := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "asked EMERGENZE, given EMERGENZE, acknowledged")
		if rows[1].Words != "sì" || rows[1].Wording != question.Text || rows[0].Wording != question.Text {
			t.Errorf("proof: %+v", rows)
		}
		if len(o.inbox()) != 0 {
			t.Error("the SÌ opened a conversation")
		}
		o.says(c, citizen, "Sì") // of nothing now
		if inbox := o.inbox(); len(inbox) != 1 {
			t.Error("a SÌ to nothing went to nobody")
		}

		other := "393331111111"
		o.says(c, other, "ISCRIZIONE ON")
		o.picks(c, other, "confirm:no")
		o.wants("declined", o.lists(other), "")
		events, _ = o.proof(other)
		o.wants("proof", strings.Join(events, ", "), "asked EMERGENZE, asked PUBBLICAUTILITA, declined EMERGENZE, declined PUBBLICAUTILITA")
		o.picks(c, other, "confirm:yes")
		o.wants("a button of before", o.lists(other), "")
		if a := o.answer(other); !strings.Contains(a.Text, "scaduta") {
			t.Errorf("it is answered %q", a.Text)
		}

		late := "393332222222"
		at := func(ago time.Duration) string { return fmt.Sprint(time.Now().Add(-ago).Unix()) }
		o.deliver(change(`"messages":[` + text(late, "wamid.l1", at(25*time.Hour), "ISCRIZIONE ON") + `]`))
		o.deliver(change(`"messages":[` + text(late, "wamid.l2", at(time.Minute), "SI") + `]`))
		o.wants("a day later", o.lists(late), "")
		if n := len(o.inbox()); n != 2 {
			t.Errorf("%d conversations: a late SÌ is for a person", n)
		}
	})
}

func TestThePersonWhoWritesEndsTheQuestion(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		operator := staff.Actor{Kind: staff.OperatorKind, ID: 7, Name: "Anna", Role: staff.Supervisor, Municipality: o.m.ID}
		at := func(ago time.Duration) string { return fmt.Sprint(time.Now().Add(ago).Unix()) }
		o.deliver(change(`"messages":[` + text(citizen, "wamid.1", at(-time.Minute), "Buongiorno") + `,` + text(citizen, "wamid.2", at(-time.Minute), "ISCRIZIONE ON") + `]`))
		if err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.Send(ctx, tx, operator, o.inbox()[0].ID, conversation.Outgoing{Type: conversation.TypeText, Text: "Abita a Rimini?", ClientKey: "1"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		o.deliver(change(`"messages":[` + text(citizen, "wamid.3", at(time.Minute), "Sì") + `]`))
		o.wants("lists", o.lists(citizen), "")
		if messages := o.messages(); messages[len(messages)-1].Text != "Sì" || o.inbox()[0].Unread != 1 {
			t.Error("the answer to the operator did not reach them")
		}
	})
}

// Invariant 5: after a change of number nothing is sent until the citizen confirms.
func TestChangeOfNumber(t *testing.T) {
	eachOf(t, rimini("automation: none", "automation: keywords"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON")
		o.changesNumber(c, citizen, "393330000001")
		o.wants("moved", o.lists("393330000001"), "(EMERGENZE) (PUBBLICAUTILITA)")
		if a := o.answer("393330000001"); !strings.Contains(a.Text, "Hai cambiato numero") || a.Detail.Interactive == nil {
			t.Errorf("the question is %+v", a)
		}
		o.says(c, "393330000001", "LISTE")
		if a := o.answer("393330000001"); !strings.Contains(a.Text, "sono sospesi") {
			t.Errorf("LISTE is answered %q", a.Text)
		}
		o.says(c, "393330000001", "SÌ")
		o.wants("confirmed", o.lists("393330000001"), "EMERGENZE PUBBLICAUTILITA")
		o.changesNumber(c, "393330000001", "393330000002")
		o.says(c, "393330000002", "ISCRIZIONE ON #EMERGENZE")
		o.wants("joined again", o.lists("393330000002"), "EMERGENZE (PUBBLICAUTILITA)")
		events, _ := o.proof("393330000002")
		o.wants("proof", strings.Join(events[len(events)-4:], ", "), "suspended EMERGENZE, suspended PUBBLICAUTILITA, given EMERGENZE, acknowledged")
		o.wants("tallies", o.tallies(), "joined:EMERGENZE:whatsapp 3, joined:PUBBLICAUTILITA:whatsapp 2, left:EMERGENZE:number 2, left:PUBBLICAUTILITA:number 2")
	})
}

// Two contacts who turn out to be one: of each list the later word holds.
func TestMergedSubscribers(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		byID := func(id, body string) string {
			serial++
			return fmt.Sprintf(`{"from_user_id":%q,"id":"wamid.u%d","timestamp":%q,"type":"text","text":{"body":%q}}`, id, serial, c.next(), body)
		}
		o.says(c, citizen, "ISCRIZIONE ON")
		o.deliver(change(`"contacts":[{"profile":{"name":"Anna"},"user_id":"IT.1A2B3C"}],"messages":[` + byID("IT.1A2B3C", "ISCRIZIONE OFF #EMERGENZE") + `]`))
		o.says(c, citizen, "LISTE")
		o.deliver(change(`"contacts":[{"profile":{"name":"Anna"},"wa_id":"` + citizen + `","user_id":"IT.1A2B3C"}],"messages":[{"from":"` + citizen +
			`","from_user_id":"IT.1A2B3C","id":"wamid.both","timestamp":"` + c.next() + `","type":"text","text":{"body":"Buongiorno"}}]`))
		o.wants("merged", o.lists(citizen), "PUBBLICAUTILITA")
		events, _ := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "given EMERGENZE, given PUBBLICAUTILITA, acknowledged")
		o.wants("tallies", o.tallies(), "joined:EMERGENZE:whatsapp 1, joined:PUBBLICAUTILITA:whatsapp 1, left:EMERGENZE:merge 1")
	})
}

// What citizens tell Meta holds by its time, and is proof too.
func TestMetasOwnOptOut(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON")
		tell := func(value string, at time.Time) {
			o.deliver(`{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":[{"field":"user_preferences","value":{"messaging_product":"whatsapp",
				"metadata":{"display_phone_number":"390541123456","phone_number_id":"1001"},"contacts":[{"wa_id":"` + citizen + `"}],
				"user_preferences":[{"wa_id":"` + citizen + `","category":"marketing_messages","value":"` + value + `","detail":"User requested to stop","timestamp":` + fmt.Sprint(at.Unix()) + `}]}}]}]}`)
		}
		stopped := func() bool {
			var at *time.Time
			o.view(func(ctx context.Context, tx *db.Tx) (err error) {
				at, err = broadcast.MarketingStopped(ctx, tx, o.m.ID, o.contact(citizen))
				return err
			})
			return at != nil
		}
		now := time.Now()
		tell("stop", now.Add(-time.Minute))
		if !stopped() {
			t.Error("the stop is not kept")
		}
		tell("resume", now.Add(-2*time.Minute))
		if !stopped() {
			t.Error("an older resume undid it")
		}
		tell("resume", now)
		if stopped() {
			t.Error("the resume is not kept")
		}
		o.wants("lists", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
		events, rows := o.proof(citizen)
		o.wants("proof", strings.Join(events[3:], ", "), "refused, resumed")
		if rows[3].Channel != "meta" {
			t.Errorf("proof: %+v", rows[3])
		}
	})
}

// Nothing in the register is changed, added or removed unnoticed.
func TestProofIsHeldByTheAuditTrail(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		o.says(newClock(), citizen, "ISCRIZIONE ON")
		verify := func() (v broadcast.Verified) {
			o.view(func(ctx context.Context, tx *db.Tx) (err error) {
				v, err = broadcast.VerifyConsents(ctx, tx, o.m.ID)
				return err
			})
			return v
		}
		change := func(query string, args ...any) {
			t.Helper()
			if err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.ExecContext(ctx, query, args...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := staff.Seal(t.Context(), o.d); err != nil {
			t.Fatal(err)
		}
		if v := verify(); !v.Sound() || v.Count != 3 {
			t.Fatalf("untouched, it is %+v", v)
		}
		_, rows := o.proof(citizen)
		change(`UPDATE consent SET words = 'altro' WHERE consent_id = $1`, rows[0].ID)
		if v := verify(); v.Sound() || len(v.Altered) != 1 || v.Altered[0] != rows[0].ID {
			t.Errorf("changed words: %+v", v)
		}
		changed := rows[0]
		changed.Words = "altro"
		change(`UPDATE consent SET hash = $2 WHERE consent_id = $1`, rows[0].ID, changed.Digest(o.m.ID))
		if v := verify(); v.Sound() || len(v.Altered) != 1 {
			t.Errorf("changed with its hash: %+v", v)
		}
		change(`UPDATE consent SET consent_id = consent_id + 1000000 WHERE consent_id = $1`, rows[1].ID)
		if v := verify(); len(v.Missing) != 1 || v.Missing[0] != rows[1].ID || len(v.Unrecorded) != 1 {
			t.Errorf("moved: %+v", v)
		}
		change(`UPDATE audit SET detail = '{}' WHERE object_id = $1`, db.FormatID(rows[2].ID))
		if v := verify(); v.Broken == nil {
			t.Errorf("a changed audit row: %+v", v)
		}
	})
}

// Error 131050 in a status tells the same as the webhook of preferences.
func TestRefusedMarketing(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON")
		wamid := o.accepted(citizen)
		o.deliver(change(`"statuses":[{"id":"` + wamid + `","status":"failed","timestamp":"` + c.next() + `","recipient_id":"` + citizen + `",
			"errors":[{"code":131050,"title":"User has stopped marketing messages"}]}]`))
		events, _ := o.proof(citizen)
		o.wants("proof", strings.Join(events[3:], ", "), "refused")
	})
}

// ARE-10: Arezzo's word is answered with the policy, which joining accepts.
func TestArezzo(t *testing.T) {
	o := openAs(t, dbtest.SQLite(t), example(t, "arezzo"))
	c := newClock()
	o.says(c, citizen, "Iscrivimi")
	a := o.answer(citizen)
	if a.Detail.Interactive != nil {
		o.picks(c, citizen, a.Detail.Interactive.Choices[0].ID)
	}
	if !strings.Contains(a.Text, o.m.File.Policy.URL) || o.lists(citizen) == "" {
		t.Errorf("Iscrivimi is answered %q, and the lists are %q", a.Text, o.lists(citizen))
	}
	if events, _ := o.proof(citizen); !slices.Contains(events, "acknowledged") {
		t.Errorf("proof: %v", events)
	}
}

// example is an example's file for the number of these tests.
func example(t *testing.T, slug string) string {
	t.Helper()
	raw, err := os.ReadFile("../../examples/" + slug + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := regexp.MustCompile(`\$\{\w+_PHONE_NUMBER_ID\}`).ReplaceAllString(string(raw), "1001")
	out = regexp.MustCompile(`\$\{\w+_WABA_ID\}`).ReplaceAllString(out, "2001")
	out = regexp.MustCompile(`\$\{\w+_APP_SECRET\}`).ReplaceAllString(out, "secret")
	out = regexp.MustCompile(`\$\{\w+\}`).ReplaceAllString(out, "x")
	return regexp.MustCompile(`(?m)^slug: .*$`).ReplaceAllString(out, "slug: prova")
}

// Two instances with words of the same citizens at the same instant: the words are applied one after another.
func TestTwoInstancesHandleWords(t *testing.T) {
	d := dbtest.Postgres(t)
	first := openAs(t, d, rimini())
	both := []*office{first, run(t, d, first.key)}
	const people, rounds = 20, 6
	start := time.Now().Add(-30 * time.Minute)
	for round := range rounds {
		var together sync.WaitGroup
		for side, o := range both {
			together.Go(func() {
				var messages []string
				for p := range people {
					word := "ISCRIZIONE ON"
					if (round+side)%2 == 1 {
						word = "ISCRIZIONE OFF"
					}
					i := 2*round + side
					messages = append(messages, text(fmt.Sprintf("39333000%04d", p), fmt.Sprintf("wamid.%d.%d", p, i), fmt.Sprint(start.Add(time.Duration(i)*time.Minute).Unix()), word))
				}
				if side == 1 {
					slices.Reverse(messages)
				}
				for some := range slices.Chunk(messages, people/4) {
					if status := o.post("prova", "secret", []byte(change(`"messages":[`+strings.Join(some, ",")+`]`))); status != 200 {
						t.Errorf("a webhook was answered %d", status)
					}
				}
				if err := o.processor.Drain(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
	}
	want := "" // the last of all words is that of the second instance in the last round: ISCRIZIONE ON or OFF
	if (rounds-1+1)%2 == 0 {
		want = "EMERGENZE PUBBLICAUTILITA"
	}
	for p := range people {
		phone := fmt.Sprintf("39333000%04d", p)
		first.wants(phone, first.lists(phone), want)
	}
	first.view(func(ctx context.Context, tx *db.Tx) error {
		v, err := broadcast.VerifyConsents(ctx, tx, first.m.ID)
		if len(v.Altered)+len(v.Missing)+len(v.Unrecorded) > 0 {
			t.Errorf("the proof is %+v", v)
		}
		return err
	})
}

// Another municipality sees nothing of it.
func TestSubscribersOfOneMunicipality(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		o.says(newClock(), citizen, "ISCRIZIONE ON")
		id := o.contact(citizen)
		o.view(func(ctx context.Context, tx *db.Tx) error {
			subscriptions, err := broadcast.SubscriptionsOf(ctx, tx, o.m.ID+1, id)
			if err != nil || len(subscriptions) != 0 {
				t.Errorf("another municipality sees %v, %v", subscriptions, err)
			}
			count, err := broadcast.CountSubscribers(ctx, tx, o.m.ID+1)
			if err != nil || len(count) != 0 {
				t.Errorf("another municipality counts %v, %v", count, err)
			}
			page, _, err := broadcast.Subscribers(ctx, tx, o.m.ID+1, "EMERGENZE", 0, 10)
			if err != nil || len(page) != 0 {
				t.Errorf("another municipality lists %v, %v", page, err)
			}
			rows, err := contact.Consents(ctx, tx, o.m.ID+1, id)
			if err != nil || len(rows) != 0 {
				t.Errorf("another municipality reads %v, %v", rows, err)
			}
			page, next, err := broadcast.Subscribers(ctx, tx, o.m.ID, "EMERGENZE", 0, 10)
			if err != nil || len(page) != 1 || page[0].ID != id || page[0].Phone != "+"+citizen || next != 0 {
				t.Errorf("the subscribers are %v, %v", page, err)
			}
			return nil
		})
	})
}

// What is asked and shown at once is asked in the one answer, and a label of a template's button is a word too.
func TestOtherWaysToSayIt(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		o.deliver(change(`"messages":[` + text(citizen, "wamid.1", c.next(), "ISCRIZIONE ON #EMERGENZE") + `,` + text(citizen, "wamid.2", c.next(), "LISTE") + `]`))
		a := o.answer(citizen)
		if !strings.Contains(a.Text, "Non ricevi nessun avviso") || !strings.Contains(a.Text, "Vuoi ricevere gli avvisi Emergenze") || a.Detail.Interactive == nil {
			t.Errorf("the answer is %+v", a)
		}
		o.says(c, citizen, "SI")
		o.wants("lists", o.lists(citizen), "EMERGENZE")
		_, rows := o.proof(citizen)
		if len(rows) != 3 || rows[0].Wording != a.Text || rows[1].Wording != a.Text {
			t.Errorf("proof: %+v", rows)
		}
		o.deliver(change(fmt.Sprintf(`"messages":[{"from":%q,"id":"wamid.b","timestamp":%q,"type":"button","button":{"text":"Stop","payload":"Stop"}}]`, citizen, c.next())))
		o.wants("lists", o.lists(citizen), "")
	})
}

// Two questions are one: the second names what the first had asked, and the SÌ is for both.
func TestTwoQuestions(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON #EMERGENZE", "ISCRIZIONE ON #PUBBLICAUTILITA")
		if a := o.answer(citizen); !strings.Contains(a.Text, "Emergenze e Pubblica utilità") {
			t.Errorf("the question is %q", a.Text)
		}
		o.picks(c, citizen, "confirm:yes")
		o.wants("lists", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
	})
}

// LISTE brings the link to the citizen's own page, which is theirs alone.
func TestTheLinkInTheChat(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		o.says(newClock(), citizen, "LISTE")
		_, link, _ := strings.Cut(o.answer(citizen).Text, "https://desk.example.it/prova/lists/")
		token, _, _ := strings.Cut(link, "\n")
		if id, err := broadcast.OpenLink(o.key, o.m.ID, token, time.Now().Add(6*24*time.Hour)); id != o.contact(citizen) || err != nil {
			t.Errorf("%q opens as %d, %v", token, id, err)
		}
		if _, err := broadcast.OpenLink(o.key, o.m.ID, token, time.Now().Add(8*24*time.Hour)); err == nil {
			t.Error("it opens after a week")
		}
	})
}

// What the desk has said by itself may be sent again by a person, when it is not known to have arrived.
func TestSendingAnAnswerAgain(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "Buongiorno", "ISCRIZIONE ON")
		operator := staff.Actor{Kind: staff.OperatorKind, ID: 7, Name: "Anna", Role: staff.Operator, Municipality: o.m.ID}
		first := o.answer(citizen)
		if err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			claimed, err := conversation.Claim(ctx, tx, o.m.ID, "1001", conversation.Emergency, conversation.Broadcast, 10)
			if err != nil || len(claimed) != 1 {
				t.Fatalf("claimed %d, %v", len(claimed), err)
			}
			if err := conversation.Settle(ctx, tx, o.m.ID, "1001", []conversation.Outcome{{MessageID: first.ID, Attempt: 1, Status: conversation.Failed}}); err != nil {
				return err
			}
			again, err := conversation.Resend(ctx, tx, operator, first.ID)
			if err == nil && (again.Type != conversation.TypeInteractive || again.Text != first.Text || again.Detail.Interactive == nil || again.Author.Name != "Anna") {
				t.Errorf("sent again it is %+v", again)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c.at = time.Now()
		o.says(c, citizen, "SÌ")
		o.wants("lists", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
	})
}

// WhatsApp's times are whole seconds: what is tapped within the second of the question is the answer to it, and answered.
func TestWithinASecond(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		at := newClock().next()
		o.deliver(change(`"messages":[` + text(citizen, "wamid.z", at, "ISCRIZIONE ON") + `]`))
		o.deliver(change(`"messages":[` + text(citizen, "wamid.a", at, "SÌ") + `]`))
		o.wants("lists", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")
		if n := len(o.spoken(citizen)); n != 2 {
			t.Errorf("%d answers", n)
		}
	})
}
