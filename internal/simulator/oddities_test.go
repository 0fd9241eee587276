// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func TestOddWebhooks(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick(), WebhookBatch: 1}), newDesk(t)
	s.connect(d)
	s.stillClock()
	seconds := fmt.Sprint(monday.Unix())
	hidden := object{"phone": maria, "username": "maria.b", "bsuid_only": true}
	id := s.citizen(hidden)["user_id"].(string)
	nth := 0
	next := func() []byte {
		t.Helper()
		s.write(id, object{"text": "Salve"})
		nth++
		eventually(t, "the webhook", func() bool { return len(d.all()) == nth })
		return d.all()[nth-1].body
	}
	tests := []struct {
		fault   string
		has     string
		without string // and that without the fault
	}{
		{"webhook_milliseconds", `"timestamp":"` + seconds + `000"`, `"timestamp":"` + seconds + `"`},
		{"webhook_unknown", `"field":"field_of_tomorrow"`, `"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number"`},
		{"webhook_bare_contacts", `"contacts":[{"user_id":"` + id + `"}]`, `"profile":{"name":`},
		{"webhook_id_as_phone", `"from":"` + id + `"`, `{"from_user_id":"` + id + `"`},
	}
	for _, test := range tests {
		s.ok("PUT", "/simulator/faults", object{test.fault: true})
		if body := next(); !bytes.Contains(body, []byte(test.has)) || bytes.Contains(body, []byte(test.without)) {
			t.Errorf("%s gives %s", test.fault, body)
		}
		d.values(t) // it is JSON still
		s.ok("PUT", "/simulator/faults", object{})
		if body := next(); bytes.Contains(body, []byte(test.has)) || !bytes.Contains(body, []byte(test.without)) {
			t.Errorf("without %s comes %s", test.fault, body)
		}
	}
}

func TestErrorsAloneCanBeSent(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("POST", "/simulator/webhook", object{"field": "messages", "value": object{"messaging_product": "whatsapp",
		"metadata": object{"display_phone_number": "390541123456", "phone_number_id": number},
		"errors":   list(object{"code": 131000, "title": "Something went wrong"})}})
	eventually(t, "the errors", func() bool { return len(d.items(t, "errors")) == 1 })
	if v := d.values(t)[0]; v["messages"] != nil || v["statuses"] != nil || d.items(t, "errors")[0]["code"] != 131000.0 {
		t.Errorf("value %v", v)
	}
}

func TestMessagesAndStatusesComeTogether(t *testing.T) {
	delays := quick()
	delays.Sent, delays.Delivered, delays.Read = 0, -1, -1
	s, d := start(t, simulator.Options{Delays: delays}), newDesk(t)
	s.write(maria, object{"text": "Salve"})
	s.sent(text("Buongiorno"))
	eventually(t, "both waiting", func() bool { return s.hooks()["pending"] == 2.0 })
	s.connect(d)
	eventually(t, "both", func() bool { return len(d.items(t, "messages")) == 1 && len(d.items(t, "statuses")) == 1 })
	if v := d.values(t); len(v) != 1 || v[0]["messages"] == nil || v[0]["statuses"] == nil {
		t.Errorf("they come in %d values: %v", len(v), v)
	}
}
