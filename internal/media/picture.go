// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

const (
	maxPixels     = 50_000_000
	maxPixelBytes = 192 << 20 // that decoding for a thumbnail may take
	thumbnailSide = 640       // pixels
	jpegQuality   = 82
)

// decoder reads one format.
type decoder struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// decoders are the formats shown in a thread.
var decoders = map[string]decoder{
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode},
	"image/webp": {webp.DecodeConfig, webp.Decode},
}

// picture is what a picture's first bytes tell of it.
type picture struct {
	width, height int // as shown
	turn          orientation
	cost          int64 // bytes that decoding takes, about
}

// look reads the size of a picture without decoding it. One that claims more pixels than a browser can
// bear is refused: a few bytes can claim billions. ok is false for a format it can't read.
func look(content io.ReadSeeker, mime string) (p picture, ok bool, err error) {
	d, known := decoders[mime]
	if !known {
		return picture{}, false, nil
	}
	c, err := d.config(content)
	if err != nil || c.Width <= 0 || c.Height <= 0 {
		return picture{}, false, rewind(content)
	}
	if int64(c.Width)*int64(c.Height) > maxPixels {
		return picture{}, false, final{Refused, ReasonPixels}
	}
	p = picture{width: c.Width, height: c.Height, cost: int64(c.Width) * int64(c.Height) * pixelBytes(c.ColorModel)}
	if err := rewind(content); err != nil {
		return picture{}, false, err
	}
	switch mime {
	case "image/jpeg":
		h := readJPEGHeader(content)
		p.turn = h.orientation
		if h.progressive {
			p.cost *= 5 // its coefficients are kept until the last scan
		}
	case "image/png":
		p.turn = pngOrientation(content)
	case "image/webp":
		p.turn = webpOrientation(content)
	}
	if p.turn.sideways() {
		p.width, p.height = p.height, p.width
	}
	return p, true, rewind(content)
}

func rewind(s io.Seeker) error {
	_, err := s.Seek(0, io.SeekStart)
	return err
}

func pixelBytes(m color.Model) int64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.YCbCrModel:
		return 3
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		return 8
	}
	return 4
}

// decode reads a whole picture, if that takes no more memory than it may.
func decode(content io.Reader, mime string, p picture) (whole image.Image, err error) {
	if p.cost > maxPixelBytes {
		return nil, fmt.Errorf("decoding a picture would take %d bytes", p.cost)
	}
	defer func() { // what a stranger sends must not be able to end a worker, whatever a decoder thinks of it
		if r := recover(); r != nil {
			whole, err = nil, fmt.Errorf("decode a picture of %s: panic: %v", mime, r)
		}
	}()
	if whole, err = decoders[mime].decode(content); err != nil {
		return nil, fmt.Errorf("decode a picture of %s: %w", mime, err)
	}
	return whole, nil
}

// thumbnail makes a small upright copy of a picture: a JPEG, or a PNG if one sees through it.
func thumbnail(content io.Reader, mime string, p picture) (small []byte, err error) {
	whole, err := decode(content, mime, p)
	if err != nil {
		return nil, err
	}
	width, height := fit(whole.Bounds().Dx(), whole.Bounds().Dy())
	if width == 0 || height == 0 {
		return nil, fmt.Errorf("a picture of %s has no pixels", mime)
	}
	scaled := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.BiLinear.Scale(scaled, scaled.Bounds(), whole, whole.Bounds(), draw.Src, nil)
	upright := p.turn.apply(scaled)
	var out bytes.Buffer
	if upright.Opaque() {
		err = jpeg.Encode(&out, upright, &jpeg.Options{Quality: jpegQuality})
	} else {
		err = png.Encode(&out, upright)
	}
	if err != nil {
		return nil, fmt.Errorf("encode a thumbnail: %w", err)
	}
	return out.Bytes(), nil
}

// fit shrinks a size, in proportion, to the longest side of thumbnails.
func fit(width, height int) (int, int) {
	longest := max(width, height)
	if longest <= thumbnailSide {
		return width, height
	}
	return max(1, width*thumbnailSide/longest), max(1, height*thumbnailSide/longest)
}
