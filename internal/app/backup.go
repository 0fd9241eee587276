// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
)

// A backup is a tar archive: about.json, then the parts (the journal before the rest of the database,
// and media last), then manifest.json, which repeats the first and has the hash of each part. A file
// without it was cut short.
const (
	aboutName    = "about.json"
	manifestName = "manifest.json"
	journalName  = "database/journal.db"
	mainName     = "database/main.db"
	tableFolder  = "database/"
	mediaFolder  = "media/"
	backupFormat = 1
)

// about says what a backup is of.
type about struct {
	Format    int        `json:"format"`
	Engine    string     `json:"engine"`
	Version   string     `json:"version"`
	CreatedAt time.Time  `json:"created_at"`
	Schema    []string   `json:"schema"`           // migrations
	Tables    []db.Table `json:"tables,omitempty"` // of PostgreSQL, in the order of their parts
}

// manifest ends a backup.
type manifest struct {
	about
	Parts []part `json:"parts"`
}

// part is one file in the archive.
type part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Backup writes the database and the media to one file while everything goes on. The key is never in it.
// The file appears under its name only once it is whole.
func Backup(ctx context.Context, s Settings, file string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		temporary := file + ".tmp"
		if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an earlier backup left: %w", err)
		}
		f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
		b := &backup{ground: g, tar: tar.NewWriter(f)}
		err = b.write(ctx, filepath.Dir(file))
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return errors.Join(fmt.Errorf("write the backup: %w", err), os.Remove(temporary))
		}
		if err := errors.Join(os.Rename(temporary, file), syncFolder(filepath.Dir(file))); err != nil {
			return err
		}
		b.report(out, file)
		return nil
	})
}

type backup struct {
	*ground
	tar      *tar.Writer
	manifest manifest
	size     int64
	media    int
	missing  int
}

func (b *backup) report(out io.Writer, file string) {
	say(out, "%s: %.1f MB, the database and %d files of media.", file, float64(b.size)/1e6, b.media)
	if b.missing > 0 {
		say(out, "%d files of media that the database knows are not on the disk.", b.missing)
	}
	say(out, "The key is not in it: keep a copy of %s apart from the backups, or the access tokens can't be read again.", b.KeyFile())
}

// write puts every part into the archive; what has to lie on the disk meanwhile does so in folder.
func (b *backup) write(ctx context.Context, folder string) (err error) {
	scratch, err := os.MkdirTemp(folder, ".backup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	schema, err := b.d.Schema()
	if err != nil {
		return err
	}
	b.manifest.about = about{Format: backupFormat, Engine: b.d.Engine.String(), Version: Version(), CreatedAt: b.d.Now(), Schema: schema}
	if b.d.Engine == db.PostgreSQL {
		err = b.writeTables(ctx, scratch)
	} else {
		err = b.writeFiles(ctx, scratch)
	}
	if err != nil {
		return err
	}
	// After the database: every file that it knows of was there before it did.
	if err := b.writeMedia(ctx); err != nil {
		return err
	}
	if err := b.addJSON(manifestName, b.manifest); err != nil {
		return err
	}
	return b.tar.Close()
}

func (b *backup) writeFiles(ctx context.Context, scratch string) error {
	if err := b.addJSON(aboutName, b.manifest.about); err != nil {
		return err
	}
	journal, main, err := b.d.CopyFiles(ctx, scratch)
	if err != nil {
		return err
	}
	return errors.Join(b.addFile(journalName, journal), b.addFile(mainName, main))
}

// writeTables takes all tables as they are at one moment.
func (b *backup) writeTables(ctx context.Context, scratch string) error {
	return b.d.Snapshot(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if b.manifest.Tables, err = tx.Tables(ctx); err != nil {
			return err
		}
		if err := b.addJSON(aboutName, b.manifest.about); err != nil {
			return err
		}
		for _, t := range b.manifest.Tables {
			if err := b.writeTable(ctx, tx, t, filepath.Join(scratch, t.Name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeTable goes by a file: an archive wants to know the size before the content.
func (b *backup) writeTable(ctx context.Context, tx *db.Tx, t db.Table, scratch string) error {
	f, err := os.OpenFile(scratch, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = tx.CopyOut(ctx, t, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return errors.Join(b.addFile(tableFolder+t.Name, scratch), os.Remove(scratch))
}

// writeMedia puts in every file whose content the database knows, but for what is made of it again when asked for. Names are hashes of contents, so no
// file ever changes; one that is being written has another name.
func (b *backup) writeMedia(ctx context.Context) error {
	known, err := b.knownMedia(ctx)
	if err != nil {
		return err
	}
	root := b.mediaFolder()
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no media yet, or one just removed
		}
		if err := errors.Join(err, ctx.Err()); err != nil || !entry.Type().IsRegular() {
			return err
		}
		hash, ok := contentHash(entry.Name())
		if _, listed := known[hash]; !ok || !listed {
			return nil
		}
		if media.MadeAgain(entry.Name()) {
			return nil
		}
		known[hash] = true
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		b.media++
		return b.addFile(mediaFolder+filepath.ToSlash(name), path)
	})
	for _, present := range known {
		if !present {
			b.missing++
		}
	}
	return err
}

// knownMedia are the hashes in the database, none of them found yet.
func (b *backup) knownMedia(ctx context.Context) (map[[sha256.Size]byte]bool, error) {
	known := map[[sha256.Size]byte]bool{}
	err := b.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		return media.EachHash(ctx, tx, func(text string) {
			if hash, ok := contentHash(text); ok {
				known[hash] = false
			}
		})
	})
	return known, err
}

// contentHash is the hash that a file of media is named by; a thumbnail has more after it.
func contentHash(name string) (hash [sha256.Size]byte, ok bool) {
	const digits = 2 * sha256.Size
	if len(name) < digits {
		return hash, false
	}
	n, err := hex.Decode(hash[:], []byte(name[:digits]))
	return hash, err == nil && n == sha256.Size
}

func (b *backup) addFile(name, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := sha256.New()
	if err := b.add(name, info.Size(), io.TeeReader(f, sum)); err != nil {
		return err
	}
	b.manifest.Parts = append(b.manifest.Parts, part{Name: name, Size: info.Size(), SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (b *backup) addJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return b.add(name, int64(len(text)), bytes.NewReader(text))
}

func (b *backup) add(name string, size int64, content io.Reader) error {
	head := &tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: b.manifest.CreatedAt, Format: tar.FormatPAX}
	if err := b.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	if _, err := io.Copy(b.tar, content); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	b.size += size
	return nil
}

// syncFolder makes new names in a folder outlast a power cut.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
