// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// A reply is tried for a day from when it was written; a copy, which may have waited for days before, for a day of
// tries.
func TestForHowLongAMessageIsTried(t *testing.T) {
	down, twice := whatsapp.Advice{Class: whatsapp.Retry}, whatsapp.Advice{Class: whatsapp.Retry, Tries: 2}
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	old, young := now.Add(-25*time.Hour), now.Add(-23*time.Hour)
	for _, c := range []struct {
		name   string
		advice whatsapp.Advice
		m      conversation.Message
		want   bool
	}{
		{"a reply of today", down, conversation.Message{At: young, Tries: 500}, true},
		{"a reply of yesterday", down, conversation.Message{At: old}, false},
		{"a copy prepared yesterday", down, conversation.Message{At: old, BroadcastID: 1}, true},
		{"a copy tried for a day", down, conversation.Message{At: old, BroadcastID: 1, Tries: 288}, false},
		{"as often as Meta says", twice, conversation.Message{At: old, BroadcastID: 1, Tries: 1}, true},
		{"more often", twice, conversation.Message{At: young, Tries: 2}, false},
	} {
		if got := again(c.advice, c.m, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
