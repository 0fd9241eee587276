// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func TestWebhooksAreSigned(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"text": "Perché? 🙂 così/cosà"})
	eventually(t, "the webhook", func() bool { return len(d.all()) == 1 })
	got := d.all()[0]
	mac := hmac.New(sha256.New, []byte("chiave"))
	mac.Write(got.body)
	if got.signature != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("signature %q does not fit the body", got.signature)
	}
	if bytes.IndexFunc(got.body, func(r rune) bool { return r > 127 }) >= 0 || !bytes.Contains(got.body, []byte(`Perch\u00e9? \ud83d\ude42 cos\u00ec\/cos\u00e0`)) {
		t.Errorf("body is not escaped as Meta's: %s", got.body)
	}
	s.ok("PUT", "/simulator/faults", object{"webhook_signature": "wrong"})
	s.write(maria, object{"text": "x"})
	eventually(t, "the second webhook", func() bool { return len(d.all()) == 2 })
	mac.Reset()
	mac.Write(d.all()[1].body)
	if d.all()[1].signature == "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		t.Error("the wrong signature is right")
	}
}

func TestWebhooksAreRepeatedUntilAnswered200(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	d.setAnswer(func(n int) int { return []int{503, 404, 202, 200}[min(n-1, 3)] })
	s.write(maria, object{"text": "Salve"})
	for n, next := range []string{"61m", "121m", "241m", "8h"} { // as far as the next try, and no further
		eventually(t, fmt.Sprintf("post %d", n+1), func() bool { return len(d.all()) == n+1 && s.hooks()["failures"] == float64(min(n+1, 3)) })
		s.ok("POST", "/simulator/clock", object{"advance": next})
	}
	eventually(t, "the end", func() bool { return s.hooks()["pending"] == 0.0 })
	for _, p := range d.all() {
		if !bytes.Equal(p.body, d.all()[0].body) {
			t.Error("a repetition differs from the first try")
		}
	}
	s.ok("POST", "/simulator/clock", object{"advance": "48h"})
	s.write(maria, object{"text": "Fine"})
	eventually(t, "the last", func() bool { return len(d.all()) == 5 && s.hooks()["pending"] == 0.0 })
}

func (s *sim) hooks() object {
	s.t.Helper()
	return s.ok("GET", "/simulator/accounts", nil)["items"].([]any)[0].(object)["webhooks"].(object)
}

func TestWebhooksAreGivenUpAfterSevenDays(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	d.setAnswer(func(int) int { return 500 })
	s.write(maria, object{"text": "Salve"})
	eventually(t, "the first try", func() bool { return s.hooks()["failures"] == 1.0 })
	s.ok("POST", "/simulator/clock", object{"advance": "169h"})
	eventually(t, "the end", func() bool { return s.hooks()["dropped"] == 1.0 && s.hooks()["pending"] == 0.0 })
}

func TestDeskThatComesUpLater(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	address := d.URL
	d.Close()
	if answer := s.ok("PUT", "/simulator/webhook", object{"url": address, "app_secret": "chiave", "verify_token": "segreto"}); answer["verified"] != false || blank(answer["error"]) {
		t.Errorf("answer %v", answer)
	}
	s.write(maria, object{"text": "Salve"})
	eventually(t, "the first try", func() bool { return s.hooks()["failures"] == 1.0 })
	later := newDesk(t)
	if answer := s.connect(later); answer["verified"] != true {
		t.Errorf("answer %v", answer)
	}
	eventually(t, "the message that waited", func() bool { return len(later.items(t, "messages")) == 1 })
}

func TestWebhookIsNotLostWhileNoneIsSet(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.write(maria, object{"text": "Salve"})
	s.connect(d)
	eventually(t, "the message", func() bool { return len(d.items(t, "messages")) == 1 })
}

func TestDuplicates(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("PUT", "/simulator/faults", object{"webhook_duplicates": 2})
	id := s.write(maria, object{"text": "Salve"})
	eventually(t, "three copies", func() bool { return len(d.items(t, "messages")) == 3 })
	for _, m := range d.items(t, "messages") {
		if m["id"] != id {
			t.Errorf("message %v", m)
		}
	}
}

