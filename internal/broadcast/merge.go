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

// Merge gives the older contact what the younger was subscribed to, once it has their messages: of each list the
// later word holds. Proof stays as it was written, under the contact of then.
func Merge(ctx context.Context, tx *db.Tx, m *municipality.Municipality, merges []contact.Merge) error {
	for _, merge := range merges {
		all, err := standings(ctx, tx, m.ID, []int64{merge.From, merge.Into}, true)
		if err != nil {
			return err
		}
		all[merge.Into].absorb(all[merge.From])
		if err := absorbMarketing(ctx, tx, m.ID, merge); err != nil {
			return err
		}
		for _, table := range []string{"subscription", "subscriber"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE municipality_id = $1 AND contact_id = $2`, m.ID, merge.From); err != nil {
				return fmt.Errorf("move the %ss of contact %d: %w", table, merge.From, err)
			}
		}
		gone := make(map[string]int64)
		for topic, t := range all[merge.From].topics {
			gone[topic] = -counts(t.was)
		}
		if err := countMore(ctx, tx, m.ID, gone); err != nil {
			return err
		}
		delete(all, merge.From)
		if err := settle(ctx, tx, m, all, "whatsapp"); err != nil {
			return err
		}
	}
	if err := skipTwice(ctx, tx, m.ID, merges); err != nil {
		return err
	}
	return copyBehind(ctx, tx, m, merges)
}

// copyBehind gives a copy to citizens whom a preparation has passed while they were on its lists only by the contact
// that it had not come to: nobody is skipped silently. On PostgreSQL preparations wait meanwhile.
func copyBehind(ctx context.Context, tx *db.Tx, m *municipality.Municipality, merges []contact.Merge) error {
	if len(merges) == 0 {
		return nil
	}
	query := `WHERE municipality_id = $1 AND completed_at IS NULL AND NOT prepared AND state IN ('scheduled', 'preparing', 'paused') ORDER BY broadcast_id`
	if tx.Engine == db.PostgreSQL {
		query += ` FOR UPDATE`
	}
	unprepared, err := read(ctx, tx, query, m.ID)
	if err != nil {
		return err
	}
	for _, b := range unprepared {
		cursor, err := b.cursor(ctx, tx, m.ID)
		if err != nil {
			return err
		}
		for _, merge := range merges {
			if merge.Into > cursor {
				continue
			}
			if err := b.copyFor(ctx, tx, m, merge); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyFor gives the older contact of a merge a copy, if it is a recipient of b and neither has one.
func (b *Broadcast) copyFor(ctx context.Context, tx *db.Tx, m *municipality.Municipality, merge contact.Merge) error {
	for _, id := range []int64{merge.Into, merge.From} {
		has, err := conversation.HasOtherCopy(ctx, tx, m.ID, conversation.Message{ContactID: id, BroadcastID: b.ID})
		if err != nil || has {
			return err
		}
	}
	s := statement{offset: conversation.CopyArgs}
	b.recipients(&s, m, merge.Into-1)
	s.WriteString(` HAVING s.contact_id = ` + s.put(merge.Into))
	_, n, err := conversation.Copies(ctx, tx, m.ID, b.ID, b.Follows, b.Template.MediaID, b.Author, conversation.Recipients{Query: s.String(), Args: s.args, Limit: 1})
	if err != nil || n == 0 {
		return err
	}
	return set(ctx, tx, m.ID, b.ID, `recipients = recipients + $4`, n)
}

// absorbMarketing keeps what either contact told Meta last.
func absorbMarketing(ctx context.Context, tx *db.Tx, municipality int64, merge contact.Merge) error {
	_, err := tx.ExecContext(ctx, `UPDATE subscriber SET marketing_at = f.marketing_at, marketing_stopped_at = f.marketing_stopped_at FROM subscriber f
		WHERE f.municipality_id = $1 AND f.contact_id = $2 AND subscriber.municipality_id = $1 AND subscriber.contact_id = $3
		AND f.marketing_at IS NOT NULL AND (subscriber.marketing_at IS NULL OR subscriber.marketing_at < f.marketing_at)`, municipality, merge.From, merge.Into)
	if err != nil {
		return fmt.Errorf("move the opt-out of contact %d: %w", merge.From, err)
	}
	return nil
}
