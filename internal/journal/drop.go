// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal/store"
)

// How long raw bodies, which are personal data, are kept.
const (
	keepProcessed   = 7 * 24 * time.Hour
	keepQuarantined = 90 * 24 * time.Hour
	dropSlice       = 100
	dropRest        = 20 * time.Millisecond // at least, between two slices: what arrives has the writer
)

// Drop deletes the municipality's entries whose time is over, in slices that delay nobody.
func (j *Journal) Drop(ctx context.Context, municipality int64) (dropped int64, err error) {
	for {
		var n int64
		began := time.Now()
		err := j.d.UpdateJournal(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			n, err = store.New(tx).DropProcessed(ctx, store.DropProcessedParams{MunicipalityID: municipality,
				Before: db.FirstID(tx.Now().Add(-keepProcessed)), KeptBefore: db.FirstID(tx.Now().Add(-keepQuarantined)), Slice: dropSlice})
			return err
		})
		dropped += n
		if err != nil {
			return dropped, fmt.Errorf("drop old journal entries: %w", err)
		}
		if n < dropSlice {
			break
		}
		select {
		case <-time.After(max(dropRest, 4*time.Since(began))):
		case <-ctx.Done():
			return dropped, ctx.Err()
		}
	}
	err = j.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := store.New(tx).DropQuarantined(ctx, store.DropQuarantinedParams{MunicipalityID: municipality,
			Before: db.FirstID(tx.Now().Add(-keepQuarantined)), SolvedBefore: db.FirstID(tx.Now().Add(-keepProcessed))})
		return err
	})
	if err != nil {
		return dropped, fmt.Errorf("drop old quarantine: %w", err)
	}
	return dropped, nil
}

// Anything tells whether the journal holds any entry.
func Anything(ctx context.Context, tx *db.Tx) (yes bool, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM journal)`).Scan(&yes); err != nil {
		return false, fmt.Errorf("look for any entry: %w", err)
	}
	return yes, nil
}
