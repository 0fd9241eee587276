// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// Direction tells whether a message came in, goes out, or stays inside.
type Direction string

// The directions.
const (
	In   Direction = "in"
	Out  Direction = "out"
	Note Direction = "note"
)

// The types of message the desk knows. What WhatsApp may yet invent is kept as Unsupported.
const (
	TypeText        = "text"
	TypeImage       = "image"
	TypeVideo       = "video"
	TypeAudio       = "audio"
	TypeVoice       = "voice"
	TypeDocument    = "document"
	TypeSticker     = "sticker"
	TypeLocation    = "location"
	TypeContacts    = "contacts"
	TypeReaction    = "reaction"
	TypeChoice      = "choice" // a button pressed or a row chosen
	TypeForm        = "form"   // the answers to a form of WhatsApp's
	TypeOrder       = "order"  // of a catalogue
	TypeTemplate    = "template"
	TypeInteractive = "interactive" // a text with something to tap; see Interactive
	TypeSystem      = "system"
	TypeUnsupported = "unsupported"
)

// Author is who wrote a message.
type Author struct {
	Kind string // operator, token, system; "" is the citizen
	ID   int64
	Name string
}

// Message is one message of a thread, in either direction, or a note.
type Message struct {
	ID             int64
	ConversationID int64 // 0: a broadcast's copy, or a reaction to one
	ContactID      int64
	Number         string // phone number id
	Direction      Direction
	Type           string
	Text           string // what a person reads: body, caption, title
	Detail         Detail
	MediaID        int64
	ReplyTo        string // the external id it answers
	ExternalID     string // WhatsApp's id, "" until known
	Status         Status
	Lane           Lane
	Author         Author
	At             time.Time // WhatsApp's time, or ours of writing it
	Place          int       // in its payload: orders messages of the same second
	NextAt         time.Time // not to be sent before
	Attempts       int       // claims
	Tries          int       // times it was written to the wire
	ErrorCode      int       // Graph's, 0 is none
	ErrorDetail    string
	SendingAt      *time.Time
	SentAt         *time.Time
	DeliveredAt    *time.Time
	ReadAt         *time.Time
	ClientKey      string
	BroadcastID    int64      // of a copy: its text is the broadcast's
	EditedAt       *time.Time // when the citizen last changed it; see Revisions
	RevokedAt      *time.Time // when the citizen took it back; what it said is kept
	Pricing        Pricing    // how Meta counts it; "" until told
}

// Detail is what a type holds besides its text.
type Detail struct {
	Location    *Location       `json:"location,omitempty"`
	Contacts    json.RawMessage `json:"contacts,omitempty"` // contact cards, as WhatsApp writes them
	Reaction    *Reaction       `json:"reaction,omitempty"`
	Choice      *Choice         `json:"choice,omitempty"`
	Template    *Template       `json:"template,omitempty"`
	Interactive *Interactive    `json:"options,omitempty"`
	Form        *Form           `json:"form,omitempty"`
	Order       *Order          `json:"order,omitempty"`
	Call        *CallPermission `json:"call,omitempty"`
	Referral    *Referral       `json:"referral,omitempty"`
	Product     *Product        `json:"product,omitempty"`   // that the citizen asks about
	System      string          `json:"system,omitempty"`    // the type of a system message
	Phone       string          `json:"phone,omitempty"`     // of a system message: the citizen's new number, digits
	OwnPhone    bool            `json:"own_phone,omitempty"` // the contact is the citizen's own, given because we asked
	Kind        string          `json:"kind,omitempty"`      // of an unsupported message, as WhatsApp names it
	Raw         json.RawMessage `json:"raw,omitempty"`       // of what can't be shown whole, as it came
	Problems    []Problem       `json:"problems,omitempty"`
	Forwarded   bool            `json:"forwarded,omitempty"`
	Often       bool            `json:"often,omitempty"`      // forwarded more than five times
	Corrects    bool            `json:"corrects,omitempty"`   // it was written by editing an earlier message
	TimeGuess   bool            `json:"time_guess,omitempty"` // its time was unusable: it is that of receipt
	ResendOf    int64           `json:"resend_of,omitempty"`  // the message a person chose to send again
}

