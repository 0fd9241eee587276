// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// anyRight asks only for a place at this desk.
const anyRight staff.Right = ""

// visit is one request of a signed-in person at the desk of one municipality.
type visit struct {
	ctx          context.Context // the request's
	municipality *municipality.Municipality
	actor        staff.Actor
	account      staff.Account
	others       []int64 // municipalities where the account also works
	theme        string
	now          time.Time
	language     locale.Language
}

type handler func(w http.ResponseWriter, r *http.Request) error

type deskHandler func(w http.ResponseWriter, r *http.Request, v *visit) error

// session loads the session. Sessions are saved only by signing in and out, so that a page read
// writes nothing.
func (s *Server) session(next http.Handler) http.Handler { return s.sessions.LoadAndSave(next) }

// public answers those who need not be signed in.
func (s *Server) public(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(page.With(r.Context(), s.setting(r, nil)))
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// desk answers those who are signed in, have a place at this desk and the right. Nothing under /desk
// is reached by another way.
func (s *Server) desk(right staff.Right, h deskHandler) http.Handler {
	return s.public(func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.visit(r)
		if fault.KindOf(err) == fault.Unauthenticated {
			return s.askSignIn(w, r)
		}
		if err != nil {
			return err
		}
		r = r.WithContext(context.WithValue(page.With(r.Context(), s.setting(r, v)), visitKey{}, v))
		if right != anyRight && !v.actor.May(right) {
			s.fail(w, r, errForbidden)
			return nil
		}
		if err := h(w, r, v); err != nil {
			s.fail(w, r, err)
		}
		return nil
	})
}

type visitKey struct{}

// visit finds out who asks, and where. The membership is read anew each time: a role that was taken
// away, or an account that was disabled, ends at the next request.
func (s *Server) visit(r *http.Request) (*visit, error) {
	m, err := s.municipalityOf(r)
	if err != nil {
		return nil, err
	}
	id := s.sessions.GetInt64(r.Context(), staff.SessionStaff)
	if id == 0 {
		return nil, errSignIn
	}
	v := &visit{ctx: r.Context(), municipality: m, now: s.DB.Now(), theme: themeOf(r)}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if v.account, err = staff.Get(ctx, tx, id); err != nil {
			return errSignIn.With(err)
		}
		if v.account.Disabled {
			return errSignIn
		}
		if v.actor, err = staff.Membership(ctx, tx, m.ID, id); err != nil {
			return err
		}
		v.others, err = staff.Municipalities(ctx, tx, id)
		return err
	})
	v.language = v.account.Preferences.Language
	if v.language == "" {
		v.language = locale.Match(r.Header.Get("Accept-Language"))
	}
	return v, err
}

func (s *Server) municipalityOf(r *http.Request) (*municipality.Municipality, error) {
	m, ok := s.Directory.BySlug(r.PathValue("slug"))
	if !ok {
		return nil, errNotFound
	}
	return m, nil
}

// askSignIn sends the person to the sign-in, and from there back to where they were. A page with a
// text being written stays: it is told to sign in beside, and then sends again.
func (s *Server) askSignIn(w http.ResponseWriter, r *http.Request) error {
	to := "/desk/" + url.PathEscape(r.PathValue("slug")) + "/sign-in"
	switch {
	case part(r):
		l := s.setting(r, nil).Language
		retarget(w)
		return s.draw(w, r, http.StatusUnauthorized, page.SignInAlert(l.T("error.session_expired"), to))
	case r.Method != http.MethodGet || strings.HasSuffix(r.URL.Path, "/events"):
		w.WriteHeader(http.StatusUnauthorized)
	default:
		http.Redirect(w, r, to+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	}
	return nil
}

// setting is how pages of this request are written.
func (s *Server) setting(r *http.Request, v *visit) page.Setting {
	setting := page.Setting{
		Language: locale.Match(r.Header.Get("Accept-Language")),
		Zone:     time.UTC,
		Now:      s.DB.Now(),
		Base:     "/desk/" + url.PathEscape(r.PathValue("slug")),
		Asset:    s.assets.address,
	}
	if m, ok := s.Directory.BySlug(r.PathValue("slug")); ok {
		setting.Zone = m.Desk.Zone()
	}
	if v != nil {
		setting.Language, setting.Now = v.language, v.now
	}
	return setting
}

// frame is the page around what a person looks at.
func (s *Server) frame(v *visit, section page.Section, title string) page.Desk {
	state := v.municipality.Desk.At(v.now)
	d := page.Desk{
		Municipality: v.municipality.Name,
		Service:      v.municipality.File.Service,
		Section:      section,
		Title:        title,
		Open:         state.Open,
		Person: page.Person{
			Name:          v.account.Name,
			Email:         v.account.Email,
			Role:          string(v.actor.Role),
			Converses:     v.actor.May(staff.Converse),
			Broadcasts:    v.actor.May(staff.ManageBroadcasts),
			Figures:       v.actor.May(staff.SeeFigures),
			Administers:   v.actor.May(staff.ManageStaff),
			Blocks:        v.actor.May(staff.BlockCitizens),
			Audits:        v.actor.May(staff.SeeAudit),
			Theme:         v.theme,
			EnterSends:    v.account.Preferences.EnterSends,
			SingleKeys:    v.account.Preferences.Shortcuts,
			LanguageFixed: string(v.account.Preferences.Language),
		},
	}
	zone, now := v.municipality.Desk.Zone(), v.now.In(v.municipality.Desk.Zone())
	if state.Open {
		d.Hours = v.language.OpenUntil(inZone(state.Until, zone), now)
	} else {
		d.Hours = v.language.ClosedUntil(inZone(state.Opens, zone), now, state.ReasonIn(v.language))
	}
	d.Banners = s.banners(v.ctx, v)
	for _, id := range v.others {
		if m, ok := s.Directory.ByID(id); ok && id != v.municipality.ID {
			d.Others = append(d.Others, page.Place{Slug: m.Slug, Name: m.Name})
		}
	}
	return d
}

// inZone keeps the zero time zero.
func inZone(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

// id reads an id of ours from the address; what is none does not exist.
func id(r *http.Request) (int64, error) {
	n, ok := db.ParseID(r.PathValue("id"))
	if !ok {
		return 0, errNotFound
	}
	return n, nil
}
