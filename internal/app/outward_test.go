// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// graph asks the simulated Graph API for something, past the desk.
func (in *installation) graph(path, body string) gjson.Result {
	in.t.Helper()
	req, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, in.simulator.URL+"/v26.0/"+path, strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer simulator")
	var out bytes.Buffer
	if status := in.do(req, &out); status != http.StatusOK {
		in.t.Fatalf("%s answered %d: %s", path, status, out.String())
	}
	return gjson.ParseBytes(out.Bytes())
}

// approved is a template that Meta has approved and the desk knows.
func (in *installation) approved(name, format, components string) {
	in.t.Helper()
	in.graph(in.waba+"/message_templates", fmt.Sprintf(`{"name":%q,"language":"it","category":"UTILITY","parameter_format":%q,"components":%s}`, name, format, components))
	in.control(http.MethodPut, "templates", map[string]any{"name": name, "language": "it", "status": "APPROVED", "category": "UTILITY"}, nil)
}

// knows waits until the desk has so many approved templates.
func (in *installation) knows(n int) {
	in.t.Helper()
	d := in.open()
	in.until("the templates are known", func() bool { return in.count(d, `SELECT count(*) FROM template WHERE status = 'APPROVED'`) >= n })
}

// writer is a citizen who has written, and the conversation that is open with them.
type writer struct {
	*installation
	address      string // as the simulator's control knows them
	conversation string
}

func (in *installation) writes(citizen map[string]any, message map[string]any) *writer {
	in.t.Helper()
	var made struct{ Phone, Code string }
	in.control(http.MethodPost, "citizens", citizen, &made)
	w := &writer{installation: in, address: fmt.Sprint(citizen["phone"])}
	if citizen["phone"] == nil {
		w.address = "@" + fmt.Sprint(citizen["username"])
	}
	w.says(message)
	in.until("the conversation is there", func() bool {
		_, body := in.call(in.t.Context(), http.MethodGet, "/api/v1/conversations?limit=1", nil, "")
		c := gjson.GetBytes(body, "items.0")
		w.conversation = c.Get("id").Str
		return strings.HasPrefix(c.Get("contact.name").Str, fmt.Sprint(citizen["name"]))
	})
	return w
}

func (w *writer) says(message map[string]any) {
	w.t.Helper()
	message["number"] = w.phoneNumberID
	w.control(http.MethodPost, "citizens/"+url.PathEscape(w.address)+"/messages", message, nil)
}

// send sends by the API and wants it taken.
func (w *writer) send(body string) gjson.Result {
	w.t.Helper()
	status, answer := w.call(w.t.Context(), http.MethodPost, "/api/v1/conversations/"+w.conversation+"/messages", json.RawMessage(body), "")
	if status != http.StatusAccepted {
		w.t.Fatalf("%s was answered %d: %s", body, status, answer)
	}
	return gjson.ParseBytes(answer)
}

// refused sends by the API and wants it refused with a sentence.
func (w *writer) refused(body, code string) {
	w.t.Helper()
	status, answer := w.call(w.t.Context(), http.MethodPost, "/api/v1/conversations/"+w.conversation+"/messages", json.RawMessage(body), "")
	if got := gjson.GetBytes(answer, "code").Str; status != http.StatusUnprocessableEntity || got != code {
		w.t.Errorf("%.200s was answered %d %s, want %s: %s", body, status, got, code, answer)
	}
}

// accepted waits until Meta took the message, and returns the request that brought it there.
func (w *writer) accepted(id string) gjson.Result {
	w.t.Helper()
	w.becomes(id, "accepted", "sent", "delivered", "read")
	return w.request(id)
}

func (w *writer) becomes(id string, states ...string) (m gjson.Result) {
	w.t.Helper()
	w.until("message "+id+" is "+states[0], func() bool {
		_, body := w.call(w.t.Context(), http.MethodGet, "/api/v1/messages/"+id, nil, "")
		m = gjson.ParseBytes(body)
		for _, s := range states {
			if m.Get("status").Str == s {
				return true
			}
		}
		if m.Get("status").Str == "failed" {
			w.t.Fatalf("message %s failed: %s", id, m.Get("error").Raw)
		}
		return false
	})
	return m
}

// request is what was sent to Meta with our id.
func (w *writer) request(id string) gjson.Result {
	w.t.Helper()
	var all json.RawMessage
	w.control(http.MethodGet, "requests?path=/messages&method=POST&limit=1000", nil, &all)
	for _, r := range gjson.GetBytes(all, "items").Array() {
		if r.Get("body.biz_opaque_callback_data").Str == id {
			return r.Get("body")
		}
	}
	w.t.Fatalf("no request has %s", id)
	return gjson.Result{}
}

