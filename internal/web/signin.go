// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	var places []page.Place
	for _, m := range s.Directory.All() {
		places = append(places, page.Place{Slug: m.Slug, Name: m.Name})
	}
	return s.draw(w, r, http.StatusOK, page.Home(places))
}

// front sends a person to the first page they may see.
func (s *Server) front(w http.ResponseWriter, r *http.Request, v *visit) error {
	to := "/desk/" + v.municipality.Slug
	if v.actor.May(staff.Converse) {
		to += "/inbox"
	} else {
		to += "/settings"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) error {
	m, err := s.municipalityOf(r)
	if err != nil {
		return err
	}
	if s.sessions.GetInt64(r.Context(), staff.SessionStaff) != 0 {
		if _, err := s.visit(r); err == nil {
			http.Redirect(w, r, next(r.URL.Query().Get("next"), m), http.StatusSeeOther)
			return nil
		}
	}
	return s.drawSignIn(w, r, http.StatusOK, m, page.SignIn{Next: r.URL.Query().Get("next")})
}

func (s *Server) drawSignIn(w http.ResponseWriter, r *http.Request, status int, m *municipality.Municipality, p page.SignIn) error {
	p.Municipality, p.Service = m.Name, m.File.Service
	return s.draw(w, r, status, page.SignInPage(p))
}

// signIn lets a person in who knows the password and has a place at this desk. Whichever of the two
// is missing, the answer is the same: it tells nobody who has an account.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	m, err := s.municipalityOf(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	email := strings.TrimSpace(r.PostForm.Get("email"))
	account, err := staff.SignIn(r.Context(), s.DB, email, r.PostForm.Get("password"), clientAddress(r))
	if err == nil && !s.worksAt(r.Context(), account.ID, m.ID) {
		err = staff.ErrCredentials
	}
	if kind := fault.KindOf(err); kind == fault.Unauthenticated || kind == fault.Throttled {
		problem := sentenceOf(s.setting(r, nil).Language, err, "")
		return s.drawSignIn(w, r, kind.Status(), m, page.SignIn{Email: email, Next: r.PostForm.Get("next"), Problem: problem})
	}
	if err != nil {
		return err
	}
	return s.letIn(w, r, account.ID, next(r.PostForm.Get("next"), m))
}

func (s *Server) worksAt(ctx context.Context, id, municipality int64) bool {
	return s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := staff.Membership(ctx, tx, municipality, id)
		return err
	}) == nil
}

// letIn begins a session under a new token, so that one planted before signing in is worth nothing.
func (s *Server) letIn(w http.ResponseWriter, r *http.Request, id int64, to string) error {
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), staff.SessionStaff, id)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// next is where to go after signing in: a page of this very desk, whatever the form says.
func next(wanted string, m *municipality.Municipality) string {
	home := "/desk/" + m.Slug
	if strings.HasPrefix(wanted, home+"/") && !strings.ContainsAny(wanted, "\\\r\n") {
		return wanted
	}
	return home
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	m, err := s.municipalityOf(r)
	if err != nil {
		return err
	}
	if err := s.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, "/desk/"+m.Slug+"/sign-in", http.StatusSeeOther)
	return nil
}

func (s *Server) invitation(w http.ResponseWriter, r *http.Request) error {
	return s.drawInvitation(w, r, http.StatusOK, "")
}

func (s *Server) drawInvitation(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	m, err := s.municipalityOf(r)
	if err != nil {
		return err
	}
	account, err := s.invited(r)
	if err != nil {
		return err
	}
	return s.draw(w, r, status, page.NewPasswordPage(page.NewPassword{
		Municipality: m.Name, Service: m.File.Service, Email: account.Email, Problem: problem, Least: staff.MinPassword,
	}))
}

func (s *Server) invited(r *http.Request) (account staff.Account, err error) {
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		account, err = staff.Invitation(ctx, tx, r.PathValue("token"))
		return err
	})
	return account, err
}

func (s *Server) useInvitation(w http.ResponseWriter, r *http.Request) error {
	m, err := s.municipalityOf(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	account, err := s.invited(r)
	if err != nil {
		return err
	}
	password, err := staff.NewPassword(r.Context(), r.PostFormValue("password"), account.Email, account.Name)
	if fault.KindOf(err) == fault.Invalid {
		return s.drawInvitation(w, r, http.StatusUnprocessableEntity, sentenceOf(s.setting(r, nil).Language, err, ""))
	}
	if err != nil {
		return err
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		account, err = staff.UseInvitation(ctx, tx, r.PathValue("token"), password)
		return err
	})
	if err != nil {
		return err
	}
	return s.letIn(w, r, account.ID, "/desk/"+m.Slug)
}

// theme is a matter of the eyes in front of one screen, so it stays in that browser.
const themeCookie = "theme"

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}

func (s *Server) preferences(w http.ResponseWriter, r *http.Request, v *visit) error {
	frame := s.frame(v, page.SectionSettings, v.language.T("desk.preferences.title"))
	return s.draw(w, r, http.StatusOK, page.PreferencesPage(frame, r.URL.Query().Has("saved")))
}

func (s *Server) setPreferences(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	p := staff.Preferences{
		Language:   locale.Language(r.PostForm.Get("language")),
		Shortcuts:  r.PostForm.Has("single_keys"),
		EnterSends: r.PostForm.Has("enter_sends"),
	}
	err := s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return staff.SetPreferences(ctx, tx, v.account.ID, p)
	})
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: themeCookie, Value: r.PostForm.Get("theme"), Path: "/desk/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.https(),
	})
	http.Redirect(w, r, "/desk/"+v.municipality.Slug+"/preferences?saved", http.StatusSeeOther)
	return nil
}

// clientAddress is the network address of who asks. Behind a reverse proxy on the same machine it is the
// one that the proxy saw; nobody else's word is taken for it.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return r.RemoteAddr
	}
	hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
	if last := strings.TrimSpace(hops[len(hops)-1]); net.ParseIP(last) != nil {
		return net.JoinHostPort(last, "0")
	}
	return r.RemoteAddr
}
