// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What is kept of requests unless Options say otherwise: so many, of so many bytes together. The oldest go first.
const (
	recordedRequests = 250_000
	recordedBytes    = 512 << 20
	maxRecordedBody  = 64 << 10 // of one request
)

// recorder keeps the last requests of the Graph API. The token is never kept.
type recorder struct {
	most  int
	bytes int // room for bodies

	mu    sync.Mutex
	ring  []record // grows up to most, then turns
	first int64    // number of the oldest that is kept
	next  int64    // number of the next record
	used  int
}

type record struct {
	seq    int64
	at     time.Time
	method string
	path   string
	query  string
	body   []byte
	status int
}

func (rec *recorder) add(r record) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	r.seq = rec.next
	for rec.first < rec.next && (rec.next-rec.first >= int64(rec.most) || rec.used+len(r.body) > rec.bytes) {
		oldest := rec.slot(rec.first)
		rec.used -= len(oldest.body)
		*oldest = record{}
		rec.first++
	}
	if r.seq < int64(rec.most) {
		rec.ring = append(rec.ring, r)
	} else {
		*rec.slot(r.seq) = r
	}
	rec.used += len(r.body)
	rec.next++
}

func (rec *recorder) slot(seq int64) *record { return &rec.ring[seq%int64(rec.most)] }

// since returns the records from number first on, oldest first.
func (rec *recorder) since(first int64) []record {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	first = max(first, rec.first)
	kept := make([]record, 0, max(0, rec.next-first))
	for seq := first; seq < rec.next; seq++ {
		kept = append(kept, *rec.slot(seq))
	}
	return kept
}

// forgotten is how many requests were dropped because there was no room.
func (rec *recorder) forgotten() int64 {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.first
}

func (rec *recorder) clear() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.ring, rec.first, rec.next, rec.used = nil, 0, 0, 0
}

// recordView is a record as GET requests shows it; what was not asked for is left out.
type recordView struct {
	Seq      *int64     `json:"seq,omitempty"`
	At       *time.Time `json:"at,omitempty"`
	Method   string     `json:"method,omitempty"`
	Path     string     `json:"path,omitempty"`
	Query    string     `json:"query,omitempty"`
	Body     any        `json:"body,omitempty"`     // JSON as it came, or text
	Status   *int       `json:"status,omitempty"`   // of the answer; 0 where none was given
	To       string     `json:"to,omitempty"`       // of a send
	Callback string     `json:"callback,omitempty"` // of a send: its biz_opaque_callback_data
}

// recordFields are what may be asked for; usual is what is shown unasked.
var (
	recordFields = []string{"seq", "at", "method", "path", "query", "body", "status", "to", "callback"}
	usualFields  = []string{"seq", "at", "method", "path", "query", "body", "status"}
)

func (r *record) view(fields []string) recordView {
	var v recordView
	var send recordedSend
	if slices.Contains(fields, "to") || slices.Contains(fields, "callback") {
		send = r.send()
	}
	for _, field := range fields {
		switch field {
		case "seq":
			v.Seq = &r.seq
		case "at":
			v.At = &r.at
		case "method":
			v.Method = r.method
		case "path":
			v.Path = r.path
		case "query":
			v.Query = r.query
		case "body":
			v.Body = r.shownBody()
		case "status":
			v.Status = &r.status
		case "to":
			v.To = orElse(string(send.To), send.Recipient)
		case "callback":
			v.Callback = send.Callback
		}
	}
	return v
}

// shownBody is the body as it came; one that is not JSON is shown as text.
func (r *record) shownBody() any {
	switch {
	case len(r.body) == 0:
		return nil
	case json.Valid(r.body):
		return json.RawMessage(r.body)
	}
	return string(r.body)
}

// recordedSend is what a send says of itself.
type recordedSend struct {
	To        flexString `json:"to"`
	Recipient string     `json:"recipient"`
	Callback  string     `json:"biz_opaque_callback_data"`
}

func (r *record) send() (s recordedSend) {
	_ = json.Unmarshal(r.body, &s) // what is no send says nothing
	return s
}

