// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	soundSuffix = ".sound"
	soundType   = "audio/mp4"
	soundTime   = time.Minute
	maxSound    = 32 << 20 // bytes of a sound that is transcoded; WhatsApp's voice notes have up to 16 MB
)

// unplayed are the types of sound that some browsers don't play, and how FFmpeg calls them: older ones of Apple's
// no Opus in Ogg, which voice notes are, and none AMR.
var unplayed = map[string]string{"audio/ogg": "ogg", "audio/amr": "amr"}

// Transcodes tells whether OpenSound can be asked for a file.
func (s *Store) Transcodes(f File) bool {
	_, ok := unplayed[f.MIME]
	return ok && f.State == Ready && f.Size <= maxSound && s.tools.FFmpeg != ""
}

// OpenSound opens a sound as AAC in MP4, which every browser plays. It is made when first asked for and kept
// beside the original. Where it can't be made it is ErrNotFound; the caller closes the file.
func (s *Store) OpenSound(ctx context.Context, municipality int64, f File) (*os.File, error) {
	if !s.Transcodes(f) {
		return nil, ErrNotFound
	}
	return s.derived(ctx, municipality, f, soundSuffix, s.transcoding, func(ctx context.Context, from, to *os.File) error {
		return s.transcode(ctx, unplayed[f.MIME], from, to)
	})
}

func (s *Store) transcode(ctx context.Context, demuxer string, from, to *os.File) error {
	name, err := filepath.Abs(from.Name())
	if err != nil {
		return err
	}
	const sound = "sound.m4a"
	args := func(folder string) []string {
		return append(ffmpegReads(demuxer, name), "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1",
			"-c:a", "aac", "-b:a", "64k", "-ac", "1", "-movflags", "+faststart", "-f", "mp4", filepath.Join(folder, sound))
	}
	return s.run(ctx, soundTime, s.tools.FFmpeg, args, func(folder string) error {
		made, err := os.Open(filepath.Join(folder, sound))
		if err != nil {
			return err
		}
		defer func() { _ = made.Close() }() // it was only read
		_, err = io.Copy(to, made)
		return err
	})
}
