// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

type object = map[string]any

func list(items ...any) []any { return append([]any{}, items...) }

func interactive(kind string, action object, rest ...object) object {
	in := object{"type": kind, "body": object{"text": "Scelga"}, "action": action}
	for _, r := range rest {
		for k, v := range r {
			in[k] = v
		}
	}
	return object{"type": "interactive", "interactive": in}
}

func button(id, title string) object {
	return object{"type": "reply", "reply": object{"id": id, "title": title}}
}

func rows(n int) []any {
	var all []any
	for i := range n {
		all = append(all, object{"id": string(rune('a' + i)), "title": "Riga"})
	}
	return all
}

func sections(s ...any) object { return object{"button": "Apri", "sections": s} }

func long(n int) string { return strings.Repeat("è", n) }

func TestSendsAreChecked(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.write(maria, object{"text": "Buongiorno"})
	jpeg := s.uploaded("image/jpeg", "foto.jpg", sampleOf(s, "image"))
	pdf := s.uploaded("application/pdf", "modulo.pdf", sampleOf(s, "document"))
	tests := []struct {
		name string
		send object
		code int
		http int
	}{
		{"longest text", text(long(4096)), 0, 200},
		{"text too long", text(long(4097)), 100, 400},
		{"no text", text(""), 131008, 400},
		{"body is a number", object{"type": "text", "text": object{"body": 5}}, 100, 400},
		{"unexpected key", object{"type": "text", "text": object{"body": "x", "colour": "red"}}, 100, 400},
		{"no content", object{"type": "text"}, 131008, 400},
		{"no type and no text", object{"image": object{"link": "https://comune.example/a.jpg"}}, 131008, 400},
		{"unknown type", object{"type": "hologram"}, 100, 400},
		{"no product", object{"messaging_product": "", "type": "text", "text": object{"body": "x"}}, 100, 400},
		{"no recipient", object{"to": "", "type": "text", "text": object{"body": "x"}}, 131008, 400},
		{"recipient is no number", object{"to": "maria", "type": "text", "text": object{"body": "x"}}, 131009, 400},
		{"a group", object{"recipient_type": "group", "type": "text", "text": object{"body": "x"}}, 131009, 400},
		{"ourselves", object{"to": "+39 0541 123456", "type": "text", "text": object{"body": "x"}}, 131021, 400},
		{"unknown user id", object{"recipient": "IT.ABCDEFGHIJKLMNOPQRST", "type": "text", "text": object{"body": "x"}}, 131009, 400},
		{"longest callback data", object{"biz_opaque_callback_data": long(512), "type": "text", "text": object{"body": "x"}}, 0, 200},
		{"callback data too long", object{"biz_opaque_callback_data": long(513), "type": "text", "text": object{"body": "x"}}, 100, 400},
		{"direct send", object{"category": "utility", "type": "text", "text": object{"body": "x"}}, 100, 400},

		{"image", object{"type": "image", "image": object{"id": jpeg, "caption": long(1024)}}, 0, 200},
		{"caption too long", object{"type": "image", "image": object{"id": jpeg, "caption": long(1025)}}, 100, 400},
		{"neither id nor link", object{"type": "image", "image": object{}}, 131008, 400},
		{"both id and link", object{"type": "image", "image": object{"id": jpeg, "link": "https://comune.example/x.jpg"}}, 131009, 400},
		{"link is no address", object{"type": "image", "image": object{"link": "x.jpg"}}, 131009, 400},
		{"unknown id", object{"type": "image", "image": object{"id": "123456789012345"}}, 131009, 400},
		{"PDF as image", object{"type": "image", "image": object{"id": pdf}}, 131053, 400},
		{"document", object{"type": "document", "document": object{"id": pdf, "filename": "modulo.pdf"}}, 0, 200},
		{"filename on an image", object{"type": "image", "image": object{"id": jpeg, "filename": "x.jpg"}}, 100, 400},
		{"caption on a sticker", object{"type": "sticker", "sticker": object{"id": jpeg, "caption": "x"}}, 100, 400},

		{"place", object{"type": "location", "location": object{"latitude": "44.05", "longitude": 12.56, "name": "Municipio"}}, 0, 200},
		{"place at 0, 0", object{"type": "location", "location": object{"latitude": 0, "longitude": 0}}, 0, 200},
		{"beyond the pole", object{"type": "location", "location": object{"latitude": 91, "longitude": 0}}, 131009, 400},
		{"no longitude", object{"type": "location", "location": object{"latitude": 4}}, 131008, 400},
		{"contact", object{"type": "contacts", "contacts": list(object{"name": object{"formatted_name": "URP", "first_name": "URP"}})}, 0, 200},
		{"contact without name", object{"type": "contacts", "contacts": list(object{"phones": list()})}, 131008, 400},
		{"no contacts", object{"type": "contacts", "contacts": list()}, 131009, 400},
		{"reaction without target", object{"type": "reaction", "reaction": object{"emoji": "👍"}}, 131008, 400},
		{"reaction with words", object{"type": "reaction", "reaction": object{"message_id": "wamid.x", "emoji": "bene"}}, 131009, 400},

		{"three buttons", interactive("button", object{"buttons": list(button("a", long(20)), button("b", "B"), button("c", "C"))}), 0, 200},
		{"four buttons", interactive("button", object{"buttons": list(button("a", "A"), button("b", "B"), button("c", "C"), button("d", "D"))}), 131009, 400},
		{"no buttons", interactive("button", object{"buttons": list()}), 131009, 400},
		{"button title too long", interactive("button", object{"buttons": list(button("a", long(21)))}), 100, 400},
		{"button id too long", interactive("button", object{"buttons": list(button(long(257), "A"))}), 100, 400},
		{"same button ids", interactive("button", object{"buttons": list(button("a", "A"), button("a", "B"))}), 131009, 400},
		{"same button titles", interactive("button", object{"buttons": list(button("a", "A"), button("b", "A"))}), 131009, 400},
		{"body too long", interactive("button", object{"buttons": list(button("a", "A"))}, object{"body": object{"text": long(1025)}}), 100, 400},
		{"footer too long", interactive("button", object{"buttons": list(button("a", "A"))}, object{"footer": object{"text": long(61)}}), 100, 400},
		{"header too long", interactive("button", object{"buttons": list(button("a", "A"))}, object{"header": object{"type": "text", "text": long(61)}}), 100, 400},
		{"image header", interactive("button", object{"buttons": list(button("a", "A"))}, object{"header": object{"type": "image", "image": object{"id": jpeg}}}), 0, 200},
		{"list of ten rows", interactive("list", sections(object{"title": "Uno", "rows": rows(6)}, object{"title": "Due", "rows": list(object{"id": "x", "title": "X"}, object{"id": "y", "title": "Y"})}), object{"body": object{"text": long(4096)}}), 0, 200},
		{"list of eleven rows", interactive("list", sections(object{"title": "Uno", "rows": rows(11)})), 131009, 400},
		{"sections without title", interactive("list", sections(object{"rows": rows(1)}, object{"rows": list(object{"id": "z", "title": "Z"})})), 131008, 400},
		{"row title too long", interactive("list", sections(object{"rows": list(object{"id": "a", "title": long(25)})})), 100, 400},
		{"row description too long", interactive("list", sections(object{"rows": list(object{"id": "a", "title": "A", "description": long(73)})})), 100, 400},
		{"image header on a list", interactive("list", sections(object{"rows": rows(1)}), object{"header": object{"type": "image", "image": object{"id": jpeg}}}), 131009, 400},
		{"link button", interactive("cta_url", object{"name": "cta_url", "parameters": object{"display_text": "Apri", "url": "https://comune.example"}}), 0, 200},
		{"link button too long", interactive("cta_url", object{"name": "cta_url", "parameters": object{"display_text": long(21), "url": "https://comune.example"}}), 100, 400},
		{"ask for the place", interactive("location_request_message", object{"name": "send_location"}), 0, 200},
		{"ask for the phone", interactive("contact_request", object{"name": "request_contact_info"}), 0, 200},
		{"unknown interactive", interactive("hologram", object{}), 131009, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.ok("POST", "/simulator/clock", object{"advance": "1m"}) // the pair's pace is another test's matter
			status, answer := s.send(test.send)
			if status != test.http || code(answer) != test.code {
				t.Errorf("answered %d with code %d, want %d with %d: %v", status, code(answer), test.http, test.code, answer)
			}
		})
	}
}