// last is the newest message that came in. WhatsApp's seconds put it before what we sent in the same one.
func (w *writer) last() gjson.Result { return w.newest("in") }

func (w *writer) newest(direction string) (m gjson.Result) {
	w.t.Helper()
	_, body := w.call(w.t.Context(), http.MethodGet, "/api/v1/conversations/"+w.conversation+"/messages?limit=100", nil, "")
	for _, item := range gjson.GetBytes(body, "items").Array() {
		if item.Get("direction").Str == direction {
			m = item
		}
	}
	return m
}

// want holds parts of a request against what they must be.
func want(t *testing.T, request gjson.Result, parts map[string]string) {
	t.Helper()
	for path, value := range parts {
		if got := request.Get(path).String(); got != value {
			t.Errorf("%s is %q, want %q in %s", path, got, value, request.Raw)
		}
	}
}

// Everything that can be tapped goes out by the API, is taken by Meta, and what is tapped comes back with its quote.
func TestWhatCitizensTap(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.start()
		w := in.writes(map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, map[string]any{"text": "Buongiorno"})
		buttons := w.send(`{"interactive":{"header":"Anagrafe","text":"Vuole un appuntamento?","footer":"Comune di Prova","buttons":[{"id":"si","title":"Sì"},{"id":"no","title":"No"}]}}`)
		want(t, buttons.Get("content.interactive"), map[string]string{"kind": "buttons", "header": "Anagrafe", "choices.1.title": "No"})
		want(t, w.accepted(buttons.Get("id").Str), map[string]string{"to": citizenPhone, "type": "interactive", "interactive.type": "button", "interactive.header.text": "Anagrafe",
			"interactive.footer.text": "Comune di Prova", "interactive.action.buttons.0.reply.id": "si", "interactive.action.buttons.1.reply.title": "No"})
		w.says(map[string]any{"button_reply": map[string]any{"id": "si", "title": "Sì"}})
		w.until("the tap is there", func() bool { return w.last().Get("content.choice.id").Str == "si" })
		if got := w.last().Get("reply_to").Str; got != buttons.Get("id").Str {
			t.Errorf("the tap answers %q", got)
		}

		rows := make([]map[string]string, 10)
		for i := range rows {
			rows[i] = map[string]string{"id": fmt.Sprint("s", i), "title": fmt.Sprint("Sportello ", i), "description": "Piano terra"}
		}
		raw, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		list := w.send(`{"interactive":{"text":"Quale sportello?","list":{"button":"Scegli","rows":` + string(raw) + `}}}`)
		want(t, w.accepted(list.Get("id").Str), map[string]string{"interactive.type": "list", "interactive.action.button": "Scegli",
			"interactive.action.sections.0.rows.#": "10", "interactive.action.sections.0.rows.9.description": "Piano terra"})
		if list.Get("content.interactive.choices.0.section").Type != gjson.Null {
			t.Errorf("a row without a section is under %q", list.Get("content.interactive.choices.0.section").Str)
		}
		parted := w.send(`{"interactive":{"text":"Quale sportello?","list":{"button":"Scegli","rows":[{"id":"a","title":"Anagrafe","section":"Piano terra"},{"id":"b","title":"Tributi","section":"Piano terra"},{"id":"c","title":"Scuola","section":"Primo piano"}]}}}`)
		want(t, parted.Get("content.interactive"), map[string]string{"choices.1.section": "Piano terra", "choices.2.section": "Primo piano"})
		want(t, w.accepted(parted.Get("id").Str), map[string]string{"interactive.action.sections.#": "2", "interactive.action.sections.0.title": "Piano terra",
			"interactive.action.sections.0.rows.1.title": "Tributi", "interactive.action.sections.1.title": "Primo piano", "interactive.action.sections.1.rows.#": "1"})
		link := w.send(`{"interactive":{"header":"Modulo","text":"Lo compili qui","link":{"label":"Apri","url":"https://comune.example/modulo"}}}`)
		want(t, w.accepted(link.Get("id").Str), map[string]string{"interactive.type": "cta_url", "interactive.header.text": "Modulo",
			"interactive.action.parameters.url": "https://comune.example/modulo"})
		place := w.send(`{"location_request":{"text":"Dove si trova la buca?"}}`)
		want(t, w.accepted(place.Get("id").Str), map[string]string{"interactive.type": "location_request_message", "interactive.action.name": "send_location"})
		w.says(map[string]any{"location": map[string]any{"latitude": 44.06, "longitude": 12.56}, "reply_to": w.becomes(place.Get("id").Str, "read", "delivered", "sent").Get("external_id").Str})
		w.until("the place is there", func() bool { return w.last().Get("location.latitude").Float() == 44.06 })
		if got := w.last().Get("reply_to").Str; got != place.Get("id").Str {
			t.Errorf("the place answers %q", got)
		}
		card := w.send(`{"contacts":[{"name":{"formatted_name":"Ufficio Anagrafe","first_name":"Anagrafe"},"phones":[{"phone":"+39 0541 704704","type":"WORK"}],"emails":[{"email":"anagrafe@comune.example"}],"org":{"company":"Comune di Prova"}}]}`)
		want(t, w.accepted(card.Get("id").Str), map[string]string{"type": "contacts", "contacts.0.name.formatted_name": "Ufficio Anagrafe", "contacts.0.phones.0.phone": "+39 0541 704704"})
		want(t, card, map[string]string{"type": "contacts", "content.contacts.0.org.company": "Comune di Prova"})

		w.says(map[string]any{"sticker": "sample"})
		w.until("the sticker is there", func() bool { return w.last().Get("media.0.state").Str == "ready" })
		sticker := w.send(`{"media_id":"` + w.last().Get("media.0.id").Str + `"}`)
		if r := w.accepted(sticker.Get("id").Str); r.Get("type").Str != "sticker" || r.Get("sticker.id").Str == "" {
			t.Errorf("the sticker went as %s", r.Raw)
		}
		w.says(map[string]any{"image": "sample"})
		w.until("the photo is there", func() bool {
			return w.last().Get("type").Str == "image" && w.last().Get("media.0.state").Str == "ready"
		})
		above := w.send(`{"interactive":{"text":"È questa?","media_id":"` + w.last().Get("media.0.id").Str + `","buttons":[{"id":"si","title":"Sì"}]}}`)
		if r := w.accepted(above.Get("id").Str); r.Get("interactive.header.type").Str != "image" || r.Get("interactive.header.image.id").Str == "" {
			t.Errorf("the photo went as %s", r.Raw)
		}
	})
}

