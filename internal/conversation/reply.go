// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Bounds of what may be sent, in characters.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
const (
	MaxText    = 4096
	MaxCaption = 1024
	MaxNote    = 10000
)

// The failures of writing.
var (
	ErrEmpty         = fault.New(fault.Invalid, "error.message_empty")
	ErrTooLong       = fault.New(fault.Invalid, "error.message_too_long", "max", MaxText)
	ErrCaption       = fault.New(fault.Invalid, "error.caption_too_long", "max", MaxCaption)
	ErrNoteTooLong   = fault.New(fault.Invalid, "error.note_too_long", "max", MaxNote)
	ErrWindowClosed  = fault.New(fault.Invalid, "error.window_closed")
	ErrNotSendable   = fault.New(fault.Invalid, "error.message_type")
	ErrNotResend     = fault.New(fault.Conflict, "error.message_not_resendable")
	ErrNotCancel     = fault.New(fault.Conflict, "error.message_not_cancellable")
	ErrNumberRetired = fault.New(fault.Conflict, "error.number_retired")
	ErrQuoted        = fault.New(fault.Invalid, "error.quoted_not_found")
)

// Outgoing is what somebody wants sent to the citizen of a conversation.
type Outgoing struct {
	Type      string // text, image, video, audio, document, location, reaction or template
	Text      string // the body, a caption, or a template as the citizen will read it
	MediaID   int64
	Location  *Location
	Reaction  string    // the emoji, "" takes it away; the message is ReplyTo
	Template  *Template // its variables have been checked
	ReplyTo   int64     // the message it quotes
	ClientKey string    // the same key again sends nothing more
	resendOf  int64
}

// Send queues out in the conversation and returns its message. An operator's reply takes an unheld
// conversation; where another holds it, ErrHeldBy stops it and the draft stays. The one row is written
// once for a key, so that a double click, a retried form or a retried call send once.
func Send(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, out Outgoing) (Message, error) {
	if out.ClientKey == "" {
		return Message{}, errNoKey
	}
	key := clientKey(actor, out.ClientKey)
	if out.resendOf != 0 { // once, whoever asks
		key = out.ClientKey
	}
	if m, err := byClientKey(ctx, tx, actor.Municipality, key); err == nil || !errors.Is(err, ErrNoMessage) {
		return m, err
	}
	if err := out.check(); err != nil {
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
	if err := answered(ctx, tx, actor, c, m); err != nil {
		return Message{}, err
	}
	return m, staff.Record(ctx, tx, actor, "message.queued", "message", db.FormatID(m.ID), map[string]any{"conversation": db.FormatID(c.ID), "type": m.Type})
}

// clientKey keeps the keys of different authors apart.
func clientKey(actor staff.Actor, key string) string {
	return fmt.Sprintf("%s:%d:%s", actor.Kind, actor.ID, key)
}

func (o *Outgoing) check() error {
	switch o.Type {
	case TypeText:
		o.Text = strings.TrimRightFunc(clean(o.Text), unicode.IsSpace)
		if !visible(o.Text) {
			return ErrEmpty
		}
		if utf8.RuneCountInString(o.Text) > MaxText {
			return ErrTooLong
		}
	case TypeImage, TypeVideo, TypeDocument, TypeAudio, TypeVoice:
		o.Text = strings.TrimSpace(clean(o.Text))
		if o.MediaID == 0 {
			return ErrEmpty
		}
		if utf8.RuneCountInString(o.Text) > MaxCaption {
			return ErrCaption
		}
	case TypeLocation:
		if o.Location == nil {
			return ErrEmpty
		}
	case TypeReaction:
		if o.ReplyTo == 0 {
			return ErrQuoted
		}
	case TypeTemplate:
		if o.Template == nil {
			return ErrEmpty
		}
	default:
		return ErrNotSendable
	}
	return nil
}

// clean drops what no reader sees and PostgreSQL refuses.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "") }

// visible reports whether a reader sees anything of s.
func visible(s string) bool {
	for _, r := range s {
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) {
			return true
		}
	}
	return false
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
	return inUse(ctx, tx, actor.Municipality, c.Number)
}

