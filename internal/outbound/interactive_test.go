// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// What the desk says by itself goes out with its options: as buttons, or as a list that a button opens. A replay says
// nothing twice.
func TestOptionsGoOut(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.citizen("393331234567")
		choices := []conversation.Choice{{ID: "a", Title: "Emergenze"}, {ID: "b", Title: "Avvisi", Description: "Avvisi del Comune"}}
		answer := func(external string, options *conversation.Interactive) {
			t.Helper()
			o.update(func(ctx context.Context, tx *db.Tx) error {
				c, err := contact.ByAddress(ctx, tx, o.m.ID, "+393331234567")
				if err != nil {
					return err
				}
				to := conversation.Message{ContactID: c.ID, Number: number, ExternalID: external, At: tx.Now()}
				return conversation.Answer(ctx, tx, o.m.ID, []conversation.OwnAnswer{{To: to, Text: "Scegli", Interactive: options}})
			})
		}
		answer("wamid.1", &conversation.Interactive{Choices: choices})
		answer("wamid.1", &conversation.Interactive{Choices: choices})
		answer("wamid.2", &conversation.Interactive{Button: "Liste", Choices: choices})
		var sent []conversation.Message
		o.update(func(ctx context.Context, tx *db.Tx) error {
			thread, err := conversation.LoadThread(ctx, tx, o.m.ID, o.contactID(ctx, tx), number, conversation.Position{}, 10)
			sent = nil
			for _, m := range thread.Messages {
				if m.Direction == conversation.Out {
					sent = append(sent, m)
				}
			}
			return err
		})
		if len(sent) != 2 {
			t.Fatalf("%d messages", len(sent))
		}
		for _, m := range sent {
			o.becomes(m.ID, conversation.Accepted)
		}
		var all struct {
			Items []struct {
				Body struct {
					Interactive struct {
						Type   string
						Body   struct{ Text string }
						Action struct {
							Button   string
							Buttons  []struct{ Reply struct{ ID, Title string } }
							Sections []struct {
								Rows []struct{ ID, Title, Description string }
							}
						}
					}
				}
			}
		}
		o.control(http.MethodGet, "requests?path=/messages&method=POST", nil, &all)
		if len(all.Items) != 2 {
			t.Fatalf("%d requests", len(all.Items))
		}
		buttons, list := all.Items[0].Body.Interactive, all.Items[1].Body.Interactive
		if buttons.Type != "button" || buttons.Body.Text != "Scegli" || len(buttons.Action.Buttons) != 2 || buttons.Action.Buttons[1].Reply.ID != "b" {
			t.Errorf("the buttons are %+v", buttons)
		}
		if list.Type != "list" || list.Action.Button != "Liste" || list.Action.Sections[0].Rows[1].Description != "Avvisi del Comune" {
			t.Errorf("the list is %+v", list)
		}
	})
}

func (o *office) contactID(ctx context.Context, tx *db.Tx) int64 {
	o.t.Helper()
	c, err := contact.ByAddress(ctx, tx, o.m.ID, "+393331234567")
	if err != nil {
		o.t.Fatal(err)
	}
	return c.ID
}
