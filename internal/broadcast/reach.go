// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	r, err := b.countOutcomes(ctx, tx, municipality)
	if err != nil || b.StartedAt == nil {
		return r, err
	}
	gone, err := conversation.CopiesDeleted(ctx, tx, municipality, id)
	if err != nil || gone { // those that are left tell no longer how fast it was
		return r, err
	}
	times, err := conversation.CopyTimes(ctx, tx, municipality, id, *b.StartedAt, [3]int{50, 90, 99})
	r.P50, r.P90, r.P99 = 0, 0, 0
	if err == nil && times != nil {
		r.P50, r.P90, r.P99 = times[0], times[1], times[2]
	}
	return r, err
}

// countOutcomes counts how far b came; how fast is what was counted last.
func (b *Broadcast) countOutcomes(ctx context.Context, tx *db.Tx, municipality int64) (Reach, error) {
	r := Reach{At: tx.Now(), P50: b.Reach.P50, P90: b.Reach.P90, P99: b.Reach.P99}
	var err error
	if r.Outcomes, err = Count(ctx, tx, municipality, b.ID); err != nil || r.Failed == 0 {
		return r, err
	}
	r.Failures, err = Failures(ctx, tx, municipality, b.ID)
	return r, err
}

// countedAnew is up to how many recipients what became of them is counted for every look: more take too long for a
// page that asks every second.
const countedAnew = 1000

// CountedSinceEnd reports whether b has ended and Reach was counted since: before, it tells of copies still queued. The
// conductor counts it again every few minutes for some days, as statuses come.
func (b *Broadcast) CountedSinceEnd() bool {
	return b.CompletedAt != nil && !b.Reach.At.Before(*b.CompletedAt)
}

// kept reports whether b is shown as the conductor counted it last.
func (b *Broadcast) kept() bool {
	return b.Recipients > countedAnew && (b.CompletedAt == nil || b.CountedSinceEnd())
}

// Reached tells how far a broadcast came, and how fast. Of a large one it tells what the conductor counted last: some
// seconds ago while it is sent, half a minute ago while it is paused, some minutes ago once it has ended.
func Reached(ctx context.Context, tx *db.Tx, municipality int64, b Broadcast) (Reach, error) {
	if !b.kept() {
		return CountReach(ctx, tx, municipality, b.ID)
	}
	if b.Reach.At.IsZero() { // prepared a moment ago
		b.Reach.Queued = b.Recipients
	}
	return b.Reach, nil
}

// CameTo is Reached without the times, which take longer to count.
func CameTo(ctx context.Context, tx *db.Tx, municipality int64, b Broadcast) (Outcomes, error) {
	if !b.kept() {
		return Count(ctx, tx, municipality, b.ID)
	}
	r, err := Reached(ctx, tx, municipality, b)
	return r.Outcomes, err
}

// What became of a large broadcast is counted while it is sent, at most so often and for at most so small a share of
// the time.
const (
	keptUp      = 2 * time.Second
	countsShare = 50 // one part of so many
)

// keepUp counts what became of the large broadcasts that are being sent, and once more of each that has left off.
func (c *Conductor) keepUp(ctx context.Context) error {
	start := time.Now()
	defer func() { c.keepUpAt = c.d.Now().Add(max(keptUp, countsShare*time.Since(start))) }()
	var sending, fresh []work
	err := c.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		sending, fresh = nil, nil
		return tx.Query(ctx, `SELECT municipality_id, broadcast_id, reach FROM broadcast WHERE completed_at IS NULL AND started_at IS NOT NULL
			AND state <> 'paused' AND recipients > $1`, [][]any{{countedAnew}}, func(_ int, row db.Scanner) error {
			var w work
			var reach db.JSON
			var r Reach
			if err := errors.Join(row.Scan(&w.municipality, &w.id, &reach), reach.Into(&r)); err != nil {
				return err
			}
			sending = append(sending, w)
			if tx.Now().Sub(r.At) < keptUp { // by another instance
				fresh = append(fresh, w)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("look for broadcasts to count: %w", err)
	}
	due := slices.DeleteFunc(slices.Clone(sending), func(w work) bool { return slices.Contains(fresh, w) })
	for _, w := range c.sending {
		if !slices.Contains(sending, w) {
			due = append(due, w)
		}
	}
	c.sending = sending
	for _, w := range due {
		err = errors.Join(err, c.keepReach(ctx, w, func(ctx context.Context, tx *db.Tx, municipality, id int64) (Reach, error) {
			b, err := Get(ctx, tx, municipality, id)
			if err != nil {
				return Reach{}, err
			}
			return b.countOutcomes(ctx, tx, municipality)
		}))
	}
	return err
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
		err = errors.Join(err, c.keepReach(ctx, w, CountReach))
	}
	return err
}

// keepReach counts a broadcast and keeps it with it; the pages that show it are told.
func (c *Conductor) keepReach(ctx context.Context, w work, count func(ctx context.Context, tx *db.Tx, municipality, id int64) (Reach, error)) error {
	var r Reach
	err := c.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		r, err = count(ctx, tx, w.municipality, w.id)
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
		tx.Notify(db.Notice{Topic: db.Broadcast, Municipality: w.municipality, ID: w.id})
		return err
	})
}
