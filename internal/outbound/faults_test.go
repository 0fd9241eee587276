// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
)

// A status of HTTP without a word of Graph's says nothing of the message, whichever it is and whether or
// not the request took effect: the reply stays uncertain, goes out no second time, and others go on.
func TestABareStatusIsNotSure(t *testing.T) {
	for _, status := range []int{401, 429} {
		for _, processed := range []bool{false, true} {
			t.Run(fmt.Sprint(status, " ", processed), func(t *testing.T) {
				each(t, func(t *testing.T, o *office) {
					id := o.citizen("393331234567")
					o.faults(map[string]any{"broken": []any{map[string]any{"kind": "status", "status": status, "times": 1, "processed": processed}}})
					m := o.reply(id, "forse")
					o.becomes(m, conversation.Uncertain)
					o.becomes(o.reply(id, "poi"), conversation.Accepted)
					if got := o.status(m); got != conversation.Uncertain {
						t.Errorf("the first became %v", got)
					}
					if got := o.sends(); !slices.Equal(got, []string{"forse", "poi"}) {
						t.Errorf("sends are %q", got)
					}
				})
			})
		}
	}
}