// What breaks a limit of Meta's, or names what is not the municipality's own, is refused with a sentence and queues nothing.
func TestWhatCitizensCantBeShown(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.approved("con_foto", "POSITIONAL", `[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}},{"type":"BODY","text":"Ecco la mappa della zona."},{"type":"BUTTONS","buttons":[{"type":"URL","text":"Apri","url":"https://comune.example"},{"type":"QUICK_REPLY","text":"Grazie"}]}]`)
		in.start()
		in.knows(3)
		w := in.writes(map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, map[string]any{"image": "sample"})
		w.until("the photo is there", func() bool { return w.last().Get("media.0.state").Str == "ready" })
		photo := w.last().Get("media.0.id").Str
		long := func(n int) string { return strings.Repeat("à", n) }
		buttons := func(titles ...string) string {
			var all []map[string]string
			for i, title := range titles {
				all = append(all, map[string]string{"id": fmt.Sprint(i), "title": title})
			}
			raw, _ := json.Marshal(all)
			return string(raw)
		}
		for body, code := range map[string]string{
			`{"interactive":{"text":"Quale?","buttons":` + buttons("1", "2", "3", "4") + `}}`:                                                        "interactive_buttons",
			`{"interactive":{"text":"Quale?","buttons":` + buttons("Sì", "Sì") + `}}`:                                                                "interactive_buttons",
			`{"interactive":{"text":"Quale?","buttons":` + buttons(long(21)) + `}}`:                                                                  "interactive_buttons",
			`{"interactive":{"text":"Quale?","buttons":[{"id":"a","title":"Sì"},{"id":"a","title":"No"}]}}`:                                          "interactive_ids",
			`{"interactive":{"text":"` + long(1025) + `","buttons":` + buttons("Sì") + `}}`:                                                          "interactive_text",
			`{"interactive":{"text":" ","buttons":` + buttons("Sì") + `}}`:                                                                           "interactive_text",
			`{"interactive":{"text":"Quale?","header":"` + long(61) + `","buttons":` + buttons("Sì") + `}}`:                                          "interactive_around",
			`{"interactive":{"text":"Quale?","footer":"` + long(61) + `","buttons":` + buttons("Sì") + `}}`:                                          "interactive_around",
			`{"interactive":{"text":"Quale?"}}`:                                                                                                      "interactive_form",
			`{"interactive":{"text":"Quale?","buttons":` + buttons("Sì") + `,"link":{"label":"Apri","url":"https://a.example"}}}`:                    "interactive_form",
			`{"interactive":{"text":"Quale?","list":{"button":"Scegli","rows":[]}}}`:                                                                 "interactive_list",
			`{"interactive":{"text":"Quale?","list":{"button":"Scegli","rows":` + buttons(strings.Split("abcdefghijk", "")...) + `}}}`:               "interactive_list",
			`{"interactive":{"text":"Quale?","list":{"button":"Scegli","rows":[{"id":"a","title":"A","section":"Uffici"},{"id":"b","title":"B"}]}}}`: "interactive_sections",
			`{"interactive":{"text":"Quale?","list":{"button":"Scegli","rows":[{"id":"a","title":"A","section":"` + long(25) + `"}]}}}`:              "interactive_sections",
			`{"interactive":{"text":"Quale?","list":{"button":"` + long(21) + `","rows":` + buttons("a") + `}}}`:                                     "interactive_list_button",
			`{"interactive":{"text":"Apra","link":{"label":"Apri","url":"javascript:alert(1)"}}}`:                                                    "interactive_link",
			`{"interactive":{"text":"Apra","link":{"label":"","url":"https://a.example"}}}`:                                                          "interactive_link",
			`{"interactive":{"text":"Quale?","header":"Titolo","media_id":"` + photo + `","buttons":` + buttons("Sì") + `}}`:                         "interactive_shape",
			`{"interactive":{"text":"Quale?","media_id":"99","buttons":` + buttons("Sì") + `}}`:                                                      "media_unknown",
			`{"location_request":{"text":""}}`:                                  "interactive_text",
			`{"text":"Ciao","contact_request":{"text":"Ci lascia il numero?"}}`: "message_form",
			`{"contacts":[]}`: "contact_cards",
			`{"contacts":[{"name":{"formatted_name":"Ufficio"}}]}`:                                                                  "contact_cards",
			`{"template":{"name":"con_foto","language":"it"}}`:                                                                      "template_header_image",
			`{"template":{"name":"con_foto","language":"it","header":{"media_id":"99"}}}`:                                           "media_unknown",
			`{"template":{"name":"con_foto","language":"it","header":{"location":{"latitude":1,"longitude":2}}}}`:                   "template_header_image",
			`{"template":{"name":"con_foto","language":"it","header":{"media_id":"` + photo + `"},"payloads":{"0":"apri"}}}`:        "template_payload",
			`{"template":{"name":"con_foto","language":"it","header":{"media_id":"` + photo + `"},"payloads":{"x":"apri"}}}`:        "template_payload",
			`{"template":{"name":"avviso","language":"it","parameters":["prova"],"header":{"media_id":"` + photo + `"}}}`:           "template_header_none",
			`{"template":{"name":"con_foto","language":"it","header":{"media_id":"` + photo + `"},"parameters":["una di troppo"]}}`: "template_parameters",
		} {
			w.refused(body, code)
		}
		if n := in.count(in.open(), `SELECT count(*) FROM message WHERE direction = 'out'`); n != 0 {
			t.Errorf("%d messages were queued all the same", n)
		}
		w.accepted(w.send(`{"template":{"name":"con_foto","language":"it","header":{"media_id":"` + photo + `"},"payloads":{"1":"grazie:42"}}}`).Get("id").Str)
	})
}

