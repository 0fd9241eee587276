// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func TestSending(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		a := d.post(anna.path("/messages"), `{"text":"Alle 8:30 ","reply_to":"`+anna.messages[0]+`"}`).want(http.StatusAccepted)
		id := a.at("id").(string)
		equal(t, "Location", a.header.Get("Location"), "/api/v1/messages/"+id)
		equal(t, "status", a.at("status"), any("queued"))
		equal(t, "text", a.at("text"), any("Alle 8:30"))
		equal(t, "reply_to", a.at("reply_to"), any(anna.messages[0]))
		equal(t, "author kind", a.at("author", "kind"), any("token"))
		equal(t, "author id", a.at("author", "id"), any(db.FormatID(d.rimini.tokenID)))
		equal(t, "author name", a.at("author", "name"), any("gestionale"))
		equal(t, "same message", d.get("/messages/"+id).want(http.StatusOK).raw, a.raw)

		c := d.get(anna.path()).want(http.StatusOK)
		equal(t, "holder", c.at("holder"), nil) // a token is an author, never a holder
		d.update(func(ctx context.Context, tx *db.Tx) error {
			due, err := conversation.Claim(ctx, tx, d.rimini.ID, d.rimini.number, conversation.Emergency, conversation.Broadcast, 10)
			if err == nil && (len(due) != 1 || db.FormatID(due[0].ID) != id) {
				t.Errorf("the outbox holds %v", due)
			}
			return err
		})
	})
}

func TestWhatIsNotSent(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		dario := d.writes(d.rimini, "393477654321", "Altro")
		for _, test := range []struct{ name, body, code string }{
			{"nothing", `{}`, "message_empty"},
			{"an empty text", `{"text":""}`, "message_empty"},
			{"a text of nothing to see", `{"text":" \u200b\n "}`, "message_empty"},
			{"null bytes", `{"text":"\u0000"}`, "message_empty"},
			{"4,097 characters", `{"text":"` + strings.Repeat("è", 4097) + `"}`, "message_too_long"},
			{"text and template", `{"text":"a","template":{"name":"avviso","language":"it"}}`, "message_form"},
			{"text and caption", `{"text":"a","caption":"b"}`, "message_form"},
			{"a template that quotes", `{"template":{"name":"avviso","language":"it"},"reply_to":"1"}`, "message_form"},
			{"quoting what is no id", `{"text":"a","reply_to":"x"}`, "quoted_not_found"},
			{"quoting nothing", `{"text":"a","reply_to":"1"}`, "quoted_not_found"},
			{"quoting another citizen", `{"text":"a","reply_to":"` + dario.messages[0] + `"}`, "quoted_not_found"},
			{"an unknown template", `{"template":{"name":"nessuno","language":"it"}}`, "template_not_found"},
			{"a template with null bytes", `{"template":{"name":"a\u0000","language":"\u0000"}}`, "template_not_found"},
			{"a file that is none", `{"media_id":"x"}`, "media_unknown"},
			{"an unknown file", `{"media_id":"1"}`, "media_unknown"},
			{"an unknown field", `{"text":"a","colour":"red"}`, "invalid"},
			{"an unknown field of a template", `{"template":{"name":"a","language":"it","colour":"red"}}`, "invalid"},
			{"a number as text", `{"text":5}`, "invalid"},
			{"a list", `["a"]`, "invalid"},
			{"a template without a name", `{"template":{"language":"it"}}`, "invalid"},
			{"parameters of numbers", `{"template":{"name":"a","language":"it","parameters":[1]}}`, "invalid"},
			{"parameters of a text", `{"template":{"name":"a","language":"it","parameters":"x"}}`, "invalid"},
		} {
			t.Run(test.name, func(t *testing.T) {
				d := *d
				d.T = t
				d.post(anna.path("/messages"), test.body).problem(http.StatusUnprocessableEntity, test.code)
			})
		}
		d.post(anna.path("/messages"), `{"text":"`+strings.Repeat("è", 4096)+`"}`).want(http.StatusAccepted)
		equal(t, "sent messages", len(d.get(anna.path("/messages")).all("id")), 2)
	})
}

