// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

const templatesPath = "/v26.0/" + waba + "/message_templates"

func emergency() object {
	return object{"name": "avviso_emergenza", "language": "it", "category": "UTILITY", "parameter_format": "NAMED", "components": list(
		object{"type": "HEADER", "format": "TEXT", "text": "Avviso del Comune"},
		object{"type": "BODY", "text": "Chiusura di {{zona}} fino alle {{fino_a}} per motivi di sicurezza.",
			"example": object{"body_text_named_params": list(object{"param_name": "zona", "example": "Via Po"}, object{"param_name": "fino_a", "example": "18:00"})}},
		object{"type": "FOOTER", "text": "Comune di Prova"},
		object{"type": "BUTTONS", "buttons": list(object{"type": "URL", "text": "Dettagli", "url": "https://comune.example/a/{{1}}", "example": list("42")}, object{"type": "QUICK_REPLY", "text": "Cancellami"})})}
}

func named(params ...string) object {
	var all []any
	for i := 0; i < len(params); i += 2 {
		all = append(all, object{"type": "text", "parameter_name": params[i], "text": params[i+1]})
	}
	return object{"type": "body", "parameters": all}
}

func positional(texts ...string) object {
	var all []any
	for _, text := range texts {
		all = append(all, object{"type": "text", "text": text})
	}
	return object{"type": "body", "parameters": all}
}

func template(name, language string, components ...any) object {
	return object{"type": "template", "template": object{"name": name, "language": object{"code": language}, "components": components}}
}

func TestTemplateLife(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	made := s.ok("POST", templatesPath, emergency())
	id := made["id"].(string)
	if made["status"] != "PENDING" || made["category"] != "UTILITY" {
		t.Errorf("made %v", made)
	}
	if _, answer := s.send(template("avviso_emergenza", "it")); code(answer) != 132001 {
		t.Errorf("send before approval: %v", answer)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "2h"})
	eventually(t, "the approval", func() bool { v := d.values(t); return len(v) == 1 && v[0]["event"] == "APPROVED" })
	if got := s.ok("GET", "/v26.0/"+id+"?fields=status,quality_score", nil); got["status"] != "APPROVED" || got["name"] != nil || got["id"] != id {
		t.Errorf("template %v", got)
	}
	if status, answer := s.call("POST", templatesPath, emergency()); status != 400 || code(answer) != 100 {
		t.Errorf("the same again: %d %v", status, answer)
	}
	edit := object{"components": list(object{"type": "BODY", "text": "Testo nuovo, senza variabili."})}
	s.ok("POST", "/v26.0/"+id, edit)
	s.ok("POST", "/simulator/clock", object{"advance": "2h"})
	eventually(t, "the second approval", func() bool { return len(d.values(t)) == 2 })
	if _, answer := s.call("POST", "/v26.0/"+id, edit); code(answer) != 100 {
		t.Errorf("two edits in a day: %v", answer)
	}
	s.ok("DELETE", templatesPath+"?name=avviso_emergenza", nil)
	if _, answer := s.send(template("avviso_emergenza", "it")); code(answer) != 132001 {
		t.Errorf("send after deletion: %v", answer)
	}
	s.ok("POST", templatesPath, object{"name": "da_reject", "language": "it", "category": "UTILITY", "components": list(object{"type": "BODY", "text": "Testo."})})
	s.ok("POST", "/simulator/clock", object{"advance": "2h"})
	eventually(t, "the rejection", func() bool { v := d.values(t); return v[len(v)-1]["event"] == "REJECTED" })
}

func TestTemplatesChangedByMeta(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	for status, want := range map[string]int{"PAUSED": 132015, "DISABLED": 132016, "ARCHIVED": 132001, "APPROVED": 0} {
		s.ok("PUT", "/simulator/templates", object{"name": "hello_world", "language": "en_US", "status": status})
		if _, answer := s.send(template("hello_world", "en_US")); code(answer) != want {
			t.Errorf("%s: %v, want code %d", status, answer, want)
		}
	}
	s.ok("PUT", "/simulator/templates", object{"name": "avviso", "language": "it", "category": "MARKETING"})
	eventually(t, "the new category", func() bool {
		for _, v := range d.values(t) {
			if v["previous_category"] == "UTILITY" && v["new_category"] == "MARKETING" {
				return true
			}
		}
		return false
	})
}

