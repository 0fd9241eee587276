// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// happens makes something happen to the default account.
func (s *sim) happens(event string, with ...object) {
	s.t.Helper()
	body := object{"event": event}
	for _, fields := range with {
		for k, v := range fields {
			body[k] = v
		}
	}
	s.ok("POST", "/simulator/events", body)
}

// change waits for the nth change of a field at the desk and returns its value.
func (d *desk) change(t *testing.T, n int, has string) object {
	t.Helper()
	find := func() (found []object) {
		for _, v := range d.values(t) {
			if _, ok := v[has]; ok && v["messaging_product"] == nil {
				found = append(found, v)
			}
		}
		return found
	}
	eventually(t, "a change with "+has, func() bool { return len(find()) >= n })
	return find()[n-1]
}

func (s *sim) sendCode(content object) int {
	s.t.Helper()
	_, answer := s.send(content)
	return code(answer)
}

func greeting() object {
	return object{"type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}}
}

func TestAccountTroubles(t *testing.T) {
	tests := []struct {
		event   string
		with    object
		reply   int // what a reply in the window gets
		first   int // and what a template outside gets
		health  string
		status  string
		webhook string // key of the value of the webhook; empty where Meta sends none
	}{
		{"restriction", nil, 0, 368, "LIMITED", "RESTRICTED", "restriction_info"},
		{"restriction", object{"type": "RESTRICTED_CUSTOMER_INITIATED_MESSAGING", "code": 131031}, 131031, 131031, "BLOCKED", "RESTRICTED", "restriction_info"},
		{"ban", nil, 131031, 131031, "BLOCKED", "BANNED", "ban_info"},
		{"payment_failure", nil, 0, 131042, "LIMITED", "CONNECTED", ""},
		{"maintenance", nil, 131057, 131057, "BLOCKED", "CONNECTED", ""},
		{"maintenance", object{"code": 133004}, 133004, 133004, "BLOCKED", "CONNECTED", ""},
		{"maintenance", object{"code": 2494100}, 2494100, 2494100, "BLOCKED", "CONNECTED", ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.event, test.with["code"]), func(t *testing.T) {
			s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
			s.connect(d)
			s.write(maria, object{"text": "Salve"})
			s.happens(test.event, test.with)
			outside := greeting()
			outside["to"] = "+393331112223"
			if got := s.sendCode(text("x")); got != test.reply {
				t.Errorf("a reply gets %d, want %d", got, test.reply)
			}
			if got := s.sendCode(outside); got != test.first {
				t.Errorf("a template outside the window gets %d, want %d", got, test.first)
			}
			node := s.ok("GET", "/v26.0/"+number+"?fields=status,health_status", nil)
			if got := node["health_status"].(object)["can_send_message"]; got != test.health || node["status"] != test.status {
				t.Errorf("health is %v and status %v, want %s and %s", got, node["status"], test.health, test.status)
			}
			if test.webhook != "" {
				d.change(t, 1, test.webhook)
			}
			s.happens(test.event, object{"end": true})
			if a, b := s.sendCode(text("x")), s.sendCode(outside); a != 0 || b != 0 {
				t.Errorf("after the end sends get %d and %d", a, b)
			}
		})
	}
}

func TestRestrictionEndsByItself(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	s.happens("restriction", object{"for": "3d"})
	info := d.change(t, 1, "restriction_info")["restriction_info"].([]any)[0].(object)
	if info["restriction_type"] != "RESTRICTED_BIZ_INITIATED_MESSAGING" || info["expiration"] != float64(monday.Add(72*time.Hour).Unix()) {
		t.Errorf("restriction %v", info)
	}
	s.advance("71h")
	if got := s.sendCode(greeting()); got != 368 {
		t.Errorf("an hour before the end a template gets %d", got)
	}
	s.advance("2h")
	if got := s.sendCode(greeting()); got != 0 {
		t.Errorf("after the end a template gets %d", got)
	}
}

