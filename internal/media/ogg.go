// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/binary"
	"io"
	"time"
)

// oggDuration is the length of an Ogg Opus file: the granule position of its last page, in samples of
// 48 kHz (RFC 7845, section 4). 0 when it can't be told.
func oggDuration(r io.ReaderAt, size int64) time.Duration {
	const tail = 64 << 10
	from := max(0, size-tail)
	end := make([]byte, size-from)
	if n, err := r.ReadAt(end, from); err != nil && n < len(end) {
		return 0
	}
	at := bytes.LastIndex(end, []byte("OggS"))
	if at < 0 || len(end) < at+14 {
		return 0
	}
	samples := binary.LittleEndian.Uint64(end[at+6:])
	const day = 24 * 60 * 60 * 48000
	if samples > day { // also the "no packet ends here" of all ones
		return 0
	}
	return time.Duration(samples) * time.Second / 48000
}
