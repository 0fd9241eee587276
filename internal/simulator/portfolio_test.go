// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func to(phone string, content object) object {
	content["to"] = phone
	return content
}

func hello(phone string) object { return to(phone, template("hello_world", "en_US")) }

// limited is a simulator whose portfolio may reach three people a day.
func limited(t *testing.T) *sim {
	t.Helper()
	s := start(t, simulator.Options{Delays: quick(), Now: stopped()})
	s.ok("PUT", "/simulator/numbers/"+number, object{"messaging_limit": "TIER_3"})
	return s
}

func TestMessagingLimit(t *testing.T) {
	s := limited(t)
	send := func(phone string, want int) {
		t.Helper()
		if _, answer := s.send(hello(phone)); code(answer) != want {
			t.Errorf("to %s: %v, want code %d", phone, answer, want)
		}
	}
	for i := range 3 {
		send(phoneOf(i), 0)
		s.ok("POST", "/simulator/clock", object{"advance": "1h"})
	}
	send(phoneOf(3), 131048)
	send(phoneOf(0), 0) // reached already today
	s.write(phoneOf(4), object{"text": "Salve"})
	send(phoneOf(4), 0) // writes to us: needs no place
	s.ok("POST", "/simulator/citizens", object{"phone": phoneOf(5), "not_on_whatsapp": true})
	send(phoneOf(5), 0) // is not reached at all, and fails later
	s.ok("POST", "/simulator/clock", object{"advance": "22h"})
	send(phoneOf(3), 0) // the second of the three was reached 24 hours ago
	send(phoneOf(1), 131048)
	s.ok("PUT", "/simulator/numbers/"+number, object{"messaging_limit": "TIER_250"})
	send(phoneOf(1), 0)
	node := s.ok("GET", "/v26.0/"+number+"?fields=whatsapp_business_manager_messaging_limit", nil)
	if node["whatsapp_business_manager_messaging_limit"] != "TIER_250" {
		t.Errorf("the number says %v", node)
	}
	if status, _ := s.call("PUT", "/simulator/numbers/"+number, object{"messaging_limit": "MANY"}); status != http.StatusBadRequest {
		t.Errorf("a tier that is none was answered %d", status)
	}
}

// A limit is of the portfolio, not of the number.
func TestMessagingLimitIsSharedByNumbers(t *testing.T) {
	s := limited(t)
	other := s.ok("POST", "/simulator/accounts", object{"waba_id": waba, "display_number": "+39 0541 654321", "token": "simulator"})["phone_number_id"].(string)
	for i := range 3 {
		s.sent(hello(phoneOf(i)))
	}
	message := hello(phoneOf(3))
	message["messaging_product"] = "whatsapp"
	if _, answer := s.call("POST", "/v26.0/"+other+"/messages", message); code(answer) != 131048 {
		t.Errorf("the second number: %v", answer)
	}
}

func TestMessagingLimitIsToldLater(t *testing.T) {
	s, d := limited(t), newDesk(t)
	s.connect(d)
	s.ok("PUT", "/simulator/faults", object{"refuse_later": true})
	for i := range 4 {
		s.sent(hello(phoneOf(i)))
	}
	s.ok("POST", "/simulator/clock", object{"advance": "1s"})
	eventually(t, "the failure", func() bool {
		for _, st := range d.items(t, "statuses") {
			if st["status"] == "failed" {
				return st["errors"].([]any)[0].(object)["code"] == 131048.0
			}
		}
		return false
	})
}

func TestMessagingLimitLasts(t *testing.T) {
	data := t.TempDir()
	opts := simulator.Options{Delays: quick(), Now: stopped(), Data: data}
	server, err := simulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{t: t, url: serve(t, server)}
	s.ok("PUT", "/simulator/numbers/"+number, object{"messaging_limit": "TIER_3"})
	for i := range 3 {
		s.sent(hello(phoneOf(i)))
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, opts)
	if _, answer := s.send(hello(phoneOf(3))); code(answer) != 131048 {
		t.Errorf("after a restart: %v", answer)
	}
	s.sent(hello(phoneOf(2)))
}

// paced sends so many messages of a template of which two go out at once, and returns how many were held.
func (s *sim) paced(n int) (held int) {
	s.t.Helper()
	s.ok("PUT", "/simulator/templates", object{"name": "hello_world", "language": "en_US", "pacing": object{"first": 2}})
	for i := range n {
		_, answer := s.send(hello(phoneOf(i)))
		switch state := answer["messages"].([]any)[0].(object)["message_status"]; state {
		case "held_for_quality_assessment":
			held++
		case "accepted":
		default:
			s.t.Fatalf("message %d is %v", i, state)
		}
	}
	return held
}

