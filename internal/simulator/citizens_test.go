// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// message waits for the nth message at the desk and returns it.
func (d *desk) message(t *testing.T, n int) object {
	t.Helper()
	eventually(t, "a message", func() bool { return len(d.items(t, "messages")) >= n })
	return d.items(t, "messages")[n-1]
}

func (s *sim) citizen(fields object) object {
	s.t.Helper()
	return s.ok("POST", "/simulator/citizens", fields)
}

// statusesOf are the statuses a message has had at the desk.
func (d *desk) statusesOf(t *testing.T, id string) (all []string) {
	t.Helper()
	for _, st := range d.items(t, "statuses") {
		if st["id"] == id {
			all = append(all, st["status"].(string))
		}
	}
	return all
}

func (s *sim) chatStatus(phone, id string) any {
	s.t.Helper()
	for _, item := range s.ok("GET", "/simulator/citizens/"+phone+"/messages", nil)["items"].([]any) {
		if m := item.(object); m["id"] == id {
			return m["status"]
		}
	}
	return nil
}

func codeTemplate(ttl any) object {
	o := object{"name": "codice", "language": "it", "category": "AUTHENTICATION", "components": list(
		object{"type": "BODY", "add_security_recommendation": true}, object{"type": "BUTTONS", "buttons": list(object{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copia"})})}
	if ttl != nil {
		o["message_send_ttl_seconds"] = ttl
	}
	return o
}

func TestMessagesOfAPhoneThatStaysOffAreDropped(t *testing.T) {
	brief := emergency()
	brief["name"], brief["message_send_ttl_seconds"] = "breve", 3600
	tests := []struct {
		name    string
		content func(s *sim) object
		kept    string // how long it is tried at least
		over    string // and what makes it too long
	}{
		{"free text", func(*sim) object { return text("Buongiorno") }, "719h", "2h"},
		{"template with its own time", func(s *sim) object {
			s.ok("POST", templatesPath, brief)
			s.advance("2h")
			return object{"type": "template", "template": object{"name": "breve", "language": object{"code": "it"}, "components": list(named("zona", "Via Po", "fino_a", "18"),
				object{"type": "button", "sub_type": "url", "index": "0", "parameters": list(object{"type": "text", "text": "42"})})}}
		}, "59m", "2m"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
			s.connect(d)
			s.stillClock()
			s.citizen(object{"phone": maria, "offline": true})
			s.write(maria, object{"text": "Salve"})
			content := test.content(s)
			late, lost := s.sent(content), ""
			s.advance(test.kept)
			s.citizen(object{"phone": maria, "offline": false})
			s.advance("1s")
			eventually(t, "what came in time", func() bool { return len(d.statusesOf(t, late)) == 3 })
			s.citizen(object{"phone": maria, "offline": true})
			s.write(maria, object{"text": "Ancora"})
			lost = s.sent(content)
			s.advance(test.kept)
			s.advance(test.over)
			if got := s.chatStatus(maria, lost); got != "expired" {
				t.Errorf("the message is %v", got)
			}
			s.citizen(object{"phone": maria, "offline": false})
			s.advance("1h")
			s.write(maria, object{"text": "Fine"})
			d.message(t, 3)
			if got := d.statusesOf(t, lost); len(got) != 1 || got[0] != "sent" {
				t.Errorf("statuses %v: nothing may follow sent", got)
			}
		})
	}
}

func TestPhonesAreShownToWhoKnowsThem(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	n := 0
	from := func(what string, want any) {
		t.Helper()
		s.write(maria, object{"text": what})
		n++
		if got := d.message(t, n); got["from"] != want {
			t.Errorf("%s: from is %v, want %v", what, got["from"], want)
		}
	}
	digits := "393471234567"
	id := s.citizen(object{"phone": maria, "name": "Maria"})["user_id"].(string)
	from("no username", digits)
	s.citizen(object{"phone": maria, "username": "maria.b"})
	s.advance("960h")
	from("a username, but the contact book has the phone", digits)
	if deleted := s.ok("DELETE", "/v26.0/"+number+"/contact_book?messaging_product=whatsapp&bsuid="+id, nil)["deleted"]; deleted != true {
		t.Errorf("deleted is %v", deleted)
	}
	from("deleted, but written a moment ago", digits)
	s.ok("PUT", "/simulator/contact_book", object{"on": false})
	s.advance("743h")
	s.advance("960h")
	from("no contact book and nothing for 40 days", nil)
	s.sent(object{"type": "text", "text": object{"body": "La chiamo"}})
	from("the business used the phone", digits)
	s.advance("719h")
	from("29 days later", digits)
	s.advance("721h")
	from("30 days after that", nil)
	s.write(maria, object{"share_phone": true})
	n++
	card := d.message(t, n)["contacts"].([]any)[0].(object)
	if card["origin"] != "contact_request" || card["phones"].([]any)[0].(object)["wa_id"] != digits {
		t.Errorf("the card is %v", card)
	}
	from("the phone was given", digits)
	if got := s.ok("DELETE", "/v26.0/"+number+"/contact_book?messaging_product=whatsapp&bsuid=IT.X", nil); got["success"] != true || got["deleted"] != false {
		t.Errorf("an unknown contact: %v", got)
	}
	if status, answer := s.call("DELETE", "/v26.0/"+number+"/contact_book?messaging_product=whatsapp&bsuid=393471234567", nil); status != 400 || code(answer) != 100 {
		t.Errorf("a phone in the place of an id: %d %v", status, answer)
	}
}

func TestCardsSayWhereTheyComeFrom(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"contacts": list(object{"name": object{"formatted_name": "Idraulico; Bruno"}, "phones": list(object{"phone": "+39 0541 555555"})})})
	card := d.message(t, 1)["contacts"].([]any)[0].(object)
	if card["origin"] != "other" || card["vcard"] != "BEGIN:VCARD\nVERSION:3.0\nFN:Idraulico\\; Bruno\nTEL:+39 0541 555555\nEND:VCARD" {
		t.Errorf("card %v", card)
	}
}

func TestNumberChangeShapes(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"text": "Salve"})
	s.ok("POST", "/simulator/citizens/"+maria+"/change_number", object{"phone": "+393470001112", "shape": "old"})
	system := d.message(t, 2)["system"].(object)
	if system["type"] != "customer_changed_number" || system["new_wa_id"] != "393470001112" || system["user_id"] != nil || system["wa_id"] != nil {
		t.Errorf("the older shape is %v", system)
	}
	before := s.ok("GET", "/simulator/citizens/+393470001112", nil)["user_id"]
	after := s.ok("POST", "/simulator/citizens/+393470001112/change_user_id", nil)["user_id"]
	m := d.message(t, 3)
	system = m["system"].(object)
	if system["type"] != "user_changed_user_id" || system["user_id"] != after || system["previous_user_id"] != before || after == before || system["wa_id"] != nil {
		t.Errorf("the new user id is told by %v", m)
	}
	lost := s.sentTo(maria, "avviso")
	eventually(t, "the failure", func() bool { return len(d.statusesOf(t, lost)) == 1 })
	if got := d.statusesOf(t, lost); got[0] != "failed" {
		t.Errorf("the old number has WhatsApp still: %v", got)
	}
	s.citizen(object{"phone": maria, "name": "Chi l'ha ora", "not_on_whatsapp": false})
	found := s.sentTo(maria, "avviso")
	eventually(t, "delivery to the new owner", func() bool { return len(d.statusesOf(t, found)) == 3 })
}

