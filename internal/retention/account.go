// SPDX-License-Identifier: AGPL-3.0-or-later

package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Deleted is the action of the audit trail that tells how much was deleted because its time was over.
const Deleted staff.Action = "retention.deleted"

// counts is how much a slice deleted.
type counts struct{ messages, files, conversations, contacts, consents int }

// add notes them in the transaction that deleted: none is told twice, and none is lost with a process.
func (n counts) add(ctx context.Context, tx *db.Tx, municipality int64) error {
	if n == (counts{}) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO retention_run (municipality_id, messages, files, conversations, contacts, consents) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (municipality_id) DO UPDATE SET messages = retention_run.messages + excluded.messages, files = retention_run.files + excluded.files,
		conversations = retention_run.conversations + excluded.conversations, contacts = retention_run.contacts + excluded.contacts, consents = retention_run.consents + excluded.consents`,
		municipality, n.messages, n.files, n.conversations, n.contacts, n.consents)
	if err != nil {
		return fmt.Errorf("count what was deleted: %w", err)
	}
	return nil
}

func (r *run) contactsDue(ctx context.Context) (due bool, err error) {
	err = r.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		var last *db.Time
		err := tx.QueryRowContext(ctx, `SELECT contacts_at FROM retention_run WHERE municipality_id = $1`, r.municipality).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		due = last == nil || tx.Now().Sub(last.Time) >= contactsEvery
		return err
	})
	return due, err
}

func (r *run) contactsDone(ctx context.Context) error {
	return r.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO retention_run (municipality_id, contacts_at) VALUES ($1, $2)
			ON CONFLICT (municipality_id) DO UPDATE SET contacts_at = excluded.contacts_at`, r.municipality, tx.Now())
		return err
	})
}

// tellEvery is how often the audit trail is told at most: runs are many, and it can't be shortened.
const tellEvery = 24 * time.Hour

// finish notes that a run came to its end, and tells the audit trail once a day how much was deleted.
func (r *run) finish(ctx context.Context) error {
	return r.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO retention_run (municipality_id, ran_at) VALUES ($1, $2)
			ON CONFLICT (municipality_id) DO UPDATE SET ran_at = excluded.ran_at`, r.municipality, tx.Now())
		if err != nil {
			return fmt.Errorf("note the run: %w", err)
		}
		last, err := load(ctx, tx, r.municipality) // the row is ours by now: nobody else tells the same
		if err != nil || last.untold == (counts{}) || last.toldAt != nil && tx.Now().Sub(*last.toldAt) < tellEvery {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE retention_run SET told_at = $2, messages = 0, files = 0, conversations = 0, contacts = 0, consents = 0 WHERE municipality_id = $1`, r.municipality, tx.Now())
		if err != nil {
			return fmt.Errorf("note what is told: %w", err)
		}
		return staff.Record(ctx, tx, staff.System("retention").In(r.municipality), Deleted, "municipality", db.FormatID(r.municipality), map[string]any{
			"messages": last.untold.messages, "files": last.untold.files, "conversations": last.untold.conversations, "contacts": last.untold.contacts,
			"consents": last.untold.consents})
	})
}

type account struct {
	ranAt, toldAt *time.Time
	untold        counts
}

func load(ctx context.Context, tx *db.Tx, municipality int64) (a account, err error) {
	err = tx.Query(ctx, `SELECT ran_at, told_at, messages, files, conversations, contacts, consents FROM retention_run WHERE municipality_id = $1`, [][]any{{municipality}},
		func(_ int, row db.Scanner) error {
			return row.Scan(&a.ranAt, &a.toldAt, &a.untold.messages, &a.untold.files, &a.untold.conversations, &a.untold.contacts, &a.untold.consents)
		})
	if err != nil {
		return a, fmt.Errorf("read the last run of municipality %d: %w", municipality, err)
	}
	return a, nil
}

// LastRun is when what is kept no longer was last deleted, to the end; nil before the first run.
func LastRun(ctx context.Context, tx *db.Tx, municipality int64) (*time.Time, error) {
	a, err := load(ctx, tx, municipality)
	if err != nil || a.ranAt == nil {
		return nil, err
	}
	at := a.ranAt.UTC()
	return &at, nil
}
