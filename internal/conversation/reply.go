// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Send queues out in the conversation and returns its message. An operator's reply takes an unheld
// conversation; where another holds it, ErrHeldBy stops it and the draft stays. The one row is written
// once for a key, so that a double click, a retried form or a retried call send once. Something else under
// a used key is ErrKeyUsed: answered with the earlier message, it would be lost.
func Send(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, out Outgoing) (Message, error) {
	if err := checkKey(out.ClientKey); err != nil {
		return Message{}, err
	}
	out.storable()
	if err := out.check(); err != nil {
		return Message{}, err
	}
	key := clientKey(actor, out.ClientKey)
	if out.resendOf != 0 { // once, whoever asks
		key = out.ClientKey
	}
	if m, err := byClientKey(ctx, tx, actor.Municipality, key); err == nil {
		return m, sameAs(ctx, tx, actor.Municipality, m, id, out)
	} else if !errors.Is(err, ErrNoMessage) {
		return Message{}, err
	}
	c, err := lock(ctx, tx, actor.Municipality, id)
	if err != nil {
		return Message{}, err
	}
	if err := maySend(ctx, tx, actor, c, out); err != nil {
		return Message{}, err
	}
	m, err := compose(ctx, tx, actor, c, out, key)
	if err != nil {
		return Message{}, err
	}
	if err := queue(ctx, tx, actor.Municipality, m); err != nil {
		return Message{}, err
	}
	if err := answered(ctx, tx, actor, c, m, out); err != nil {
		return Message{}, err
	}
	return m, staff.Record(ctx, tx, actor, "message.queued", "message", db.FormatID(m.ID), map[string]any{"conversation": db.FormatID(c.ID), "type": m.Type})
}

// clientKey keeps the keys of different authors apart.
func clientKey(actor staff.Actor, key string) string {
	return fmt.Sprintf("%s:%d:%s", actor.Kind, actor.ID, key)
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errNoKey
	case key != db.Text(key):
		return fault.New(fault.Invalid, "error.invalid")
	}
	return nil
}

// sameAs fails unless the message that has the key is what out would send. A file that was attached again
// is another row with the same content.
func sameAs(ctx context.Context, tx *db.Tx, municipality int64, m Message, id int64, out Outgoing) error {
	if m.ConversationID != id || m.Direction != Out || m.Type != out.Type || m.Type != TypeReaction && m.Text != out.Text ||
		!reflect.DeepEqual(m.Detail.Interactive, out.Interactive) {
		return ErrKeyUsed
	}
	if m.MediaID == out.MediaID {
		return nil
	}
	var same int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM media a JOIN media b ON b.municipality_id = a.municipality_id AND b.sha256 = a.sha256
		WHERE a.municipality_id = $1 AND a.media_id = $2 AND b.media_id = $3`, municipality, m.MediaID, out.MediaID).Scan(&same)
	if err != nil {
		return fmt.Errorf("compare files %d and %d: %w", m.MediaID, out.MediaID, err)
	}
	if same == 0 {
		return ErrKeyUsed
	}
	return nil
}

func maySend(ctx context.Context, tx *db.Tx, actor staff.Actor, c Conversation, out Outgoing) error {
	switch {
	case !actor.May(staff.Converse):
		return ErrForbidden
	case c.HolderID != 0 && !c.heldBy(actor):
		return heldBy(c.HolderName)
	case c.State != Open:
		return ErrResolved
	case out.Type != TypeTemplate && !c.WindowOpen(tx.Now()):
		return ErrWindowClosed
	}
	return mayLeave(ctx, tx, actor.Municipality, c)
}

// mayLeave refuses what would never reach the citizen: they are on the number's block list, so that Meta would refuse
// it and nobody be told before, or the number is no longer in the municipality's file.
func mayLeave(ctx context.Context, tx *db.Tx, municipality int64, c Conversation) error {
	var blocked, retired bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM blocked WHERE municipality_id = $1 AND number = $2 AND contact_id = $3),
		EXISTS (SELECT 1 FROM number WHERE municipality_id = $1 AND phone_number_id = $2 AND retired)`, municipality, c.Number, c.ContactID).Scan(&blocked, &retired)
	switch {
	case err != nil:
		return fmt.Errorf("look up number %s and the block of contact %d: %w", c.Number, c.ContactID, err)
	case blocked:
		return ErrBlocked
	case retired:
		return ErrNumberRetired
	}
	return nil
}

