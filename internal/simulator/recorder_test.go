// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func serve(t *testing.T, server *simulator.Server) string {
	t.Helper()
	web := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return web.URL
}

func TestRequestsAreFiltered(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	for i := range 6 {
		message := hello(phoneOf(i))
		message["biz_opaque_callback_data"] = fmt.Sprintf("%d-%d", i/3, i)
		s.sent(message)
	}
	s.send(to(maria, text("Buongiorno"))) // refused: no window
	s.ok("GET", "/v26.0/"+number+"?fields=id", nil)
	for query, want := range map[string]float64{
		"": 8, "?path=/messages": 7, "?path=/messages&status=200": 6, "?status=400": 1, "?method=get": 1, "?to=" + maria[1:]: 1,
		"?callback=0-2": 1, "?callback=1-*": 3, "?callback=0-*&status=200": 3, "?callback=none": 0, "?since=7": 1, "?path=/messages&limit=0": 7,
	} {
		if got := s.ok("GET", "/simulator/requests"+query, nil)["total"]; got != want {
			t.Errorf("requests%s: %v, want %v", query, got, want)
		}
	}
	short := s.ok("GET", "/simulator/requests?callback=1-*&fields=callback,to,status&limit=1", nil)["items"].([]any)
	if len(short) != 1 || fmt.Sprint(short[0]) != fmt.Sprint(object{"callback": "1-5", "to": phoneOf(5), "status": 200.0}) {
		t.Errorf("the short form is %v", short)
	}
	for _, query := range []string{"fields=token", "limit=-1", "limit=x", "status=ok", "since=yesterday"} {
		if status, _ := s.call("GET", "/simulator/requests?"+query, nil); status != http.StatusBadRequest {
			t.Errorf("%s was answered %d", query, status)
		}
	}
}

func TestRecorderForgetsTheOldest(t *testing.T) {
	tests := []struct {
		name      string
		opts      simulator.Options
		size      int // of what is sent
		most      int // requests that may be kept
		forgotten bool
	}{
		{"room for all", simulator.Options{}, 10, 20, false},
		{"so many requests", simulator.Options{Recorded: 7}, 10, 7, true},
		{"so many bytes", simulator.Options{RecordedBytes: 20_000}, 3000, 7, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Delays = quick()
			s := start(t, test.opts)
			s.write(maria, object{"text": "Salve"})
			for range 20 {
				s.sent(text(strings.Repeat("x", test.size)))
			}
			all := s.ok("GET", "/simulator/requests", nil)
			items := all["items"].([]any)
			if len(items) == 0 || len(items) > test.most || all["forgotten"] != float64(20-len(items)) || all["forgotten"] != 0.0 != test.forgotten {
				t.Fatalf("%d are kept, %v forgotten", len(items), all["forgotten"])
			}
			for i, item := range items {
				if seq := item.(object)["seq"]; seq != float64(20-len(items)+i) {
					t.Errorf("item %d has number %v", i, seq)
				}
			}
		})
	}
}
