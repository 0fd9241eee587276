// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// Another process holds both files of SQLite for longer than anybody waits for them. With the main file
// alone held, what arrives is stored and the inbox can be read; with the journal held too, webhooks are
// put off; afterwards everything drains and nothing is lost.
func TestFilesLockedForAWhile(t *testing.T) {
	t.Parallel()
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.start()
	load := in.trickle(in.openConversations(20))
	load.grow(50)
	main := strings.TrimPrefix(in.address, "sqlite:")

	in.exec(main, `UPDATE token SET used_at = 1`) // so that the next use would be noted
	freeMain := in.lock(main)
	start := time.Now()
	load.grow(50)
	if status, body := in.call(t.Context(), http.MethodGet, "/api/v1/conversations", nil, ""); status != http.StatusOK {
		t.Errorf("while the main file is locked, reading is answered %d: %s", status, body)
	}
	in.answers("/healthz", http.StatusOK)
	in.answers("/readyz", http.StatusOK)
	in.until("the lock outlasts SQLite's patience", func() bool { return time.Since(start) > busyTimeout })
	load.grow(50)

	freeJournal := in.lock(db.JournalFile(main))
	in.until("webhooks are put off", func() bool {
		return in.postWebhook(t.Context(), inboundText(in.phoneNumberID, in.waba, "393331009999", "wamid.off", "rimandato")) == http.StatusServiceUnavailable
	})
	freeMain()
	freeJournal()
	load.grow(50)
	load.stop()
	in.settleDown()
	in.stop()
	in.check(load)
}

// busyTimeout is how long package db lets SQLite wait for a lock.
const busyTimeout = 5 * time.Second

// The disk takes not one byte more for a while: webhooks are put off, and nothing is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.start()
	load := in.trickle(in.openConversations(20))
	load.grow(50)
	in.limitFiles("0")
	in.until("webhooks are put off", func() bool {
		return in.postWebhook(t.Context(), inboundText(in.phoneNumberID, in.waba, "393331009999", "wamid.off", "rimandato")) == http.StatusServiceUnavailable
	})
	before := load.count()
	in.answers("/healthz", http.StatusOK)
	if status, _ := in.call(t.Context(), http.MethodGet, "/api/v1/conversations", nil, ""); status != http.StatusOK {
		t.Errorf("on a full disk reading is answered %d", status)
	}
	if n := load.count(); n != before {
		t.Errorf("%d webhooks were answered 200 on a disk that takes nothing", n-before)
	}
	in.limitFiles("unlimited")
	load.grow(50)
	load.stop()
	in.settleDown()
	in.stop()
	in.check(load)
}

// PostgreSQL drops every connection, again and again, and is then gone for some seconds.
func TestDatabaseGoneForAWhile(t *testing.T) {
	t.Parallel()
	direct := dbtest.DSNs(t)["postgres"]
	line := openLine(t, direct)
	in := install(t, line.address)
	in.start()
	load := in.trickle(in.openConversations(20))
	for range 3 {
		load.grow(30)
		line.drop()
	}
	load.grow(30)
	line.cut()
	in.until("webhooks are put off", func() bool {
		return in.postWebhook(t.Context(), inboundText(in.phoneNumberID, in.waba, "393331009999", "wamid.off", "rimandato")) == http.StatusServiceUnavailable
	})
	in.answers("/healthz", http.StatusOK)
	in.answers("/readyz", http.StatusServiceUnavailable)
	in.until("a reply is refused", func() bool {
		status, body := in.call(t.Context(), http.MethodGet, "/api/v1/conversations", nil, "")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), `"code"`)
	})
	line.restore()
	in.answers("/readyz", http.StatusOK)
	load.grow(100)
	load.stop()
	in.settleDown()
	in.stop()
	in.address = direct
	in.check(load)
}

