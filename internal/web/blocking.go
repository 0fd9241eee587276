// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const blocksShown = 500

var (
	errBlockReason = fault.New(fault.Invalid, "desk.block.reason_needed")
	errBlockWindow = fault.New(fault.Invalid, "desk.meta.block_window")
)

// blockOf is what the citizen's file says of blocks, for those who may change them.
func blockOf(v *visit, p person, blocked map[string]string) page.Blocking {
	b := page.Blocking{May: v.actor.May(staff.BlockCitizens), Reasons: conversation.BlockReasons()}
	for _, n := range v.municipality.Numbers {
		if since, on := blocked[n.PhoneNumberID]; on {
			b.On = append(b.On, page.BlockedOn{Number: n.PhoneNumberID, Display: n.Display, Since: since})
		} else if wroteTo(v, p, n.PhoneNumberID) {
			b.Open = append(b.Open, page.Choice{ID: n.PhoneNumberID, Label: n.Display})
		}
	}
	return b
}

// wroteTo tells whether the citizen wrote to the number in the last 24 hours: nobody else can be blocked.
func wroteTo(v *visit, p person, number string) bool {
	return slices.ContainsFunc(p.past, func(c conversation.Conversation) bool { return c.Number == number && c.WindowOpen(v.now) })
}

// blockedSince says in words since when a citizen is blocked, by number.
func blockedSince(ctx context.Context, tx *db.Tx, v *visit, contactID int64) (map[string]string, error) {
	on, err := contact.BlockedOn(ctx, tx, v.municipality.ID, contactID)
	since := make(map[string]string, len(on))
	for number, at := range on {
		since[number] = v.language.Date(at.In(v.municipality.Desk.Zone()))
	}
	return since, err
}

// numberIn is one of our numbers in use, by the id that a form names; another is none.
func numberIn(v *visit, id string) (municipality.Number, error) {
	i := slices.IndexFunc(v.municipality.Numbers, func(n municipality.Number) bool { return n.PhoneNumberID == id })
	if i < 0 {
		return municipality.Number{}, errNotFound
	}
	return v.municipality.Numbers[i], nil
}

func addressee(p person) whatsapp.Person { return whatsapp.Person{Phone: p.Phone, UserID: p.UserID} }

// whomAndWhere are the citizen that a form is about, and the number: the one they know, unless the form names another.
func (s *Server) whomAndWhere(w http.ResponseWriter, r *http.Request, v *visit) (p person, n municipality.Number, err error) {
	if err = readForm(w, r); err != nil {
		return p, n, err
	}
	if p, err = s.loadPerson(r, v); err != nil {
		return p, n, err
	}
	n, err = numberIn(v, cmp.Or(r.PostFormValue("number"), numberFor(v.municipality, p)))
	return p, n, err
}

// block puts a citizen on a number's block list. What is written beside the reason becomes a note to the conversation:
// the trail keeps no texts.
func (s *Server) block(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, number, err := s.whomAndWhere(w, r, v)
	if err != nil {
		return err
	}
	reason, note := r.PostFormValue("reason"), strings.TrimSpace(db.Text(r.PostFormValue("note")))
	switch {
	case !slices.Contains(conversation.BlockReasons(), reason):
		err = errBlockReason
	case !wroteTo(v, p, number.PhoneNumberID):
		err = errBlockWindow
	default:
		d := deed{action: conversation.CitizenBlocked, kind: "contact", id: db.FormatID(p.ID), detail: map[string]any{"number": number.PhoneNumberID, "reason": reason}}
		err = s.ask(r, v, d, func(ctx context.Context) error { return s.Client.Block(ctx, number.Account(), addressee(p)) },
			func(ctx context.Context, tx *db.Tx) error {
				return noteBlock(ctx, tx, v, p, number.PhoneNumberID, note)
			})
	}
	return s.blockDone(w, r, v, p, err)
}