// Form is a form of WhatsApp's that a citizen filled in; the message's text has the answers for a reader.
type Form struct {
	Name    string          `json:"name"`              // flow, address_message
	Answers json.RawMessage `json:"answers,omitempty"` // mostly an object; nothing where they were no JSON
}

// Order is what a citizen ordered from a catalogue.
type Order struct {
	Catalog string      `json:"catalog"`
	Items   []OrderItem `json:"items,omitempty"`
}

// OrderItem is one line of an order, its figures as WhatsApp wrote them.
type OrderItem struct {
	Product  string `json:"product"`
	Quantity string `json:"quantity,omitempty"`
	Price    string `json:"price,omitempty"`
	Currency string `json:"currency,omitempty"`
}

// CallPermission is a citizen's answer to the question whether the office may call.
type CallPermission struct {
	Granted bool       `json:"granted"`
	Until   *time.Time `json:"until,omitempty"`
}

// Referral is the advertisement or post that brought a citizen to the chat.
type Referral struct {
	URL      string `json:"url,omitempty"`
	Headline string `json:"headline,omitempty"`
	Body     string `json:"body,omitempty"`
	Source   string `json:"source,omitempty"` // ad, post
	SourceID string `json:"source_id,omitempty"`
}

// Product is one of a catalogue.
type Product struct {
	Catalog string `json:"catalog"`
	ID      string `json:"id"`
}

// Problem is what WhatsApp says is wrong with a message that came in.
type Problem struct {
	Code   int    `json:"code"`
	Detail string `json:"detail,omitempty"` // Meta's words
}

// Location is a place.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	URL       string  `json:"url,omitempty"`
}

// Reaction is an emoji under a message; an empty one takes it away.
type Reaction struct {
	ExternalID string `json:"message_id"`
	Emoji      string `json:"emoji"`
}

// Choice is what a citizen pressed or chose.
type Choice struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Section     string `json:"section,omitempty"` // of a list's row: the title over it and those beside it of the same
}

// ErrNoMessage is the failure for a message this municipality does not have.
var ErrNoMessage = fault.New(fault.NotFound, "error.message_not_found")

const messageColumns = `m.message_id, m.conversation_id, m.contact_id, m.number, m.direction, m.type, m.text, m.detail, m.media_id,
	m.reply_to, m.external_id, m.status, m.lane, m.author_kind, m.author_id, m.author_name, m.at, m.place, m.next_at, m.attempts, m.tries,
	m.error_code, m.error_detail, m.sending_at, m.sent_at, m.delivered_at, m.read_at, m.client_key, m.broadcast_id, m.edited_at, m.revoked_at, m.pricing`

// bareMessageColumns are those of a RETURNING, which on SQLite knows no other name of the table.
var bareMessageColumns = strings.ReplaceAll(messageColumns, "m.", "")