// A service manager stops the process while webhooks come and sends are under way: it finishes what it
// began, leaves nothing uncertain, and the next start goes on where it was.
func TestStoppedWhileEverythingRuns(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address)
			in.start()
			citizens := in.openConversations(40)
			in.control(http.MethodPut, "faults", map[string]any{"answer_delay": "150ms"}, nil)
			load := in.trickle(citizens)
			d := in.open()
			for range 3 {
				load.grow(20)
				in.until("a send is under way", func() bool { return in.count(d, sendingOnes) > 0 })
				in.stop()
				if n := in.count(d, `SELECT count(*) FROM message WHERE stage IN (20, 30)`); n > 0 {
					t.Errorf("%d messages are sending or uncertain after a good end", n)
				}
				in.start()
			}
			load.stop()
			in.settleDown()
			in.stop()
			in.check(load)
			if n := in.count(d, `SELECT count(*) FROM message WHERE stage IN (20, 30) AND stage = 30`); n > 0 {
				t.Errorf("%d messages are uncertain though nothing went wrong", n)
			}
		})
	}
}

const sendingOnes = `SELECT count(*) FROM message WHERE stage IN (20, 30) AND stage = 20`

// Two instances hear of the same new citizens at the same instant, by different addresses of theirs.
func TestFirstMessagesOverTwoInstances(t *testing.T) {
	t.Parallel()
	in := install(t, dbtest.DSNs(t)["postgres"])
	in.start()
	second := in.twin()
	second.start()
	const citizens = 40
	const name = "👩🏽‍🚒 Zoë 🇮🇹"
	var together sync.WaitGroup
	for i := range citizens {
		phone := fmt.Sprintf("39333300%04d", i)
		byPhone := webhook(in, fmt.Sprintf(`"contacts":[{"profile":{"name":%q},"wa_id":%q}],"messages":[%s]`, name, phone, plainText(phone, fmt.Sprint("wamid.A", i))))
		byBoth := webhook(in, fmt.Sprintf(`"contacts":[{"profile":{"name":%q},"wa_id":%q,"user_id":"IT.%d"}],"messages":[%s]`, name, phone, i, plainText(phone, fmt.Sprint("wamid.B", i))))
		together.Go(func() { in.delivered(byPhone) })
		together.Go(func() { second.delivered(byBoth) })
	}
	together.Wait()
	in.settleDown()
	d := in.open()
	in.expect(d, `SELECT count(*) FROM contact WHERE merged_into = 0`, citizens)
	in.expect(d, `SELECT count(*) FROM conversation WHERE state = 'open'`, citizens)
	in.expect(d, `SELECT count(*) FROM conversation`, citizens)
	in.expect(d, `SELECT count(*) FROM conversation WHERE unread = 2`, citizens)
	in.expect(d, `SELECT count(*) FROM message WHERE direction = 'in' AND conversation_id <> 0`, 2*citizens)
	var page struct {
		Items []struct{ Name, Phone string }
	}
	_, body := second.call(t.Context(), http.MethodGet, "/api/v1/contacts?address=393333000007", nil, "")
	if err := json.Unmarshal(body, &page); err != nil || len(page.Items) != 1 || page.Items[0].Name != name {
		t.Errorf("the citizen is %s (%v)", body, err)
	}
}

// A thousand updates in one request, several times at once over two instances, are stored once each.
func TestAThousandUpdatesOverTwoInstances(t *testing.T) {
	t.Parallel()
	in := install(t, dbtest.DSNs(t)["postgres"])
	in.start()
	second := in.twin()
	second.start()
	var messages []string
	for i := range 1000 {
		messages = append(messages, plainText(fmt.Sprintf("39333400%04d", i%50), fmt.Sprint("wamid.T", i)))
	}
	forwards := webhook(in, `"messages":[`+strings.Join(messages, ",")+`]`)
	slices.Reverse(messages)
	backwards := webhook(in, `"messages":[`+strings.Join(messages, ",")+`]`)
	var together sync.WaitGroup
	for range 3 {
		together.Go(func() { in.delivered(forwards) })
		together.Go(func() { second.delivered(backwards) })
	}
	together.Wait()
	in.settleDown()
	d := in.open()
	in.expect(d, `SELECT count(*) FROM message`, 1000)
	in.expect(d, `SELECT count(*) FROM conversation`, 50)
	in.expect(d, `SELECT count(*) FROM conversation WHERE unread = 20`, 50)
}

