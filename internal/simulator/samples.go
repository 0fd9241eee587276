// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"sync"
)

// sample is a small file to send without having one at hand. All of them are made by this code.
type sample struct {
	data []byte
	mime string
	name string
}

var samples = sync.OnceValue(func() map[string]sample {
	return map[string]sample{
		"image":    {photoSample(), "image/jpeg", "buca.jpg"},
		"audio":    {voiceSample(3), "audio/ogg", "nota-vocale.ogg"},
		"video":    {videoSample(2), "video/mp4", "semaforo.mp4"},
		"document": {pdfSample(), "application/pdf", "modulo-iscrizione.pdf"},
		"sticker":  {stickerSample(), "image/webp", "sorriso.webp"},
	}
})

func sampleFor(kind string) sample { return samples()[kind] }

// photoSample draws a hole in a street.
func photoSample() []byte {
	picture := image.NewRGBA(image.Rect(0, 0, 960, 640))
	for y := range 640 {
		shade := uint8(190 + y*40/640)
		fill(picture, image.Rect(0, y, 960, y+1), color.RGBA{shade - 60, shade - 20, shade, 255})
	}
	for i, house := range []image.Rectangle{image.Rect(40, 120, 260, 330), image.Rect(290, 70, 500, 330), image.Rect(700, 150, 930, 330)} {
		fill(picture, house, []color.RGBA{{214, 160, 118, 255}, {226, 196, 142, 255}, {196, 132, 110, 255}}[i])
		for y := house.Min.Y + 26; y < house.Max.Y-40; y += 62 {
			for x := house.Min.X + 24; x < house.Max.X-34; x += 62 {
				fill(picture, image.Rect(x, y, x+30, y+38), color.RGBA{72, 92, 104, 255})
			}
		}
	}
	fill(picture, image.Rect(0, 330, 960, 372), color.RGBA{176, 172, 164, 255})
	fill(picture, image.Rect(0, 372, 960, 640), color.RGBA{92, 94, 98, 255})
	for x := 30; x < 960; x += 190 {
		fill(picture, image.Rect(x, 500, x+100, 510), color.RGBA{220, 220, 214, 255})
	}
	ellipse(picture, 560, 555, 178, 62, color.RGBA{70, 68, 66, 255})
	ellipse(picture, 566, 560, 150, 46, color.RGBA{38, 34, 32, 255})
	ellipse(picture, 590, 568, 90, 22, color.RGBA{84, 104, 118, 255})
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: 82}); err != nil {
		panic("simulator: draw the sample photo: " + err.Error()) // writing to memory does not fail
	}
	return out.Bytes()
}

func fill(picture draw.Image, area image.Rectangle, c color.Color) {
	draw.Draw(picture, area, image.NewUniform(c), image.Point{}, draw.Src)
}

func ellipse(picture draw.Image, cx, cy, rx, ry int, c color.Color) {
	for y := -ry; y <= ry; y++ {
		for x := -rx; x <= rx; x++ {
			if x*x*ry*ry+y*y*rx*rx <= rx*rx*ry*ry {
				picture.Set(cx+x, cy+y, c)
			}
		}
	}
}

// pdfSample is a form of one page.
func pdfSample() []byte {
	content := "BT /F1 20 Tf 72 760 Td (Comune - modulo di prova) Tj 0 -40 Td /F1 12 Tf (Nome e cognome: ______________________) Tj " +
		"0 -28 Td (Indirizzo: ____________________________) Tj 0 -28 Td (Firma: ________________________________) Tj ET"
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content),
	}
	out := bytes.NewBufferString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, object := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := out.Len()
	fmt.Fprintf(out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return out.Bytes()
}

func hexToBase64(text string) string {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(raw)
}
