// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import "testing"

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"Pubblica utilità":              "PUBBLICAUTILITA",
		"PUBBLICA UTILITA'":             "PUBBLICAUTILITA",
		"pubblica_utilita\u0300\u200b ": "PUBBLICAUTILITA",
		"utilitaʼ":                      "UTILITA",
		"Ｏｎ":                            "ON",
		"Straße, STRAẞE":                "STRASSESTRASSE",
		"ı İ i I":                       "IIII",
		"n. 2 ² ٢":                      "N22٢",
		"Ελλάς":                         "ΕΛΛΑΣ",
		"👍 {list}":                      "LIST",
		"\xff?!":                        "",
	} {
		if got := Fold(text); got != want {
			t.Errorf("Fold(%q) = %q, not %q", text, got, want)
		}
	}
}
