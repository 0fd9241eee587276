// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// orientation is how a camera was held: 1 to 8 as in Exif 2.32, 4.6.4 (tag 0x0112); 0 and 1 are upright.
type orientation uint16

// sideways tells whether width and height change places.
func (o orientation) sideways() bool { return o >= 5 && o <= 8 }

// apply turns a picture upright.
func (o orientation) apply(m *image.RGBA) *image.RGBA {
	if o < 2 || o > 8 {
		return m
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if o.sideways() {
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := o.place(x, y, w, h)
			out.SetRGBA(tx, ty, m.RGBAAt(x, y))
		}
	}
	return out
}

// place is where a pixel of a picture w wide and h high goes.
func (o orientation) place(x, y, w, h int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return h - 1 - y, x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return y, w - 1 - x
	}
	return x, y
}

// jpegHeader is what stands before the picture in a JPEG.
type jpegHeader struct {
	orientation orientation
	progressive bool
}

const maxJPEGHeader = 8 << 20 // bytes that are searched

// Markers of ISO/IEC 10918-1, table B.1.
const (
	markerSOF2 = 0xC2
	markerEOI  = 0xD9
	markerSOS  = 0xDA
	markerAPP1 = 0xE1
)

// readJPEGHeader goes through the segments of a JPEG up to its pixels. What it can't read it leaves out:
// then the picture shows as it lies.
func readJPEGHeader(content io.Reader) (h jpegHeader) {
	r := bufio.NewReader(io.LimitReader(content, maxJPEGHeader))
	if _, err := r.Discard(2); err != nil { // start of image
		return h
	}
	for {
		marker, ok := nextMarker(r)
		if !ok || marker == markerSOS || marker == markerEOI {
			return h
		}
		h.progressive = h.progressive || marker == markerSOF2
		var length [2]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return h
		}
		rest := int(binary.BigEndian.Uint16(length[:])) - 2
		if rest < 0 {
			return h
		}
		if marker != markerAPP1 || h.orientation != 0 {
			if _, err := r.Discard(rest); err != nil {
				return h
			}
			continue
		}
		segment := make([]byte, rest)
		if _, err := io.ReadFull(r, segment); err != nil {
			return h
		}
		h.orientation = exifOrientation(segment)
	}
}

// nextMarker reads a marker, which any number of fill bytes may precede.
func nextMarker(r *bufio.Reader) (byte, bool) {
	b, err := r.ReadByte()
	if err != nil || b != 0xFF {
		return 0, false
	}
	for b == 0xFF {
		if b, err = r.ReadByte(); err != nil {
			return 0, false
		}
	}
	return b, b != 0
}

const maxExif = 1 << 20 // bytes that are looked at, where a format sets no bound

// pngOrientation finds it in the chunk eXIf (PNG 3rd edition, 11.3.4.3), wherever that stands.
func pngOrientation(content io.ReadSeeker) orientation {
	at := int64(len(pngSignature))
	for range maxChunks {
		var head [8]byte
		if _, err := content.Seek(at, io.SeekStart); err != nil {
			return 0
		}
		if _, err := io.ReadFull(content, head[:]); err != nil {
			return 0
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		if string(head[4:]) == "eXIf" {
			return readOrientation(content, size)
		}
		at += 8 + size + 4
	}
	return 0
}

// webpOrientation finds it in the chunk EXIF (RFC 9649, 2.7.1.5).
func webpOrientation(content io.ReadSeeker) orientation {
	if err := rewind(content); err != nil {
		return 0
	}
	chunks, err := webpChunks(content)
	if err != nil {
		return 0
	}
	for _, c := range chunks {
		if c.kind != "EXIF" {
			continue
		}
		if _, err := content.Seek(c.at, io.SeekStart); err != nil {
			return 0
		}
		return readOrientation(content, c.size)
	}
	return 0
}

func readOrientation(content io.Reader, size int64) orientation {
	tiff, err := io.ReadAll(io.LimitReader(content, min(size, maxExif)))
	if err != nil {
		return 0
	}
	return tiffOrientation(bytes.TrimPrefix(tiff, exifStart)) // some programs write JPEG's beginning here too
}

var exifStart = []byte("Exif\x00\x00")

// exifOrientation finds the tag in an Exif segment of a JPEG (Exif 2.32, 4.7.2).
func exifOrientation(segment []byte) orientation {
	tiff, ok := bytes.CutPrefix(segment, exifStart)
	if !ok {
		return 0
	}
	return tiffOrientation(tiff)
}

// tiffOrientation finds the tag in a TIFF file, which Exif is.
func tiffOrientation(tiff []byte) orientation {
	const tag, short, entry = 0x0112, 3, 12
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	start := int64(order.Uint32(tiff[4:]))
	if start+2 > int64(len(tiff)) {
		return 0
	}
	directory := tiff[start:]
	count := int(order.Uint16(directory))
	for directory = directory[2:]; count > 0 && len(directory) >= entry; count-- {
		if order.Uint16(directory) == tag && order.Uint16(directory[2:]) == short {
			if o := orientation(order.Uint16(directory[8:])); o <= 8 {
				return o
			}
			return 0
		}
		directory = directory[entry:]
	}
	return 0
}