func TestErrorsLookLikeMetas(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	_, answer := s.send(text("Buongiorno"))
	failure := answer["error"].(object)
	if failure["message"] != "(#131047) Re-engagement message" || failure["type"] != "OAuthException" || blank(failure["fbtrace_id"]) {
		t.Errorf("error %v", failure)
	}
	if data := failure["error_data"].(object); data["messaging_product"] != "whatsapp" || blank(data["details"]) {
		t.Errorf("error_data %v", data)
	}
}

func TestTokensAndObjects(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick(), Accounts: []simulator.Account{
		{WABA: "200000000000002", PhoneNumberID: "100000000000002", DisplayNumber: "+39 331 6432314", VerifiedName: "Rimini", Token: "rimini"}}})
	tests := []struct {
		name, token, path string
		code, http        int
	}{
		{"right", "simulator", "/v26.0/" + number, 0, 200},
		{"without version", "simulator", "/" + number, 0, 200},
		{"older version", "simulator", "/v21.0/" + number, 0, 200},
		{"version to come", "simulator", "/v99.0/" + number, 2500, 400},
		{"no token", "", "/v26.0/" + number, 0, 401},
		{"unknown token", "ladro", "/v26.0/" + number, 190, 401},
		{"another's number", "rimini", "/v26.0/" + number, 100, 400},
		{"another's account", "rimini", "/v26.0/" + waba + "/message_templates", 100, 400},
		{"nothing", "simulator", "/v26.0/999999999999999", 100, 400},
		{"unknown edge", "simulator", "/v26.0/" + number + "/holograms", 2500, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req, _ := http.NewRequest(http.MethodGet, s.url+test.path, nil)
			if test.token != "" {
				req.Header.Set("Authorization", "Bearer "+test.token)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var answer object
			if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.http || code(answer) != test.code {
				t.Errorf("answered %d %v, want %d with code %d", resp.StatusCode, answer, test.http, test.code)
			}
			if test.http != 200 && answer["error"] == nil {
				t.Errorf("no error in %v", answer)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	refused := func(when string, content object, want int) {
		t.Helper()
		if _, answer := s.send(content); code(answer) != want {
			t.Errorf("%s: code %d, want %d", when, code(answer), want)
		}
	}
	template := object{"type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}}
	refused("before the citizen has written", text("Buongiorno"), 131047)
	refused("template before the citizen has written", template, 0)
	s.write(maria, object{"text": "Salve"})
	refused("after the citizen has written", text("Buongiorno"), 0)
	s.ok("POST", "/simulator/clock", object{"advance": "23h59m"})
	refused("in the last minute", text("Buongiorno"), 0)
	s.ok("POST", "/simulator/clock", object{"advance": "1m"})
	refused("after 24 hours", text("Buongiorno"), 131047)
	s.write(maria, object{"reaction": object{"message_id": "wamid.x", "emoji": "👍"}})
	refused("after a reaction", text("Buongiorno"), 0)
	s.ok("PUT", "/simulator/faults", object{"window_closed": true})
	refused("with the window closed on purpose", text("Buongiorno"), 131047)
}

func TestWindowClosedIsToldLater(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("PUT", "/simulator/faults", object{"refuse_later": true})
	s.sent(text("Buongiorno"))
	eventually(t, "the failure", func() bool { return len(d.items(t, "statuses")) == 1 })
	st := d.items(t, "statuses")[0]
	failure := st["errors"].([]any)[0].(object)
	if st["status"] != "failed" || failure["code"] != 131047.0 || st["recipient_user_id"] != nil || d.values(t)[0]["contacts"] != nil {
		t.Errorf("status %v", d.values(t)[0])
	}
}

func TestPairPace(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick(), Now: stopped()})
	s.write(maria, object{"text": "Salve"})
	for i := range 45 {
		if status, answer := s.send(text("Sì")); status != 200 {
			t.Fatalf("message %d: %v", i+1, answer)
		}
	}
	if _, answer := s.send(text("Sì")); code(answer) != 131056 {
		t.Fatalf("message 46: %v", answer)
	}
	s.write("+393331112223", object{"text": "Salve"})
	if status, answer := s.send(object{"to": "+393331112223", "type": "text", "text": object{"body": "Sì"}}); status != 200 {
		t.Errorf("somebody else: %v", answer)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "6s"})
	s.sent(text("Sì"))
	if _, answer := s.send(text("Sì")); code(answer) != 131056 {
		t.Errorf("two in six seconds: %v", answer)
	}
}

// stopped is a clock that stands still until it is advanced.
func stopped() func() time.Time {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	return func() time.Time { return now }
}

func TestNumberPace(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick(), Now: stopped()})
	send := func(i int) int {
		_, answer := s.send(object{"to": phoneOf(i), "type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}})
		return code(answer)
	}
	for i := range 30 {
		s.write(phoneOf(i), object{"text": "Salve"})
	}
	for i := range 50 {
		if got := send(i); got != 0 {
			t.Fatalf("send %d with 30 received: code %d", i+1, got)
		}
	}
	if got := send(99); got != 130429 {
		t.Fatalf("81st message of the second: code %d", got)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "1s"})
	if got := send(99); got != 0 {
		t.Errorf("a second later: code %d", got)
	}
	s.ok("PUT", "/simulator/numbers/"+number, object{"throughput": "HIGH"})
	s.ok("POST", "/simulator/clock", object{"advance": "10s"})
	for i := range 200 {
		if got := send(i); got != 0 {
			t.Fatalf("send %d at the high level: code %d", i+1, got)
		}
	}
}

