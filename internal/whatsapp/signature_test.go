// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"strings"
	"testing"
)

func TestVerifySignature(t *testing.T) {
	const secret = "key"
	body := []byte("The quick brown fox jumps over the lazy dog")
	// A vector everybody can check: HMAC-SHA256 of this sentence under "key".
	good := "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
	if got := Sign(secret, body); got != good {
		t.Fatalf("Sign: got %s", got)
	}
	tests := []struct {
		name, secret, header string
		body                 []byte
		want                 bool
	}{
		{"right", secret, good, body, true},
		{"right, in capitals", secret, "sha256=" + strings.ToUpper(good[7:]), body, true},
		{"another secret", "kez", good, body, false},
		{"another body", secret, good, append([]byte(" "), body...), false},
		{"no header", secret, "", body, false},
		{"no prefix", secret, good[7:], body, false},
		{"older algorithm", secret, "sha1=" + good[7:], body, false},
		{"cut short", secret, good[:len(good)-2], body, false},
		{"too long", secret, good + "00", body, false},
		{"only the prefix", secret, "sha256=", body, false},
		{"no hexadecimal", secret, "sha256=" + strings.Repeat("z", 64), body, false},
		{"no secret", "", Sign("", body), body, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := VerifySignature(test.secret, test.body, test.header); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
