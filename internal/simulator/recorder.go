// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxRecorded bounds the requests kept, maxRecordedBody what is kept of each.
const (
	maxRecorded     = 100_000
	maxRecordedBody = 64 << 10
)

// recorder keeps the last requests of the Graph API. The token is never kept.
type recorder struct {
	mu   sync.Mutex
	ring []record
	next int64 // number of the next record; the ring holds those before it
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
	rec.next++
	if len(rec.ring) < maxRecorded {
		rec.ring = append(rec.ring, r)
		return
	}
	rec.ring[r.seq%maxRecorded] = r
}

// since returns the records from number first on, oldest first.
func (rec *recorder) since(first int64) []record {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	first = max(first, rec.next-int64(len(rec.ring)))
	kept := make([]record, 0, max(0, rec.next-first))
	for seq := first; seq < rec.next; seq++ {
		kept = append(kept, rec.ring[seq%maxRecorded])
	}
	return kept
}

func (rec *recorder) clear() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.ring = nil
	rec.next = 0
}

type recordView struct {
	Seq    int64     `json:"seq"`
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	Body   any       `json:"body,omitempty"` // JSON as it came, or text
	Status int       `json:"status"`         // of the answer; 0 where none was given
}

// view shows a record; a body that is not JSON is shown as text.
func (r *record) view() recordView {
	v := recordView{Seq: r.seq, At: r.at, Method: r.method, Path: r.path, Query: r.query, Status: r.status}
	switch {
	case len(r.body) == 0:
	case json.Valid(r.body):
		v.Body = json.RawMessage(r.body)
	default:
		v.Body = string(r.body)
	}
	return v
}

func (r *record) addresses(to string) bool {
	var body struct {
		To        flexString `json:"to"`
		Recipient string     `json:"recipient"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return false
	}
	return body.To != "" && sameAddress(string(body.To), to) || body.Recipient != "" && body.Recipient == to
}

// getRequests lists what the Graph API received, oldest first. Filters: path (part of it), method, to (phone or
// user id), since (RFC 3339, or the seq to begin with), limit (the last so many).
func (s *Server) getRequests(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	first, after, err := parseSince(q.Get("since"))
	if err != nil {
		return 0, nil, err
	}
	limit := maxRecorded
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			return 0, nil, badRequest("limit %q is not a number", text)
		}
	}
	items := []recordView{}
	for _, rec := range s.recorder.since(first) {
		if !rec.at.Before(after) && strings.Contains(rec.path, q.Get("path")) && fitsMethod(rec.method, q.Get("method")) &&
			(q.Get("to") == "" || rec.addresses(q.Get("to"))) {
			items = append(items, rec.view())
		}
	}
	total := len(items)
	if total > limit {
		items = items[total-limit:]
	}
	return http.StatusOK, map[string]any{"items": items, "total": total}, nil
}

func fitsMethod(method, wanted string) bool { return wanted == "" || strings.EqualFold(method, wanted) }

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
