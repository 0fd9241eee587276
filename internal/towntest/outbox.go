// SPDX-License-Identifier: AGPL-3.0-or-later

package towntest

import (
	"context"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// Outbox counts a municipality's outgoing messages by status, for tests that hold the sum.
func Outbox(ctx context.Context, tx *db.Tx, municipality int64) (map[conversation.Status]int, error) {
	out := make(map[conversation.Status]int)
	err := tx.Query(ctx, `SELECT status, count(*) FROM message WHERE municipality_id = $1 AND direction = 'out' GROUP BY status`, [][]any{{municipality}},
		func(_ int, row db.Scanner) error {
			var s conversation.Status
			var n int
			err := row.Scan(&s, &n)
			out[s] = n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("count the outbox: %w", err)
	}
	return out, nil
}
