// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// over are the messages that nothing is to happen to any more: neither waiting nor in flight, nor copies of a
// broadcast that is still going on, whose ledger they are.
const over = `m.status NOT IN (10, 20) AND (m.broadcast_id = 0 OR NOT EXISTS (SELECT 1 FROM broadcast b
	WHERE b.municipality_id = m.municipality_id AND b.broadcast_id = abs(m.broadcast_id) AND b.completed_at IS NULL))`

// OldMessages are the ids of messages older than before, after an id, that may be deleted, in order.
func OldMessages(ctx context.Context, tx *db.Tx, municipality int64, before time.Time, after int64, limit int) ([]int64, error) {
	return ids(ctx, tx, "look for old messages", `SELECT m.message_id FROM message m WHERE m.municipality_id = $1 AND m.message_id > $2 AND m.message_id < $3 AND `+over+`
		ORDER BY m.message_id LIMIT $4`, municipality, after, db.FirstID(before), limit)
}

func ids(ctx context.Context, tx *db.Tx, doing, query string, args ...any) (out []int64, err error) {
	err = tx.Query(ctx, query, [][]any{args}, func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		out = append(out, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return out, nil
}

// deleted is what must be known of a message that is no more.
type deleted struct {
	id, conversation, broadcast int64
	external                    string
	status                      Status
	code                        int
}

// DeleteMessages deletes messages with all that is told of them: what they said before, their place in the search, the
// last line of their conversation. What became of the copies of a broadcast stays counted. It returns how many went.
func DeleteMessages(ctx context.Context, tx *db.Tx, municipality int64, messages []int64) (int, error) {
	var gone []deleted
	err := tx.Query(ctx, `DELETE FROM message WHERE municipality_id = $1 AND message_id = $2 AND status NOT IN (10, 20)
		RETURNING message_id, conversation_id, broadcast_id, external_id, status, error_code`, keyed(municipality, messages), func(_ int, row db.Scanner) error {
		var d deleted
		err := row.Scan(&d.id, &d.conversation, &d.broadcast, &d.external, &d.status, &d.code)
		gone = append(gone, d)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete messages: %w", err)
	}
	if err := countDeleted(ctx, tx, municipality, gone); err != nil {
		return 0, err
	}
	var lines, changes [][]any
	var docs []db.Doc
	for _, d := range gone {
		if d.external != "" && d.broadcast == 0 {
			changes = append(changes, []any{municipality, d.external})
		}
		if d.broadcast == 0 { // copies are not searched
			docs = append(docs, db.Doc{ID: d.id})
		}
		if d.conversation != 0 {
			lines = append(lines, []any{municipality, d.conversation, d.id})
		}
	}
	if _, err := tx.Exec(ctx, `DELETE FROM revision WHERE municipality_id = $1 AND target = $2`, changes); err != nil {
		return 0, fmt.Errorf("delete what messages said before: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE conversation SET last_text = '' WHERE municipality_id = $1 AND conversation_id = $2 AND last_message_id = $3`, lines); err != nil {
		return 0, fmt.Errorf("forget last lines: %w", err)
	}
	return len(gone), tx.Index(ctx, db.MessageSearch, municipality, docs, true)
}

func keyed(municipality int64, ids []int64) [][]any {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	return rows
}

// countDeleted adds to what is known of the copies of broadcasts that are no more.
func countDeleted(ctx context.Context, tx *db.Tx, municipality int64, gone []deleted) error {
	type outcome struct {
		broadcast int64
		status    Status
		code      int
	}
	count := make(map[outcome]int)
	var order []outcome
	for _, d := range gone {
		if d.broadcast == 0 {
			continue
		}
		o := outcome{d.broadcast, d.status, d.code}
		if count[o] == 0 {
			order = append(order, o)
		}
		count[o]++
	}
	rows := make([][]any, len(order))
	for i, o := range order {
		rows[i] = []any{municipality, o.broadcast, int16(o.status), o.code, count[o]}
	}
	_, err := tx.Exec(ctx, `INSERT INTO copies_deleted (municipality_id, broadcast_id, status, error_code, count) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (municipality_id, broadcast_id, status, error_code) DO UPDATE SET count = copies_deleted.count + excluded.count`, rows)
	if err != nil {
		return fmt.Errorf("count the copies that are deleted: %w", err)
	}
	return nil
}

// OldEvents are the ids of what happened to conversations before a time, after an id, in order.
func OldEvents(ctx context.Context, tx *db.Tx, municipality int64, before time.Time, after int64, limit int) ([]int64, error) {
	return ids(ctx, tx, "look for old events", `SELECT event_id FROM conversation_event WHERE municipality_id = $1 AND event_id > $2 AND event_id < $3
		ORDER BY event_id LIMIT $4`, municipality, after, db.FirstID(before), limit)
}

// DeleteEvents deletes them.
func DeleteEvents(ctx context.Context, tx *db.Tx, municipality int64, events []int64) error {
	if _, err := tx.Exec(ctx, `DELETE FROM conversation_event WHERE municipality_id = $1 AND event_id = $2`, keyed(municipality, events)); err != nil {
		return fmt.Errorf("delete events: %w", err)
	}
	return nil
}

// empty tells whether nothing is left of conversation c.
const empty = `NOT EXISTS (SELECT 1 FROM message m WHERE m.municipality_id = c.municipality_id AND m.contact_id = c.contact_id
	AND m.number = c.number AND m.conversation_id = c.conversation_id)`

// Ended is where a walk through conversations that are over has come to.
type Ended struct {
	At time.Time // of the last message
	ID int64
}

// EmptyConversations are those that are over, had their last message before a time, and have none left, after one of
// them, in the order of their last messages.
func EmptyConversations(ctx context.Context, tx *db.Tx, municipality int64, merged bool, before time.Time, after Ended, limit int) ([]Ended, error) {
	state := "resolved"
	if merged {
		state = "merged"
	}
	var out []Ended
	err := tx.Query(ctx, `SELECT c.last_message_at, c.conversation_id FROM conversation c WHERE c.municipality_id = $1 AND c.state = $2
		AND (c.last_message_at, c.conversation_id) > ($3, CAST($4 AS bigint)) AND c.last_message_at < $5 AND `+empty+`
		ORDER BY c.last_message_at, c.conversation_id LIMIT $6`, [][]any{{municipality, state, after.At, after.ID, before, limit}}, func(_ int, row db.Scanner) error {
		var e Ended
		err := row.Scan(&e.At, &e.ID)
		e.At = e.At.UTC()
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for empty conversations: %w", err)
	}
	return out, nil
}

// DeleteConversations deletes those that are still over and empty, with what somebody had begun to write in them. It
// returns how many went.
func DeleteConversations(ctx context.Context, tx *db.Tx, municipality int64, conversations []Ended) (int, error) {
	rows := make([][]any, len(conversations))
	for i, c := range conversations {
		rows[i] = []any{municipality, c.ID}
	}
	if tx.Engine == db.PostgreSQL { // what comes in at this very moment is waited for, and seen
		if _, err := tx.Exec(ctx, lockConversation, rows); err != nil {
			return 0, fmt.Errorf("lock conversations: %w", err)
		}
	}
	var gone [][]any
	err := tx.Query(ctx, `DELETE FROM conversation AS c WHERE c.municipality_id = $1 AND c.conversation_id = $2 AND c.state <> 'open' AND `+empty+`
		RETURNING conversation_id`, rows, func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		gone = append(gone, []any{municipality, id})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete conversations: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM draft WHERE municipality_id = $1 AND conversation_id = $2`, gone); err != nil {
		return 0, fmt.Errorf("delete the drafts of conversations: %w", err)
	}
	return len(gone), nil
}

// leftovers are few at a time.
const leftovers = 100

// DeleteLeftovers deletes a few of what is older than before and hangs on no message: drafts, changes of messages that
// never came, and what broadcasts said whose copies are all gone.
func DeleteLeftovers(ctx context.Context, tx *db.Tx, municipality int64, before time.Time) error {
	for _, statement := range []string{
		`DELETE FROM draft WHERE municipality_id = $1 AND (conversation_id, staff_id) IN (SELECT d.conversation_id, d.staff_id FROM draft d
			WHERE d.municipality_id = $1 AND d.updated_at < $2 ORDER BY d.updated_at LIMIT $3)`,
		`DELETE FROM revision WHERE municipality_id = $1 AND external_id IN (SELECT r.external_id FROM revision r
			WHERE r.municipality_id = $1 AND r.applied = false AND r.at < $2 LIMIT $3)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, municipality, before, leftovers); err != nil {
			return fmt.Errorf("delete leftovers: %w", err)
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM broadcast_content WHERE municipality_id = $1 AND broadcast_id < $2
		AND EXISTS (SELECT 1 FROM broadcast b WHERE b.municipality_id = broadcast_content.municipality_id AND b.broadcast_id = broadcast_content.broadcast_id AND b.completed_at < $3)
		AND NOT EXISTS (SELECT 1 FROM message m WHERE m.municipality_id = broadcast_content.municipality_id
			AND m.broadcast_id IN (broadcast_content.broadcast_id, -broadcast_content.broadcast_id) AND m.broadcast_id <> 0)`,
		municipality, db.FirstID(before), before)
	if err != nil {
		return fmt.Errorf("delete what broadcasts said: %w", err)
	}
	return nil
}