// Templates go out with all that a template can ask for.
func TestTemplatesWithAllTheirParts(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		const more = `,{"type":"BODY","text":"Il luogo {{zona}} resta chiuso fino alle {{ora}} per lavori.","example":{"body_text_named_params":[{"param_name":"zona","example":"Via Po"},{"param_name":"ora","example":"18:00"}]}},
			{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Ho capito"},{"type":"URL","text":"Dettagli","url":"https://comune.example/a/{{1}}","example":["42"]}]}]`
		in.approved("chiusura_foto", "NAMED", `[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}}`+more)
		in.approved("chiusura_luogo", "NAMED", `[{"type":"HEADER","format":"LOCATION"}`+more)
		in.approved("chiusura_titolo", "POSITIONAL", `[{"type":"HEADER","format":"TEXT","text":"Avviso {{1}}","example":{"header_text":["12"]}},
			{"type":"BODY","text":"Chiusura di {{1}} fino alle {{2}} per lavori.","example":{"body_text":[["Via Po","18:00"]]}}]`)
		in.start()
		in.knows(5)
		w := in.writes(map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, map[string]any{"image": "sample"})
		w.until("the photo is there", func() bool { return w.last().Get("media.0.state").Str == "ready" })
		named := `"parameters":{"zona":"Via Po","ora":"18:00","button1":"avviso-42"}`
		photo := w.send(`{"template":{"name":"chiusura_foto","language":"it",` + named + `,"payloads":{"0":"capito:42"},"header":{"media_id":"` + w.last().Get("media.0.id").Str + `"}}}`)
		r := w.accepted(photo.Get("id").Str).Get("template.components")
		want(t, r, map[string]string{"0.type": "header", "0.parameters.0.type": "image", "1.parameters.0.parameter_name": "zona", "1.parameters.1.text": "18:00",
			"2.sub_type": "quick_reply", "2.parameters.0.payload": "capito:42", "3.sub_type": "url", "3.index": "1", "3.parameters.0.text": "avviso-42"})
		if r.Get("0.parameters.0.image.id").Str == "" {
			t.Errorf("no photo in %s", r.Raw)
		}
		if photo.Get("media.0.mime").Str != "image/jpeg" {
			t.Errorf("the message does not show its photo: %s", photo.Raw)
		}
		w.says(map[string]any{"button": map[string]any{"payload": "capito:42", "text": "Ho capito"}})
		w.until("the tap is there", func() bool { return w.last().Get("content.choice.id").Str == "capito:42" })
		place := w.send(`{"template":{"name":"chiusura_luogo","language":"it",` + named + `,"header":{"location":{"latitude":44.06,"longitude":12.56,"name":"Ponte"}}}}`)
		want(t, w.accepted(place.Get("id").Str).Get("template.components"), map[string]string{"0.parameters.0.type": "location", "0.parameters.0.location.latitude": "44.06", "0.parameters.0.location.name": "Ponte"})
		title := w.send(`{"template":{"name":"chiusura_titolo","language":"it","parameters":["7","Via Po","18:00"]}}`)
		want(t, w.accepted(title.Get("id").Str).Get("template.components"), map[string]string{"0.parameters.0.text": "7", "1.parameters.0.text": "Via Po", "1.parameters.1.text": "18:00"})
	})
}

