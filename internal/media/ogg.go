// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"
)

const (
	oggPageHeader = 27                            // bytes before the segment table (RFC 3533, 6)
	oggMaxPage    = oggPageHeader + 255 + 255*255 // bytes of the longest page there can be
	opusRate      = 48_000                        // granules a second (RFC 7845, 4)
	noGranule     = math.MaxUint64                // of a page on which no packet ends
	maxDuration   = 24 * time.Hour                // beyond it the file lies
)

var errNotOpus = errors.New("not an Ogg file with one Opus stream")

// opusDuration is the length of a voice note: the granule position of the last page, less what a player
// skips at the start (RFC 7845, 4.1). It reads the first and the last page only.
func opusDuration(content io.ReaderAt, size int64) (time.Duration, error) {
	first := make([]byte, min(size, oggMaxPage))
	if _, err := content.ReadAt(first, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	head, ok := readOggPage(first)
	if !ok || len(head.body) < 19 || !bytes.HasPrefix(head.body, []byte("OpusHead")) {
		return 0, errNotOpus
	}
	skip := uint64(binary.LittleEndian.Uint16(head.body[10:]))
	from := max(0, size-2*oggMaxPage) // the last page on which a packet ends begins here at the latest
	tail := make([]byte, size-from)
	if _, err := content.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	end := lastGranule(tail, head.stream)
	if end <= skip {
		return 0, nil
	}
	seconds := float64(end-skip) / opusRate
	if seconds > maxDuration.Seconds() {
		return 0, errNotOpus
	}
	return time.Duration(seconds * float64(time.Second)).Truncate(time.Millisecond), nil
}

// lastGranule is the position at the end of the last page of a stream, 0 if there is none.
func lastGranule(tail []byte, stream uint32) uint64 {
	for at := len(tail); ; {
		at = bytes.LastIndex(tail[:at], []byte("OggS"))
		if at < 0 {
			return 0
		}
		if p, ok := readOggPage(tail[at:]); ok && p.stream == stream && p.granule != noGranule {
			return p.granule
		}
	}
}

// oggPage is a page of RFC 3533.
type oggPage struct {
	granule uint64
	stream  uint32
	body    []byte
}

// readOggPage reads the page b begins with; ok is false for what only looks like one.
func readOggPage(b []byte) (p oggPage, ok bool) {
	if len(b) < oggPageHeader || !bytes.HasPrefix(b, []byte("OggS\x00")) {
		return oggPage{}, false
	}
	segments := int(b[26])
	if len(b) < oggPageHeader+segments {
		return oggPage{}, false
	}
	start, length := oggPageHeader+segments, 0
	for _, s := range b[oggPageHeader:start] {
		length += int(s)
	}
	if len(b) < start+length {
		return oggPage{}, false
	}
	return oggPage{granule: binary.LittleEndian.Uint64(b[6:]), stream: binary.LittleEndian.Uint32(b[14:]), body: b[start : start+length]}, true
}
