// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// tryToSend sends without expecting an answer of any kind.
func (s *sim) tryToSend(ctx context.Context) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v26.0/"+number+"/messages", strings.NewReader(
		`{"messaging_product":"whatsapp","to":"`+maria+`","type":"text","text":{"body":"x"},"biz_opaque_callback_data":"prova"}`))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer simulator")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

func (s *sim) chatLength() int {
	s.t.Helper()
	return len(s.ok("GET", "/simulator/citizens/"+maria+"/messages", nil)["items"].([]any))
}

func TestBrokenAnswers(t *testing.T) {
	tests := []struct {
		breach object
		fits   func(status int, body string, err error) bool
	}{
		{object{"kind": "status"}, func(status int, body string, _ error) bool { return status == 500 && body == "" }},
		{object{"kind": "status", "status": 429}, func(status int, body string, _ error) bool { return status == 429 && body == "" }},
		{object{"kind": "garbage"}, func(status int, body string, _ error) bool {
			return status == 200 && !json.Valid([]byte(body)) && body != ""
		}},
		{object{"kind": "empty"}, func(status int, body string, err error) bool { return status == 200 && body == "" && err == nil }},
		{object{"kind": "half"}, func(status int, body string, err error) bool {
			return status == 200 && errors.Is(err, io.ErrUnexpectedEOF) && !json.Valid([]byte(body))
		}},
		{object{"kind": "drop"}, func(status int, _ string, err error) bool { return status == 0 && err != nil }},
		{object{"kind": "hang", "delay": "1ms"}, func(status int, _ string, err error) bool { return status == 0 && err != nil }},
	}
	for _, test := range tests {
		for _, processed := range []bool{true, false} {
			t.Run(test.breach["kind"].(string), func(t *testing.T) {
				s := start(t, simulator.Options{Delays: quick()})
				s.write(maria, object{"text": "Salve"})
				breach := object{"times": 1, "processed": processed}
				for k, v := range test.breach {
					breach[k] = v
				}
				s.ok("PUT", "/simulator/faults", object{"broken": list(breach)})
				if status, body, err := s.tryToSend(t.Context()); !test.fits(status, body, err) {
					t.Errorf("answered %d %q %v", status, body, err)
				}
				want := map[bool]int{true: 2, false: 1}[processed]
				if got := s.chatLength(); got != want {
					t.Errorf("the chat has %d messages, want %d (processed %t)", got, want, processed)
				}
				s.sent(text("Ora va")) // once was asked for
			})
		}
	}
}

func TestHangsUntilTheClientLeaves(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.write(maria, object{"text": "Salve"})
	s.ok("PUT", "/simulator/faults", object{"broken": list(object{"kind": "hang", "processed": true})})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, _, err := s.tryToSend(ctx); done <- err }()
	eventually(t, "the send to be processed", func() bool { return s.chatLength() == 2 })
	select {
	case err := <-done:
		t.Fatalf("answered: %v", err)
	default:
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"text": "Salve"})
	s.write("+393331112223", object{"text": "Salve"})
	s.ok("PUT", "/simulator/faults", object{"refuse": list(object{"code": 131056, "times": 2, "to": maria}, object{"code": 131026, "times": 1, "later": true})})
	for i, want := range []int{131056, 131056, 0, 0} {
		if _, answer := s.send(text("x")); code(answer) != want {
			t.Errorf("send %d: code %d, want %d", i+1, code(answer), want)
		}
	}
	eventually(t, "the failure told later", func() bool {
		for _, st := range d.items(t, "statuses") {
			if st["status"] == "failed" {
				return st["errors"].([]any)[0].(object)["code"] == 131026.0
			}
		}
		return false
	})
	if status, answer := s.call("PUT", "/simulator/faults", object{"refuze": 1}); status != 400 || !strings.Contains(answer["error"].(string), "refuze") {
		t.Errorf("misspelt fault: %d %v", status, answer)
	}
}

func TestHeldTemplates(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.ok("PUT", "/simulator/faults", object{"hold": "1h"})
	_, answer := s.send(object{"type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}})
	if m := answer["messages"].([]any)[0].(object); m["message_status"] != "held_for_quality_assessment" {
		t.Errorf("answer %v", answer)
	}
	s.ok("POST", "/simulator/clock", object{"advance": "2h"})
	eventually(t, "the release", func() bool { return len(d.items(t, "statuses")) == 3 })
	s.ok("PUT", "/simulator/faults", object{"hold": "1h", "hold_drop": true})
	s.send(object{"type": "template", "template": object{"name": "hello_world", "language": object{"code": "en_US"}}})
	s.ok("POST", "/simulator/clock", object{"advance": "2h"})
	eventually(t, "the drop", func() bool {
		items := d.items(t, "statuses")
		return len(items) == 4 && items[3]["errors"].([]any)[0].(object)["code"] == 132015.0
	})
}

func TestFaultsExplainThemselves(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	fields := s.ok("GET", "/simulator/faults", nil)["fields"].(object)
	for name, text := range fields {
		if text == "" {
			t.Errorf("fault %s is not explained", name)
		}
	}
	if len(fields) < 10 {
		t.Errorf("only %d faults", len(fields))
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.write(maria, object{"text": "Salve"})
	s.sent(text("Uno"))
	s.send(object{"to": "+393331112223", "type": "text", "text": object{"body": "Due"}})
	s.ok("GET", "/v26.0/"+number, nil)
	tests := []struct {
		query string
		want  int
	}{
		{"", 3}, {"?path=messages", 2}, {"?to=%2B393471234567", 1}, {"?to=393331112223", 1}, {"?method=GET", 1}, {"?since=1", 2}, {"?since=2099-01-01T00:00:00Z", 0}, {"?limit=1", 1},
	}
	for _, test := range tests {
		if items := s.ok("GET", "/simulator/requests"+test.query, nil)["items"].([]any); len(items) != test.want {
			t.Errorf("requests%s: %d, want %d", test.query, len(items), test.want)
		}
	}
	first := s.ok("GET", "/simulator/requests", nil)["items"].([]any)[0].(object)
	if first["status"] != 200.0 || first["method"] != "POST" || first["body"].(object)["text"].(object)["body"] != "Uno" {
		t.Errorf("request %v", first)
	}
	if second := s.ok("GET", "/simulator/requests?to=393331112223", nil)["items"].([]any)[0].(object); second["status"] != 400.0 {
		t.Errorf("refused request %v", second)
	}
}

func TestControlIsNotForOtherSites(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	req, _ := http.NewRequest(http.MethodPost, s.url+"/simulator/reset", nil)
	req.Header.Set("Origin", "https://altrove.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page may reset: %d", resp.StatusCode)
	}
}