// A citizen of whom Meta tells a user id only is written to by it, whatever is sent, and what Meta can't send so is told
// in plain words. A number given because we asked is theirs; somebody else's card is not.
func TestACitizenWithoutAPhone(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.start()
		w := in.writes(map[string]any{"username": "anna.rossi", "name": "Anna Rossi", "bsuid_only": true}, map[string]any{"image": "sample"})
		w.until("the photo is there", func() bool { return w.last().Get("media.0.state").Str == "ready" })
		in.knows(2)
		photo := w.last().Get("media.0.id").Str
		for _, body := range []string{
			`{"text":"Buongiorno"}`,
			`{"template":{"name":"avviso","language":"it","parameters":["prova"]}}`,
			`{"interactive":{"text":"Vuole?","buttons":[{"id":"si","title":"Sì"}]}}`,
			`{"media_id":"` + photo + `"}`,
		} {
			r := w.accepted(w.send(body).Get("id").Str)
			if !strings.HasPrefix(r.Get("recipient").Str, "IT.") || r.Get("to").Exists() {
				t.Errorf("%s is addressed by %s", body, r.Raw)
			}
		}
		contact := func() gjson.Result {
			_, body := in.call(t.Context(), http.MethodGet, "/api/v1/conversations?limit=1", nil, "")
			return gjson.GetBytes(body, "items.0.contact")
		}
		w.says(map[string]any{"contacts": []any{map[string]any{"origin": "other", "name": map[string]any{"formatted_name": "Idraulico"}, "phones": []any{map[string]any{"phone": "+393330000009", "wa_id": "393330000009"}}}}})
		w.until("the card is there", func() bool { return w.last().Get("type").Str == "contacts" })
		if c := contact(); c.Get("phone").Str != "" {
			t.Errorf("somebody else's card made them %s", c.Raw)
		}
		in.control(http.MethodPut, "faults", map[string]any{"refuse": []any{map[string]any{"code": 131062, "times": 1}}}, nil)
		refused := w.send(`{"text":"Il codice è 123456"}`).Get("id").Str
		var failed gjson.Result
		w.until("what needs a phone has failed", func() bool {
			_, body := in.call(t.Context(), http.MethodGet, "/api/v1/messages/"+refused, nil, "")
			failed = gjson.ParseBytes(body)
			return failed.Get("status").Str == "failed"
		})
		if e := failed.Get("error"); e.Get("code").Int() != 131062 {
			t.Errorf("131062 is told to programs as %s", e.Raw)
		}
		note := url.Values{"mode": {"note"}, "draft": {"n1"}, "text": {"Ha bisogno del codice"}}
		if _, thread := in.deskClient("operator")("/conversations/"+w.conversation+"/messages", "application/x-www-form-urlencoded", []byte(note.Encode())); !strings.Contains(thread, "Questo messaggio non si può inviare a chi non mostra il numero.") {
			t.Errorf("131062 is not told at the desk: %.3000s", thread)
		}
		asked := w.send(`{"contact_request":{"text":"Ci lascia il numero?"}}`)
		want(t, w.accepted(asked.Get("id").Str), map[string]string{"interactive.type": "contact_request", "interactive.action.name": "request_contact_info"})
		w.says(map[string]any{"contacts": []any{map[string]any{"origin": "contact_request", "name": map[string]any{"formatted_name": "Anna Rossi"}, "phones": []any{map[string]any{"phone": "+393330000008", "wa_id": "393330000008"}}}}})
		w.until("the number is theirs", func() bool { return contact().Get("phone").Str == "+393330000008" })
		if c := contact(); !strings.HasPrefix(c.Get("user_id").Str, "IT.") {
			t.Errorf("the number made another of them: %s", c.Raw)
		}
	})
}

