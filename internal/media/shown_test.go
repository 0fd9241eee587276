// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/webp"
)

// told is what a camera wrote; nothing of it may be seen outside.
const told = "GPS 44.0594N 12.5683E, telefono di Maria"

func segment(marker byte, body string) []byte {
	return append(append([]byte{0xFF, marker}, binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))...), body...)
}

// talkative is a JPEG with everything that tells of it: Exif with an orientation, XMP, IPTC, a comment, and
// another picture behind its end.
func talkative(plain []byte, how uint16) []byte {
	out := bytes.Clone(plain[:2])
	for _, s := range [][]byte{segment(0xE0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"), segment(0xE2, "ICC_PROFILE\x00\x01\x01profile"), segment(0xE2, "MPF\x00"+told),
		segment(0xE1, "http://ns.adobe.com/xap/1.0/\x00"+told), segment(0xED, "Photoshop 3.0\x00"+told), segment(0xFE, told)} {
		out = append(out, s...)
	}
	out = append(out, held(plain, how, binary.BigEndian)[2:]...)
	return append(append(out, told...), plain...)
}

func cleaned(t *testing.T, content []byte, mime string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := clean(&out, bytes.NewReader(content), mime); err != nil {
		t.Fatalf("%s: %v", mime, err)
	}
	for _, secret := range []string{told, "Exif", "EXIF", "XMP ", "eXIf", "tEXt", "MPF"} {
		if bytes.Contains(out.Bytes(), []byte(secret)) {
			t.Errorf("%s: %q is still in it", mime, secret)
		}
	}
	return out.Bytes()
}

// What stands upright keeps every pixel as it was written; what doesn't is turned.
func TestShownPicturesStandUprightAndTellNothing(t *testing.T) {
	plain := jpegOf(t, flag(160, 80))
	red, blue, green := color.RGBA{R: 255, A: 255}, color.RGBA{B: 255, A: 255}, color.RGBA{G: 255, A: 255}
	corners := map[uint16][4]color.RGBA{
		1: {red, green, green, blue}, 2: {green, red, blue, green}, 3: {green, blue, red, green}, 4: {blue, green, green, red},
		5: {red, blue, green, green}, 6: {blue, red, green, green}, 7: {green, green, red, blue}, 8: {green, green, blue, red},
	}
	for how, want := range corners {
		out := cleaned(t, talkative(plain, how), "image/jpeg")
		m, err := jpeg.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatalf("orientation %d: %v", how, err)
		}
		w, h := m.Bounds().Dx(), m.Bounds().Dy()
		if long, short := max(w, h), min(w, h); long != 160 || short != 80 || (how >= 5) != (h > w) {
			t.Errorf("orientation %d: %dx%d", how, w, h)
		}
		for i, at := range []image.Point{{9, 9}, {w - 9, 9}, {w - 9, h - 9}, {9, h - 9}} {
			if got := m.At(at.X, at.Y); !near(got, want[i]) {
				t.Errorf("orientation %d: corner %d is %v, want %v", how, i, got, want[i])
			}
		}
		if how == 1 && !bytes.HasSuffix(out, plain[2:]) {
			t.Error("what stood upright was drawn anew")
		}
		if !bytes.Contains(out, segment(0xE2, "ICC_PROFILE\x00\x01\x01profile")) {
			t.Errorf("orientation %d: it lost its colours", how)
		}
	}
}

func pngChunk(kind, body string) []byte {
	out := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind+body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(kind+body)))
}

// tiff is Exif with an orientation and words.
func tiff(how uint16) string {
	out := binary.LittleEndian.AppendUint32([]byte("II*\x00"), 8)
	for _, n := range []uint16{1, 0x0112, 3, 1, 0, how, 0} {
		out = binary.LittleEndian.AppendUint16(out, n)
	}
	return string(out) + told
}

