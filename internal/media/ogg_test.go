// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

const stream = 7

// page is a page of RFC 3533; its checksum is left out, as nothing here reads it.
func page(granule uint64, serial uint32, body []byte) []byte {
	b := append([]byte("OggS\x00\x00"), make([]byte, 21)...)
	binary.LittleEndian.PutUint64(b[6:], granule)
	binary.LittleEndian.PutUint32(b[14:], serial)
	full := len(body) / 255
	b[26] = byte(full + 1)
	b = append(b, bytes.Repeat([]byte{255}, full)...)
	b = append(b, byte(len(body)%255))
	return append(b, body...)
}

func opusHead(skip uint16) []byte {
	head := append([]byte("OpusHead\x01\x01"), make([]byte, 9)...)
	binary.LittleEndian.PutUint16(head[10:], skip)
	binary.LittleEndian.PutUint32(head[12:], 48000)
	return page(0, stream, head)
}

func TestOpusDuration(t *testing.T) {
	sound := bytes.Repeat([]byte{0xAA}, 200)
	head, tags := opusHead(312), page(0, stream, []byte("OpusTags"))
	for name, c := range map[string]struct {
		pages [][]byte
		want  time.Duration
		err   error
	}{
		"two seconds":                   {[][]byte{head, tags, page(48000, stream, sound), page(96312, stream, sound)}, 2 * time.Second, nil},
		"last page ends no packet":      {[][]byte{head, tags, page(48312, stream, sound), page(noGranule, stream, sound)}, time.Second, nil},
		"another stream ends later":     {[][]byte{head, tags, page(48312, stream, sound), page(1<<40, stream+1, sound)}, time.Second, nil},
		"the mark within the sound":     {[][]byte{head, tags, page(48312, stream, append([]byte("xOggS\x00\x00"), sound...))}, time.Second, nil},
		"cut within the last page":      {[][]byte{head, tags, page(48312, stream, sound), page(99999, stream, sound)[:100]}, time.Second, nil},
		"no sound":                      {[][]byte{head, tags}, 0, nil},
		"shorter than what is left out": {[][]byte{head, tags, page(300, stream, sound)}, 0, nil},
		"longer than a day":             {[][]byte{head, tags, page(1<<62, stream, sound)}, 0, errNotOpus},
		"vorbis":                        {[][]byte{page(0, stream, append([]byte("\x01vorbis"), make([]byte, 30)...)), page(48000, stream, sound)}, 0, errNotOpus},
		"head cut short":                {[][]byte{page(0, stream, []byte("OpusHead\x01"))}, 0, errNotOpus},
		"a longer file than two pages":  {[][]byte{head, tags, bytes.Repeat(page(1, stream, sound), 2000), page(144312, stream, sound)}, 3 * time.Second, nil},
		"nothing":                       {nil, 0, errNotOpus},
	} {
		t.Run(name, func(t *testing.T) {
			content := bytes.Join(c.pages, nil)
			got, err := opusDuration(bytes.NewReader(content), int64(len(content)))
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, c.want, c.err)
			}
		})
	}
}

func FuzzOpusDuration(f *testing.F) {
	f.Add(append(opusHead(312), page(96312, stream, []byte("sound"))...))
	f.Add(opusHead(0))
	f.Add([]byte("OggS"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := opusDuration(bytes.NewReader(content), int64(len(content)))
		if d < 0 || d > maxDuration || err != nil && d != 0 {
			t.Errorf("got %v, %v", d, err)
		}
	})
}
