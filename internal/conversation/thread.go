// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Place in a thread: where a page begins or ends. The zero position is the newest end.
type Position struct {
	At    time.Time
	Place int
	ID    int64
}

// Position is where the message stands in its thread.
func (m Message) Position() Position { return Position{At: m.At, Place: m.Place, ID: m.ID} }

// Thread is a page of what a citizen and the office wrote each other on one number, over all their
// conversations, oldest first, with what happened in between.
type Thread struct {
	Messages []Message
	Events   []Event
	More     bool // there are older messages
}

// LoadThread returns the newest messages before a position.
func LoadThread(ctx context.Context, tx *db.Tx, municipality, contactID int64, number string, before Position, limit int) (Thread, error) {
	if before.ID == 0 {
		before = Position{At: time.Unix(1<<40, 0), Place: math.MaxInt32, ID: math.MaxInt64}
	}
	found, err := messages(ctx, tx, `SELECT `+messageColumns+` FROM message m
		WHERE m.municipality_id = $1 AND m.contact_id = $2 AND m.number = $3 AND (m.at, m.place, m.message_id) < ($4, CAST($5 AS integer), CAST($6 AS bigint))
		ORDER BY m.at DESC, m.place DESC, m.message_id DESC LIMIT $7`, municipality, contactID, number, before.At.UTC(), before.Place, before.ID, limit+1)
	if err != nil {
		return Thread{}, fmt.Errorf("load the thread of contact %d: %w", contactID, err)
	}
	t := Thread{More: len(found) > limit}
	if t.More {
		found = found[:limit]
	}
	slices.Reverse(found)
	t.Messages = found
	from := time.Unix(0, 0)
	if t.More {
		from = found[0].At
	}
	t.Events, err = events(ctx, tx, municipality, contactID, number, from, before.At)
	return t, err
}

// maxEvents bounds a page: a conversation handed round without an end shows its latest acts.
const maxEvents = 200

func events(ctx context.Context, tx *db.Tx, municipality, contactID int64, number string, from, to time.Time) ([]Event, error) {
	var out []Event
	err := tx.Query(ctx, `SELECT event_id, conversation_id, contact_id, number, at, kind, actor_kind, actor_id, actor_name, detail FROM conversation_event
		WHERE municipality_id = $1 AND contact_id = $2 AND number = $3 AND at >= $4 AND at < $5 ORDER BY at DESC, event_id DESC LIMIT $6`,
		[][]any{{municipality, contactID, number, from.UTC(), to.UTC(), maxEvents}}, func(_ int, row db.Scanner) error {
			var e Event
			err := row.Scan(&e.ID, &e.ConversationID, &e.ContactID, &e.Number, &e.At, &e.Kind, &e.Actor.Kind, &e.Actor.ID, &e.Actor.Name, &e.Detail)
			e.At = e.At.UTC()
			out = append(out, e)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("load the events of contact %d: %w", contactID, err)
	}
	slices.Reverse(out)
	return out, nil
}

// Messages returns a page of one conversation's own messages, oldest first, without notes; after is
// where the page before ended, the zero position begins.
func Messages(ctx context.Context, tx *db.Tx, municipality int64, c Conversation, after Position, limit int) (page []Message, more bool, err error) {
	if after.ID == 0 {
		after = Position{At: time.Unix(0, 0), Place: math.MinInt32, ID: math.MinInt64}
	}
	found, err := messages(ctx, tx, `SELECT `+messageColumns+` FROM message m
		WHERE m.municipality_id = $1 AND m.contact_id = $2 AND m.number = $3 AND m.conversation_id = $4 AND m.direction <> 'note'
		AND (m.at, m.place, m.message_id) > ($5, CAST($6 AS integer), CAST($7 AS bigint))
		ORDER BY m.at, m.place, m.message_id LIMIT $8`, municipality, c.ContactID, c.Number, c.ID, after.At.UTC(), after.Place, after.ID, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("messages of conversation %d: %w", c.ID, err)
	}
	if len(found) > limit {
		return found[:limit], true, nil
	}
	return found, false, nil
}

// Found is a message that a search found, with the citizen it belongs to.
type Found struct {
	Message      Message
	Conversation Conversation
}

// Search finds messages by their words, the newest first.
func Search(ctx context.Context, tx *db.Tx, municipality int64, query string, limit int) ([]Found, error) {
	ids, err := tx.Search(ctx, db.MessageSearch, municipality, query, limit)
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	var out []Found
	err = tx.Query(ctx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.message_id = $2 AND m.conversation_id <> 0`, rows, func(_ int, row db.Scanner) error {
		m, err := scanMessage(row)
		out = append(out, Found{Message: m})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load found messages: %w", err)
	}
	return out, attach(ctx, tx, municipality, out)
}

func attach(ctx context.Context, tx *db.Tx, municipality int64, found []Found) error {
	var ids []int64
	for _, f := range found {
		ids = append(ids, f.Message.ConversationID)
	}
	slices.Sort(ids)
	list, err := ByIDs(ctx, tx, municipality, slices.Compact(ids))
	if err != nil {
		return err
	}
	for i := range found {
		at := slices.IndexFunc(list, func(c Conversation) bool { return c.ID == found[i].Message.ConversationID })
		if at >= 0 {
			found[i].Conversation = list[at]
		}
	}
	return nil
}
