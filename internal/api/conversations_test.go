// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

func TestConversation(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno", "A che ora aprite?")
		a := d.get(anna.path()).want(http.StatusOK)
		for _, want := range []struct {
			path  []any
			value any
		}{
			{[]any{"id"}, db.FormatID(anna.conversation)},
			{[]any{"state"}, "open"},
			{[]any{"kind"}, nil},
			{[]any{"office"}, nil},
			{[]any{"holder"}, nil},
			{[]any{"number"}, d.rimini.number},
			{[]any{"contact", "id"}, db.FormatID(anna.contact)},
			{[]any{"contact", "name"}, "Anna Bianchi"},
			{[]any{"contact", "phone"}, "+393471234567"},
			{[]any{"contact", "user_id"}, "IT.393471234567"},
			{[]any{"unread"}, 2.0},
			{[]any{"last_message_at"}, "2015-03-02T09:00:00Z"},
			{[]any{"window_closes_at"}, "2015-03-03T09:00:00Z"},
		} {
			equal(t, fmt.Sprint(want.path), a.at(want.path...), want.value)
		}

		d.update(func(ctx context.Context, tx *db.Tx) error {
			if err := conversation.Take(ctx, tx, d.rimini.operator, anna.conversation); err != nil {
				return err
			}
			return conversation.SetKind(ctx, tx, d.rimini.operator, anna.conversation, "report")
		})
		a = d.get(anna.path()).want(http.StatusOK)
		equal(t, "kind", a.at("kind"), any("report"))
		equal(t, "holder kind", a.at("holder", "kind"), any("operator"))
		equal(t, "holder id", a.at("holder", "id"), any(db.FormatID(d.rimini.operator.ID)))
		equal(t, "holder name", a.at("holder", "name"), any("Luca Rossi"))
	})
}

func TestConversationsAreListedNewestFirst(t *testing.T) {
	each(t, func(d *desk) {
		var want []string
		for i := range 5 {
			c := d.writes(d.rimini, fmt.Sprintf("39347000000%d", i), "Buongiorno")
			want = append([]string{db.FormatID(c.conversation)}, want...)
			if i != 2 { // two with activity at the same instant
				d.clock.advance(time.Minute)
			}
		}
		d.writes(d.carpi, "393471234567", "Buongiorno")

		var got []string
		cursor, pages := "", 0
		for {
			a := d.get("/conversations?state=open&limit=2&cursor=" + cursor).want(http.StatusOK)
			got = append(got, a.all("id")...)
			pages++
			next, more := a.at("next_cursor").(string)
			if !more {
				break
			}
			cursor = next
		}
		equalLists(t, "conversations", got, want)
		equal(t, "pages", pages, 3)
		equalLists(t, "without parameters", d.get("/conversations").want(http.StatusOK).all("id"), want)
		equalLists(t, "resolved", d.get("/conversations?state=resolved").want(http.StatusOK).all("id"), nil)
		if items := d.get("/conversations?state=resolved").at("items"); items == nil {
			t.Error("an empty listing has no list of items")
		}
	})
}

func TestResolvingNeedsAReplyOrAReason(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		d.post(anna.path("/resolve"), "").problem(http.StatusUnprocessableEntity, "resolve_needs_reason")
		d.post(anna.path("/resolve"), `{"reason":"`+strings.Repeat("è", 501)+`"}`).problem(http.StatusUnprocessableEntity, "reason_too_long")
		a := d.post(anna.path("/resolve"), `{"reason":"Risposto al \u0000telefono"}`).want(http.StatusOK)
		equal(t, "state", a.at("state"), any("resolved"))
		equal(t, "unread", a.at("unread"), any(0.0))
		d.post(anna.path("/resolve"), "").problem(http.StatusConflict, "conversation_resolved")
		equalLists(t, "resolved", d.get("/conversations?state=resolved").all("id"), []string{db.FormatID(anna.conversation)})

		dario := d.writes(d.rimini, "393477654321", "A che ora aprite?")
		d.post(dario.path("/messages"), `{"text":"Alle 8:30"}`).want(http.StatusAccepted)
		d.post(dario.path("/resolve"), `{}`).want(http.StatusOK)
	})
}

