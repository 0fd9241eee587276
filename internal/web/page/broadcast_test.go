// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"strings"
	"testing"
)

func TestABroadcastIsNamedByWhatItSays(t *testing.T) {
	long := strings.Repeat("parola ", 40)
	for text, want := range map[string]string{
		"":                       "",
		"\n Via Roma è chiusa. ": "Via Roma è chiusa.",
		"Comune – Protezione civile\n\nAllerta rossa da stasera.\n\nScrivi STOP": "Comune – Protezione civile · Allerta rossa da stasera. · Scrivi STOP",
		"Strada chiusa\n\n" + long: "Strada chiusa · " + long[:144] + "…",
		long + "\nScrivi STOP":     long[:160] + "…",
	} {
		if got := gist(text); got != want {
			t.Errorf("%q is called %q, want %q", text, got, want)
		}
	}
}