func (d *desk) statuses(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, st := range d.items(t, "statuses") {
		counts[st["status"].(string)]++
	}
	return counts
}

func TestPacingIsReleased(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	if held := s.paced(5); held != 3 {
		t.Errorf("%d of 5 are held", held)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "1h"})
	eventually(t, "the first two to arrive", func() bool { return d.statuses(t)["delivered"] == 2 })
	if counts := d.statuses(t); counts["sent"] != 2 || counts["failed"] != 0 {
		t.Errorf("before the release: %v", counts)
	}
	s.ok("PUT", "/simulator/templates", object{"name": "hello_world", "language": "en_US", "held": "release"})
	s.ok("POST", "/simulator/clock", object{"advance": "1h"})
	eventually(t, "the others to arrive", func() bool { return d.statuses(t)["delivered"] == 5 })
	if _, answer := s.send(hello(phoneOf(9))); answer["messages"].([]any)[0].(object)["message_status"] != "accepted" {
		t.Errorf("after the release: %v", answer)
	}
}

func TestPacingIsDropped(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.paced(5)
	s.ok("PUT", "/simulator/templates", object{"name": "hello_world", "language": "en_US", "held": "drop"})
	eventually(t, "the held to fail", func() bool { return d.statuses(t)["failed"] == 3 })
	for _, st := range d.items(t, "statuses") {
		if st["status"] == "failed" && st["errors"].([]any)[0].(object)["code"] != 132015.0 {
			t.Errorf("a held message failed with %v", st)
		}
	}
	if _, answer := s.send(hello(phoneOf(9))); code(answer) != 132015 {
		t.Errorf("a send with the paused template: %v", answer)
	}
	eventually(t, "the pause to be told", func() bool {
		for _, v := range d.values(t) {
			if v["event"] == "PAUSED" {
				return v["other_info"].(object)["title"] == "FIRST_PAUSE"
			}
		}
		return false
	})
	id := s.ok("GET", templatesPath+"?name=hello_world", nil)["data"].([]any)[0].(object)["id"].(string)
	s.ok("POST", "/v26.0/"+id+"/unpause", nil)
	s.sent(hello(phoneOf(9)))
}

func TestTemplatesAreArchived(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	id := s.ok("GET", templatesPath+"?name=hello_world", nil)["data"].([]any)[0].(object)["id"].(string)
	s.ok("POST", templatesPath+"/archive", object{"hsm_ids": id})
	if _, answer := s.send(hello(maria)); code(answer) != 132001 {
		t.Errorf("an archived template: %v", answer)
	}
	if _, answer := s.call("POST", templatesPath+"/archive", object{"hsm_ids": id}); code(answer) != 100 {
		t.Errorf("archived again: %v", answer)
	}
	s.ok("POST", templatesPath+"/unarchive", object{"hsm_ids": id})
	s.sent(hello(maria))
}

func TestMarketingIsStopped(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("PUT", "/simulator/templates", object{"name": "hello_world", "language": "en_US", "category": "MARKETING"})
	s.write(maria, object{"text": "Salve"})
	for range 2 { // saying it twice is saying it once
		s.ok("POST", "/simulator/citizens/"+maria+"/preferences", object{"number": number, "marketing": "stop"})
	}
	eventually(t, "the preference", func() bool { return len(d.items(t, "user_preferences")) == 1 })
	p := d.items(t, "user_preferences")[0]
	if p["value"] != "stop" || p["category"] != "marketing_messages" || "+"+fmt.Sprint(p["wa_id"]) != maria || p["user_id"] == nil || p["timestamp"] == nil {
		t.Errorf("it is %v", p)
	}
	s.sent(hello(maria))
	s.sent(to(maria, object{"type": "template", "template": object{"name": "avviso", "language": object{"code": "it"}, "components": list(positional("chiusura di via Po"))}}))
	s.ok("POST", "/simulator/clock", object{"advance": "1h"})
	eventually(t, "marketing to fail and utility to arrive", func() bool { c := d.statuses(t); return c["failed"] == 1 && c["delivered"] == 1 })
	for _, st := range d.items(t, "statuses") {
		if st["status"] == "failed" && st["errors"].([]any)[0].(object)["code"] != 131050.0 {
			t.Errorf("it failed with %v", st)
		}
	}
	s.ok("POST", "/simulator/citizens/"+maria+"/preferences", object{"number": number, "marketing": "resume"})
	s.sent(hello(maria))
	s.ok("POST", "/simulator/clock", object{"advance": "1h"})
	eventually(t, "marketing to arrive again", func() bool { return d.statuses(t)["delivered"] == 2 })
}
