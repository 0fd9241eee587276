// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// CountCopies counts the copies of a broadcast by state, also those that were deleted since.
func CountCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (map[Status]int, error) {
	out := make(map[Status]int)
	err := tx.Query(ctx, `SELECT status, count(*) FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 GROUP BY status
		UNION ALL SELECT status, count FROM copies_deleted WHERE municipality_id = $1 AND broadcast_id = $2`,
		[][]any{{municipality, broadcast}}, func(_ int, row db.Scanner) error {
			var s Status
			var n int
			err := row.Scan(&s, &n)
			out[s] += n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("count the copies of broadcast %d: %w", broadcast, err)
	}
	return out, nil
}

// CopiesDeleted reports whether copies of a broadcast are no more: only their outcome is known.
func CopiesDeleted(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (some bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM copies_deleted WHERE municipality_id = $1 AND broadcast_id = $2)`, municipality, broadcast).Scan(&some)
	if err != nil {
		return false, fmt.Errorf("look for deleted copies of broadcast %d: %w", broadcast, err)
	}
	return some, nil
}

// CopiesOf lists copies of a broadcast in some states, after an id, in the order of ids. It tells what became of them,
// not what they say: that is the same of all. Of those skipped it lists who was for the reason why; "" is any. Each
// stage is walked in the index that has the copies of it in order, so that a page costs little more than what it shows.
func CopiesOf(ctx context.Context, tx *db.Tx, municipality, broadcast int64, states []Status, why string, after int64, limit int) ([]Message, error) {
	var rows [][]any
	for stage, within := range byStage(states) {
		in := [3]int16{int16(within[0]), int16(within[0]), int16(within[0])} // no stage has more states
		for i, s := range within {
			in[i] = int16(s)
		}
		rows = append(rows, []any{municipality, broadcast, int16(stage), in[0], in[1], in[2], after, limit, why})
	}
	var out []Message
	err := tx.Query(ctx, `SELECT message_id, contact_id, number, direction, type, external_id, status, at, error_code, error_detail, sending_at, sent_at, delivered_at, read_at
		FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 AND stage = $3
		AND status IN ($4, $5, $6) AND message_id > $7 AND (CAST($9 AS text) = '' OR stage <> 101 OR error_detail = $9) ORDER BY message_id LIMIT $8`, rows, func(_ int, row db.Scanner) error {
		m := Message{BroadcastID: broadcast}
		err := row.Scan(&m.ID, &m.ContactID, &m.Number, &m.Direction, &m.Type, &m.ExternalID, &m.Status, &m.At, &m.ErrorCode, &m.ErrorDetail,
			&m.SendingAt, &m.SentAt, &m.DeliveredAt, &m.ReadAt)
		m.At = m.At.UTC()
		out = append(out, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the copies of broadcast %d: %w", broadcast, err)
	}
	slices.SortFunc(out, func(a, b Message) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(len(out), limit)], nil
}

// CopiesOpen reports whether something of a broadcast is queued or in flight.
func CopiesOpen(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (open bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM message WHERE municipality_id = $1 AND broadcast_id IN ($2, $3) AND broadcast_id <> 0 AND stage IN (10, 20))`,
		municipality, broadcast, Again(broadcast)).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("look for open copies of broadcast %d: %w", broadcast, err)
	}
	return open, nil
}

// changedCopies are the broadcasts whose copies changed; each is told once.
type changedCopies map[int64]bool

func (c changedCopies) note(broadcast int64) {
	if broadcast != 0 {
		c[broadcast] = true
	}
}

func (c changedCopies) tell(tx *db.Tx, municipality int64) {
	for id := range c {
		tx.Notify(db.Notice{Topic: db.Broadcast, Municipality: municipality, ID: id})
	}
}

// CopyTimes are the seconds from start until so many in a hundred of the copies that are known to have arrived had done
// so, for each of percents. There are none before the first arrived. All are found in one walk: a hundred thousand are
// timed while they are sent, and people wait meanwhile.
func CopyTimes(ctx context.Context, tx *db.Tx, municipality, broadcast int64, start time.Time, percents [3]int) ([]float64, error) {
	seconds := make(map[int]float64) // by place
	n := 0
	err := tx.Query(ctx, `SELECT a.place, a.n, a.delivered_at FROM (SELECT delivered_at, row_number() OVER (ORDER BY delivered_at) AS place, count(*) OVER () AS n
		FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 AND stage = 70 AND delivered_at IS NOT NULL) AS a
		WHERE a.place IN ((a.n * $3 + 99) / 100, (a.n * $4 + 99) / 100, (a.n * $5 + 99) / 100)`,
		[][]any{{municipality, broadcast, percents[0], percents[1], percents[2]}}, func(_ int, row db.Scanner) error {
			var place int
			var at db.Time
			err := row.Scan(&place, &n, &at)
			seconds[place] = max(0, at.Sub(start).Seconds())
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("time the broadcast %d: %w", broadcast, err)
	}
	if n == 0 {
		return nil, nil
	}
	times := make([]float64, len(percents))
	for i, p := range percents {
		times[i] = seconds[(n*p+99)/100]
	}
	return times, nil
}
