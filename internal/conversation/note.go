// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// AddNote writes an internal note: staff reads it, the citizen never does. Anybody who may converse may
// add one, whoever holds the conversation.
func AddNote(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, text, key string) (Message, error) {
	if !actor.May(staff.Converse) {
		return Message{}, ErrForbidden
	}
	if err := checkKey(key); err != nil {
		return Message{}, err
	}
	text = strings.TrimSpace(db.Text(text))
	if !visible(text) {
		return Message{}, ErrEmpty
	}
	if utf8.RuneCountInString(text) > MaxNote {
		return Message{}, ErrNoteTooLong
	}
	c, err := Get(ctx, tx, actor.Municipality, id)
	if err != nil {
		return Message{}, err
	}
	m := Message{ID: tx.NewID(), ConversationID: c.ID, ContactID: c.ContactID, Number: c.Number, Direction: Note, Type: TypeText, Text: text,
		Author: author(actor), At: tx.Now(), ClientKey: clientKey(actor, key)}
	args, err := insertArgs(actor.Municipality, m, tx.Now())
	if err != nil {
		return Message{}, err
	}
	n, err := tx.Exec(ctx, insertMessage, [][]any{args})
	if err != nil {
		return Message{}, fmt.Errorf("add a note: %w", err)
	}
	if n[0] == 0 {
		have, err := byClientKey(ctx, tx, actor.Municipality, m.ClientKey)
		if err == nil && (have.Direction != Note || have.Text != text) {
			err = ErrKeyUsed
		}
		return have, err
	}
	if err := tx.Index(ctx, db.MessageSearch, actor.Municipality, []db.Doc{{ID: m.ID, Text: text}}, false); err != nil {
		return Message{}, err
	}
	if err := dropDraft(ctx, tx, actor, id, key); err != nil {
		return Message{}, err
	}
	changed(tx, actor.Municipality, id)
	return m, staff.Record(ctx, tx, actor, "note.added", "conversation", db.FormatID(id), nil)
}
