// SPDX-License-Identifier: AGPL-3.0-or-later

package retention_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/retention"
)

const (
	ours   = int64(1)
	theirs = int64(2)
	line   = "100000000000001"
)

var now = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// town is a database with the rows of two municipalities.
type town struct {
	t     *testing.T
	d     *db.DB
	now   time.Time
	files string
	store *media.Store
	last  map[int64]int64 // the last id made for a moment
	lag   func(context.Context) (time.Duration, error)
}

func each(t *testing.T, f func(w *town)) {
	t.Helper()
	w := &town{}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w.open(t, d)
		f(w)
	}, func(o *db.Options) { o.Now = func() time.Time { return w.now } })
}

func (w *town) open(t *testing.T, d *db.DB) {
	*w = town{t: t, d: d, now: now, files: t.TempDir(), last: make(map[int64]int64), lag: func(context.Context) (time.Duration, error) { return 0, nil }}
	var err error
	if w.store, err = media.NewStore(w.files); err != nil {
		t.Fatal(err)
	}
}

func (w *town) keeper() *retention.Keeper {
	return retention.New(w.d, nil, w.store, func(ctx context.Context) (time.Duration, error) { return w.lag(ctx) }, slog.New(slog.DiscardHandler))
}

func comune(id int64) *municipality.Municipality {
	return &municipality.Municipality{ID: id, File: &municipality.File{Retention: municipality.Retention{Messages: "24m", Media: "6m", Consents: "5y"}}}
}

// run does what the job does.
func (w *town) run() {
	w.t.Helper()
	if err := w.keeper().Run(w.t.Context(), comune(ours)); err != nil {
		w.t.Fatal(err)
	}
}

// id makes one of a moment.
func (w *town) id(at time.Time) int64 {
	first := db.FirstID(at)
	if w.last[first] == 0 {
		w.last[first] = first - 1
	}
	w.last[first]++
	return w.last[first]
}

