// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// office is the inside of an installation, for tests that put things there.
type office struct {
	*installation
	d            *db.DB
	municipality int64
}

func (in *installation) inside() *office {
	in.t.Helper()
	d, err := db.Open(in.t.Context(), db.Options{DSN: in.address})
	if err != nil {
		in.t.Fatal(err)
	}
	var closing sync.Once
	in.t.Cleanup(func() { closing.Do(func() { _ = d.Close() }) })
	return &office{installation: in, d: d, municipality: in.municipalityID(d)}
}

func (o *office) update(f func(ctx context.Context, tx *db.Tx) error) {
	o.t.Helper()
	if err := o.d.Update(o.t.Context(), f); err != nil {
		o.t.Fatal(err)
	}
}

// receive stores a text of a citizen and returns its conversation.
func (o *office) receive(ctx context.Context, tx *db.Tx, phone, id, text string) (int64, error) {
	people, _, err := contact.Resolve(ctx, tx, o.municipality, []contact.Person{{Phone: phone, Name: "Maria", At: tx.Now()}})
	if err != nil {
		return 0, err
	}
	m := conversation.Message{ID: tx.NewID(), ContactID: people[0], Number: o.phoneNumberID, ExternalID: id, Type: conversation.TypeText, Text: text, At: tx.Now()}
	receipts, err := conversation.Receive(ctx, tx, o.municipality, []conversation.Message{m})
	if err != nil {
		return 0, err
	}
	return receipts[0].Conversation, nil
}

func (o *office) reply(ctx context.Context, tx *db.Tx, id int64, key string) (conversation.Message, error) {
	token := staff.Actor{Kind: staff.TokenKind, ID: 1, Name: "prova", Municipality: o.municipality}
	return conversation.Send(ctx, tx, token, id, conversation.Outgoing{Type: conversation.TypeText, Text: "risposta " + key, ClientKey: key})
}

// fill puts something of every kind there: received, queued, sending and accepted messages, a picture, a
// journal with entries done and not done.
func (o *office) fill() {
	o.t.Helper()
	var ids []int64
	o.update(func(ctx context.Context, tx *db.Tx) error {
		ids = nil
		for i := range 4 {
			id, err := o.receive(ctx, tx, fmt.Sprintf("39333100000%d", i), fmt.Sprintf("wamid.%d", i), "C'è una buca\tin via Garibaldi\\ N° 12\n\"davanti\" alla scuola 🙂")
			if err != nil {
				return err
			}
			if _, err := o.reply(ctx, tx, id, fmt.Sprint("reply-", i)); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	o.update(func(ctx context.Context, tx *db.Tx) error {
		claimed, err := conversation.Claim(ctx, tx, o.municipality, o.phoneNumberID, conversation.Emergency, conversation.Broadcast, 2)
		if err != nil {
			return err
		}
		return conversation.Settle(ctx, tx, o.municipality, o.phoneNumberID, []conversation.Outcome{{MessageID: claimed[0].ID, ConversationID: claimed[0].ConversationID,
			Status: conversation.Accepted, ExternalID: "wamid.out"}})
	})
	o.keepPicture()
	stop := o.keepJournal()
	defer stop()
	o.digest(1)
}

// keepPicture stores a picture with its thumbnail, as an operator attaches one.
func (o *office) keepPicture() {
	o.t.Helper()
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 1000, 700)), nil); err != nil {
		o.t.Fatal(err)
	}
	store, err := media.NewStore(filepath.Join(o.data, "media"))
	if err != nil {
		o.t.Fatal(err)
	}
	f, err := store.Add(o.t.Context(), o.municipality, "buca.jpg", &picture)
	if err != nil {
		o.t.Fatal(err)
	}
	o.update(func(ctx context.Context, tx *db.Tx) error {
		f.ID = tx.NewID()
		return media.Save(ctx, tx, o.municipality, f)
	})
}

