// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
)

const problemType = "application/problem+json"

// Problem tells why a request failed: RFC 9457, with a code that programs may rely on.
type Problem struct {
	Type      string   `json:"type" example:"about:blank"`
	Title     string   `json:"title" example:"Unprocessable Entity" doc:"The status in words"`
	Status    int      `json:"status" example:"422"`
	Code      string   `json:"code" example:"window_closed" doc:"What went wrong, for programs: it never changes"`
	Detail    string   `json:"detail" example:"Sono passate più di 24 ore dall’ultimo messaggio del cittadino." doc:"What went wrong and what to do, for people, in the language of Accept-Language"`
	RequestID string   `json:"request_id" example:"5VDBH2AKXQ" doc:"Names this request in the log"`
	Errors    []Wrong  `json:"errors,omitempty" nullable:"false" doc:"What of the request breaks its schema"`
	headers   []string // name, value, …
}

// Wrong is a part of a request that breaks its schema.
type Wrong struct {
	Location string `json:"location" example:"query.limit"`
	Message  string `json:"message" example:"expected number <= 100"`
}

// Error, GetStatus, GetHeaders and ContentType make a Problem what huma writes as it is.
func (p *Problem) Error() string { return p.Code }

// GetStatus is the status to answer with.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers that belong to the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(p.headers); i += 2 {
		h.Set(p.headers[i], p.headers[i+1])
	}
	return h
}

// ContentType is that of problems, whatever was negotiated.
func (p *Problem) ContentType(string) string { return problemType }

var (
	errInternal    = fault.New(fault.Internal, "error.internal")
	errUnavailable = fault.New(fault.Unavailable, "error.unavailable")
)

// problemOf tells err to a caller. What is ours to solve is not told, only the request it happened in.
func problemOf(ctx context.Context, err error) *Problem {
	var f *fault.Error
	switch {
	case errors.As(err, &f) && f.Kind != fault.Internal:
	case db.Unavailable(err):
		f = errUnavailable
	default:
		f = errInternal
	}
	p := newProblem(ctx, f.Kind.Status(), f.Key, append([]any{"code", callOf(ctx).id}, f.Args...)...)
	switch f.Kind {
	case fault.Unauthenticated:
		p.headers = []string{"WWW-Authenticate", `Bearer realm="filodiretto"`}
	case fault.Unavailable, fault.Throttled:
		p.headers = []string{"Retry-After", "5"}
	}
	return p
}

// newProblem makes the problem of a text key: "error.window_closed" has the code window_closed.
func newProblem(ctx context.Context, status int, key string, args ...any) *Problem {
	c := callOf(ctx)
	_, code, _ := strings.Cut(key, ".")
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code,
		Detail: c.language.T(locale.Key(key), args...), RequestID: c.id}
}

// writeProblem answers with p outside of an operation.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p) // whoever asked may have left
	}
}

// handler does an operation.
type handler[I, O any] func(context.Context, *I) (*O, error)

// telling makes failures of an operation problems, and logs those that are not the caller's.
func telling[I, O any](s *server, operation string, handle handler[I, O]) handler[I, O] {
	return func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.failed(ctx, operation, err)
		}
		return out, nil
	}
}

func (s *server) failed(ctx context.Context, operation string, err error) *Problem {
	p := problemOf(ctx, err)
	if p.Status >= http.StatusInternalServerError && ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "an API request failed", "request", p.RequestID, "operation", operation, "error", err)
	}
	return p
}

// refusals are the texts for what huma finds wrong before an operation begins.
var refusals = map[int]string{
	http.StatusBadRequest:            "api.malformed",
	http.StatusUnsupportedMediaType:  "api.media_type",
	http.StatusRequestEntityTooLarge: "api.body_too_large",
	http.StatusUnprocessableEntity:   "api.invalid",
}

// explain makes a problem of what huma finds wrong. The values are left out: whoever sent them knows them.
func explain(ctx huma.Context, _ string, v any) (any, error) {
	found, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	key, foreseen := refusals[found.Status]
	if !foreseen {
		key = "error.internal"
	}
	c := callOf(ctx.Context())
	p := newProblem(ctx.Context(), found.Status, key, "code", c.id, "max", c.language.Size(maxBody))
	for _, e := range found.Errors {
		p.Errors = append(p.Errors, Wrong{Location: e.Location, Message: e.Message})
	}
	return p, nil
}

// noRoute tells what the mux answers where it has no route: that nothing is there, or not by this method.
func noRoute(answer http.Handler, r *http.Request) *Problem {
	seen := &unwritten{header: http.Header{}}
	answer.ServeHTTP(seen, r)
	if seen.status != http.StatusMethodNotAllowed {
		return newProblem(r.Context(), http.StatusNotFound, "api.not_found")
	}
	allowed := seen.header.Get("Allow")
	p := newProblem(r.Context(), seen.status, "api.method", "method", r.Method, "allowed", allowed)
	p.headers = []string{"Allow", allowed}
	return p
}

// unwritten is an answer that nobody gets.
type unwritten struct {
	header http.Header
	status int
}

func (u *unwritten) Header() http.Header         { return u.header }
func (u *unwritten) Write(b []byte) (int, error) { return len(b), nil }
func (u *unwritten) WriteHeader(status int)      { u.status = status }
