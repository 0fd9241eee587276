// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

const (
	waba   = "200000000000001"
	number = "100000000000001"
	maria  = "+393471234567"
)

// quick has no waiting but for what tests make happen with the virtual clock.
func quick() *simulator.Delays {
	return &simulator.Delays{Retry: time.Hour, RetryMax: 24 * time.Hour, Review: time.Hour}
}

// sim is a running simulator and the ways to talk to it.
type sim struct {
	t     *testing.T
	url   string
	token string // "simulator" unless set
}

// start runs a simulator that posts one webhook at a time unless told otherwise, so that tests may look at their order.
func start(t *testing.T, opts simulator.Options) *sim {
	t.Helper()
	if opts.WebhookParallel == 0 {
		opts.WebhookParallel = 1
	}
	server, err := simulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return running(t, server)
}

// running puts a simulator on an address and ends it with the test.
func running(t *testing.T, server *simulator.Server) *sim {
	t.Helper()
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return &sim{t: t, url: web.URL}
}

// call makes a request with a JSON body and returns status and decoded answer.
func (s *sim) call(method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	status, raw := s.raw(method, path, body)
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		s.t.Fatalf("%s %s answered %d %q, not JSON: %v", method, path, status, raw, err)
	}
	return status, answer
}

func (s *sim) raw(method, path string, body any) (int, []byte) {
	s.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cmp.Or(s.token, "simulator"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// ok is call for what must succeed.
func (s *sim) ok(method, path string, body any) map[string]any {
	s.t.Helper()
	status, answer := s.call(method, path, body)
	if status/100 != 2 {
		s.t.Fatalf("%s %s answered %d: %v", method, path, status, answer)
	}
	return answer
}

// write makes a citizen write and returns the message's id.
func (s *sim) write(phone string, content map[string]any) string {
	s.t.Helper()
	return s.ok("POST", "/simulator/citizens/"+phone+"/messages", content)["id"].(string)
}

// send sends content to Maria (or whom "to" names) and returns status and answer.
func (s *sim) send(content map[string]any) (int, map[string]any) {
	s.t.Helper()
	message := map[string]any{"messaging_product": "whatsapp", "to": maria}
	for k, v := range content {
		message[k] = v
	}
	if message["recipient"] != nil {
		delete(message, "to")
	}
	return s.call("POST", "/v26.0/"+number+"/messages", message)
}

func (s *sim) sent(content map[string]any) string {
	s.t.Helper()
	status, answer := s.send(content)
	if status != http.StatusOK {
		s.t.Fatalf("send answered %d: %v", status, answer)
	}
	return answer["messages"].([]any)[0].(map[string]any)["id"].(string)
}

// sentTo sends an approved template with one variable to a phone.
func (s *sim) sentTo(phone, template string) string {
	s.t.Helper()
	return s.sent(map[string]any{"to": phone, "type": "template", "template": map[string]any{"name": template, "language": map[string]any{"code": "it"},
		"components": []any{map[string]any{"type": "body", "parameters": []any{map[string]any{"type": "text", "text": "x"}}}}}})
}

func text(body string) map[string]any {
	return map[string]any{"type": "text", "text": map[string]any{"body": body}}
}

// code is the code of a Graph error, 0 where there is none.
func code(answer map[string]any) int {
	failure, _ := answer["error"].(map[string]any)
	c, _ := failure["code"].(float64)
	return int(c)
}

// blank tells of what is absent, or an empty text.
func blank(v any) bool { return v == nil || v == "" }

// desk is a webhook endpoint that keeps what it gets.
type desk struct {
	*httptest.Server
	mu       sync.Mutex
	posts    []post
	verified int
	answer   func(n int) int // status for the nth post, counted from 1
}

type post struct {
	body      []byte
	signature string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{answer: func(int) int { return http.StatusOK }}
	d.Server = httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Method == http.MethodGet {
		if r.URL.Query().Get("hub.verify_token") != "segreto" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		d.verified++
		fmt.Fprint(w, r.URL.Query().Get("hub.challenge"))
		return
	}
	body, _ := io.ReadAll(r.Body)
	d.posts = append(d.posts, post{body, r.Header.Get("X-Hub-Signature-256")})
	w.WriteHeader(d.answer(len(d.posts)))
}

func (d *desk) setAnswer(f func(int) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = f
}

func (d *desk) all() []post {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]post(nil), d.posts...)
}

// values are the value objects of everything posted, in order.
func (d *desk) values(t *testing.T) []map[string]any {
	t.Helper()
	var values []map[string]any
	for _, p := range d.all() {
		var payload struct {
			Entry []struct {
				Changes []struct {
					Value map[string]any `json:"value"`
				} `json:"changes"`
			} `json:"entry"`
		}
		if err := json.Unmarshal(p.body, &payload); err != nil {
			t.Fatalf("webhook %q: %v", p.body, err)
		}
		for _, e := range payload.Entry {
			for _, c := range e.Changes {
				values = append(values, c.Value)
			}
		}
	}
	return values
}

// items are the elements of one array of all values: messages or statuses.
func (d *desk) items(t *testing.T, name string) []map[string]any {
	t.Helper()
	var items []map[string]any
	for _, v := range d.values(t) {
		list, _ := v[name].([]any)
		for _, item := range list {
			items = append(items, item.(map[string]any))
		}
	}
	return items
}

// eventually waits for a condition; a condition that never comes fails the test.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}

func (s *sim) connect(d *desk) map[string]any {
	s.t.Helper()
	return s.ok("PUT", "/simulator/webhook", map[string]any{"url": d.URL, "app_secret": "chiave", "verify_token": "segreto"})
}

func TestRoad(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	if answer := s.connect(d); answer["verified"] != true {
		t.Fatalf("webhook not verified: %v", answer)
	}
	s.ok("POST", "/simulator/citizens", map[string]any{"phone": maria, "name": "Maria Bianchi", "username": "maria.b"})
	in := s.write(maria, map[string]any{"number": number, "text": "C'è una buca in via Garibaldi"})
	eventually(t, "the citizen's message", func() bool { return len(d.items(t, "messages")) == 1 })
	got := d.items(t, "messages")[0]
	if got["id"] != in || got["from"] != "393471234567" || got["text"].(map[string]any)["body"] != "C'è una buca in via Garibaldi" {
		t.Fatalf("message %v", got)
	}
	contact := d.values(t)[0]["contacts"].([]any)[0].(map[string]any)
	if profile := contact["profile"].(map[string]any); contact["wa_id"] != "393471234567" || profile["name"] != "Maria Bianchi" || profile["username"] != "@maria.b" {
		t.Fatalf("contact %v", contact)
	}
	out := s.sent(map[string]any{"type": "text", "text": map[string]any{"body": "Grazie"}, "context": map[string]any{"message_id": in}, "biz_opaque_callback_data": "42"})
	eventually(t, "all statuses", func() bool { return len(d.items(t, "statuses")) == 3 })
	for i, want := range []string{"sent", "delivered", "read"} {
		st := d.items(t, "statuses")[i]
		if st["status"] != want || st["id"] != out || st["biz_opaque_callback_data"] != "42" || st["recipient_id"] != "393471234567" {
			t.Errorf("status %d is %v, want %s", i, st, want)
		}
	}
	items := s.ok("GET", "/simulator/citizens/"+maria+"/messages", nil)["items"].([]any)
	if len(items) != 2 {
		t.Fatalf("chat %v", items)
	}
	last := items[1].(map[string]any)
	if last["status"] != "read" || last["direction"] != "out" || last["reply_to"] != in || last["text"] != "Grazie" {
		t.Fatalf("last message %v", last)
	}
}
