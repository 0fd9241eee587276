// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/inbound"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const file = towntest.File

// office is a municipality that receives webhooks.
type office struct {
	t         *testing.T
	d         *db.DB
	key       *secret.Key
	m         *municipality.Municipality
	server    *httptest.Server
	processor *inbound.Processor
}

func open(t *testing.T, d *db.DB) *office {
	t.Helper()
	return openAs(t, d, file)
}

// openAs is open for a municipality of another file.
func openAs(t *testing.T, d *db.DB, file string) *office {
	t.Helper()
	key := towntest.Key(t)
	towntest.Apply(t, d, key, file)
	return run(t, d, key)
}

// run is an instance over d.
func run(t *testing.T, d *db.DB, key *secret.Key) *office {
	t.Helper()
	directory, err := municipality.NewDirectory(t.Context(), d, key)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := directory.BySlug("prova")
	if !ok {
		t.Fatal("the municipality is not there")
	}
	metrics, log := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	j := journal.New(d, log)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	mux := http.NewServeMux()
	inbound.NewWebhook(directory, j, metrics, log).Routes(mux)
	o := &office{t: t, d: d, key: key, m: m, server: httptest.NewServer(mux), processor: inbound.NewProcessor(d, directory, j, dialogue.New(broadcast.NewKeywords(key, "https://desk.example.it")), metrics, log)}
	t.Cleanup(func() { o.server.Close(); stop(); running.Wait() })
	return o
}

func each(t *testing.T, f func(t *testing.T, o *office)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, open(t, d)) })
}