func TestReorder(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("PUT", "/simulator/faults", object{"webhook_reorder": true, "reorder_within": "100ms"})
	s.write(maria, object{"text": "Salve"})
	for range 20 {
		s.sent(text("Buongiorno"))
	}
	eventually(t, "all statuses", func() bool { return len(d.items(t, "statuses")) == 60 })
	rank := map[string]int{"sent": 1, "delivered": 2, "read": 3}
	highest, inverted := map[any]int{}, 0
	for _, st := range d.items(t, "statuses") {
		r := rank[st["status"].(string)]
		if r < highest[st["id"]] {
			inverted++
		}
		highest[st["id"]] = max(highest[st["id"]], r)
	}
	if inverted == 0 {
		t.Error("every status came in order")
	}
}

func TestUpdatesAreBatched(t *testing.T) {
	release := make(chan struct{})
	d := newDesk(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		d.serve(w, r)
	}))
	t.Cleanup(slow.Close)
	s := start(t, simulator.Options{Delays: quick(), WebhookParallel: 1, WebhookBatch: 50})
	s.ok("PUT", "/simulator/numbers/"+number, object{"throughput": "HIGH"})
	for i := range 120 {
		s.write(phoneOf(i), object{"text": "Salve"})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ok("PUT", "/simulator/webhook", object{"url": slow.URL, "app_secret": "chiave", "verify_token": "segreto"})
	}()
	close(release)
	<-done
	eventually(t, "all messages", func() bool { return len(d.items(t, "messages")) == 120 })
	var sizes []int
	for _, v := range d.values(t) {
		sizes = append(sizes, len(v["messages"].([]any)))
	}
	if !slices.Equal(sizes, []int{50, 50, 20}) {
		t.Errorf("batches of %v", sizes)
	}
}

func TestOverrides(t *testing.T) {
	s, app, own := start(t, simulator.Options{Delays: quick()}), newDesk(t), newDesk(t)
	s.connect(app)
	status, answer := s.call("POST", "/v26.0/"+waba+"/subscribed_apps", object{"override_callback_uri": own.URL, "verify_token": "sbagliato"})
	if status != 400 || code(answer) != 2200 {
		t.Errorf("wrong verify token: %d %v", status, answer)
	}
	s.ok("POST", "/v26.0/"+waba+"/subscribed_apps", object{"override_callback_uri": own.URL, "verify_token": "segreto"})
	s.write(maria, object{"text": "Uno"})
	eventually(t, "the override", func() bool { return len(own.items(t, "messages")) == 1 })
	app1 := s.ok("GET", "/v26.0/"+waba+"/subscribed_apps", nil)["data"].([]any)[0].(object)
	if app1["override_callback_uri"] != own.URL || app1["whatsapp_business_api_data"] == nil {
		t.Errorf("subscription %v", app1)
	}
	s.ok("POST", "/v26.0/"+waba+"/subscribed_apps", nil)
	s.write(maria, object{"text": "Due"})
	eventually(t, "the app's callback", func() bool { return len(app.items(t, "messages")) == 1 })
	eventually(t, "the answer", func() bool { return s.hooks()["pending"] == 0.0 })
	s.ok("DELETE", "/v26.0/"+waba+"/subscribed_apps", nil)
	s.write(maria, object{"text": "Tre"})
	if data := s.ok("GET", "/v26.0/"+waba+"/subscribed_apps", nil)["data"].([]any); len(data) != 0 || s.hooks()["pending"] != 0.0 {
		t.Errorf("after unsubscribing: %v, %v", data, s.hooks())
	}
}

func TestAnyChangeCanBeSent(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("POST", "/simulator/webhook", object{"field": "account_alerts", "value": object{"entity_type": "BUSINESS"}})
	eventually(t, "the change", func() bool { v := d.values(t); return len(v) == 1 && v[0]["entity_type"] == "BUSINESS" })
	s.write(maria, object{"raw": object{"type": "hologram", "hologram": object{"id": 1}, "id": "wamid.mio"}})
	eventually(t, "the raw message", func() bool { return len(d.items(t, "messages")) == 1 })
	if m := d.items(t, "messages")[0]; m["id"] != "wamid.mio" || m["hologram"] == nil || m["from"] != "393471234567" {
		t.Errorf("message %v", m)
	}
}

