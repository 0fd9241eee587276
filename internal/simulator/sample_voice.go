// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"encoding/binary"
)

// opusFrames are 20 ms each; positions in an Ogg Opus stream count samples at 48 kHz whatever was recorded.
const (
	framesPerSecond = 50
	samplesPerFrame = 960
	preSkip         = 312
	oggSerial       = 0x46696c6f
)

// voiceSample is a silent voice note: Ogg (RFC 3533) with Opus, mono (RFC 7845).
func voiceSample(seconds int) []byte {
	head := binary.LittleEndian.AppendUint16([]byte("OpusHead\x01\x01"), preSkip)
	head = binary.LittleEndian.AppendUint32(head, 48000)
	head = append(head, 0, 0, 0) // no gain, channel mapping family 0

	vendor := "filodiretto"
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	tags = binary.LittleEndian.AppendUint32(append(tags, vendor...), 0)

	silence := []byte{0xF8, 0xFF, 0xFE} // CELT, full band, 20 ms, mono
	var out bytes.Buffer
	page := func(flags byte, position uint64, sequence uint32, packets ...[]byte) {
		out.Write(oggPage(flags, position, sequence, packets))
	}
	page(2, 0, 0, head)
	page(0, 0, 1, tags)
	for second := range seconds {
		packets := make([][]byte, framesPerSecond)
		for i := range packets {
			packets[i] = silence
		}
		flags := byte(0)
		if second == seconds-1 {
			flags = 4
		}
		page(flags, uint64((second+1)*framesPerSecond*samplesPerFrame), uint32(second+2), packets...)
	}
	return out.Bytes()
}

// oggPage is one page of whole packets, each shorter than 255 bytes.
func oggPage(flags byte, position uint64, sequence uint32, packets [][]byte) []byte {
	page := append([]byte("OggS\x00"), flags)
	page = binary.LittleEndian.AppendUint64(page, position)
	page = binary.LittleEndian.AppendUint32(page, oggSerial)
	page = binary.LittleEndian.AppendUint32(page, sequence)
	page = append(page, 0, 0, 0, 0, byte(len(packets)))
	for _, p := range packets {
		page = append(page, byte(len(p)))
	}
	for _, p := range packets {
		page = append(page, p...)
	}
	binary.LittleEndian.PutUint32(page[22:], oggChecksum(page))
	return page
}

// oggChecksum is the CRC of RFC 3533: polynomial 0x04c11db7, neither reflected nor inverted.
func oggChecksum(data []byte) uint32 {
	var crc uint32
	for _, b := range data {
		crc ^= uint32(b) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
