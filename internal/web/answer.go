// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/a-h/templ"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// draw answers with a page or a part of one. It is drawn whole before the first byte goes out, so that
// a failure half-way becomes a failure's page and not half a page.
func (s *Server) draw(w http.ResponseWriter, r *http.Request, status int, parts ...templ.Component) error {
	var body bytes.Buffer
	for _, p := range parts {
		if err := p.Render(r.Context(), &body); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "HX-Request, Accept-Encoding, Accept-Language")
	return send(w, r, status, body.Bytes())
}

var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// small is what is not worth compressing, in bytes.
const small = 860

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	if len(body) < small || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body) // the browser went away: nobody is left to be told
		return nil
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(w)
	_, _ = z.Write(body)
	_ = z.Close()
	return nil
}

// part reports whether the page's script asks for a part of a page.
func part(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-History-Restore-Request") != "true"
}

// fail is the one place where a failure becomes a page, or an alert on the page that asked.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the browser went away
	}
	v, _ := r.Context().Value(visitKey{}).(*visit)
	r = r.WithContext(page.With(r.Context(), s.setting(r, v)))
	language := s.setting(r, v).Language
	kind, code := kindOf(err), ""
	if kind == fault.Internal {
		code = rand.Text()[:6]
		s.Log.Error("a request failed", "code", code, "route", r.Pattern, "error", err)
	}
	sentence := sentenceOf(language, err, code)
	status := kind.Status()
	w.Header().Del("HX-Push-Url")
	if part(r) {
		retarget(w)
		err = s.draw(w, r, status, page.Alert(sentence))
	} else {
		err = s.draw(w, r, status, s.failurePage(r, v, page.Failure{
			Status: status, Title: language.T(locale.Key("desk.failure.title_" + strconv.Itoa(status))), Sentence: sentence, Code: code,
		}))
	}
	if err != nil {
		s.Log.Error("a failure could not be told", "route", r.Pattern, "error", err)
		http.Error(w, sentence, status)
	}
}

// retarget has the page's script show the answer as an alert, whatever it asked for.
func retarget(w http.ResponseWriter) {
	w.Header().Set("HX-Retarget", "#alerts")
	w.Header().Set("HX-Reswap", "innerHTML")
}

func (s *Server) failurePage(r *http.Request, v *visit, f page.Failure) templ.Component {
	if v == nil {
		return page.FailurePage(nil, f)
	}
	f.Home = "/desk/" + v.municipality.Slug
	frame := s.frame(v, "", f.Title)
	return page.FailurePage(&frame, f)
}

func kindOf(err error) fault.Kind {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fault.TooLarge
	case fault.KindOf(err) != fault.Internal:
		return fault.KindOf(err)
	case db.Unavailable(err), errors.Is(err, context.DeadlineExceeded):
		return fault.Unavailable
	default:
		return fault.Internal
	}
}

var place = regexp.MustCompile(`\{([a-z_]+)\}`)

// sentenceOf is what a person is told of err: what happened and what to do, and nothing of the inside.
func sentenceOf(l locale.Language, err error, code string) string {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || !locale.Has(locale.Key(f.Key)) {
		return l.T(generalKey(kindOf(err)), "code", code)
	}
	return l.T(locale.Key(f.Key), namedArguments(l.T(locale.Key(f.Key)), f.Args)...)
}

// namedArguments lets a failure with a single argument leave the name of its place to the text.
func namedArguments(text string, args []any) []any {
	if m := place.FindStringSubmatch(text); m != nil && len(args) == 1 {
		return []any{m[1], args[0]}
	}
	return args
}

func generalKey(k fault.Kind) locale.Key {
	switch k {
	case fault.Invalid:
		return "error.invalid"
	case fault.NotFound:
		return "error.not_found"
	case fault.Conflict:
		return "error.conflict"
	case fault.Forbidden:
		return "error.forbidden"
	case fault.Unauthenticated:
		return "error.unauthenticated"
	case fault.TooLarge:
		return "desk.failure.too_large"
	case fault.Throttled:
		return "desk.failure.throttled"
	case fault.Unavailable:
		return "error.unavailable"
	default:
		return "error.internal"
	}
}
