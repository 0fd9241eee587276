// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// saveDraft keeps what is being written. Now and then it also lets the citizen see that somebody writes.
func (s *Server) saveDraft(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.With(err)
	}
	replyTo, _ := db.ParseID(r.PostForm.Get("reply_to"))
	draft := conversation.Draft{Key: r.PostForm.Get("draft"), Mode: cmp.Or(r.PostForm.Get("mode"), "reply"), Text: r.PostForm.Get("text"), ReplyTo: replyTo}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return conversation.SaveDraft(ctx, tx, v.actor, conversationID, draft)
	})
	if err != nil {
		renew(w, err)
		return err
	}
	if r.PostForm.Has("typing") && draft.Mode == "reply" && strings.TrimSpace(draft.Text) != "" {
		s.showTyping(r.Context(), v, conversationID)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showTyping is a courtesy: it never delays the draft, and where many write at once some are left out.
func (s *Server) showTyping(ctx context.Context, v *visit, conversationID int64) {
	if s.Sender == nil {
		return
	}
	select {
	case s.typing <- struct{}{}:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	go func() {
		defer func() { cancel(); <-s.typing }()
		if err := s.typingTo(ctx, v, conversationID); err != nil {
			s.Log.Debug("typing was not shown", "error", err)
		}
	}()
}

func (s *Server) typingTo(ctx context.Context, v *visit, conversationID int64) error {
	var last conversation.Message
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil || !c.WindowOpen(tx.Now()) || c.HolderID != 0 && c.HolderID != v.actor.ID {
			return err
		}
		last, err = conversation.LastInbound(ctx, tx, v.municipality.ID, c)
		return err
	})
	if err != nil || last.ID == 0 {
		return err
	}
	return s.Sender.Typing(ctx, v.municipality.ID, last.ID)
}