// recordFilter is which records a GET requests asks for.
type recordFilter struct {
	first        int64
	after        time.Time
	path, method string
	to, callback string
	status       int // 0: any
	limit        int
	fields       []string
}

func readFilter(r *http.Request) (f recordFilter, err error) {
	q := r.URL.Query()
	f = recordFilter{path: q.Get("path"), method: q.Get("method"), to: q.Get("to"), callback: q.Get("callback"), limit: -1, fields: usualFields}
	if f.first, f.after, err = parseSince(q.Get("since")); err != nil {
		return f, err
	}
	for name, to := range map[string]*int{"limit": &f.limit, "status": &f.status} {
		if text := q.Get(name); text != "" {
			if *to, err = strconv.Atoi(text); err != nil || *to < 0 {
				return f, badRequest("%s %q is not a number", name, text)
			}
		}
	}
	if text := q.Get("fields"); text != "" {
		f.fields = strings.Split(text, ",")
		for _, field := range f.fields {
			if !slices.Contains(recordFields, field) {
				return f, badRequest("fields may have %s, not %q", strings.Join(recordFields, ", "), field)
			}
		}
	}
	return f, nil
}

// takes holds a record against the filter, what costs least first.
func (f *recordFilter) takes(r *record) bool {
	if r.at.Before(f.after) || f.status != 0 && r.status != f.status || f.method != "" && !strings.EqualFold(r.method, f.method) ||
		!strings.Contains(r.path, f.path) {
		return false
	}
	if f.callback == "" && f.to == "" {
		return true
	}
	send := r.send()
	return matchesText(send.Callback, f.callback) && (f.to == "" || send.addresses(f.to))
}

// matchesText takes a text as it is, or its beginning where the pattern ends with a star.
func matchesText(text, pattern string) bool {
	if beginning, some := strings.CutSuffix(pattern, "*"); some {
		return strings.HasPrefix(text, beginning)
	}
	return pattern == "" || text == pattern
}

func (s recordedSend) addresses(to string) bool {
	return s.To != "" && sameAddress(string(s.To), to) || s.Recipient != "" && s.Recipient == to
}

// getRequests lists what the Graph API received, oldest first, and in total how many there are. Filters: path (part
// of it), method, status, to (phone or user id), callback (biz_opaque_callback_data, or its beginning and a star),
// since (RFC 3339, or the seq to begin with), limit (the last so many; 0 only counts), fields (of recordFields). It is
// written as it is made: a hundred thousand sends are tens of megabytes.
func (s *Server) getRequests(w http.ResponseWriter, r *http.Request) {
	f, err := readFilter(r)
	if err != nil {
		s.control(func(*http.Request) (int, any, error) { return 0, nil, err }).ServeHTTP(w, r)
		return
	}
	found := s.recorder.since(f.first)
	found = slices.DeleteFunc(found, func(r record) bool { return !f.takes(&r) })
	total := len(found)
	if f.limit >= 0 && total > f.limit {
		found = found[total-f.limit:]
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = io.WriteString(out, `{"total":`+strconv.Itoa(total)+`,"forgotten":`+strconv.FormatInt(s.recorder.forgotten(), 10)+`,"items":[`)
	for i := range found {
		item, err := json.Marshal(found[i].view(f.fields))
		if err != nil {
			s.log.Error("show a request", "error", err)
			return // the client sees that the answer is not whole
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if _, err := out.Write(item); err != nil {
			return // the client left
		}
	}
	_, _ = io.WriteString(out, "]}\n")
	_ = out.Flush() // the client sees whether it arrived
}

func parseSince(text string) (first int64, after time.Time, err error) {
	if text == "" {
		return 0, after, nil
	}
	if first, err = strconv.ParseInt(text, 10, 64); err == nil {
		return first, after, nil
	}
	if after, err = time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+")); err != nil {
		return 0, after, badRequest("since %q must be a time like 2026-03-02T10:42:00Z or a seq", text)
	}
	return 0, after, nil
}
