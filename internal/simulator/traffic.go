// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// What is kept of the traffic: so many exchanges, of so many bytes together. The oldest go first.
const (
	keptExchanges   = 1000
	keptBytes       = 32 << 20
	maxKeptBody     = 256 << 10 // of a request; one with more cannot be repeated
	maxKeptAnswer   = 64 << 10
	hiddenParameter = "…"
)

// exchange is a request of a client, or a webhook, with its answer.
type exchange struct {
	seq     int64
	at      time.Time
	webhook bool
	again   bool // a repetition by hand
	method  string
	url     string // path and query of a request, the whole address of a webhook; as it was, so it may have a token in it
	headers http.Header
	body    []byte
	cut     bool // the body is longer
	status  int  // 0: none came
	answers http.Header
	answer  []byte
	took    time.Duration
	problem string
}

func (e *exchange) size() int { return len(e.body) + len(e.answer) + 512 }

// traffic is what has passed lately between clients and the simulator.
type traffic struct {
	mu    sync.Mutex
	kept  []*exchange
	bytes int
	seq   int64
}

func (t *traffic) add(e *exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	e.seq = t.seq
	t.kept = append(t.kept, e)
	t.bytes += e.size()
	gone := 0
	for gone < len(t.kept)-1 && (len(t.kept)-gone > keptExchanges || t.bytes > keptBytes) {
		t.bytes -= t.kept[gone].size()
		t.kept[gone] = nil
		gone++
	}
	t.kept = t.kept[gone:]
}

func (t *traffic) all() []*exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.kept)
}

func (t *traffic) get(seq int64) *exchange {
	for _, e := range t.all() {
		if e.seq == seq {
			return e
		}
	}
	return nil
}

func (t *traffic) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept, t.bytes = nil, 0
}

// watch keeps what passes through a handler of the Graph API.
func (s *Server) watch(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.watched(next, w, r, false) }
}

func (s *Server) watched(next http.HandlerFunc, w http.ResponseWriter, r *http.Request, again bool) {
	e := &exchange{at: s.clock.Now(), again: again, method: r.Method, url: r.URL.RequestURI(), headers: r.Header.Clone()}
	e.headers.Set("Host", r.Host)
	began := time.Now()
	body := &firstBytes{most: maxKeptBody}
	if r.Body != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, body), r.Body}
	}
	seen := &seenWriter{ResponseWriter: w, first: firstBytes{most: maxKeptAnswer}}
	defer func() {
		e.took, e.body, e.cut = time.Since(began), body.kept, body.cut
		e.status, e.answers, e.answer = seen.status, seen.Header().Clone(), seen.first.kept
		s.keepExchange(e)
	}()
	next(seen, r)
}

func (s *Server) keepExchange(e *exchange) {
	s.traffic.add(e)
	s.events.exchange(e)
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	most int
	kept []byte
	cut  bool
}

func (f *firstBytes) Write(p []byte) (int, error) {
	room := f.most - len(f.kept)
	f.cut = f.cut || len(p) > room
	f.kept = append(f.kept, p[:min(room, len(p))]...)
	return len(p), nil
}

// seenWriter remembers what it writes.
type seenWriter struct {
	http.ResponseWriter
	status int
	first  firstBytes
}

func (w *seenWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *seenWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_, _ = w.first.Write(p) // never fails
	return w.ResponseWriter.Write(p)
}

func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// exchangeLine is an exchange in a list.
type exchangeLine struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // request: from a client; webhook: to one
	Again   bool      `json:"again,omitempty"`
	Method  string    `json:"method"`
	URL     string    `json:"url"`
	What    string    `json:"what,omitempty"` // in a word: the type of the message, or the fields of the webhook
	Status  int       `json:"status"`         // 0: no answer
	Took    span      `json:"took"`
	Problem string    `json:"problem,omitempty"`
}

func (e *exchange) line() exchangeLine {
	l := exchangeLine{Seq: e.seq, At: e.at.UTC(), Kind: "request", Again: e.again, Method: e.method, URL: withoutTokens(e.url), What: e.what(), Status: e.status,
		Took: span(e.took.Round(10 * time.Microsecond)), Problem: e.problem}
	if e.webhook {
		l.Kind = "webhook"
	}
	return l
}

