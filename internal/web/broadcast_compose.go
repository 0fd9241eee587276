// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// newBroadcast shows an empty form, or one that follows a broadcast.
func (s *Server) newBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	f := written{}
	if follows, ok := db.ParseID(r.URL.Query().Get("follows")); ok {
		err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
			b, err := broadcast.Get(ctx, tx, v.municipality.ID, follows)
			if err != nil {
				return err
			}
			f, err = writtenFrom(ctx, tx, v, b.Plan)
			f.free, f.later = "", false
			f.above.media = 0 // a file goes with the broadcast that it was chosen for
			if f.follows, f.ends = follows, r.URL.Query().Has("ends"); f.ends {
				f.template, f.values = "", nil // an all-clear says something else
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.drawComposer(w, r, v, f, http.StatusOK)
}

func (s *Server) editBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	var f written
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, broadcastID)
		if err == nil && b.State != broadcast.Draft && b.State != broadcast.AwaitingApproval {
			err = broadcast.ErrState
		}
		if err != nil {
			return err
		}
		f, err = writtenFrom(ctx, tx, v, b.Plan)
		return err
	})
	if fault.Is(err, fault.Conflict, broadcast.ErrState.Key) {
		return s.changed(w, r, v, broadcastID, err)
	}
	if err != nil {
		return err
	}
	f.id, f.saved = broadcastID, r.URL.Query().Has("saved")
	return s.drawComposer(w, r, v, f, http.StatusOK)
}

func (s *Server) createBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := readWritten(w, r)
	if err != nil {
		return err
	}
	defer forgetUpload(r)
	return s.saveBroadcast(w, r, v, f)
}

func (s *Server) rewriteBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	var before broadcast.Broadcast
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		before, err = broadcast.Get(ctx, tx, v.municipality.ID, broadcastID)
		return err
	})
	if err != nil {
		return err
	}
	f, err := readWritten(w, r)
	if err != nil {
		return err
	}
	defer forgetUpload(r)
	f.id = broadcastID
	f.keepAbove(before)
	return s.saveBroadcast(w, r, v, f)
}

// saveBroadcast keeps what was written as a draft. Where something is wrong the form comes back as it was,
// with a sentence beside each field that is.
func (s *Server) saveBroadcast(w http.ResponseWriter, r *http.Request, v *visit, f written) error {
	if r.PostForm.Get("act") == "preview" {
		return s.drawComposer(w, r, v, f, http.StatusOK)
	}
	stored, err := s.storeAbove(r, v)
	if err != nil {
		return err
	}
	if len(stored) > 0 {
		f.above.media = stored[0].id
	}
	savedID, err := s.keepWritten(r.Context(), v, &f, stored)
	switch {
	case fault.Is(err, fault.Conflict, broadcast.ErrState.Key):
		return s.changed(w, r, v, f.id, err)
	case fault.KindOf(err) == fault.Invalid:
		f.problems = problemOf(v.language, err)
	case err != nil:
		return err
	}
	if len(f.problems) > 0 {
		f.lose(v.language, stored)
		return s.drawComposer(w, r, v, f, http.StatusUnprocessableEntity)
	}
	to := broadcastAddress(v, savedID)
	if r.PostForm.Get("act") == "save" {
		to += "/edit?saved=1"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// keepWritten creates or changes the draft, with the file above it, unless f has problems; then it notes them there.
func (s *Server) keepWritten(ctx context.Context, v *visit, f *written, stored []storedFile) (id int64, err error) {
	err = s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		offers, _, err := offersOf(ctx, tx, v)
		if err != nil {
			return err
		}
		var plan broadcast.Plan
		if plan, f.problems = f.plan(v, offers); len(f.problems) > 0 {
			return nil
		}
		if err := s.keep(ctx, tx, v, stored); err != nil {
			return err
		}
		var b broadcast.Broadcast
		if f.id == 0 {
			b, err = broadcast.Create(ctx, tx, v.actor, v.municipality, plan)
		} else {
			b, err = broadcast.Edit(ctx, tx, v.actor, v.municipality, f.id, plan)
		}
		id = b.ID
		return err
	})
	return id, err
}

// previewBroadcast shows what is being written as people would read it, and writes nothing. The fields of
// another template come with it.
func (s *Server) previewBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := readWritten(w, r)
	if err != nil {
		return err
	}
	defer forgetUpload(r)
	if broadcastID, ok := db.ParseID(r.PostForm.Get("id")); ok {
		if err := s.findAbove(r.Context(), v, broadcastID, &f); err != nil {
			return err
		}
	}
	form, err := s.composer(r.Context(), v, f)
	if err != nil {
		return err
	}
	if f.shown == form.Template {
		return s.draw(w, r, http.StatusOK, page.PreviewPane(form.Preview))
	}
	return s.draw(w, r, http.StatusOK, page.PreviewPane(form.Preview), page.Blanks(form, true))
}

func (s *Server) drawComposer(w http.ResponseWriter, r *http.Request, v *visit, f written, status int) error {
	form, err := s.composer(r.Context(), v, f)
	if err != nil {
		return err
	}
	return s.draw(w, r, status, page.ComposePage(s.broadcastFrame(v), form))
}
