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
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/filodiretto/filodiretto/internal/fault"
)

// Store keeps contents on disk, each once: DIR/MUNICIPALITY/ab/abcd…, named by the SHA-256 of the
// content, and its thumbnail beside it. Several processes may share one.
type Store struct {
	dir      string
	decoding chan struct{} // one picture at a time: decoded ones are large

	tools       Tools
	transcoding chan struct{} // one program at a time, as nobody knows what it takes
}

const (
	incomingDir     = "incoming"
	thumbnailSuffix = ".thumbnail"
	abandoned       = 24 * time.Hour // after which an incoming file is nobody's
)

// NewStore keeps contents under dir, which only this user can read. It removes what was on its way in
// when a process died, and uses the Tools that it finds.
func NewStore(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, incomingDir), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of media: %w", err)
	}
	s := &Store{dir: dir, decoding: make(chan struct{}, 1), tools: FindTools(), transcoding: make(chan struct{}, 1)}
	if err := s.sweep(time.Now().Add(-abandoned)); err != nil {
		return nil, fmt.Errorf("tidy the folder of media: %w", err)
	}
	return s, nil
}

func (s *Store) sweep(before time.Time) error {
	files, err := os.ReadDir(filepath.Join(s.dir, incomingDir))
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has arrived
		}
		if err != nil {
			return err
		}
		if info.ModTime().After(before) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, incomingDir, f.Name())); err != nil { // a program's folder has files in it
			return err
		}
	}
	return nil
}

// place is where a content lies. A hash that is none could lead out of the folder.
func (s *Store) place(municipality int64, sha string) (string, error) {
	if b, err := hex.DecodeString(sha); err != nil || len(b) != sha256.Size {
		return "", ErrNotFound
	}
	return filepath.Join(s.dir, strconv.FormatInt(municipality, 10), sha[:2], sha), nil
}

// Open opens the content of a file that is ready, or its thumbnail; the caller closes it. Where there
// is none, it is ErrNotFound.
func (s *Store) Open(municipality int64, f File, thumbnail bool) (*os.File, error) {
	name, err := s.place(municipality, f.SHA256)
	if err != nil || f.State != Ready {
		return nil, ErrNotFound
	}
	if thumbnail {
		name += thumbnailSuffix
	}
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound.With(err)
	}
	if err != nil {
		return nil, fmt.Errorf("open media %d: %w", f.ID, err)
	}
	return file, nil
}

// The failures of attaching a file.
var (
	ErrTooLarge = errors.New("the file is larger than WhatsApp takes") // within a fault.TooLarge
	ErrEmpty    = fault.New(fault.Invalid, "error.file_empty")
	ErrType     = fault.New(fault.Invalid, "error.file_type")
)

// Add stores what an operator attaches, if WhatsApp takes files of its type and size from a business,
// and says what it is. The caller gives it an id and saves its row; without a row it is harmless.
func (s *Store) Add(ctx context.Context, municipality int64, name string, r io.Reader) (File, error) {
	in, err := s.receive()
	if err != nil {
		return File{}, err
	}
	defer in.discard()
	if _, err := io.Copy(in, io.LimitReader(r, maxSize+1)); err != nil {
		return File{}, fmt.Errorf("read an attached file: %w", err)
	}
	if in.size > maxSize {
		return File{}, tooLarge("> "+sizeOf(maxSize), maxSize)
	}
	f := File{Direction: Out, State: Ready, Name: safeName(name)}
	small, err := s.examine(ctx, in, &f)
	var no final
	switch {
	case in.size == 0:
		return File{}, ErrEmpty
	case errors.As(err, &no):
		return File{}, ErrType.With(err)
	case err != nil:
		return File{}, fmt.Errorf("examine an attached file: %w", err)
	}
	if err := sendableAs(f, in.file); err != nil {
		return File{}, err
	}
	if err := s.keep(municipality, in, small, &f); err != nil {
		return File{}, err
	}
	return f, s.tellsNothing(ctx, municipality, f)
}

