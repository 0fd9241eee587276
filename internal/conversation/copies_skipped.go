// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Why a copy was skipped, as its error detail tells.
const (
	SkippedLeft  = "left"  // the citizen has left the lists
	SkippedTwice = "twice" // the citizen has two contacts that turned out to be one

	SkippedBlocked = "blocked" // the office has blocked the citizen on the copy's number: Meta refuses it, an emergency too
)

// WaitingCopies lists the copies of broadcasts that wait for contacts, parked or not: what somebody who
// leaves must not get any more.
func WaitingCopies(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) ([]Message, error) {
	rows := make([][]any, len(contacts))
	for i, id := range contacts {
		rows[i] = []any{municipality, id}
	}
	out, err := messagesOf(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.contact_id = $2
		AND m.stage IN (10, 20) AND m.stage = 10 -- both, so that the index of a citizen's turn is taken
		AND m.broadcast_id <> 0`, rows)
	if err != nil {
		return nil, fmt.Errorf("look for waiting copies: %w", err)
	}
	return out, nil
}

// SkipCopies skips copies that still wait, for a reason.
func SkipCopies(ctx context.Context, tx *db.Tx, municipality int64, ids []int64, why string) error {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id, why}
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET status = 101, error_detail = $3 WHERE municipality_id = $1 AND message_id = $2 AND status = 10`, rows); err != nil {
		return fmt.Errorf("skip copies: %w", err)
	}
	return nil
}

// HasOtherCopy reports whether the citizen of a copy has another of the same broadcast that reaches them, has, or
// yet may.
func HasOtherCopy(ctx context.Context, tx *db.Tx, municipality int64, m Message) (other bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM message WHERE municipality_id = $1 AND contact_id = $2 AND broadcast_id = $3
		AND message_id <> $4 AND (status < 60 OR status IN (70, 80, 90)))`, municipality, m.ContactID, m.BroadcastID, m.ID).Scan(&other)
	if err != nil {
		return false, fmt.Errorf("look for a second copy of message %d: %w", m.ID, err)
	}
	return other, nil
}
