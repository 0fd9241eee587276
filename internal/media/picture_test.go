// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// flag is red above and blue below on its left, green on its right.
func flag(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{0, 255, 0, 255}
			if x < w/2 {
				c = color.NRGBA{255, 0, 0, 255}
				if y >= h/2 {
					c = color.NRGBA{0, 0, 255, 255}
				}
			}
			m.Set(x, y, c)
		}
	}
	return m
}

func jpegOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// held puts an Exif segment that tells how the camera was held before the picture, in either byte order.
func held(plain []byte, how uint16, order binary.AppendByteOrder) []byte {
	tiff := []byte("II*\x00")
	if order.String() == "BigEndian" {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, entry := range [][2]uint16{{0x010F, 1}, {0x0112, how}} {
		tiff = order.AppendUint16(tiff, entry[0])
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, entry[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1}, binary.BigEndian.AppendUint16(nil, uint16(len(segment)+2))...)
	return append(append(out, segment...), plain[2:]...)
}

func TestThumbnailsStandUpright(t *testing.T) {
	plain := jpegOf(t, flag(1600, 800))
	red, blue, green := color.RGBA{R: 255, A: 255}, color.RGBA{B: 255, A: 255}, color.RGBA{G: 255, A: 255}
	// The colours at the four corners, from the upper left clockwise.
	corners := map[uint16][4]color.RGBA{
		1: {red, green, green, blue}, 2: {green, red, blue, green}, 3: {green, blue, red, green}, 4: {blue, green, green, red},
		5: {red, blue, green, green}, 6: {blue, red, green, green}, 7: {green, green, red, blue}, 8: {green, green, blue, red},
	}
	for how, want := range corners {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			content := held(plain, how, order)
			p, ok, err := look(bytes.NewReader(content), "image/jpeg")
			if err != nil || !ok {
				t.Fatalf("orientation %d: %v", how, err)
			}
			small, err := thumbnail(bytes.NewReader(content), "image/jpeg", p)
			if err != nil {
				t.Fatalf("orientation %d: %v", how, err)
			}
			m, err := jpeg.Decode(bytes.NewReader(small))
			if err != nil {
				t.Fatalf("orientation %d: %v", how, err)
			}
			w, h := m.Bounds().Dx(), m.Bounds().Dy()
			if sideways := how >= 5; sideways != (h > w) || max(w, h) != thumbnailSide || sideways != (p.height > p.width) {
				t.Errorf("orientation %d: the thumbnail is %dx%d of %dx%d", how, w, h, p.width, p.height)
			}
			for i, at := range []image.Point{{9, 9}, {w - 9, 9}, {w - 9, h - 9}, {9, h - 9}} {
				if got := m.At(at.X, at.Y); !near(got, want[i]) {
					t.Errorf("orientation %d, %s: corner %d is %v, want %v", how, order, i, got, want[i])
				}
			}
		}
	}
}

func near(a, b color.Color) bool {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	far := func(x, y uint32) bool { return max(x, y)-min(x, y) > 0x3000 }
	return !far(ar, br) && !far(ag, bg) && !far(ab, bb)
}

func TestThumbnailsOfEveryFormat(t *testing.T) {
	clear := image.NewNRGBA(image.Rect(0, 0, 900, 300))
	var animated bytes.Buffer
	if err := gif.Encode(&animated, flag(700, 700), nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content       []byte
		mime          string
		format        string
		width, height int
	}{
		"a photo":            {jpegOf(t, flag(640, 6400)), "image/jpeg", "jpeg", 64, 640},
		"a small one":        {jpegOf(t, flag(10, 20)), "image/jpeg", "jpeg", 10, 20},
		"a line":             {pngOf(t, flag(6400, 1)), "image/png", "jpeg", 640, 1},
		"one to see through": {pngOf(t, clear), "image/png", "png", 640, 213},
		"of 16 bits":         {pngOf(t, image.NewGray16(image.Rect(0, 0, 20, 20))), "image/png", "jpeg", 20, 20},
		"a GIF":              {animated.Bytes(), "image/gif", "jpeg", 640, 640},
		"a WebP":             {onePixelWebP, "image/webp", "png", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, ok, err := look(bytes.NewReader(c.content), c.mime)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			small, err := thumbnail(bytes.NewReader(c.content), c.mime, p)
			if err != nil {
				t.Fatal(err)
			}
			got, format, err := image.DecodeConfig(bytes.NewReader(small))
			if err != nil || format != c.format || got.Width != c.width || got.Height != c.height {
				t.Errorf("got %s %dx%d, %v", format, got.Width, got.Height, err)
			}
		})
	}
}

