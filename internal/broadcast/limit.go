// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Meta lets a business reach so many people a day outside their window, over all its numbers.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits
const limitDay = 24 * time.Hour

// kept is the share of the daily limit that only an emergency may use.
const kept = 0.1

// daily is how many people a broadcast may reach in a day to itself: an urgent one the whole limit. -1 is no
// limit, or one that Meta has not told yet.
func daily(m *municipality.Municipality, urgent bool) int {
	limit := m.PeopleADay()
	if limit < 0 || urgent {
		return limit
	}
	return int(math.Ceil(float64(limit) * (1 - kept)))
}

// reachable is how many more people the limit lets be reached now; -1 as in daily.
func reachable(ctx context.Context, tx *db.Tx, m *municipality.Municipality, urgent bool) (int, error) {
	limit := daily(m, urgent)
	if limit < 0 {
		return -1, nil
	}
	reached, err := reachedSince(ctx, tx, m.ID, tx.Now().Add(-limitDay))
	return max(0, limit-reached), err
}

// reachedSince counts the people to whom a template went out, or is on its way, since a time: of broadcasts, and of
// operators. Some had their window open, whom Meta does not count: it errs on the safe side.
func reachedSince(ctx context.Context, tx *db.Tx, municipality int64, since time.Time) (n int, err error) {
	recent, err := startedOrEnded(ctx, tx, municipality, since)
	if err != nil {
		return 0, err
	}
	args := []any{municipality, since, int64(0)} // of no broadcast
	for _, b := range recent {
		args = append(args, b.ID, -b.ID)
	}
	err = tx.QueryRowContext(ctx, `SELECT count(DISTINCT contact_id) FROM (
		SELECT contact_id FROM message WHERE municipality_id = $1 AND broadcast_id IN (`+argumentNames(3, len(args))+`) AND broadcast_id <> 0
		AND type = 'template' AND (status BETWEEN 20 AND 99 AND (accepted_at IS NULL OR accepted_at > $2) OR status = 10 AND lane >= 0)
		UNION ALL SELECT contact_id FROM message WHERE municipality_id = $1 AND created_at > $2 AND type = 'template' AND lane = 1 AND status < 100) AS people`,
		args...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the people reached today: %w", err)
	}
	return n, nil
}

// limited is who is bound by Meta's daily limit.
type limited struct {
	municipality int64
	urgent       bool
}

// allowance is how many people may still be reached, as last counted.
type allowance struct {
	people int
	at     time.Time
}

// Counting whom a day's broadcasts reached reads all their copies: while many are left, it is done once in a
// while, and what may have been released since is taken off.
const (
	plenty       = 20_000
	countAllowed = 2 * time.Second
)

// allowed is how many more people a broadcast may reach now; -1 is no limit.
func (c *Conductor) allowed(ctx context.Context, m *municipality.Municipality, w work) (may int, err error) {
	var who limited
	now := time.Now()
	err = c.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := Get(ctx, tx, w.municipality, w.id)
		if err != nil {
			return err
		}
		who = limited{municipality: m.ID, urgent: b.urgent()}
		if left, known := c.left[who]; known && now.Sub(left.at) < countAllowed && left.people > plenty {
			may, now = left.people, left.at
			return nil
		}
		may, err = reachable(ctx, tx, m, b.urgent())
		return err
	})
	c.left[who] = allowance{people: may - slice*len(numbersOf(m)), at: now}
	return may, err
}

// exactly counts again how many more people the broadcast may reach when they are few: by one instance at a time,
// or each would use all that is left.
func (b *Broadcast) exactly(ctx context.Context, tx *db.Tx, m *municipality.Municipality, may int) (int, error) {
	if may < 0 || may > plenty || tx.Engine == db.SQLite {
		return may, nil
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('daily limit', $1))`, m.ID); err != nil {
		return 0, fmt.Errorf("wait for who releases within the daily limit: %w", err)
	}
	return reachable(ctx, tx, m, b.urgent())
}

// argumentNames are the arguments from one to another, as SQL names them.
func argumentNames(from, to int) string {
	var names []string
	for i := from; i <= to; i++ {
		names = append(names, "$"+strconv.Itoa(i))
	}
	return strings.Join(names, ", ")
}
