// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// The bounds of a request body.
const (
	maxBody  = 1 << 20
	bodyTime = 10 * time.Second
)

// call is what is known of a request besides its parameters.
type call struct {
	id       string // names it in the log
	language locale.Language
	actor    staff.Actor
	key      string // Idempotency-Key; "" is none
	identity []byte // of a POST: method, path and body
}

type callKey struct{}

// callOf is the call that ctx belongs to. Every request has one before anything else looks at it.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{language: locale.Italian}
	}
	return c
}

// receive gives the request its call, and the answer the headers that all have.
func (s *server) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{id: rand.Text()[:10], language: locale.Match(r.Header.Get("Accept-Language")), key: r.Header.Get("Idempotency-Key")}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		h := w.Header()
		h.Set("X-Request-Id", c.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Authorization, Accept-Language")
		defer s.recovered(w, r)
		next.ServeHTTP(w, r)
	})
}

// recovered answers a request that nobody thought of; its connection and the others go on.
func (s *server) recovered(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	writeProblem(w, r, s.failed(r.Context(), r.Pattern, err))
}

// authenticate lets nobody on without a token, but for the document.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Prefix+"/openapi.json" {
			next.ServeHTTP(w, r)
			return
		}
		actor, err := s.actor(r)
		if err != nil {
			writeProblem(w, r, s.failed(r.Context(), "authenticate", err))
			return
		}
		callOf(r.Context()).actor = actor
		next.ServeHTTP(w, r)
	})
}

func (s *server) actor(r *http.Request) (staff.Actor, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return staff.Actor{}, staff.ErrToken
	}
	return staff.Authenticate(r.Context(), s.DB, strings.TrimSpace(token))
}

// readBody reads the body of a POST whole, bounded in size and time, before anything is done: with the
// method and the path it is what an Idempotency-Key stands for.
func (s *server) readBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path == Prefix+filePath { // a file goes to the disk as it comes
			next.ServeHTTP(w, r)
			return
		}
		body, err := bounded(w, r)
		if err != nil {
			writeProblem(w, r, s.failed(r.Context(), "read the body", err))
			return
		}
		callOf(r.Context()).identity = append([]byte(r.Method+" "+r.URL.RequestURI()+"\n"), body...)
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

func bounded(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(bodyTime)) // a writer without a connection has no deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = conn.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, fault.New(fault.TooLarge, "api.body_too_large", "max", callOf(r.Context()).language.Size(maxBody))
	case err != nil:
		return nil, fault.New(fault.Invalid, "api.body_unread").With(err)
	}
	return body, nil
}
