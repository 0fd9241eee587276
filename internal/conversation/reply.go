// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
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
	ErrBlocked       = fault.New(fault.Conflict, "error.citizen_blocked")
	ErrNumberRetired = fault.New(fault.Conflict, "error.number_retired")
	ErrQuoted        = fault.New(fault.Invalid, "error.quoted_not_found")
	ErrNoCaption     = fault.New(fault.Invalid, "error.sticker_caption") // WhatsApp would not show it
	ErrCards         = fault.New(fault.Invalid, "error.contact_cards", "max", whatsapp.MaxCards)
	ErrKeyUsed       = fault.New(fault.Conflict, "error.key_used")
)

// Outgoing is what somebody wants sent to the citizen of a conversation.
type Outgoing struct {
	Type        string // text, image, video, audio, document, sticker, location, contacts, reaction, template or interactive
	Text        string // the body, a caption, or a template as the citizen will read it
	MediaID     int64  // also what stands above a template or an interactive text
	Location    *Location
	Reaction    string    // the emoji, "" takes it away; the message is ReplyTo
	Template    *Template // its variables have been checked
	Interactive *Interactive
	Contacts    []whatsapp.ContactCard
	ReplyTo     int64  // the message it quotes
	Seen        int64  // the citizen's last message that the author had before them; 0: all there are
	ClientKey   string // the same key again sends nothing more
	resendOf    int64
}

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

// storable makes the texts of what is to be sent such as both engines keep.
func (o *Outgoing) storable() {
	o.Text, o.Reaction = db.Text(o.Text), db.Text(o.Reaction)
	if l := o.Location; l != nil {
		o.Location = &Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: db.Text(l.Name), Address: db.Text(l.Address)}
	}
	if o.Template != nil {
		o.Template, o.MediaID = o.Template.storable(), max(o.MediaID, o.Template.MediaID)
		o.Template.MediaID = 0 // the message has it as its own file
	}
	if o.Interactive != nil {
		o.Interactive = o.Interactive.storable()
	}
}

// check bounds what is to be sent.
func (o *Outgoing) check() error {
	switch o.Type {
	case TypeText:
		o.Text = strings.TrimRightFunc(o.Text, unicode.IsSpace)
		if !visible(o.Text) {
			return ErrEmpty
		}
		if utf8.RuneCountInString(o.Text) > MaxText {
			return ErrTooLong
		}
	case TypeImage, TypeVideo, TypeDocument, TypeAudio, TypeVoice:
		o.Text = strings.TrimSpace(o.Text)
		if o.MediaID == 0 {
			return ErrEmpty
		}
		if utf8.RuneCountInString(o.Text) > MaxCaption {
			return ErrCaption
		}
	case TypeSticker:
		if o.MediaID == 0 {
			return ErrEmpty
		}
		if o.Text != "" {
			return ErrNoCaption
		}
	case TypeContacts:
		return o.checkCards()
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
	case TypeInteractive:
		o.Text = strings.TrimSpace(o.Text)
		if o.Interactive == nil {
			return ErrEmpty
		}
		return o.Interactive.check(o.Text, o.MediaID != 0)
	default:
		return ErrNotSendable
	}
	return nil
}

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
	on, err := contact.BlockedOn(ctx, tx, actor.Municipality, c.ContactID)
	if err != nil {
		return err
	}
	if _, blocked := on[c.Number]; blocked { // Meta would refuse it, and nobody would be told before
		return ErrBlocked
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
	tx.Notify(db.Notice{Topic: db.Outbox, Municipality: municipality, Key: m.Number})
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
	_, err := tx.ExecContext(ctx, `UPDATE conversation SET waiting_since = (SELECT min(m.at)`+unseen+`), unread = (SELECT count(*)`+unseen+`),
		first_reply_at = CASE WHEN first_reply_at IS NULL THEN $4 ELSE first_reply_at END,
		last_message_at = $4, last_message_id = $5, last_direction = 'out', last_type = $6, last_text = $7
		WHERE municipality_id = $1 AND conversation_id = $2`, actor.Municipality, c.ID, out.Seen, m.At, m.ID, m.Type, preview(m.Text))
	if err != nil {
		return fmt.Errorf("update conversation %d after a reply: %w", c.ID, err)
	}
	if actor.Kind != staff.OperatorKind {
		return nil // a token is an author, never a holder
	}
	if err := dropDraft(ctx, tx, actor, c.ID, out.ClientKey); err != nil || c.HolderID != 0 {
		return err
	}
	if err := setHolder(ctx, tx, actor.Municipality, c.ID, actor.ID, actor.Name); err != nil {
		return err
	}
	return act(ctx, tx, actor, c, Taken, "")
}

// Resend queues a copy of a message that failed or stayed uncertain, because a person decided so
// knowing that the first may have arrived. The first keeps its state; a copy is made once, and once more
// only where the copy has failed or was cancelled in its turn.
func Resend(ctx context.Context, tx *db.Tx, actor staff.Actor, id int64) (Message, error) {
	if !actor.May(staff.Converse) {
		return Message{}, ErrForbidden
	}
	m, err := GetMessage(ctx, tx, actor.Municipality, id)
	if err != nil {
		return Message{}, err
	}
	if m.Direction != Out || m.ConversationID == 0 || (m.Status != Failed && m.Status != Uncertain) {
		return Message{}, ErrNotResend
	}
	for {
		copied, err := byClientKey(ctx, tx, actor.Municipality, resendKey(m.ID))
		if errors.Is(err, ErrNoMessage) {
			return sendAgain(ctx, tx, actor, m)
		}
		if err != nil || copied.Status != Failed && copied.Status != Cancelled {
			return copied, err
		}
		m = copied
	}
}

// resendPrefix begins the key of what a person chose to send again; the id of the first follows.
const resendPrefix = "resend:"

func resendKey(id int64) string { return resendPrefix + db.FormatID(id) }

func sendAgain(ctx context.Context, tx *db.Tx, actor staff.Actor, m Message) (Message, error) {
	out := Outgoing{Type: m.Type, Text: m.Text, MediaID: m.MediaID, Location: m.Detail.Location, Template: m.Detail.Template, Interactive: m.Detail.Interactive,
		ClientKey: resendKey(m.ID), resendOf: m.ID}
	if m.Type == TypeContacts {
		cards, err := m.Cards()
		if err != nil {
			return Message{}, err
		}
		out.Contacts = cards
	}
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
