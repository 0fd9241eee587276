// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
)

// RestoreSafe makes a restored database one that sends nothing by itself, in all municipalities: what
// was queued or sending when the backup was made may have gone out since, so it becomes uncertain, and a
// person decides. It returns how many messages these were, by municipality.
//
// It must commit with the restored rows, or before anybody can see them: a single queued row seen by a
// running instance is a message that a citizen gets twice.
func RestoreSafe(ctx context.Context, tx *db.Tx) (map[int64]int, error) {
	counts := make(map[int64]int)
	// What was only queued has no time of sending; from now on it counts the minutes of StayQuiet.
	err := tx.Query(ctx, `UPDATE message SET status = 30, sending_at = CASE WHEN status = 20 AND sending_at IS NOT NULL THEN sending_at ELSE $1 END
		WHERE stage IN (10, 20) RETURNING municipality_id`, [][]any{{tx.Now()}}, func(_ int, row db.Scanner) error {
		var municipality int64
		err := row.Scan(&municipality)
		counts[municipality]++
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keep what was queued from being sent: %w", err)
	}
	return counts, nil
}
