// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// ListOfOffices is List for somebody who sees only what was handed to some offices: the conversations of
// a state, newest activity first.
func ListOfOffices(ctx context.Context, tx *db.Tx, municipality int64, state State, offices []string, after Cursor, limit int) ([]Conversation, Cursor, error) {
	if after.ID == 0 {
		after = Cursor{At: time.Unix(1<<40, 0), ID: math.MaxInt64}
	}
	var rows [][]any // one query an office, so that each walks its index and stops at the page's end
	for _, office := range slices.Compact(slices.Sorted(slices.Values(offices))) {
		rows = append(rows, []any{municipality, after.At.UTC(), after.ID, office, limit + 1})
	}
	which := `c.state = 'open'`
	if state == Closed {
		which = `c.state = 'resolved'`
	}
	var found []Conversation
	err := tx.Query(ctx, `SELECT `+conversationColumns+fromConversation+`WHERE c.municipality_id = $1
		AND (c.last_message_at, c.conversation_id) < ($2, CAST($3 AS bigint)) AND c.office <> '' AND c.office = $4 AND `+which+`
		ORDER BY c.last_message_at DESC, c.conversation_id DESC LIMIT $5`, rows, func(_ int, row db.Scanner) error {
		c, err := scanConversation(row)
		found = append(found, c)
		return err
	})
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("list the %s conversations of offices: %w", state, err)
	}
	slices.SortFunc(found, func(a, b Conversation) int {
		return cmp.Or(b.LastMessageAt.Compare(a.LastMessageAt), cmp.Compare(b.ID, a.ID))
	})
	if len(found) <= limit {
		return found, Cursor{}, nil
	}
	last := found[limit-1]
	return found[:limit], Cursor{At: last.LastMessageAt, ID: last.ID}, nil
}

// KnownToOffices reports whether a contact has a conversation that was handed to one of offices.
func KnownToOffices(ctx context.Context, tx *db.Tx, municipality, contactID int64, offices []string) (bool, error) {
	rows := make([][]any, len(offices))
	for i, office := range offices {
		rows[i] = []any{municipality, contactID, office}
	}
	seen := false
	err := tx.Query(ctx, `SELECT conversation_id FROM conversation
		WHERE municipality_id = $1 AND contact_id = $2 AND office <> '' AND office = $3 LIMIT 1`, rows, func(_ int, row db.Scanner) error {
		seen = true
		var id int64
		return row.Scan(&id)
	})
	if err != nil {
		return false, fmt.Errorf("look for conversations of contact %d in offices: %w", contactID, err)
	}
	return seen, nil
}
