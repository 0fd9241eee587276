// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// reopenWithin is how long after resolving a citizen's message still belongs to the same conversation.
const reopenWithin = 7 * 24 * time.Hour

// place is where a contact writes: a contact and a number have one open conversation at most.
type place struct {
	contact int64
	number  string
}

// found is the conversation of a place: as it is, or as it will be made.
type found struct {
	id         int64
	state      string
	resolvedAt *time.Time
	fresh      bool
	reopened   bool
	openedAt   time.Time
	since      time.Time // when it was opened, of one that was there
	news       bool      // a message of this set belongs to it
	touch      touch
}

// touch sums up what new messages do to their conversation.
type touch struct {
	unread        int
	firstQuestion time.Time
	lastInbound   time.Time
	last          Message
	word          time.Time // the last that the desk handles by itself: it opens the 24-hour window, and no more
}

// Receipt is what became of an incoming message.
type Receipt struct {
	Stored       bool  // false: it was stored before
	Conversation int64 // 0: none
}

// Receive stores what citizens wrote, each once however often it comes, opens or reopens their
// conversations, and reports what became of each of incoming. Its result does not depend on the order in
// which instances work: WhatsApp's time, then the place in the payload, then the id decide.
func Receive(ctx context.Context, tx *db.Tx, municipality int64, incoming []Message) ([]Receipt, error) {
	incoming = slices.Clone(incoming)
	duplicate, err := stored(ctx, tx, municipality, incoming)
	if err != nil {
		return nil, fmt.Errorf("look for duplicates: %w", err)
	}
	places, err := findPlaces(ctx, tx, municipality, incoming, duplicate)
	if err != nil {
		return nil, fmt.Errorf("find conversations: %w", err)
	}
	plan(tx, incoming, duplicate, places)
	if err := insertIncoming(ctx, tx, municipality, incoming, duplicate); err != nil {
		return nil, fmt.Errorf("store messages: %w", err)
	}
	receipts := make([]Receipt, len(incoming))
	var docs []db.Doc
	for i, m := range incoming {
		if duplicate[i] {
			continue
		}
		receipts[i] = Receipt{Stored: true, Conversation: m.ConversationID}
		if f := places[place{m.ContactID, m.Number}]; f.id != 0 {
			f.news = true
			f.touch.add(m)
		}
		if m.Text != "" && m.Type != TypeReaction {
			docs = append(docs, db.Doc{ID: m.ID, Text: m.Text})
		}
	}
	if err := savePlaces(ctx, tx, municipality, places); err != nil {
		return nil, err
	}
	return receipts, tx.Index(ctx, db.MessageSearch, municipality, docs, false)
}

// asks reports whether the message wants an answer of a person; a reaction or a notice of the system doesn't, nor what
// the desk handles by itself. SQL says the same in questions.
func (m Message) asks() bool {
	return m.Type != TypeReaction && m.Type != TypeSystem && m.Lane != Automatic
}

// stored tells which messages are known already. It only saves work: the unique index decides.
func stored(ctx context.Context, tx *db.Tx, municipality int64, incoming []Message) ([]bool, error) {
	duplicate := make([]bool, len(incoming))
	seen := make(map[string]bool, len(incoming))
	rows := make([][]any, len(incoming))
	for i, m := range incoming {
		rows[i] = []any{municipality, m.ExternalID}
		duplicate[i] = seen[m.ExternalID]
		seen[m.ExternalID] = true
	}
	err := tx.Query(ctx, `SELECT message_id FROM message WHERE municipality_id = $1 AND external_id = $2 AND external_id <> ''`, rows,
		func(i int, row db.Scanner) error {
			var id int64
			duplicate[i] = true
			return row.Scan(&id)
		})
	return duplicate, err
}