// A media host that takes the request and never answers holds up neither other files nor replies, and
// when the life of the file is over the thread says so.
func TestMediaHostHangs(t *testing.T) {
	t.Parallel()
	in := install(t, dbtest.DSNs(t)["sqlite"])
	hanging := in.hangDownloads()
	in.start()
	in.control(http.MethodPost, "citizens", map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, nil)
	photo := func() (path string) {
		var sent struct{ ID string }
		in.control(http.MethodPost, "citizens/"+citizenPhone+"/messages", map[string]any{"number": in.phoneNumberID, "image": map[string]any{"sample": true}}, &sent)
		return sent.ID
	}
	hanging.next(1)
	stuck := photo()
	hanging.wait(1)
	whole := photo()
	chat := in.conversationOf(citizenPhone)
	in.until("the other photo is there", func() bool { return in.files(chat)[whole] == "ready" })
	if state := in.files(chat)[stuck]; state != "pending" {
		t.Errorf("the photo whose host hangs is %q", state)
	}
	status, body := in.call(t.Context(), http.MethodPost, "/api/v1/conversations/"+chat+"/messages", map[string]any{"text": "Grazie della foto"}, "grazie")
	if status != http.StatusAccepted {
		t.Fatalf("a reply was answered %d: %s", status, body)
	}
	in.until("the reply is out", func() bool { return len(in.sentByCallback()) == 1 })

	// The same file again, in a message so old that its id is at the end of its life.
	hanging.next(1)
	old := strconv.FormatInt(time.Now().Add(-8*24*time.Hour).Unix(), 10)
	in.delivered(webhook(in, fmt.Sprintf(`"messages":[{"from":%q,"id":"wamid.old","timestamp":%q,"type":"image","image":{"id":%q,"mime_type":"image/jpeg"}}]`,
		strings.TrimPrefix(citizenPhone, "+"), old, hanging.file())))
	hanging.wait(2)
	in.until("the thread says that the old one is lost", func() bool { return in.files(chat)["wamid.old"] == "failed" })
	in.until("the first one came at last", func() bool { return in.files(chat)[stuck] == "ready" })
	in.stop()
}

// Where the municipality wants no automation, nothing leaves without a person: a day of everything that
// citizens can send, keywords too, gets no answer of any kind.
func TestNoAutomationMeansNone(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address) // its file says automation: none
			in.start()
			expected := in.aDay()
			d := in.open()
			in.until("everything is stored", func() bool {
				return in.count(d, `SELECT count(*) FROM message WHERE direction = 'in'`) >= expected
			})
			in.settleDown()
			in.expect(d, `SELECT count(*) FROM message WHERE direction <> 'in'`, 0)
			if sends := in.sends(); len(sends) != 0 {
				t.Errorf("%d calls reached Meta: %s", len(sends), sends[0])
			}
			chat := in.conversationOf(citizenPhone)
			if status, body := in.call(t.Context(), http.MethodPost, "/api/v1/conversations/"+chat+"/messages", map[string]any{"text": "Eccoci"}, "k"); status != http.StatusAccepted {
				t.Fatalf("a reply was answered %d: %s", status, body)
			}
			in.until("the reply is out", func() bool { return len(in.sends()) == 1 }) // the test can see sends
			in.settleDown()
			in.stop()
			in.oneRecipientEach()
		})
	}
}

