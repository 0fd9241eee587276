// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	shownSuffix  = ".shown"
	shownQuality = 92
	leastQuality = 70
)

// MadeAgain tells whether a file of a Store's folder, by its name, is made of another when it is asked for: it need not
// be kept elsewhere.
func MadeAgain(name string) bool {
	return slices.Contains([]string{shownSuffix, soundSuffix, sentSuffix}, filepath.Ext(name))
}

// OpenShown opens what people are shown of a picture, and what is sent of it: upright, and without what
// tells where, when and with whose device it was taken. It is made when first asked for and kept beside the
// original. Where it can't be made, or f is no picture, it is ErrNotFound; the caller closes the file.
func (s *Store) OpenShown(ctx context.Context, municipality int64, f File) (*os.File, error) {
	if _, ok := decoders[f.MIME]; !ok {
		return nil, ErrNotFound
	}
	return s.derived(ctx, municipality, f, shownSuffix, s.decoding, func(_ context.Context, from, to *os.File) error {
		return clean(to, from, f.MIME)
	})
}

// derived opens what is made of a content and kept beside it under a suffix. What is being made waits for its
// turn; a failure to make it is ErrNotFound with its cause.
func (s *Store) derived(ctx context.Context, municipality int64, f File, suffix string, turn chan struct{},
	make func(ctx context.Context, from, to *os.File) error) (*os.File, error) {
	name, err := s.place(municipality, f.SHA256)
	if err != nil || f.State != Ready {
		return nil, ErrNotFound
	}
	if file, err := os.Open(name + suffix); !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if file, err := os.Open(name + suffix); !errors.Is(err, fs.ErrNotExist) { // made in the meantime
		return file, err
	}
	from, err := s.Open(municipality, f, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }() // it was only read
	to, err := os.CreateTemp(filepath.Join(s.dir, incomingDir), "*")
	if err != nil {
		return nil, fmt.Errorf("make a file for media: %w", err)
	}
	defer func() { // a name that was moved is no longer there
		_ = to.Close()
		_ = os.Remove(to.Name())
	}()
	if err := make(ctx, from, to); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrNotFound.With(fmt.Errorf("make %s of media %d: %w", suffix, f.ID, err))
	}
	if err := s.move(to, name+suffix); err != nil {
		return nil, fmt.Errorf("keep %s of media %d: %w", suffix, f.ID, err)
	}
	return os.Open(name + suffix)
}

// clean writes a picture upright and without metadata. One that stands upright is copied as it is drawn;
// only what must be turned is decoded, within the bounds of thumbnails.
func clean(w io.Writer, content io.ReadSeeker, mime string) error {
	p, ok, err := look(content, mime)
	if err != nil {
		return err
	}
	if !ok {
		return errNotAPicture
	}
	strip, can := strippers[mime]
	if !can || p.turn > 1 {
		return redraw(w, content, mime, p)
	}
	buffered := bufio.NewWriterSize(w, 1<<16)
	if err := strip(buffered, content); err != nil {
		return err
	}
	return buffered.Flush()
}

// redraw decodes a picture, turns it and encodes it again. A JPEG that grows beyond what WhatsApp takes is
// written more coarsely.
func redraw(w io.Writer, content io.ReadSeeker, mime string, p picture) error {
	whole, err := decode(content, mime, p)
	if err != nil {
		return err
	}
	upright := turned{whole, p.turn}
	if mime == "image/png" || mime == "image/gif" || !opaque(whole) {
		return png.Encode(w, upright)
	}
	var profile []byte
	if _, same := whole.(*image.YCbCr); same { // written with the colours it had
		profile = jpegProfile(content)
	}
	for _, quality := range []int{shownQuality, leastQuality} {
		out := &bounded{left: sendable["image/jpeg"] - int64(len(profile))}
		if err = jpeg.Encode(out, upright, &jpeg.Options{Quality: quality}); err == nil {
			const start = 2 // bytes of the marker that begins a JPEG
			_, err = w.Write(slices.Concat(out.b[:start], profile, out.b[start:]))
			return err
		}
	}
	return err
}

func opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// turned is a picture upright, without a copy of it.
type turned struct {
	image.Image
	how orientation
}

// Bounds begins at zero.
func (t turned) Bounds() image.Rectangle {
	w, h := t.Image.Bounds().Dx(), t.Image.Bounds().Dy()
	if t.how.sideways() {
		w, h = h, w
	}
	return image.Rect(0, 0, w, h)
}

// At finds the pixel where it lies.
func (t turned) At(x, y int) color.Color {
	b := t.Bounds()
	x, y = t.how.back().place(x, y, b.Dx(), b.Dy())
	from := t.Image.Bounds().Min
	return t.Image.At(from.X+x, from.Y+y)
}

// back is the turn that undoes o.
func (o orientation) back() orientation {
	switch o {
	case 6:
		return 8
	case 8:
		return 6
	}
	return o
}

var errGrown = errors.New("the picture grew larger than WhatsApp takes")

// bounded holds what is written up to so many bytes.
type bounded struct {
	b    []byte
	left int64
}

func (o *bounded) Write(b []byte) (int, error) {
	if o.left -= int64(len(b)); o.left < 0 {
		return 0, errGrown
	}
	o.b = append(o.b, b...)
	return len(b), nil
}
