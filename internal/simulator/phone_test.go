// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/simulator"
)

func (s *sim) phoneURL(phone string) string {
	return s.url + "/?" + url.Values{"citizen": {phone}, "number": {number}}.Encode()
}

// talk fills a chat with one message of each kind.
func (s *sim) talk() {
	s.ok("POST", "/simulator/citizens", map[string]any{"phone": maria, "name": "Maria Bianchi"})
	s.ok("POST", "/simulator/citizens", map[string]any{"phone": "+393331112223", "name": "Luca Neri"})
	s.write("+393331112223", map[string]any{"text": "A che ora chiudete?"})
	first := s.write(maria, map[string]any{"text": "Buongiorno, in via Garibaldi 12 c’è una buca grande, pericolosa per chi passa in bicicletta."})
	s.sent(map[string]any{"type": "text", "text": map[string]any{"body": "Grazie, ci manda una foto? Si può segnalare anche da https://comune.example/segnalazioni"}, "context": map[string]any{"message_id": first}})
	photo := s.write(maria, map[string]any{"image": map[string]any{"sample": true, "caption": "Eccola"}})
	s.sent(map[string]any{"type": "reaction", "reaction": map[string]any{"message_id": photo, "emoji": "🙏"}})
	for _, kind := range []string{"voice", "video", "document", "sticker"} {
		s.write(maria, map[string]any{kind: true})
	}
	s.write(maria, map[string]any{"location": map[string]any{"latitude": 44.06, "longitude": 12.56, "name": "Buca", "address": "Via Garibaldi 12"}})
	s.sent(map[string]any{"type": "interactive", "interactive": map[string]any{"type": "button", "header": map[string]any{"type": "text", "text": "Iscrizione"},
		"body": map[string]any{"text": "Vuole ricevere gli avvisi di emergenza?"}, "footer": map[string]any{"text": "Comune di Prova"}, "action": map[string]any{"buttons": []any{
			map[string]any{"type": "reply", "reply": map[string]any{"id": "si", "title": "Sì"}}, map[string]any{"type": "reply", "reply": map[string]any{"id": "no", "title": "No"}}}}}})
	s.sent(map[string]any{"type": "interactive", "interactive": map[string]any{"type": "list", "body": map[string]any{"text": "Scelga una lista"}, "action": map[string]any{"button": "Mostra le liste",
		"sections": []any{map[string]any{"title": "Avvisi", "rows": []any{map[string]any{"id": "emergenze", "title": "#EMERGENZE", "description": "Allerte e protezione civile"}, map[string]any{"id": "scuola", "title": "#SCUOLA"}}}}}}})
	s.sent(map[string]any{"type": "template", "template": map[string]any{"name": "avviso", "language": map[string]any{"code": "it"},
		"components": []any{map[string]any{"type": "body", "parameters": []any{map[string]any{"type": "text", "text": "chiusura di via Po fino alle 18"}}}}}})
}

