// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a token or key. However it is printed, logged or encoded, only
// dots come out, so that none ends in a log or a stored document by accident;
// [Secret.Reveal] is the one way to the value.
type Secret string

const dots = "•••"

// Reveal is the value itself.
func (s Secret) Reveal() string { return string(s) }

// String is dots, or nothing where there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return dots
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format prints the same under every verb: %x would pass String by.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// LogValue is what slog writes.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText writes dots.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON writes dots.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads a secret; dots are read as none, so that a stored
// document can never make a token of them.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if text == dots {
		text = ""
	}
	*s = Secret(text)
	return nil
}