func TestReopening(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		d.post(anna.path("/reopen"), "").problem(http.StatusConflict, "conversation_open")
		d.post(anna.path("/resolve"), `{"reason":"Doppione"}`).want(http.StatusOK)
		a := d.post(anna.path("/reopen"), "").want(http.StatusOK)
		equal(t, "state", a.at("state"), any("open"))

		d.post(anna.path("/resolve"), `{"reason":"Doppione"}`).want(http.StatusOK)
		d.clock.advance(8 * 24 * time.Hour)
		later := d.writes(d.rimini, "393471234567", "Un’altra cosa")
		if later.conversation == anna.conversation {
			t.Fatal("after more than a week it should be another conversation")
		}
		d.post(anna.path("/reopen"), "").problem(http.StatusConflict, "conversation_other_open")
	})
}

// A token of some offices sees what was handed to these, and nothing else is there for it.
func TestTokenOfSomeOffices(t *testing.T) {
	each(t, func(d *desk) {
		mine, theirs, nobodys := d.writes(d.rimini, "393470000001", "Uno"), d.writes(d.rimini, "393470000002", "Due"), d.writes(d.rimini, "393470000003", "Tre")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			if err := conversation.HandOverToOffice(ctx, tx, d.rimini.operator, mine.conversation, "urp"); err != nil {
				return err
			}
			return conversation.HandOverToOffice(ctx, tx, d.rimini.operator, theirs.conversation, "protezione-civile")
		})
		token, _ := d.newToken(d.rimini.ID, "urp")
		urp := bearer(token)
		equalLists(t, "conversations", d.get("/conversations", urp).want(http.StatusOK).all("id"), []string{db.FormatID(mine.conversation)})
		equal(t, "office", d.get(mine.path(), urp).want(http.StatusOK).at("office"), any("urp"))
		d.get("/messages/"+mine.messages[0], urp).want(http.StatusOK)
		d.get("/contacts/"+db.FormatID(mine.contact), urp).want(http.StatusOK)
		equal(t, "found contacts", len(d.get("/contacts?address=3470000001", urp).want(http.StatusOK).all("id")), 1)
		d.clock.advance(time.Minute)
		d.post(mine.path("/messages"), `{"text":"Buongiorno"}`, urp).want(http.StatusAccepted)
		for _, other := range []citizen{theirs, nobodys} {
			d.get(other.path(), urp).problem(http.StatusNotFound, "conversation_not_found")
			d.get(other.path("/messages"), urp).problem(http.StatusNotFound, "conversation_not_found")
			d.post(other.path("/messages"), `{"text":"Buongiorno"}`, urp).problem(http.StatusNotFound, "conversation_not_found")
			d.post(other.path("/resolve"), `{"reason":"No"}`, urp).problem(http.StatusNotFound, "conversation_not_found")
			d.post(other.path("/reopen"), "", urp).problem(http.StatusNotFound, "conversation_not_found")
			d.get("/messages/"+other.messages[0], urp).problem(http.StatusNotFound, "message_not_found")
			d.get("/contacts/"+db.FormatID(other.contact), urp).problem(http.StatusNotFound, "contact_not_found")
		}
		equal(t, "found contacts", len(d.get("/contacts?address=3470000002", urp).want(http.StatusOK).all("id")), 0)
		d.get("/quarantine", urp).problem(http.StatusForbidden, "offices")
		d.post("/quarantine/1/replay", "", urp).problem(http.StatusForbidden, "offices")

		both, _ := d.newToken(d.rimini.ID, "protezione-civile", "urp")
		first := d.get("/conversations?limit=1", bearer(both)).want(http.StatusOK)
		second := d.get("/conversations?limit=1&cursor="+first.at("next_cursor").(string), bearer(both)).want(http.StatusOK)
		equalLists(t, "conversations of both", append(first.all("id"), second.all("id")...), []string{db.FormatID(mine.conversation), db.FormatID(theirs.conversation)})
		equal(t, "next_cursor", second.at("next_cursor"), nil)

		d.post(mine.path("/resolve"), "", urp).want(http.StatusOK)
		equalLists(t, "resolved", d.get("/conversations?state=resolved", urp).want(http.StatusOK).all("id"), []string{db.FormatID(mine.conversation)})
	})
}
