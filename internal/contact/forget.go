// SPDX-License-Identifier: AGPL-3.0-or-later

package contact

import (
	"context"
	"fmt"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Forget deletes contacts, with those that turned out to be them, of whom nothing is left: nothing is a condition on
// the columns of contact c, each for itself. On PostgreSQL a message that comes from one at this very moment is waited
// for and seen, or finds nobody. It returns how many went.
func Forget(ctx context.Context, tx *db.Tx, municipality int64, ids []int64, nothing string) (int, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	if tx.Engine == db.PostgreSQL {
		if _, err := tx.Exec(ctx, `SELECT 1 FROM contact_address WHERE municipality_id = $1 AND contact_id = $2 ORDER BY kind, value FOR UPDATE`, rows); err != nil {
			return 0, fmt.Errorf("lock the addresses of contacts: %w", err)
		}
	}
	var gone [][]any
	var docs []db.Doc
	forgotten := func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		gone = append(gone, []any{municipality, id})
		docs = append(docs, db.Doc{ID: id})
		return err
	}
	err := tx.Query(ctx, `DELETE FROM contact AS c WHERE c.municipality_id = $1 AND c.contact_id = $2 AND `+nothing+` AND `+NoOther(nothing)+` RETURNING contact_id`, rows, forgotten)
	if err != nil {
		return 0, fmt.Errorf("forget contacts: %w", err)
	}
	n := len(gone)
	if err := tx.Query(ctx, `DELETE FROM contact AS c WHERE c.municipality_id = $1 AND c.merged_into = $2 AND c.merged_into <> 0 RETURNING contact_id`, gone, forgotten); err != nil {
		return 0, fmt.Errorf("forget merged contacts: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM contact_address WHERE municipality_id = $1 AND contact_id = $2`, gone); err != nil {
		return 0, fmt.Errorf("forget addresses: %w", err)
	}
	return n, tx.Index(ctx, db.ContactSearch, municipality, docs, true)
}

// NoOther tells of contact c that nothing is left either of any contact that turned out to be it.
func NoOther(nothing string) string {
	return `NOT EXISTS (SELECT 1 FROM contact o WHERE o.municipality_id = c.municipality_id AND o.merged_into = c.contact_id AND o.merged_into <> 0 AND NOT (` +
		strings.ReplaceAll(nothing, "c.", "o.") + `))`
}
