// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// What Meta has begun goes on after a restart, each thing at the time it was to happen.
func TestWhatIsUnderWaySurvivesARestart(t *testing.T) {
	delays := quick()
	delays.Upgrade = time.Minute
	opts, d := simulator.Options{Delays: delays, Data: t.TempDir(), WebhookParallel: 1}, newDesk(t)
	server, err := simulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{t: t, url: serve(t, server)}
	s.connect(d)
	s.stillClock()
	s.ok("PUT", "/simulator/templates", object{"name": "avviso", "language": "it", "category": "MARKETING", "announce": true})
	s.ok("PUT", "/simulator/templates", object{"name": "hello_world", "language": "en_US", "quality": "RED"})
	s.happens("throughput_upgrade")
	s.happens("ban", object{"type": "SCHEDULE_FOR_DISABLE", "for": "48h"})
	s.advance("30s")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}

	s = start(t, opts)
	read := func(path, field string) any { return s.ok("GET", "/v26.0/"+path+"?fields="+field, nil)[field] }
	first := func(name string) object {
		return s.ok("GET", "/v26.0/"+waba+"/message_templates?name="+name, nil)["data"].([]any)[0].(object)
	}
	level := func() any { return read(number, "throughput").(object)["level"] }
	if got := s.sendCode(named1("avviso")); got != 131057 || level() != "STANDARD" {
		t.Errorf("half a minute into the upgrade a send gets %d, the level is %v", got, level())
	}
	s.advance("31s")
	if got := s.sendCode(named1("avviso")); got != 0 || level() != "HIGH" {
		t.Errorf("after the upgrade a send gets %d, the level is %v", got, level())
	}
	d.change(t, 1, "max_daily_conversations_per_business")
	if got := first("hello_world")["status"]; got != "PAUSED" {
		t.Errorf("the red template is %v", got)
	}
	s.advance("3h")
	if got := first("hello_world")["status"]; got != "APPROVED" {
		t.Errorf("after three hours the red template is %v", got)
	}
	s.advance("22h")
	if v := d.change(t, 1, "previous_category"); v["new_category"] != "MARKETING" || first("avviso")["category"] != "MARKETING" {
		t.Errorf("the category is told by %v", v)
	}
	if got := read(number, "status"); got != "CONNECTED" {
		t.Errorf("before the ban the number is %v", got)
	}
	s.advance("24h")
	if got := read(number, "status"); got != "BANNED" {
		t.Errorf("after the ban the number is %v", got)
	}
}

func TestAScheduledBanCanBeCalledOff(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.stillClock()
	s.happens("ban", object{"type": "SCHEDULE_FOR_DISABLE", "for": "48h"})
	s.happens("ban", object{"end": true})
	s.advance("49h")
	if got := s.sendCode(greeting()); got != 0 {
		t.Errorf("a send gets %d", got)
	}
}

func TestHealthOfTemplates(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	health := func() (string, object) {
		t.Helper()
		node := s.ok("GET", "/v26.0/"+waba+"/message_templates?name=avviso&fields=health_status", nil)["data"].([]any)[0].(object)["health_status"].(object)
		kinds := object{}
		for _, e := range node["entities"].([]any) {
			entity := e.(object)
			kinds[entity["entity_type"].(string)] = entity["can_send_message"]
		}
		return node["can_send_message"].(string), kinds
	}
	is := func(what, want, template, account string) {
		t.Helper()
		if all, kinds := health(); all != want || kinds["MESSAGE_TEMPLATE"] != template || kinds["WABA"] != account || len(kinds) != 4 {
			t.Errorf("%s: %s of %v", what, all, kinds)
		}
	}
	is("at first", "AVAILABLE", "AVAILABLE", "AVAILABLE")
	s.happens("payment_failure")
	is("unpaid", "LIMITED", "AVAILABLE", "LIMITED")
	s.happens("ban")
	is("banned", "BLOCKED", "AVAILABLE", "BLOCKED")
	s.happens("ban", object{"end": true})
	s.happens("payment_failure", object{"end": true})
	s.ok("PUT", "/simulator/templates", object{"name": "avviso", "language": "it", "status": "PAUSED"})
	is("paused", "BLOCKED", "BLOCKED", "AVAILABLE")
}
