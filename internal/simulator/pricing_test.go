// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// sentStatus is the status "sent" of a message, once it has come.
func (d *desk) sentStatus(t *testing.T, id string) (found object) {
	t.Helper()
	eventually(t, "sent", func() bool {
		for _, st := range d.items(t, "statuses") {
			if st["id"] == id && st["status"] == "sent" {
				found = st
			}
		}
		return found != nil
	})
	return found
}

func TestPricesByDate(t *testing.T) {
	tests := []struct {
		day     string
		version string
		model   string
		kind    any // of a template in the window
		talk    bool
	}{
		{"2025-06-01T09:00:00Z", "v23.0", "CBP", nil, true},
		{"2026-03-02T09:00:00Z", "v23.0", "PMP", "free_customer_service", true},
		{"2026-03-02T09:00:00Z", "v24.0", "PMP", "free_customer_service", false},
		{"2026-11-02T09:00:00Z", "v26.0", "PMP", "regular", false},
	}
	for _, test := range tests {
		t.Run(test.day+test.version, func(t *testing.T) {
			s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
			s.connect(d)
			s.ok("PUT", "/simulator/webhook", object{"version": test.version})
			s.ok("POST", "/simulator/clock", object{"set": test.day})
			s.write(maria, object{"text": "Salve"})
			st := d.sentStatus(t, s.sent(greeting()))
			price := st["pricing"].(object)
			if price["pricing_model"] != test.model || price["type"] != test.kind || price["category"] != "utility" {
				t.Errorf("price %v", price)
			}
			talk, _ := st["conversation"].(object)
			if (talk != nil) != test.talk {
				t.Errorf("conversation %v", talk)
			}
			if test.talk && (blank(talk["id"]) || blank(talk["expiration_timestamp"]) || talk["origin"].(object)["type"] != "utility") {
				t.Errorf("conversation %v", talk)
			}
		})
	}
}

func TestAThousandRepliesAMonthAreFree(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	s.ok("PUT", "/simulator/numbers/"+number, object{"throughput": "UNLIMITED"})
	s.happens("payment_failure")
	refused := 0
	for range 101 {
		s.write(maria, object{"text": "Salve"})
		s.advance("60s")
		for range 10 {
			if got := s.sendCode(text("x")); got != 0 {
				refused++
			}
		}
		s.advance("1s")
	}
	if refused != 10 {
		t.Errorf("without a payment method %d of 1010 replies were refused, want those after the thousandth", refused)
	}
	s.happens("payment_failure", object{"end": true})
	eventually(t, "the webhooks", func() bool { return s.hooks()["pending"] == 0.0 })
	kinds := map[any]int{}
	for _, st := range d.items(t, "statuses") {
		if st["status"] == "sent" {
			kinds[st["pricing"].(object)["type"]]++
		}
	}
	if kinds["free_customer_service"] != 1000 || len(kinds) != 1 {
		t.Errorf("prices %v", kinds)
	}
	s.write(maria, object{"text": "Salve"})
	paid := s.sent(text("a pagamento"))
	s.advance("1s")
	if p := d.sentStatus(t, paid)["pricing"].(object); p["type"] != "regular" || p["billable"] != true {
		t.Errorf("the next one costs %v", p)
	}
	s.advance("240h")
	s.write(maria, object{"text": "Salve"})
	free := s.sent(text("il mese dopo"))
	s.advance("1s")
	if p := d.sentStatus(t, free)["pricing"].(object); p["type"] != "free_customer_service" {
		t.Errorf("the first of the next month costs %v", p)
	}
}

func TestFreeEntryPoint(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	s.write(maria, object{"text": "Salve", "referral": true})
	if d.message(t, 1)["referral"].(object)["source_type"] != "ad" {
		t.Error("the message does not say where it comes from")
	}
	id := s.sent(greeting())
	s.advance("1s")
	st := d.sentStatus(t, id)
	if p, c := st["pricing"].(object), st["conversation"].(object); p["type"] != "free_entry_point" || p["category"] != "referral_conversion" || c["origin"].(object)["type"] != "referral_conversion" || blank(c["expiration_timestamp"]) {
		t.Errorf("price %v, conversation %v", p, c)
	}
	s.advance("71h")
	if got := s.sendCode(text("x")); got != 131047 {
		t.Errorf("the free entry point keeps the window open: %d", got)
	}
	id = s.sent(greeting())
	s.advance("2h")
	if p := d.sentStatus(t, id)["pricing"].(object); p["type"] != "free_entry_point" {
		t.Errorf("71 hours later: %v", p)
	}
	id = s.sent(greeting())
	s.advance("1s")
	if p := d.sentStatus(t, id)["pricing"].(object); p["type"] != "regular" {
		t.Errorf("73 hours later: %v", p)
	}
}
