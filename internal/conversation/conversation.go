// SPDX-License-Identifier: AGPL-3.0-or-later

// Package conversation owns what citizens and the office write to each other: messages and their
// delivery, conversations and who holds them, notes and drafts.
//
// A message belongs to a contact and a number. A conversation is an episode between the two: one is
// open at most; a message within a week of resolving reopens it, a later one starts anew.
package conversation

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// State of a conversation.
type State string

// The states.
const (
	Open   State = "open"
	Closed State = "resolved"
)

// Conversation is an episode between a citizen and the office.
type Conversation struct {
	ID            int64
	Number        string // phone number id
	ContactID     int64
	Contact       contact.Contact // only name, username, phone and user id
	State         State
	Kind          string // of request, "" until an operator says
	Office        string // "" is nobody's in particular
	HolderID      int64  // 0 is unheld
	HolderName    string
	Unread        int
	OpenedAt      time.Time
	WaitingSince  *time.Time // the first question without a reply
	FirstReplyAt  *time.Time
	LastInboundAt *time.Time
	LastMessageAt time.Time
	LastDirection Direction
	LastType      string
	LastText      string
	ResolvedAt    *time.Time
	Resolution    string // why it was resolved without a reply
}

// Window is how long after a citizen's message the office may answer freely.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages#customer-service-windows
const Window = 24 * time.Hour

// windowMargin keeps a reply written in the last moment from arriving too late.
const windowMargin = 2 * time.Minute

// WindowClosesAt is when free replies end, nil if the citizen never wrote.
func (c Conversation) WindowClosesAt() *time.Time {
	if c.LastInboundAt == nil {
		return nil
	}
	return new(c.LastInboundAt.Add(Window))
}

// WindowOpen reports whether a free reply may still be written at now.
func (c Conversation) WindowOpen(now time.Time) bool {
	closes := c.WindowClosesAt()
	return closes != nil && now.Before(closes.Add(-windowMargin))
}

// ErrNotFound is the failure for a conversation this municipality does not have.
var ErrNotFound = fault.New(fault.NotFound, "error.conversation_not_found")

const conversationColumns = `c.conversation_id, c.number, c.contact_id, k.name, k.username, k.phone, k.user_id, c.state, c.kind, c.office, c.holder_id, c.holder_name,
	c.unread, c.opened_at, c.waiting_since, c.first_reply_at, c.last_inbound_at, c.last_message_at, c.last_direction, c.last_type, c.last_text,
	c.resolved_at, c.resolution`

const fromConversation = ` FROM conversation c JOIN contact k ON k.municipality_id = c.municipality_id AND k.contact_id = c.contact_id `

const selectConversation = `SELECT ` + conversationColumns + fromConversation + `WHERE c.municipality_id = $1 AND c.conversation_id = $2`

func scanConversation(row db.Scanner) (Conversation, error) {
	var c Conversation
	err := row.Scan(&c.ID, &c.Number, &c.ContactID, &c.Contact.Name, &c.Contact.Username, &c.Contact.Phone, &c.Contact.UserID, &c.State, &c.Kind, &c.Office, &c.HolderID, &c.HolderName,
		&c.Unread, &c.OpenedAt, &c.WaitingSince, &c.FirstReplyAt, &c.LastInboundAt, &c.LastMessageAt, &c.LastDirection, &c.LastType, &c.LastText,
		&c.ResolvedAt, &c.Resolution)
	c.Contact.ID = c.ContactID
	if c.Contact.Phone != "" {
		c.Contact.Phone = "+" + c.Contact.Phone
	}
	return c, err
}

func conversations(ctx context.Context, tx *db.Tx, query string, args ...any) ([]Conversation, error) {
	var out []Conversation
	err := tx.Query(ctx, query, [][]any{args}, func(_ int, row db.Scanner) error {
		c, err := scanConversation(row)
		out = append(out, c)
		return err
	})
	return out, err
}

// Get returns one conversation.
func Get(ctx context.Context, tx *db.Tx, municipality, id int64) (Conversation, error) {
	found, err := ByIDs(ctx, tx, municipality, []int64{id})
	if err != nil {
		return Conversation{}, fmt.Errorf("get conversation %d: %w", id, err)
	}
	if len(found) == 0 {
		return Conversation{}, ErrNotFound
	}
	return found[0], nil
}

