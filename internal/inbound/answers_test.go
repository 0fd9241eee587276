// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// button is an option of a message that begins so.
func button(m conversation.Message, id string) string {
	for _, c := range m.Detail.Interactive.Choices {
		if strings.HasPrefix(c.ID, id) {
			return c.ID
		}
	}
	return ""
}

// A button answers the question that it stands under and what that had named, not what was asked since.
func TestAButtonAnswersItsOwnQuestion(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON #EMERGENZE")
		first := o.answer(citizen)
		o.says(c, citizen, "ISCRIZIONE ON #PUBBLICAUTILITA")
		second := o.answer(citizen)
		o.press(c, citizen, first, button(first, "confirm:yes"))
		o.wants("under the first", o.lists(citizen), "EMERGENZE")
		events, rows := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "asked EMERGENZE, asked PUBBLICAUTILITA, given EMERGENZE, acknowledged")
		o.wants("shown", rows[2].Wording, first.Text)
		o.press(c, citizen, first, button(first, "confirm:yes"))
		o.wants("again", o.lists(citizen), "EMERGENZE")
		o.press(c, citizen, second, button(second, "confirm:yes"))
		o.wants("under the second", o.lists(citizen), "EMERGENZE PUBBLICAUTILITA")

		other := "393332222223"
		o.says(c, other, "ISCRIZIONE ON #EMERGENZE")
		first = o.answer(other)
		o.says(c, other, "ISCRIZIONE ON #PUBBLICAUTILITA")
		o.press(c, other, first, button(first, "confirm:no"))
		o.says(c, other, "sì")
		o.wants("a NO to the first and a SÌ to the second", o.lists(other), "PUBBLICAUTILITA")

		third := "393333333334"
		o.says(c, third, "ISCRIZIONE ON #EMERGENZE")
		o.deliver(change(contacts(third) + fmt.Sprintf(`,"messages":[{"from":%q,"id":"wamid.foreign","timestamp":%q,"type":"button","context":{"id":"wamid.event"},
			"button":{"text":"Sì","payload":"Sì"}}]`, third, c.next())))
		o.wants("the SÌ of another message", o.lists(third), "")
		if len(o.inbox()) != 1 {
			t.Error("it went to nobody")
		}
	})
}