// deskClient is somebody signed in at the desk without a browser.
func (in *installation) deskClient(role string) func(path, contentType string, body []byte) (int, string) {
	in.t.Helper()
	const password = "una frase lunga da ricordare"
	email := role + "@prova.example"
	in.commandWith(password+"\n", "staff", "add", "--municipality", in.slug, "--email", email, "--name", "Luca Neri", "--role", role)
	jar, err := cookiejar.New(nil)
	if err != nil {
		in.t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	post := func(path, contentType string, body []byte) (int, string) {
		req, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, in.url+"/desk/"+in.slug+path, bytes.NewReader(body))
		if err != nil {
			in.t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("HX-Request", "true")
		res, err := client.Do(req)
		if err != nil {
			in.t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var text bytes.Buffer
		_, _ = text.ReadFrom(res.Body)
		return res.StatusCode, text.String()
	}
	post("/sign-in", "application/x-www-form-urlencoded", []byte(url.Values{"email": {email}, "password": {password}}.Encode()))
	return post
}

// multipartForm is a form with a file.
func multipartForm(t *testing.T, fields map[string]string, field, name string, content []byte) (string, []byte) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile(field, name)
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), body.Bytes()
}

func mapPhoto(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 60, 40)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sticker is a WebP of one clear pixel.
var sticker = []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")