func TestThroughputUpgrade(t *testing.T) {
	delays := quick()
	delays.Upgrade = time.Minute
	s, d := start(t, simulator.Options{Delays: delays}), newDesk(t)
	s.connect(d)
	s.stillClock()
	s.happens("throughput_upgrade")
	if got := s.sendCode(greeting()); got != 131057 {
		t.Errorf("during the upgrade a send gets %d", got)
	}
	s.advance("61s")
	if got := s.sendCode(greeting()); got != 0 {
		t.Errorf("after the upgrade a send gets %d", got)
	}
	v := d.change(t, 1, "event")
	if v["event"] != "THROUGHPUT_UPGRADE" || v["display_phone_number"] != "390541123456" || v["max_daily_conversations_per_business"] != "TIER_UNLIMITED" {
		t.Errorf("told by %v", v)
	}
	if level := s.ok("GET", "/v26.0/"+number+"?fields=throughput", nil)["throughput"].(object)["level"]; level != "HIGH" {
		t.Errorf("the level is %v", level)
	}
}

func TestAccountEventsAreToldAsMetaDoes(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.happens("messaging_limit", object{"limit": "TIER_2K"})
	if v := d.change(t, 1, "max_phone_numbers_per_waba"); v["max_daily_conversations_per_business"] != "TIER_2K" {
		t.Errorf("limit %v", v)
	}
	if got := s.ok("GET", "/v26.0/"+waba+"?fields=whatsapp_business_manager_messaging_limit", nil)["whatsapp_business_manager_messaging_limit"]; got != "TIER_2K" {
		t.Errorf("the limit is %v", got)
	}
	s.happens("name", object{"decision": "APPROVED", "name": "Comune Nuovo"})
	if v := d.change(t, 1, "decision"); v["requested_verified_name"] != "Comune Nuovo" || v["rejection_reason"] != nil {
		t.Errorf("name %v", v)
	}
	if got := s.ok("GET", "/v26.0/"+number+"?fields=verified_name,name_status", nil); got["verified_name"] != "Comune Nuovo" || got["name_status"] != "APPROVED" {
		t.Errorf("number %v", got)
	}
	s.happens("security", object{"type": "PIN_RESET_REQUEST"})
	if v := d.change(t, 1, "requester"); v["event"] != "PIN_RESET_REQUEST" {
		t.Errorf("security %v", v)
	}
	s.happens("alert", object{"type": "OBA_APPROVED", "entity": "PHONE_NUMBER"})
	if v := d.change(t, 1, "alert_info"); v["entity_id"] != number || v["alert_info"].(object)["alert_type"] != "OBA_APPROVED" {
		t.Errorf("alert %v", v)
	}
	s.happens("violation", object{"type": "ADULT"})
	if v := d.change(t, 1, "violation_info"); v["event"] != "ACCOUNT_VIOLATION" || v["violation_info"].(object)["violation_type"] != "ADULT" {
		t.Errorf("violation %v", v)
	}
	s.happens("review", object{"decision": "PENDING"})
	d.change(t, 2, "decision")
	if got := s.ok("GET", "/v26.0/"+waba+"?fields=account_review_status", nil)["account_review_status"]; got != "PENDING" {
		t.Errorf("the review is %v", got)
	}
	for _, bad := range []object{{"event": "x"}, {"event": "ban", "type": "x"}, {"event": "name", "decision": "x"}, {"event": "maintenance", "code": 1}, {"event": "alert", "entity": "x"},
		{"event": "security", "type": "x"}, {"event": "review", "decision": "x"}, {"event": "token", "token": "x"}, {"event": "messaging_limit", "limit": "x"}} {
		if status, _ := s.call("POST", "/simulator/events", bad); status != 400 {
			t.Errorf("%v is answered %d", bad, status)
		}
	}
	s.happens("deletion")
	if got := s.sendCode(greeting()); got != 131031 {
		t.Errorf("a deleted account gets %d", got)
	}
}

func TestTokens(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	read := func() int { _, answer := s.call("GET", "/v26.0/"+number, nil); return code(answer) }
	s.happens("token")
	if a, b := s.sendCode(greeting()), read(); a != 190 || b != 190 {
		t.Errorf("a revoked token gets %d and %d", a, b)
	}
	s.happens("token", object{"type": "restored"})
	s.happens("token", object{"type": "scopes", "scopes": list("whatsapp_business_management")})
	if a, b := s.sendCode(greeting()), read(); a != 10 || b != 0 {
		t.Errorf("a token that may not send gets %d and %d", a, b)
	}
	if scopes := s.ok("GET", "/v26.0/debug_token?input_token=simulator", nil)["data"].(object)["scopes"].([]any); len(scopes) != 1 {
		t.Errorf("its permissions are %v", scopes)
	}
	s.happens("token", object{"type": "scopes", "scopes": list("whatsapp_business_messaging")})
	if a, b := s.sendCode(greeting()), read(); a != 0 || b != 200 {
		t.Errorf("a token that may only send gets %d and %d", a, b)
	}
}

