// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"encoding/binary"
)

// The sample video: a traffic light that changes, 160 × 160, a new picture every half second.
const (
	videoSide      = 160
	videoTimescale = 1000
	videoFrameTime = 500
)

// videoSample is H.264 (baseline, uncompressed macroblocks) in an MP4 file: every player reads it and no encoder is needed.
func videoSample(seconds int) []byte {
	var frames [][]byte
	for i := range seconds * videoTimescale / videoFrameTime {
		frames = append(frames, videoFrame(i))
	}
	return mp4File(videoSPS(), videoPPS(), frames)
}

func videoSPS() []byte {
	w := &msbWriter{}
	w.bits(0x42C01E, 24) // constrained baseline, level 3
	w.ue(0)              // id
	w.ue(0)              // frame_num of 4 bits
	w.ue(2)              // output order is decoding order
	w.ue(0)              // no reference frames
	w.bits(0, 1)
	w.ue(videoSide/16 - 1)
	w.ue(videoSide/16 - 1)
	w.bits(0b1100, 4) // frames only, direct 8×8, no cropping, no further information
	return nalUnit(0x67, w)
}

func videoPPS() []byte {
	w := &msbWriter{}
	w.ue(0)
	w.ue(0)
	w.bits(0, 2) // CAVLC
	w.ue(0)
	w.ue(0)
	w.ue(0)
	w.bits(0, 3)
	w.se(0)
	w.se(0)
	w.se(0)
	w.bits(0b100, 3) // deblocking may be switched off
	return nalUnit(0x68, w)
}

// videoFrame is an IDR picture of raw macroblocks.
func videoFrame(i int) []byte {
	w := &msbWriter{}
	w.ue(0) // first macroblock
	w.ue(7) // all slices are I
	w.ue(0)
	w.bits(0, 4)        // frame_num
	w.ue(uint32(i) % 2) // idr_pic_id differs from its neighbour's
	w.bits(0, 2)
	w.se(0)
	w.ue(1) // no deblocking
	for mby := range videoSide / 16 {
		for mbx := range videoSide / 16 {
			w.ue(25) // I_PCM
			w.align()
			macroblock(w, mbx*16, mby*16, i)
		}
	}
	return nalUnit(0x65, w)
}

func macroblock(w *msbWriter, left, top, frame int) {
	for y := range 16 {
		for x := range 16 {
			w.bits(uint32(lightAt(left+x, top+y, frame)[0]), 8)
		}
	}
	for plane := 1; plane <= 2; plane++ {
		for y := range 8 {
			for x := range 8 {
				w.bits(uint32(lightAt(left+2*x, top+2*y, frame)[plane]), 8)
			}
		}
	}
}

// lightAt is the colour (Y, Cb, Cr) of a point: three lamps, one of them lit.
func lightAt(x, y, frame int) [3]byte {
	lamps := [3]struct {
		cy  int
		lit [3]byte
	}{{34, [3]byte{81, 90, 240}}, {80, [3]byte{169, 44, 165}}, {126, [3]byte{112, 72, 58}}}
	if x < 48 || x > 112 {
		return [3]byte{190, 140, 120}
	}
	for i, lamp := range lamps {
		if (x-80)*(x-80)+(y-lamp.cy)*(y-lamp.cy) <= 19*19 {
			if []int{0, 2, 1}[i] == frame%3 {
				return lamp.lit
			}
			return [3]byte{52, 128, 128}
		}
	}
	return [3]byte{28, 128, 128}
}

// msbWriter writes a bit stream as H.264 does, highest bit first.
type msbWriter struct {
	out  []byte
	cur  byte
	have int
}

func (w *msbWriter) bits(value uint32, n int) {
	if w.have == 0 && n == 8 {
		w.out = append(w.out, byte(value))
		return
	}
	for i := n - 1; i >= 0; i-- {
		w.cur = w.cur<<1 | byte(value>>i&1)
		if w.have++; w.have == 8 {
			w.out, w.cur, w.have = append(w.out, w.cur), 0, 0
		}
	}
}

