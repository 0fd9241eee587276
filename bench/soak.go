// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// A tenth of Meta's most, and an office at work beside it.
const (
	soakMix     = mixPerSecond / 10
	soakSent    = statusesPerSecond / 10 / 3 // messages that three statuses each tell of
	soakReplies = 2                          // a second
	soakPages   = 2                          // a second
	soakTalks   = 600                        // conversations that get replies
	soakAnswers = 16                         // connections of Meta's
	soakEvery   = 10 * time.Second           // a sample

	// So much messages come in or go out by hand a second, and as many are a day old and go.
	soakWritten = messagesPerSecond/10 + soakReplies

	// What is old goes every quarter of an hour, and at the start what became old before it.
	soakUpkeep = 15 * time.Minute

	messagesKept = 24 * time.Hour     // by the municipality's file
	bodiesKept   = 7 * 24 * time.Hour // by Filodiretto
)

// sample is what was seen in one stretch of a soak.
type sample struct {
	second                int
	memory                int64 // bytes; those of the database, those of it that hold rows, those of the journal
	database, used        int64
	journal               int64
	intake, replies, page times
	lag                   time.Duration // the longest
	deleted               int64         // messages so far
	load                  float64       // processes that want a core of the machine, over the last minute
}

var soakColumns = []string{"second", "memory_bytes", "database_bytes", "used_bytes", "journal_bytes", "intake_p50_ms", "intake_p99_ms",
	"reply_p50_ms", "reply_p99_ms", "inbox_p50_ms", "inbox_p99_ms", "lag_max_ms", "messages_deleted", "load"}

func (s sample) cells() []string {
	cells := []string{strconv.Itoa(s.second)}
	for _, n := range []int64{s.memory, s.database, s.used, s.journal} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	for _, t := range []times{s.intake, s.replies, s.page} {
		cells = append(cells, milliseconds(t.p50()), milliseconds(t.p99()))
	}
	return append(cells, milliseconds(s.lag), strconv.FormatInt(s.deleted, 10), strconv.FormatFloat(s.load, 'f', 2, 64))
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds()*1000, 'f', 2, 64)
}

// soakFor serves so long, over a past as long that goes meanwhile, and leaves samples and a chart.
func (b bench) soakFor(ctx context.Context, lasting time.Duration) error {
	in, err := install(ctx, b.binary, b.engine, b.cluster, 1)
	if err != nil {
		return err
	}
	s := &soak{in: in, lasting: lasting}
	err = s.run(ctx, b, filepath.Join(b.out, "soak-"+b.engine+".csv"))
	if err != nil {
		err = errors.Join(err, in.complaints())
	}
	return errors.Join(err, in.close())
}

type soak struct {
	in      *installation
	lasting time.Duration
	sent    []sentMessage
	talks   []string

	mu     sync.Mutex
	now    sample // what is being gathered
	failed error
}

func (s *soak) run(ctx context.Context, b bench, file string) error {
	start := time.Now()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	b.say("the past of the soak on %s written in %.0f s", b.engine, time.Since(start).Seconds())
	if _, err := s.in.start(ctx); err != nil {
		return err
	}
	anna, luca, err := s.in.twoOperators(ctx)
	if err != nil {
		return err
	}
	if s.talks, err = s.openWindows(ctx); err != nil {
		return err
	}
	if err := s.sampled(ctx, b, file, anna, luca); err != nil {
		return err
	}
	return errors.Join(s.in.drained(ctx), s.in.stop(), drawSoak(file))
}

// prepare makes the municipality keep its messages for a day, writes messages and journal entries that become too old
// during the soak, and the messages that the statuses are about.
func (s *soak) prepare(ctx context.Context) error {
	file := filepath.Join(s.in.dir, slug+".yaml")
	if err := os.WriteFile(file, []byte(municipalityFile(1)+"retention: {messages: 1d, media: 1d}\n"), 0o600); err != nil {
		return err
	}
	if _, err := s.in.command(ctx, "", "apply", file); err != nil {
		return err
	}
	span := soakUpkeep + s.lasting
	h := history{in: s.in, citizens: writers, messages: int(span.Seconds()) * soakWritten, span: span, ago: messagesKept - s.lasting, open: 1, answered: conversation.Read, large: true}
	people := make([]person, h.citizens)
	start := h.start()
	if err := h.writePeople(ctx, people, start); err != nil {
		return err
	}
	step := span / time.Duration(h.messages+1)
	for from := 0; from < h.messages; from += perTransaction {
		if _, err := h.writeMessages(ctx, people, start, step, from, min(h.messages, from+perTransaction)); err != nil {
			return err
		}
	}
	if err := s.writeSent(ctx, people); err != nil {
		return err
	}
	if err := h.writeConversations(ctx, people); err != nil {
		return err
	}
	if err := s.writeJournal(ctx, span); err != nil {
		return err
	}
	return h.settle(ctx)
}

