// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// sentMessage is one of our messages that Meta accepted and tells of.
type sentMessage struct {
	id, external string
	citizen      int
	number       string // "" is the first
}

// history fills an installation with what years have brought: people, what they wrote and what they
// were answered. It writes rows in sets, since the road would take an hour for them; that the road
// makes the same rows is for the tests to say.
type history struct {
	in       *installation
	citizens int
	messages int
	span     time.Duration // over which the messages are spread
	ago      time.Duration // since the last; 0 is now
	open     float64       // share of the citizens whose last conversation is open
	talks    int           // conversations of each citizen, one after the other; 0 is 1
	answered conversation.Status
	large    bool // messages as large as those that citizens' webhooks bring
}

// person is a citizen of the history and their conversations, of which only the last may be open.
type person struct {
	contact int64
	talks   []talk
	open    bool
}

type talk struct {
	conversation int64
	written      int // messages so far
	first        time.Time
	last         writtenMessage
}

type writtenMessage struct {
	id        int64
	at        time.Time
	direction string
	text      string
}

// columns of the rows that history writes; what is not named keeps its default.
var (
	contactColumns = []string{"municipality_id", "contact_id", "name", "phone", "created_at", "updated_at"}
	addressColumns = []string{"municipality_id", "kind", "value", "contact_id", "since"}
	messageColumns = []string{"municipality_id", "message_id", "conversation_id", "contact_id", "number", "direction", "type", "text",
		"external_id", "status", "author_kind", "author_name", "at", "created_at", "next_at", "accepted_at", "detail"}
	conversationColumns = []string{"municipality_id", "conversation_id", "number", "contact_id", "state", "unread", "opened_at", "waiting_since",
		"last_inbound_at", "last_message_at", "last_message_id", "last_direction", "last_type", "last_text", "resolved_at"}
	eventColumns = []string{"municipality_id", "event_id", "conversation_id", "contact_id", "number", "at", "kind", "actor_kind", "actor_id", "actor_name"}
)

// perTransaction bounds the rows that wait in memory.
const perTransaction = 5000

// write fills the installation and returns our own messages, oldest first.
func (h history) write(ctx context.Context) ([]sentMessage, error) {
	sent, err := h.writeFor(ctx, make([]person, h.citizens))
	if err != nil {
		return nil, err
	}
	return sent, h.settle(ctx)
}

// writeFor is write for these people, who get their ids by it.
func (h history) writeFor(ctx context.Context, people []person) ([]sentMessage, error) {
	start := h.start()
	if err := h.writePeople(ctx, people, start); err != nil {
		return nil, err
	}
	var sent []sentMessage
	step := h.span / time.Duration(h.messages+1)
	for from := 0; from < h.messages; from += perTransaction {
		part, err := h.writeMessages(ctx, people, start, step, from, min(h.messages, from+perTransaction))
		if err != nil {
			return nil, err
		}
		sent = append(sent, part...)
	}
	return sent, h.writeConversations(ctx, people)
}

func (h history) start() time.Time {
	return time.Now().UTC().Add(-h.ago - h.span).Truncate(time.Microsecond)
}

// id is one for a message: of now, or of the moment at which it says it was written, where there is one a millisecond
// at most.
func (h history) id(tx *db.Tx, at time.Time) int64 {
	if h.ago == 0 {
		return tx.NewID()
	}
	return db.FirstID(at)
}

// insert writes rows into a table as they are.
func insert(ctx context.Context, tx *db.Tx, table string, columns []string, rows [][]any) error {
	places := make([]string, len(columns))
	for i := range places {
		places[i] = "$" + strconv.Itoa(i+1)
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(places, ", ")+")", rows)
	if err != nil {
		return fmt.Errorf("fill %s: %w", table, err)
	}
	return nil
}