// ue writes an unsigned Exp-Golomb number, se a signed one.
func (w *msbWriter) ue(v uint32) {
	length := 0
	for (v+1)>>length > 1 {
		length++
	}
	w.bits(0, length)
	w.bits(v+1, length+1)
}

func (w *msbWriter) se(v int) {
	if v > 0 {
		w.ue(uint32(2*v - 1))
		return
	}
	w.ue(uint32(-2 * v))
}

func (w *msbWriter) align() {
	if w.have > 0 {
		w.bits(0, 8-w.have)
	}
}

// nalUnit ends the stream and keeps it from looking like a start code.
func nalUnit(header byte, w *msbWriter) []byte {
	w.bits(1, 1)
	w.align()
	out, zeros := []byte{header}, 0
	for _, b := range w.out {
		if zeros >= 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		if b == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}

// mp4File puts frames, all of them key frames, into an MP4 file (ISO/IEC 14496-12).
func mp4File(sps, pps []byte, frames [][]byte) []byte {
	var media bytes.Buffer
	var sizes []uint32
	for _, f := range frames {
		media.Write(u32(uint32(len(f))))
		media.Write(f)
		sizes = append(sizes, uint32(len(f)+4))
	}
	fileType := box("ftyp", []byte("isom"), u32(512), []byte("isomiso2avc1mp41"))
	movie := func(offset uint32) []byte { return movieBox(sps, pps, sizes, offset) }
	offset := uint32(len(fileType) + len(movie(0)) + 8)
	return bytes.Join([][]byte{fileType, movie(offset), box("mdat", media.Bytes())}, nil)
}

func movieBox(sps, pps []byte, sizes []uint32, offset uint32) []byte {
	duration := u32(uint32(len(sizes) * videoFrameTime))
	matrix := bytes.Join([][]byte{u32(0x10000), u32(0), u32(0), u32(0), u32(0x10000), u32(0), u32(0), u32(0), u32(0x40000000)}, nil)
	header := box("mvhd", u32(0), u32(0), u32(0), u32(videoTimescale), duration, u32(0x10000), u16(0x100), make([]byte, 10), matrix, make([]byte, 24), u32(2))
	track := box("tkhd", u32(3), u32(0), u32(0), u32(1), u32(0), duration, make([]byte, 16), matrix, u32(videoSide<<16), u32(videoSide<<16))
	mediaHeader := box("mdhd", u32(0), u32(0), u32(0), u32(videoTimescale), duration, u16(0x55C4), u16(0))
	handler := box("hdlr", u32(0), u32(0), []byte("vide"), make([]byte, 12), []byte("video\x00"))
	data := box("dinf", box("dref", u32(0), u32(1), box("url ", u32(1))))
	information := box("minf", box("vmhd", u32(1), make([]byte, 8)), data, sampleTable(sps, pps, sizes, offset))
	return box("moov", header, box("trak", track, box("mdia", mediaHeader, handler, information)))
}

func sampleTable(sps, pps []byte, sizes []uint32, offset uint32) []byte {
	config := box("avcC", []byte{1, sps[1], sps[2], sps[3], 0xFF, 0xE1}, u16(uint16(len(sps))), sps, []byte{1}, u16(uint16(len(pps))), pps)
	codec := box("avc1", make([]byte, 6), u16(1), make([]byte, 16), u16(videoSide), u16(videoSide), u32(0x480000), u32(0x480000), u32(0), u16(1),
		make([]byte, 32), u16(24), u16(0xFFFF), config)
	count := u32(uint32(len(sizes)))
	var table []byte
	for _, size := range sizes {
		table = append(table, u32(size)...)
	}
	return box("stbl", box("stsd", u32(0), u32(1), codec), box("stts", u32(0), u32(1), count, u32(videoFrameTime)),
		box("stsc", u32(0), u32(1), u32(1), count, u32(1)), box("stsz", u32(0), u32(0), count, table), box("stco", u32(0), u32(1), u32(offset)))
}

func box(kind string, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	return bytes.Join([][]byte{u32(uint32(len(content) + 8)), []byte(kind), content}, nil)
}

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func u16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
