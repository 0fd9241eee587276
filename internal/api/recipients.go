// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// Recipient is a citizen and what became of their message.
type Recipient struct {
	Contact     Person            `json:"contact"`
	MessageID   string            `json:"message_id" example:"3797402938376193"`
	Status      string            `json:"status" enum:"queued,sending,uncertain,accepted,held,sent,failed,delivered,read,played,cancelled,skipped"`
	Error       nullable[Failure] `json:"error"`
	Skipped     *string           `json:"skipped" example:"left" doc:"Why nothing was sent: left, for who is no recipient any more; twice, if two contacts turned out to be one; blocked, for who is on the block list of the number"`
	At          time.Time         `json:"at" example:"2026-03-02T09:42:00Z" doc:"When the message was prepared"`
	SentAt      *time.Time        `json:"sent_at" example:"2026-03-02T09:42:01Z"`
	DeliveredAt *time.Time        `json:"delivered_at" example:"2026-03-02T09:42:02Z"`
	ReadAt      *time.Time        `json:"read_at" example:"2026-03-02T09:45:00Z"`
	Resent      nullable[Resent]  `json:"resent" doc:"The copy that a person sent because the first stayed uncertain"`
}

// Resent is a message sent again.
type Resent struct {
	MessageID string            `json:"message_id" example:"3797402938376194"`
	Status    string            `json:"status" enum:"queued,sending,uncertain,accepted,held,sent,failed,delivered,read,played,cancelled,skipped"`
	Error     nullable[Failure] `json:"error"`
}

type listRecipients struct {
	ID      string `path:"id" example:"3797402938376199"`
	Outcome string `query:"outcome" enum:"not_reached,queued,sending,uncertain,accepted,held,sent,failed,delivered,read,cancelled,skipped" doc:"Only those who count among it; not_reached are those to tell otherwise, by phone or at the counter: who is not known to have it, nor a second copy, but for those skipped for another reason than blocked"`
	Paging
}

func (s *server) listRecipients(ctx context.Context, in *listRecipients) (*someRecipients, error) {
	after, err := readCursor(in.Cursor, inRecipients)
	if err != nil {
		return nil, err
	}
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	var found []broadcast.Recipient
	var next int64
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := findBroadcast(ctx, tx, m.ID, in.ID)
		if err != nil {
			return err
		}
		found, next, err = broadcast.Recipients(ctx, tx, m.ID, b.ID, broadcast.Part(in.Outcome), after.ID, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	var items []Recipient
	for _, r := range found {
		items = append(items, newRecipient(r, callOf(ctx).language))
	}
	return &someRecipients{newPage(items, afterID(inRecipients, next))}, nil
}

func newRecipient(r broadcast.Recipient, l locale.Language) Recipient {
	m := newMessage(r.Message, l)
	out := Recipient{Contact: newPerson(r.Contact), MessageID: m.ID, Status: m.Status, Error: m.Error, At: m.At,
		SentAt: utc(r.Message.SentAt), DeliveredAt: utc(r.Message.DeliveredAt), ReadAt: utc(r.Message.ReadAt)}
	if r.Message.Status == conversation.Skipped {
		out.Skipped = known(r.Message.ErrorDetail)
	}
	if r.Resent != nil {
		again := newMessage(*r.Resent, l)
		out.Resent = some(Resent{MessageID: again.ID, Status: again.Status, Error: again.Error})
	}
	return out
}
