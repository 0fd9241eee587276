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

// The outbox is the rows of messages that are queued, sending or uncertain; there is no other. A row is
// claimed (sending, by a numbered attempt) in a transaction that commits just before the bytes
// are written, and settled in another. What was surely not sent goes back; what is not sure stays
// uncertain until a webhook or a person settles it. They are found by their stage, which the indexes have.

// claimable are the messages whose turn it is: one of a citizen at a time, in the order they were
// written, the urgent lanes first.
const claimable = `SELECT m.message_id AS id FROM message m
	WHERE m.municipality_id = $1 AND m.number = $2 AND m.stage = 10 AND m.lane >= 0 AND m.lane >= $3 AND m.lane <= $4 AND m.next_at <= $5` + itsTurn + `
	ORDER BY m.lane, m.next_at, m.message_id LIMIT $6`

// itsTurn leaves out the messages of citizens who have another in flight, or before it. What is parked is
// before nothing. It is no NOT EXISTS: PostgreSQL would join all that waits, a hundred thousand copies, to find
// the turn of a few.
const itsTurn = ` AND (SELECT 1 FROM message e WHERE e.municipality_id = m.municipality_id AND e.contact_id = m.contact_id AND e.number = m.number
		AND e.stage IN (10, 20) AND (e.stage = 20 OR e.lane >= 0 AND (e.lane < m.lane OR (e.lane = m.lane AND e.message_id < m.message_id))) LIMIT 1) IS NULL`

// Claim takes up to limit messages of the lanes from first to last that are due on a number and marks
// them as sending. The caller writes them to the wire as soon as the transaction has
// committed, and no later than half its lease.
func Claim(ctx context.Context, tx *db.Tx, municipality int64, number string, first, last Lane, limit int) ([]Message, error) {
	due := claimable
	if tx.Engine == db.PostgreSQL {
		due += ` FOR UPDATE OF m SKIP LOCKED`
	}
	// By status, not by stage: the index of what is queued is where they are, but not where they are found.
	claimed, err := messages(ctx, tx, `WITH due AS MATERIALIZED (`+due+`)
		UPDATE message SET status = 20, sending_at = $5, attempts = attempts + 1 FROM due
		WHERE municipality_id = $1 AND message_id = due.id AND status = 10 RETURNING `+bareMessageColumns,
		municipality, number, int16(first), int16(last), tx.Now(), limit)
	if err != nil {
		return nil, fmt.Errorf("claim messages on %s: %w", number, err)
	}
	slices.SortFunc(claimed, func(a, b Message) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
	})
	return claimed, nil
}

// Due is what waits to be sent.
type Due struct {
	At     time.Time // when the next may go of those whose turn it is; zero: there is none
	Queued bool      // there is something, perhaps such as waits until what is in flight to its citizen has ended
}

// NextDue tells what waits in the lanes of a number.
func NextDue(ctx context.Context, tx *db.Tx, municipality int64, number string, lanes ...Lane) (due Due, err error) {
	const queued = ` FROM message m WHERE m.municipality_id = $1 AND m.number = $2 AND m.stage = 10 AND m.lane >= 0 AND m.lane = $3`
	const next = `SELECT (SELECT m.next_at` + queued + itsTurn + ` ORDER BY m.next_at, m.message_id LIMIT 1), (SELECT 1` + queued + ` LIMIT 1) IS NOT NULL`
	rows := make([][]any, len(lanes))
	for i, lane := range lanes {
		rows[i] = []any{municipality, number, int16(lane)}
	}
	err = tx.Query(ctx, next, rows, func(_ int, row db.Scanner) error {
		var at *db.Time
		var any bool
		if err := row.Scan(&at, &any); err != nil {
			return err
		}
		due.Queued = due.Queued || any
		if at != nil && (due.At.IsZero() || at.Before(due.At)) {
			due.At = at.UTC()
		}
		return nil
	})
	if err != nil {
		return due, fmt.Errorf("look for the next message on %s: %w", number, err)
	}
	return due, nil
}

