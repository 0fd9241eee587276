// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// prepare gives the next recipients their copies. The cursor moves in the same transaction, so that nobody is
// skipped and nobody is there twice.
func prepare(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast) error {
	cursor, err := b.cursor(ctx, tx, m.ID)
	if err != nil {
		return err
	}
	limit := slice
	if tx.Engine == db.PostgreSQL { // only other batches wait meanwhile
		limit *= 4
	}
	s := statement{offset: conversation.CopyArgs}
	b.page(&s, m, cursor, limit)
	last, n, err := conversation.Copies(ctx, tx, m.ID, b.ID, b.Follows, b.Template.MediaID, b.Author, conversation.Recipients{Query: s.String(), Args: s.args, Limit: limit})
	if err != nil {
		return err
	}
	if err := b.skipBlocked(ctx, tx, m.ID, cursor, last); err != nil {
		return err
	}
	if n < limit { // the last page, or some have theirs already: the cursor passes these too
		end, err := b.pageEnd(ctx, tx, m, cursor, limit)
		if err != nil {
			return err
		}
		last = max(last, end)
	}
	// The database learns of the first copies too: until then whatever else is asked would walk through all that come.
	if cursor == 0 && n == limit || last == 0 && b.Recipients >= many {
		if err := conversation.Learn(ctx, tx); err != nil {
			return err
		}
	}
	if last == 0 {
		return set(ctx, tx, m.ID, b.ID, `state = 'sending', prepared = true, started_at = $3`)
	}
	return set(ctx, tx, m.ID, b.ID, `cursor = $4, recipients = recipients + $5`, last, n)
}

// skipBlocked skips the copies that contacts after one, up to another, would get on a number that they are blocked on.
func (b *Broadcast) skipBlocked(ctx context.Context, tx *db.Tx, municipality, after, last int64) error {
	blocked, err := contact.BlockedBetween(ctx, tx, municipality, after, last)
	if err != nil {
		return err
	}
	return conversation.SkipBlocked(ctx, tx, municipality, blocked)
}

// cursor is the last contact that the preparation has passed.
func (b *Broadcast) cursor(ctx context.Context, tx *db.Tx, municipality int64) (cursor int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT cursor FROM broadcast WHERE municipality_id = $1 AND broadcast_id = $2`, municipality, b.ID).Scan(&cursor)
	if err != nil {
		return 0, fmt.Errorf("read how far the preparation of broadcast %d came: %w", b.ID, err)
	}
	return cursor, nil
}

// pageEnd is the last contact of the page of recipients after a contact; 0 when there is none.
func (b *Broadcast) pageEnd(ctx context.Context, tx *db.Tx, m *municipality.Municipality, after int64, limit int) (end int64, err error) {
	var s statement
	s.WriteString(`SELECT coalesce(max(p.contact_id), 0) FROM (`)
	b.page(&s, m, after, limit)
	s.WriteString(`) p`)
	if err := tx.QueryRowContext(ctx, s.String(), s.args...).Scan(&end); err != nil {
		return 0, fmt.Errorf("look where a page of broadcast %d ends: %w", b.ID, err)
	}
	return end, nil
}
