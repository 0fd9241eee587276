// SPDX-License-Identifier: AGPL-3.0-or-later

package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// ReasonOld is why the content of a file is no longer there when its time was over.
const ReasonOld = "media.old"

// DropContents lets go of the contents of files: what they are called and what the office wrote of them stays with
// their messages. It returns how many went.
func DropContents(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (int, error) {
	rows := keyed(municipality, ids)
	if err := letGo(ctx, tx, rows); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM media_upload WHERE municipality_id = $1 AND media_id = $2`, rows); err != nil {
		return 0, fmt.Errorf("forget the uploads of files: %w", err)
	}
	n, err := tx.Exec(ctx, `UPDATE media SET state = 'failed', reason = '`+ReasonOld+`', sha256 = '', thumbnail = false
		WHERE municipality_id = $1 AND media_id = $2 AND state = 'ready'`, rows)
	if err != nil {
		return 0, fmt.Errorf("drop the contents of files: %w", err)
	}
	return sum(n), nil
}

// Delete deletes files with all that is known of them, and returns of how many the content was still there.
func Delete(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (int, error) {
	n, err := DropContents(ctx, tx, municipality, ids)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM media WHERE municipality_id = $1 AND media_id = $2`, keyed(municipality, ids)); err != nil {
		return 0, fmt.Errorf("delete files: %w", err)
	}
	return n, nil
}

func keyed(municipality int64, ids []int64) [][]any {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	return rows
}

func sum(each []int64) (n int) {
	for _, e := range each {
		n += int(e)
	}
	return n
}

// letGo notes the contents of ready files, which Sweep takes from the disk when the transaction is committed.
func letGo(ctx context.Context, tx *db.Tx, rows [][]any) error {
	noted := make([][]any, len(rows))
	for i, r := range rows {
		noted[i] = append(append([]any{}, r...), tx.Now())
	}
	_, err := tx.Exec(ctx, `INSERT INTO media_deleted (municipality_id, sha256, at)
		SELECT municipality_id, sha256, $3 FROM media WHERE municipality_id = $1 AND media_id = $2 AND state = 'ready' AND sha256 <> ''
		ON CONFLICT (municipality_id, sha256) DO UPDATE SET at = excluded.at`, noted)
	if err != nil {
		return fmt.Errorf("note contents that go: %w", err)
	}
	return nil
}

// settled is how long a content that was let go, or brought again, is left alone: somebody may be about to save a row
// of it.
const settled = time.Hour

const sweptAtOnce = 50

// Sweep takes from the disk a few of the contents that were let go an hour ago and that no file of the municipality
// has, with what was made of them. It returns how many it looked at: 0 when nothing is left to do. It may be stopped
// anywhere and runs again; any number of processes may run it.
func Sweep(ctx context.Context, d *db.DB, s *Store, municipality int64) (int, error) {
	before := d.Now().Add(-settled)
	var gone, kept [][]any
	err := d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		gone, kept = nil, nil
		return tx.Query(ctx, `SELECT w.sha256, EXISTS (SELECT 1 FROM media f WHERE f.municipality_id = w.municipality_id AND f.sha256 = w.sha256 AND f.sha256 <> '')
			FROM media_deleted w WHERE w.municipality_id = $1 AND w.at < $2 ORDER BY w.sha256 LIMIT $3`, [][]any{{municipality, before, sweptAtOnce}},
			func(_ int, row db.Scanner) error {
				var sha string
				var needed bool
				err := row.Scan(&sha, &needed)
				if needed {
					kept = append(kept, []any{municipality, sha, before})
				} else {
					gone = append(gone, []any{municipality, sha, before})
				}
				return err
			})
	})
	if err != nil {
		return 0, fmt.Errorf("look for contents that go: %w", err)
	}
	done := kept
	for _, w := range gone {
		removed, err := s.remove(municipality, w[1].(string), time.Now().Add(-settled))
		if err != nil {
			return 0, fmt.Errorf("remove a content of municipality %d: %w", municipality, err)
		}
		if removed {
			done = append(done, w)
		}
	}
	if len(done) == 0 {
		return 0, nil
	}
	err = d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM media_deleted WHERE municipality_id = $1 AND sha256 = $2 AND at < $3`, done)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget contents that are gone: %w", err)
	}
	return len(done), nil
}

const goingSuffix = ".going"

// remove takes a content from the disk, unless somebody brought it again since before. It has another name by then:
// who brings it again either touches it first, which is seen, or finds it gone and writes it.
func (s *Store) remove(municipality int64, sha string, before time.Time) (removed bool, err error) {
	name, err := s.place(municipality, sha)
	if err != nil {
		return false, err
	}
	if err := os.Rename(name, name+goingSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if info, err := os.Stat(name + goingSuffix); err == nil && info.ModTime().After(before) {
		return false, os.Rename(name+goingSuffix, name)
	}
	for _, suffix := range []string{thumbnailSuffix, shownSuffix, soundSuffix, goingSuffix} {
		if err := os.Remove(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return true, nil
}

// touch reports whether a content of this size is there, and keeps it from being removed for a while.
func touch(name string, size int64) bool {
	now := time.Now()
	if os.Chtimes(name, now, now) != nil {
		return false
	}
	have, err := os.Stat(name)
	return err == nil && have.Size() == size
}