// Waiting lists the numbers that have something queued, and how long the most overdue has waited.
func Waiting(ctx context.Context, tx *db.Tx) (numbers []string, overdue time.Duration, err error) {
	err = tx.Query(ctx, `SELECT n.phone_number_id, (SELECT m.next_at FROM message m WHERE m.municipality_id = n.municipality_id AND m.number = n.phone_number_id
		AND m.stage = 10 AND m.lane >= 0 ORDER BY m.lane, m.next_at LIMIT 1) FROM number n WHERE NOT n.retired`, [][]any{{}}, func(_ int, row db.Scanner) error {
		var number string
		var next *db.Time
		if err := row.Scan(&number, &next); err != nil || next == nil {
			return err
		}
		numbers = append(numbers, number)
		overdue = max(overdue, tx.Now().Sub(next.Time))
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("look through the outbox: %w", err)
	}
	return numbers, overdue, nil
}

// FileReady lets the messages go that wait for a file, now that it is with WhatsApp, or settles that they
// never can, or when to look again.
func FileReady(ctx context.Context, tx *db.Tx, municipality int64, number string, mediaID int64, o Outcome) error {
	ids, err := change(ctx, tx, municipality, `UPDATE message SET status = $4, next_at = $5, error_code = $6, error_detail = $7
		WHERE municipality_id = $1 AND number = $2 AND media_id = $3 AND stage = 10 AND lane >= 0 RETURNING message_id, conversation_id`,
		municipality, number, mediaID, int16(o.Status), o.NextAt, o.ErrorCode, o.ErrorDetail)
	if err != nil || o.Status != Failed {
		return err
	}
	return unanswered(ctx, tx, municipality, ids)
}

// change runs a statement that changes messages and answers them with their conversations, tells the desks
// of these, and returns the messages.
func change(ctx context.Context, tx *db.Tx, municipality int64, statement string, args ...any) (ids []int64, err error) {
	err = tx.Query(ctx, statement, [][]any{args}, func(_ int, row db.Scanner) error {
		var id, conversation int64
		err := row.Scan(&id, &conversation)
		ids = append(ids, id)
		if conversation != 0 {
			changed(tx, municipality, conversation)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("change messages: %w", err)
	}
	return ids, nil
}

// Outlet is a number of a municipality.
type Outlet struct {
	Municipality int64
	Number       string
}

// QueuedOnRetired lists the numbers no longer in use that still have something queued.
func QueuedOnRetired(ctx context.Context, tx *db.Tx) (out []Outlet, err error) {
	err = tx.Query(ctx, `SELECT n.municipality_id, n.phone_number_id FROM number n WHERE n.retired AND EXISTS (SELECT 1 FROM message m
		WHERE m.municipality_id = n.municipality_id AND m.number = n.phone_number_id AND m.stage = 10 AND m.lane >= 0)`, [][]any{{}}, func(_ int, row db.Scanner) error {
		var o Outlet
		err := row.Scan(&o.Municipality, &o.Number)
		out = append(out, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for messages of retired numbers: %w", err)
	}
	return out, nil
}

// notRegistered is Graph's code for a number that sends no more.
const notRegistered = 133010

// FailQueued settles what is queued on a number that is no longer in use: nothing would ever bring it to
// the citizens, and nobody would be told. Copies of broadcasts are parked: these send them from another number.
func FailQueued(ctx context.Context, tx *db.Tx, o Outlet) error {
	copies := changedCopies{}
	err := tx.Query(ctx, `UPDATE message SET lane = -1 WHERE municipality_id = $1 AND number = $2 AND stage = 10 AND lane >= 0 AND broadcast_id <> 0
		RETURNING broadcast_id`, [][]any{{o.Municipality, o.Number}}, func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		copies.note(max(id, -id)) // see Again
		return err
	})
	if err != nil {
		return fmt.Errorf("park the copies on %s: %w", o.Number, err)
	}
	copies.tell(tx, o.Municipality)
	ids, err := change(ctx, tx, o.Municipality, `UPDATE message SET status = 60, error_code = $3 WHERE municipality_id = $1 AND number = $2 AND stage = 10 AND lane >= 0
		RETURNING message_id, conversation_id`, o.Municipality, o.Number, notRegistered)
	if err != nil {
		return err
	}
	return unanswered(ctx, tx, o.Municipality, ids)
}

// SetStop keeps the code by which Meta refuses everything from a number; 0 when it no longer does.
func SetStop(ctx context.Context, tx *db.Tx, municipality int64, number string, code int) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sending_state (municipality_id, number, stopped_code, stopped_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (municipality_id, number) DO UPDATE SET stopped_code = excluded.stopped_code, stopped_at = excluded.stopped_at`,
		municipality, number, code, tx.Now())
	if err != nil {
		return fmt.Errorf("note that number %s stopped: %w", number, err)
	}
	tx.Notify(db.Notice{Topic: db.Config, Municipality: municipality})
	return nil
}

// Stops maps the numbers that Meta refuses everything from to its error code.
func Stops(ctx context.Context, tx *db.Tx, municipality int64) (map[string]int, error) {
	out := make(map[string]int)
	err := tx.Query(ctx, `SELECT number, stopped_code FROM sending_state WHERE municipality_id = $1 AND stopped_code <> 0`, [][]any{{municipality}},
		func(_ int, row db.Scanner) error {
			var number string
			var code int
			err := row.Scan(&number, &code)
			out[number] = code
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for stopped numbers: %w", err)
	}
	return out, nil
}

// Outcome is how an attempt to send ended.
type Outcome struct {
	MessageID      int64
	ConversationID int64
	ContactID      int64
	BroadcastID    int64
	Attempt        int    // the claim it ends; a later claim of the message is not touched
	Written        bool   // bytes went out: it counts as a try
	Status         Status // Queued, Uncertain, Accepted, Held or Failed
	ExternalID     string // of Accepted and Held
	NextAt         time.Time
	ErrorCode      int
	ErrorDetail    string
	AsTemplate     bool // of a free copy that goes back: the window has closed, it goes as template
}

// Settle writes how attempts ended, each once: settling again what a later attempt has claimed since changes
// nothing, or the message would go out twice. Only what is still sending goes back to the queue or becomes
// uncertain: a webhook may have told more by now, and then its word stands. A sure failure also settles
// what was given up as uncertain meanwhile.
func Settle(ctx context.Context, tx *db.Tx, municipality int64, number string, outcomes []Outcome) error {
	slices.SortFunc(outcomes, func(a, b Outcome) int { return int(min(1, max(-1, a.MessageID-b.MessageID))) })
	var accepted, external, open, closed [][]any
	var failed []int64
	copies := changedCopies{}
	defer func() { copies.tell(tx, municipality) }()
	for _, o := range outcomes {
		if o.ConversationID != 0 {
			changed(tx, municipality, o.ConversationID)
		}
		copies.note(o.BroadcastID)
		if o.Status.Rank() == Accepted.Rank() {
			accepted = append(accepted, []any{municipality, o.MessageID, int16(o.Status), o.ExternalID, tx.Now()})
			external = append(external, []any{municipality, o.ExternalID})
			continue
		}
		next := o.NextAt
		if next.IsZero() {
			next = tx.Now()
		}
		open = append(open, []any{municipality, o.MessageID, int16(o.Status), next, o.ErrorCode, o.ErrorDetail, o.Attempt, o.Written})
		if o.Status == Failed {
			failed = append(failed, o.MessageID)
		}
		if o.AsTemplate {
			closed = append(closed, []any{municipality, o.MessageID, TypeTemplate})
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET
		status = CASE WHEN status < 40 THEN $3 ELSE status END,
		external_id = CASE WHEN external_id = '' THEN $4 ELSE external_id END,
		error_code = CASE WHEN status < 40 THEN 0 ELSE error_code END, error_detail = CASE WHEN status < 40 THEN '' ELSE error_detail END,
		accepted_at = $5, tries = tries + 1
		WHERE municipality_id = $1 AND message_id = $2 AND status < 100`, accepted); err != nil {
		return fmt.Errorf("settle accepted messages: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET status = CAST($3 AS integer), next_at = $4, error_code = $5, error_detail = $6,
		tries = CASE WHEN $8 THEN tries + 1 ELSE tries END
		WHERE municipality_id = $1 AND message_id = $2 AND attempts = $7
		AND (status = 20 OR (status = 30 AND CAST($3 AS integer) = 60))`, open); err != nil {
		return fmt.Errorf("settle messages: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET type = $3 WHERE municipality_id = $1 AND message_id = $2 AND status = 10 AND broadcast_id <> 0`, closed); err != nil {
		return fmt.Errorf("make templates of free copies: %w", err)
	}
	if err := unanswered(ctx, tx, municipality, failed); err != nil {
		return err
	}
	return applyEarly(ctx, tx, municipality, number, external)
}

// closing keeps a free copy that is about to be sent from coming too late.
const closing = time.Minute

// WindowsClosed tells which free copies among messages can't go as text any more: their citizen's window has closed, or
// is about to.
func WindowsClosed(ctx context.Context, tx *db.Tx, municipality int64, messages []Message) (map[int64]bool, error) {
	closed := make(map[int64]bool)
	var free []int64
	var rows [][]any
	for _, m := range messages {
		if m.BroadcastID != 0 && m.Type == TypeText {
			closed[m.ID], free = true, append(free, m.ID)
			rows = append(rows, []any{municipality, m.ContactID, m.Number, tx.Now().Add(closing - Window)})
		}
	}
	err := tx.Query(ctx, `SELECT 1 FROM message WHERE municipality_id = $1 AND contact_id = $2 AND number = $3 AND at > $4 AND direction = 'in' AND type <> 'system' LIMIT 1`, rows,
		func(i int, row db.Scanner) error {
			var one int
			delete(closed, free[i])
			return row.Scan(&one)
		})
	if err != nil {
		return nil, fmt.Errorf("look for closed windows: %w", err)
	}
	return closed, nil
}

// applyEarly gives messages that are known by WhatsApp's id only now the status that came before.
func applyEarly(ctx context.Context, tx *db.Tx, municipality int64, number string, ids [][]any) error {
	var changes []Change
	err := tx.Query(ctx, `DELETE FROM status_early WHERE municipality_id = $1 AND external_id = $2
		RETURNING external_id, status, at, error_code, error_detail, pricing`, ids, func(_ int, row db.Scanner) error {
		c := Change{Number: number}
		err := row.Scan(&c.ExternalID, &c.Status, &c.At, &c.ErrorCode, &c.ErrorDetail, &c.Pricing)
		changes = append(changes, c)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for early statuses: %w", err)
	}
	if len(changes) == 0 {
		return nil
	}
	_, err = ApplyStatuses(ctx, tx, municipality, changes)
	return err
}

// Abandoned turns what has been sending since before a time into uncertain: whoever sent it is gone,
// and nobody knows how far it came. It returns how many there were.
func Abandoned(ctx context.Context, tx *db.Tx, municipality int64, before time.Time) (int, error) {
	ids, err := change(ctx, tx, municipality, `UPDATE message SET status = 30 WHERE municipality_id = $1 AND stage IN (20, 30) AND stage = 20 AND sending_at < $2
		RETURNING message_id, conversation_id`, municipality, before)
	return len(ids), err
}

// StayQuiet is how long an uncertain message waits for a webhook before it is offered to a person.
const StayQuiet = 10 * time.Minute

// OfferResend reports whether a person should now decide about an uncertain message.
func (m Message) OfferResend(now time.Time) bool {
	return m.Status == Uncertain && m.SendingAt != nil && now.Sub(*m.SendingAt) >= StayQuiet
}

// StuckSince lists the municipalities with messages that have been sending since before a time.
func StuckSince(ctx context.Context, tx *db.Tx, before time.Time) ([]int64, error) {
	var out []int64
	err := tx.Query(ctx, `SELECT DISTINCT municipality_id FROM message WHERE stage IN (20, 30) AND stage = 20 AND sending_at < $1`, [][]any{{before}},
		func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			out = append(out, id)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for abandoned messages: %w", err)
	}
	return out, nil
}

// keepEarlyFor is how long a status waits for its message; after that it was never ours.
const keepEarlyFor = 7 * 24 * time.Hour

// DropEarly forgets statuses of messages that never became known: other programs may use the number too.
func DropEarly(ctx context.Context, tx *db.Tx, municipality int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM status_early WHERE municipality_id = $1 AND created_at < $2`, municipality, tx.Now().Add(-keepEarlyFor))
	if err != nil {
		return fmt.Errorf("drop early statuses: %w", err)
	}
	return nil
}