func TestPhonePage(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.talk()
	p := browsertest.Open(t)
	p.Go(s.phoneURL(maria))
	p.WaitFor("#phone-messages[data-loaded]")
	p.Until("the sample voice note plays", `document.querySelector('audio')?.duration > 2.5`)
	p.Until("the sample video plays", `document.querySelector('video')?.duration === 2 && document.querySelector('video').videoWidth === 160`)
	p.Until("the sample pictures show", `document.querySelector('.bubble img') && [...document.querySelectorAll('.bubble img')].every(i => { i.loading = 'eager'; return i.complete && i.naturalWidth > 0 })`)
	p.Axe()

	p.Fill("#phone-text", "Grazie a voi")
	p.Click("#phone-send")
	p.WaitFor("[data-direction=in][data-type=text]:last-child")
	p.WaitText("[data-direction=in]:last-child .text", "Grazie a voi")
	p.Click("[data-reply-id=si]")
	p.WaitText("[data-direction=in]:last-child .text", "Sì")
	p.Click("[data-action=list]")
	p.WaitFor("#list-dialog[open]")
	p.Axe()
	p.Click("#list-dialog [data-reply-id=emergenze]")
	p.WaitText("[data-direction=in]:last-child .text", "#EMERGENZE")
	eventually(t, "the taps at the desk", func() bool {
		var ids []string
		for _, m := range d.items(t, "messages") {
			if reply, _ := m["interactive"].(object); reply != nil && m["context"] != nil {
				ids = append(ids, reply[reply["type"].(string)].(object)["id"].(string))
			}
		}
		return slices.Equal(ids, []string{"si", "emergenze"})
	})

	p.Click("#phone-attach")
	p.Click("#attach-place")
	p.Axe()
	p.Click("#place-send")
	p.WaitFor("[data-direction=in][data-type=location]:last-child")

	id := s.sent(text("Arriviamo domani"))
	p.WaitFor(`[data-message-id="` + id + `"]`)
	p.WaitFor(`[data-message-id="` + id + `"][data-status=read]`)
	p.Click(`[data-message-id="` + id + `"] [data-action=menu]`)
	p.Axe()
	p.Click(`[data-message-id="` + id + `"] [data-emoji="👍"]`)
	p.WaitFor(`[data-message-id="` + id + `"] .reaction`)

	p.Click("#phone-marketing")
	eventually(t, "the preference at the desk", func() bool { v := d.items(t, "user_preferences"); return len(v) == 1 && v[0]["value"] == "stop" })
	p.Click("#fault-window")
	closed := func() bool { return s.ok("GET", "/simulator/faults", nil)["faults"].(object)["window_closed"] == true }
	eventually(t, "the window to close", closed)
	if status, _ := s.send(text("Ancora?")); status != 400 {
		t.Errorf("with a closed window a text was answered %d", status)
	}
	p.Click("#fault-off")
	eventually(t, "the window to open", func() bool { return !closed() })
	if status, _ := s.send(text("Ancora!")); status != 200 {
		t.Errorf("with an open window a text was answered %d", status)
	}
}

func TestPhonePageNewCitizen(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	p := browsertest.Open(t)
	p.Viewport(360, 740)
	p.Go(s.url + "/")
	p.Axe()
	p.Click("[data-open=people]")
	p.Axe()
	p.Click("#new-citizen")
	p.Fill("#new-name", "Ada Conti")
	p.Fill("#new-phone", "+39 347 7654321")
	p.Axe()
	p.Click("#new-save")
	p.WaitText("#mine", "Ada Conti")
	p.Click("#phone-record")
	p.Until("the recording runs", `document.querySelector('#phone-record').ariaPressed === 'true'`)
	p.Until("two seconds of it are there", `(window.began ??= performance.now()) + 2000 < performance.now()`) // a longer one is as good
	p.Click("#phone-record")
	p.WaitFor("[data-direction=in][data-type=audio] audio")
	p.Until("no sideways scrolling", `document.documentElement.scrollWidth <= innerWidth`)
	items := s.ok("GET", "/simulator/citizens/+393477654321/messages", nil)["items"].([]any)
	if len(items) != 1 || items[0].(object)["voice"] != true || items[0].(object)["content"].(object)["mime_type"] != "audio/ogg; codecs=opus" {
		t.Fatalf("voice note %v", items)
	}
	p.Until("the rewrapped recording plays", `(() => { const a = document.querySelector('audio'); return a.duration > 1.5 && Number.isFinite(a.duration) })()`)
	p.Screenshot("phone-voice")
}

