// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// Every sentence for an error of Meta's exists, and none is left without a code; the one that no code
// leads to is told by the sender itself.
func TestEveryErrorHasItsSentence(t *testing.T) {
	reached := map[locale.Key]bool{"graph.uncertain": true}
	for code := range 3_000_000 {
		reached[conversation.FailureKey(code)] = true
	}
	for key := range reached {
		if !locale.Has(key) {
			t.Errorf("%s has no text", key)
		}
	}
	for _, key := range locale.Keys("graph.") {
		if !reached[key] {
			t.Errorf("no code leads to %s", key)
		}
	}
}
