// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// WhatsApp delivers every voice note as Ogg with Opus. Browsers record Opus too, but most of them into WebM, so
// the packets are taken out of the one wrapping and put into the other; the sound itself is not touched.

// Elements of WebM (Matroska, RFC 9559) on the way to the packets; what lies inside the others is skipped.
const (
	ebmlSegment      = 0x18538067
	ebmlCluster      = 0x1F43B675
	ebmlBlockGroup   = 0xA0
	ebmlBlock        = 0xA1
	ebmlSimpleBlock  = 0xA3
	ebmlTracks       = 0x1654AE6B
	ebmlTrackEntry   = 0xAE
	ebmlCodecPrivate = 0x63A2
)

var errNoOpus = errors.New("no Opus in it")

// oggFromWebM rewraps a recording of one Opus track.
func oggFromWebM(webm []byte) ([]byte, error) {
	var r webmReader
	if err := r.read(webm); err != nil {
		return nil, fmt.Errorf("read WebM: %w", err)
	}
	if !bytes.HasPrefix(r.head, []byte("OpusHead")) || len(r.packets) == 0 {
		return nil, fmt.Errorf("read WebM: %w", errNoOpus)
	}
	w := &oggWriter{}
	w.page(2, 0, r.head)
	w.page(0, 0, opusTags())
	w.packets(r.packets)
	return w.out.Bytes(), nil
}

// webmReader collects the codec's header and the packets.
type webmReader struct {
	head    []byte
	packets [][]byte
}

func (r *webmReader) read(data []byte) error {
	for len(data) > 0 {
		id, idLen, ok := ebmlID(data)
		if !ok {
			return errors.New("broken element id")
		}
		size, sizeLen, unknown, ok := ebmlSize(data[idLen:])
		if !ok {
			return errors.New("broken element size")
		}
		data = data[idLen+sizeLen:]
		if unknown || size > uint64(len(data)) { // a live recording leaves sizes open; a cut one ends early
			size = uint64(len(data))
		}
		if err := r.element(id, data[:size]); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

func (r *webmReader) element(id uint32, content []byte) error {
	switch id {
	case ebmlSegment, ebmlCluster, ebmlBlockGroup, ebmlTracks, ebmlTrackEntry:
		return r.read(content)
	case ebmlCodecPrivate:
		r.head = content
	case ebmlBlock, ebmlSimpleBlock:
		_, trackLen, _, ok := ebmlSize(content)
		if !ok || len(content) < trackLen+4 {
			return errors.New("broken block")
		}
		r.packets = append(r.packets, content[trackLen+3:]) // after the time and the flags
	}
	return nil
}

// ebmlID reads an element's id, the length marker being part of it.
func ebmlID(data []byte) (id uint32, length int, ok bool) {
	length = ebmlLength(data, 4)
	if length == 0 {
		return 0, 0, false
	}
	for _, b := range data[:length] {
		id = id<<8 | uint32(b)
	}
	return id, length, true
}

// ebmlSize reads a size without its length marker; all ones stand for an unknown size.
func ebmlSize(data []byte) (size uint64, length int, unknown, ok bool) {
	length = ebmlLength(data, 8)
	if length == 0 {
		return 0, 0, false, false
	}
	size = uint64(data[0]) & (1<<(8-length) - 1)
	for _, b := range data[1:length] {
		size = size<<8 | uint64(b)
	}
	return size, length, size == 1<<(7*length)-1, true
}

// ebmlLength is how many bytes a number has; 0 for one that is broken or cut.
func ebmlLength(data []byte, longest int) int {
	if len(data) == 0 {
		return 0
	}
	for length := 1; length <= longest; length++ {
		if data[0]>>(8-length)&1 == 1 {
			if length > len(data) {
				return 0
			}
			return length
		}
	}
	return 0
}

// oggWriter writes an Ogg stream (RFC 3533) of Opus (RFC 7845).
type oggWriter struct {
	out      bytes.Buffer
	sequence uint32
}

const oggSerial = 0x46696c6f

// packets writes all packets, a second or 255 segments a page; positions count samples at 48 kHz whatever was recorded.
func (w *oggWriter) packets(packets [][]byte) {
	var page [][]byte
	segments, position, started := 0, uint64(0), uint64(0)
	for i, p := range packets {
		page = append(page, p)
		segments += len(p)/255 + 1
		position += opusSamples(p)
		last := i == len(packets)-1
		if last || position-started >= 48000 || segments+len(packets[i+1])/255+1 > 255 {
			w.page(lastPage(last), position, page...)
			page, segments, started = nil, 0, position
		}
	}
}

func lastPage(last bool) byte {
	if last {
		return 4
	}
	return 0
}

// opusSamples is how long a packet lasts, read from its first bytes (RFC 6716, section 3.1).
func opusSamples(packet []byte) uint64 {
	if len(packet) == 0 {
		return 0
	}
	config := packet[0] >> 3
	var frame uint64
	switch {
	case config < 12:
		frame = []uint64{480, 960, 1920, 2880}[config%4]
	case config < 16:
		frame = []uint64{480, 960}[config%2]
	default:
		frame = []uint64{120, 240, 480, 960}[config%4]
	}
	switch packet[0] & 3 {
	case 0:
		return frame
	case 3:
		if len(packet) > 1 {
			return frame * uint64(packet[1]&63)
		}
		return 0
	}
	return 2 * frame
}

// page writes one page of whole packets.
func (w *oggWriter) page(flags byte, position uint64, packets ...[]byte) {
	var lacing []byte
	for _, p := range packets {
		lacing = append(lacing, bytes.Repeat([]byte{255}, len(p)/255)...)
		lacing = append(lacing, byte(len(p)%255))
	}
	page := append([]byte("OggS\x00"), flags)
	page = binary.LittleEndian.AppendUint64(page, position)
	page = binary.LittleEndian.AppendUint32(page, oggSerial)
	page = binary.LittleEndian.AppendUint32(page, w.sequence)
	page = append(page, 0, 0, 0, 0, byte(len(lacing)))
	page = append(page, lacing...)
	for _, p := range packets {
		page = append(page, p...)
	}
	binary.LittleEndian.PutUint32(page[22:], oggChecksum(page))
	w.sequence++
	w.out.Write(page)
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

func opusTags() []byte {
	vendor := "filodiretto"
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	return binary.LittleEndian.AppendUint32(append(tags, vendor...), 0)
}