// writeSent writes what Meta's statuses will be about, as the copies of a broadcast are: they are told of, not searched.
// The rows have room for their receipts from the start, so that they don't grow meanwhile: what grows in a soak would
// grow for ever.
func (s *soak) writeSent(ctx context.Context, people []person) error {
	m := s.in.municipality
	columns := append(slices.Clone(messageColumns), "sent_at", "delivered_at", "read_at", "pricing")
	for n := int(s.lasting.Seconds())*soakSent + len(stages)*statusesPerSecond; n > 0; n -= perTransaction {
		err := s.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			var rows [][]any
			for range min(n, perTransaction) {
				citizen := rand.IntN(len(people))
				p, id, at := people[citizen], tx.NewID(), tx.Now()
				external := fmt.Sprintf("wamid.HBgLSOAK%032d", id)
				rows = append(rows, []any{m, id, p.talks[0].conversation, p.contact, phoneNumberID, "out", conversation.TypeTemplate, "", external, int16(conversation.Accepted),
					"operator", "Anna", at, at, at, &at, "{}", at, at, at, "service:free_customer_service"})
				s.sent = append(s.sent, sentMessage{id: db.FormatID(id), external: external, citizen: citizen})
			}
			return insert(ctx, tx, "message", columns, rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeJournal writes as much as comes in during the soak, processed long ago, so that as much goes as comes.
func (s *soak) writeJournal(ctx context.Context, span time.Duration) error {
	mix := newMix(s.sent)
	bodies := make([][]byte, 100*mixPerSecond/messagesPerSecond) // what they say no longer matters
	for i := range bodies {
		bodies[i] = mix.next().body
	}
	start := time.Now().UTC().Add(-bodiesKept - soakUpkeep).Truncate(time.Microsecond)
	total := int(span.Seconds()) * soakMix
	for from := 0; from < total; from += perTransaction {
		err := s.in.d.UpdateJournal(ctx, func(ctx context.Context, tx *db.Tx) error {
			var rows [][]any
			for i := from; i < min(total, from+perTransaction); i++ {
				at := start.Add(time.Duration(i) * time.Second / soakMix)
				rows = append(rows, []any{s.in.municipality, db.FirstID(at), at, bodies[i%len(bodies)]})
			}
			return insert(ctx, tx, "journal", []string{"municipality_id", "entry_id", "received_at", "body"}, rows)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// openWindows lets some citizens write, so that they may be replied to, and returns their conversations.
func (s *soak) openWindows(ctx context.Context) (ids []string, err error) {
	c := newCitizens(firstAnswered, soakTalks)
	var next atomic.Int64
	l, err := openLoop(ctx, s.in.webhook(), soakAnswers, soakTalks/2, 2*time.Second, func() delivery {
		return c.write(firstAnswered+int(next.Add(1)-1)%soakTalks, prose(10))
	})
	if err := errors.Join(err, l.whole(), s.in.drained(ctx)); err != nil {
		return nil, err
	}
	err = s.in.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		return tx.Query(ctx, `SELECT conversation_id FROM conversation WHERE municipality_id = $1 AND state = 'open' AND last_inbound_at > $2`,
			[][]any{{s.in.municipality, tx.Now().Add(-time.Minute)}}, func(_ int, row db.Scanner) error {
				var id int64
				err := row.Scan(&id)
				ids = append(ids, db.FormatID(id))
				return err
			})
	})
	if err == nil && len(ids) < soakTalks {
		err = fmt.Errorf("%d conversations may be replied to, of %d", len(ids), soakTalks)
	}
	return ids, err
}

// sampled lets Meta and the operators go on, and writes a line each ten seconds.
func (s *soak) sampled(ctx context.Context, b bench, file string, anna, luca *http.Client) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	lines := csv.NewWriter(out)
	if err := lines.Write(soakColumns); err != nil {
		return err
	}
	beside, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { s.each(beside, soakReplies, func(i int) error { return s.reply(beside, anna, i) }) })
	running.Go(func() { s.each(beside, soakPages, func(i int) error { return s.look(beside, luca, i) }) })
	running.Go(func() { s.each(beside, 20, func(int) error { return s.behind(beside) }) })
	mix := newMix(s.sent)
	for start := time.Now(); time.Since(start) < s.lasting && ctx.Err() == nil; {
		l, err := openLoop(ctx, s.in.webhook(), soakAnswers, soakMix, soakEvery, mix.next)
		if err := errors.Join(err, l.whole()); err != nil {
			return err
		}
		now, err := s.take(ctx, l.sent)
		if err != nil {
			return err
		}
		now.second = int(time.Since(start).Seconds())
		if err := lines.Write(now.cells()); err != nil {
			return err
		}
		if lines.Flush(); lines.Error() != nil {
			return lines.Error()
		}
		b.say("%s %s", b.engine, strings.Join(now.cells(), " "))
	}
	return ctx.Err()
}

// each does something so many times a second until ctx ends; what fails is told with the next sample.
func (s *soak) each(ctx context.Context, perSecond int, do func(i int) error) {
	pace := time.NewTicker(time.Second / time.Duration(perSecond))
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		if err := do(i); err != nil && ctx.Err() == nil {
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
			return
		}
	}
}

func (s *soak) note(f func(now *sample)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.now)
}

func (s *soak) reply(ctx context.Context, browser *http.Client, i int) error {
	took, err := s.in.clickReply(ctx, browser, s.talks[i%len(s.talks)], fmt.Sprintf("Risposta numero %d: provvediamo al più presto, grazie.", i))
	s.note(func(now *sample) { now.replies = append(now.replies, took) })
	return err
}

// look shows the inbox, and now and then a thread of it.
func (s *soak) look(ctx context.Context, browser *http.Client, i int) error {
	page := desk + "/inbox"
	if i%4 == 3 {
		page = desk + "/conversations/" + s.talks[rand.IntN(len(s.talks))]
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.in.url(page), nil)
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := fetch(browser, req); err != nil {
		return err
	}
	if i%4 != 3 {
		s.note(func(now *sample) { now.page = append(now.page, time.Since(start)) })
	}
	return nil
}

func (s *soak) behind(ctx context.Context) error {
	lag, err := s.in.journal.Lag(ctx)
	s.note(func(now *sample) { now.lag = max(now.lag, lag) })
	return err
}

// take ends a stretch.
func (s *soak) take(ctx context.Context, intake times) (now sample, err error) {
	s.mu.Lock()
	now, s.now = s.now, sample{}
	err = s.failed
	s.mu.Unlock()
	if err != nil {
		return now, err
	}
	now.intake = intake
	if now.memory, err = s.in.memory("VmRSS"); err != nil {
		return now, err
	}
	if now.deleted, err = s.in.deleted(ctx); err != nil {
		return now, err
	}
	if now.load, err = machineLoad(); err != nil {
		return now, err
	}
	now.database, now.used, now.journal, err = s.in.sizes(ctx)
	return now, err
}

// machineLoad tells whether others are at work on the machine: then latencies are theirs, too.
func machineLoad() (float64, error) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return strconv.ParseFloat(first, 64)
}

