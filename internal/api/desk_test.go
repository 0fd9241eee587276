// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/metatest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// desk is the API over a database with two municipalities.
type desk struct {
	*testing.T
	db      *db.DB
	clock   *clock
	server  *httptest.Server
	journal *journal.Journal
	files   *media.Store
	// filesDir is where the contents lie.
	filesDir string
	log      *lines
	meta     *metatest.Meta
	// directory is what the API knows the municipalities by.
	directory *municipality.Directory
	rimini    *town
	carpi     *town
}

// town is a municipality with a token and an operator.
type town struct {
	*municipality.Municipality
	number   string // Meta's id
	waba     string
	token    string
	tokenID  int64
	operator staff.Actor
}

// citizen is somebody who wrote.
type citizen struct {
	contact, conversation int64
	messages              []string // ids, in order
}

// each runs f on both engines, each time with a fresh desk.
func each(t *testing.T, f func(d *desk)) {
	t.Helper()
	c := &clock{}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c.set(time.Date(2015, 3, 2, 9, 0, 0, 0, time.UTC))
		f(newDesk(t, d, c))
	}, func(o *db.Options) { o.Now = c.now })
}

func newDesk(t *testing.T, database *db.DB, c *clock) *desk {
	t.Helper()
	key := towntest.Key(t)
	var err error
	d := &desk{T: t, db: database, clock: c, log: &lines{}, meta: simulate(t)}
	log := newLogger(d.log)
	d.journal = journal.New(database, log)
	d.filesDir = t.TempDir()
	if d.files, err = media.NewStore(d.filesDir); err != nil {
		t.Fatal(err)
	}
	d.rimini, d.carpi = d.town(key, "rimini", 1), d.town(key, "carpi", 2)
	d.directory, err = municipality.NewDirectory(t.Context(), database, key)
	if err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewServer(New(Options{DB: database, Directory: d.directory, Media: d.files, Journal: d.journal, Client: d.meta.Client, Log: log,
		PublicURL: "https://filodiretto.example", Version: "1.2.3"}))
	t.Cleanup(d.server.Close)
	return d
}

func (d *desk) town(key *secret.Key, slug string, n int) *town {
	d.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "examples", slug+".yaml"))
	if err != nil {
		d.Fatal(err)
	}
	file, err := municipality.ParseFile(slug+".yaml", data, func(name string) (string, bool) {
		switch {
		case strings.HasSuffix(name, "_PHONE_NUMBER_ID"):
			return fmt.Sprint(100000000000000 + n), true
		case strings.HasSuffix(name, "_WABA_ID"):
			return fmt.Sprint(200000000000000 + n), true
		}
		return "secret-" + name, true
	})
	if err != nil {
		d.Fatal(err)
	}
	file.Lists = []municipality.List{{Keyword: "EMERGENZE", Name: "Emergenze", Kind: municipality.ListEmergency}, {Keyword: "PUBBLICAUTILITA", Name: "Pubblica utilità", Kind: municipality.ListNotice}}
	file.Districts = []municipality.District{{Keyword: "MARINA", Name: "Marina"}, {Keyword: "CENTRO", Name: "Centro"}}
	out := &town{number: file.WhatsApp[0].PhoneNumberID, waba: file.WhatsApp[0].WABAID}
	d.update(func(ctx context.Context, tx *db.Tx) error {
		out.Municipality, _, err = municipality.Apply(ctx, tx, key, file)
		if err != nil {
			return err
		}
		account, _, err := staff.Add(ctx, tx, staff.System("cli"), out.ID, staff.New{Email: "luca@" + slug + ".example", Name: "Luca Rossi", Role: staff.Operator})
		if err != nil {
			return err
		}
		out.operator, err = staff.Membership(ctx, tx, out.ID, account.ID)
		return err
	})
	out.token, out.tokenID = d.newToken(out.ID)
	return out
}

func (d *desk) newToken(municipality int64, offices ...string) (raw string, id int64) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		secret, t, err := staff.CreateToken(ctx, tx, staff.System("cli"), municipality, "gestionale", offices)
		raw, id = secret, t.ID
		return err
	})
	return raw, id
}

func (d *desk) update(f func(ctx context.Context, tx *db.Tx) error) {
	d.Helper()
	if err := d.db.Update(d.Context(), f); err != nil {
		d.Fatal(err)
	}
}

