// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Change is what a status webhook says of one of our messages.
type Change struct {
	Number      string
	ExternalID  string
	MessageID   int64 // ours, as it came back with the webhook; 0 when it didn't
	Status      Status
	At          time.Time
	ErrorCode   int
	ErrorDetail string
	Pricing     Pricing
}

// target is the message a change is about.
type target struct {
	number, external string
	id               int64
}

// ApplyStatuses moves messages forward by what webhooks say. Several changes of one message are first
// reduced to the highest. One that can only be told by WhatsApp's id, and comes before our own send
// was settled, waits for that. It returns the messages that failed by this.
func ApplyStatuses(ctx context.Context, tx *db.Tx, municipality int64, changes []Change) ([]Failure, error) {
	highest := reduce(changes)
	keys := slices.SortedFunc(maps.Keys(highest), func(a, b target) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.external, b.external))
	})
	var byID, byExternal []Change
	for _, k := range keys {
		if c := highest[k]; c.MessageID != 0 {
			byID = append(byID, c)
		} else {
			byExternal = append(byExternal, c)
		}
	}
	const isID, isExternal = ` AND message_id = $3 AND (external_id = $2 OR external_id = '')`, ` AND external_id = $2 AND external_id <> '' AND CAST($3 AS bigint) = 0`
	failed, err := advance(ctx, tx, municipality, isID, byID)
	if err != nil {
		return nil, err
	}
	others, err := advance(ctx, tx, municipality, isExternal, byExternal)
	if err != nil {
		return nil, err
	}
	return append(failed, others...), keepEarly(ctx, tx, municipality, byExternal)
}

// Failure is a message that did not arrive, Graph's code for why, and when WhatsApp says it failed.
type Failure struct {
	MessageID, ContactID, BroadcastID int64
	Code                              int
	At                                time.Time
}

// reduce keeps for each message its highest change; among equals the earliest time.
func reduce(changes []Change) map[target]Change {
	out := make(map[target]Change, len(changes))
	for _, c := range changes {
		k := target{number: c.Number, id: c.MessageID}
		if c.MessageID == 0 {
			k.external = c.ExternalID
		}
		have, ok := out[k]
		c.Pricing, have.Pricing = cmp.Or(c.Pricing, have.Pricing), cmp.Or(have.Pricing, c.Pricing)
		if ok && (have.Status.Rank() > c.Status.Rank() || have.Status.Rank() == c.Status.Rank() && !c.At.Before(have.At)) {
			c = have
		}
		out[k] = c
	}
	return out
}

// advanceMessage is the one place where a status from outside is written: by rank, forward only. It
// keeps the time of each stage.
const advanceMessage = `UPDATE message SET status = CAST($5 AS integer),
	external_id = CASE WHEN external_id = '' THEN $2 ELSE external_id END,
	error_code = $6, error_detail = $7,
	sent_at = CASE WHEN sent_at IS NULL AND CAST($5 AS integer) >= 50 AND CAST($5 AS integer) <> 60 THEN $8 ELSE sent_at END,
	delivered_at = CASE WHEN delivered_at IS NULL AND CAST($5 AS integer) >= 70 THEN $8 ELSE delivered_at END,
	read_at = CASE WHEN read_at IS NULL AND CAST($5 AS integer) >= 80 THEN $8 ELSE read_at END,
	counted = CASE WHEN CAST($5 AS integer) >= 70 AND counted < 2 THEN counted + 1 ELSE counted END,
	pricing = CASE WHEN pricing = '' THEN CAST($10 AS text) ELSE pricing END,
	priced = CASE WHEN CAST($5 AS integer) >= 70 AND pricing || CAST($10 AS text) <> '' AND priced < 2 THEN priced + 1 ELSE priced END
	WHERE municipality_id = $1 AND number = $4 AND direction = 'out' AND status / 10 < CAST($9 AS integer) AND status < 100`

// FreeDelivered is the tally of delivered free-form replies: beyond Meta's monthly allowance they cost.
const FreeDelivered = "free_delivered"

