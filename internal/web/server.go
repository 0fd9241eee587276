// SPDX-License-Identifier: AGPL-3.0-or-later

// Package web serves the desk's pages: it asks the domain, draws with package page, and sends what
// changes to the browsers that show it.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/riverqueue/river"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// sessionLife is a working day: who stays longer signs in again, and finds the drafts.
const sessionLife = 12 * time.Hour

// Sender shows a citizen that somebody writes.
type Sender interface {
	Typing(ctx context.Context, municipality, message int64) error
}

// Options are what a server stands on.
type Options struct {
	DB        *db.DB
	Directory *municipality.Directory
	Media     *media.Store
	Key       *secret.Key // seals the links to the citizens' pages
	Sender    Sender
	Journal   *journal.Journal
	Client    *whatsapp.Client // to administer numbers and block citizens
	PublicURL string           // without a final slash; https makes cookies secure
	Log       *slog.Logger

	// ReadJob makes the job that tells WhatsApp that a citizen's message was read; nil tells nothing.
	ReadJob func(municipality, message int64) river.JobArgs
}

// Server answers everything under /desk/ and /assets/.
type Server struct {
	Options
	sessions *scs.SessionManager
	assets   *assets
	handler  http.Handler
	typing   chan struct{} // bounds the calls that show typing
	paces    paces

	streams    context.Context // ends when the server stops
	endStreams context.CancelFunc
}

// New makes a server. A binary built without assets fails here, and not at the first page.
func New(o Options) (*Server, error) {
	files, err := openAssets()
	if err != nil {
		return nil, err
	}
	s := &Server{Options: o, assets: files, typing: make(chan struct{}, 8)}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.sessions = s.newSessions()
	s.handler = s.secure(s.routes())
	return s, nil
}

func (s *Server) newSessions() *scs.SessionManager {
	m := scs.New()
	m.Store = staff.NewSessions(s.DB)
	m.Lifetime = sessionLife
	m.Cookie.Name = "filodiretto"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Persist = false
	m.Cookie.Path = "/"
	if s.https() {
		m.Cookie.Name = "__Host-filodiretto"
		m.Cookie.Secure = true
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { s.fail(w, r, err) }
	return m
}

func (s *Server) https() bool { return strings.HasPrefix(s.PublicURL, "https://") }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// EndStreams ends all live streams, so that a stopping server need not wait for them. Browsers then
// try again, and find another instance or the new one.
func (s *Server) EndStreams() { s.endStreams() }

// secure sets what every answer carries, and refuses what another site's page sends in a person's name.
func (s *Server) secure(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errCrossOrigin) }))
	protected := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if s.https() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if citizens(r) {
			next.ServeHTTP(w, r)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// citizens tells that a request is for a citizen's page. Nobody is signed in there: the address itself is the key, which
// no other site has. And since it must not leak, such a page's form has the origin "null", which would be refused.
func citizens(r *http.Request) bool {
	return r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/desk/")
}

// policy lets a page load our own files and nothing else: a text that gets into a page as HTML by some
// mistake can neither run nor call home.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; " +
	"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
