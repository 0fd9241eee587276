// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"os"

	"golang.org/x/image/draw"
)

// thumbnailSide is the longest side of a thumbnail, in pixels: twice what the desk shows, for sharp screens.
const thumbnailSide = 640

// thumbnail writes a small upright picture to name and reports whether it could.
func (in *incoming) thumbnail(f *File, name string) bool {
	if f.Width == 0 {
		return false
	}
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return false
	}
	picture, _, err := image.Decode(in.file)
	if err != nil {
		return false
	}
	turn := orientation(in.file)
	small := turn.upright(shrink(picture))
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 82}); err != nil {
		return false
	}
	temporary := name + ".new"
	if err := errors.Join(os.WriteFile(temporary, out.Bytes(), 0o600), os.Rename(temporary, name)); err != nil {
		return false
	}
	return true
}

func shrink(picture image.Image) *image.RGBA {
	b := picture.Bounds()
	w, h := b.Dx(), b.Dy()
	if long := max(w, h); long > thumbnailSide {
		w, h = max(1, w*thumbnailSide/long), max(1, h*thumbnailSide/long)
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src) // behind what is transparent
	draw.ApproxBiLinear.Scale(small, small.Bounds(), picture, b, draw.Over, nil)
	return small
}

// exif is how a camera was held: the eight orientations of EXIF (CIPA DC-008, tag 0x0112).
type exif int

func (o exif) sideways() bool { return o >= 5 && o <= 8 }

// upright turns a picture to how it was seen.
func (o exif) upright(p *image.RGBA) *image.RGBA {
	if o < 2 || o > 8 {
		return p
	}
	w, h := p.Bounds().Dx(), p.Bounds().Dy()
	size := image.Rect(0, 0, w, h)
	if o.sideways() {
		size = image.Rect(0, 0, h, w)
	}
	out := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := o.place(x, y, w, h)
			out.SetRGBA(tx, ty, p.RGBAAt(x, y))
		}
	}
	return out
}

func (o exif) place(x, y, w, h int) (int, int) {
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
	default:
		return y, w - 1 - x
	}
}

// orientation reads the tag from the first 64 KiB of a JPEG; 1, as it stands, when there is none.
func orientation(r io.ReaderAt) exif {
	head := make([]byte, 64<<10)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 1
	}
	head = head[:n]
	start := bytes.Index(head, []byte("Exif\x00\x00"))
	if !bytes.HasPrefix(head, []byte{0xff, 0xd8}) || start < 0 {
		return 1
	}
	return exifOrientation(head[start+6:])
}

func exifOrientation(tiff []byte) exif {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	offset := int64(order.Uint32(tiff[4:]))
	if offset+2 > int64(len(tiff)) {
		return 1
	}
	count := int(order.Uint16(tiff[offset:]))
	for i := range count {
		at := offset + 2 + int64(i)*12
		if at+12 > int64(len(tiff)) {
			return 1
		}
		if order.Uint16(tiff[at:]) == 0x0112 {
			return exif(order.Uint16(tiff[at+8:]))
		}
	}
	return 1
}
