// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/filodiretto/filodiretto/internal/fault"
)

// MaxFile is the largest file that is taken, in bytes: WhatsApp's own limit.
const MaxFile = 100 << 20

// Store keeps contents on disk, each once, by municipality and the hash of the content.
type Store struct {
	dir string
}

// NewStore keeps contents under dir.
func NewStore(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "incoming"), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of media: %w", err)
	}
	return &Store{dir: dir}, nil
}

func (s *Store) path(municipality int64, hash string) string {
	return filepath.Join(s.dir, strconv.FormatInt(municipality, 10), hash[:2], hash)
}

const thumbnailSuffix = ".thumb.jpg"

// Open opens the content of a file, or its thumbnail. The caller closes it.
func (s *Store) Open(municipality int64, f File, thumbnail bool) (*os.File, error) {
	if len(f.SHA256) != hex.EncodedLen(sha256.Size) {
		return nil, ErrNotFound
	}
	name := s.path(municipality, f.SHA256)
	if thumbnail {
		name += thumbnailSuffix
	}
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotFound.With(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open media %d: %w", f.ID, err)
	}
	return file, nil
}

// The failures of adding a file.
var (
	ErrTooLarge = fault.New(fault.TooLarge, "error.file_too_large")
	ErrEmpty    = fault.New(fault.Invalid, "error.file_empty")
	ErrType     = fault.New(fault.Invalid, "error.file_type")
)

// Add stores what the office wants to send and says what it is; Save then writes it down, under an id the
// caller gives it. It must be of a
// type and size that WhatsApp takes.
func (s *Store) Add(_ context.Context, municipality int64, name string, r io.Reader) (File, error) {
	in, err := s.receive()
	if err != nil {
		return File{}, err
	}
	defer in.discard()
	if _, err := io.Copy(in, io.LimitReader(r, MaxFile+1)); err != nil {
		return File{}, fmt.Errorf("read a file: %w", err)
	}
	f := File{Name: clipName(filepath.Base(name)), Size: in.size, State: Ready}
	if err := in.examine(&f); err != nil {
		return File{}, err
	}
	if err := sendable(f); err != nil {
		return File{}, err
	}
	return f, in.keep(s, municipality, &f)
}

// incoming is a file on its way in: written, hashed, and then kept or forgotten.
type incoming struct {
	file *os.File
	hash hash.Hash
	size int64
	kept bool
}

func (s *Store) receive() (*incoming, error) {
	file, err := os.CreateTemp(filepath.Join(s.dir, "incoming"), "*")
	if err != nil {
		return nil, fmt.Errorf("make a file for media: %w", err)
	}
	return &incoming{file: file, hash: sha256.New()}, nil
}

// Write takes a part of the content, up to the limit.
func (in *incoming) Write(p []byte) (int, error) {
	if in.size += int64(len(p)); in.size > MaxFile {
		return 0, ErrTooLarge
	}
	in.hash.Write(p)
	return in.file.Write(p)
}

func (in *incoming) discard() {
	_ = in.file.Close()
	if !in.kept {
		_ = os.Remove(in.file.Name())
	}
}

// keep moves the file to its place, durable before anybody is told of it. What is there already is the
// same content.
func (in *incoming) keep(s *Store, municipality int64, f *File) error {
	f.SHA256 = hex.EncodeToString(in.hash.Sum(nil))
	name := s.path(municipality, f.SHA256)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make a folder for media: %w", err)
	}
	if err := in.file.Sync(); err != nil {
		return fmt.Errorf("write media: %w", err)
	}
	if f.Thumbnail = in.thumbnail(f, name+thumbnailSuffix); f.Thumbnail {
		f.Thumbnail = syncFile(name+thumbnailSuffix) == nil
	}
	if err := os.Rename(in.file.Name(), name); err != nil {
		return fmt.Errorf("keep media: %w", err)
	}
	in.kept = true
	return syncFile(filepath.Dir(name))
}

// syncFile makes a file or a folder durable.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Base(name), err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Base(name), err)
	}
	return nil
}