// tellsNothing refuses a picture or a film that can't be freed of its metadata: it would leave the house with them.
func (s *Store) tellsNothing(ctx context.Context, municipality int64, f File) error {
	if class(f.MIME) != "image" && !slices.Contains(films, f.MIME) {
		return nil
	}
	shown, err := s.openForSending(ctx, municipality, f)
	if fault.KindOf(err) == fault.NotFound {
		return ErrType.With(err)
	}
	if err != nil {
		return err
	}
	return shown.Close()
}

func sendableAs(f File, content io.ReadSeeker) error {
	if f.MIME == webP && f.Size > stillSticker && !moves(content) {
		return tooLarge(sizeOf(f.Size), stillSticker)
	}
	return CheckSendable(f)
}

// CheckSendable wants WhatsApp to take files of this type and size from a business. Of a sticker that is here already
// nobody knows any more whether it moves: it may be as large as one that does.
func CheckSendable(f File) error {
	limit, ok := sendable[f.MIME]
	switch {
	case !ok, f.MIME == "audio/ogg" && f.Duration == 0, class(f.MIME) == "image" && f.Width == 0:
		return ErrType // of the sounds in Ogg WhatsApp takes Opus only
	case f.Size > limit:
		return tooLarge(sizeOf(f.Size), limit)
	}
	return nil
}

func tooLarge(size string, limit int64) error {
	return fault.New(fault.TooLarge, "error.too_large", "size", size, "max", sizeOf(limit)).With(ErrTooLarge)
}

// sizeOf is a size as people write it, rounded up.
func sizeOf(bytes int64) string {
	if bytes < 1<<20 {
		return strconv.FormatInt((bytes+1<<10-1)>>10, 10) + " kB"
	}
	return strconv.FormatInt((bytes+1<<20-1)>>20, 10) + " MB"
}

// incoming is a file on its way in: written and hashed, then kept or discarded.
type incoming struct {
	file *os.File
	hash hash.Hash
	size int64
}

func (s *Store) receive() (*incoming, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, incomingDir), "*") // 0600
	if err != nil {
		return nil, fmt.Errorf("make a file for media: %w", err)
	}
	return &incoming{file: f, hash: sha256.New()}, nil
}

func (in *incoming) Write(b []byte) (int, error) {
	n, err := in.file.Write(b)
	in.hash.Write(b[:n])
	in.size += int64(n)
	return n, err
}

// restart forgets what has come so far.
func (in *incoming) restart() error {
	in.hash.Reset()
	in.size = 0
	return errors.Join(in.file.Truncate(0), rewind(in.file))
}

func (in *incoming) sum() []byte { return in.hash.Sum(nil) }

// discard closes the file, and removes it unless it was kept.
func (in *incoming) discard() {
	_ = in.file.Close()
	_ = os.Remove(in.file.Name()) // kept, it has another name
}

// keep moves a content to its place, durable before anybody is told of it. One that is there already is
// the same.
func (s *Store) keep(municipality int64, in *incoming, small []byte, f *File) error {
	f.SHA256, f.Size = hex.EncodeToString(in.sum()), in.size
	name, err := s.place(municipality, f.SHA256)
	if err != nil {
		return err
	}
	if err := s.makeFolder(filepath.Dir(name)); err != nil {
		return fmt.Errorf("make a folder for media: %w", err)
	}
	if !touch(name, in.size) {
		if err := s.move(in.file, name); err != nil {
			return fmt.Errorf("keep media: %w", err)
		}
	}
	f.Thumbnail = len(small) > 0
	if f.Thumbnail {
		if err := s.write(name+thumbnailSuffix, small); err != nil {
			return fmt.Errorf("keep a thumbnail: %w", err)
		}
	}
	return nil
}

func (s *Store) write(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, incomingDir), "*")
	if err != nil {
		return err
	}
	defer func() { // a name that was moved is no longer there
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return s.move(f, name)
}

// move gives a written file its name. A crash leaves it whole under the name, or not at all.
func (s *Store) move(f *os.File, name string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// makeFolder makes a folder below the store's, and makes its name durable in those above it.
func (s *Store) makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(syncFolder(filepath.Dir(dir)), syncFolder(s.dir))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
