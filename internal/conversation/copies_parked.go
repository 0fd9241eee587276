// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// CopyRelease lets up to Limit parked copies go, in the order of contacts.
type CopyRelease struct {
	Broadcast int64
	Number    string
	Lane      Lane
	Limit     int
	Free      bool   // where the citizen's window is open, the copy goes as text
	Stay      string // a condition on message.contact_id for those who still want it, its arguments numbered from 6
	StayArgs  []any
}

// windowOpen tells whether the citizen of a copy wrote within the window.
const windowOpen = `(SELECT 1 FROM message i WHERE i.municipality_id = message.municipality_id AND i.contact_id = message.contact_id
	AND i.number = message.number AND i.at > $5 AND i.direction = 'in' AND i.type <> 'system' LIMIT 1) IS NOT NULL`

// freeMargin keeps a free copy that waits for its turn from coming too late.
const freeMargin = 30 * time.Minute

// firstParked finds where the first parked copies end; upToLast are they. Nothing asks for them by a list of
// ids: PostgreSQL would walk through all messages for it.
const (
	firstParked = `SELECT max(p.message_id), count(*) FROM (SELECT message_id FROM message
		WHERE municipality_id = $1 AND broadcast_id = $2 AND number = $3 AND stage = 10 AND lane < 0 ORDER BY message_id LIMIT $4) AS p`
	upToLast = ` WHERE municipality_id = $1 AND broadcast_id = $2 AND number = $3 AND stage = 10 AND lane < 0 AND message_id <= $4 AND CAST($5 AS timestamptz) IS NOT NULL`
)

// mergedInto is the contact that a copy's has turned out to be; 0 is none.
const mergedInto = `(SELECT c.merged_into FROM contact c WHERE c.municipality_id = message.municipality_id AND c.contact_id = message.contact_id)`

// lookAtFirst is firstParked with how many of them have a merged contact, or one who has left: mostly nobody, and
// a statement that changes them would ask all that is parked.
func (r CopyRelease) lookAtFirst() string {
	return `SELECT max(message.message_id), count(*), coalesce(sum(CASE WHEN ` + mergedInto + ` <> 0 THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN ` + r.Stay + ` THEN 0 ELSE 1 END), 0)
		FROM (SELECT municipality_id, message_id, contact_id, number FROM message
		WHERE municipality_id = $1 AND broadcast_id = $2 AND number = $3 AND stage = 10 AND lane < 0 ORDER BY message_id LIMIT $4) AS message WHERE CAST($5 AS timestamptz) IS NOT NULL`
}