func TestTestNumbers(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.ok("PUT", "/simulator/numbers/"+number, object{"allowed_recipients": list(maria)})
	other := greeting()
	other["to"] = "+393331112223"
	if a, b := s.sendCode(greeting()), s.sendCode(other); a != 0 || b != 131030 {
		t.Errorf("sends get %d and %d", a, b)
	}
	if mode := s.ok("GET", "/v26.0/"+number+"?fields=account_mode", nil)["account_mode"]; mode != "SANDBOX" {
		t.Errorf("the mode is %v", mode)
	}
	s.ok("PUT", "/simulator/numbers/"+number, object{"test_number": false})
	if got := s.sendCode(other); got != 0 {
		t.Errorf("a number like any other gets %d", got)
	}
	if status, _ := s.call("PUT", "/simulator/numbers/"+number, object{"allowed_recipients": list("1", "2", "3", "4", "5", "6")}); status != 400 {
		t.Errorf("six people are answered %d", status)
	}
}

func TestAppSubscriptions(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.ok("PUT", "/simulator/webhook", object{"app_secret": "chiave"})
	s.token = "300000000000001|chiave"
	path := "/v26.0/300000000000001/subscriptions"
	body := object{"object": "whatsapp_business_account", "callback_url": d.URL, "verify_token": "segreto", "fields": "messages,account_update"}
	s.ok("POST", path, body)
	if d.verified == 0 {
		t.Error("the callback was not verified")
	}
	got := s.ok("GET", path, nil)["data"].([]any)[0].(object)
	if got["callback_url"] != d.URL || len(got["fields"].([]any)) != 2 {
		t.Errorf("subscription %v", got)
	}
	s.happens("review")
	s.happens("violation")
	s.write(maria, object{"text": "Salve"})
	d.message(t, 1)
	d.change(t, 1, "violation_info")
	for _, v := range d.values(t) {
		if v["decision"] != nil {
			t.Error("a field that was not subscribed to came")
		}
	}
	if status, answer := s.call("POST", path, object{"object": "whatsapp_business_account", "callback_url": d.URL, "verify_token": "falso", "fields": "messages"}); status != 400 || code(answer) != 2200 {
		t.Errorf("a wrong verify token: %d %v", status, answer)
	}
	if _, answer := s.call("POST", path, object{"object": "whatsapp_business_account", "callback_url": d.URL, "verify_token": "segreto", "fields": list("niente")}); code(answer) != 100 {
		t.Errorf("an unknown field: %v", answer)
	}
	body["fields"] = `["messages"]` // a list written as text
	s.ok("POST", path, body)
	if fields := field(s.ok("GET", path, nil), "data", 0, "fields").([]any); len(fields) != 1 {
		t.Errorf("subscribed to %v", fields)
	}
	s.token = "" // the token of every other request in the header, and the app's in the query
	s.ok("POST", path+"?"+parameters("access_token", "300000000000001|chiave", "object", "whatsapp_business_account", "callback_url", d.URL, "verify_token", "segreto", "fields", "messages,account_update"), nil)
	s.token = "300000000000001|chiave"
	if _, answer := s.call("GET", "/v26.0/"+number, nil); code(answer) != 100 {
		t.Errorf("the app's token reads a number: %v", answer)
	}
	s.ok(http.MethodDelete, path+"?fields=account_update", nil)
	if fields := s.ok("GET", path, nil)["data"].([]any)[0].(object)["fields"].([]any); len(fields) != 1 {
		t.Errorf("left are %v", fields)
	}
	s.ok(http.MethodDelete, path, nil)
	if data := s.ok("GET", path, nil)["data"].([]any); len(data) != 0 {
		t.Errorf("left is %v", data)
	}
	s.token = ""
	if _, answer := s.call("GET", path, nil); code(answer) != 15 {
		t.Errorf("a user's token: %v", answer)
	}
	if token := s.ok("GET", "/oauth/access_token?grant_type=client_credentials&client_id=300000000000001&client_secret=chiave", nil)["access_token"]; token != "300000000000001|chiave" {
		t.Errorf("the token is %v", token)
	}
}
