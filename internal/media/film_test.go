// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

func box(kind string, parts ...string) string {
	body := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))) + kind + body
}

func longBox(kind, body string) string {
	return "\x00\x00\x00\x01" + kind + string(binary.BigEndian.AppendUint64(nil, uint64(16+len(body)))) + body
}

const taken = "\xE5\x5A\x4E\x01" // when

// What tells of a film goes, and what is drawn stays where it was.
func TestFilmsAreSentWithoutWhatTheyTell(t *testing.T) {
	const pixels = "udta and meta may well stand in what is drawn"
	short, long := strings.Repeat(taken, 2), strings.Repeat("\x00\x00\x00\x00"+taken, 2)
	film := func(story string) string {
		fill := func(kind, body string) string {
			if story == "" {
				return box("free", strings.Repeat("\x00", len(body)))
			}
			return box(kind, body)
		}
		times := func(s string) string {
			if story == "" {
				return strings.Repeat("\x00", len(s))
			}
			return s
		}
		return box("ftyp", "mp42\x00\x00\x00\x00mp42") +
			box("moov", box("mvhd", "\x00\x00\x00\x00"+times(short), "rest"), fill("udta", told), fill("meta", told),
				box("trak", box("tkhd", "\x01\x00\x00\x07"+times(long), "rest"), box("mdia", box("mdhd", "\x00\x00\x00\x00"+times(short), "rest"), box("hdlr", "vide")), fill("udta", told))) +
			fill("uuid", told) + longBox("wide", "x") + box("mdat", pixels) + "\x00\x00\x00\x00mdat" + pixels
	}
	var out bytes.Buffer
	if err := stripFilm(&out, strings.NewReader(film(told))); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != film("") {
		t.Errorf("sent is %q", got)
	}
	for _, broken := range []string{"\x00", box("moov", box("udta", told)[:20]), box("moov", "\x00\x00\x00\x04mvhd"), box("moov", box("mvhd", "\x01\x00\x00\x00"+short)), "\x00\x00\x00\x01wide\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"} {
		if err := stripFilm(io.Discard, strings.NewReader(broken)); err == nil {
			t.Errorf("%q is a film", broken)
		}
	}
}
