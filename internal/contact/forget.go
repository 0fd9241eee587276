// SPDX-License-Identifier: AGPL-3.0-or-later

package contact

import (
	"context"
	"fmt"
	"strings"
	"time"

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

// citizenOf is the contact that a row of the register, c, is of today.
const citizenOf = `(SELECT CASE WHEN o.merged_into <> 0 THEN o.merged_into ELSE o.contact_id END FROM contact o
	WHERE o.municipality_id = c.municipality_id AND o.contact_id = c.contact_id)`

// sameCitizen are the rows of the register, n, of the citizen who c.k is, under whatever contact they were written.
const sameCitizen = `n.municipality_id = c.municipality_id AND n.contact_id IN (SELECT c.k UNION ALL
	SELECT o.contact_id FROM contact o WHERE o.municipality_id = c.municipality_id AND o.merged_into = c.k AND o.merged_into <> 0)`

// ConsentPlace is a row of the register that was looked at, and whether it is over.
type ConsentPlace struct {
	ID   int64
	Over bool
}

// LookConsents looks at the next rows of the register older than before, after an id, and tells which are over: nothing
// newer proves anything of the same citizen and list, and kept does not hold; of what is of no list, nothing newer of
// any. kept is a condition on row c and its citizen c.k.
func LookConsents(ctx context.Context, tx *db.Tx, municipality, after int64, before time.Time, kept string, limit int) (looked []ConsentPlace, err error) {
	young := db.FirstID(before)
	err = tx.Query(ctx, `SELECT c.consent_id, `+over(kept, `$4`)+`
		FROM (SELECT c.municipality_id, c.consent_id, c.contact_id, c.topic, `+citizenOf+` AS k FROM consent c
			WHERE c.municipality_id = $1 AND c.consent_id > $2 AND c.consent_id < $3 ORDER BY c.consent_id LIMIT $5) c
		ORDER BY c.consent_id`, [][]any{{municipality, after, young, young, limit}}, func(_ int, row db.Scanner) error {
		var p ConsentPlace
		err := row.Scan(&p.ID, &p.Over)
		looked = append(looked, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look through the consent register: %w", err)
	}
	return looked, nil
}

func over(kept, young string) string {
	return `(NOT EXISTS (SELECT 1 FROM consent n WHERE ` + sameCitizen + ` AND n.consent_id >= ` + young + ` AND (n.topic = c.topic OR c.topic = '')) AND NOT (` + kept + `))`
}

// DeleteConsents deletes rows of the register, and returns those that were there. Whoever calls it leaves them in the
// audit trail, in the same transaction: else they would be missing.
func DeleteConsents(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (gone []int64, err error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	err = tx.Query(ctx, `DELETE FROM consent WHERE municipality_id = $1 AND consent_id = $2 RETURNING consent_id`, rows, func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		gone = append(gone, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete consents: %w", err)
	}
	return gone, nil
}
