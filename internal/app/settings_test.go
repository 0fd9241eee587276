// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/app"
)

func TestPublicAddressCanBeOpened(t *testing.T) {
	for _, c := range []struct{ public, listen, want string }{
		{"https://desk.example.it/", "0.0.0.0:8080", "https://desk.example.it"},
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"", "0.0.0.0:8080", "http://127.0.0.1:8080"},
		{"", "[::]:8080", "http://127.0.0.1:8080"},
		{"", ":8080", "http://127.0.0.1:8080"},
		{"", "[::1]:8080", "http://[::1]:8080"},
		{"", "10.1.2.3:80", "http://10.1.2.3:80"},
		{"", "desk:8080", "http://desk:8080"},
	} {
		if got := (app.Settings{PublicURL: c.public, Listen: c.listen}).Public(); got != c.want {
			t.Errorf("public %q, listening on %q: got %q, want %q", c.public, c.listen, got, c.want)
		}
	}
}
