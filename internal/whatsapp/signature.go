// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const signaturePrefix = "sha256="

// Sign returns the X-Hub-Signature-256 header that Meta puts on a webhook with
// this body: "sha256=" and the HMAC-SHA256 of the bytes under the app secret,
// in lower-case hexadecimal.
func Sign(appSecret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(appSecret))
	mac.Write(body)
	return signaturePrefix + hex.EncodeToString(mac.Sum(nil))
}

// VerifySignature tells whether header is the X-Hub-Signature-256 of body, the
// bytes exactly as they came: call it before decoding anything. It compares in
// constant time. An empty app secret verifies nothing, so that a municipality
// without one is not open to everybody.
func VerifySignature(appSecret string, body []byte, header string) bool {
	if appSecret == "" || !IsSignature(header) {
		return false
	}
	return hmac.Equal([]byte(strings.ToLower(header)), []byte(Sign(appSecret, body)))
}

// IsSignature tells whether header has the form of an X-Hub-Signature-256: what has not needs no reading.
func IsSignature(header string) bool {
	encoded, ok := strings.CutPrefix(header, signaturePrefix)
	claimed, err := hex.DecodeString(encoded)
	return ok && err == nil && len(claimed) == sha256.Size
}
