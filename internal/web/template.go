// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// sendTemplate queues a template, filled in as its form says, with the file or the place above it.
func (s *Server) sendTemplate(r *http.Request, v *visit, conversationID int64, key string) error {
	filling := conversation.Filling{Parameters: municipality.Parameters{Named: valuesOf(r.PostForm)}}
	stored, err := s.storeAbove(r, v)
	if err != nil {
		return err
	}
	if len(stored) > 0 {
		filling.MediaID = stored[0].id
	}
	if r.PostForm.Has("place") {
		if filling.Place, err = writtenPlace(r.PostForm); err != nil {
			return err
		}
	}
	seen, _ := db.ParseID(r.PostFormValue("last"))
	return s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil {
			return err
		}
		t, err := approvedTemplate(ctx, tx, v, c.Number, r.PostFormValue("template"), r.PostFormValue("language"))
		if err != nil {
			return err
		}
		use, reads, err := conversation.Fill(t, filling)
		if err != nil {
			return err
		}
		if err := s.keep(ctx, tx, v, stored); err != nil {
			return err
		}
		if err := conversation.CheckAbove(ctx, tx, v.municipality.ID, t, use); err != nil {
			return err
		}
		m, err := conversation.Send(ctx, tx, v.actor, conversationID, conversation.Outgoing{Type: conversation.TypeTemplate, Text: reads,
			Template: &use, Seen: seen, ClientKey: key})
		if err != nil {
			return err
		}
		return media.Attach(ctx, tx, v.municipality.ID, m.MediaID, m.ID)
	})
}

// approvedTemplate is one that may be sent from a number now.
func approvedTemplate(ctx context.Context, tx *db.Tx, v *visit, from, name, language string) (municipality.Template, error) {
	number, ok := v.municipality.Number(from)
	if !ok {
		return municipality.Template{}, municipality.ErrTemplateNotFound
	}
	t, err := municipality.TemplateOf(ctx, tx, v.municipality.ID, number.WABAID, name, language)
	if err == nil && !t.Approved() {
		err = municipality.ErrTemplateNotFound
	}
	return t, err
}

// storeAbove puts the file that goes above a template into the store; none where the form has none.
func (s *Server) storeAbove(r *http.Request, v *visit) ([]storedFile, error) {
	if r.MultipartForm == nil {
		return nil, nil
	}
	files := chosen(r.MultipartForm.File["above"])
	return s.store(r.Context(), v, files[:min(1, len(files))])
}

func (s *Server) templates(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	dialog := page.Templates{Conversation: db.FormatID(conversationID), Draft: rand.Text()}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil {
			return err
		}
		number, _ := v.municipality.Number(c.Number)
		all, err := municipality.Templates(ctx, tx, v.municipality.ID)
		for _, t := range all {
			switch {
			case t.WABA != number.WABAID || !t.Supported():
			case t.Approved():
				dialog.Templates = append(dialog.Templates, templateChoice(t))
			case t.Paused():
				dialog.Paused = append(dialog.Paused, t.Name)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.dialog(w, r, v, page.TemplateDialog(dialog))
}

func templateChoice(t municipality.Template) page.TemplateChoice {
	c := page.TemplateChoice{Name: t.Name, Language: t.Language, Category: t.Category, Low: t.LowQuality(), Body: t.Unfilled().Body, Whole: t.Preview(),
		Header: page.HeaderFormat(t.HeaderFormat()), Buttons: t.ButtonLabels(), Replies: t.Replies()}
	for _, variable := range t.Variables() {
		c.Variables = append(c.Variables, page.Variable{Key: variable.Name, Name: variable.Name})
	}
	return c
}