// exchangeView is all of an exchange but tokens.
type exchangeView struct {
	exchangeLine
	Headers       []headerLine `json:"headers"`
	Body          string       `json:"body"`
	BodyCut       bool         `json:"body_cut,omitempty"`
	AnswerHeaders []headerLine `json:"answer_headers"`
	Answer        string       `json:"answer"`
}

type headerLine struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (e *exchange) view() exchangeView {
	return exchangeView{exchangeLine: e.line(), Headers: shownHeaders(e.headers), Body: shownText(withoutToken(e.headers, e.body)), BodyCut: e.cut,
		AnswerHeaders: shownHeaders(e.answers), Answer: shownText(e.answer)}
}

// shownText is a body as text; bytes that are none are only counted.
func shownText(body []byte) string {
	if !utf8.Valid(body) {
		return strconv.Itoa(len(body)) + " bytes that are no text"
	}
	return string(body)
}

// shownHeaders are the headers in order; the token that stands in one is not shown to anybody.
func shownHeaders(h http.Header) []headerLine {
	lines := []headerLine{}
	for name, values := range h {
		for _, value := range values {
			if name == "Authorization" || name == "Cookie" {
				value = hiddenParameter
			}
			lines = append(lines, headerLine{name, value})
		}
	}
	slices.SortFunc(lines, func(a, b headerLine) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	return lines
}

// tokenParameters are those of a query that are secret.
var tokenParameters = []string{"access_token", "input_token", "client_secret", "code", "fb_exchange_token", "hub.verify_token"}

// withoutTokens is an address with its secrets taken out.
func withoutTokens(address string) string {
	path, query, found := strings.Cut(address, "?")
	if !found {
		return address
	}
	return path + "?" + queryWithoutTokens(query)
}

func queryWithoutTokens(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && slices.Contains(tokenParameters, plain) {
			parts[i] = name + "=" + hiddenParameter
		}
	}
	return strings.Join(parts, "&")
}

// errCut is why a long request is not repeated.
var errCut = errors.New("the body was not kept whole")

// repeat does an exchange again: a webhook is posted with the same bytes to the same address, a request is executed.
func (s *Server) repeat(ctx context.Context, e *exchange) error {
	if e.cut {
		return errCut
	}
	if e.webhook {
		_ = s.postExchange(ctx, &exchange{at: s.clock.Now(), webhook: true, again: true, method: e.method, url: e.url, headers: e.headers.Clone(), body: e.body})
		return nil // how it went is in the exchange
	}
	r, err := http.NewRequestWithContext(ctx, e.method, e.url, bytes.NewReader(e.body))
	if err != nil {
		return err
	}
	r.RequestURI, r.Header, r.Host = e.url, e.headers.Clone(), e.headers.Get("Host")
	r.Header.Del("Host")
	defer func() {
		if cut := recover(); cut != nil && cut != http.ErrAbortHandler { //nolint:errorlint // what net/http panics with
			panic(cut)
		}
	}()
	s.watched(s.graphOrFile, nowhere{http.Header{}}, r, true)
	return nil
}

// nowhere is a client that does not listen: the answer is in the exchange.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

// graphOrFile is the part of the simulator that clients talk to.
func (s *Server) graphOrFile(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == downloadPath {
		s.downloadRecorded(w, r)
		return
	}
	s.graph(w, r)
}

// postExchange posts a webhook and keeps how it went.
func (s *Server) postExchange(ctx context.Context, e *exchange) error {
	began := time.Now()
	defer func() {
		e.took = time.Since(began)
		s.keepExchange(e)
	}()
	req, err := http.NewRequestWithContext(ctx, e.method, e.url, bytes.NewReader(e.body))
	if err != nil {
		return err
	}
	req.Header = e.headers.Clone()
	resp, err := s.callbacks.Do(req)
	if err != nil {
		e.problem = err.Error()
		return err
	}
	defer resp.Body.Close()
	seen := firstBytes{most: maxKeptAnswer}
	_, _ = io.Copy(&seen, io.LimitReader(resp.Body, maxKeptAnswer)) // only what is shown, and so that the connection can be used again
	e.status, e.answers, e.answer = resp.StatusCode, resp.Header, seen.kept
	if resp.StatusCode != http.StatusOK {
		return errors.New("answered " + resp.Status)
	}
	return nil
}