func scanMessage(row db.Scanner) (Message, error) {
	var m Message
	var detail db.JSON
	err := row.Scan(&m.ID, &m.ConversationID, &m.ContactID, &m.Number, &m.Direction, &m.Type, &m.Text, &detail, &m.MediaID,
		&m.ReplyTo, &m.ExternalID, &m.Status, &m.Lane, &m.Author.Kind, &m.Author.ID, &m.Author.Name, &m.At, &m.Place, &m.NextAt, &m.Attempts, &m.Tries,
		&m.ErrorCode, &m.ErrorDetail, &m.SendingAt, &m.SentAt, &m.DeliveredAt, &m.ReadAt, &m.ClientKey, &m.BroadcastID, &m.EditedAt, &m.RevokedAt, &m.Pricing)
	if err != nil {
		return Message{}, err
	}
	m.At, m.NextAt = m.At.UTC(), m.NextAt.UTC()
	m.BroadcastID = max(m.BroadcastID, -m.BroadcastID) // see Again
	m.EditedAt, m.RevokedAt = utc(m.EditedAt), utc(m.RevokedAt)
	return m, detail.Into(&m.Detail)
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// messages collects the rows of a query made of messageColumns, whose first argument is the municipality.
func messages(ctx context.Context, tx *db.Tx, query string, args ...any) ([]Message, error) {
	return messagesOf(ctx, tx, query, [][]any{args})
}

// messagesOf is messages for a query that runs once for each row of arguments.
func messagesOf(ctx context.Context, tx *db.Tx, query string, rows [][]any) ([]Message, error) {
	var out []Message
	err := tx.Query(ctx, query, rows, func(_ int, row db.Scanner) error {
		m, err := scanMessage(row)
		out = append(out, m)
		return err
	})
	if err != nil || len(out) == 0 {
		return out, err
	}
	return out, fillCopies(ctx, tx, rows[0][0].(int64), out)
}

// GetMessage returns one message.
func GetMessage(ctx context.Context, tx *db.Tx, municipality, id int64) (Message, error) {
	found, err := messages(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.message_id = $2`, municipality, id)
	if err != nil {
		return Message{}, fmt.Errorf("get message %d: %w", id, err)
	}
	if len(found) == 0 {
		return Message{}, ErrNoMessage
	}
	return found[0], nil
}

// MessagesByID loads many messages at once, by id.
func MessagesByID(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (map[int64]Message, error) {
	found, err := messagesOf(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.message_id = $2`, keyed(municipality, ids))
	if err != nil {
		return nil, fmt.Errorf("load messages: %w", err)
	}
	out := make(map[int64]Message, len(found))
	for _, m := range found {
		out[m.ID] = m
	}
	return out, nil
}

// ByExternalID loads the messages that others quote or react to, by WhatsApp's ids.
func ByExternalID(ctx context.Context, tx *db.Tx, municipality int64, ids []string) (map[string]Message, error) {
	rows := make([][]any, 0, len(ids))
	for _, id := range ids {
		rows = append(rows, []any{municipality, id})
	}
	found, err := messagesOf(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.external_id = $2 AND m.external_id <> ''`, rows)
	if err != nil {
		return nil, fmt.Errorf("load quoted messages: %w", err)
	}
	out := make(map[string]Message, len(found))
	for _, m := range found {
		out[m.ExternalID] = m
	}
	return out, nil
}

func byClientKey(ctx context.Context, tx *db.Tx, municipality int64, key string) (Message, error) {
	found, err := messages(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.client_key = $2 AND m.client_key <> ''`, municipality, key)
	if err != nil {
		return Message{}, fmt.Errorf("get a message by its key: %w", err)
	}
	if len(found) == 0 {
		return Message{}, ErrNoMessage
	}
	return found[0], nil
}

var errNoKey = errors.New("a message to send needs a key")

// insertMessage writes m and reports whether it is new: one that has the key or the external id of a
// stored one is not, and changes nothing.
const insertMessage = `INSERT INTO message (municipality_id, message_id, conversation_id, contact_id, number, direction, type, text, detail,
	media_id, reply_to, external_id, client_key, status, lane, author_kind, author_id, author_name, at, place, created_at, next_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $21)
	ON CONFLICT DO NOTHING`

func insertArgs(municipality int64, m Message, now time.Time) ([]any, error) {
	detail, err := db.ToJSON(m.Detail)
	if err != nil {
		return nil, err
	}
	return []any{municipality, m.ID, m.ConversationID, m.ContactID, m.Number, string(m.Direction), m.Type, m.Text, detail,
		m.MediaID, m.ReplyTo, m.ExternalID, m.ClientKey, int16(m.Status), int16(m.Lane), m.Author.Kind, m.Author.ID, m.Author.Name,
		m.At, m.Place, now}, nil
}