// What the desk's forms send is taken by Meta, once however often the form is sent.
func TestTheDeskSendsMore(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.try("", "apply", in.file("prova.yaml", strings.Replace(testFile, "{id: urp, name: URP}", `{id: urp, name: URP, address: "Piazza Cavour 27", phones: ["0541 704704"], email: urp@prova.example}`, 1))).want(t, 0)
		in.approved("con_foto", "POSITIONAL", `[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}},{"type":"BODY","text":"Ecco la mappa della zona."}]`)
		in.start()
		in.knows(3)
		w := in.writes(map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, map[string]any{"text": "Buongiorno"})
		post := in.deskClient("operator")
		path := "/conversations/" + w.conversation + "/messages"
		const plain = "application/x-www-form-urlencoded"
		sends := func(contentType string, body []byte, kind string) gjson.Result {
			t.Helper()
			for range 2 {
				if status, text := post(path, contentType, body); status != http.StatusOK {
					t.Fatalf("%s was answered %d: %.500s", kind, status, text)
				}
			}
			m := w.newest("out")
			if m.Get("type").Str != kind {
				t.Fatalf("the last message is %s, want %s", m.Raw, kind)
			}
			return w.accepted(m.Get("id").Str)
		}
		form := func(v url.Values) []byte { return []byte(v.Encode()) }
		r := sends(plain, form(url.Values{"mode": {"offer"}, "kind": {"buttons"}, "draft": {"d1"}, "text": {"Vuole?"}, "choice": {"Sì", "", "No"}}), "interactive")
		want(t, r, map[string]string{"interactive.action.buttons.#": "2", "interactive.action.buttons.1.reply.title": "No"})
		r = sends(plain, form(url.Values{"mode": {"offer"}, "kind": {"list"}, "draft": {"d2"}, "text": {"Quale?"}, "button": {"Scegli"}, "choice": {"Anagrafe", "Tributi"}, "description": {"Piano terra", ""}, "header": {"Sportelli"}}), "interactive")
		want(t, r, map[string]string{"interactive.type": "list", "interactive.header.text": "Sportelli", "interactive.action.sections.0.rows.0.description": "Piano terra"})
		sends(plain, form(url.Values{"mode": {"offer"}, "kind": {"link"}, "draft": {"d3"}, "text": {"Apra"}, "button": {"Apri"}, "url": {"https://comune.example"}}), "interactive")
		sends(plain, form(url.Values{"mode": {"offer"}, "kind": {"location"}, "draft": {"d4"}, "text": {"Dove?"}}), "interactive")
		sends(plain, form(url.Values{"mode": {"offer"}, "kind": {"phone"}, "draft": {"d5"}, "text": {"Il numero?"}}), "interactive")
		r = sends(plain, form(url.Values{"mode": {"card"}, "draft": {"d6"}, "office": {"urp"}}), "contacts")
		want(t, r, map[string]string{"contacts.0.phones.0.phone": "+390541704704", "contacts.0.emails.0.email": "urp@prova.example", "contacts.0.addresses.0.street": "Piazza Cavour 27", "contacts.0.org.company": "Comune di Prova"})
		contentType, body := multipartForm(t, map[string]string{"mode": "reply", "draft": "d7", "text": ""}, "files", "gatto.webp", sticker)
		sends(contentType, body, "sticker")
		contentType, body = multipartForm(t, map[string]string{"mode": "template", "draft": "d8", "template": "con_foto", "language": "it"}, "above", "mappa.jpg", mapPhoto(t))
		r = sends(contentType, body, "template")
		want(t, r, map[string]string{"template.components.0.parameters.0.type": "image"})
		if n := in.count(in.open(), `SELECT count(*) FROM message WHERE direction = 'out'`); n != 8 {
			t.Errorf("%d messages were queued", n)
		}
		for _, bad := range []url.Values{
			{"mode": {"offer"}, "kind": {"buttons"}, "draft": {"b1"}, "text": {"Vuole?"}},
			{"mode": {"offer"}, "kind": {"list"}, "draft": {"b2"}, "text": {"Vuole?"}, "choice": {"a"}},
			{"mode": {"offer"}, "kind": {"link"}, "draft": {"b3"}, "text": {"Vuole?"}, "button": {"Apri"}, "url": {"nulla"}},
			{"mode": {"template"}, "draft": {"b4"}, "template": {"con_foto"}, "language": {"it"}},
		} {
			if status, text := post(path, plain, form(bad)); status != http.StatusUnprocessableEntity || !strings.Contains(text, "alert-item") {
				t.Errorf("%v was answered %d: %.300s", bad, status, text)
			}
		}
		if status, _ := post(path, plain, form(url.Values{"mode": {"card"}, "draft": {"b5"}, "office": {"altrove"}})); status != http.StatusNotFound {
			t.Errorf("an office of nobody was answered %d", status)
		}
		if n := in.count(in.open(), `SELECT count(*) FROM message WHERE direction = 'out'`); n != 8 {
			t.Errorf("%d messages were queued", n)
		}
		contentType, body = multipartForm(t, map[string]string{"mode": "reply", "draft": "d9", "text": ""}, "files", "grande.webp", append(bytes.Clone(sticker), make([]byte, 120<<10)...))
		if status, text := post(path, contentType, body); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "100 kB") {
			t.Errorf("a large sticker was answered %d: %.300s", status, text)
		}
	})
}