func TestSendingWhereAPersonHolds(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.Take(ctx, tx, d.rimini.operator, anna.conversation)
		})
		a := d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`).problem(http.StatusConflict, "held_by")
		if detail := a.at("detail").(string); !strings.Contains(detail, "Luca Rossi") {
			t.Errorf("%q does not say who holds it", detail)
		}
	})
}

func TestSendingAfterTheWindow(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(
			approved("avviso", "POSITIONAL", `[{"type":"HEADER","format":"TEXT","text":"Avviso {{1}}"},{"type":"BODY","text":"Gentile {{1}}, siamo aperti {{2}}."},{"type":"FOOTER","text":"URP"}]`),
			approved("chiusura", "NAMED", `[{"type":"BODY","text":"Chiusi {{giorno}}."}]`),
			approved("saluto", "POSITIONAL", `[{"type":"BODY","text":"Buongiorno."}]`),
			approved("mappa", "POSITIONAL", `[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"Siamo qui."}]`),
			municipality.Template{WABA: "200000000000001", Template: whatsapp.Template{Name: "sospeso", Language: "it", Status: "PAUSED", Components: json.RawMessage(`[{"type":"BODY","text":"Ciao"}]`)}},
		)
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		d.clock.advance(24 * time.Hour)
		italian := d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`).problem(http.StatusUnprocessableEntity, "window_closed").at("detail")
		english := d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, header{"Accept-Language", "en-GB,it;q=0.5"}).problem(http.StatusUnprocessableEntity, "window_closed").at("detail")
		if italian == english {
			t.Errorf("Accept-Language changes nothing: %v", italian)
		}
		for _, test := range []struct {
			name, template string
			text, code     string
		}{
			{"by position", `{"name":"avviso","language":"it","parameters":["viabilità","Anna","lunedì"]}`, "Avviso viabilità\n\nGentile Anna, siamo aperti lunedì.\n\nURP", ""},
			{"by name", `{"name":"chiusura","language":"it","parameters":{"giorno":" lunedì "}}`, "Chiusi lunedì.", ""},
			{"without variables", `{"name":"saluto","language":"it"}`, "Buongiorno.", ""},
			{"without variables, an empty list", `{"name":"saluto","language":"it","parameters":[]}`, "Buongiorno.", ""},
			{"one too few", `{"name":"avviso","language":"it","parameters":["Anna","lunedì"]}`, "", "template_parameters"},
			{"another name", `{"name":"chiusura","language":"it","parameters":{"data":"lunedì"}}`, "", "template_parameters"},
			{"an empty one", `{"name":"chiusura","language":"it","parameters":{"giorno":" "}}`, "", "template_parameter"},
			{"another language", `{"name":"saluto","language":"en"}`, "", "template_not_found"},
			{"paused", `{"name":"sospeso","language":"it"}`, "", "template_not_approved"},
			{"no place above", `{"name":"mappa","language":"it"}`, "", "template_header_location"},
		} {
			t.Run(test.name, func(t *testing.T) {
				d := *d
				d.T = t
				a := d.post(anna.path("/messages"), `{"template":`+test.template+`}`)
				if test.code != "" {
					a.problem(http.StatusUnprocessableEntity, test.code)
					return
				}
				equal(t, "text", a.want(http.StatusAccepted).at("text"), any(test.text))
				equal(t, "type", a.at("type"), any("template"))
			})
		}
	})
}

// templates are what Meta listed of rimini's account.
func (d *desk) templates(listed ...municipality.Template) {
	d.Helper()
	d.templatesOf(d.rimini, listed...)
}

func (d *desk) templatesOf(t *town, listed ...municipality.Template) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		return municipality.SaveTemplates(ctx, tx, t.ID, t.waba, listed)
	})
}

func approved(name, format, components string) municipality.Template {
	return municipality.Template{WABA: "200000000000001", Template: whatsapp.Template{Name: name, Language: "it", ID: "1" + name, Status: "APPROVED", Category: "UTILITY",
		ParameterFormat: format, Components: json.RawMessage(components)}}
}

