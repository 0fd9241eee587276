// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/municipality"
)

// A list by the name of a word that means the same everywhere could not be named.
func TestNoListIsCalledByAWordOfTheGrammar(t *testing.T) {
	const file = `slug: prova
name: Comune di Prova
whatsapp: {display_number: "+39 0541 123456", phone_number_id: "1", waba_id: "2", access_token: a, app_secret: b, verify_token: c}
access: open
automation: keywords
offices: [{id: urp, name: URP}]
calendars: {whatsapp: {weekly: [{days: [mon], open: "09:00", close: "13:00"}]}}
policy: {version: "1", text: Prova}
lists: [{keyword: WORD, name: Prova, kind: notice}]
`
	tried := 0
	for _, of := range sayings {
		for _, saying := range of {
			for _, phrase := range saying.phrases {
				if word := municipality.Fold(phrase); word == phrase { // one word, of letters
					tried++
					if _, err := municipality.ParseFile("prova.yaml", []byte(strings.ReplaceAll(file, "WORD", word)), nil); err == nil || !strings.Contains(err.Error(), "means something else") {
						t.Errorf("a list may be called %s: %v", word, err)
					}
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d words were tried", tried)
	}
}
