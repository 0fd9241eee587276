// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/outbound"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Restored is the action in the audit trail of a municipality that came back from a backup.
const Restored staff.Action = "installation.restored"

// Restore brings the backup in file into an installation that holds nothing yet. Everything is unpacked
// and verified aside before any of it is put in place, and nothing that was waiting to be sent will be.
func Restore(ctx context.Context, s Settings, file string, out io.Writer, log *slog.Logger) error {
	unlock, err := lockServe(s)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.prepare(); err != nil {
		return err
	}
	// Not by open: it would make a key where the one of the backup is to be put.
	d, err := db.Open(ctx, db.Options{DSN: s.Database, Log: log})
	if err != nil {
		return err
	}
	r := &restore{Settings: s, d: d, log: log}
	defer func() { r.closeDatabase() }()
	if err := r.checkEmpty(ctx); err != nil {
		return err
	}
	staged, err := r.unpack(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer staged.remove()
	if err := r.place(ctx, staged); err != nil {
		return err
	}
	say(out, "Restored the backup of %s.", staged.CreatedAt.Local().Format("2 January 2006, 15:04"))
	r.report(out)
	return r.reportKey(ctx, out)
}

type restore struct {
	Settings
	d         *db.DB // nil while its files are exchanged
	log       *slog.Logger
	uncertain map[int64]int
	paused    int // broadcasts
}

func (r *restore) closeDatabase() {
	if r.d == nil {
		return
	}
	if err := r.d.Close(); err != nil {
		r.log.Warn("the database did not close cleanly", "error", err)
	}
	r.d = nil
}

// checkEmpty refuses to mix a backup with what is here.
func (r *restore) checkEmpty(ctx context.Context) error {
	var places []int64
	var anybody, anything bool
	err := errors.Join(r.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if places, err = municipality.IDs(ctx, tx); err != nil {
			return err
		}
		anybody, err = staff.Anybody(ctx, tx)
		return err
	}), r.d.ViewJournal(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		anything, err = journal.Anything(ctx, tx)
		return err
	}))
	if err != nil {
		return fmt.Errorf("look whether the database is empty: %w", err)
	}
	if len(places) > 0 || anybody || anything {
		return errors.New("the database is not empty, and a backup never replaces what is there: give an empty one (FILODIRETTO_DATABASE) and an empty folder (FILODIRETTO_DATA)")
	}
	return r.checkNoMedia()
}

// checkNoMedia lets empty folders be, which serve makes when it starts.
func (r *restore) checkNoMedia() error {
	return filepath.WalkDir(r.mediaFolder(), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && !entry.IsDir():
			return fmt.Errorf("%s is there already, and a backup never replaces what is there: give an empty folder (FILODIRETTO_DATA)", path)
		}
		return err
	})
}

// place puts what was unpacked where it belongs. The database is last: it is what makes an installation.
func (r *restore) place(ctx context.Context, s *staged) error {
	media := filepath.Join(s.folder, "media")
	if _, err := os.Stat(media); err == nil {
		if err := os.RemoveAll(r.mediaFolder()); err != nil { // empty folders, see checkNoMedia
			return err
		}
		if err := errors.Join(os.Rename(media, r.mediaFolder()), syncFolder(r.Data)); err != nil {
			return err
		}
	}
	fill := r.fillTables
	if r.d.Engine == db.SQLite {
		fill = r.exchangeFiles
	}
	if err := fill(ctx, s); err != nil {
		// A folder that is not empty would keep the next attempt from starting.
		return errors.Join(err, os.RemoveAll(r.mediaFolder()))
	}
	return nil
}