func TestStateLasts(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	opts := simulator.Options{Delays: quick(), Data: dir, WebhookParallel: 1}
	d.setAnswer(func(int) int { return 500 })
	var user any
	var mediaID string
	run := func(f func(*sim)) {
		server, err := simulator.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(server.Handler())
		f(&sim{t: t, url: web.URL})
		web.Close()
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(func(s *sim) {
		s.connect(d)
		s.ok("POST", "/simulator/accounts", object{"waba_id": "200000000000009", "phone_number_id": "100000000000009", "display_number": "+39 059 649213", "token": "carpi"})
		user = s.ok("POST", "/simulator/citizens", object{"phone": maria, "name": "Maria"})["user_id"]
		mediaID = s.write(maria, object{"image": true})
		s.ok("PUT", "/simulator/faults", object{"refuse": list(object{"code": 131000, "times": 5})})
		eventually(t, "the first try", func() bool { return s.hooks()["failures"] == 1.0 })
		s.ok("POST", "/simulator/clock", object{"advance": "2h"})
		eventually(t, "the second", func() bool { return len(d.all()) >= 2 })
	})
	d.setAnswer(func(int) int { return 200 })
	before := len(d.all())
	run(func(s *sim) {
		eventually(t, "the webhook that was not answered", func() bool { return len(d.all()) > before && s.hooks()["pending"] == 0.0 })
		if got := s.ok("GET", "/simulator/citizens/"+maria, nil); got["user_id"] != user || got["name"] != "Maria" {
			t.Errorf("citizen %v", got)
		}
		items := s.ok("GET", "/simulator/citizens/"+maria+"/messages", nil)["items"].([]any)
		if len(items) != 1 || items[0].(object)["id"] != mediaID {
			t.Fatalf("chat %v", items)
		}
		if status, data := s.raw("GET", items[0].(object)["media"].(string), nil); status != 200 || len(data) < 1000 {
			t.Errorf("photo: %d, %d bytes", status, len(data))
		}
		if len(s.ok("GET", "/simulator/accounts", nil)["items"].([]any)) != 2 {
			t.Error("an account is missing")
		}
		if got := s.ok("GET", "/simulator/clock", nil)["advanced"]; got != "2h0m0s" {
			t.Errorf("clock advanced %v", got)
		}
		if _, answer := s.send(text("x")); code(answer) != 131000 {
			t.Errorf("fault forgotten: %v", answer)
		}
	})
}

func TestStatusesGoOnAfterARestart(t *testing.T) {
	dir, d := t.TempDir(), newDesk(t)
	delays := quick()
	delays.Delivered = time.Hour
	for i := range 2 {
		server, err := simulator.New(simulator.Options{Delays: delays, Data: dir, WebhookParallel: 1})
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(server.Handler())
		s := &sim{t: t, url: web.URL}
		if i == 0 {
			s.connect(d)
			s.write(maria, object{"text": "Salve"})
			s.sent(text("Buongiorno"))
			eventually(t, "sent", func() bool { return len(d.items(t, "statuses")) == 1 && s.hooks()["pending"] == 0.0 })
		} else {
			s.ok("POST", "/simulator/clock", object{"advance": "3h"})
			eventually(t, "read", func() bool { return len(d.items(t, "statuses")) == 3 })
		}
		web.Close()
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReset(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"text": "Salve"})
	s.ok("PUT", "/simulator/faults", object{"window_closed": true})
	s.ok("POST", "/simulator/reset", nil)
	if items := s.ok("GET", "/simulator/citizens", nil)["items"].([]any); len(items) != 0 {
		t.Errorf("citizens %v", items)
	}
	if items := s.ok("GET", "/simulator/requests", nil)["items"].([]any); len(items) != 0 {
		t.Errorf("requests %v", items)
	}
	s.write(maria, object{"text": "Salve"})
	eventually(t, "the callback stays", func() bool {
		return slices.ContainsFunc(d.all(), func(p post) bool { return strings.Contains(string(p.body), "Salve") })
	})
	s.sent(text("Buongiorno"))
}