const lockConversation = `SELECT 1 FROM conversation WHERE municipality_id = $1 AND conversation_id = $2 FOR UPDATE`

// lock is Get for a conversation that is about to change: on PostgreSQL others wait for this transaction.
func lock(ctx context.Context, tx *db.Tx, municipality, id int64) (Conversation, error) {
	if tx.Engine == db.PostgreSQL {
		if _, err := tx.ExecContext(ctx, lockConversation, municipality, id); err != nil {
			return Conversation{}, fmt.Errorf("lock conversation %d: %w", id, err)
		}
	}
	return Get(ctx, tx, municipality, id)
}

// ByIDs loads conversations in the order of ids; those that don't exist are left out.
func ByIDs(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) ([]Conversation, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	var out []Conversation
	err := tx.Query(ctx, selectConversation, rows, func(_ int, row db.Scanner) error {
		c, err := scanConversation(row)
		out = append(out, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load conversations: %w", err)
	}
	return out, nil
}

const ofContact = `SELECT ` + conversationColumns + fromConversation + `WHERE c.municipality_id = $1 AND c.contact_id = $2 AND c.state <> 'merged'
	ORDER BY c.opened_at DESC, c.conversation_id DESC LIMIT $3`

// OfContact lists a contact's conversations, the latest first.
func OfContact(ctx context.Context, tx *db.Tx, municipality, contactID int64, limit int) ([]Conversation, error) {
	out, err := conversations(ctx, tx, ofContact, municipality, contactID, limit)
	if err != nil {
		return nil, fmt.Errorf("conversations of contact %d: %w", contactID, err)
	}
	return out, nil
}

// Latest are the latest conversations of contacts, by contact; one who has none is missing.
func Latest(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) (map[int64]Conversation, error) {
	rows := make([][]any, len(contacts))
	for i, id := range contacts {
		rows[i] = []any{municipality, id, 1}
	}
	out := make(map[int64]Conversation, len(contacts))
	err := tx.Query(ctx, ofContact, rows, func(_ int, row db.Scanner) error {
		c, err := scanConversation(row)
		out[c.ContactID] = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("latest conversations of %d contacts: %w", len(contacts), err)
	}
	return out, nil
}

// Box is one of the lists of the inbox.
type Box string

// The boxes.
const (
	BoxOpen     Box = "open"     // all that are open, newest activity first
	BoxMine     Box = "mine"     // held by the operator who looks
	BoxWaiting  Box = "waiting"  // with a question without a reply, the longest waiting first
	BoxOffice   Box = "office"   // handed to one office
	BoxResolved Box = "resolved" // done
)

// Filter says which conversations to list.
type Filter struct {
	Box    Box
	Staff  int64  // for BoxMine
	Office string // for BoxOffice
}

// Cursor is where a page ended; the zero cursor begins.
type Cursor struct {
	At time.Time
	ID int64
}

// List returns a page of a box, and the cursor of the next page, which is zero when there is none.
func List(ctx context.Context, tx *db.Tx, municipality int64, f Filter, after Cursor, limit int) ([]Conversation, Cursor, error) {
	query, args := f.query(municipality, after)
	found, err := conversations(ctx, tx, query+fmt.Sprintf(" LIMIT $%d", len(args)+1), append(args, limit+1)...)
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("list the %s conversations: %w", f.Box, err)
	}
	if len(found) <= limit {
		return found, Cursor{}, nil
	}
	last := found[limit-1]
	next := Cursor{At: last.LastMessageAt, ID: last.ID}
	if f.Box == BoxWaiting {
		next.At = *last.WaitingSince
	}
	return found[:limit], next, nil
}

// query has one statement for each box, so that each walks its own index and stops at the page's end.
func (f Filter) query(municipality int64, after Cursor) (string, []any) {
	const newest = ` AND (c.last_message_at, c.conversation_id) < ($2, CAST($3 AS bigint)) `
	const byNewest = ` ORDER BY c.last_message_at DESC, c.conversation_id DESC`
	if after.ID == 0 && f.Box != BoxWaiting {
		after = Cursor{At: time.Unix(1<<40, 0), ID: math.MaxInt64}
	}
	if after.ID == 0 {
		after.At = time.Unix(0, 0)
	}
	args := []any{municipality, after.At.UTC(), after.ID}
	q := `SELECT ` + conversationColumns + fromConversation + `WHERE c.municipality_id = $1`
	switch f.Box {
	case BoxMine:
		return q + newest + `AND c.state = 'open' AND c.holder_id <> 0 AND c.holder_id = $4` + byNewest, append(args, f.Staff)
	case BoxOffice:
		return q + newest + `AND c.state = 'open' AND c.office <> '' AND c.office = $4` + byNewest, append(args, f.Office)
	case BoxWaiting:
		return q + ` AND c.state = 'open' AND c.waiting_since IS NOT NULL AND (c.waiting_since, c.conversation_id) > ($2, CAST($3 AS bigint))
			ORDER BY c.waiting_since, c.conversation_id`, args
	case BoxResolved:
		return q + newest + `AND c.state = 'resolved'` + byNewest, args
	}
	return q + newest + `AND c.state = 'open'` + byNewest, args
}

// Counts are the figures beside the boxes; each stops counting at MaxCount.
type Counts struct{ Open, Mine, Waiting int }

// MaxCount is where the figures stop: a longer list is "1000+".
const MaxCount = 1000

// Count counts the boxes of an operator.
func Count(ctx context.Context, tx *db.Tx, municipality, staffID int64) (Counts, error) {
	var n Counts
	for _, c := range []struct {
		into  *int
		where string
		args  []any
	}{
		{&n.Open, `state = 'open'`, []any{municipality, MaxCount}},
		{&n.Mine, `state = 'open' AND holder_id <> 0 AND holder_id = $3`, []any{municipality, MaxCount, staffID}},
		{&n.Waiting, `state = 'open' AND waiting_since IS NOT NULL`, []any{municipality, MaxCount}},
	} {
		query := `SELECT count(*) FROM (SELECT 1 FROM conversation WHERE municipality_id = $1 AND ` + c.where + ` LIMIT $2) AS capped`
		if err := tx.QueryRowContext(ctx, query, c.args...).Scan(c.into); err != nil {
			return Counts{}, fmt.Errorf("count conversations: %w", err)
		}
	}
	return n, nil
}

// openElsewhere finds another open conversation of the same citizen and number.
func openElsewhere(ctx context.Context, tx *db.Tx, municipality int64, c Conversation) (int64, error) {
	open, err := openOf(ctx, tx, municipality, c.ContactID)
	if id := open[c.Number]; id != c.ID {
		return id, err
	}
	return 0, err
}

// Marks are what an operator sees beside rows of the inbox.
type Marks struct {
	Draft  map[int64]bool // conversations in which the operator has typed something and not sent it
	Failed map[int64]bool // conversations whose last message is ours and did not arrive
}

// MarksOf loads the marks of a page of the inbox.
func MarksOf(ctx context.Context, tx *db.Tx, municipality, staffID int64, list []Conversation) (Marks, error) {
	m := Marks{Draft: make(map[int64]bool), Failed: make(map[int64]bool)}
	var drafts, sent [][]any
	for _, c := range list {
		drafts = append(drafts, []any{municipality, c.ID, staffID})
		if c.LastDirection == Out {
			sent = append(sent, []any{municipality, c.ID})
		}
	}
	set := func(into map[int64]bool) func(int, db.Scanner) error {
		return func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			into[id] = true
			return err
		}
	}
	err := tx.Query(ctx, `SELECT conversation_id FROM draft WHERE municipality_id = $1 AND conversation_id = $2 AND staff_id = $3`, drafts, set(m.Draft))
	if err != nil {
		return Marks{}, fmt.Errorf("look for drafts: %w", err)
	}
	err = tx.Query(ctx, `SELECT c.conversation_id FROM conversation c JOIN message m ON m.municipality_id = c.municipality_id AND m.message_id = c.last_message_id
		WHERE c.municipality_id = $1 AND c.conversation_id = $2 AND m.status = 60`, sent, set(m.Failed))
	if err != nil {
		return Marks{}, fmt.Errorf("look for what did not arrive: %w", err)
	}
	return m, nil
}
