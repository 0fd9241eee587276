// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
)

// foundAtMost bounds the citizens that a search looks at before it keeps those on the list.
const foundAtMost = 500

// FindSubscribers are those of topic whose name or phone has the words of query, the best matches first, limit at most.
// Cut tells that there may be more of them: so many citizens, or subscribers, have the words that not all were looked at.
func FindSubscribers(ctx context.Context, tx *db.Tx, municipality int64, topic, query string, limit int) (some []Subscriber, cut bool, err error) {
	found, err := contact.Search(ctx, tx, municipality, query, foundAtMost+1)
	if err != nil {
		return nil, false, err
	}
	if cut = len(found) > foundAtMost; cut {
		found = found[:foundAtMost]
	}
	since := make(map[int64]time.Time)
	rows := make([][]any, len(found))
	for i, c := range found {
		rows[i] = []any{municipality, c.ID, topic}
	}
	err = tx.Query(ctx, `SELECT since FROM subscription WHERE municipality_id = $1 AND contact_id = $2 AND topic = $3 AND state = 1`, rows,
		func(i int, row db.Scanner) error {
			var at time.Time
			err := row.Scan(&at)
			since[found[i].ID] = at.UTC()
			return err
		})
	if err != nil {
		return nil, false, fmt.Errorf("find subscribers of %s: %w", topic, err)
	}
	for _, c := range found {
		if at, ok := since[c.ID]; ok {
			some = append(some, Subscriber{Contact: c, Since: at})
		}
	}
	if len(some) > limit {
		return some[:limit], true, nil
	}
	return some, cut, nil
}

// MarketingStopped is when the citizen told Meta to stop marketing messages, nil if they didn't, or allowed them since.
func MarketingStopped(ctx context.Context, tx *db.Tx, municipality, contactID int64) (*time.Time, error) {
	var stopped *time.Time
	err := tx.Query(ctx, `SELECT marketing_stopped_at FROM subscriber WHERE municipality_id = $1 AND contact_id = $2`, [][]any{{municipality, contactID}},
		func(_ int, row db.Scanner) error { return row.Scan(&stopped) })
	if err != nil {
		return nil, fmt.Errorf("read Meta's opt-out of contact %d: %w", contactID, err)
	}
	return stopped, nil
}