func noteBlock(ctx context.Context, tx *db.Tx, v *visit, p person, number, note string) error {
	if err := conversation.NoteBlocked(ctx, tx, v.municipality.ID, number, p.ID, true); err != nil {
		return err
	}
	i := slices.IndexFunc(p.past, func(c conversation.Conversation) bool { return c.Number == number })
	if note == "" || i < 0 {
		return nil
	}
	_, err := conversation.AddNote(ctx, tx, v.actor, p.past[i].ID, note, "block:"+db.FormatID(tx.NewID()))
	return err
}

// unblock takes a citizen off a number's block list, from their file or from the list of who is blocked.
func (s *Server) unblock(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, number, err := s.whomAndWhere(w, r, v)
	if err != nil {
		return err
	}
	d := deed{action: conversation.CitizenUnblocked, kind: "contact", id: db.FormatID(p.ID), detail: map[string]any{"number": number.PhoneNumberID}}
	err = s.ask(r, v, d, func(ctx context.Context) error { return s.Client.Unblock(ctx, number.Account(), addressee(p)) },
		func(ctx context.Context, tx *db.Tx) error {
			return conversation.NoteBlocked(ctx, tx, v.municipality.ID, number.PhoneNumberID, p.ID, false)
		})
	if err == nil && r.PostFormValue("from") == "list" {
		http.Redirect(w, r, "/desk/"+v.municipality.Slug+"/settings/blocked", http.StatusSeeOther)
		return nil
	}
	return s.blockDone(w, r, v, p, err)
}

// blockDone shows the file as it is then, with what went wrong beside the form.
func (s *Server) blockDone(w http.ResponseWriter, r *http.Request, v *visit, p person, failed error) error {
	if failed == nil {
		http.Redirect(w, r, citizenPath(v, p.ID)+"#block", http.StatusSeeOther)
		return nil
	}
	if !told(failed) {
		return failed
	}
	file, err := s.fileWithBlocks(r, v, p)
	if err != nil {
		return err
	}
	file.Blocking.Problem = inWords(v, failed)
	file.Blocking.Reason, file.Blocking.Note = r.PostFormValue("reason"), r.PostFormValue("note")
	return s.drawCitizenFile(w, r, v, http.StatusUnprocessableEntity, file)
}

// fileWithBlocks is the citizen's file with who may write to whom.
func (s *Server) fileWithBlocks(r *http.Request, v *visit, p person) (page.CitizenFile, error) {
	file := fileOf(v, p)
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		since, err := blockedSince(ctx, tx, v, p.ID)
		file.Blocking = blockOf(v, p, since)
		return err
	})
	return file, err
}

// blockedPage lists who is blocked, as it was last known.
func (s *Server) blockedPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.drawBlocked(w, r, v, http.StatusOK, "")
}

func (s *Server) drawBlocked(w http.ResponseWriter, r *http.Request, v *visit, status int, problem string) error {
	var list []contact.Block
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = contact.Blocks(ctx, tx, v.municipality.ID, contact.Block{}, blocksShown)
		return err
	})
	if err != nil {
		return err
	}
	shown := page.BlockList{Problem: problem, Cut: len(list) == blocksShown}
	for _, b := range list {
		one := page.BlockedPerson{ID: db.FormatID(b.ID), Name: nameOf(b.Contact), Address: addressOf(b.Contact), Number: b.Number, Since: b.At}
		if n, ok := v.municipality.Number(b.Number); ok {
			one.Display = n.Display
		}
		shown.People = append(shown.People, one)
	}
	return s.draw(w, r, status, page.BlockedPage(s.settingsFrame(v, page.TabBlocked), shown))
}

// refreshBlocked reads the block lists from Meta.
func (s *Server) refreshBlocked(w http.ResponseWriter, r *http.Request, v *visit) error {
	var failed []error
	for _, n := range v.municipality.Numbers {
		failed = append(failed, conversation.RefreshBlocked(r.Context(), s.DB, s.Client, v.municipality.ID, n.Account()))
	}
	if err := metaFault(errors.Join(failed...)); err != nil {
		return s.drawBlocked(w, r, v, fault.KindOf(err).Status(), inWords(v, err))
	}
	http.Redirect(w, r, "/desk/"+v.municipality.Slug+"/settings/blocked", http.StatusSeeOther)
	return nil
}
