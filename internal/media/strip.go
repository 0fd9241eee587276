// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// A picture carries more than itself: where and when it was taken, with whose device, an uncropped preview,
// even a second picture behind its end. The functions below copy what a viewer draws and nothing else,
// without decoding it; so nothing is lost, and a large picture takes no more memory than a small one.

var errNotAPicture = errors.New("not a whole picture of its type")

// strippers are by type.
var strippers = map[string]func(w io.Writer, content io.ReadSeeker) error{
	"image/jpeg": stripJPEG,
	"image/png":  stripPNG,
	"image/webp": stripWebP,
}

// More markers of ISO/IEC 10918-1, table B.1.
const (
	markerSOI   = 0xD8
	markerRST0  = 0xD0
	markerRST7  = 0xD7
	markerAPP0  = 0xE0
	markerAPP15 = 0xEF
	markerCOM   = 0xFE
)

// drawn are the beginnings of those application segments that say how to draw the picture.
var drawn = map[byte][]byte{
	0xE0: []byte("JFIF\x00"),
	0xE2: []byte("ICC_PROFILE\x00"),
	0xEE: []byte("Adobe"),
}

func stripJPEG(w io.Writer, content io.ReadSeeker) error {
	r := bufio.NewReaderSize(content, 1<<16)
	var start [2]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || start != [2]byte{0xFF, markerSOI} {
		return errNotAPicture
	}
	out := &writer{w: w}
	out.write(start[:])
	scanned := false
	for out.err == nil {
		marker, ok := nextMarker(r)
		if !ok && !scanned || ok && marker < markerSOF0 {
			return errNotAPicture
		}
		if !ok || marker == markerEOI { // what follows is another file; a cut one ends here
			out.write([]byte{0xFF, markerEOI})
			return out.err
		}
		segment, err := readSegment(r)
		if err != nil {
			return errNotAPicture
		}
		if keepSegment(marker, segment[2:]) {
			out.write([]byte{0xFF, marker})
			out.write(segment)
		}
		if marker == markerSOS {
			scanned = true
			copyScan(out, r)
		}
	}
	return out.err
}

const markerSOF0 = 0xC0 // the lowest marker with a length

// readSegment reads a segment with its two bytes of length.
func readSegment(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	segment := make([]byte, max(2, int(binary.BigEndian.Uint16(head))))
	_, err = io.ReadFull(r, segment)
	return segment, err
}

func keepSegment(marker byte, body []byte) bool {
	if marker >= markerAPP0 && marker <= markerAPP15 {
		start, ok := drawn[marker]
		return ok && bytes.HasPrefix(body, start)
	}
	return marker != markerCOM
}

// maxProfile is more than any profile of colours has, in bytes.
const maxProfile = 1 << 20

// jpegProfile returns the segments of a JPEG with its profile of colours: without it a photo in other colours than
// those of the web looks pale. Nil where there is none.
func jpegProfile(content io.ReadSeeker) (profile []byte) {
	if _, err := content.Seek(2, io.SeekStart); err != nil { // after the marker that begins it
		return nil
	}
	r := bufio.NewReader(content)
	for len(profile) < maxProfile {
		marker, ok := nextMarker(r)
		if !ok || marker == markerSOS || marker < markerSOF0 {
			return profile
		}
		segment, err := readSegment(r)
		if err != nil {
			return profile
		}
		if marker == markerAPP0+2 && keepSegment(marker, segment[2:]) {
			profile = append(append(profile, 0xFF, marker), segment...)
		}
	}
	return nil
}

// copyScan copies the pixels up to the next marker, which stays in r. Its failures are those of out; where
// r ends, the pixels do.
func copyScan(out *writer, r *bufio.Reader) {
	for out.err == nil {
		next, err := r.Peek(2)
		if err != nil {
			return
		}
		if next[0] == 0xFF && next[1] != 0 && (next[1] < markerRST0 || next[1] > markerRST7) {
			return
		}
		out.write(next[:1])
		_, _ = r.Discard(1)
		if next[0] == 0xFF {
			out.write(next[1:])
			_, _ = r.Discard(1)
			continue
		}
		copyUntilMark(out, r)
	}
}

// copyUntilMark copies what is buffered up to the next 0xFF.
func copyUntilMark(out *writer, r *bufio.Reader) {
	buffered, _ := r.Peek(r.Buffered())
	if at := bytes.IndexByte(buffered, 0xFF); at >= 0 {
		buffered = buffered[:at]
	}
	out.write(buffered)
	_, _ = r.Discard(len(buffered))
}

