// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"errors"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// CountReach counts how far a broadcast came, and how fast.
func CountReach(ctx context.Context, tx *db.Tx, municipality, id int64) (Reach, error) {
	b, err := Get(ctx, tx, municipality, id)
	if err != nil {
		return Reach{}, err
	}
	r := Reach{At: tx.Now()}
	if r.Outcomes, err = Count(ctx, tx, municipality, id); err != nil || b.StartedAt == nil {
		return r, err
	}
	gone, err := conversation.CopiesDeleted(ctx, tx, municipality, id)
	if err != nil || gone { // those that are left tell no longer how fast it was
		r.P50, r.P90, r.P99 = b.Reach.P50, b.Reach.P90, b.Reach.P99
		return r, err
	}
	times, err := conversation.CopyTimes(ctx, tx, municipality, id, *b.StartedAt, []float64{.5, .9, .99})
	if err == nil && times != nil {
		r.P50, r.P90, r.P99 = times[0], times[1], times[2]
	}
	return r, err
}

// countedAnew is up to how many recipients what became of them is counted for every look: more take too long for a
// page that asks every second.
const countedAnew = 5000

// Reached tells how far a broadcast came, and how fast. Of a large one the times are the conductor's, half a minute
// old at most; and of one that has ended so is all, some minutes old while statuses still come.
func Reached(ctx context.Context, tx *db.Tx, municipality int64, b Broadcast) (Reach, error) {
	if b.Recipients <= countedAnew {
		return CountReach(ctx, tx, municipality, b.ID)
	}
	if b.CompletedAt != nil && !b.Reach.At.Before(*b.CompletedAt) {
		return b.Reach, nil
	}
	outcomes, err := Count(ctx, tx, municipality, b.ID)
	b.Reach.Outcomes = outcomes
	return b.Reach, err
}

// Statuses come for days after a broadcast has ended; what it reached is counted again for a while.
const (
	recount      = 30 * time.Second
	recountAfter = 5 * time.Minute // of one that has ended
	recountFor   = 72 * time.Hour
)

func (c *Conductor) recount(ctx context.Context) error {
	var due []work
	err := c.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		due = nil
		for _, m := range c.directory.All() {
			found, err := startedOrEnded(ctx, tx, m.ID, tx.Now().Add(-recountFor))
			if err != nil {
				return err
			}
			for _, b := range found {
				if b.CompletedAt == nil || b.Reach.At.Before(*b.CompletedAt) || tx.Now().Sub(b.Reach.At) > recountAfter {
					due = append(due, work{municipality: m.ID, id: b.ID})
				}
			}
		}
		return nil
	})
	for _, w := range due {
		err = errors.Join(err, c.keepReach(ctx, w))
	}
	return err
}

func (c *Conductor) keepReach(ctx context.Context, w work) error {
	var r Reach
	err := c.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		r, err = CountReach(ctx, tx, w.municipality, w.id)
		return err
	})
	if err != nil {
		return err
	}
	column, err := db.ToJSON(r)
	if err != nil {
		return err
	}
	return c.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE broadcast SET reach = $3 WHERE municipality_id = $1 AND broadcast_id = $2`, w.municipality, w.id, column)
		return err
	})
}
