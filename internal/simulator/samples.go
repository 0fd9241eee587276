// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/base64"
	"encoding/hex"
)

// sample is a small file to send without having one at hand.
type sample struct {
	data []byte
	mime string
	name string
}

func sampleFor(kind string) sample { return sample{data: []byte("x"), mime: "text/plain", name: kind} }

func hexToBase64(text string) string {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(raw)
}