// onePixelWebP is a lossless WebP of one clear pixel.
var onePixelWebP = []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")

// claims is a PNG that says it is of another size.
func claims(t testing.TB, width, height uint32) []byte {
	raw := pngOf(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	binary.BigEndian.PutUint32(raw[16:], width)
	binary.BigEndian.PutUint32(raw[20:], height)
	binary.BigEndian.PutUint32(raw[29:], crc32.ChecksumIEEE(raw[12:29]))
	return raw
}

func TestBombsAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	for _, size := range [][2]uint32{{60_000, 60_000}, {50_000_001, 1}, {1, 1<<31 - 1}, {7072, 7071}} {
		_, _, err := look(bytes.NewReader(claims(t, size[0], size[1])), "image/png")
		var no final
		if !errors.As(err, &no) || no != (final{Refused, ReasonPixels}) {
			t.Errorf("%d: got %v", size, err)
		}
	}
	if _, ok, err := look(bytes.NewReader(claims(t, 10_000, 5_000)), "image/png"); !ok || err != nil {
		t.Errorf("50 megapixels are refused: %v", err)
	}
}

// A picture that may be kept can still take too much memory to be drawn small.
func TestThumbnailsAreNotMadeAtAnyPrice(t *testing.T) {
	progressive := held(jpegOf(t, flag(64, 64)), 1, binary.LittleEndian)
	at := bytes.Index(progressive, []byte{0xFF, 0xC0})
	progressive[at+1] = markerSOF2
	binary.BigEndian.PutUint16(progressive[at+5:], 5000)
	binary.BigEndian.PutUint16(progressive[at+7:], 5000)
	p, ok, err := look(bytes.NewReader(progressive), "image/jpeg")
	if err != nil || !ok || p.cost <= maxPixelBytes {
		t.Fatalf("cost %d, %t, %v", p.cost, ok, err)
	}
	if _, err := thumbnail(bytes.NewReader(progressive), "image/jpeg", p); err == nil {
		t.Error("it was drawn")
	}
}

func TestBrokenPicturesAreKeptWithoutAThumbnail(t *testing.T) {
	whole := jpegOf(t, flag(640, 640))
	for _, content := range [][]byte{whole[:len(whole)/2], whole[:20], {0xFF, 0xD8, 0xFF}} {
		p, ok, err := look(bytes.NewReader(content), "image/jpeg")
		if err != nil {
			t.Errorf("%d bytes: %v", len(content), err)
		}
		if !ok {
			continue
		}
		if small, err := thumbnail(bytes.NewReader(content), "image/jpeg", p); err == nil || small != nil {
			t.Errorf("%d bytes made a thumbnail", len(content))
		}
	}
}

func FuzzPicture(f *testing.F) {
	f.Add(held(jpegOf(f, flag(16, 8)), 6, binary.BigEndian))
	f.Add(held(jpegOf(f, flag(16, 8)), 3, binary.LittleEndian))
	f.Add(pngOf(f, flag(8, 16)))
	f.Add(claims(f, 1<<20, 1<<20))
	f.Add(onePixelWebP)
	f.Fuzz(func(t *testing.T, content []byte) {
		for mime := range decoders {
			p, ok, err := look(bytes.NewReader(content), mime)
			if !ok {
				continue
			}
			if err != nil || p.width <= 0 || p.height <= 0 || int64(p.width)*int64(p.height) > maxPixels || p.turn > 8 {
				t.Fatalf("%s: %+v, %v", mime, p, err)
			}
			if p.width > 200 || p.height > 200 {
				continue // fuzzing is for the ways, not for the sizes
			}
			if small, err := thumbnail(bytes.NewReader(content), mime, p); err == nil && len(small) == 0 {
				t.Fatalf("%s: an empty thumbnail", mime)
			}
		}
	})
}