// deleted is how many messages retention has deleted, told in the audit trail or not yet.
func (in *installation) deleted(ctx context.Context) (int64, error) {
	told := `SELECT coalesce(sum(CAST(json_extract(detail, '$.messages') AS integer)), 0)`
	if in.engine == "postgresql" {
		told = `SELECT CAST(coalesce(sum(CAST(detail->>'messages' AS bigint)), 0) AS bigint)`
	}
	return in.count(ctx, `SELECT (`+told+` FROM audit WHERE municipality_id = $1 AND action = 'retention.deleted')
		+ coalesce((SELECT messages FROM retention_run WHERE municipality_id = $1), 0)`, in.municipality)
}

// sizes are the bytes of the database, those of it that hold rows, and those of the journal.
func (in *installation) sizes(ctx context.Context) (database, used, journal int64, err error) {
	if in.engine == "postgresql" {
		if journal, err = in.count(ctx, `SELECT pg_total_relation_size('journal')`); err != nil {
			return 0, 0, 0, err
		}
		database, err = in.count(ctx, `SELECT pg_database_size(current_database())`)
		return database - journal, database - journal, journal, err
	}
	main := strings.TrimPrefix(in.address, "sqlite:")
	for file, size := range map[string]*int64{main: &database, db.JournalFile(main): &journal} {
		for _, suffix := range []string{"", "-wal"} {
			info, err := os.Stat(file + suffix)
			if err != nil {
				return 0, 0, 0, err
			}
			*size += info.Size()
		}
	}
	used, err = in.count(ctx, `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()`)
	return database, used, journal, err
}