func (w *town) exec(query string, args ...any) {
	w.t.Helper()
	err := w.d.Update(w.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *town) count(query string, args ...any) (n int) {
	w.t.Helper()
	err := w.d.View(w.t.Context(), func(ctx context.Context, tx *db.Tx) error { return tx.QueryRowContext(ctx, query, args...).Scan(&n) })
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (w *town) expect(want int, query string, args ...any) {
	w.t.Helper()
	if n := w.count(query, args...); n != want {
		w.t.Errorf("%d, want %d: %s %v", n, want, query, args)
	}
}

func (w *town) citizen(m int64, name string, at time.Time) int64 {
	id := w.id(at)
	w.exec(`INSERT INTO contact (municipality_id, contact_id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)`, m, id, name, at)
	w.exec(`INSERT INTO contact_address (municipality_id, kind, value, contact_id, since) VALUES ($1, 'phone', $2, $3, $4)`, m, fmt.Sprint("39", id), id, at)
	w.index(m, db.ContactSearch, id, name)
	return id
}

func (w *town) index(m int64, index db.Index, id int64, text string) {
	w.t.Helper()
	err := w.d.Update(w.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return tx.Index(ctx, index, m, []db.Doc{{ID: id, Text: text}}, false)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) finds(m int64, index db.Index, word string) (n int) {
	w.t.Helper()
	err := w.d.View(w.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		ids, err := tx.Search(ctx, index, m, word, 50)
		n = len(ids)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// talk is a conversation in a state, whose last message is last.
func (w *town) talk(m, citizen int64, state string, at time.Time) int64 {
	id := w.id(at)
	w.exec(`INSERT INTO conversation (municipality_id, conversation_id, number, contact_id, state, opened_at, last_message_at, resolved_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $6)`,
		m, id, line, citizen, state, at)
	w.exec(`INSERT INTO conversation_event (municipality_id, event_id, conversation_id, contact_id, number, at, kind, actor_kind, actor_id, actor_name)
		VALUES ($1, $2, $3, $4, $5, $6, 'opened', '', 0, '')`, m, w.id(at), id, citizen, line, at)
	w.exec(`INSERT INTO draft (municipality_id, conversation_id, staff_id, draft_key, mode, text, updated_at) VALUES ($1, $2, 1, 'd', 'reply', 'bozza', $3)`, m, id, at)
	return id
}

type message struct {
	text      string
	status    conversation.Status
	file      int64
	broadcast int64
	code      int
}

// says is a message of a citizen's conversation; it becomes its last.
func (w *town) says(m, citizen, talk int64, at time.Time, what message) int64 {
	id := w.id(at)
	w.exec(`INSERT INTO message (municipality_id, message_id, conversation_id, contact_id, number, direction, type, text, external_id, status, media_id, broadcast_id, error_code, lane, at, created_at, next_at)
		VALUES ($1, $2, $3, $4, $5, 'out', 'text', $6, $7, $8, $9, $10, $11, 1, $12, $12, $12)`, m, id, talk, citizen, line, what.text, fmt.Sprintf("wamid.%d.%d", m, id), int16(what.status), what.file, what.broadcast, what.code, at)
	if what.text != "" {
		w.index(m, db.MessageSearch, id, what.text)
	}
	if what.broadcast == 0 {
		w.exec(`INSERT INTO revision (municipality_id, external_id, target, contact_id, kind, text, same_text, at, place, applied) VALUES ($1, $2, $3, $4, 'original', 'prima', $5, $6, 0, $7)`,
			m, fmt.Sprintf("wamid.r.%d.%d", m, id), fmt.Sprintf("wamid.%d.%d", m, id), citizen, false, at, true)
	}
	if talk != 0 {
		w.exec(`UPDATE conversation SET last_message_id = $3, last_message_at = $4, last_text = $5 WHERE municipality_id = $1 AND conversation_id = $2`, m, talk, id, at, what.text)
	}
	return id
}

// file is one that is ready, with its content and thumbnail on the disk since long ago.
func (w *town) file(m int64, content string, at time.Time) (id int64, sha string) {
	w.t.Helper()
	id, sha = w.id(at), strings.Repeat(content, 64)
	w.exec(`INSERT INTO media (municipality_id, media_id, direction, mime, name, sha256, size, state, thumbnail, created_at) VALUES ($1, $2, 'in', 'image/png', 'foto.png', $3, 5, 'ready', $4, $5)`, m, id, sha, true, at)
	name := w.place(m, sha)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		w.t.Fatal(err)
	}
	for _, suffix := range []string{"", ".thumbnail", ".shown", ".sound"} {
		if err := os.WriteFile(name+suffix, []byte("bytes"), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		w.t.Fatal(err)
	}
	return id, sha
}

func (w *town) place(m int64, sha string) string {
	return filepath.Join(w.files, fmt.Sprint(m), sha[:2], sha)
}

// onDisk are the files of a content that are there.
func (w *town) onDisk(m int64, sha string) int {
	found, err := filepath.Glob(w.place(m, sha) + "*")
	if err != nil {
		w.t.Fatal(err)
	}
	return len(found)
}

// Everything is made twice, for a municipality whose time is over and for its neighbour: nothing of the
// neighbour's goes.
func TestOldMessagesGoWithAllThatHangsOnThem(t *testing.T) {
	each(t, func(w *town) {
		limit := now.AddDate(0, -24, 0)
		old, young := limit.Add(-30*24*time.Hour), now.Add(-24*time.Hour)
		made := map[int64]map[string]int64{}
		for _, m := range []int64{ours, theirs} {
			id := map[string]int64{}
			made[m] = id
			id["gone"] = w.citizen(m, "Ada Lampioni", old)
			talk := w.talk(m, id["gone"], "resolved", old)
			w.says(m, id["gone"], talk, old, message{text: "lampione spento", status: conversation.Read})
			w.exec(`INSERT INTO contact (municipality_id, contact_id, name, merged_into, created_at, updated_at) VALUES ($1, $2, 'Ada', $3, $4, $4)`, m, w.id(old), id["gone"], old)

			id["edge"] = w.citizen(m, "Bea Orlo", old)
			talk = w.talk(m, id["edge"], "resolved", limit)
			id["before"] = w.says(m, id["edge"], talk, limit.Add(-time.Millisecond), message{text: "tombino rotto"})
			id["after"] = w.says(m, id["edge"], talk, limit, message{text: "fontana chiusa"})

			id["waiting"] = w.citizen(m, "Carla Aperta", old)
			id["open"] = w.talk(m, id["waiting"], "open", old)
			w.says(m, id["waiting"], id["open"], old, message{text: "panchina divelta"})

			id["queued"] = w.citizen(m, "Dino Coda", old)
			w.says(m, id["queued"], w.talk(m, id["queued"], "resolved", old), old, message{text: "semaforo", status: conversation.Queued})

			id["proven"] = w.citizen(m, "Elia Consenso", old)
			w.exec(`INSERT INTO consent (municipality_id, consent_id, contact_id, topic, event, at, recorded_at, channel, policy_version, policy_hash, language, actor_kind, actor_id, actor_name, hash)
				VALUES ($1, $2, $3, 'AVVISI', 'withdrawn', $4, $4, 'whatsapp', '1', '', 'it', 'citizen', $3, '', '')`, m, w.id(old), id["proven"], old)
			id["subscribed"] = w.citizen(m, "Fabio Iscritto", old)
			w.exec(`INSERT INTO subscription (municipality_id, contact_id, topic, state, since, at) VALUES ($1, $2, 'AVVISI', 1, $3, $3)`, m, id["subscribed"], old)
			id["blocked"] = w.citizen(m, "Ivo Bloccato", old)
			w.exec(`INSERT INTO blocked (municipality_id, number, contact_id, at) VALUES ($1, $2, $3, $4)`, m, line, id["blocked"], old)
			id["new"] = w.citizen(m, "Gino Nuovo", young)
		}
		w.run()
		for _, c := range []struct {
			m    int64
			left int
		}{{ours, 0}, {theirs, 1}} {
			id := made[c.m]
			w.expect(c.left, `SELECT count(*) FROM contact WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["gone"])
			w.expect(c.left, `SELECT count(*) FROM contact WHERE municipality_id = $1 AND merged_into <> 0`, c.m)
			w.expect(c.left, `SELECT count(*) FROM contact_address WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["gone"])
			w.expect(c.left, `SELECT count(*) FROM conversation WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["gone"])
			w.expect(c.left, `SELECT count(*) FROM message WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["gone"])
			w.expect(c.left, `SELECT count(*) FROM revision WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["gone"])
			w.expect(c.left, `SELECT count(*) FROM conversation_event WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["gone"])
			w.expect(c.left*3, `SELECT count(*) FROM draft WHERE municipality_id = $1 AND updated_at < $2`, c.m, limit)
			w.expect(c.left, `SELECT count(*) FROM message WHERE municipality_id = $1 AND message_id = $2`, c.m, id["before"])
			w.expect(1, `SELECT count(*) FROM message WHERE municipality_id = $1 AND message_id = $2`, c.m, id["after"])
			w.expect(1, `SELECT count(*) FROM conversation WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["edge"])
			w.expect(c.left, `SELECT count(*) FROM message WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["waiting"])
			w.expect(1, `SELECT count(*) FROM conversation WHERE municipality_id = $1 AND conversation_id = $2 AND state = 'open'`, c.m, id["open"])
			w.expect(c.left, `SELECT count(*) FROM conversation WHERE municipality_id = $1 AND conversation_id = $2 AND last_text <> ''`, c.m, id["open"])
			w.expect(1, `SELECT count(*) FROM message WHERE municipality_id = $1 AND contact_id = $2`, c.m, id["queued"])
			for _, kept := range []string{"edge", "waiting", "queued", "proven", "subscribed", "blocked", "new"} {
				w.expect(1, `SELECT count(*) FROM contact WHERE municipality_id = $1 AND contact_id = $2`, c.m, id[kept])
			}
			for word, want := range map[string]int{"lampione": c.left, "tombino": c.left, "panchina": c.left, "fontana": 1, "semaforo": 1} {
				if n := w.finds(c.m, db.MessageSearch, word); n != want {
					t.Errorf("municipality %d: %d messages with %s are found, want %d", c.m, n, word, want)
				}
			}
			if n := w.finds(c.m, db.ContactSearch, "lampioni"); n != c.left {
				t.Errorf("municipality %d: %d citizens are found, want %d", c.m, n, c.left)
			}
			w.expect(1-c.left, `SELECT count(*) FROM audit WHERE municipality_id = $1 AND action = 'retention.deleted'`, c.m)
		}
		var detail string
		err := w.d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			last, err := retention.LastRun(ctx, tx, ours)
			if err != nil || last == nil || !last.Equal(now) {
				t.Errorf("the last run was %v, %v", last, err)
			}
			return tx.QueryRowContext(ctx, `SELECT CAST(detail AS text) FROM audit`).Scan(&detail)
		})
		if want := `"messages":3`; err != nil || !strings.Contains(strings.ReplaceAll(detail, " ", ""), want) {
			t.Errorf("the trail says %s, want %s (%v)", detail, want, err)
		}
		w.run()
		w.expect(1, `SELECT count(*) FROM audit`)
	})
}

// A content is on the disk for as long as any file of its municipality has it.
func TestContentsGoWhenNobodyHasThem(t *testing.T) {
	each(t, func(w *town) {
		old, ancient := now.AddDate(0, -7, 0), now.AddDate(0, -25, 0)
		who := w.citizen(ours, "Ada", ancient)
		single, singleHash := w.file(ours, "a", old)
		shared, sharedHash := w.file(ours, "b", old)
		young, _ := w.file(ours, "b", now.Add(-time.Hour))
		again, againHash := w.file(ours, "c", old)
		gone, goneHash := w.file(ours, "d", ancient)
		_, neighbourHash := w.file(theirs, "a", old)
		w.says(ours, who, 0, old, message{file: single})
		w.says(ours, who, 0, old, message{file: shared})
		w.says(ours, who, 0, now.Add(-time.Hour), message{file: young})
		w.says(ours, who, 0, old, message{file: again})
		w.says(ours, who, 0, now.Add(-time.Hour), message{file: again})
		w.says(ours, who, 0, ancient, message{file: gone})
		w.run()
		w.expect(1, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1 AND state = 'failed' AND reason = 'media.old' AND name = 'foto.png'`, single)
		w.expect(1, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1 AND state = 'failed'`, shared)
		w.expect(1, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1 AND state = 'ready'`, young)
		w.expect(1, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1 AND state = 'ready'`, again)
		w.expect(0, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1`, gone)
		if n := w.onDisk(ours, singleHash); n != 4 {
			t.Errorf("%d files are there at once, want all 4: somebody may be about to save the same", n)
		}
		w.now = w.now.Add(61 * time.Minute)
		w.run()
		for hash, want := range map[string]int{singleHash: 0, sharedHash: 4, againHash: 4, goneHash: 0} {
			if n := w.onDisk(ours, hash); n != want {
				t.Errorf("%d files of content %.1s are there, want %d", n, hash, want)
			}
		}
		if n := w.onDisk(theirs, neighbourHash); n != 4 {
			t.Errorf("%d files of the neighbour are there", n)
		}
		w.expect(0, `SELECT count(*) FROM media_deleted`)
	})
}

// Who attaches a content whose last file has just gone keeps it, although no row tells of it yet.
func TestAContentThatComesAgainStays(t *testing.T) {
	each(t, func(w *town) {
		add := func() media.File {
			t.Helper()
			f, err := w.store.Add(t.Context(), ours, "orari.pdf", strings.NewReader("%PDF-1.4\n%%EOF\n"))
			if err != nil {
				t.Fatal(err)
			}
			f.ID = w.id(w.now.AddDate(0, -7, 0))
			return f
		}
		save := func(f media.File) {
			t.Helper()
			err := w.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return media.Save(ctx, tx, ours, f) })
			if err != nil {
				t.Fatal(err)
			}
		}
		first := add()
		save(first)
		past := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(w.place(ours, first.SHA256), past, past); err != nil {
			t.Fatal(err)
		}
		w.run()
		w.now = w.now.Add(2 * time.Hour)
		second := add()
		w.run()
		if n := w.onDisk(ours, first.SHA256); n == 0 {
			t.Error("the content is gone while somebody was about to save it")
		}
		w.expect(1, `SELECT count(*) FROM media_deleted`)
		second.ID = w.id(w.now)
		save(second)
		w.run()
		w.expect(0, `SELECT count(*) FROM media_deleted`)
		if n := w.onDisk(ours, first.SHA256); n == 0 {
			t.Error("the content is gone although a file has it")
		}
	})
}

// cast is a broadcast of a moment with copies in some states.
func (w *town) cast(at time.Time, over bool, outcomes ...message) int64 {
	id := w.id(at)
	var completed *time.Time
	if over {
		completed = &at
	}
	w.exec(`INSERT INTO broadcast (municipality_id, broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads, category, free, author_kind, author_id, author_name,
		created_at, written_at, updated_at, started_at, completed_at, recipients, reach) VALUES (1, $1, 'sending', $2, $2, '[]', '[]', '[]', '{}', '', '', '', '', 0, '', $3, $3, $3, $3, $4, $5, '{"p50":7}')`,
		id, false, at, completed, len(outcomes))
	w.exec(`INSERT INTO broadcast_content (municipality_id, broadcast_id, text, detail, free) VALUES (1, $1, 'Strada chiusa', '{}', '')`, id)
	for _, o := range outcomes {
		o.broadcast = id
		w.says(ours, w.citizen(ours, "Iscritto", at), 0, at, o)
	}
	return id
}

// What became of a broadcast is told in the same figures when the rows are gone that told it.
func TestFiguresOfABroadcastOutliveItsCopies(t *testing.T) {
	each(t, func(w *town) {
		old := now.AddDate(0, -25, 0)
		ended := w.cast(old, true, message{status: conversation.Read}, message{status: conversation.Read}, message{status: conversation.Delivered},
			message{status: conversation.Failed, code: 131026}, message{status: conversation.Skipped})
		open := w.cast(old, false, message{status: conversation.Read})
		look := func(id int64) (r broadcast.Reach, failures map[int]int) {
			t.Helper()
			err := w.d.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
				if r, err = broadcast.CountReach(ctx, tx, ours, id); err != nil {
					return err
				}
				failures, err = broadcast.Failures(ctx, tx, ours, id)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return r, failures
		}
		before, _ := look(ended)
		w.run()
		w.expect(0, `SELECT count(*) FROM message WHERE broadcast_id = $1`, ended)
		w.expect(0, `SELECT count(*) FROM broadcast_content WHERE broadcast_id = $1`, ended)
		w.expect(1, `SELECT count(*) FROM message WHERE broadcast_id = $1`, open)
		w.expect(1, `SELECT count(*) FROM broadcast_content WHERE broadcast_id = $1`, open)
		after, failures := look(ended)
		if after.Outcomes != before.Outcomes || after.Read != 2 || failures[131026] != 1 {
			t.Errorf("it was %+v, and is now %+v, %v", before.Outcomes, after.Outcomes, failures)
		}
		if after.P50 != 7 {
			t.Errorf("half was reached after %v s, want what was last counted", after.P50)
		}
		w.run()
		if again, _ := look(ended); again.Outcomes != after.Outcomes {
			t.Errorf("a second run makes it %+v", again.Outcomes)
		}
	})
}

var errKilled = errors.New("killed")

// A run that ends anywhere is only continued by the next, and nothing is counted twice.
func TestARunMayEndAnywhere(t *testing.T) {
	each(t, func(w *town) {
		old := now.AddDate(0, -25, 0)
		const citizens = 60
		for i := range citizens {
			who := w.citizen(ours, fmt.Sprint("Cittadino ", i), old)
			w.says(ours, who, w.talk(ours, who, "resolved", old), old, message{text: "buca in strada", status: conversation.Read})
		}
		w.cast(old, true, message{status: conversation.Read}, message{status: conversation.Sent})
		ended := 0
		for ended < 200 {
			steps := 0
			w.lag = func(context.Context) (time.Duration, error) {
				if steps++; steps > 1 {
					return 0, errKilled
				}
				return 0, nil
			}
			err := w.keeper().Run(t.Context(), comune(ours))
			if err == nil {
				break
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			ended++
		}
		if ended < 2 {
			t.Errorf("only %d runs were ended: it does not try what it says", ended)
		}
		for _, table := range []string{"message", "conversation", "conversation_event", "draft", "revision", "contact", "contact_address", "message_search"} {
			w.expect(0, `SELECT count(*) FROM `+table)
		}
		w.expect(2, `SELECT CAST(sum(count) AS integer) FROM copies_deleted`)
		var detail string
		err := w.d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT CAST(detail AS text) FROM audit`).Scan(&detail)
		})
		detail = strings.ReplaceAll(detail, " ", "")
		if err != nil || !strings.Contains(detail, fmt.Sprintf(`"messages":%d`, citizens+2)) || !strings.Contains(detail, fmt.Sprintf(`"contacts":%d`, citizens+2)) {
			t.Errorf("the trail says %s (%v)", detail, err)
		}
	})
}

// Two at once do what one does.
func TestTwoAtOnceShareTheWork(t *testing.T) {
	each(t, func(w *town) {
		old := now.AddDate(0, -25, 0)
		for i := range 80 {
			who := w.citizen(ours, fmt.Sprint("Cittadino ", i), old)
			w.says(ours, who, w.talk(ours, who, "resolved", old), old, message{text: "buca", status: conversation.Read})
		}
		w.cast(old, true, message{status: conversation.Read}, message{status: conversation.Sent})
		failed := make([]error, 2)
		var running sync.WaitGroup
		for i := range failed {
			running.Go(func() { failed[i] = w.keeper().Run(t.Context(), comune(ours)) })
		}
		running.Wait()
		if err := errors.Join(failed...); err != nil {
			t.Fatal(err)
		}
		w.run()
		w.expect(0, `SELECT count(*) FROM message`)
		w.expect(0, `SELECT count(*) FROM contact`)
		w.expect(2, `SELECT CAST(sum(count) AS integer) FROM copies_deleted`)
		w.expect(1, `SELECT count(*) FROM audit`)
	})
}

// While the desk is behind, nothing more is deleted.
func TestItWaitsWhileTheDeskIsBehind(t *testing.T) {
	each(t, func(w *town) {
		old := now.AddDate(0, -25, 0)
		who := w.citizen(ours, "Ada", old)
		for range 300 {
			w.says(ours, who, 0, old, message{status: conversation.Read})
		}
		looked := make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		looks := 0
		w.lag = func(context.Context) (time.Duration, error) {
			if looks++; looks == 3 {
				looked <- struct{}{}
			}
			return time.Minute, nil
		}
		done := make(chan error, 1)
		go func() { done <- w.keeper().Run(ctx, comune(ours)) }()
		<-looked
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if n := w.count(`SELECT count(*) FROM message`); n < 200 || n == 300 {
			t.Errorf("%d of 300 messages are left after the first slice", n)
		}
	})
}

func (w *town) consent(m, citizen int64, topic, event string, at time.Time) (id int64) {
	w.t.Helper()
	id = w.id(at)
	w.exec(`INSERT INTO consent (municipality_id, consent_id, contact_id, topic, event, at, recorded_at, channel, policy_version, policy_hash, language, actor_kind, actor_id, actor_name, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $6, 'whatsapp', '1', '', 'it', 'citizen', $3, '', '')`, m, id, citizen, topic, event, at)
	return id
}

func (w *town) onList(m, citizen int64, topic string, state int, at time.Time) {
	w.t.Helper()
	w.exec(`INSERT INTO subscription (municipality_id, contact_id, topic, state, since, at) VALUES ($1, $2, $3, $4, $5, $5)`, m, citizen, topic, state, at)
	w.exec(`INSERT INTO subscriber (municipality_id, contact_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, m, citizen, at)
}

// Proof of consent goes five years after the citizen left, list by list; while they are on the list all of it stays,
// however old, and so does what is of no list while they are on any.
func TestConsentsGoYearsAfterTheyWereWithdrawn(t *testing.T) {
	each(t, func(w *town) {
		long, justOver, justUnder := now.AddDate(-9, 0, 0), now.AddDate(-5, 0, -1), now.AddDate(-5, 0, 3)
		type row struct {
			id   int64
			what string
			left int
		}
		for _, m := range []int64{ours, theirs} {
			var rows []row
			write := func(citizen int64, topic, event string, at time.Time, left int) {
				if m == theirs {
					left = 1
				}
				rows = append(rows, row{w.consent(m, citizen, topic, event, at), topic + " " + event, left})
			}
			gone := w.citizen(m, "Ada Uscita", long)
			write(gone, "AVVISI", "given", long, 0)
			write(gone, "", "acknowledged", long, 0)
			write(gone, "AVVISI", "withdrawn", justOver, 0)
			w.onList(m, gone, "AVVISI", 0, justOver)

			recent := w.citizen(m, "Bea Recente", long)
			write(recent, "AVVISI", "given", long, 1)
			write(recent, "", "acknowledged", long, 1)
			write(recent, "AVVISI", "withdrawn", justUnder, 1)
			w.onList(m, recent, "AVVISI", 0, justUnder)

			one := w.citizen(m, "Carla Una", long)
			write(one, "AVVISI", "given", long, 0)
			write(one, "AVVISI", "withdrawn", justOver, 0)
			write(one, "EMERGENZE", "given", long, 1)
			write(one, "", "acknowledged", long, 1)
			w.onList(m, one, "AVVISI", 0, justOver)
			w.onList(m, one, "EMERGENZE", 1, long)

			suspended := w.citizen(m, "Dina Sospesa", long)
			write(suspended, "AVVISI", "given", long, 1)
			w.onList(m, suspended, "AVVISI", 2, justOver)

			stopped := w.citizen(m, "Elia Contrario", long)
			write(stopped, "", "refused", long, 1)
			w.exec(`INSERT INTO subscriber (municipality_id, contact_id, at, marketing_stopped_at) VALUES ($1, $2, $3, $3)`, m, stopped, long)

			older := w.citizen(m, "Fabio Unito", long) // wrote under another contact, which turned out to be this
			younger := w.citizen(m, "Fabio", long)
			w.exec(`UPDATE contact SET merged_into = $3 WHERE municipality_id = $1 AND contact_id = $2`, m, younger, older)
			write(younger, "AVVISI", "given", long, 1)
			write(younger, "EVENTI", "given", long, 1)
			write(older, "EVENTI", "withdrawn", justUnder, 1)
			w.onList(m, older, "AVVISI", 1, long)

			defer func() {
				for _, r := range rows {
					w.expect(r.left, `SELECT count(*) FROM consent WHERE municipality_id = $1 AND consent_id = $2 AND CAST($3 AS text) <> ''`, m, r.id, r.what)
					w.expect(1-r.left, `SELECT count(*) FROM audit WHERE municipality_id = $1 AND action = 'consent.deleted' AND object_id = $2`, m, db.FormatID(r.id))
				}
				left := 0
				if m == theirs {
					left = 1
				}
				for _, table := range []string{"contact", "subscription", "subscriber"} {
					w.expect(left, `SELECT count(*) FROM `+table+` WHERE municipality_id = $1 AND contact_id = $2`, m, gone)
					w.expect(1, `SELECT count(*) FROM `+table+` WHERE municipality_id = $1 AND contact_id = $2`, m, recent)
				}
				for _, kept := range []int64{one, suspended, stopped, older} {
					w.expect(1, `SELECT count(*) FROM contact WHERE municipality_id = $1 AND contact_id = $2`, m, kept)
				}
			}()
		}
		w.run()
		w.expect(1, `SELECT count(*) FROM audit WHERE municipality_id = 1 AND action = 'retention.deleted' AND CAST(detail AS text) LIKE '%consents%5%'`)
		w.now = w.now.Add(25 * time.Hour)
		w.run()
		w.expect(5, `SELECT count(*) FROM audit WHERE municipality_id = 1 AND action = 'consent.deleted'`)
	})
}

// What stands above a broadcast that has not ended stays, however far ahead it is scheduled; then it goes like the rest.
func TestTheFileAboveABroadcastToComeStays(t *testing.T) {
	each(t, func(w *town) {
		ancient := now.AddDate(0, -25, 0)
		above, _ := w.file(ours, "a", ancient)
		plain, _ := w.file(ours, "b", ancient)
		id := w.id(ancient)
		w.exec(`INSERT INTO broadcast (municipality_id, broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads, category, free, author_kind, author_id, author_name, created_at, written_at, updated_at)
			VALUES ($1, $2, 'scheduled', $3, $3, '[]', '[]', '[]', $4, '', 'UTILITY', '', 'operator', 1, 'Anna', $5, $5, $5)`, ours, id, false, fmt.Sprintf(`{"name":"avviso","language":"it","media":%d}`, above), ancient)
		w.run()
		w.expect(1, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1 AND state = 'ready'`, above)
		w.expect(0, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1`, plain)
		w.exec(`UPDATE broadcast SET state = 'completed', completed_at = $1`, now)
		w.run()
		w.expect(0, `SELECT count(*) FROM media WHERE municipality_id = 1 AND media_id = $1`, above)
	})
}

// What the office wrote of a file finds its message only while the file is there; the message's own words go on to.
func TestADescriptionIsNotSearchedWithoutItsFile(t *testing.T) {
	each(t, func(w *town) {
		old := now.AddDate(0, -7, 0)
		for _, m := range []int64{ours, theirs} {
			who := w.citizen(m, "Ada", old)
			file, _ := w.file(m, "a", old)
			w.exec(`UPDATE media SET description = 'Un lampione spento' WHERE municipality_id = $1 AND media_id = $2`, m, file)
			id := w.says(m, who, w.talk(m, who, "open", old), old, message{text: "Guardate qui", file: file})
			w.exec(`UPDATE media SET message_id = $3 WHERE municipality_id = $1 AND media_id = $2`, m, file, id)
			err := w.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				said, err := conversation.GetMessage(ctx, tx, m, id)
				if err != nil {
					return err
				}
				return conversation.FindBy(ctx, tx, m, said, "Un lampione spento")
			})
			if err != nil {
				t.Fatal(err)
			}
			if w.finds(m, db.MessageSearch, "lampione") != 1 {
				t.Fatal("the description is not found to begin with")
			}
		}
		w.run()
		for m, want := range map[int64]int{ours: 0, theirs: 1} {
			if n := w.finds(m, db.MessageSearch, "lampione"); n != want {
				t.Errorf("municipality %d: %d messages are found by their file's description, want %d", m, n, want)
			}
			if n := w.finds(m, db.MessageSearch, "guardate"); n != 1 {
				t.Errorf("municipality %d: %d messages are found by their own words", m, n)
			}
		}
	})
}
