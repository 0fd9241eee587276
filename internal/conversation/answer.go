// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// OwnAnswer is what the desk says by itself to a citizen's message.
type OwnAnswer struct {
	To          Message
	Text        string
	Interactive *Interactive // nil: a plain text
}

// AnswerKey is the key of the desk's own answer to the message with this external id: there is one at most.
func AnswerKey(externalID string) string { return "auto:" + externalID }

// Answer queues what the desk says by itself. It is no reply of a person: no question is answered by it, no
// conversation opened or moved. Whose window has closed gets nothing, and the same answer is queued once.
func Answer(ctx context.Context, tx *db.Tx, municipality int64, answers []OwnAnswer) error {
	var rows [][]any
	var docs []db.Doc
	for _, a := range answers {
		if !InWindow(a.To.At, tx.Now()) {
			continue
		}
		m := Message{ID: tx.NewID(), ConversationID: a.To.ConversationID, ContactID: a.To.ContactID, Number: a.To.Number, Direction: Out, Type: TypeText,
			Text: a.Text, Status: Queued, Lane: Automatic, Author: Author{Kind: "system"}, At: tx.Now(), ClientKey: AnswerKey(a.To.ExternalID)}
		if a.Interactive != nil {
			m.Type, m.Detail.Interactive = TypeInteractive, a.Interactive
		}
		args, err := insertArgs(municipality, m, tx.Now())
		if err != nil {
			return err
		}
		rows, docs = append(rows, args), append(docs, db.Doc{ID: m.ID, Text: m.Text})
		tx.Notify(db.Notice{Topic: db.Outbox, Municipality: municipality, Key: m.Number, ID: int64(m.Lane)})
		if m.ConversationID != 0 {
			changed(tx, municipality, m.ConversationID)
		}
	}
	fresh, err := tx.Exec(ctx, insertMessage, rows)
	if err != nil {
		return fmt.Errorf("queue %d answers: %w", len(rows), err)
	}
	stored := docs[:0]
	for i, n := range fresh {
		if n > 0 {
			stored = append(stored, docs[i])
		}
	}
	return tx.Index(ctx, db.MessageSearch, municipality, stored, false)
}

// InWindow reports whether something free may still be written at now to whoever wrote at a time.
func InWindow(wrote, now time.Time) bool { return now.Before(wrote.Add(Window - windowMargin)) }

// Exchange is a stretch of what a citizen and a number wrote each other.
type Exchange struct {
	ContactID int64
	Number    string
	From, To  time.Time // both included
}

// mostExchanged bounds what is read of somebody who never stops writing.
const mostExchanged = 300

// Exchanges reads stretches of threads, each oldest first and at most its newest 300 messages: what the citizen
// wrote, what people of the office wrote, and the desk's own answers.
func Exchanges(ctx context.Context, tx *db.Tx, municipality int64, stretches []Exchange) ([][]Message, error) {
	out := make([][]Message, len(stretches))
	rows := make([][]any, len(stretches))
	for i, s := range stretches {
		rows[i] = []any{municipality, s.ContactID, s.Number, s.From.UTC(), s.To.UTC(), mostExchanged}
	}
	err := tx.Query(ctx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.contact_id = $2 AND m.number = $3
		AND m.at >= $4 AND m.at <= $5 AND (m.direction = 'in' OR m.direction = 'out' AND m.lane IN (1, 2))
		ORDER BY m.at DESC, m.place DESC, m.message_id DESC LIMIT $6`, rows, func(i int, row db.Scanner) error {
		m, err := scanMessage(row)
		out[i] = append(out[i], m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was written lately: %w", err)
	}
	for _, messages := range out {
		slices.Reverse(messages)
	}
	return out, nil
}