// keepJournal appends three entries.
func (o *office) keepJournal() (stop func()) {
	o.t.Helper()
	j := journal.New(o.d, slog.New(slog.DiscardHandler))
	ctx, end := context.WithCancel(o.t.Context())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	for i := range 3 {
		if err := j.Append(ctx, o.municipality, fmt.Appendf(nil, "entry-%d", i)); err != nil {
			o.t.Fatal(err)
		}
	}
	return func() { end(); running.Wait() }
}

// digest makes messages of up to limit journal entries, each named as its entry.
func (o *office) digest(limit int) {
	o.t.Helper()
	j := journal.New(o.d, slog.New(slog.DiscardHandler))
	_, err := j.Process(o.t.Context(), limit, func(ctx context.Context, tx *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
		for _, e := range entries {
			if _, err := o.receive(ctx, tx, "393332000000", string(e.Body), "dal giornale"); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// rows are all rows that a query finds, in an order that depends on nothing else.
func (o *office) rows(view func(context.Context, func(context.Context, *db.Tx) error) error, query string) (found []string) {
	o.t.Helper()
	err := view(o.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values, targets := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			found = append(found, fmt.Sprint(values...))
		}
		return rows.Err()
	})
	if err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
	slices.Sort(found)
	return found
}

// unchanged are queries that must find the same before a backup and after its restore.
var unchanged = []string{"SELECT * FROM municipality", "SELECT * FROM number", "SELECT * FROM template", "SELECT * FROM staff", "SELECT * FROM membership",
	"SELECT * FROM token", "SELECT * FROM contact", "SELECT * FROM contact_address", "SELECT * FROM conversation", "SELECT * FROM conversation_event",
	"SELECT * FROM media", "SELECT * FROM tally", "SELECT * FROM quarantine", "SELECT * FROM status_early",
	"SELECT message_id, conversation_id, contact_id, direction, type, text, detail, external_id, client_key, at, created_at, accepted_at FROM message",
	"SELECT kind, args, state FROM river_job"}

// elsewhere is an empty installation with a database of its own.
func (in *installation) elsewhere(address string) *installation {
	other := *in
	other.address, other.data, other.process = address, in.t.TempDir(), nil
	other.listenSomewhere()
	in.t.Cleanup(other.kill)
	return &other
}

// bringKey copies the key of another installation, as an administrator must.
func (in *installation) bringKey(from *installation) {
	in.t.Helper()
	key, err := os.ReadFile(filepath.Join(from.data, "secret.key"))
	if err != nil {
		in.t.Fatal(err)
	}
	in.file("secret.key", string(key))
}

// eachPair runs f over an installation and the address of a second database of the same engine.
func eachPair(t *testing.T, f func(t *testing.T, in *installation, other string)) {
	targets := dbtest.DSNs(t)
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) { f(t, install(t, address), targets[engine]) })
	}
}

