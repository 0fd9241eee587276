// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// changed shows a broadcast after an act; one that could not be done, with why.
func (s *Server) changed(w http.ResponseWriter, r *http.Request, v *visit, id int64, err error) error {
	switch kind := fault.KindOf(err); {
	case err == nil:
		http.Redirect(w, r, broadcastAddress(v, id), http.StatusSeeOther)
		return nil
	case kind == fault.Invalid || kind == fault.Conflict || fault.Is(err, fault.Forbidden, broadcast.ErrSecond.Key):
		return s.showBroadcast(w, r, v, id, kind.Status(), sentenceOf(v.language, err, ""))
	default:
		return err
	}
}

func broadcastAddress(v *visit, id int64) string {
	return "/desk/" + v.municipality.Slug + "/broadcasts/" + db.FormatID(id)
}

// broadcastAct answers a request to do something to a broadcast; what it returns shows on the page that follows.
func broadcastAct[T any](s *Server, do func(context.Context, *db.Tx, staff.Actor, *municipality.Municipality, int64) (T, error)) deskHandler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		broadcastID, err := id(r)
		if err != nil {
			return err
		}
		err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := do(ctx, tx, v.actor, v.municipality, broadcastID)
			return err
		})
		return s.changed(w, r, v, broadcastID, err)
	}
}

// breakGlass releases an emergency without a second person; a reason that says too little is asked for again.
func (s *Server) breakGlass(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	reason := r.PostFormValue("reason")
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := broadcast.BreakGlass(ctx, tx, v.actor, v.municipality, broadcastID, reason)
		return err
	})
	if fault.Is(err, fault.Invalid, broadcast.ErrReason.Key) {
		return s.confirm(w, r, v, broadcastID, page.Confirmation{Act: "glass", Reason: reason, Problem: sentenceOf(v.language, err, "")}, http.StatusUnprocessableEntity)
	}
	return s.changed(w, r, v, broadcastID, err)
}

// confirmed are the acts that ask first.
var confirmed = []string{"submit", "approve", "glass", "cancel", "resend"}

func (s *Server) confirmBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	act := r.PathValue("act")
	if !slices.Contains(confirmed, act) {
		return errNotFound
	}
	return s.confirm(w, r, v, broadcastID, page.Confirmation{Act: act}, http.StatusOK)
}

// confirm asks before an act, repeating how many people it concerns.
func (s *Server) confirm(w http.ResponseWriter, r *http.Request, v *visit, id int64, c page.Confirmation, status int) error {
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, id)
		if err != nil {
			return err
		}
		c.Broadcast = rowOfBroadcast(v, b, b.Reach.Outcomes)
		c.People, err = concerned(ctx, tx, v, b, c.Act)
		return err
	})
	if err != nil {
		return err
	}
	if part(r) {
		return s.draw(w, r, status, page.ConfirmDialog(c))
	}
	return s.draw(w, r, status, page.DialogPage(s.broadcastFrame(v), page.ConfirmDialog(c)))
}

// concerned is how many people an act is about.
func concerned(ctx context.Context, tx *db.Tx, v *visit, b broadcast.Broadcast, act string) (int, error) {
	if act == "resend" {
		return broadcast.Offered(ctx, tx, v.municipality.ID, b.ID)
	}
	if b.Prepared {
		n, err := broadcast.CameTo(ctx, tx, v.municipality.ID, b)
		return n.Queued, err
	}
	estimate, err := broadcast.Look(ctx, tx, v.municipality, b.Plan)
	if act == "cancel" && fault.KindOf(err) == fault.Invalid {
		return 0, nil // what can't be sent any more can be cancelled
	}
	return estimate.Recipients, err
}