func TestHiddenNumberChangeShowsNoPhone(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.citizen(object{"phone": maria, "username": "maria.b", "bsuid_only": true})
	s.write(maria, object{"text": "Salve"})
	s.ok("POST", "/simulator/citizens/"+maria+"/change_number", object{"phone": "+393470001112"})
	m := d.message(t, 2)
	if system := m["system"].(object); system["type"] != "user_changed_user_id" || m["from"] != nil || system["wa_id"] != nil {
		t.Errorf("system message %v", m)
	}
}

func TestIdentities(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("POST", "/v26.0/"+number+"/settings", object{"user_identity_change": object{"enable_identity_key_check": true}})
	s.write(maria, object{"text": "Salve"})
	d.message(t, 1)
	hash := d.values(t)[0]["contacts"].([]any)[0].(object)["identity_key_hash"]
	known := text("Buongiorno")
	known["recipient_identity_key_hash"] = hash
	good := s.sent(known)
	eventually(t, "delivery", func() bool { return len(d.statusesOf(t, good)) == 3 })
	changed := s.ok("POST", "/simulator/citizens/"+maria+"/change_identity", nil)["identity_key_hash"]
	m := d.message(t, 2)
	if identity, _ := m["identity"].(object); m["system"].(object)["type"] != "customer_identity_changed" || identity["hash"] != changed || changed == hash {
		t.Errorf("told by %v", m)
	}
	bad := s.sent(known)
	eventually(t, "the failure", func() bool { return len(d.statusesOf(t, bad)) == 1 })
	for _, st := range d.items(t, "statuses") {
		if st["id"] == bad && (st["status"] != "failed" || st["errors"].([]any)[0].(object)["code"] != 137000.0 || st["recipient_user_id"] != nil) {
			t.Errorf("status %v", st)
		}
	}
	for _, v := range d.values(t) {
		statuses, _ := v["statuses"].([]any)
		if len(statuses) == 1 && statuses[0].(object)["status"] == "failed" && v["contacts"] != nil {
			t.Errorf("a failed status comes with contacts: %v", v)
		}
	}
}

func TestAuthenticationIsTriedTenMinutes(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	s.ok("POST", templatesPath, codeTemplate(nil))
	s.advance("2h")
	s.citizen(object{"phone": maria, "offline": true})
	id := s.sent(object{"type": "template", "template": object{"name": "codice", "language": object{"code": "it"}, "components": list(
		object{"type": "body", "parameters": list(object{"type": "text", "text": "123456"})},
		object{"type": "button", "sub_type": "url", "index": "0", "parameters": list(object{"type": "text", "text": "123456"})})}})
	s.advance("9m")
	if got := s.chatStatus(maria, id); got != "sent" {
		t.Fatalf("after nine minutes the code is %v", got)
	}
	s.advance("2m")
	if got := s.chatStatus(maria, id); got != "expired" {
		t.Errorf("after eleven minutes the code is %v", got)
	}
}
