// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// ofRow ties a message to the conversation whose row is updated, by the index of its thread.
const ofRow = `m.municipality_id = conversation.municipality_id AND m.contact_id = conversation.contact_id
	AND m.number = conversation.number AND m.conversation_id = conversation.conversation_id`

// replies are the office's messages that went out or still may: not those that failed, were cancelled or
// skipped. A reaction is no answer.
const replies = ` FROM message m WHERE ` + ofRow + ` AND m.direction = 'out' AND m.lane = 1 AND m.type <> 'reaction' AND m.status NOT IN (60, 100, 101)`

// questions are the citizen's messages that want an answer; see asks.
const questions = ` FROM message m WHERE ` + ofRow + ` AND m.direction = 'in' AND m.lane = 0 AND m.type NOT IN ('reaction', 'system')`

const waitAgain = `UPDATE conversation SET first_reply_at = (SELECT min(m.at)` + replies + `),
	waiting_since = CASE WHEN state = 'open' THEN coalesce((SELECT min(m.at)` + questions + `
		AND (conversation.waiting_since IS NULL OR m.at < conversation.waiting_since)
		AND m.at > coalesce((SELECT max(m.at)` + replies + `), $3)), waiting_since) ELSE waiting_since END
	WHERE municipality_id = $1 AND conversation_id = $2`

// unanswered gives back the wait of citizens whose reply did not go out: messages have just failed or were
// cancelled, and where nothing else was sent since the question, it waits again. Otherwise it would leave
// the list of those that wait, and could be resolved without a reason, though nothing ever arrived.
func unanswered(ctx context.Context, tx *db.Tx, municipality int64, messages []int64) error {
	ids, err := conversationsOf(ctx, tx, municipality, messages)
	if err != nil {
		return fmt.Errorf("look for the conversations of messages that did not go out: %w", err)
	}
	locks, rows := make([][]any, len(ids)), make([][]any, len(ids))
	for i, id := range ids {
		locks[i], rows[i] = []any{municipality, id}, []any{municipality, id, time.Unix(0, 0).UTC()}
	}
	if tx.Engine == db.PostgreSQL { // else a reply that commits meanwhile is not seen by the update
		if _, err := tx.Exec(ctx, lockConversation, locks); err != nil {
			return fmt.Errorf("lock conversations: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, waitAgain, rows); err != nil {
		return fmt.Errorf("let questions wait again: %w", err)
	}
	return nil
}

// conversationsOf are the conversations of messages, each once, in the order in which they are locked.
func conversationsOf(ctx context.Context, tx *db.Tx, municipality int64, messages []int64) ([]int64, error) {
	rows := make([][]any, len(messages))
	for i, id := range messages {
		rows[i] = []any{municipality, id}
	}
	var ids []int64
	err := tx.Query(ctx, `SELECT conversation_id FROM message WHERE municipality_id = $1 AND message_id = $2 AND conversation_id <> 0`, rows,
		func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	slices.Sort(ids)
	return slices.Compact(ids), err
}