// aDay delivers, over the hours of a day, every type of message, keywords, and what is no message; it
// returns how many messages are to be stored at least.
func (in *installation) aDay() (messages int) {
	in.t.Helper()
	in.control(http.MethodPost, "citizens", map[string]any{"phone": citizenPhone, "name": "Maria Bianchi", "username": "maria.b"}, nil)
	for _, content := range []map[string]any{
		{"text": "Buongiorno"}, {"text": "ISCRIZIONE ON"}, {"text": "STOP"}, {"text": "LISTE"}, {"text": "SÌ"}, {"text": "EMERGENZE"}, {"text": "aiuto"},
		{"image": map[string]any{"sample": true}}, {"audio": map[string]any{"sample": true}}, {"voice": map[string]any{"sample": true}},
		{"video": map[string]any{"sample": true}}, {"document": map[string]any{"sample": true}}, {"sticker": map[string]any{"sample": true}},
		{"location": map[string]any{"latitude": 44.06, "longitude": 12.56, "name": "Piazza Tre Martiri"}},
		{"contacts": []any{map[string]any{"name": map[string]any{"formatted_name": "Luca Neri", "first_name": "Luca"}}}},
		{"button_reply": map[string]any{"id": "si", "title": "Sì"}}, {"list_reply": map[string]any{"id": "urp", "title": "URP"}},
		{"button": map[string]any{"payload": "STOP", "text": "Disiscrivimi"}}, {"raw": map[string]any{"type": "hologram", "hologram": map[string]any{}}},
	} {
		content["number"] = in.phoneNumberID
		in.control(http.MethodPost, "citizens/"+citizenPhone+"/messages", content, nil)
		messages++
	}
	midnight := time.Now().Add(-24 * time.Hour)
	for hour := range 24 {
		from, at := fmt.Sprintf("39333500%04d", hour), midnight.Add(time.Duration(hour)*time.Hour).Unix()
		in.delivered(webhook(in, fmt.Sprintf(`"contacts":[{"wa_id":%q}],"messages":[
			{"from":%[1]q,"id":"wamid.d%[2]d","timestamp":"%[3]d","type":"text","text":{"body":"ISCRIZIONE ON EMERGENZE"}},
			{"from":%[1]q,"id":"wamid.e%[2]d","timestamp":"%[3]d","type":"reaction","reaction":{"message_id":"wamid.d%[2]d","emoji":"👍"}},
			{"from":%[1]q,"id":"wamid.f%[2]d","timestamp":"%[3]d","type":"system","system":{"type":"user_changed_number","wa_id":"3933360%05[2]d"}},
			{"from":%[1]q,"id":"wamid.g%[2]d","timestamp":"%[3]d","type":"unsupported","errors":[{"code":131051,"title":"Message type unknown"}]},
			{"from":%[1]q,"id":"wamid.h%[2]d","timestamp":"%[3]d","type":"order","order":{"catalog_id":"1","product_items":[]}}]`, from, hour, at)))
		in.delivered(webhook(in, fmt.Sprintf(`"statuses":[{"id":"wamid.x%d","status":"failed","timestamp":"%d","recipient_id":%q,"errors":[{"code":131047,"title":"Re-engagement message"}]}]`, hour, at, from)))
		messages += 5
	}
	return messages
}

// ---- what the tests above look with

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.stored)
}

// grow waits until n more webhooks were answered 200.
func (l *load) grow(n int) {
	l.in.t.Helper()
	want := l.count() + n
	l.in.until(fmt.Sprintf("%d more webhooks are stored", n), func() bool { return l.count() >= want })
}