// writes is a citizen writing texts, one a minute, the last of them now.
func (d *desk) writes(to *town, phone string, texts ...string) citizen {
	d.Helper()
	var messages []conversation.Message
	for i, text := range texts {
		messages = append(messages, conversation.Message{Type: conversation.TypeText, Text: text,
			At: d.clock.now().Add(time.Duration(i+1-len(texts)) * time.Minute)})
	}
	return d.sends(to, phone, messages...)
}

// sends is a citizen sending messages; what they don't say is filled in.
func (d *desk) sends(to *town, phone string, messages ...conversation.Message) citizen {
	d.Helper()
	var who citizen
	d.update(func(ctx context.Context, tx *db.Tx) error {
		who = citizen{}
		ids, _, err := contact.Resolve(ctx, tx, to.ID, []contact.Person{{Phone: phone, UserID: "IT." + phone, Name: "Anna Bianchi", At: tx.Now()}})
		if err != nil {
			return err
		}
		who.contact = ids[0]
		for i := range messages {
			m := &messages[i]
			m.ID, m.ContactID, m.Number, m.Place = tx.NewID(), who.contact, to.number, i
			if m.ExternalID == "" {
				m.ExternalID = "wamid." + db.FormatID(m.ID)
			}
			if m.At.IsZero() {
				m.At = tx.Now()
			}
			who.messages = append(who.messages, db.FormatID(m.ID))
		}
		receipts, err := conversation.Receive(ctx, tx, to.ID, messages)
		if err == nil {
			who.conversation = receipts[0].Conversation
		}
		return err
	})
	return who
}

func (c citizen) path(rest ...string) string {
	return "/conversations/" + db.FormatID(c.conversation) + strings.Join(rest, "")
}

// answer is what the API answered.
type answer struct {
	*testing.T
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// header is a header of a request.
type header struct{ name, value string }

func key(k string) header      { return header{"Idempotency-Key", k} }
func bearer(tok string) header { return header{"Authorization", "Bearer " + tok} }

// get asks with rimini's token, unless headers say otherwise.
func (d *desk) get(path string, headers ...header) answer {
	d.Helper()
	return d.ask(http.MethodGet, path, "", headers...)
}

func (d *desk) post(path, body string, headers ...header) answer {
	d.Helper()
	return d.ask(http.MethodPost, path, body, headers...)
}

func (d *desk) ask(method, path, body string, headers ...header) answer {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, d.server.URL+Prefix+path, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(body, "--"+formBoundary) {
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+formBoundary)
	}
	r.Header.Set("Authorization", "Bearer "+d.rimini.token)
	for _, h := range headers {
		r.Header.Set(h.name, h.value)
		if h.value == "" {
			r.Header.Del(h.name)
		}
	}
	w, err := d.server.Client().Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		d.Fatal(err)
	}
	a := answer{T: d.T, status: w.StatusCode, header: w.Header, raw: string(raw)}
	if strings.Contains(w.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			d.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return a
}

// want fails unless the answer has the status; what is told otherwise is shown.
func (a answer) want(status int) answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	return a
}

// problem fails unless the answer is a whole problem with the status and the code.
func (a answer) problem(status int, code string) answer {
	a.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != problemType {
		a.Errorf("Content-Type %q, want %q", got, problemType)
	}
	if a.body["code"] != code || a.body["status"] != float64(status) || a.body["title"] != http.StatusText(status) {
		a.Errorf("problem %s, want %d %s", a.raw, status, code)
	}
	detail, _ := a.body["detail"].(string)
	if detail == "" || strings.ContainsAny(detail, "{}") || strings.HasPrefix(detail, "error.") || strings.HasPrefix(detail, "api.") {
		a.Errorf("detail %q is no sentence", detail)
	}
	if id := a.body["request_id"]; id == "" || id != a.header.Get("X-Request-Id") {
		a.Errorf("request_id %v, and X-Request-Id %q", id, a.header.Get("X-Request-Id"))
	}
	return a
}

// at is a part of the answer: at("items", 0, "contact", "name").
func (a answer) at(path ...any) any {
	a.Helper()
	var v any = a.body
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				a.Fatalf("%v: there are only %d in %s", path, len(list), a.raw)
			}
			v = list[step]
		}
	}
	return v
}

// each of the items' values of a name.
func (a answer) all(name string) []string {
	a.Helper()
	var out []string
	items, _ := a.body["items"].([]any)
	for _, i := range items {
		out = append(out, fmt.Sprint(i.(map[string]any)[name]))
	}
	return out
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func equalLists(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s are %q, want %q", what, got, want)
	}
}

// clock is a time that tests move on.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// lines is a log to look into.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func newLogger(l *lines) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
