// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
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

const password = "una frase lunga da ricordare"

// desk is a server over a database with two municipalities and their staff.
type desk struct {
	*testing.T
	db      *db.DB
	server  *httptest.Server
	pages   *Server
	log     *lines
	meta    *metatest.Meta
	typed   chan int64
	key     *secret.Key
	rimini  *municipality.Municipality
	pistoia *municipality.Municipality
}

// each runs f on both engines.
func each(t *testing.T, f func(d *desk)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(newDesk(t, d)) })
}

func newDesk(t *testing.T, database *db.DB) *desk {
	t.Helper()
	d := &desk{T: t, db: database, log: &lines{}, meta: simulate(t), typed: make(chan int64, 100), key: towntest.Key(t)}
	d.rimini, d.pistoia = d.town("rimini"), d.town("pistoia")
	directory, err := municipality.NewDirectory(t.Context(), database, d.key)
	if err != nil {
		t.Fatal(err)
	}
	files, err := media.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d.pages, err = New(Options{DB: database, Directory: directory, Media: files, Key: d.key, Sender: d, Journal: journal.New(database, slog.New(slog.DiscardHandler)), Client: d.meta.Client,
		PublicURL: "http://127.0.0.1", Log: slog.New(slog.NewTextHandler(d.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewServer(d.pages)
	t.Cleanup(func() {
		d.pages.EndStreams()
		d.server.Close()
	})
	return d
}

// Typing stands where WhatsApp would be told.
func (d *desk) Typing(_ context.Context, _, message int64) error {
	d.typed <- message
	return nil
}

// lines is a log that tests read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (d *desk) town(slug string) *municipality.Municipality {
	d.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "examples", slug+".yaml"))
	if err != nil {
		d.Fatal(err)
	}
	if !strings.Contains(string(data), "\nlists:") {
		data = append(data, "lists:\n  - {keyword: EMERGENZE, name: Emergenze, kind: emergency}\n  - {keyword: PUBBLICAUTILITA, name: Pubblica utilità, kind: notice}\n"...)
	}
	file, err := municipality.ParseFile(slug+".yaml", data, func(name string) (string, bool) {
		return metaNames(slug, name), true
	})
	if err != nil {
		d.Fatal(err)
	}
	var m *municipality.Municipality
	d.update(func(ctx context.Context, tx *db.Tx) error {
		m, _, err = municipality.Apply(ctx, tx, d.key, file)
		return err
	})
	return m
}

func (d *desk) update(f func(ctx context.Context, tx *db.Tx) error) {
	d.Helper()
	if err := d.db.Update(d.Context(), f); err != nil {
		d.Fatal(err)
	}
}

// hire gives somebody a place at a desk; their e-mail is the first name.
func (d *desk) hire(m *municipality.Municipality, name string, role staff.Role) staff.Actor {
	d.Helper()
	email := strings.ToLower(strings.Fields(name)[0]) + "@" + m.Slug + ".example"
	hashed, err := staff.NewPassword(d.Context(), password, email, name)
	if err != nil {
		d.Fatal(err)
	}
	var actor staff.Actor
	d.update(func(ctx context.Context, tx *db.Tx) error {
		account, _, err := staff.Add(ctx, tx, staff.System("cli"), m.ID, staff.New{Email: email, Name: name, Role: role, Password: hashed})
		if err != nil {
			return err
		}
		actor, err = staff.Membership(ctx, tx, m.ID, account.ID)
		return err
	})
	return actor
}

// writes is a citizen writing texts, one a second, the last of them now. It returns the conversation.
func (d *desk) writes(m *municipality.Municipality, name, phone string, texts ...string) int64 {
	d.Helper()
	var messages []conversation.Message
	for i, text := range texts {
		messages = append(messages, conversation.Message{Type: conversation.TypeText, Text: text,
			At: d.db.Now().Add(time.Duration(i+1-len(texts)) * time.Second)})
	}
	return d.sends(m, name, phone, messages...)
}

func (d *desk) sends(m *municipality.Municipality, name, phone string, messages ...conversation.Message) (id int64) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		who, _, err := contact.Resolve(ctx, tx, m.ID, []contact.Person{{Phone: phone, Name: name, At: tx.Now()}})
		if err != nil {
			return err
		}
		for i := range messages {
			message := &messages[i]
			message.ID, message.ContactID, message.Number, message.Place = tx.NewID(), who[0], m.Numbers[0].PhoneNumberID, i
			message.Direction = conversation.In
			message.ExternalID = "wamid." + db.FormatID(message.ID)
			if message.At.IsZero() {
				message.At = tx.Now()
			}
		}
		receipts, err := conversation.Receive(ctx, tx, m.ID, messages)
		if err == nil {
			id = receipts[0].Conversation
		}
		return err
	})
	return id
}