func TestPNGIsShownWithoutItsWords(t *testing.T) {
	plain := pngOf(t, flag(40, 20))
	const head = 8 + 12 + 13 // signature and IHDR
	for how, size := range map[uint16]image.Point{1: {40, 20}, 6: {20, 40}} {
		content := append(bytes.Clone(plain[:head]), pngChunk("tEXt", "Author\x00"+told)...)
		content = append(append(content, pngChunk("eXIf", tiff(how))...), plain[head:]...)
		out := cleaned(t, append(content, told...), "image/png")
		m, err := png.Decode(bytes.NewReader(out))
		if err != nil || m.Bounds().Size() != size {
			t.Fatalf("orientation %d: %v, %v", how, m, err)
		}
		if how == 1 && !bytes.Equal(out, plain) {
			t.Error("what stood upright was drawn anew")
		}
		if how == 6 && (!near(m.At(15, 5), color.RGBA{R: 255, A: 255}) || !near(m.At(5, 5), color.RGBA{B: 255, A: 255})) {
			t.Error("it was not turned")
		}
	}
}

// onePixel is a WebP of one pixel.
const onePixel = "UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAgA0JaQAA3AA/vuUAAA="

func TestWebPIsShownWithoutItsWords(t *testing.T) {
	plain, err := base64.StdEncoding.DecodeString(onePixel)
	if err != nil {
		t.Fatal(err)
	}
	chunkOf := func(kind, body string) string {
		return kind + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body + strings.Repeat("\x00", len(body)%2)
	}
	const flags = "\x0C\x00\x00\x00\x00\x00\x00\x00\x00\x00" // Exif and XMP, 1 by 1
	for how, format := range map[uint16]string{1: "RIFF", 6: "\xFF\xD8"} {
		body := "WEBP" + chunkOf("VP8X", flags) + string(plain[12:]) + chunkOf("EXIF", tiff(how)) + chunkOf("XMP ", told)
		content := "RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body + told
		out := cleaned(t, []byte(content), "image/webp")
		if !bytes.HasPrefix(out, []byte(format)) {
			t.Fatalf("orientation %d: it begins with %q", how, out[:4])
		}
		if how != 1 {
			continue
		}
		if _, err := webp.Decode(bytes.NewReader(out)); err != nil {
			t.Error(err)
		}
		if size := int(binary.LittleEndian.Uint32(out[4:])); size != len(out)-8 || out[20] != 0 {
			t.Errorf("it says it has %d bytes of %d, and flags %x", size, len(out)-8, out[20])
		}
	}
}

// What is no whole picture is not shown, and what would take too much is not turned.
func TestWhatIsNotShown(t *testing.T) {
	plain := jpegOf(t, flag(160, 80))
	large := held(plain, 6, binary.BigEndian)
	at := bytes.Index(large, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(large[at+5:], 7000)
	binary.BigEndian.PutUint16(large[at+7:], 7000)
	large[at+1] = 0xC2 // progressive: 5 times the memory
	for name, c := range map[string]struct {
		content []byte
		mime    string
	}{
		"no picture":           {[]byte("GIF89a"), "image/jpeg"},
		"only its head":        {plain[:40], "image/jpeg"},
		"png without its end":  {pngOf(t, flag(40, 20))[:60], "image/png"},
		"too large to turn":    {large, "image/jpeg"},
		"a type we don't read": {[]byte("<svg/>"), "image/svg+xml"},
	} {
		var out bytes.Buffer
		if err := clean(&out, bytes.NewReader(c.content), c.mime); err == nil {
			t.Errorf("%s: %d bytes", name, out.Len())
		}
	}
}

func FuzzStrip(f *testing.F) {
	f.Add(talkative(jpegOf(f, flag(16, 8)), 6), 0)
	f.Add(pngOf(f, flag(16, 8)), 1)
	f.Add([]byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 2)
	mimes := []string{"image/jpeg", "image/png", "image/webp"}
	f.Fuzz(func(t *testing.T, content []byte, n int) {
		mime := mimes[((n%3)+3)%3]
		var out bytes.Buffer
		if err := strippers[mime](&out, bytes.NewReader(content)); err != nil {
			return
		}
		var again bytes.Buffer
		if err := strippers[mime](&again, bytes.NewReader(out.Bytes())); err != nil || !bytes.Equal(again.Bytes(), out.Bytes()) {
			t.Errorf("%s: what was stripped is stripped again to something else: %v", mime, err)
		}
	})
}
