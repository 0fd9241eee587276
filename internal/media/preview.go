// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	previewTime    = 20 * time.Second
	framesCompared = 10 // the first one is often black
)

// demuxers are how FFmpeg calls the containers of films.
var demuxers = map[string]string{
	"video/mp4": "mov", "video/3gpp": "mov", "video/3gpp2": "mov", "video/quicktime": "mov",
	"video/webm": "matroska", "video/x-matroska": "matroska",
}

// poster makes a thumbnail of a film from one of its first frames, and measures it.
func (s *Store) poster(ctx context.Context, content *os.File, f *File) (small []byte, err error) {
	demuxer, ok := demuxers[f.MIME]
	if !ok {
		return nil, nil
	}
	name, err := filepath.Abs(content.Name())
	if err != nil {
		return nil, err
	}
	const frame = "frame.jpg"
	args := func(folder string) []string {
		return append(ffmpegReads(demuxer, name), "-map", "0:v:0", "-an", "-sn", "-dn", "-map_metadata", "-1",
			"-vf", "thumbnail="+strconv.Itoa(framesCompared), "-frames:v", "1", "-pix_fmt", "yuvj420p", "-q:v", "3", "-f", "mjpeg", filepath.Join(folder, frame))
	}
	err = s.run(ctx, previewTime, s.tools.FFmpeg, args, func(folder string) error {
		var p picture
		p, small, err = previewOf(filepath.Join(folder, frame), "image/jpeg")
		f.Width, f.Height = p.width, p.height
		return err
	})
	return small, err
}

// firstPage makes a thumbnail of the first page of a PDF.
func (s *Store) firstPage(ctx context.Context, content *os.File) (small []byte, err error) {
	name, err := filepath.Abs(content.Name())
	if err != nil {
		return nil, err
	}
	args := func(folder string) []string {
		return []string{"-q", "-f", "1", "-l", "1", "-singlefile", "-scale-to", strconv.Itoa(thumbnailSide), "-png", name, filepath.Join(folder, "first")}
	}
	err = s.run(ctx, previewTime, s.tools.PDFToPPM, args, func(folder string) error {
		_, small, err = previewOf(filepath.Join(folder, "first.png"), "image/png")
		return err
	})
	return small, err
}

// previewOf makes a thumbnail of what a program drew, of which as little is believed as of a stranger's picture.
func previewOf(name, mime string) (p picture, small []byte, err error) {
	file, err := os.Open(name)
	if err != nil {
		return picture{}, nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	p, ok, err := look(file, mime)
	if err != nil || !ok {
		return picture{}, nil, errNotAPicture
	}
	small, err = thumbnail(file, mime, p)
	return p, small, err
}
