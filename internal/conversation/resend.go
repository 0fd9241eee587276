// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"errors"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

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