func compose(ctx context.Context, tx *db.Tx, actor staff.Actor, c Conversation, out Outgoing, key string) (Message, error) {
	m := Message{ID: tx.NewID(), ConversationID: c.ID, ContactID: c.ContactID, Number: c.Number, Direction: Out, Type: out.Type, Text: out.Text,
		MediaID: out.MediaID, Status: Queued, Lane: Reply, Author: author(actor), At: tx.Now(), ClientKey: key,
		Detail: Detail{Location: out.Location, Template: out.Template, Interactive: out.Interactive, ResendOf: out.resendOf}}
	if out.Contacts != nil {
		if err := m.setCards(out.Contacts); err != nil {
			return m, err
		}
	}
	if out.ReplyTo == 0 {
		return m, nil
	}
	quoted, err := GetMessage(ctx, tx, actor.Municipality, out.ReplyTo)
	if err != nil && !errors.Is(err, ErrNoMessage) {
		return m, err
	}
	if err != nil || quoted.ContactID != c.ContactID || quoted.ExternalID == "" {
		return m, ErrQuoted
	}
	if out.Type == TypeReaction {
		m.Text, m.Detail.Reaction = out.Reaction, &Reaction{ExternalID: quoted.ExternalID, Emoji: out.Reaction}
		return m, nil
	}
	m.ReplyTo = quoted.ExternalID
	return m, nil
}

// queue puts m into the outbox. The unique key decides when the same comes twice at once.
func queue(ctx context.Context, tx *db.Tx, municipality int64, m Message) error {
	args, err := insertArgs(municipality, m, tx.Now())
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, insertMessage, [][]any{args})
	if err != nil {
		return fmt.Errorf("queue a message: %w", err)
	}
	if n[0] == 0 {
		return db.ErrAgain
	}
	if m.Text != "" && m.Type != TypeReaction {
		if err := tx.Index(ctx, db.MessageSearch, municipality, []db.Doc{{ID: m.ID, Text: m.Text}}, false); err != nil {
			return err
		}
	}
	tx.Notify(db.Notice{Topic: db.Outbox, Municipality: municipality, Key: m.Number, ID: int64(m.Lane)})
	return nil
}

// unseen are the questions after the one that the author of a reply had before them: none if that is unknown.
const unseen = questions + ` AND (m.at, m.place, m.message_id) > (SELECT s.at, s.place, s.message_id FROM message s WHERE s.municipality_id = $1 AND s.message_id = $3)`

// answered brings the conversation up to date with a message of the office. A reaction is no answer, and a
// question that came while the reply was written is not answered by it.
func answered(ctx context.Context, tx *db.Tx, actor staff.Actor, c Conversation, m Message, out Outgoing) error {
	changed(tx, actor.Municipality, c.ID)
	if m.Type == TypeReaction {
		return nil
	}
	holder, name := c.HolderID, c.HolderName
	takes := holder == 0 && actor.Kind == staff.OperatorKind // a token is an author, never a holder
	if takes {
		holder, name = actor.ID, actor.Name
	}
	_, err := tx.ExecContext(ctx, `UPDATE conversation SET waiting_since = (SELECT min(m.at)`+unseen+`), unread = (SELECT count(*)`+unseen+`),
		first_reply_at = CASE WHEN first_reply_at IS NULL THEN $4 ELSE first_reply_at END,
		last_message_at = $4, last_message_id = $5, last_direction = 'out', last_type = $6, last_text = $7, holder_id = $8, holder_name = $9
		WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, c.ID, out.Seen, m.At, m.ID, m.Type, preview(m.Text), holder, name)
	if err != nil {
		return fmt.Errorf("update conversation %d after a reply: %w", c.ID, err)
	}
	if actor.Kind != staff.OperatorKind {
		return nil
	}
	if err := dropDraft(ctx, tx, actor, c.ID, out.ClientKey); err != nil || !takes {
		return err
	}
	return act(ctx, tx, actor, c, Taken, "")
}

// Cancel takes back a message that has not been claimed for sending yet. The question it answered waits again.
func Cancel(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) error {
	if !actor.May(staff.Converse) {
		return ErrForbidden
	}
	m, err := GetMessage(ctx, tx, actor.Municipality, id)
	if err != nil {
		return err
	}
	if m.BroadcastID != 0 { // only the whole is cancelled
		return ErrNotCancel
	}
	if m.ConversationID != 0 {
		c, err := lock(ctx, tx, actor.Municipality, m.ConversationID)
		if err != nil {
			return err
		}
		if err := mayTouch(actor, c); err != nil {
			return err
		}
	}
	n, err := tx.Exec(ctx, `UPDATE message SET status = 100 WHERE municipality_id = $1 AND message_id = $2 AND status = 10`, [][]any{{actor.Municipality, id}})
	if err != nil {
		return fmt.Errorf("cancel message %d: %w", id, err)
	}
	if n[0] == 0 {
		return ErrNotCancel
	}
	if err := unanswered(ctx, tx, actor.Municipality, []int64{id}); err != nil {
		return err
	}
	changed(tx, actor.Municipality, m.ConversationID)
	return staff.Record(ctx, tx, actor, "message.cancelled", "message", db.FormatID(id), nil)
}
