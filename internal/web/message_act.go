// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// resend sends a message again that failed or stayed uncertain, because a person decided so.
func (s *Server) resend(w http.ResponseWriter, r *http.Request, v *visit) error {
	messageID, err := id(r)
	if err != nil {
		return err
	}
	var again conversation.Message
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		again, err = conversation.Resend(ctx, tx, v.actor, messageID)
		return err
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, openOr(r, again.ConversationID))
}

// cancel takes back a message that has not left yet.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, v *visit) error {
	messageID, err := id(r)
	if err != nil {
		return err
	}
	var m conversation.Message
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if m, err = conversation.GetMessage(ctx, tx, v.municipality.ID, messageID); err != nil {
			return err
		}
		return conversation.Cancel(ctx, tx, v.actor, messageID)
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, openOr(r, m.ConversationID))
}

// openOr is the conversation that the page shows: a thread runs over all conversations of a citizen.
func openOr(r *http.Request, conversationID int64) int64 {
	if open, ok := db.ParseID(r.FormValue("open")); ok {
		return open
	}
	return conversationID
}

func (s *Server) react(w http.ResponseWriter, r *http.Request, v *visit) error {
	messageID, err := id(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	emoji := r.PostFormValue("emoji")
	if !page.Emoji(emoji) {
		return errForm
	}
	var shown int64
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		m, err := conversation.GetMessage(ctx, tx, v.municipality.ID, messageID)
		if err != nil {
			return err
		}
		shown = openOr(r, m.ConversationID)
		_, err = conversation.Send(ctx, tx, v.actor, shown, conversation.Outgoing{
			Type: conversation.TypeReaction, Reaction: emoji, ReplyTo: m.ID, ClientKey: "reaction:" + db.FormatID(tx.NewID()),
		})
		return err
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, shown)
}