func TestRestoreBringsEverythingBack(t *testing.T) {
	eachPair(t, func(t *testing.T, in *installation, target string) {
		before := in.inside()
		before.fill()
		file := filepath.Join(t.TempDir(), "backup.tar")
		in.try("", "backup", file).want(t, 0, "2 files of media", "The key is not in it")
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the backup is %v, %v", info.Mode(), err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
			t.Errorf("beside the backup there is %v", left)
		}
		back := in.elsewhere(target)
		back.bringKey(in)
		back.try("", "restore", file).want(t, 0, "3 messages were waiting", "uncertain", "opens its secrets")
		after := back.inside()
		for _, query := range unchanged {
			if a, b := before.rows(before.d.View, query), after.rows(after.d.View, query); !slices.Equal(a, b) {
				t.Errorf("%s: before\n%s\nafter\n%s", query, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		}
		const entries = "SELECT j.*, w.entry_id FROM journal j LEFT JOIN journal_waiting w ON w.municipality_id = j.municipality_id AND w.entry_id = j.entry_id"
		if a, b := before.rows(before.d.ViewJournal, entries), after.rows(after.d.ViewJournal, entries); !slices.Equal(a, b) || len(b) != 3 {
			t.Errorf("journal before %v, after %v", a, b)
		}
		after.checkSafe(map[conversation.Status]int{conversation.Accepted: 1, conversation.Uncertain: 3})
		after.checkPictures(before)
		after.digest(10) // what the journal had not handed over yet
		if n := len(after.rows(after.d.View, "SELECT 1 FROM message WHERE text = 'dal giornale'")); n != 3 {
			t.Errorf("%d of 3 journal entries became messages", n)
		}
		back.try("", "restore", file).want(t, 1, "not empty")
	})
}

// checkSafe holds the outbox against what it must be, and looks for the row in the audit trail.
func (o *office) checkSafe(want map[conversation.Status]int) {
	o.t.Helper()
	err := o.d.View(o.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		account, err := towntest.Outbox(ctx, tx, o.municipality)
		if err != nil {
			return err
		}
		if fmt.Sprint(account) != fmt.Sprint(want) {
			o.t.Errorf("the outbox is %v, want %v", account, want)
		}
		found, err := tx.Search(ctx, db.MessageSearch, o.municipality, "garibaldi buca", 100)
		if err != nil {
			return err
		}
		if len(found) != 4 {
			o.t.Errorf("search finds %d messages", len(found))
		}
		page, err := staff.AuditPage(ctx, tx, o.municipality, 0, 1)
		if err == nil && (page[0].Action != "installation.restored" || fmt.Sprint(page[0].Detail["uncertain"]) != "3") {
			o.t.Errorf("the newest in the audit trail is %+v", page[0])
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	// What is uncertain must come before a person some day: it needs the time since when it is.
	if n := len(o.rows(o.d.View, "SELECT 1 FROM message WHERE stage = 30 AND sending_at IS NULL")); n > 0 {
		o.t.Errorf("%d uncertain messages would never be offered", n)
	}
}

func (o *office) checkPictures(from *office) {
	o.t.Helper()
	pictures := func(o *office) map[string]string {
		out := map[string]string{}
		root := os.DirFS(filepath.Join(o.data, "media"))
		names, err := filepath.Glob(filepath.Join(o.data, "media", "*", "*", "*"))
		if err != nil {
			o.t.Fatal(err)
		}
		for _, name := range names {
			name, _ = filepath.Rel(filepath.Join(o.data, "media"), name)
			f, err := root.Open(filepath.ToSlash(name))
			if err != nil {
				o.t.Fatal(err)
			}
			content, err := io.ReadAll(f)
			if err != nil {
				o.t.Fatal(err)
			}
			_ = f.Close()
			out[name] = string(content)
		}
		return out
	}
	a, b := pictures(from), pictures(o)
	if len(a) != 3 || len(b) != 2 { // the picture, its thumbnail, and how it is shown, which is made again when asked for
		o.t.Errorf("%d files of media before, %d after", len(a), len(b))
	}
	maps.DeleteFunc(a, func(name, _ string) bool { return media.MadeAgain(name) })
	for name, content := range a {
		if b[name] != content {
			o.t.Errorf("%s is another one", name)
		}
	}
}

// A backup taken while everything writes is of one moment: each entry of the journal that is marked as
// done is a message, and everything that was committed before the backup began is in it.
func TestBackupWhileEverythingWrites(t *testing.T) {
	eachPair(t, func(t *testing.T, in *installation, target string) {
		o := in.inside()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		j := journal.New(o.d, slog.New(slog.DiscardHandler))
		var running sync.WaitGroup
		var mu sync.Mutex
		var appended []string
		running.Go(func() { j.Run(ctx) })
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				body := fmt.Sprint("entry-", i)
				if j.Append(ctx, o.municipality, []byte(body)) == nil {
					mu.Lock()
					appended = append(appended, body)
					mu.Unlock()
				}
			}
		})
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_, err := j.Process(ctx, 1, func(ctx context.Context, tx *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
					for _, e := range entries {
						// each from another citizen, so that each opens a conversation
						id, err := o.receive(ctx, tx, fmt.Sprint("39", 3_330_000_000+e.ID%1_000_000_000), string(e.Body), "dal giornale")
						if err != nil {
							return nil, err
						}
						if _, err := o.reply(ctx, tx, id, string(e.Body)); err != nil && id != 0 {
							return nil, err
						}
					}
					return nil, nil
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
		count := func() int { mu.Lock(); defer mu.Unlock(); return len(appended) }
		in.until("a few hundred entries are there", func() bool { return count() > 300 })
		mu.Lock()
		promised := slices.Clone(appended)
		mu.Unlock()
		file := filepath.Join(t.TempDir(), "backup.tar")
		in.try("", "backup", file).want(t, 0)
		if during := count(); during <= len(promised) {
			t.Errorf("nothing was written during the backup")
		}
		end()
		running.Wait()
		back := in.elsewhere(target)
		back.bringKey(in)
		back.try("", "restore", file).want(t, 0, "opens its secrets")
		after := back.inside()
		text := "convert_from(body, 'UTF8')"
		if after.d.Engine == db.SQLite {
			text = "CAST(body AS text)"
		}
		entries := after.rows(after.d.ViewJournal, "SELECT "+text+" FROM journal")
		for _, body := range promised {
			if _, ok := slices.BinarySearch(entries, body); !ok {
				t.Errorf("%s was committed before the backup and is not in it", body)
			}
		}
		messages := after.rows(after.d.View, "SELECT external_id FROM message WHERE direction = 'in'")
		for _, body := range after.rows(after.d.ViewJournal, "SELECT "+text+" FROM journal j WHERE NOT EXISTS (SELECT 1 FROM journal_waiting w WHERE w.entry_id = j.entry_id AND w.municipality_id = j.municipality_id)") {
			if _, ok := slices.BinarySearch(messages, body); !ok {
				t.Errorf("%s is marked as done and is no message", body)
			}
		}
		torn := after.rows(after.d.View, `SELECT message_id FROM message m WHERE NOT EXISTS
			(SELECT 1 FROM conversation c WHERE c.municipality_id = m.municipality_id AND c.conversation_id = m.conversation_id)`)
		if len(torn) > 0 {
			t.Errorf("%d messages belong to no conversation: the tables are of different moments", len(torn))
		}
		if queued := after.rows(after.d.View, "SELECT 1 FROM message WHERE stage IN (10, 20)"); len(queued) > 0 {
			t.Errorf("%d messages would be sent", len(queued))
		}
	})
}

// Restoring never sends: the desk runs again, and of what was waiting nothing reaches a citizen, while
// new replies do.
func TestNothingIsSentAfterRestore(t *testing.T) {
	eachPair(t, func(t *testing.T, in *installation, target string) {
		in.inside().fill()
		file := filepath.Join(t.TempDir(), "backup.tar")
		in.try("", "backup", file).want(t, 0)
		back := in.elsewhere(target)
		back.bringKey(in)
		back.try("", "restore", file).want(t, 0)
		back.control(http.MethodPut, "webhook", map[string]any{"url": back.url + "/webhooks/whatsapp/" + back.slug, "app_secret": "simulator", "verify_token": "simulator"}, nil)
		back.start()
		id := back.openConversations(1)[0]
		status, body := back.call(t.Context(), http.MethodPost, "/api/v1/conversations/"+id+"/messages", map[string]any{"text": "nuova risposta"}, "new")
		if status != http.StatusAccepted {
			t.Fatalf("a new reply is answered %d %s", status, body)
		}
		back.until("the new reply goes out", func() bool { return len(back.sentByCallback()) > 0 })
		back.settleDown()
		back.stop() // finishes what is in flight
		if sent := back.sentByCallback(); len(sent) != 1 {
			t.Errorf("on the wire are %d messages, want only the new one", len(sent))
		}
	})
}

func TestRestoreTellsOfTheKey(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	file := filepath.Join(t.TempDir(), "backup.tar")
	in.try("", "backup", file).want(t, 0)
	without := in.elsewhere(dbtest.DSNs(t)["sqlite"])
	without.try("", "restore", file).want(t, 0, "The key is missing: "+filepath.Join(without.data, "secret.key"), "Put the key file")
	if _, err := os.Stat(filepath.Join(without.data, "secret.key")); err == nil {
		t.Error("a key was made where the one of the backup belongs")
	}
	other := in.elsewhere(dbtest.DSNs(t)["sqlite"])
	other.try("", "migrate").want(t, 0) // makes another key
	other.try("", "restore", file).want(t, 0, "does not open the secrets", "Put the key file")
	other.try("", "doctor").want(t, 1, "Bring back the key")
	other.try("", "apply", other.file("prova.yaml", testFile)).want(t, 0, "access_token changed")
	other.try("", "token", "list").want(t, 0, "prova")
	without.bringKey(in)
	without.try("", "token", "list").want(t, 0, "prova")
}

// What is not whole, or not for here, is refused, and leaves the installation as empty as it was.
func TestRestoreRefuses(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.inside().fill()
	file := filepath.Join(t.TempDir(), "backup.tar")
	in.try("", "backup", file).want(t, 0)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int) []byte {
		bad := bytes.Clone(whole)
		bad[at] ^= 1
		return bad
	}
	replace := func(old, new string) []byte { return bytes.ReplaceAll(whole, []byte(old), []byte(new)) }
	targets := dbtest.DSNs(t)
	postgres := in.elsewhere(targets["postgres"])
	empty := in.elsewhere(targets["sqlite"])
	tests := []struct {
		name    string
		content []byte
		into    *installation
		says    string
	}{
		{"a changed bit in the database", change(bytes.Index(whole, []byte("SQLite format 3")) + 5000), empty, "damaged"},
		{"a changed bit in a picture", change(bytes.LastIndex(whole, []byte("\xff\xd8\xff")) + 100), empty, "damaged"},
		{"cut short", whole[:len(whole)/2], empty, "cut short"},
		{"without its end", whole[:bytes.LastIndex(whole, []byte("manifest.json"))], empty, "cut short"},
		{"something else", []byte("hello"), empty, "not a backup"},
		{"empty", nil, empty, "not a backup"},
		{"of another engine", whole, postgres, "FILODIRETTO_DATABASE is postgresql"},
		{"of a newer version", replace("008_search.sqlite.sql", "999_search.sqlite.sql"), empty, "a newer version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.into.t = t
			test.into.try("", "restore", test.into.file("bad.tar", string(test.content))).want(t, 1, test.says)
			left, err := filepath.Glob(filepath.Join(test.into.data, ".restore-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
	empty.t = t
	empty.try("", "restore", file).want(t, 0, "Restored")
	running := in.elsewhere(dbtest.DSNs(t)["sqlite"])
	running.start()
	running.try("", "restore", file).want(t, 1, "another serve runs")
}

// A backup that can't be written leaves nothing that looks like one, nor what was there before in pieces.
func TestBackupThatFailsLeavesTheEarlierOne(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.try("", "backup", filepath.Join(in.data, "nowhere", "backup.tar")).want(t, 1, "nowhere")
	file := filepath.Join(t.TempDir(), "backup.tar")
	in.try("", "backup", file).want(t, 0)
	in.try("", "backup", file).want(t, 0)
	if err := os.Mkdir(file+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(file+".tmp", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in.try("", "backup", file).want(t, 1, "earlier backup")
	back := in.elsewhere(dbtest.DSNs(t)["sqlite"])
	back.try("", "restore", file).want(t, 0)
}
