// SPDX-License-Identifier: AGPL-3.0-or-later

package contact_test

import (
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/contact"
)

// Whatever somebody writes as a phone is none, or digits that keep their meaning when they are written again.
func FuzzDigits(f *testing.F) {
	for _, written := range []string{"331 6432314", "+39 059 649213", "00393316432314", "tel:+39-0541-704704;ext=12", "٠٥٤١٧٠٤٧٠٤", "+", "0", "ciao", "\x00", "\xff", "+800 1234 5678", strings.Repeat("9", 300)} {
		f.Add(written)
	}
	f.Fuzz(func(t *testing.T, written string) {
		digits := contact.Digits(written)
		if digits == "" {
			return
		}
		if strings.Trim(digits, "0123456789") != "" || len(digits) < 4 || len(digits) > 15 {
			t.Fatalf("Digits(%q) = %q", written, digits)
		}
		if !strings.HasPrefix(digits, "39") {
			return // abroad a zero too many goes each time it is written; in Italy zeros mean something
		}
		if again := contact.Digits("+" + digits); again != digits {
			t.Errorf("Digits(%q) = %q, written again %q", written, digits, again)
		}
		if shown := contact.DisplayPhone("+" + digits); contact.Digits(shown) != digits {
			t.Errorf("%q is shown as %q, which is %q", digits, shown, contact.Digits(shown))
		}
	})
}