// inUse refuses a number that is no longer in the municipality's file: nothing would ever leave by it.
func inUse(ctx context.Context, tx *db.Tx, municipality int64, number string) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM number WHERE municipality_id = $1 AND phone_number_id = $2 AND retired`, municipality, number).Scan(&n)
	if err != nil {
		return fmt.Errorf("look up number %s: %w", number, err)
	}
	if n > 0 {
		return ErrNumberRetired
	}
	return nil
}

func compose(ctx context.Context, tx *db.Tx, actor staff.Actor, c Conversation, out Outgoing, key string) (Message, error) {
	m := Message{ID: tx.NewID(), ConversationID: c.ID, ContactID: c.ContactID, Number: c.Number, Direction: Out, Type: out.Type, Text: out.Text,
		MediaID: out.MediaID, Status: Queued, Lane: Reply, Author: author(actor), At: tx.Now(), ClientKey: key,
		Detail: Detail{Location: out.Location, Template: out.Template, ResendOf: out.resendOf}}
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
	tx.Notify(db.Notice{Topic: db.Outbox, Municipality: municipality, Key: m.Number})
	return nil
}

// answered brings the conversation up to date with a message of the office. A reaction is no answer.
func answered(ctx context.Context, tx *db.Tx, actor staff.Actor, c Conversation, m Message) error {
	changed(tx, actor.Municipality, c.ID)
	if m.Type == TypeReaction {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE conversation SET waiting_since = NULL, unread = 0,
		first_reply_at = CASE WHEN first_reply_at IS NULL THEN $3 ELSE first_reply_at END,
		last_message_at = $3, last_message_id = $4, last_direction = 'out', last_type = $5, last_text = $6
		WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, c.ID, m.At, m.ID, m.Type, preview(m.Text))
	if err != nil {
		return fmt.Errorf("update conversation %d after a reply: %w", c.ID, err)
	}
	if actor.Kind != staff.OperatorKind {
		return nil // a token is an author, never a holder
	}
	if err := dropDraft(ctx, tx, actor, c.ID); err != nil || c.HolderID != 0 {
		return err
	}
	if err := setHolder(ctx, tx, actor.Municipality, c.ID, actor.ID, actor.Name); err != nil {
		return err
	}
	return act(ctx, tx, actor, c, Taken, "")
}

// Resend queues a copy of a message that failed or stayed uncertain, because a person decided so
// knowing that the first may have arrived. The first keeps its state; a copy is made once.
func Resend(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) (Message, error) {
	m, err := GetMessage(ctx, tx, actor.Municipality, id)
	if err != nil {
		return Message{}, err
	}
	if m.Direction != Out || m.ConversationID == 0 || (m.Status != Failed && m.Status != Uncertain) {
		return Message{}, ErrNotResend
	}
	out := Outgoing{Type: m.Type, Text: m.Text, MediaID: m.MediaID, Location: m.Detail.Location, Template: m.Detail.Template,
		ClientKey: "resend:" + db.FormatID(id), resendOf: id}
	quotes := m.ReplyTo
	if m.Detail.Reaction != nil {
		out.Reaction, quotes = m.Detail.Reaction.Emoji, m.Detail.Reaction.ExternalID
	}
	if quotes != "" {
		byID, err := ByExternalID(ctx, tx, actor.Municipality, []string{quotes})
		if err != nil {
			return Message{}, err
		}
		out.ReplyTo = byID[quotes].ID
	}
	return Send(ctx, tx, actor, m.ConversationID, out)
}

// Cancel takes back a message that has not been claimed for sending yet.
func Cancel(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) error {
	if !actor.May(staff.Converse) {
		return ErrForbidden
	}
	m, err := GetMessage(ctx, tx, actor.Municipality, id)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `UPDATE message SET status = 100 WHERE municipality_id = $1 AND message_id = $2 AND status = 10`, [][]any{{actor.Municipality, id}})
	if err != nil {
		return fmt.Errorf("cancel message %d: %w", id, err)
	}
	if n[0] == 0 {
		return ErrNotCancel
	}
	changed(tx, actor.Municipality, m.ConversationID)
	return staff.Record(ctx, tx, actor, "message.cancelled", "message", db.FormatID(id), nil)
}

// AddNote writes an internal note: staff reads it, the citizen never does. Anybody who may converse may
// add one, whoever holds the conversation.
func AddNote(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64, text, key string) (Message, error) {
	if !actor.May(staff.Converse) {
		return Message{}, ErrForbidden
	}
	text = strings.TrimSpace(clean(text))
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
		return byClientKey(ctx, tx, actor.Municipality, m.ClientKey)
	}
	if err := tx.Index(ctx, db.MessageSearch, actor.Municipality, []db.Doc{{ID: m.ID, Text: text}}, false); err != nil {
		return Message{}, err
	}
	if err := dropDraft(ctx, tx, actor, id); err != nil {
		return Message{}, err
	}
	changed(tx, actor.Municipality, id)
	return m, staff.Record(ctx, tx, actor, "note.added", "conversation", db.FormatID(id), nil)
}