func (d *desk) get(id int64) (c conversation.Conversation) {
	d.Helper()
	err := d.db.View(d.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = conversation.Get(ctx, tx, d.rimini.ID, id)
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return c
}

// outgoing are the texts queued to the citizen of a conversation, oldest first.
func (d *desk) outgoing(id int64) (texts []string) {
	d.Helper()
	c := d.get(id)
	err := d.db.View(d.Context(), func(ctx context.Context, tx *db.Tx) error {
		thread, err := conversation.LoadThread(ctx, tx, d.rimini.ID, c.ContactID, c.Number, conversation.Position{}, 100)
		for _, m := range thread.Messages {
			if m.Direction == conversation.Out {
				texts = append(texts, m.Text)
			}
		}
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return texts
}

// browser is a person at a computer, without a script.
type browser struct {
	*desk
	client *http.Client
	slug   string
}

func (d *desk) browser(m *municipality.Municipality) *browser {
	d.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &browser{desk: d, client: client, slug: m.Slug}
}

// signedIn is somebody who has just signed in.
func (d *desk) signedIn(m *municipality.Municipality, who staff.Actor) *browser {
	d.Helper()
	b := d.browser(m)
	email := strings.ToLower(strings.Fields(who.Name)[0]) + "@" + m.Slug + ".example"
	b.post("/sign-in", url.Values{"email": {email}, "password": {password}}).want(http.StatusSeeOther)
	return b
}

// answer is what the server answered.
type answer struct {
	*testing.T
	status int
	header http.Header
	body   string
	log    *lines
	wanted bool // the status is the one that the test wants
}

type header struct{ name, value string }

var byScript = header{"HX-Request", "true"}

func (b *browser) get(path string, headers ...header) answer {
	b.Helper()
	return b.ask(http.MethodGet, path, nil, headers...)
}

func (b *browser) post(path string, form url.Values, headers ...header) answer {
	b.Helper()
	return b.ask(http.MethodPost, path, form, headers...)
}

func (b *browser) ask(method, path string, form url.Values, headers ...header) answer {
	b.Helper()
	if form != nil {
		headers = append([]header{{"Content-Type", "application/x-www-form-urlencoded"}}, headers...)
	}
	return b.do(method, path, strings.NewReader(form.Encode()), headers...)
}

// do asks for a path under this desk, or with two slashes for one of the server.
func (b *browser) do(method, path string, body io.Reader, headers ...header) answer {
	b.Helper()
	address := b.server.URL + "/desk/" + b.slug + path
	if strings.HasPrefix(path, "//") {
		address = b.server.URL + path[1:]
	}
	r, err := http.NewRequestWithContext(b.Context(), method, address, body)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept-Language", "it")
	for _, h := range headers {
		r.Header.Set(h.name, h.value)
	}
	w, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	content, err := io.ReadAll(w.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{T: b.T, status: w.StatusCode, header: w.Header, body: string(content), log: b.log}
}

// want fails unless the answer has the status.
func (a answer) want(status int) answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("status %d, want %d: %s\n%s", a.status, status, a.body, a.log)
	}
	a.wanted = true
	return a
}

func (a answer) contains(texts ...string) answer {
	a.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.Errorf("%q is missing in %s", text, a.body)
		}
	}
	return a
}

// lacks fails where a text is there. A page that failed lacks everything: unless another status was wanted, it must be whole.
func (a answer) lacks(texts ...string) answer {
	a.Helper()
	if !a.wanted {
		a = a.want(http.StatusOK)
	}
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			a.Errorf("%q should not be in %s", text, a.body)
		}
	}
	return a
}

func conversationPath(id int64, rest string) string {
	return "/conversations/" + db.FormatID(id) + rest
}
