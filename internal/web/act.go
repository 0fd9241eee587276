// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// act does something to a conversation in one transaction, and answers with the thread as it is then.
func (s *Server) act(w http.ResponseWriter, r *http.Request, v *visit, do func(ctx context.Context, tx *db.Tx, id int64) error) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error { return do(ctx, tx, conversationID) })
	if err != nil {
		return err
	}
	return s.acted(w, r, v, conversationID)
}

// afterSwap is the header that has the page hear of something once it shows what came with it.
const afterSwap = "HX-Trigger-After-Swap"

// acted answers after something was done: the thread anew, and the word that closes a dialog.
func (s *Server) acted(w http.ResponseWriter, r *http.Request, v *visit, conversationID int64) error {
	if !part(r) {
		http.Redirect(w, r, "/desk/"+v.municipality.Slug+"/conversations/"+db.FormatID(conversationID), http.StatusSeeOther)
		return nil
	}
	w.Header().Set("HX-Reswap", "none")
	if w.Header().Get(afterSwap) == "" {
		w.Header().Set(afterSwap, "desk:done")
	}
	return s.drawLive(w, r, v, conversationID)
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.act(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
		return conversation.Take(ctx, tx, v.actor, id)
	})
}

func (s *Server) release(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.act(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
		return conversation.Release(ctx, tx, v.actor, id)
	})
}

func (s *Server) reopen(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.act(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
		return conversation.Reopen(ctx, tx, v.actor, id)
	})
}

// resolve closes a conversation that was answered, and asks for the reason where it was not.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if reason == "" {
		reason = strings.TrimSpace(r.PostFormValue("other"))
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return conversation.Resolve(ctx, tx, v.actor, conversationID, reason)
	})
	if errors.Is(err, conversation.ErrNeedsReason) || fault.Is(err, fault.Invalid, conversation.ErrNeedsReason.Key) {
		return s.askReason(w, r, v, conversationID)
	}
	if err != nil {
		return err
	}
	return s.acted(w, r, v, conversationID)
}

func (s *Server) askReason(w http.ResponseWriter, r *http.Request, v *visit, conversationID int64) error {
	var name string
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		name = nameOf(c.Contact)
		return err
	})
	if err != nil {
		return err
	}
	dialog := page.Resolve{Conversation: db.FormatID(conversationID), Name: name}
	if r.PostForm.Has("reason") { // the dialog was sent with nothing written
		dialog.Problem = v.language.T("error.resolve_needs_reason")
	}
	return s.dialog(w, r, v, page.ResolveDialog(dialog))
}

// dialog answers with the inside of the dialog, or with a page around it where no script runs.
func (s *Server) dialog(w http.ResponseWriter, r *http.Request, v *visit, inside templ.Component) error {
	if part(r) {
		return s.draw(w, r, http.StatusOK, inside)
	}
	return s.draw(w, r, http.StatusOK, page.DialogPage(s.frame(v, page.SectionInbox, v.language.T("desk.section.inbox")), inside))
}

func (s *Server) handOverDialog(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	dialog := page.HandOver{Conversation: db.FormatID(conversationID), Offices: officeChoices(v.municipality)}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if _, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID); err != nil {
			return err
		}
		colleagues, err := staff.Colleagues(ctx, tx, v.municipality.ID)
		for _, c := range colleagues {
			if c.ID != v.actor.ID {
				dialog.People = append(dialog.People, page.Choice{ID: db.FormatID(c.ID), Label: c.Name, Hint: v.language.T(page.RoleKey(string(c.Role)))})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.dialog(w, r, v, page.HandOverDialog(dialog))
}

func (s *Server) handOver(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	kind, to, _ := strings.Cut(r.PostFormValue("to"), ":")
	note := strings.TrimSpace(r.PostFormValue("note"))
	return s.act(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
		if err := handOver(ctx, tx, v, id, kind, to); err != nil {
			return err
		}
		if note == "" {
			return nil
		}
		_, err := conversation.AddNote(ctx, tx, v.actor, id, note, "hand-over:"+db.FormatID(tx.NewID()))
		return err
	})
}

func handOver(ctx context.Context, tx *db.Tx, v *visit, id int64, kind, to string) error {
	switch kind {
	case "office":
		if _, ok := v.municipality.File.Office(to); !ok {
			return errNotFound
		}
		return conversation.HandOverToOffice(ctx, tx, v.actor, id, to)
	case "person":
		colleague, ok := db.ParseID(to)
		if !ok {
			return errNotFound
		}
		return conversation.HandOverTo(ctx, tx, v.actor, id, colleague)
	default:
		return fault.New(fault.Invalid, "error.required")
	}
}

func (s *Server) kindDialog(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	dialog := page.Kinds{Conversation: db.FormatID(conversationID)}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		dialog.Current = c.Kind
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range v.municipality.File.Kinds {
		dialog.Kinds = append(dialog.Kinds, page.Choice{ID: k.ID, Label: k.LabelIn(v.language), Key: k.Key})
	}
	return s.dialog(w, r, v, page.KindDialog(dialog))
}

func (s *Server) setKind(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	kind := r.PostFormValue("kind")
	if _, ok := v.municipality.File.Kind(kind); !ok && kind != "" {
		return errNotFound
	}
	return s.act(w, r, v, func(ctx context.Context, tx *db.Tx, id int64) error {
		return conversation.SetKind(ctx, tx, v.actor, id, kind)
	})
}

const (
	citizenRenamed staff.Action = "contact.renamed"
	citizenNoted   staff.Action = "contact.noted"
)

// setCitizen keeps the name and the note by which the office knows somebody.
func (s *Server) setCitizen(w http.ResponseWriter, r *http.Request, v *visit) error {
	citizenID, err := id(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	name, note := strings.TrimSpace(db.Text(r.PostForm.Get("name"))), strings.TrimSpace(db.Text(r.PostForm.Get("note")))
	var shown int64
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := contact.Get(ctx, tx, v.municipality.ID, citizenID)
		if err != nil {
			return err
		}
		if err := setCitizen(ctx, tx, v, c, name, note); err != nil {
			return err
		}
		past, err := conversation.OfContact(ctx, tx, v.municipality.ID, c.ID, 1)
		if len(past) > 0 {
			shown = openOr(r, past[0].ID)
			tx.Notify(db.Notice{Topic: db.Conversation, Municipality: v.municipality.ID, ID: past[0].ID})
		}
		return err
	})
	if err != nil {
		return err
	}
	if shown == 0 {
		return errNotFound
	}
	return s.acted(w, r, v, shown)
}

// setCitizen writes what has changed, each with its row in the trail.
func setCitizen(ctx context.Context, tx *db.Tx, v *visit, c contact.Contact, name, note string) error {
	if name != "" && name != nameOf(c) {
		if err := contact.Rename(ctx, tx, v.municipality.ID, c.ID, name); err != nil {
			return err
		}
		if err := staff.Record(ctx, tx, v.actor, citizenRenamed, "contact", db.FormatID(c.ID), nil); err != nil {
			return err
		}
	}
	if note == c.Note {
		return nil
	}
	if err := contact.SetNote(ctx, tx, v.municipality.ID, c.ID, note); err != nil {
		return err
	}
	return staff.Record(ctx, tx, v.actor, citizenNoted, "contact", db.FormatID(c.ID), nil)
}