func TestRepeatedRequestsSendOnce(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		first := d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k1")).want(http.StatusAccepted)
		d.update(func(ctx context.Context, tx *db.Tx) error { // the message goes on; the answer stays what it was
			_, err := conversation.Claim(ctx, tx, d.rimini.ID, d.rimini.number, conversation.Emergency, conversation.Broadcast, 10)
			return err
		})
		again := d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k1")).want(http.StatusAccepted)
		equal(t, "the second answer", again.raw, first.raw)
		equal(t, "its Location", again.header.Get("Location"), first.header.Get("Location"))
		d.post(anna.path("/messages"), `{"text":"Alle 9"}`, key("k1")).problem(http.StatusUnprocessableEntity, "idempotency")
		d.post(anna.path("/resolve"), `{"text":"Alle 8:30"}`, key("k1")).problem(http.StatusUnprocessableEntity, "invalid")
		d.post(anna.path("/resolve"), "", key("k1")).problem(http.StatusUnprocessableEntity, "idempotency")
		equal(t, "messages", len(d.get(anna.path("/messages")).all("id")), 2)

		d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k2")).want(http.StatusAccepted)
		d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`).want(http.StatusAccepted)
		d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`).want(http.StatusAccepted)
		equal(t, "messages with other keys and without", len(d.get(anna.path("/messages")).all("id")), 5)

		other, _ := d.newToken(d.rimini.ID)
		d.post(anna.path("/messages"), `{"text":"Di un altro"}`, key("k1"), bearer(other)).want(http.StatusAccepted)
		d.post(anna.path("/messages"), `{"text":"a"}`, key(strings.Repeat("k", 256))).problem(http.StatusUnprocessableEntity, "idempotency_key")
		d.post(anna.path("/messages"), `{"text":"a"}`, key(strings.Repeat("k", 255))).want(http.StatusAccepted)
	})
}

// What failed may be tried again with the same key; after a day the key is as good as new.
func TestIdempotencyKeysAreForgotten(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.Take(ctx, tx, d.rimini.operator, anna.conversation)
		})
		d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k1")).problem(http.StatusConflict, "held_by")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.Release(ctx, tx, d.rimini.operator, anna.conversation)
		})
		d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k1")).want(http.StatusAccepted)

		d.clock.advance(25 * time.Hour)
		d.writes(d.rimini, "393471234567", "Grazie")
		d.post(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k1")).want(http.StatusAccepted)
		equalLists(t, "texts", d.get(anna.path("/messages")).all("text"), []string{"A che ora aprite?", "Alle 8:30", "Grazie", "Alle 8:30"})
	})
}

// Twins at the same instant: one of them does it, both get its answer.
func TestTwinsSendOnce(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "A che ora aprite?")
		const twins = 8
		ids := make(chan string, twins)
		for range twins {
			go func() {
				status, id := d.quietly(anna.path("/messages"), `{"text":"Alle 8:30"}`, key("k1"))
				ids <- fmt.Sprint(status, " ", id)
			}()
		}
		seen := map[string]int{}
		for range twins {
			seen[<-ids]++
		}
		if len(seen) != 1 || !strings.HasPrefix(fmt.Sprint(seen), "map[202 ") {
			t.Errorf("the twins were answered %v", seen)
		}
		equal(t, "messages", len(d.get(anna.path("/messages")).all("id")), 2)
	})
}

// quietly posts from a goroutine, which may not end the test.
func (d *desk) quietly(path, body string, h header) (status int, id string) {
	r, err := http.NewRequest(http.MethodPost, d.server.URL+Prefix+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Authorization", "Bearer "+d.rimini.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(h.name, h.value)
	w, err := d.server.Client().Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = w.Body.Close() }()
	var m struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(w.Body).Decode(&m); err != nil {
		return w.StatusCode, err.Error()
	}
	return w.StatusCode, m.ID
}
