// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// stillProves holds for row c of the register, of citizen c.k: they are on the list or in the district, suspended ones
// too. What is of no list, the notice that they read and what they told Meta, is proof while they are on any, or while
// marketing is stopped.
const stillProves = `EXISTS (SELECT 1 FROM subscription s WHERE s.municipality_id = c.municipality_id AND s.contact_id = c.k AND s.state <> 0 AND (s.topic = c.topic OR c.topic = ''))
	OR c.topic = '' AND EXISTS (SELECT 1 FROM subscriber b WHERE b.municipality_id = c.municipality_id AND b.contact_id = c.k AND b.marketing_stopped_at IS NOT NULL)`

// OldConsents looks at the next rows of the consent register, after one, that were written before a time. Over are those
// that prove nothing any more: their citizen left the list so long ago.
func OldConsents(ctx context.Context, tx *db.Tx, municipality int64, before time.Time, after int64, limit int) ([]contact.ConsentPlace, error) {
	return contact.LookConsents(ctx, tx, municipality, after, before, stillProves, limit)
}

// DeleteConsents deletes rows of the register whose time is over, and says so in the audit trail, where their hashes
// stay. It returns how many went.
func DeleteConsents(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (int, error) {
	gone, err := contact.DeleteConsents(ctx, tx, municipality, ids)
	if err != nil {
		return 0, err
	}
	entries := make([]staff.Entry, len(gone))
	for i, id := range gone {
		entries[i] = staff.Entry{Actor: staff.System("retention").In(municipality), Action: staff.ConsentDeleted, ObjectKind: "consent", ObjectID: db.FormatID(id)}
	}
	return len(gone), staff.RecordMany(ctx, tx, entries)
}

// ForgetStanding deletes what is known as a subscriber of contacts that are no more.
func ForgetStanding(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) error {
	rows := make([][]any, len(contacts))
	for i, id := range contacts {
		rows[i] = []any{municipality, id}
	}
	for _, table := range []string{"subscription", "subscriber"} {
		_, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE municipality_id = $1 AND contact_id = $2
			AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.municipality_id = $1 AND c.contact_id = $2)`, rows)
		if err != nil {
			return fmt.Errorf("forget what subscribers were on: %w", err)
		}
	}
	return nil
}

// WithoutFilesToSend are files but those that stand above a broadcast that has not ended: it may be scheduled far ahead,
// and its file be older than files are kept.
func WithoutFilesToSend(ctx context.Context, tx *db.Tx, municipality int64, files []int64) ([]int64, error) {
	needed := make(map[int64]bool)
	err := tx.Query(ctx, `SELECT template FROM broadcast WHERE municipality_id = $1 AND completed_at IS NULL`, [][]any{{municipality}}, func(_ int, row db.Scanner) error {
		var column db.JSON
		if err := row.Scan(&column); err != nil {
			return err
		}
		var t saved
		err := column.Into(&t)
		needed[t.Template.MediaID] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for the files of broadcasts to come: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(files), func(id int64) bool { return needed[id] }), nil
}