func phoneOf(i int) string {
	return "+3934700" + string([]byte{byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)}) + "00"
}

func TestNumbersAsDialled(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	tests := []struct{ to, waID string }{
		{"+39 347 123-4567", "393471234567"},
		{"+39 (347) 1234567", "393471234567"},
		{"3471234567", "393471234567"},
		{"393471234567", "393471234567"},
		{"+44 20 7946 0958", "442079460958"},
	}
	for _, test := range tests {
		_, answer := s.send(object{"to": test.to, "type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}})
		contacts, _ := answer["contacts"].([]any)
		if len(contacts) != 1 || contacts[0].(object)["wa_id"] != test.waID || contacts[0].(object)["input"] != test.to {
			t.Errorf("to %q: %v", test.to, answer)
		}
	}
}

func TestUserIDs(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	anna := s.ok("POST", "/simulator/citizens", object{"name": "Anna", "username": "anna.rossi", "phone": "+393479998887", "bsuid_only": true})
	id := anna["user_id"].(string)
	s.write(id, object{"text": "Salve"})
	eventually(t, "her message", func() bool { return len(d.items(t, "messages")) == 1 })
	contact := d.values(t)[0]["contacts"].([]any)[0].(object)
	if m := d.items(t, "messages")[0]; m["from"] != nil || m["from_user_id"] != id || contact["wa_id"] != nil || contact["user_id"] != id {
		t.Errorf("message %v of %v", m, contact)
	}
	status, answer := s.send(object{"recipient": id, "type": "text", "text": object{"body": "Buongiorno"}})
	if to := answer["contacts"].([]any)[0].(object); status != 200 || to["user_id"] != id || to["wa_id"] != nil {
		t.Errorf("answer %v", answer)
	}
	eventually(t, "the statuses", func() bool { return len(d.items(t, "statuses")) == 3 })
	if st := d.items(t, "statuses")[1]; st["recipient_id"] != nil || st["recipient_user_id"] != id {
		t.Errorf("status %v", st)
	}
	s.sent(object{"to": "+393479998887", "type": "text", "text": object{"body": "La chiamo?"}})
	s.write(id, object{"text": "Sì"})
	eventually(t, "her second message", func() bool { return len(d.items(t, "messages")) == 2 })
	if m := d.items(t, "messages")[1]; m["from"] != "393479998887" {
		t.Errorf("the phone we have just used stays hidden: %v", m)
	}
}

func TestNumberChange(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	before := s.ok("GET", "/simulator/citizens/"+maria, nil)["user_id"]
	s.write(maria, object{"text": "Salve"})
	after := s.ok("POST", "/simulator/citizens/"+maria+"/change_number", object{"phone": "+393470001112"})["user_id"]
	eventually(t, "the system message", func() bool { return len(d.items(t, "messages")) == 2 })
	m := d.items(t, "messages")[1]
	system, _ := m["system"].(object)
	if m["type"] != "system" || m["from"] != "393471234567" || system["type"] != "user_changed_number" || system["wa_id"] != "393470001112" ||
		system["user_id"] != after || system["previous_user_id"] != before || after == before {
		t.Errorf("system message %v", m)
	}
	if d.values(t)[len(d.values(t))-1]["contacts"] != nil {
		t.Error("a system message has no contacts")
	}
	s.write("+393470001112", object{"text": "Sono ancora io"})
}

func TestTraits(t *testing.T) {
	tests := []struct {
		trait string
		want  []string
	}{
		{"blocked_us", []string{"sent"}},
		{"offline", []string{"sent"}},
		{"receipts_off", []string{"sent", "delivered"}},
		{"reads_by_hand", []string{"sent", "delivered"}},
		{"chat_open", []string{"sent", "read"}},
		{"not_on_whatsapp", []string{"failed"}},
		{"stopped_marketing", []string{"sent", "delivered", "read"}},
	}
	for _, test := range tests {
		t.Run(test.trait, func(t *testing.T) {
			s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
			s.connect(d)
			s.ok("POST", "/simulator/citizens", object{"phone": maria, "name": "Maria", test.trait: true})
			s.write(maria, object{"text": "Salve"})
			s.sent(text("Buongiorno"))
			last := test.want[len(test.want)-1]
			eventually(t, last, func() bool {
				items := d.items(t, "statuses")
				return len(items) > 0 && items[len(items)-1]["status"] == last
			})
			s.ok("POST", "/simulator/clock", object{"advance": "1h"}) // whatever else were to come would be due
			s.write(maria, object{"text": "Fine"})
			eventually(t, "the end", func() bool { return len(d.items(t, "messages")) == 2 })
			var got []string
			for _, st := range d.items(t, "statuses") {
				got = append(got, st["status"].(string))
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("statuses %v, want %v", got, test.want)
			}
		})
	}
}

func TestOfflineAndBack(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("POST", "/simulator/citizens", object{"phone": maria, "offline": true})
	s.write(maria, object{"text": "Salve"})
	id := s.sent(text("Buongiorno"))
	eventually(t, "sent", func() bool { return len(d.items(t, "statuses")) == 1 })
	s.ok("POST", "/simulator/citizens", object{"phone": maria, "offline": false})
	eventually(t, "read", func() bool {
		items := d.items(t, "statuses")
		return len(items) == 3 && items[2]["status"] == "read" && items[2]["id"] == id
	})
}

func TestMarkRead(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	first, second := s.write(maria, object{"text": "Uno"}), s.write(maria, object{"text": "Due"})
	answer := s.ok("POST", "/v26.0/"+number+"/messages", object{"messaging_product": "whatsapp", "status": "read", "message_id": second, "typing_indicator": object{"type": "text"}})
	if answer["success"] != true {
		t.Errorf("answer %v", answer)
	}
	items := s.ok("GET", "/simulator/citizens/"+maria+"/messages", nil)["items"].([]any)
	if len(items) != 2 {
		t.Errorf("the chat is %v", items)
	}
	for _, item := range items {
		if m := item.(object); m["status"] != "read" {
			t.Errorf("message %v (first is %s)", m, first)
		}
	}
	if _, answer := s.call("POST", "/v26.0/"+number+"/messages", object{"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.nothing"}); code(answer) != 100 {
		t.Errorf("unknown message: %v", answer)
	}
}

func TestReactionsFailLater(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	in := s.write(maria, object{"text": "Salve"})
	good := s.sent(object{"type": "reaction", "reaction": object{"message_id": in, "emoji": "👍"}})
	s.sent(object{"type": "reaction", "reaction": object{"message_id": good, "emoji": "👍"}})
	eventually(t, "both outcomes", func() bool { return len(d.items(t, "statuses")) == 2 })
	if got := d.items(t, "statuses"); got[0]["status"] != "sent" || got[0]["pricing"] != nil || got[1]["status"] != "failed" {
		t.Errorf("statuses %v", got)
	}
}

func TestPricesSinceOctober2026(t *testing.T) {
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	s, d := start(t, simulator.Options{Delays: quick(), Now: func() time.Time { return now }}), newDesk(t)
	s.connect(d)
	template := object{"type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}}
	want := []string{}
	price := func(content object, kind, category string) {
		t.Helper()
		want = append(want, kind+" "+category)
		s.write(maria, object{"text": "Salve"})
		id := s.sent(content)
		s.ok("POST", "/simulator/clock", object{"advance": "1m"})
		eventually(t, "the status", func() bool {
			for _, st := range d.items(t, "statuses") {
				if st["id"] == id && st["status"] == "sent" {
					p := st["pricing"].(object)
					if p["type"] != kind || p["category"] != category || p["pricing_model"] != "PMP" {
						t.Errorf("price %v, want %s %s", p, kind, category)
					}
					return true
				}
			}
			return false
		})
	}
	price(text("x"), "free_customer_service", "service")
	price(template, "free_customer_service", "utility")
	s.ok("POST", "/simulator/clock", object{"advance": "24h"})
	price(text("x"), "free_customer_service", "service")
	price(template, "regular", "utility")
}
