// SPDX-License-Identifier: AGPL-3.0-or-later

package dialogue_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// echo handles what begins with its word, and answers with it and the rest.
type echo struct {
	word    string
	keyword bool
	heard   []string
}

func (e *echo) Recognise(_ context.Context, _ *db.Tx, _ *municipality.Municipality, messages []conversation.Message) ([]bool, error) {
	out := make([]bool, len(messages))
	for i, m := range messages {
		out[i] = strings.HasPrefix(m.Text, e.word)
	}
	return out, nil
}

func (e *echo) Handle(_ context.Context, _ *db.Tx, _ *municipality.Municipality, messages []conversation.Message) ([]dialogue.Answer, error) {
	var out []dialogue.Answer
	for _, m := range messages {
		e.heard = append(e.heard, m.Text)
		out = append(out, dialogue.Answer{Keyword: e.keyword, OwnAnswer: conversation.OwnAnswer{To: m, Text: e.word + "!"}})
	}
	return out, nil
}

// A message goes to the first service that recognises it and only once it is stored; of one citizen's answers the last
// goes out; and under no automation only those to a keyword.
func TestATurn(t *testing.T) {
	for _, c := range []struct {
		automation municipality.Automation
		want       []string
	}{
		{municipality.AutomationFull, []string{"1 B!", "2 A!"}},
		{municipality.AutomationNone, []string{"1 A!", "2 A!"}},
	} {
		d := dbtest.SQLite(t)
		m := &municipality.Municipality{ID: 5, File: &municipality.File{Automation: c.automation},
			Numbers: []municipality.Number{{PhoneNumberID: "1001"}}}
		a, b := &echo{word: "A", keyword: true}, &echo{word: "B"}
		talk := dialogue.New(a, b, &echo{word: "A"})
		said := []string{"A1", "A2", "Ciao", "B", "A di un altro numero", "già nota"}
		if err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			a.heard, b.heard = nil, nil
			messages := make([]conversation.Message, len(said))
			receipts := make([]conversation.Receipt, len(said))
			for i, text := range said {
				messages[i] = conversation.Message{ID: tx.NewID(), ContactID: 1, Number: "1001", Text: text, ExternalID: text, At: tx.Now()}
				receipts[i].Stored = true
			}
			messages[1].ContactID = 2
			messages[4].ContactID, messages[4].Number = 3, "1002"
			messages[5].Text, receipts[5].Stored = "A", false
			turn, err := talk.Listen(ctx, tx, m, messages)
			if err != nil {
				return err
			}
			for i, lane := range []conversation.Lane{conversation.Automatic, conversation.Automatic, 0, conversation.Automatic, conversation.Automatic, conversation.Automatic} {
				if messages[i].Lane != lane {
					t.Errorf("%q is in lane %v", said[i], messages[i].Lane)
				}
			}
			return turn.Answer(ctx, tx, receipts)
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.heard, []string{"A1", "A2", "A di un altro numero"}) || !slices.Equal(b.heard, []string{"B"}) {
			t.Errorf("the services heard %q and %q", a.heard, b.heard)
		}
		var got []string
		if err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return tx.Query(ctx, `SELECT contact_id, text FROM message WHERE municipality_id = 5 AND direction = 'out' AND lane = 2 ORDER BY contact_id`, [][]any{{}},
				func(_ int, row db.Scanner) error {
					var id int64
					var text string
					err := row.Scan(&id, &text)
					got = append(got, db.FormatID(id)+" "+text)
					return err
				})
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q go out, want %q", c.automation, got, c.want)
		}
	}
}