// webhook is a webhook about the installation's number; value is what its change holds.
func webhook(in *installation, value string) []byte {
	return fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":%q,"changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
		"metadata":{"display_phone_number":"390541123456","phone_number_id":%q},%s}}]}]}`, in.waba, in.phoneNumberID, value)
}

func plainText(from, id string) string {
	return fmt.Sprintf(`{"from":%q,"id":%q,"timestamp":"%d","type":"text","text":{"body":"Buongiorno"}}`, from, id, time.Now().Unix())
}

// delivered posts a webhook that must be taken.
func (in *installation) delivered(body []byte) {
	in.t.Helper()
	if status := in.postWebhook(in.t.Context(), body); status != http.StatusOK {
		in.t.Errorf("a webhook was answered %d", status)
	}
}

// answers waits until a path is answered with status.
func (in *installation) answers(path string, status int) {
	in.t.Helper()
	in.until(fmt.Sprintf("%s is answered %d", path, status), func() bool {
		res, err := in.client.Get(in.url + path)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == status
	})
}

// open opens the installation's database beside the process, for as long as the test lasts.
func (in *installation) open() *db.DB {
	in.t.Helper()
	d, err := db.Open(in.t.Context(), db.Options{DSN: in.address})
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() { _ = d.Close() })
	return d
}

func (in *installation) count(d *db.DB, query string) (n int) {
	in.t.Helper()
	err := d.View(in.t.Context(), func(ctx context.Context, tx *db.Tx) error { return tx.QueryRowContext(ctx, query).Scan(&n) })
	if err != nil {
		in.t.Fatal(err)
	}
	return n
}

func (in *installation) expect(d *db.DB, query string, want int) {
	in.t.Helper()
	if got := in.count(d, query); got != want {
		in.t.Errorf("%s: %d, want %d", query, got, want)
	}
}

// conversationOf is the conversation of a phone.
func (in *installation) conversationOf(phone string) (id string) {
	in.t.Helper()
	in.until("the citizen's conversation is there", func() bool {
		var page struct {
			Items []struct {
				ID      string
				Contact struct{ Phone string }
			}
		}
		_, body := in.call(in.t.Context(), http.MethodGet, "/api/v1/conversations?limit=100", nil, "")
		if json.Unmarshal(body, &page) != nil {
			return false
		}
		for _, c := range page.Items {
			if c.Contact.Phone == phone {
				id = c.ID
			}
		}
		return id != ""
	})
	return id
}

// files maps WhatsApp's ids of the messages of a conversation to the states of their files.
func (in *installation) files(conversation string) map[string]string {
	in.t.Helper()
	var page struct {
		Items []struct {
			ExternalID string `json:"external_id"`
			Media      []struct{ State string }
		}
	}
	status, body := in.call(in.t.Context(), http.MethodGet, "/api/v1/conversations/"+conversation+"/messages?limit=100", nil, "")
	if err := json.Unmarshal(body, &page); status != http.StatusOK || err != nil {
		in.t.Fatalf("the messages are answered %d %s", status, body)
	}
	out := make(map[string]string)
	for _, m := range page.Items {
		for _, f := range m.Media {
			out[m.ExternalID] = f.State
		}
	}
	return out
}

// sends are the bodies of all that was posted to Meta as a message or a mark.
func (in *installation) sends() []json.RawMessage {
	in.t.Helper()
	var all struct {
		Items []struct{ Body json.RawMessage }
	}
	in.control(http.MethodGet, "requests?path=/messages&method=POST", nil, &all)
	bodies := make([]json.RawMessage, len(all.Items))
	for i, r := range all.Items {
		bodies[i] = r.Body
	}
	return bodies
}

// oneRecipientEach holds that no payload ever named two recipients, or a group.
func (in *installation) oneRecipientEach() {
	in.t.Helper()
	checked := 0
	for _, raw := range in.sends() {
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			in.t.Errorf("a send is no object: %s", raw)
			continue
		}
		if body["status"] == "read" {
			continue
		}
		checked++
		to, byPhone := body["to"].(string)
		user, byID := body["recipient"].(string)
		one := (byPhone || byID) && !strings.ContainsAny(to+user, ",; ") && (body["recipient_type"] == nil || body["recipient_type"] == "individual")
		if !one || body["recipients"] != nil {
			in.t.Errorf("a send does not name one recipient: %s", raw)
		}
	}
	if checked == 0 {
		in.t.Error("no send was recorded")
	}
}

func (in *installation) exec(file, statement string) {
	in.t.Helper()
	pool := in.sqlite(file)
	if _, err := pool.ExecContext(in.t.Context(), statement); err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) sqlite(file string) *sql.DB {
	in.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// lock holds the write lock of a file of SQLite, as another process does, until free.
func (in *installation) lock(file string) (free func()) {
	in.t.Helper()
	conn, err := in.sqlite(file).Conn(in.t.Context())
	if err != nil {
		in.t.Fatal(err)
	}
	if _, err := conn.ExecContext(in.t.Context(), "BEGIN IMMEDIATE"); err != nil {
		in.t.Fatalf("lock %s: %v", file, err)
	}
	free = sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		if err := errors.Join(err, conn.Close()); err != nil {
			in.t.Errorf("unlock %s: %v", file, err)
		}
	})
	in.t.Cleanup(free)
	return free
}

// limitFiles bounds how large the process may make a file: at 0 its disk is full.
func (in *installation) limitFiles(bytes string) {
	in.t.Helper()
	out, err := exec.Command("prlimit", "--pid", strconv.Itoa(in.process.Process.Pid), "--fsize="+bytes+":unlimited").CombinedOutput()
	if err != nil {
		in.t.Fatalf("prlimit: %v: %s", err, out)
	}
}

// line is a way to PostgreSQL that can be cut.
type line struct {
	t       *testing.T
	address string // of the database by this way
	listen  string
	dial    func() (net.Conn, error)

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]struct{}
}

func openLine(t *testing.T, dsn string) *line {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	network, target := pgconn.NetworkAddress(config.Host, config.Port)
	l := &line{t: t, listen: "127.0.0.1:0", open: make(map[net.Conn]struct{}), dial: func() (net.Conn, error) { return net.Dial(network, target) }}
	l.restore()
	t.Cleanup(l.cut)
	l.address = "postgres://" + config.User + "@" + l.listen + "/" + url.PathEscape(config.Database) + "?sslmode=disable"
	return l
}

// restore takes connections from now on.
func (l *line) restore() {
	l.t.Helper()
	listener, err := net.Listen("tcp", l.listen)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.listener, l.listen = listener, listener.Addr().String()
	l.mu.Unlock()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(c)
		}
	}()
}

func (l *line) carry(c net.Conn) {
	server, err := l.dial()
	if err != nil {
		_ = c.Close()
		return
	}
	l.mu.Lock()
	l.open[c], l.open[server] = struct{}{}, struct{}{}
	l.mu.Unlock()
	copied := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, server}, {server, c}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			copied <- struct{}{}
		}()
	}
	<-copied
	l.mu.Lock()
	delete(l.open, c)
	delete(l.open, server)
	l.mu.Unlock()
	_, _ = c.Close(), server.Close()
}

// drop breaks every connection; new ones are taken.
func (l *line) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}

// cut breaks every connection and refuses new ones.
func (l *line) cut() {
	l.mu.Lock()
	_ = l.listener.Close()
	l.mu.Unlock()
	l.drop()
}

// downloads is the media host between the desk and the simulator; it lets some requests hang.
type downloads struct {
	t  *testing.T
	mu sync.Mutex

	hang, hung int
	id         string
}

// hangDownloads puts itself before the simulator; call it before start.
func (in *installation) hangDownloads() *downloads {
	h := &downloads{t: in.t}
	simulator := in.simulator.Config.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.URL.Query().Get("mid"); id != "" && h.hangs(id) {
			<-r.Context().Done()
			return
		}
		simulator.ServeHTTP(w, r)
	}))
	in.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	in.simulator = server
	return h
}

func (h *downloads) hangs(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hang == 0 {
		return false
	}
	h.hang--
	h.hung++
	h.id = id
	return true
}

// next lets the next n requests hang.
func (h *downloads) next(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hang = n
}

// file is WhatsApp's id of the file that hung last.
func (h *downloads) file() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id
}

// wait waits until n requests hung in all.
func (h *downloads) wait(n int) {
	h.t.Helper()
	(&installation{t: h.t}).until("a download hangs", func() bool { return h.begun() >= n })
}

// begun is how many requests hung in all.
func (h *downloads) begun() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hung
}
