// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// EventKind is something that happened to a conversation.
type EventKind string

// What happens to conversations. The thread shows it, and the office's figures count it.
const (
	Opened     EventKind = "opened"
	Reopened   EventKind = "reopened"
	Taken      EventKind = "taken"
	Released   EventKind = "released"
	HandedOver EventKind = "handed_over" // Detail is "office:ID" or "staff:NAME"
	KindSet    EventKind = "kind_set"    // Detail is the kind
	Resolved   EventKind = "resolved"    // Detail is the reason, "" when it was answered
)

// Event is one of them.
type Event struct {
	ID             int64
	ConversationID int64
	ContactID      int64
	Number         string
	At             time.Time
	Kind           EventKind
	Actor          Author // Kind "" is the citizen
	Detail         string
}

func record(ctx context.Context, tx *db.Tx, municipality int64, events []Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{municipality, tx.NewID(), e.ConversationID, e.ContactID, e.Number, e.At, string(e.Kind), e.Actor.Kind, e.Actor.ID, e.Actor.Name, e.Detail}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO conversation_event
		(municipality_id, event_id, conversation_id, contact_id, number, at, kind, actor_kind, actor_id, actor_name, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, rows); err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	return nil
}

// act records an act of staff on the conversation: as an event of the thread, and in the audit trail.
func act(ctx context.Context, tx *db.Tx, actor staff.Actor, c Conversation, kind EventKind, detail string) error {
	e := Event{ConversationID: c.ID, ContactID: c.ContactID, Number: c.Number, At: tx.Now(), Kind: kind, Actor: author(actor), Detail: detail}
	if err := record(ctx, tx, actor.Municipality, []Event{e}); err != nil {
		return err
	}
	changed(tx, actor.Municipality, c.ID)
	return staff.Record(ctx, tx, actor, staff.Action("conversation."+string(kind)), "conversation", db.FormatID(c.ID), nil)
}

func author(a staff.Actor) Author { return Author{Kind: string(a.Kind), ID: a.ID, Name: a.Name} }

func changed(tx *db.Tx, municipality, id int64) {
	tx.Notify(db.Notice{Topic: db.Conversation, Municipality: municipality, ID: id})
}
