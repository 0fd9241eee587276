// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The whole road of a word, by the program itself: the phone is shown the lists, chooses, is told, and leaves.
func TestAWordFromThePhone(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.try("", "apply", in.file("prova.yaml", withLists+"  - {keyword: AVVISI, name: Avvisi, kind: notice}\n")).want(t, 0, "prova: updated")
		in.start()
		const phone = "citizens/+393471234567"
		in.control(http.MethodPost, "citizens", map[string]any{"phone": "+393471234567", "name": "Anna"}, nil)
		type shown struct {
			ID, Direction, Type, Text, Status string
			Content                           json.RawMessage
		}
		write := func(message map[string]any, words ...string) (answer shown) {
			t.Helper()
			message["number"] = in.phoneNumberID
			in.control(http.MethodPost, "clock", map[string]any{"advance": "1s"}, nil) // as no person writes twice within a second
			in.control(http.MethodPost, phone+"/messages", message, nil)
			in.until("the phone shows "+strings.Join(words, " "), func() bool {
				var all struct{ Items []shown }
				in.control(http.MethodGet, phone+"/messages", nil, &all)
				answer = all.Items[len(all.Items)-1]
				if answer.Direction != "out" {
					return false
				}
				for _, w := range words {
					if !strings.Contains(answer.Text, w) {
						return false
					}
				}
				return true
			})
			return answer
		}
		asked := write(map[string]any{"text": "Iscrizione on"}, "Scegli una lista", "Informativa di prova.")
		if asked.Type != "interactive" {
			t.Errorf("the choice is %+v", asked)
		}
		write(map[string]any{"list_reply": map[string]any{"id": "join:AVVISI", "title": "Avvisi"}, "reply_to": asked.ID}, "Iscrizione riuscita", "Avvisi")
		write(map[string]any{"text": "LISTE"}, "Ricevi questi avvisi", "Avvisi", "Emergenze")
		confirm := write(map[string]any{"text": "Iscrizione on #emergenze"}, "Rispondi SÌ")
		yes := regexp.MustCompile(`confirm:yes:[^"]+`).FindString(string(confirm.Content))
		write(map[string]any{"button_reply": map[string]any{"id": yes, "title": "SÌ"}}, "Iscrizione riuscita", "Emergenze")
		write(map[string]any{"text": "Stop"}, "non ricevi più nessun avviso")
		out := in.try("", "consents", "export", "--municipality", "prova").out
		for _, want := range []string{",given,", ",asked,", ",withdrawn,", ",acknowledged,", "Informativa di prova."} {
			if !strings.Contains(out, want) {
				t.Errorf("the register has no %s:\n%s", want, out)
			}
		}
		in.try("", "consents", "verify", "--municipality", "prova").want(t, 0, "are as they were written")
	})
}
