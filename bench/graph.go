// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"
)

// graph pretends to be Meta's API, as far as sending goes. It answers at once and notes when the bytes
// of each message were there. It is no simulator: it refuses nothing.
type graph struct {
	url    string
	server *http.Server
	sent   atomic.Int64

	mu      sync.Mutex
	waiting map[string]chan time.Time // by the text of a message that somebody waits for
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
		g.note(m.Get("text.body").String(), at)
		return fmt.Sprintf(`{"messaging_product":"whatsapp","contacts":[{"input":%q,"wa_id":%q}],"messages":[{"id":"wamid.HBgLGRAPH%024d"}]}`,
			m.Get("to").String(), m.Get("to").String(), g.sent.Add(1))
	case strings.HasSuffix(r.URL.Path, "/message_templates"):
		return `{"data":[]}`
	case strings.HasSuffix(r.URL.Path, "/"+phoneNumberID):
		return `{"id":"` + phoneNumberID + `","display_phone_number":"+39 0541 123456","verified_name":"Comune di Prova","status":"CONNECTED",` +
			`"quality_rating":"GREEN","throughput":{"level":"HIGH"}}`
	}
	return `{"success":true}`
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
