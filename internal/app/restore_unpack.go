// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
)

// staged is a backup unpacked and verified, but not yet in place.
type staged struct {
	about
	folder         string // beside the media
	databaseFolder string // beside SQLite's files, so that they can be renamed into place
	parts          map[string]part
}

func (s *staged) remove() {
	for _, folder := range []string{s.folder, s.databaseFolder} {
		if folder != "" {
			_ = os.RemoveAll(folder) // what stays behind has a name that nothing reads
		}
	}
}

var errIncomplete = errors.New("the backup is damaged or was cut short: use another one")

const maxManifest = 1 << 30 // bytes: some millions of files

// unpack writes every part aside and holds each against the hash that the manifest has of it.
func (r *restore) unpack(file string) (_ *staged, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s := &staged{parts: map[string]part{}}
	defer func() {
		if err != nil {
			s.remove()
		}
	}()
	archive := tar.NewReader(f)
	head, err := archive.Next()
	if err != nil || head.Name != aboutName {
		return nil, errors.New("this is not a backup of Filodiretto")
	}
	if err := readJSON(archive, &s.about); err != nil {
		return nil, err
	}
	if err := r.fits(s.about); err != nil {
		return nil, err
	}
	if err := r.makeFolders(s); err != nil {
		return nil, err
	}
	for {
		head, err := archive.Next()
		if err != nil { // also io.EOF: the manifest never came
			return nil, errIncomplete
		}
		if head.Name == manifestName {
			var m manifest
			if err := readJSON(archive, &m); err != nil {
				return nil, err
			}
			return s, s.verify(m)
		}
		if err := s.unpackPart(head.Name, archive); err != nil {
			return nil, err
		}
	}
}

func readJSON(r io.Reader, v any) error {
	if err := json.NewDecoder(io.LimitReader(r, maxManifest)).Decode(v); err != nil {
		return errIncomplete
	}
	return nil
}

// fits tells whether this program and its database can take the backup.
func (r *restore) fits(a about) error {
	if a.Format != backupFormat {
		return fmt.Errorf("version %s of Filodiretto made this backup in a way that this one does not know: restore it with that version", a.Version)
	}
	if a.Engine != r.d.Engine.String() {
		return fmt.Errorf("this is a backup of %s, and FILODIRETTO_DATABASE is %s: a backup goes back only into the same kind of database", a.Engine, r.d.Engine)
	}
	ours, err := r.d.Schema()
	if err != nil {
		return err
	}
	for _, m := range a.Schema {
		if !slices.Contains(ours, m) {
			return fmt.Errorf("a newer version of Filodiretto (%s) made this backup: restore it with that version", a.Version)
		}
	}
	if r.d.Engine == db.PostgreSQL && len(a.Schema) < len(ours) {
		return fmt.Errorf("an older version of Filodiretto (%s) made this backup: restore it with that version, then upgrade", a.Version)
	}
	return nil
}

func (r *restore) makeFolders(s *staged) (err error) {
	beside := r.Data
	if file, ok := strings.CutPrefix(r.Database, "sqlite:"); ok {
		beside = filepath.Dir(file)
	}
	if s.databaseFolder, err = os.MkdirTemp(beside, ".restore-"); err != nil {
		return err
	}
	s.folder, err = os.MkdirTemp(r.Data, ".restore-")
	return err
}

func (s *staged) unpackPart(name string, content io.Reader) error {
	to, err := s.placeOf(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), content)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) {
		err = errIncomplete
	}
	s.parts[name] = part{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}
	return errors.Join(err, f.Sync(), f.Close())
}

// placeOf keeps an archive that somebody tampered with from writing elsewhere.
func (s *staged) placeOf(name string) (string, error) {
	if filepath.IsLocal(name) && path.Clean(name) == name {
		if strings.HasPrefix(name, mediaFolder) {
			return filepath.Join(s.folder, filepath.FromSlash(name)), nil
		}
		if table, ok := strings.CutPrefix(name, tableFolder); ok && !strings.Contains(table, "/") {
			return filepath.Join(s.databaseFolder, table), nil
		}
	}
	return "", fmt.Errorf("the backup holds %q, which is no part of one: use another one", name)
}

// verify holds what was unpacked against the manifest, both ways.
func (s *staged) verify(m manifest) error {
	if len(m.Parts) != len(s.parts) {
		return errIncomplete
	}
	for _, want := range m.Parts {
		if s.parts[want.Name] != want {
			return fmt.Errorf("%s is not as it was backed up: %w", want.Name, errIncomplete)
		}
	}
	for _, name := range s.needed() {
		if _, ok := s.parts[name]; !ok {
			return errIncomplete
		}
	}
	return nil
}

// needed are the parts without which there is no database.
func (s *staged) needed() []string {
	if s.Engine == db.SQLite.String() {
		return []string{journalName, mainName}
	}
	var names []string
	for _, t := range s.Tables {
		names = append(names, tableFolder+t.Name)
	}
	return names
}
