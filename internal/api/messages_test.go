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
	"github.com/filodiretto/filodiretto/internal/locale"
)

func TestMessages(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.sends(d.rimini, "393471234567",
			conversation.Message{Type: conversation.TypeText, Text: "C’è una buca", ExternalID: "wamid.buca"},
			conversation.Message{Type: conversation.TypeLocation, Detail: conversation.Detail{Location: &conversation.Location{Latitude: 44.0594, Longitude: 12.5683, Name: "Ponte di Tiberio"}}},
			conversation.Message{Type: conversation.TypeText, Text: "Questa", ReplyTo: "wamid.buca"},
			conversation.Message{Type: conversation.TypeReaction, Text: "🙏", Detail: conversation.Detail{Reaction: &conversation.Reaction{ExternalID: "wamid.buca", Emoji: "🙏"}}},
			conversation.Message{Type: conversation.TypeText, Text: "Quella di prima", ReplyTo: "wamid.lost"},
		)
		d.clock.advance(time.Minute)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			if _, err := conversation.AddNote(ctx, tx, d.rimini.operator, anna.conversation, "Avvisare le strade", "n1"); err != nil {
				return err
			}
			_, err := conversation.Send(ctx, tx, d.rimini.operator, anna.conversation, conversation.Outgoing{Type: conversation.TypeText, Text: "Grazie", ClientKey: "k1"})
			return err
		})
		a := d.get(anna.path("/messages")).want(http.StatusOK)
		equalLists(t, "texts", a.all("text"), []string{"C’è una buca", "", "Questa", "🙏", "Quella di prima", "Grazie"})
		equalLists(t, "types", a.all("type"), []string{"text", "location", "text", "reaction", "text", "text"})
		equalLists(t, "directions", a.all("direction"), []string{"in", "in", "in", "in", "in", "out"})
		equalLists(t, "statuses", a.all("status"), []string{"received", "received", "received", "received", "received", "queued"})
		first := anna.messages[0]
		equalLists(t, "reply_to", a.all("reply_to"), []string{"<nil>", "<nil>", first, first, "<nil>", "<nil>"})
		for _, want := range []struct {
			path  []any
			value any
		}{
			{[]any{"items", 0, "id"}, first},
			{[]any{"items", 0, "external_id"}, "wamid.buca"},
			{[]any{"items", 0, "author"}, nil},
			{[]any{"items", 0, "error"}, nil},
			{[]any{"items", 0, "location"}, nil},
			{[]any{"items", 0, "at"}, "2015-03-02T09:00:00Z"},
			{[]any{"items", 0, "conversation_id"}, db.FormatID(anna.conversation)},
			{[]any{"items", 1, "location", "latitude"}, 44.0594},
			{[]any{"items", 1, "location", "name"}, "Ponte di Tiberio"},
			{[]any{"items", 1, "location", "address"}, nil},
			{[]any{"items", 5, "external_id"}, nil},
			{[]any{"items", 5, "author", "kind"}, "operator"},
			{[]any{"items", 5, "author", "name"}, "Luca Rossi"},
			{[]any{"next_cursor"}, nil},
		} {
			equal(t, fmt.Sprint(want.path), a.at(want.path...), want.value)
		}
		if media, ok := a.at("items", 0, "media").([]any); !ok || len(media) != 0 {
			t.Errorf("a text has media %v", a.at("items", 0, "media"))
		}
		one := d.get("/messages/" + first).want(http.StatusOK)
		equal(t, "text", one.at("text"), any("C’è una buca"))
	})
}

func TestMessagesAreListedInPages(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "1", "2", "3", "4", "5")
		var got []string
		cursor := ""
		for range 3 {
			a := d.get(anna.path("/messages?limit=2&cursor=" + cursor)).want(http.StatusOK)
			got = append(got, a.all("text")...)
			cursor, _ = a.at("next_cursor").(string)
		}
		equalLists(t, "texts", got, []string{"1", "2", "3", "4", "5"})
		equal(t, "last cursor", cursor, "")
	})
}

func TestNotesAreTheStaffs(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		var note conversation.Message
		d.update(func(ctx context.Context, tx *db.Tx) (err error) {
			note, err = conversation.AddNote(ctx, tx, d.rimini.operator, anna.conversation, "Segreto", "n1")
			return err
		})
		d.get("/messages/"+db.FormatID(note.ID)).problem(http.StatusNotFound, "message_not_found")
	})
}

func TestFailedMessageTellsWhy(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		said := d.post(anna.path("/messages"), `{"text":"Sì"}`).want(http.StatusAccepted).at("id").(string)
		silent := d.post(anna.path("/messages"), `{"text":"No"}`).want(http.StatusAccepted).at("id").(string)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			var changes []conversation.Change
			for id, detail := range map[string]string{said: "Re-engagement message", silent: ""} {
				n, _ := db.ParseID(id)
				changes = append(changes, conversation.Change{Number: d.rimini.number, MessageID: n, ExternalID: "wamid.out." + id, Status: conversation.Failed,
					At: tx.Now(), ErrorCode: 131047, ErrorDetail: detail})
			}
			_, err := conversation.ApplyStatuses(ctx, tx, d.rimini.ID, changes)
			return err
		})
		a := d.get("/messages/" + said).want(http.StatusOK)
		equal(t, "status", a.at("status"), any("failed"))
		equal(t, "external_id", a.at("external_id"), any("wamid.out."+said))
		equal(t, "code", a.at("error", "code"), any(131047.0))
		equal(t, "detail", a.at("error", "detail"), any("Re-engagement message"))
		a = d.get("/messages/"+silent, header{"Accept-Language", "en"}).want(http.StatusOK)
		if detail, _ := a.at("error", "detail").(string); detail == "" {
			t.Error("an error without Meta's words has no detail")
		}
	})
}

// What fails on our side is told in a sentence, and nothing of the inside.
func TestAFailureOfOursTellsNothingOfTheInside(t *testing.T) {
	m := conversation.Message{Direction: conversation.Out, Status: conversation.Failed, ErrorDetail: "upload media 99: no such file"}
	if got := newMessage(m, locale.English).Error.value; got == nil || got.Code != 0 || got.Detail == "" || strings.Contains(got.Detail, "upload") {
		t.Errorf("the failure is %+v", got)
	}
}