// findPlaces looks for the conversations of incoming. On PostgreSQL nobody changes what it found before this
// transaction ends: a conversation resolved in this very moment is found resolved, or is resolved after.
func findPlaces(ctx context.Context, tx *db.Tx, municipality int64, incoming []Message, duplicate []bool) (map[place]*found, error) {
	places := make(map[place]*found)
	var keys []place
	for i, m := range incoming {
		p := place{m.ContactID, m.Number}
		if !duplicate[i] && places[p] == nil {
			places[p] = &found{}
			keys = append(keys, p)
		}
	}
	slices.SortFunc(keys, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.contact, b.contact), cmp.Compare(a.number, b.number))
	})
	rows := make([][]any, len(keys))
	for i, p := range keys {
		rows[i] = []any{municipality, p.contact, p.number}
	}
	query := `SELECT conversation_id, state, resolved_at, opened_at FROM conversation
		WHERE municipality_id = $1 AND contact_id = $2 AND number = $3 AND state IN ('open', 'resolved')
		ORDER BY CASE WHEN state = 'open' THEN 0 ELSE 1 END, opened_at DESC, conversation_id DESC LIMIT 1`
	if tx.Engine == db.PostgreSQL {
		query += " FOR UPDATE"
	}
	err := tx.Query(ctx, query, rows, func(i int, row db.Scanner) error {
		f := places[keys[i]]
		return row.Scan(&f.id, &f.state, &f.resolvedAt, &f.since)
	})
	return places, err
}

// plan decides for each new message which conversation it belongs to: the open one; the last one, if
// it was resolved within a week of the message; or a new one. What asks nothing opens nothing.
func plan(tx *db.Tx, incoming []Message, duplicate []bool, places map[place]*found) {
	byTime := make([]int, len(incoming))
	for i := range byTime {
		byTime[i] = i
	}
	slices.SortStableFunc(byTime, func(a, b int) int {
		return cmp.Or(incoming[a].At.Compare(incoming[b].At), cmp.Compare(incoming[a].Place, incoming[b].Place))
	})
	for _, i := range byTime {
		if duplicate[i] {
			continue
		}
		m := &incoming[i]
		f := places[place{m.ContactID, m.Number}]
		if m.asks() {
			f.open(tx, m.At)
		}
		m.ConversationID = f.id
	}
}

func (f *found) open(tx *db.Tx, at time.Time) {
	switch {
	case f.state == "open":
	case f.id != 0 && at.Before(f.resolvedAt.Add(reopenWithin)):
		f.state, f.reopened, f.openedAt = "open", true, at
	default:
		f.id, f.state, f.fresh, f.openedAt = tx.NewID(), "open", true, at
	}
}

// insertIncoming stores what is new. A message that was not stored after all was stored by another instance
// in this very moment, which a second look finds; only then is it a duplicate.
func insertIncoming(ctx context.Context, tx *db.Tx, municipality int64, incoming []Message, duplicate []bool) error {
	var rows [][]any
	for i := range incoming {
		if duplicate[i] {
			continue
		}
		m := &incoming[i]
		m.Direction, m.Status = In, Received
		args, err := insertArgs(municipality, *m, tx.Now())
		if err != nil {
			return err
		}
		rows = append(rows, args)
	}
	affected, err := tx.Exec(ctx, insertMessage, rows)
	if err == nil && slices.Contains(affected, 0) {
		return db.ErrAgain
	}
	return err
}

func (t *touch) add(m Message) {
	if !m.asks() {
		if m.Lane == Automatic && m.Type != TypeSystem && m.At.After(t.word) {
			t.word = m.At
		}
		return
	}
	t.unread++
	if t.firstQuestion.IsZero() || m.At.Before(t.firstQuestion) {
		t.firstQuestion = m.At
	}
	if m.At.After(t.lastInbound) {
		t.lastInbound = m.At
	}
	if t.last.ID == 0 || !m.before(t.last) {
		t.last = m
	}
}

func (m Message) before(o Message) bool {
	return cmp.Or(m.At.Compare(o.At), cmp.Compare(m.Place, o.Place), cmp.Compare(m.ID, o.ID)) < 0
}