// What was asked under one privacy notice is consented to under that one, whatever the file says by then.
func TestTheNoticeThatWasShown(t *testing.T) {
	eachOf(t, rimini("confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON #EMERGENZE")
		o.m.File.Policy.Version, o.m.File.Policy.URL = "8", "https://comune.example.it/nuova"
		o.says(c, citizen, "SÌ", "ISCRIZIONE ON #PUBBLICAUTILITA", "SÌ")
		events, rows := o.proof(citizen)
		o.wants("proof", strings.Join(events, ", "), "asked EMERGENZE, given EMERGENZE, acknowledged, asked PUBBLICAUTILITA, given PUBBLICAUTILITA, acknowledged")
		for i, r := range rows {
			if version := map[bool]string{true: "7", false: "8"}[i < 3]; r.PolicyVersion != version || r.PolicyHash != rows[i/3*3].PolicyHash {
				t.Errorf("%s is under version %s, want %s", events[i], r.PolicyVersion, version)
			}
		}
		o.view(func(ctx context.Context, tx *db.Tx) error {
			v, err := broadcast.VerifyConsents(ctx, tx, o.m.ID)
			if !v.Sound() {
				t.Errorf("%+v", v)
			}
			return err
		})
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE policy SET url = 'https://altrove.example' WHERE version = '7'`)
			return err
		})
		o.view(func(ctx context.Context, tx *db.Tx) error {
			v, err := broadcast.VerifyConsents(ctx, tx, o.m.ID)
			if v.Sound() || len(v.Notices) != 1 || v.Notices[0] != rows[0].PolicyHash {
				t.Errorf("a notice that was changed is not found: %+v", v)
			}
			return err
		})
	})
}

// Who is asked which lists they want may type what they could pick.
func TestTypingTheChoice(t *testing.T) {
	eachOf(t, rimini("plain: all", "plain: ask", "confirm: single", "confirm: double"), func(t *testing.T, o *office) {
		c := newClock()
		for i, step := range []struct{ typed, lists string }{
			{"EMERGENZE", "EMERGENZE"}, {"#emergenze", "EMERGENZE"}, {"Pubblica utilità", "PUBBLICAUTILITA"}, {"solo le emergenze, grazie", "EMERGENZE"},
			{"tutte", "EMERGENZE PUBBLICAUTILITA"}, {"emergenze e pubblica utilita", "EMERGENZE PUBBLICAUTILITA"},
			{"emergenze?", ""}, {"#pippo", ""}, {"che emergenze ci sono", ""},
		} {
			who := fmt.Sprintf("39333444%04d", i)
			o.says(c, who, step.typed)
			o.wants("not asked, "+step.typed, o.lists(who), "")
			waiting := len(o.inbox())
			o.says(c, who, "Iscrivimi")
			question := o.answer(who)
			o.says(c, who, step.typed)
			o.wants(step.typed, o.lists(who), step.lists)
			if step.lists == "" {
				continue
			}
			if _, rows := o.proof(who); rows[0].Words != step.typed || rows[0].Wording != question.Text || rows[len(rows)-1].Event != "acknowledged" {
				t.Errorf("%s: proof %+v", step.typed, rows)
			}
			if len(o.inbox()) != waiting {
				t.Errorf("%s went to a person", step.typed)
			}
		}

		left, late, spoken := "393335550001", "393335550002", "393335550003"
		o.says(c, left, "Iscrivimi", "STOP", "emergenze")
		o.wants("left since", o.lists(left), "")
		old := &clock{at: c.at.Add(-25 * time.Hour)}
		o.says(old, late, "Iscrivimi")
		o.says(c, late, "emergenze")
		o.wants("a day later", o.lists(late), "")
		o.says(c, spoken, "Una domanda", "Iscrivimi")
		operator := staff.Actor{Kind: staff.OperatorKind, ID: 7, Name: "Anna", Role: staff.Supervisor, Municipality: o.m.ID}
		id := o.contact(spoken)
		for _, conv := range o.inbox() {
			if conv.ContactID == id {
				o.update(func(ctx context.Context, tx *db.Tx) error {
					_, err := conversation.Send(ctx, tx, operator, conv.ID, conversation.Outgoing{Type: conversation.TypeText, Text: "Di che cosa?", ClientKey: "k"})
					return err
				})
			}
		}
		c.at = time.Now().Add(time.Second).Truncate(time.Second)
		o.says(c, spoken, "emergenze")
		o.wants("the office wrote since", o.lists(spoken), "")
	})
}

// Whoever leaves is obeyed within the same second too, whichever way each word took, and with a picture above it.
func TestLeavingWinsItsSecond(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		at := fmt.Sprint(time.Now().Add(-time.Minute).Unix())
		for _, order := range [][]string{{"ISCRIZIONE ON", "STOP"}, {"STOP", "ISCRIZIONE ON"}} {
			who := fmt.Sprintf("39333666%04d", len(order[0]))
			for i, words := range order {
				o.deliver(change(contacts(who) + `,"messages":[` + text(who, fmt.Sprintf("wamid.%s.%d", who, i), at, words) + `]`))
			}
			o.wants(strings.Join(order, ", "), o.lists(who), "")
			if a := o.answer(who); strings.Contains(a.Text, "Quali avvisi") || a.Detail.Interactive != nil {
				t.Errorf("%v is answered with an offer: %q", order, a.Text)
			}
		}

		c := newClock()
		o.says(c, citizen, "Buongiorno")
		id := o.contact(citizen)
		var now time.Time
		o.update(func(ctx context.Context, tx *db.Tx) error {
			now = tx.Now()
			_, err := broadcast.Apply(ctx, tx, staff.Citizen(o.m.ID, id), o.m, broadcast.Change{Contact: id, Join: []string{"EMERGENZE"}, Channel: "page", Key: "k"})
			return err
		})
		o.wants("by the page", o.lists(citizen), "EMERGENZE")
		o.deliver(change(contacts(citizen) + `,"messages":[` + text(citizen, "wamid.stop", fmt.Sprint(now.Unix()), "STOP") + `]`))
		o.wants("STOP in the second of the page", o.lists(citizen), "")

		pictured := "393337770001"
		o.says(c, pictured, "ISCRIZIONE ON")
		o.deliver(change(contacts(pictured) + fmt.Sprintf(`,"messages":[{"from":%q,"id":"wamid.pic","timestamp":%q,"type":"image","image":{"id":"m1","mime_type":"image/jpeg","sha256":"x","caption":"STOP"}}]`, pictured, c.next())))
		o.wants("under a picture", o.lists(pictured), "")
		o.deliver(change(contacts(pictured) + fmt.Sprintf(`,"messages":[{"from":%q,"id":"wamid.pic2","timestamp":%q,"type":"image","image":{"id":"m2","mime_type":"image/jpeg","sha256":"x","caption":"Iscrizione on"}}]`, pictured, c.next())))
		o.wants("nobody joins by a caption", o.lists(pictured), "")
	})
}

// However long the names of lists are, the question, the notice and how to leave are whole.
func TestLongNamesLeaveTheQuestionWhole(t *testing.T) {
	var lists strings.Builder
	for i := range 9 {
		fmt.Fprintf(&lists, "  - {keyword: LISTA%c, name: \"%s %c\", kind: notice}\n", 'A'+i, strings.Repeat("Avvisi molto lunghi ", 4), 'A'+i)
	}
	eachOf(t, rimini("confirm: single", "confirm: double", "plain: all", "plain: ask", "subscription:\n", lists.String()+"subscription:\n"), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "Iscrivimi", "lista a, lista b, lista c, lista d", "ISCRIZIONE ON #LISTAE #LISTAF #LISTAG", "LISTE")
		a := o.answer(citizen)
		for _, part := range []string{"Ricevi questi avvisi", "Rispondi SÌ", "https://comune.example.it/privacy", "scrivendo ISCRIZIONE OFF", "/lists/"} {
			if !strings.Contains(a.Text, part) {
				t.Errorf("no %q in %d letters: %s", part, len([]rune(a.Text)), a.Text)
			}
		}
		if len([]rune(a.Text)) > 1024 || a.Detail.Interactive == nil {
			t.Errorf("%d letters, options %v", len([]rune(a.Text)), a.Detail.Interactive)
		}
	})
}