func TestTemplateSends(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.ok("POST", templatesPath, emergency())
	s.ok("POST", "/simulator/clock", object{"advance": "2h"})
	eventually(t, "the approval", func() bool {
		return s.ok("GET", templatesPath+"?name=avviso_emergenza&status=APPROVED", nil)["data"].([]any) != nil && len(s.ok("GET", templatesPath+"?status=APPROVED", nil)["data"].([]any)) == 3
	})
	url := object{"type": "button", "sub_type": "url", "index": "0", "parameters": list(object{"type": "text", "text": "42"})}
	quick := object{"type": "button", "sub_type": "quick_reply", "index": 1, "parameters": list(object{"type": "payload", "payload": "unsub"})}
	full := named("fino_a", "18:00", "zona", "Via Po")
	tests := []struct {
		name string
		send object
		code int
	}{
		{"no variables", template("hello_world", "en_US"), 0},
		{"by position", template("avviso", "it", positional("chiusura")), 0},
		{"by name", template("avviso_emergenza", "it", full, url, quick), 0},
		{"quick reply without payload", template("avviso_emergenza", "it", full, url), 0},
		{"unknown", template("nulla", "it"), 132001},
		{"another language", template("avviso", "en_US", positional("x")), 132001},
		{"no name", template("", "it"), 131008},
		{"too few", template("avviso", "it"), 132000},
		{"too many", template("avviso", "it", positional("a", "b")), 132000},
		{"name for a position", template("avviso", "it", named("zona", "x")), 132012},
		{"position for a name", template("avviso_emergenza", "it", positional("a", "b"), url), 132012},
		{"wrong name", template("avviso_emergenza", "it", named("zona", "x", "quando", "y"), url), 132012},
		{"no button parameter", template("avviso_emergenza", "it", full), 132000},
		{"button that is not there", template("avviso_emergenza", "it", full, url, object{"type": "button", "sub_type": "url", "index": "7", "parameters": list(object{"type": "text", "text": "x"})}), 132018},
		{"line break", template("avviso", "it", positional("uno\ndue")), 132018},
		{"five blanks", template("avviso", "it", positional("uno     due")), 132018},
		{"too long when filled in", template("avviso", "it", positional(strings.Repeat("è", 1000))), 132005},
		{"image for text", template("avviso", "it", object{"type": "body", "parameters": list(object{"type": "image", "image": object{"id": "1"}})}), 132012},
		{"header where there is none", template("avviso", "it", positional("x"), object{"type": "header", "parameters": list(object{"type": "text", "text": "x"})}), 132000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.ok("POST", "/simulator/clock", object{"advance": "1m"})
			if _, answer := s.send(test.send); code(answer) != test.code {
				t.Errorf("answered %v, want code %d", answer, test.code)
			}
		})
	}
	items := s.ok("GET", "/simulator/citizens/"+maria+"/messages", nil)["items"].([]any)
	shown := items[2].(object)
	if shown["text"] != "Chiusura di Via Po fino alle 18:00 per motivi di sicurezza." {
		t.Errorf("shown as %v", shown["text"])
	}
	buttons := shown["content"].(object)["buttons"].([]any)
	if buttons[0].(object)["url"] != "https://comune.example/a/42" || buttons[1].(object)["payload"] != "unsub" {
		t.Errorf("buttons %v", buttons)
	}
}