// ReleaseCopies does so, and skips those of citizens who have left. It returns how many it took from what is
// parked: none when nothing is left.
func ReleaseCopies(ctx context.Context, tx *db.Tx, municipality int64, r CopyRelease) (released, skipped int, err error) {
	since := tx.Now().Add(freeMargin - Window)
	var end *int64
	var found, merged, gone int
	args := append([]any{municipality, r.Broadcast, r.Number, r.Limit, since}, r.StayArgs...)
	if err := tx.QueryRowContext(ctx, r.lookAtFirst(), args...).Scan(&end, &found, &merged, &gone); err != nil {
		return 0, 0, fmt.Errorf("look for parked copies of broadcast %d: %w", r.Broadcast, err)
	}
	if found == 0 {
		return 0, 0, nil
	}
	if merged > 0 {
		if skipped, err = followMerges(ctx, tx, municipality, r, *end); err != nil {
			return 0, 0, err
		}
	}
	if merged+gone > 0 {
		left, err := skipLeft(ctx, tx, municipality, r, *end, since)
		if err != nil {
			return 0, 0, err
		}
		skipped += left
	}
	kind := `type`
	if r.Free {
		kind = `CASE WHEN ` + windowOpen + ` THEN 'text' ELSE 'template' END`
	}
	went, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE message SET lane = %d, next_at = $6, type = %s%s`, r.Lane, kind, upToLast),
		[][]any{{municipality, r.Broadcast, r.Number, *end, since, tx.Now()}})
	if err != nil {
		return 0, 0, fmt.Errorf("release copies of broadcast %d: %w", r.Broadcast, err)
	}
	if went[0] > 0 {
		tx.Notify(db.Notice{Topic: db.Outbox, Municipality: municipality, Key: r.Number, ID: int64(r.Lane)})
	}
	return int(went[0]), skipped, nil
}

// skipLeft skips, up to the last that is looked at, the copies of those who have left or are blocked, and returns how
// many.
func skipLeft(ctx context.Context, tx *db.Tx, municipality int64, r CopyRelease, end int64, since time.Time) (int, error) {
	args := append([]any{municipality, r.Broadcast, r.Number, end, since}, r.StayArgs...)
	left, err := tx.Exec(ctx, `UPDATE message SET status = 101, error_detail = CASE WHEN `+NotBlocked("message")+` THEN '`+SkippedLeft+`' ELSE '`+SkippedBlocked+`' END`+upToLast+` AND NOT (`+r.Stay+`)`, [][]any{args})
	if err != nil {
		return 0, fmt.Errorf("skip who left or is blocked of broadcast %d: %w", r.Broadcast, err)
	}
	return int(left[0]), nil
}

// followMerges gives parked copies to the contact that theirs has turned out to be: on PostgreSQL a copy may have
// been prepared in the very moment of the merge. Who has another is skipped; it returns how many.
func followMerges(ctx context.Context, tx *db.Tx, municipality int64, r CopyRelease, end int64) (twice int, err error) {
	var moved []Message
	err = tx.Query(ctx, `UPDATE message SET contact_id = `+mergedInto+upToLast+` AND `+mergedInto+` <> 0 RETURNING message_id, contact_id`,
		[][]any{{municipality, r.Broadcast, r.Number, end, tx.Now()}}, func(_ int, row db.Scanner) error {
			m := Message{BroadcastID: r.Broadcast}
			err := row.Scan(&m.ID, &m.ContactID)
			moved = append(moved, m)
			return err
		})
	if err != nil {
		return 0, fmt.Errorf("follow the merged recipients of broadcast %d: %w", r.Broadcast, err)
	}
	for _, m := range moved {
		other, err := HasOtherCopy(ctx, tx, municipality, m)
		if err != nil {
			return 0, err
		}
		if !other {
			continue
		}
		if err := SkipCopies(ctx, tx, municipality, []int64{m.ID}, SkippedTwice); err != nil {
			return 0, err
		}
		twice++
	}
	return twice, nil
}

// ParkCopies takes back what was released of a broadcast and not yet claimed.
func ParkCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, numbers []string) error {
	var rows [][]any
	for _, n := range numbers {
		for _, lane := range []Lane{Emergency, Broadcast} {
			rows = append(rows, []any{municipality, n, int16(lane), broadcast, Again(broadcast)})
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET lane = -1 WHERE municipality_id = $1 AND number = $2 AND lane = $3 AND lane >= 0 AND stage = 10 AND broadcast_id IN ($4, $5)`, rows); err != nil {
		return fmt.Errorf("park the copies of broadcast %d: %w", broadcast, err)
	}
	return nil
}

// CancelCopies cancels up to limit parked copies of a broadcast on a number and returns how many.
func CancelCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, number string, limit int) (int, error) {
	return changeParked(ctx, tx, municipality, broadcast, number, limit, `status = 100`)
}

// MoveCopies gives up to limit parked copies of a broadcast on a number that is no longer in use to another, and
// returns how many. They quote nothing any more: what a citizen got from one number can't be quoted from another.
func MoveCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, from, to string, limit int) (int, error) {
	return changeParked(ctx, tx, municipality, broadcast, from, limit, `number = $6, reply_to = ''`, to)
}

// changeParked sets columns of the first limit parked copies of a broadcast on a number and returns how many. The
// arguments of what is set are numbered from 6.
func changeParked(ctx context.Context, tx *db.Tx, municipality, broadcast int64, number string, limit int, set string, args ...any) (int, error) {
	var end *int64
	var found int
	if err := tx.QueryRowContext(ctx, firstParked, municipality, broadcast, number, limit).Scan(&end, &found); err != nil {
		return 0, fmt.Errorf("look for parked copies of broadcast %d: %w", broadcast, err)
	}
	if found == 0 {
		return 0, nil
	}
	n, err := tx.Exec(ctx, `UPDATE message SET `+set+upToLast, [][]any{append([]any{municipality, broadcast, number, *end, tx.Now()}, args...)})
	if err != nil {
		return 0, fmt.Errorf("change parked copies of broadcast %d: %w", broadcast, err)
	}
	return int(n[0]), nil
}

// LaneDepth counts what is released and waits on a number's lane, up to a limit.
func LaneDepth(ctx context.Context, tx *db.Tx, municipality int64, number string, lane Lane, most int) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM message WHERE municipality_id = $1 AND number = $2 AND stage = 10 AND lane >= 0 AND lane = $3 LIMIT $4) AS d`,
		municipality, number, int16(lane), most).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count what waits on %s: %w", number, err)
	}
	return n, nil
}