// pngDrawn are the chunks of PNG (3rd edition, 11) that say what to draw; the others tell of it.
var pngDrawn = []string{"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "bKGD", "pHYs", "acTL", "fcTL", "fdAT"}

const pngSignature = "\x89PNG\r\n\x1a\n"

func stripPNG(w io.Writer, content io.ReadSeeker) error {
	r := bufio.NewReaderSize(content, 1<<16)
	signature := make([]byte, len(pngSignature))
	if _, err := io.ReadFull(r, signature); err != nil || string(signature) != pngSignature {
		return errNotAPicture
	}
	out := &writer{w: w}
	out.write(signature)
	for out.err == nil {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return errNotAPicture
		}
		kind, rest := string(head[4:]), int64(binary.BigEndian.Uint32(head[:]))+4 // with its checksum
		to := io.Discard
		if slices.Contains(pngDrawn, kind) {
			out.write(head[:])
			to = out
		}
		if _, err := io.CopyN(to, r, rest); err != nil {
			return errors.Join(errNotAPicture, out.err)
		}
		if kind == "IEND" {
			return out.err
		}
	}
	return out.err
}

// webpDrawn are the chunks of WebP (RFC 9649) that say what to draw.
var webpDrawn = []string{"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"}

// webpTells are the bits of VP8X that promise Exif and XMP.
const webpTells = 0x08 | 0x04

func stripWebP(w io.Writer, content io.ReadSeeker) error {
	chunks, err := webpChunks(content)
	if err != nil {
		return err
	}
	chunks = slices.DeleteFunc(chunks, func(c chunk) bool { return !slices.Contains(webpDrawn, c.kind) })
	size := int64(len("WEBP"))
	for _, c := range chunks {
		size += 8 + c.size + c.size%2
	}
	out := &writer{w: w}
	out.write([]byte("RIFF"))
	out.write(binary.LittleEndian.AppendUint32(nil, uint32(size)))
	out.write([]byte("WEBP"))
	for _, c := range chunks {
		if err := copyChunk(out, content, c); err != nil {
			return err
		}
	}
	return out.err
}

func copyChunk(out *writer, content io.ReadSeeker, c chunk) error {
	if _, err := content.Seek(c.at, io.SeekStart); err != nil {
		return err
	}
	out.write([]byte(c.kind))
	out.write(binary.LittleEndian.AppendUint32(nil, uint32(c.size)))
	rest := c.size
	if c.kind == "VP8X" && rest > 0 {
		var flags [1]byte
		if _, err := io.ReadFull(content, flags[:]); err != nil {
			return errNotAPicture
		}
		flags[0] &^= webpTells
		out.write(flags[:])
		rest--
	}
	if _, err := io.CopyN(out, content, rest); err != nil {
		return errors.Join(errNotAPicture, out.err)
	}
	if c.size%2 == 1 {
		out.write([]byte{0})
	}
	return out.err
}

// moves tells whether a WebP is an animation.
func moves(content io.ReadSeeker) bool {
	if rewind(content) != nil {
		return false
	}
	chunks, err := webpChunks(content)
	return err == nil && slices.ContainsFunc(chunks, func(c chunk) bool { return c.kind == "ANIM" })
}

// chunk is a part of a WebP.
type chunk struct {
	kind string
	at   int64 // where its content begins
	size int64 // bytes of its content
}

const maxChunks = 20_000 // an animation has one for each frame

func webpChunks(content io.ReadSeeker) ([]chunk, error) {
	var head [12]byte
	if _, err := io.ReadFull(content, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WEBP" {
		return nil, errNotAPicture
	}
	end := int64(binary.LittleEndian.Uint32(head[4:])) + 8 // what follows is another file
	var all []chunk
	for at := int64(12); at+8 <= end; {
		if _, err := content.Seek(at, io.SeekStart); err != nil {
			return nil, err
		}
		var part [8]byte
		if _, err := io.ReadFull(content, part[:]); err != nil || len(all) == maxChunks {
			return nil, errNotAPicture
		}
		c := chunk{kind: string(part[:4]), at: at + 8, size: int64(binary.LittleEndian.Uint32(part[4:]))}
		all = append(all, c)
		at = c.at + c.size + c.size%2
	}
	return all, nil
}

// writer remembers its first failure, so that what writes many small parts reads straight.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) write(b []byte) { _, _ = w.Write(b) }

func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(b)
	w.err = err
	return n, err
}