func TestTemplateRules(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	body := func(text string) object {
		return object{"type": "BODY", "text": text, "example": object{"body_text": list(list("x"))}}
	}
	with := func(changes object) object {
		made := object{"name": "prova", "language": "it", "category": "UTILITY", "components": list(body("Testo di prova."))}
		for k, v := range changes {
			made[k] = v
		}
		return made
	}
	buttons := func(b ...any) object {
		return with(object{"components": list(body("Testo."), object{"type": "BUTTONS", "buttons": b})})
	}
	reply, link := object{"type": "QUICK_REPLY", "text": "Sì"}, object{"type": "URL", "text": "Apri", "url": "https://comune.example"}
	tests := []struct {
		name string
		send object
		code int
	}{
		{"capital letters", with(object{"name": "Prova"}), 100},
		{"category", with(object{"category": "NEWS"}), 100},
		{"language", with(object{"language": "italiano"}), 100},
		{"no body", with(object{"components": list(object{"type": "FOOTER", "text": "x"})}), 100},
		{"body too long", with(object{"components": list(body(long(1025)))}), 2388040},
		{"variable first", with(object{"components": list(body("{{1}} è chiusa per lavori"))}), 2388299},
		{"variable last", with(object{"components": list(body("È chiusa per lavori via {{1}}"))}), 2388299},
		{"gap in the numbers", with(object{"components": list(body("Da {{1}} a {{3}} la strada è chiusa."))}), 2388072},
		{"no example", with(object{"components": list(object{"type": "BODY", "text": "La via {{1}} è chiusa."})}), 2388043},
		{"too many variables", with(object{"components": list(body("a {{1}} e {{2}} b"))}), 2388293},
		{"variables side by side", with(object{"components": list(body("La via {{1}} {{2}} è chiusa per lavori."))}), 2388299},
		{"example of another variable", with(object{"parameter_format": "NAMED", "components": list(object{"type": "BODY", "text": "La via {{via}} è chiusa.",
			"example": object{"body_text_named_params": list(object{"param_name": "strada", "example": "Po"})}})}), 2388043},
		{"examples by position in a named template", with(object{"parameter_format": "NAMED", "components": list(object{"type": "BODY", "text": "La via {{via}} è chiusa.",
			"example": object{"body_text": list(list("Po"))}})}), 2388043},
		{"an example too many", with(object{"components": list(object{"type": "BODY", "text": "La via {{1}} è chiusa.", "example": object{"body_text": list(list("Po", "Adige"))}})}), 2388043},
		{"time to live of a day", with(object{"message_send_ttl_seconds": 86400, "components": list(object{"type": "BODY", "text": "Testo."})}), 100},
		{"header too long", with(object{"components": list(body("Testo."), object{"type": "HEADER", "format": "TEXT", "text": long(61)})}), 2388040},
		{"variable in the footer", with(object{"components": list(body("Testo."), object{"type": "FOOTER", "text": "Da {{1}} sì"})}), 2388073},
		{"buttons in three groups", buttons(reply, link, reply), 100},
		{"three links", buttons(link, link, link), 100},
		{"good buttons", buttons(link, reply, reply), 0},
		{"in small letters", object{"name": "minuscole", "language": "it", "category": "utility", "components": list(object{"type": "body", "text": "Testo."},
			object{"type": "header", "format": "text", "text": "Titolo"}, object{"type": "buttons", "buttons": list(object{"type": "quick_reply", "text": "Sì"})})}, 0},
		{"a code to copy", object{"name": "codice", "language": "it", "category": "AUTHENTICATION", "components": list(object{"type": "BODY", "add_security_recommendation": true},
			object{"type": "FOOTER", "code_expiration_minutes": 10}, object{"type": "BUTTONS", "buttons": list(object{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copia"})})}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, answer := s.call("POST", templatesPath, test.send)
			failure, _ := answer["error"].(object)
			if test.code < 2388000 {
				if code(answer) != test.code {
					t.Errorf("answered %v, want code %d", answer, test.code)
				}
				return
			}
			if code(answer) != 100 || failure["error_subcode"] != float64(test.code) || failure["message"] != "Invalid parameter" ||
				failure["error_user_title"] == nil || failure["error_user_msg"] == nil || failure["is_transient"] != false {
				t.Errorf("answered %v, want subcode %d", answer, test.code)
			}
		})
	}
}

func TestTemplatePages(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	for i := range 28 {
		s.ok("POST", templatesPath, object{"name": fmt.Sprintf("prova_%d", i), "language": "it", "category": "MARKETING", "components": list(object{"type": "BODY", "text": "Testo."})})
	}
	seen, pages := map[string]bool{}, 0
	next := s.url + templatesPath + "?fields=name,status&limit=7&summary=total_count"
	for next != "" {
		page := s.ok("GET", strings.TrimPrefix(next, s.url), nil)
		if total := page["summary"].(object)["total_count"]; total != 30.0 {
			t.Fatalf("total %v", total)
		}
		for _, item := range page["data"].([]any) {
			seen[item.(object)["name"].(string)] = true
		}
		next, _ = page["paging"].(object)["next"].(string)
		pages++
	}
	if len(seen) != 30 || pages != 5 {
		t.Errorf("%d templates on %d pages", len(seen), pages)
	}
	if page := s.ok("GET", templatesPath, nil); page["summary"] != nil || len(page["data"].([]any)) != 25 {
		t.Errorf("unasked: summary %v, %d items", page["summary"], len(page["data"].([]any)))
	}
	if page := s.ok("GET", templatesPath+"?category=utility&limit=100", nil); len(page["data"].([]any)) != 2 {
		t.Errorf("utility: %v", page["data"])
	}
	if _, answer := s.call("GET", templatesPath+"?after=sbagliato", nil); code(answer) != 131059 {
		t.Errorf("wrong cursor: %v", answer)
	}
}

func TestNumberLife(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	id := s.ok("POST", "/v26.0/"+waba+"/phone_numbers", object{"cc": "39", "phone_number": "059649213", "verified_name": "Comune di Carpi"})["id"].(string)
	path := "/v26.0/" + id
	steps := []struct {
		edge string
		body object
		code int
	}{
		{"/messages", object{"messaging_product": "whatsapp", "to": maria, "type": "text", "text": object{"body": "x"}}, 133010},
		{"/register", object{"messaging_product": "whatsapp", "pin": "123456"}, 133006},
		{"/request_code", object{"code_method": "PIGEON", "language": "it"}, 100},
		{"/request_code", object{"code_method": "VOICE", "language": "it"}, 0},
		{"/verify_code", object{"code": "000000"}, 136024},
		{"/verify_code", object{"code": "123456"}, 0},
		{"/register", object{"messaging_product": "whatsapp", "pin": "12"}, 100},
		{"/register", object{"messaging_product": "whatsapp", "pin": "123456"}, 0},
		{"/register", object{"messaging_product": "whatsapp", "pin": "654321"}, 133005},
		{"/whatsapp_business_profile", object{"messaging_product": "whatsapp", "about": long(140)}, 100},
		{"/whatsapp_business_profile", object{"messaging_product": "whatsapp", "about": "URP", "vertical": "GOVT"}, 0},
		{"/settings", object{"storage_configuration": object{"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "DE"}}, 0},
		{"/settings", object{"holograms": true}, 100},
	}
	for _, step := range steps {
		if _, answer := s.call("POST", path+step.edge, step.body); code(answer) != step.code {
			t.Errorf("POST %s %v answered %v, want code %d", step.edge, step.body, answer, step.code)
		}
	}
	got := s.ok("GET", path+"?fields=status,display_phone_number,throughput,health_status{can_send_message},verified_name", nil)
	if got["status"] != "CONNECTED" || got["display_phone_number"] != "+39 059 649213" || got["throughput"].(object)["level"] != "STANDARD" || got["health_status"] == nil {
		t.Errorf("number %v", got)
	}
	profile := s.ok("GET", path+"/whatsapp_business_profile?fields=about,vertical", nil)["data"].([]any)[0].(object)
	if profile["about"] != "URP" || profile["vertical"] != "GOVT" {
		t.Errorf("profile %v", profile)
	}
	if numbers := s.ok("GET", "/v26.0/"+waba+"/phone_numbers", nil)["data"].([]any); len(numbers) != 2 {
		t.Errorf("numbers %v", numbers)
	}
}

func TestBlockedUsers(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	path := "/v26.0/" + number + "/block_users"
	block := object{"messaging_product": "whatsapp", "block_users": list(object{"user": maria})}
	_, answer := s.call("POST", path, block)
	outcome, _ := answer["block_users"].(object)
	if code(answer) != 139100 || len(outcome["failed_users"].([]any)) != 1 || len(outcome["added_users"].([]any)) != 0 {
		t.Errorf("somebody who has not written: %v", answer)
	}
	s.write(maria, object{"text": "Uno"})
	s.ok("POST", path, block)
	if m := s.ok("POST", "/simulator/citizens/"+maria+"/messages", object{"text": "Due"}); m["status"] != "failed" {
		t.Errorf("message of a blocked citizen %v", m)
	}
	if data := s.ok("GET", path, nil)["data"].([]any); len(data) != 1 || data[0].(object)["wa_id"] != "393471234567" {
		t.Errorf("blocked %v", data)
	}
	s.ok("DELETE", path, block)
	s.write(maria, object{"text": "Tre"})
	eventually(t, "two messages", func() bool { return len(d.items(t, "messages")) == 2 })
	if body := d.items(t, "messages")[1]["text"].(object)["body"]; body != "Tre" {
		t.Errorf("second message %v", body)
	}
}
