// SPDX-License-Identifier: AGPL-3.0-or-later

// Package metatest runs the simulator as a pretended Meta for tests.
package metatest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Meta is a simulator at an address of its own, and a client of it.
type Meta struct {
	URL    string
	Client *whatsapp.Client
}

// Start runs a simulator until the test ends.
func Start(t testing.TB, opts simulator.Options) *Meta {
	t.Helper()
	server, err := simulator.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server.Handler())
	m := &Meta{URL: web.URL, Client: whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: web.URL})}
	t.Cleanup(func() {
		m.Client.CloseIdle()
		web.CloseClientConnections()
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Control asks something of the simulator itself, and puts the answer into into unless that is nil.
func (m *Meta) Control(t testing.TB, method, path string, body, into any) {
	t.Helper()
	Control(t, m.URL, method, path, body, into)
}

// Control is the method of that name, for a simulator at an address.
func Control(t testing.TB, address, method, path string, body, into any) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address+"/simulator/"+path, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if w.StatusCode/100 != 2 {
		t.Fatalf("the simulator answered %s %s with %d: %s", method, path, w.StatusCode, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}
