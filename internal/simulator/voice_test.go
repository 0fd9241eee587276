// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"testing"
)

// webm is a recording of packets as browsers write it: segment and cluster of unknown size.
func webm(packets ...[]byte) []byte {
	element := func(id []byte, content []byte) []byte { return append(append(id, byte(0x80|len(content))), content...) }
	unknown := []byte{0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	out := element([]byte{0x1A, 0x45, 0xDF, 0xA3}, []byte{0x42, 0x86, 0x81, 1})
	out = append(append(out, 0x18, 0x53, 0x80, 0x67), unknown...)
	entry := element([]byte{0x63, 0xA2}, []byte("OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00"))
	out = append(out, element([]byte{0x16, 0x54, 0xAE, 0x6B}, element([]byte{0xAE}, entry))...)
	out = append(append(out, 0x1F, 0x43, 0xB6, 0x75), unknown...)
	for _, p := range packets {
		out = append(out, element([]byte{0xA3}, append([]byte{0x81, 0, 0, 0x80}, p...))...)
	}
	return out
}

func TestRecordingsBecomeOgg(t *testing.T) {
	packet := append([]byte{0xF8}, bytes.Repeat([]byte{7}, 60)...)
	var many [][]byte
	for range 120 {
		many = append(many, packet)
	}
	ogg, err := oggFromWebM(webm(many...))
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(ogg, packet); got != len(many) {
		t.Errorf("%d packets of %d", got, len(many))
	}
	if pages := bytes.Count(ogg, []byte("OggS")); pages != 5 { // head, tags, and a page a second
		t.Errorf("%d pages", pages)
	}
	if _, err := oggFromWebM([]byte("this is no recording")); err == nil {
		t.Error("text became a voice note")
	}
}

func FuzzOggFromWebM(f *testing.F) {
	f.Add(webm([]byte{0xF8, 0xFF, 0xFE}))
	f.Add([]byte{0xA3, 0x81, 0x81})
	f.Add([]byte{0x18, 0x53, 0x80, 0x67, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		ogg, err := oggFromWebM(data)
		if err == nil && !bytes.HasPrefix(ogg, []byte("OggS")) {
			t.Errorf("%x became %x", data, ogg)
		}
	})
}