func advance(ctx context.Context, tx *db.Tx, municipality int64, which string, changes []Change) ([]Failure, error) {
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{municipality, c.ExternalID, c.MessageID, c.Number, int16(c.Status), c.ErrorCode, c.ErrorDetail, c.At, c.Status.Rank(), string(c.Pricing)}
	}
	moved := make([]bool, len(changes))
	seen := make(map[int64]bool)
	delivered := make(map[Tally]int64)
	copies := changedCopies{}
	var failed []int64
	var failures []Failure
	err := tx.Query(ctx, advanceMessage+which+` RETURNING message_id, conversation_id, type, counted, contact_id, broadcast_id, pricing, priced`, rows, func(i int, row db.Scanner) error {
		var f Failure
		var id int64
		var kind string
		var counted, priced int
		var pricing Pricing
		err := row.Scan(&f.MessageID, &id, &kind, &counted, &f.ContactID, &f.BroadcastID, &pricing, &priced)
		seen[id], moved[i] = true, true
		if priced == 1 {
			delivered[pricing.tally(changes[i])]++
		}
		f.BroadcastID = max(f.BroadcastID, -f.BroadcastID) // see Again
		copies.note(f.BroadcastID)
		if changes[i].Status == Failed {
			f.Code, f.At = changes[i].ErrorCode, changes[i].At
			failed, failures = append(failed, f.MessageID), append(failures, f)
		}
		if counted == 1 && kind != TypeTemplate && kind != TypeReaction {
			delivered[Tally{Day: changes[i].At.UTC().Format(time.DateOnly), Number: changes[i].Number, Name: FreeDelivered}]++
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("apply statuses: %w", err)
	}
	if err := priceLate(ctx, tx, municipality, which, changes, moved, delivered); err != nil {
		return nil, err
	}
	delete(seen, 0)
	for id := range seen {
		changed(tx, municipality, id)
	}
	copies.tell(tx, municipality)
	if err := unanswered(ctx, tx, municipality, failed); err != nil {
		return nil, err
	}
	return failures, AddTallies(ctx, tx, municipality, delivered)
}

// keepEarly keeps the changes of messages that nobody knows yet by WhatsApp's id.
func keepEarly(ctx context.Context, tx *db.Tx, municipality int64, changes []Change) error {
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{municipality, c.ExternalID, int16(c.Status), c.At, c.ErrorCode, c.ErrorDetail, tx.Now(), string(c.Pricing)}
	}
	_, err := tx.Exec(ctx, `INSERT INTO status_early (municipality_id, external_id, status, at, error_code, error_detail, created_at, pricing)
		SELECT $1, $2, CAST($3 AS integer), $4, CAST($5 AS integer), $6, $7, $8
		WHERE NOT EXISTS (SELECT 1 FROM message WHERE municipality_id = $1 AND external_id = $2 AND external_id <> '')
		ON CONFLICT (municipality_id, external_id) DO UPDATE SET status = excluded.status, at = excluded.at,
		error_code = excluded.error_code, error_detail = excluded.error_detail,
		pricing = CASE WHEN excluded.pricing = '' THEN status_early.pricing ELSE excluded.pricing END
		WHERE status_early.status / 10 < excluded.status / 10`, rows)
	if err != nil {
		return fmt.Errorf("keep early statuses: %w", err)
	}
	return nil
}

// Tally names a daily count.
type Tally struct{ Day, Number, Name string }

// AddTallies adds to daily counts.
func AddTallies(ctx context.Context, tx *db.Tx, municipality int64, counts map[Tally]int64) error {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Name, b.Name))
	})
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{municipality, k.Day, k.Number, k.Name, counts[k]}
	}
	_, err := tx.Exec(ctx, `INSERT INTO tally (municipality_id, day, number, name, count) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (municipality_id, day, number, name) DO UPDATE SET count = tally.count + excluded.count`, rows)
	if err != nil {
		return fmt.Errorf("add tallies: %w", err)
	}
	return nil
}

// MonthTally sums a count over the month of at, by number.
func MonthTally(ctx context.Context, tx *db.Tx, municipality int64, name string, at time.Time) (map[string]int64, error) {
	out := make(map[string]int64)
	month := at.UTC().Format("2006-01")
	err := tx.Query(ctx, `SELECT number, CAST(sum(count) AS bigint) FROM tally WHERE municipality_id = $1 AND day >= $2 AND day <= $3 AND name = $4 GROUP BY number`,
		[][]any{{municipality, month + "-01", month + "-31", name}}, func(_ int, row db.Scanner) error {
			var number string
			var n int64
			err := row.Scan(&number, &n)
			out[number] = n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("sum the tally %s: %w", name, err)
	}
	return out, nil
}