// post delivers body signed with secret and returns the status of the answer.
func (o *office) post(slug, secret string, body []byte) int {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.server.URL+"/webhooks/whatsapp/"+slug, bytes.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("X-Hub-Signature-256", whatsapp.Sign(secret, body))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func (o *office) deliver(bodies ...string) {
	o.t.Helper()
	for _, b := range bodies {
		if status := o.post("prova", "secret", []byte(b)); status != http.StatusOK {
			o.t.Fatalf("a webhook was answered %d", status)
		}
	}
	if err := o.processor.Drain(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) view(f func(ctx context.Context, tx *db.Tx) error) {
	o.t.Helper()
	if err := o.d.View(o.t.Context(), f); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) inbox() (list []conversation.Conversation) {
	o.t.Helper()
	o.view(func(ctx context.Context, tx *db.Tx) (err error) {
		list, _, err = conversation.List(ctx, tx, o.m.ID, conversation.Filter{Box: conversation.BoxOpen}, conversation.Cursor{}, 50)
		return err
	})
	return list
}

// messages are those of the only open conversation.
func (o *office) messages() (page []conversation.Message) {
	o.t.Helper()
	inbox := o.inbox()
	if len(inbox) != 1 {
		o.t.Fatalf("%d open conversations", len(inbox))
	}
	o.view(func(ctx context.Context, tx *db.Tx) (err error) {
		page, _, err = conversation.Messages(ctx, tx, o.m.ID, inbox[0], conversation.Position{}, 100)
		return err
	})
	return page
}

func (o *office) quarantine() (items []journal.Item) {
	o.t.Helper()
	o.view(func(ctx context.Context, tx *db.Tx) (err error) {
		items, err = journal.Unsolved(ctx, tx, o.m.ID, 0, 50)
		return err
	})
	return items
}

// change is a webhook with one change of the field messages.
func change(value string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
		"metadata":{"display_phone_number":"390541123456","phone_number_id":"1001"},` + value + `}}]}]}`
}

func text(from, id, at, body string) string {
	return fmt.Sprintf(`{"from":%q,"id":%q,"timestamp":%q,"type":"text","text":{"body":%q}}`, from, id, at, body)
}

func TestVerification(t *testing.T) {
	o := open(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		path   string
		token  string
		status int
		answer string
	}{
		"ours":    {"prova", "verify", http.StatusOK, "1158201444"},
		"wrong":   {"prova", "Verify", http.StatusForbidden, ""},
		"none":    {"prova", "", http.StatusForbidden, ""},
		"unknown": {"altrove", "verify", http.StatusNotFound, ""},
	} {
		q := url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {c.token}}
		res, err := http.Get(o.server.URL + "/webhooks/whatsapp/" + c.path + "?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != c.status || c.answer != "" && string(body) != c.answer {
			t.Errorf("%s: %d %q, %v", name, res.StatusCode, body, err)
		}
	}
}

func TestWhatIsNotSignedIsNotStored(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		good := []byte(change(`"messages":[` + text("393331234567", "wamid.1", "1764000000", "ciao") + `]`))
		for name, c := range map[string]struct {
			slug, secret string
			body         []byte
			want         int
		}{
			"wrong secret":   {"prova", "other", good, http.StatusUnauthorized},
			"no signature":   {"prova", "", good, http.StatusUnauthorized},
			"unknown comune": {"altrove", "secret", good, http.StatusNotFound},
			"too large":      {"prova", "secret", bytes.Repeat([]byte(" "), 3<<20+1), http.StatusRequestEntityTooLarge},
		} {
			if status := o.post(c.slug, c.secret, c.body); status != c.want {
				t.Errorf("%s: answered %d, not %d", name, status, c.want)
			}
		}
		if err := o.processor.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(o.inbox()); n != 0 {
			t.Errorf("%d conversations from unsigned webhooks", n)
		}
	})
}

// endless is a body that gives what it has and then nothing, until it is stopped.
type endless struct {
	left []byte
	stop <-chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		<-e.stop
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

// flood keeps n connections to server open that announce size bytes and send all of body but never the rest; those that
// are turned away come again. It returns what ends them.
func (o *office) flood(server *httptest.Server, n int, size int64, body []byte) (end func()) {
	stop := make(chan struct{})
	ctx, cancel := context.WithCancel(o.t.Context())
	client := &http.Client{Transport: &http.Transport{}}
	var flooding sync.WaitGroup
	for range n {
		flooding.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/webhooks/whatsapp/prova", &endless{left: body, stop: stop})
				if err != nil {
					o.t.Error(err)
					return
				}
				req.ContentLength = size
				req.Header.Set("X-Hub-Signature-256", whatsapp.Sign("other", nil))
				if res, err := client.Do(req); err == nil {
					_ = res.Body.Close()
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		close(stop)
		flooding.Wait()
		client.CloseIdleConnections()
	})
}

// Bodies weigh on the bound of all in flight by what has come of them; those beyond it get 503, and go once
// there is room.
func TestTooMuchAtOnceIsPutOff(t *testing.T) {
	o := open(t, dbtest.SQLite(t))
	end := o.flood(o.server, 30, 3<<20, bytes.Repeat([]byte(" "), 3<<20-1))
	defer end()
	large := bytes.Repeat([]byte(" "), 3<<20)
	deliver := func() int { // without a connection, which the server may cut before all of the body is sent
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/whatsapp/prova", bytes.NewReader(large))
		req.Header.Set("X-Hub-Signature-256", whatsapp.Sign("secret", large))
		rw := httptest.NewRecorder()
		o.server.Config.Handler.ServeHTTP(rw, req)
		return rw.Code
	}
	eventually(t, "the bound holds", func() bool { return deliver() == http.StatusServiceUnavailable })
	end()
	eventually(t, "there is room again", func() bool { return deliver() == http.StatusOK })
}

// Connections that announce much and send nothing keep nobody out.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	o := open(t, dbtest.SQLite(t))
	var active atomic.Int64
	silent := httptest.NewUnstartedServer(o.server.Config.Handler)
	silent.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateActive {
			active.Add(1)
		}
	}
	silent.Start()
	defer silent.Close()
	end := o.flood(silent, 100, 3<<20, []byte("{"))
	defer end()
	eventually(t, "all of them are there", func() bool { return active.Load() >= 100 })
	for range 20 {
		if status := o.post("prova", "secret", bytes.Repeat([]byte(" "), 3<<20)); status != http.StatusOK {
			t.Fatalf("a webhook was answered %d", status)
		}
	}
}

// counted is a body that never ends, and knows how much of it was read.
type counted int64

func (c *counted) Read(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

// What can't be signed is not read, and what is read has to come soon.
func TestBodiesAreReadOnlyIfSignedAndSoon(t *testing.T) {
	o := open(t, dbtest.SQLite(t))
	for name, c := range map[string]struct {
		signature string
		status    int
		reads     bool
	}{
		"none":      {"", http.StatusUnauthorized, false},
		"a word":    {"sha256=si", http.StatusUnauthorized, false},
		"too short": {whatsapp.Sign("secret", nil)[:69], http.StatusUnauthorized, false},
		"a form":    {whatsapp.Sign("other", nil), http.StatusRequestEntityTooLarge, true},
	} {
		body, rw := new(counted), &answer{ResponseRecorder: httptest.NewRecorder()}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/whatsapp/prova", body)
		req.ContentLength = -1
		req.Header.Set("X-Hub-Signature-256", c.signature)
		o.server.Config.Handler.ServeHTTP(rw, req)
		if n := *body; rw.Code != c.status || n > 0 != c.reads || n > 3<<20+1 || len(rw.deadlines) > 0 != c.reads {
			t.Errorf("%s: answered %d after %d bytes, deadlines %v", name, rw.Code, n, rw.deadlines)
		}
	}
}

// answer remembers the deadlines of reading that were set.
type answer struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (a *answer) SetReadDeadline(at time.Time) error {
	a.deadlines = append(a.deadlines, at)
	return nil
}

func eventually(t *testing.T, what string, true_ func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !true_() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestEveryKindBecomesAMessage(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.deliver(change(`"contacts":[{"profile":{"name":"Maria 🌷"},"wa_id":"393331234567","user_id":"IT.1A"}],"messages":[` + strings.Join([]string{
			text("393331234567", "w1", "1764000001", "Buongiorno"),
			`{"from":"393331234567","id":"w2","timestamp":"1764000002","type":"location","location":{"latitude":0,"longitude":9.19,"name":"Piazza"}}`,
			`{"from":"393331234567","id":"w3","timestamp":"1764000003","type":"image","image":{"id":"m1","mime_type":"image/jpeg","sha256":"eA==","caption":"la buca"}}`,
			`{"from":"393331234567","id":"w4","timestamp":"1764000004","type":"audio","audio":{"id":"m2","mime_type":"audio/ogg","voice":true}}`,
			`{"from":"393331234567","id":"w5","timestamp":"1764000005","type":"reaction","reaction":{"message_id":"w1","emoji":"👍"}}`,
			`{"from":"393331234567","id":"w6","timestamp":"1764000006","type":"contacts","contacts":[{"name":{"formatted_name":"Luca"}}]}`,
			`{"from":"393331234567","id":"w7","timestamp":"1764000007","type":"interactive","context":{"id":"w1"},"interactive":{"type":"button_reply","button_reply":{"id":"si","title":"Sì"}}}`,
			`{"from":"393331234567","id":"w8","timestamp":"1764000008","type":"hologram","hologram":{"a":"\u0000"}}`,
			`{"from":"393331234567","id":"w9","timestamp":"non un'ora","type":"text","text":{"body":"senza ora"}}`,
			`{"from":"393331234567","id":"w10","timestamp":"1764000010","type":"sticker","sticker":{"id":"m3","mime_type":"image/webp"}}`,
		}, ",") + `]`))
		var kinds []string
		for _, m := range o.messages() {
			kinds = append(kinds, m.Type)
		}
		want := "text location image voice reaction contacts choice unsupported sticker text"
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("types are %s, not %s", got, want)
		}
		m := o.messages()
		if m[1].Detail.Location == nil || m[1].Detail.Location.Latitude != 0 || m[6].ReplyTo != "w1" || m[6].Text != "Sì" || !m[9].Detail.TimeGuess || m[2].MediaID == 0 {
			t.Errorf("details were lost: %+v", m)
		}
		if c := o.inbox()[0]; c.Contact.Name != "Maria 🌷" || c.Contact.UserID != "IT.1A" || c.Unread != 9 {
			t.Errorf("conversation %+v", c)
		}
		if q := o.quarantine(); len(q) != 0 {
			t.Errorf("quarantine %+v", q)
		}
	})
}

// The same webhook at the same instant over many connections is one message.
func TestDuplicatesAtTheSameInstant(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		body := change(`"contacts":[{"wa_id":"393331234567"}],"messages":[` + text("393331234567", "w1", "1764000001", "una volta sola") + `]`)
		var together sync.WaitGroup
		for range 12 {
			together.Go(func() {
				if status := o.post("prova", "secret", []byte(body)); status != http.StatusOK {
					t.Errorf("answered %d", status)
				}
				if err := o.processor.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
		if m := o.messages(); len(m) != 1 {
			t.Errorf("%d messages", len(m))
		}
		if c := o.inbox()[0]; c.Unread != 1 {
			t.Errorf("%d unread", c.Unread)
		}
	})
}

// What can't be understood is put aside with its reason, and its neighbours go on.
func TestBadItemsAreQuarantinedAlone(t *testing.T) {
	good := func(id string) string { return text("393331234567", id, "1764000001", "buono "+id) }
	each(t, func(t *testing.T, o *office) {
		o.deliver(
			"no JSON at all",
			strings.Repeat("[", 100000),
			change(`"messages":[{"id":"x1","timestamp":"1","type":"text","text":{"body":"da nessuno"}},`+good("g1")+`,{"from":"393331234567","type":"text"}]`),
			strings.Replace(change(`"messages":[`+good("x2")+`]`), `"1001"`, `"9999"`, 1),
			`{"object":"whatsapp_business_account","entry":[{"id":"7777","changes":[{"field":"account_update","value":{"event":"X"}}]},{"id":"2001","changes":[{"field":"account_update","value":{"event":"Y"}}]}]}`,
			change(`"messages":[`+good("g2")+`]`),
		)
		if m := o.messages(); len(m) != 2 || m[0].ExternalID != "g1" || m[1].ExternalID != "g2" {
			t.Errorf("messages %+v", m)
		}
		reasons := make(map[string]int)
		for _, i := range o.quarantine() {
			reasons[i.Reason]++
			if i.Body == "" || i.Detail == "" {
				t.Errorf("item without body or detail: %+v", i)
			}
		}
		if reasons["not_a_webhook"] != 2 || reasons["foreign_number"] != 1 || reasons["foreign_account"] != 1 || len(o.quarantine()) != 6 {
			t.Errorf("reasons %v", reasons)
		}
	})
}

// A word of Meta's that is long, and has a letter of several bytes where it is cut, is counted like another.
func TestLongWordsAreCounted(t *testing.T) {
	word := strings.Repeat("x", 59) + "è e altro"
	each(t, func(t *testing.T, o *office) {
		o.deliver(
			strings.Replace(change(`"x":1`), `"field":"messages"`, `"field":"`+word+`"`, 1),
			change(`"statuses":[{"id":"w9","status":"`+word+`","timestamp":"1764000001","recipient_id":"393331234567"}],
				"messages":[`+text("393331234567", "w1", "1764000001", "ciao")+`]`),
		)
		if m := o.messages(); len(m) != 1 {
			t.Errorf("messages %+v", m)
		}
		if q := o.quarantine(); len(q) != 0 {
			t.Errorf("quarantine %+v", q)
		}
	})
}

// A change that does not name its field is read as one of messages.
func TestAChangeWithoutAField(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.deliver(strings.Replace(change(`"messages":[`+text("393331234567", "w1", "1764000001", "ciao")+`]`), `"field":"messages",`, "", 1))
		if m := o.messages(); len(m) != 1 || m[0].Text != "ciao" {
			t.Errorf("messages %+v", m)
		}
	})
}

func TestAThousandUpdatesInOneRequest(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var messages []string
		for i := range 1000 {
			messages = append(messages, text(fmt.Sprint("39333", 1000000+i%50), fmt.Sprint("w", i), fmt.Sprint(1764000000+i), "numero "+fmt.Sprint(i)))
		}
		o.deliver(change(`"messages":[` + strings.Join(messages, ",") + `]`))
		total := 0
		for _, c := range o.inbox() {
			total += c.Unread
		}
		if total != 1000 || len(o.inbox()) != 50 {
			t.Errorf("%d messages in %d conversations", total, len(o.inbox()))
		}
	})
}

func TestStrangeTextsComeThrough(t *testing.T) {
	long := strings.Repeat("è", 4096)
	each(t, func(t *testing.T, o *office) {
		o.deliver(
			change(`"messages":[{"from":"393331234567","id":"w1","timestamp":"1764000001","type":"text","text":{"body":"nullo \u0000 qui"}}]`),
			change(`"messages":[{"from":"393331234567","id":"w2","timestamp":"1764000002","type":"text","text":{"body":"rotto `+"\xff\xfe"+`"}}]`),
			change(`"messages":[`+text("393331234567", "w3", "1764000003", "مرحبا\u202eabc\u200b")+`]`),
			change(`"messages":[`+text("393331234567", "w4", "1764000004", long)+`]`),
			change(`"messages":[{"from":393331234567,"id":"w5","timestamp":1764000005,"type":"text","text":{"body":42}}]`),
		)
		var got []string
		for _, m := range o.messages() {
			got = append(got, m.Text)
		}
		want := []string{"nullo  qui", "rotto \ufffd\ufffd", "مرحبا\u202eabc\u200b", long, "42"}
		for i := range want {
			if i >= len(got) || strings.Trim(got[i], "\ufffd") != strings.Trim(want[i], "\ufffd") {
				t.Fatalf("texts are %q", got)
			}
		}
	})
}

// However the entries are ordered and divided, the same conversation comes out.
func TestOrderDoesNotDependOnWhoWorksFirst(t *testing.T) {
	entries := []string{
		change(`"contacts":[{"wa_id":"393331234567","user_id":"IT.1A","profile":{"name":"Maria"}}],"messages":[` + text("393331234567", "w1", "1764000001", "prima") + `]`),
		change(`"contacts":[{"user_id":"IT.1A"}],"messages":[{"from_user_id":"IT.1A","id":"w2","timestamp":"1764000002","type":"text","text":{"body":"seconda"}}]`),
		change(`"messages":[` + text("393331234567", "w3", "1764000002", "terza") + `,` + text("393331234567", "w4", "1764000002", "quarta") + `]`),
	}
	orders := [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {1, 0, 2, 1, 0}}
	each(t, func(t *testing.T, o *office) {
		for n, order := range orders {
			phone, user := fmt.Sprint("3933312345", 10+n), fmt.Sprint("IT.9", n)
			for _, i := range order {
				o.deliver(strings.NewReplacer("393331234567", phone, "IT.1A", user, `"w`, fmt.Sprintf(`"w%d-`, n)).Replace(entries[i]))
			}
			list := o.inbox()
			if len(list) != n+1 {
				t.Fatalf("order %v made %d conversations", order, len(list)-n)
			}
			for _, c := range list {
				if c.Contact.UserID != user {
					continue
				}
				if c.Unread != 4 || c.LastText != "quarta" && c.LastText != "seconda" || c.Contact.Phone != "+"+phone {
					t.Errorf("order %v: %+v", order, c)
				}
			}
		}
	})
}

func TestANumberChangeKeepsTheCitizen(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.deliver(
			change(`"contacts":[{"wa_id":"393331234567","user_id":"IT.1A","profile":{"name":"Maria"}}],"messages":[`+text("393331234567", "w1", "1764000001", "prima")+`]`),
			change(`"messages":[{"from":"393331234567","id":"w2","timestamp":"1764000100","type":"system","system":{"type":"user_changed_number","body":"changed","wa_id":"393339876543","user_id":"IT.9Z","previous_user_id":"IT.1A"}}]`),
			change(`"contacts":[{"wa_id":"393339876543","user_id":"IT.9Z"}],"messages":[`+text("393339876543", "w3", "1764000200", "dopo")+`]`),
		)
		if m := o.messages(); len(m) != 3 || m[1].Type != conversation.TypeSystem {
			t.Errorf("messages %+v", m)
		}
		c := o.inbox()[0].Contact
		if c.Phone != "+393339876543" || c.Name != "Maria" {
			t.Errorf("contact %+v", c)
		}
		o.view(func(ctx context.Context, tx *db.Tx) error {
			addresses, err := contact.Addresses(ctx, tx, o.m.ID, c.ID)
			if len(addresses) != 4 {
				t.Errorf("addresses %+v", addresses)
			}
			return err
		})
	})
}