// A broadcast written at the desk has a file, or a place, above its template: all get it, and the file goes up once.
func TestABroadcastWithSomethingAbove(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address)
			in.try("", "apply", in.file("prova.yaml", listsFile)).want(t, 0)
			in.approved("mappa", "POSITIONAL", `[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}},{"type":"BODY","text":"Ecco la mappa dei lavori."}]`)
			in.approved("raccolta", "POSITIONAL", `[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"Il punto di raccolta è qui."}]`)
			in.start()
			in.knows(4)
			people := []string{anna, bruno, carla}
			for _, p := range people {
				in.control(http.MethodPost, "citizens", map[string]any{"phone": p, "name": "Cittadino"}, nil)
				in.asks(p, "ISCRIZIONE ON PUBBLICAUTILITA")
			}
			post := in.deskClient("supervisor")
			fields := func(template string) map[string]string {
				return map[string]string{"list": "PUBBLICAUTILITA", "template": template + "/it", "when": "now", "act": "save"}
			}
			const plain = "application/x-www-form-urlencoded"
			form := url.Values{"list": {"PUBBLICAUTILITA"}, "template": {"mappa/it"}, "when": {"now"}, "act": {"save"}}
			if status, text := post("/broadcasts/new", plain, []byte(form.Encode())); status != http.StatusUnprocessableEntity || !strings.Contains(text, `id="problem-above"`) {
				t.Errorf("a broadcast without its file was answered %d: %.300s", status, text)
			}
			contentType, body := multipartForm(t, fields("mappa"), "above", "mappa.gif", []byte("GIF89a nothing"))
			if status, _ := post("/broadcasts/new", contentType, body); status == http.StatusOK || in.count(in.open(), `SELECT count(*) FROM broadcast`) != 0 {
				t.Errorf("a broadcast with another file was answered %d", status)
			}
			contentType, body = multipartForm(t, fields("mappa"), "above", "mappa.jpg", mapPhoto(t))
			status, text := post("/broadcasts/new", contentType, body)
			if status != http.StatusOK || !strings.Contains(text, "/thumbnail") || !strings.Contains(text, "mappa.jpg") {
				t.Fatalf("the draft was answered %d: %.2000s", status, text)
			}
			id := in.newestBroadcast()
			form.Set("id", id) // written again without a file, it keeps the one it has
			if status, text := post("/broadcasts/"+id+"/edit", plain, []byte(form.Encode())); status != http.StatusOK || !strings.Contains(text, "mappa.jpg") {
				t.Fatalf("the draft written again was answered %d: %.500s", status, text)
			}
			in.goesOut(post, id)
			sent := in.templatesSent("mappa")
			if len(sent) != len(people) {
				t.Fatalf("%d messages went out: %v", len(sent), sent)
			}
			for _, m := range sent {
				want(t, m, map[string]string{"template.components.0.type": "header", "template.components.0.parameters.0.image.id": sent[0].Get("template.components.0.parameters.0.image.id").Str})
			}
			if n := in.count(in.open(), `SELECT count(*) FROM media_upload`); n != 1 || sent[0].Get("template.components.0.parameters.0.image.id").Str == "" {
				t.Errorf("the photo went up %d times: %s", n, sent[0].Raw)
			}
			place := url.Values{"list": {"PUBBLICAUTILITA"}, "template": {"raccolta/it"}, "when": {"now"}, "act": {"save"}, "place": {"44.0594, 12.5683"}, "name": {"Piazza Cavour"}}
			if status, text := post("/broadcasts/new", plain, []byte(place.Encode())); status != http.StatusOK || !strings.Contains(text, "phone-above") || !strings.Contains(text, "44.05940, 12.56830") {
				t.Fatalf("the draft with a place was answered %d: %.2000s", status, text)
			}
			in.goesOut(post, in.newestBroadcast())
			sent = in.templatesSent("raccolta")
			if len(sent) != len(people) {
				t.Fatalf("%d messages went out: %v", len(sent), sent)
			}
			for _, m := range sent {
				want(t, m, map[string]string{"template.components.0.parameters.0.location.latitude": "44.0594", "template.components.0.parameters.0.location.name": "Piazza Cavour"})
			}
			in.stop()
		})
	}
}

// newestBroadcast is the id of the broadcast that was written last.
func (in *installation) newestBroadcast() string {
	in.t.Helper()
	return fmt.Sprint(in.count(in.open(), `SELECT max(broadcast_id) FROM broadcast`))
}

// goesOut sends a draft and waits until all have it.
func (in *installation) goesOut(post func(path, contentType string, body []byte) (int, string), id string) {
	in.t.Helper()
	if status, text := post("/broadcasts/"+id+"/submit", "application/x-www-form-urlencoded", nil); status != http.StatusOK {
		in.t.Fatalf("sending was answered %d: %.500s", status, text)
	}
	in.until("the broadcast is out", func() bool { return in.look(id).State == "completed" })
}

// templatesSent are the requests that brought a template to Meta.
func (in *installation) templatesSent(name string) (out []gjson.Result) {
	in.t.Helper()
	var all json.RawMessage
	in.control(http.MethodGet, "requests?path=/messages&method=POST&limit=1000", nil, &all)
	for _, r := range gjson.GetBytes(all, "items").Array() {
		if r.Get("body.template.name").Str == name {
			out = append(out, r.Get("body"))
		}
	}
	return out
}
