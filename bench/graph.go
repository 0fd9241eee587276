// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"
)

// graph pretends to be Meta's API, as far as sending goes. It notes when the bytes of each message were
// there, and tells of it whoever wants to know. It is no simulator: it refuses nothing.
type graph struct {
	url     string
	server  *http.Server
	latency time.Duration // until a message is answered
	sent    atomic.Int64

	mu      sync.Mutex
	waiting map[string]chan time.Time // by the text of a message that somebody waits for
	hear    func(wired)
}

// wired is a message that reached Meta.
type wired struct {
	sentMessage
	to       string
	template bool
	at       time.Time
}

func newGraph() (*graph, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the pretended Graph: %w", err)
	}
	g := &graph{url: "http://" + l.Addr().String(), waiting: make(map[string]chan time.Time)}
	g.server = &http.Server{Handler: http.HandlerFunc(g.answer), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = g.server.Serve(l) }() // ends with close
	return g, nil
}

func (g *graph) close() { _ = g.server.Close() }

// tell lets f hear of every message from now on, just before it is answered.
func (g *graph) tell(f func(wired)) {
	g.mu.Lock()
	g.hear = f
	g.mu.Unlock()
}

// expect returns where the moment is told at which a message with this text was on the wire.
func (g *graph) expect(text string) <-chan time.Time {
	told := make(chan time.Time, 1)
	g.mu.Lock()
	g.waiting[text] = told
	g.mu.Unlock()
	return told
}

func (g *graph) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	at := time.Now()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, g.reply(r, body, at)) // whoever has gone needs no answer
}

func (g *graph) reply(r *http.Request, body []byte, at time.Time) string {
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/messages"):
		m := gjson.ParseBytes(body)
		if m.Get("status").Exists() { // marked as read
			return `{"success":true}`
		}
		return g.take(r, m, at)
	case strings.HasSuffix(r.URL.Path, "/message_templates"):
		return `{"data":[{"id":"1","name":"` + templateName + `","language":"it","status":"APPROVED","category":"UTILITY","parameter_format":"POSITIONAL",` +
			`"components":[{"type":"BODY","text":"Il Comune informa: {{1}}. Per non ricevere avvisi scrivi STOP."}]}]}`
	case r.Method == http.MethodGet && len(path.Base(r.URL.Path)) == len(phoneNumberID):
		return `{"id":"` + path.Base(r.URL.Path) + `","display_phone_number":"+39 0541 123456","verified_name":"Comune di Prova","status":"CONNECTED",` +
			`"quality_rating":"GREEN","throughput":{"level":"HIGH"}}`
	}
	return `{"success":true}`
}

// take takes a message as Meta does: after its latency, with an id.
func (g *graph) take(r *http.Request, m gjson.Result, at time.Time) string {
	g.note(m.Get("text.body").String(), at)
	to := m.Get("to").String()
	citizen, _ := strconv.Atoi(to[max(0, len(to)-8):]) // only the name in a status depends on it
	sent := wired{to: to, template: m.Get("type").String() == "template", at: at, sentMessage: sentMessage{id: m.Get("biz_opaque_callback_data").String(),
		external: fmt.Sprintf("wamid.HBgLGRAPH%024d", g.sent.Add(1)), citizen: citizen, number: path.Base(path.Dir(r.URL.Path))}}
	time.Sleep(g.latency)
	g.mu.Lock()
	hear := g.hear
	g.mu.Unlock()
	if hear != nil {
		hear(sent)
	}
	return fmt.Sprintf(`{"messaging_product":"whatsapp","contacts":[{"input":%q,"wa_id":%q}],"messages":[{"id":%q}]}`, to, to, sent.external)
}

func (g *graph) note(text string, at time.Time) {
	g.mu.Lock()
	told := g.waiting[text]
	delete(g.waiting, text)
	g.mu.Unlock()
	if told != nil {
		told <- at
	}
}

// meter notes when messages cross the line of a number, either way: Meta counts both.
type meter struct {
	mu       sync.Mutex
	byNumber map[string][]time.Time
}

func newMeter() *meter { return &meter{byNumber: make(map[string][]time.Time)} }

func (m *meter) note(number string, at time.Time) {
	m.mu.Lock()
	m.byNumber[number] = append(m.byNumber[number], at)
	m.mu.Unlock()
}

// most is how many crossed the line of a number within any one second.
func (m *meter) most() (most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, all := range m.byNumber {
		slices.SortFunc(all, time.Time.Compare)
		first := 0
		for i, at := range all {
			for at.Sub(all[first]) >= time.Second {
				first++
			}
			most = max(most, i-first+1)
		}
	}
	return most
}
