// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"bytes"
	"context"
	"fmt"
)

// examine finds out what came, whatever it was said to be: it fills in type, size, measures and length,
// and makes a thumbnail of a picture. What must not be kept is a final judgement.
func (s *Store) examine(ctx context.Context, in *incoming, f *File) (small []byte, err error) {
	if in.size == 0 {
		return nil, final{Refused, ReasonEmpty}
	}
	if err := rewind(in.file); err != nil {
		return nil, fmt.Errorf("read what came: %w", err)
	}
	if f.MIME, err = typeOf(in.file, f.MIME, f.Name); err != nil {
		return nil, err
	}
	f.Size = in.size
	if f.MIME == "audio/ogg" {
		length, err := opusDuration(in.file, in.size)
		if err == nil { // it is another sound in Ogg, or broken: it is kept without a length
			f.Duration = length
		}
	}
	if f.MIME == pdf || class(f.MIME) == "video" {
		return s.preview(ctx, in, f)
	}
	return s.picture(ctx, in, f)
}

const pdf = "application/pdf"

// preview makes a thumbnail of a film or a PDF where the program for it is installed. Without one it is kept
// without.
func (s *Store) preview(ctx context.Context, in *incoming, f *File) (small []byte, err error) {
	select {
	case s.transcoding <- struct{}{}:
		defer func() { <-s.transcoding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.MIME == pdf {
		small, err = s.firstPage(ctx, in.file)
	} else {
		small, err = s.poster(ctx, in.file, f)
	}
	if err != nil {
		return nil, ctx.Err()
	}
	return small, nil
}

// picture measures a picture and makes its thumbnail. One that can't be drawn is kept without.
func (s *Store) picture(ctx context.Context, in *incoming, f *File) (small []byte, err error) {
	if err := rewind(in.file); err != nil {
		return nil, err
	}
	p, ok, err := look(in.file, f.MIME)
	if err != nil || !ok {
		return nil, err
	}
	f.Width, f.Height = p.width, p.height
	select {
	case s.decoding <- struct{}{}:
		defer func() { <-s.decoding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if small, err = thumbnail(in.file, f.MIME, p); err != nil {
		return nil, nil
	}
	return bytes.Clone(small), nil
}