// Touching a conversation with a message that is not its newest leaves what the list shows alone. One that
// was resolved, be it in this very moment, is open again and free for anybody to take.
const touchConversation = `UPDATE conversation SET unread = unread + $3,
	holder_id = CASE WHEN state = 'open' THEN holder_id ELSE 0 END, holder_name = CASE WHEN state = 'open' THEN holder_name ELSE '' END,
	state = 'open', resolved_at = NULL, resolution = '',
	opened_at = CASE WHEN opened_at > $4 THEN $4 ELSE opened_at END,
	waiting_since = CASE WHEN waiting_since IS NULL OR waiting_since > $4 THEN $4 ELSE waiting_since END,
	last_inbound_at = CASE WHEN last_inbound_at IS NULL OR last_inbound_at < $5 THEN $5 ELSE last_inbound_at END,
	last_message_id = CASE WHEN last_message_at <= $6 THEN $7 ELSE last_message_id END,
	last_direction = CASE WHEN last_message_at <= $6 THEN 'in' ELSE last_direction END,
	last_type = CASE WHEN last_message_at <= $6 THEN $8 ELSE last_type END,
	last_text = CASE WHEN last_message_at <= $6 THEN $9 ELSE last_text END,
	last_message_at = CASE WHEN last_message_at <= $6 THEN $6 ELSE last_message_at END
	WHERE municipality_id = $1 AND conversation_id = $2`

// adopt gives a conversation the reactions and notices that are younger than its beginning and were processed before
// it. What such a message belongs to does not depend on who works first.
//
// It asks for the citizen and the number by themselves: joined from the conversation they would be looked for among all
// that belongs to none, which are the copies of broadcasts too, by a plan kept from when there were few.
const adopt = `UPDATE message SET conversation_id = $2 WHERE municipality_id = $1 AND contact_id = $3 AND number = $4
	AND conversation_id = 0 AND direction = 'in'
	AND at >= (SELECT opened_at FROM conversation WHERE municipality_id = $1 AND conversation_id = $2)`

func savePlaces(ctx context.Context, tx *db.Tx, municipality int64, places map[place]*found) error {
	var made, touched, begun, windows [][]any
	var events []Event
	for p, f := range places {
		if f.news {
			changed(tx, municipality, f.id)
		}
		t := f.touch
		if !t.word.IsZero() {
			windows = append(windows, []any{municipality, f.id, t.word})
		}
		if t.last.ID == 0 {
			continue
		}
		if f.fresh {
			made = append(made, []any{municipality, f.id, p.number, p.contact, f.openedAt})
			events = append(events, Event{ConversationID: f.id, ContactID: p.contact, Number: p.number, At: f.openedAt, Kind: Opened})
		}
		if f.reopened {
			events = append(events, Event{ConversationID: f.id, ContactID: p.contact, Number: p.number, At: f.openedAt, Kind: Reopened})
		}
		if f.fresh || t.firstQuestion.Before(f.since) {
			begun = append(begun, []any{municipality, f.id, p.contact, p.number})
		}
		touched = append(touched, []any{municipality, f.id, t.unread, t.firstQuestion, t.lastInbound, t.last.At, t.last.ID, t.last.Type, preview(t.last.Text)})
	}
	for _, rows := range [][][]any{touched, windows} {
		slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[1].(int64), b[1].(int64)) })
	}
	n, err := tx.Exec(ctx, `INSERT INTO conversation (municipality_id, conversation_id, number, contact_id, state, opened_at, last_message_at)
		VALUES ($1, $2, $3, $4, 'open', $5, $5) ON CONFLICT DO NOTHING`, made)
	if err != nil {
		return fmt.Errorf("open conversations: %w", err)
	}
	if slices.Contains(n, 0) { // another instance opened it in this very moment
		return db.ErrAgain
	}
	if _, err := tx.Exec(ctx, touchConversation, touched); err != nil {
		return fmt.Errorf("touch conversations: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE conversation SET last_inbound_at = $3 WHERE municipality_id = $1 AND conversation_id = $2
		AND (last_inbound_at IS NULL OR last_inbound_at < $3)`, windows); err != nil {
		return fmt.Errorf("open windows: %w", err)
	}
	if _, err := tx.Exec(ctx, adopt, begun); err != nil {
		return fmt.Errorf("adopt reactions: %w", err)
	}
	return record(ctx, tx, municipality, events)
}

// preview is what a list shows of a text.
func preview(s string) string {
	const most = 160
	runes := 0
	for i := range s {
		if runes == most {
			return s[:i]
		}
		runes++
	}
	return s
}
