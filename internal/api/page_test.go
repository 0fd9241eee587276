// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/fault"
)

// A cursor is one of ours, of this listing, or none: what is understood is written back as it came.
func FuzzReadCursor(f *testing.F) {
	for _, c := range []string{"", "x", "eyJpIjoibSJ9", position{In: inMessages, ID: 5, At: 1_700_000_000_000_000, Place: 3}.cursor(), position{In: inConversations, ID: 1}.cursor()} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := readCursor(cursor, inMessages)
		switch {
		case err != nil && !fault.Is(err, fault.Invalid, "api.cursor"):
			t.Errorf("%q: %v", cursor, err)
		case err == nil && cursor != "" && (p.cursor() != cursor || p.In != inMessages || !p.possible()):
			t.Errorf("%q is read as %+v", cursor, p)
		}
	})
}