// exchangeFiles makes the unpacked files safe where nobody sees them, and only then the database.
func (r *restore) exchangeFiles(ctx context.Context, s *staged) error {
	main := filepath.Join(s.databaseFolder, "main.db")
	journal := filepath.Join(s.databaseFolder, "journal.db")
	if err := os.Rename(journal, db.JournalFile(main)); err != nil {
		return err
	}
	aside, err := db.Open(ctx, db.Options{DSN: "sqlite:" + main, Log: r.log})
	if err != nil {
		return fmt.Errorf("open the database of the backup: %w", err)
	}
	err = aside.Update(ctx, r.makeSafe)
	if err := errors.Join(err, aside.Close()); err != nil {
		return err
	}
	r.closeDatabase()
	target := strings.TrimPrefix(r.Database, "sqlite:")
	for _, f := range []struct{ from, to string }{{db.JournalFile(main), db.JournalFile(target)}, {main, target}} {
		if err := moveDatabase(f.from, f.to); err != nil {
			return err
		}
	}
	if err := syncFolder(filepath.Dir(target)); err != nil {
		return err
	}
	r.d, err = db.Open(ctx, db.Options{DSN: r.Database, Log: r.log})
	return err
}

// moveDatabase replaces a closed SQLite file. What is left of the earlier one's log must not be applied
// to the new one.
func moveDatabase(from, to string) error {
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(to + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := os.Stat(from + end); err == nil {
			return fmt.Errorf("%s was not closed cleanly: try again", from)
		}
	}
	return os.Rename(from, to)
}

// fillTables does everything in one transaction: no instance ever sees a message that is queued.
func (r *restore) fillTables(ctx context.Context, s *staged) error {
	return r.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		for _, t := range s.Tables {
			if err := fillTable(ctx, tx, t, filepath.Join(s.databaseFolder, t.Name)); err != nil {
				return err
			}
		}
		return r.makeSafe(ctx, tx)
	})
}

func fillTable(ctx context.Context, tx *db.Tx, t db.Table, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	_, err = tx.CopyIn(ctx, t, f)
	return errors.Join(err, f.Close())
}

// makeSafe keeps a restored database from sending, and leaves a row in every audit trail.
func (r *restore) makeSafe(ctx context.Context, tx *db.Tx) error {
	uncertain, err := conversation.RestoreSafe(ctx, tx)
	if err != nil {
		return err
	}
	if r.paused, err = broadcast.RestoreSafe(ctx, tx); err != nil {
		return err
	}
	if err := outbound.RestoreSafe(ctx, tx); err != nil {
		return err
	}
	ids, err := municipality.IDs(ctx, tx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		detail := map[string]any{"uncertain": uncertain[id]}
		if err := staff.Record(ctx, tx, commandLine.In(id), Restored, "municipality", db.FormatID(id), detail); err != nil {
			return err
		}
	}
	r.uncertain = uncertain
	return nil
}

func (r *restore) report(out io.Writer) {
	if r.paused > 0 {
		say(out, "%d broadcasts were on their way or scheduled: they are paused until somebody resumes them.", r.paused)
	}
	n := 0
	for _, of := range r.uncertain {
		n += of
	}
	if n == 0 {
		say(out, "No message was waiting to be sent.")
		return
	}
	say(out, "%d messages were waiting to be sent when the backup was made. They may have gone out since, so none is sent: they are", n)
	say(out, "uncertain, and after ten minutes the desk offers each of them to a person, who may send it again knowingly.")
}

// reportKey tells whether the key that is here opens the restored secrets. The backup is restored
// whatever it says.
func (r *restore) reportKey(ctx context.Context, out io.Writer) error {
	const bring = "Put the key file of the installation that was backed up there before you start serve, or apply the municipality files again."
	if _, err := os.Stat(r.KeyFile()); errors.Is(err, fs.ErrNotExist) {
		say(out, "The key is missing: %s is not there, and a backup never holds it.\n%s", r.KeyFile(), bring)
		return nil
	}
	key, err := secret.Load(r.KeyFile())
	if err != nil {
		say(out, "The key can't be read: %v.\n%s", err, bring)
		return nil
	}
	if _, err := municipality.NewDirectory(ctx, r.d, key); err != nil {
		r.log.Debug("secrets do not open", "error", err)
		say(out, "The key in %s does not open the secrets of this backup.\n%s", r.KeyFile(), bring)
		return nil
	}
	say(out, "The key in %s opens its secrets.", r.KeyFile())
	return nil
}
