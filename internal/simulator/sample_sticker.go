// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import "encoding/binary"

// stickerSample is a smile of 512 × 512, lossless WebP (RFC 9649): one colour, and a bit a pixel for whether it is there.
func stickerSample() []byte {
	const side = 512
	w := &lsbWriter{}
	w.put(0x2f, 8)
	w.put(side-1, 14)
	w.put(side-1, 14)
	w.put(1, 1)       // alpha is used
	w.put(0, 3)       // version
	w.put(0, 1)       // no transform
	w.put(0, 1)       // no colour cache
	w.put(0, 1)       // one group of codes for the whole image
	w.oneSymbol(0xC4) // green
	w.oneSymbol(0xF2) // red
	w.oneSymbol(0x3A) // blue
	w.put(1, 1)       // alpha: a simple code
	w.put(1, 1)       // of two symbols
	w.put(0, 1)       // the first is 0 or 1
	w.put(0, 1)
	w.put(255, 8)
	w.oneSymbol(0) // distance, never used
	for y := range side {
		for x := range side {
			w.put(smile(x-side/2, y-side/2), 1)
		}
	}
	data := w.bytes()
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(data)))
	out = binary.LittleEndian.AppendUint32(append(out, "WEBPVP8L"...), uint32(len(data)))
	return append(out, data...)
}

// smile is 1 inside the face but for eyes and mouth.
func smile(x, y int) uint32 {
	inside := func(cx, cy, r int) bool { return (x-cx)*(x-cx)+(y-cy)*(y-cy) <= r*r }
	switch {
	case !inside(0, 0, 240), inside(-85, -60, 32), inside(85, -60, 32), inside(0, 20, 150) && !inside(0, -20, 150) && y > 60:
		return 0
	}
	return 1
}

// lsbWriter writes numbers of some bits, lowest bit first.
type lsbWriter struct {
	out  []byte
	have uint
	hold uint64
}

func (w *lsbWriter) put(value uint32, bits uint) {
	w.hold |= uint64(value) << w.have
	for w.have += bits; w.have >= 8; w.have -= 8 {
		w.out = append(w.out, byte(w.hold))
		w.hold >>= 8
	}
}

// oneSymbol is the code of a channel that has one value everywhere: its pixels cost no bits.
func (w *lsbWriter) oneSymbol(value uint32) {
	w.put(1, 1) // simple code
	w.put(0, 1) // of one symbol
	w.put(1, 1) // in eight bits
	w.put(value, 8)
}

func (w *lsbWriter) bytes() []byte {
	if w.have > 0 {
		w.put(0, 8-w.have)
	}
	return w.out
}