func (h history) writePeople(ctx context.Context, people []person, at time.Time) error {
	m := h.in.municipality
	for from := 0; from < len(people); from += perTransaction {
		err := h.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			var contacts, addresses [][]any
			var docs []db.Doc
			for i := from; i < min(len(people), from+perTransaction); i++ {
				people[i] = person{contact: tx.NewID(), talks: make([]talk, max(1, h.talks)), open: rand.Float64() < h.open}
				for j := range people[i].talks {
					people[i].talks[j].conversation = tx.NewID()
				}
				contacts = append(contacts, []any{m, people[i].contact, personName(i), phone(i), at, at})
				addresses = append(addresses, []any{m, "phone", phone(i), people[i].contact, at})
				docs = append(docs, db.Doc{ID: people[i].contact, Text: personName(i) + " " + phone(i) + " " + strings.TrimPrefix(phone(i), "39")})
			}
			if err := insert(ctx, tx, "contact", contactColumns, contacts); err != nil {
				return err
			}
			if err := insert(ctx, tx, "contact_address", addressColumns, addresses); err != nil {
				return err
			}
			return tx.Index(ctx, db.ContactSearch, m, docs, false)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeMessages writes the messages of a stretch of time. A few people write very much, and every third
// message is an answer.
func (h history) writeMessages(ctx context.Context, people []person, start time.Time, step time.Duration, from, to int) (sent []sentMessage, err error) {
	m := h.in.municipality
	err = h.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		sent = nil
		var rows [][]any
		var docs []db.Doc
		for i := from; i < to; i++ {
			stretch := h.messages/len(people[0].talks) + 1
			citizen := i % stretch
			if citizen >= len(people) {
				citizen = int(float64(len(people)) * rand.Float64() * rand.Float64())
			}
			p := &people[citizen]
			c := &p.talks[i/stretch]
			at := start.Add(step * time.Duration(i)).Truncate(time.Microsecond)
			w, detail := writtenMessage{id: h.id(tx, at), at: at, direction: "in", text: prose(4 + rand.IntN(25))}, "{}"
			if h.large {
				w.text, detail = prose(wordsWritten), referred
			}
			external := fmt.Sprintf("wamid.HBgLHISTORY%032d", w.id)
			status, author, kind := conversation.Received, "", ""
			var accepted *time.Time
			if i%3 == 2 {
				w.direction, status, author, kind, accepted = "out", h.answered, "Anna", "operator", &at
				sent = append(sent, sentMessage{id: db.FormatID(w.id), external: external, citizen: citizen})
			}
			if c.written++; c.written == 1 {
				c.first = at
			}
			c.last = w
			rows = append(rows, []any{m, w.id, c.conversation, p.contact, phoneNumberID, w.direction, conversation.TypeText, w.text,
				external, int16(status), kind, author, at, at, at, accepted, detail})
			docs = append(docs, db.Doc{ID: w.id, Text: w.text})
		}
		if err := insert(ctx, tx, "message", messageColumns, rows); err != nil {
			return err
		}
		return tx.Index(ctx, db.MessageSearch, m, docs, false)
	})
	return sent, err
}

func (h history) writeConversations(ctx context.Context, people []person) error {
	m := h.in.municipality
	for from := 0; from < len(people); from += perTransaction {
		err := h.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			var rows, events [][]any
			for _, p := range people[from:min(len(people), from+perTransaction)] {
				for i, c := range p.talks {
					if c.written == 0 {
						continue
					}
					open := p.open && i == len(p.talks)-1
					state, unread := "resolved", 0
					var resolved, waiting *time.Time
					if open {
						state = "open"
					} else {
						resolved = &c.last.at
						events = append(events, []any{m, tx.NewID(), c.conversation, p.contact, phoneNumberID, c.last.at, "resolved", "operator", 1, "Anna"})
					}
					if open && c.last.direction == "in" {
						waiting, unread = &c.last.at, 1
					}
					rows = append(rows, []any{m, c.conversation, phoneNumberID, p.contact, state, unread, c.first, waiting,
						c.last.at, c.last.at, c.last.id, c.last.direction, conversation.TypeText, strings.ToValidUTF8(c.last.text[:min(len(c.last.text), 100)], ""), resolved})
					events = append(events, []any{m, tx.NewID(), c.conversation, p.contact, phoneNumberID, c.first, "opened", "", 0, ""})
				}
			}
			if err := insert(ctx, tx, "conversation", conversationColumns, rows); err != nil {
				return err
			}
			return insert(ctx, tx, "conversation_event", eventColumns, events)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle leaves PostgreSQL's tables as they are when its own housekeeping has come round. The journal is
// spared: of a table that is empty it would believe that it stays so.
func (h history) settle(ctx context.Context) error {
	return h.in.tidy(ctx, "contact, contact_address, contact_search, conversation, conversation_event, message, message_search")
}

// tidy has PostgreSQL do its housekeeping on tables.
func (in *installation) tidy(ctx context.Context, tables string) error {
	if in.d.Engine == db.SQLite {
		return nil // it has none
	}
	return execute(ctx, in.address, "VACUUM (ANALYZE) "+tables)
}
