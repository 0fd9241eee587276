// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http"
	"testing"
)

// Who asks is told by the connection, or by a proxy on the same machine, and by nobody else.
func TestWhoAsks(t *testing.T) {
	for name, c := range map[string]struct{ remote, forwarded, want string }{
		"direct":            {"192.0.2.7:4711", "", "192.0.2.7:4711"},
		"direct, pretended": {"192.0.2.7:4711", "198.51.100.1", "192.0.2.7:4711"},
		"local proxy":       {"127.0.0.1:4711", "198.51.100.1", "198.51.100.1:0"},
		"pretended through": {"[::1]:4711", "203.0.113.9, 198.51.100.1", "198.51.100.1:0"},
		"local, garbage":    {"127.0.0.1:4711", "unknown", "127.0.0.1:4711"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := clientAddress(r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