func TestPhonePageNewNumber(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	p := browsertest.Open(t)
	p.Go(s.url + "/")
	p.WaitText("#number-digits", "+39 0541 123456") // what the page loads moves the button
	p.Click("#new-number")
	p.Fill("#account-name", "Comune di Carpi")
	p.Fill("#account-digits", "059 649213")
	for _, field := range []string{"token", "secret", "verify"} {
		p.Fill("#account-"+field, "carpi-"+field)
	}
	p.AllowConsole("400")
	p.Click("#account-save")
	p.WaitFor("#number-problem:not([hidden])")
	p.Axe()
	p.Fill("#account-digits", "+39 059 649213")
	p.Click("#account-save")
	p.WaitText("#number-digits", "+39 059 649213")
	p.Screenshot("phone-new-number")
}

func TestPhonePageLooks(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.talk()
	p := browsertest.Open(t)
	for _, scheme := range []string{"light", "dark"} {
		p.Prefer("prefers-color-scheme", scheme)
		for _, size := range [][2]int64{{1366, 768}, {360, 740}} {
			p.Viewport(size[0], size[1])
			p.Go(s.phoneURL(maria))
			p.WaitFor("#phone-messages[data-loaded]")
			p.Axe()
			name := "phone-" + scheme + map[int64]string{1366: "-wide", 360: "-narrow"}[size[0]]
			p.Screenshot(name)
			browsertest.Eval[bool](p, `document.querySelector('#phone-messages').scrollTop = 0, true`)
			p.Screenshot(name + "-top")
			p.Click("#phone-attach")
			p.Click("[data-type=text] [data-action=menu]")
			p.Axe()
			p.Screenshot(name + "-open")
			p.Click("#attach-place")
			p.Screenshot(name + "-place")
		}
		for _, pane := range []string{"people", "trouble"} {
			p.Go(s.phoneURL(maria))
			p.Click("[data-open=" + pane + "]")
			p.Axe()
			p.Screenshot("phone-" + scheme + "-" + pane)
		}
	}
}

func TestPhonePageChangesACitizen(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.citizen(object{"phone": maria, "name": "Maria Bianchi", "username": "maria.b", "bsuid_only": true})
	s.write(maria, object{"text": "Buongiorno"})
	s.sent(object{"type": "interactive", "interactive": object{"type": "contact_request", "body": object{"text": "Ci lascia il numero?"}, "action": object{"name": "request_contact_info"}}})
	p := browsertest.Open(t)
	p.Go(s.phoneURL(maria))
	p.WaitFor("#phone-messages[data-loaded]")
	p.Click("[data-action=share-phone]")
	if card := d.message(t, 2)["contacts"].([]any)[0].(object); card["origin"] != "contact_request" {
		t.Errorf("the shared number is %v", card)
	}
	p.Click("[data-trait=receipts_off]")
	eventually(t, "the trait", func() bool { return s.ok("GET", "/simulator/citizens/"+maria, nil)["receipts_off"] == true })
	for _, trait := range []string{"reads_by_hand", "bsuid_only"} {
		before := s.ok("GET", "/simulator/citizens/"+maria, nil)[trait] == true
		p.Click("[data-trait=" + trait + "]")
		eventually(t, trait+" to change", func() bool { return (s.ok("GET", "/simulator/citizens/"+maria, nil)[trait] == true) != before })
	}
	p.Click("[data-trait=bsuid_only]")
	eventually(t, "the number to be hidden again", func() bool { return s.ok("GET", "/simulator/citizens/"+maria, nil)["bsuid_only"] == true })
	p.Until("the manual is linked", `document.querySelector('a[href$="simulator.md#trouble"]') !== null`)
	p.Click("#change-user-id")
	if system := d.message(t, 3)["system"].(object); system["type"] != "user_changed_user_id" {
		t.Errorf("told by %v", system)
	}
	p.Click("#change-number")
	p.WaitFor("#change-dialog[open]")
	p.Axe()
	p.Fill("#change-phone", "+393470001112")
	p.Click("#change-save")
	if system := d.message(t, 4)["system"].(object); system["type"] != "user_changed_number" || system["wa_id"] != "393470001112" {
		t.Errorf("told by %v", system)
	}
	p.Axe()
}
