// SPDX-License-Identifier: AGPL-3.0-or-later

// Package journal is the append-only record of what arrived, as it arrived.
//
// What was answered 200 is in it, committed. Everything else is made from it, later, and may be
// made again: a replay is harmless. What can't be understood goes to quarantine, where it is seen
// and can be replayed.
package journal

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Entry is one request body.
type Entry struct {
	Municipality int64
	ID           int64
	ReceivedAt   time.Time
	Body         []byte
	Replayed     bool // it comes again, because somebody asked for what of it was in quarantine
}

// Journal appends entries and hands them out to be processed.
type Journal struct {
	d     *db.DB
	log   *slog.Logger
	in    chan *appending
	flood flood
}

type appending struct {
	entry Entry
	done  chan error
}

// The bounds of one group commit.
const (
	maxGroup      = 512
	maxGroupBytes = 8 << 20
)

// On PostgreSQL a writer that has just committed lets a few gather: each commit is a flush to the disk, for which the
// commits of everybody else wait, too.
const (
	gathers = 10 * time.Millisecond
	enough  = 16
)

// New makes a journal over d. Append works while Run runs.
func New(d *db.DB, log *slog.Logger) *Journal {
	return &Journal{d: d, log: log, in: make(chan *appending, maxGroup)}
}

// Append returns once body is committed; then, and only then, it may be answered with 200.
func (j *Journal) Append(ctx context.Context, municipality int64, body []byte) error {
	a := &appending{entry: Entry{Municipality: municipality, Body: body}, done: make(chan error, 1)}
	select {
	case j.in <- a:
	case <-ctx.Done():
		return fmt.Errorf("append to the journal: %w", ctx.Err())
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("append to the journal: %w", ctx.Err())
	}
}

// Run commits what is appended, many entries in one commit, until ctx ends and nothing waits.
func (j *Journal) Run(ctx context.Context) {
	writers := 1
	if j.d.Engine == db.PostgreSQL {
		writers = 2 // while one waits for its commit, the next group forms and goes
	}
	done := make(chan struct{})
	for range writers {
		go func() {
			j.write(ctx)
			done <- struct{}{}
		}()
	}
	for range writers {
		<-done
	}
}

func (j *Journal) write(ctx context.Context) {
	var next time.Time // before it a small group waits for more
	for {
		var first *appending
		select {
		case first = <-j.in:
		case <-ctx.Done():
			select {
			case first = <-j.in:
			default:
				return
			}
		}
		group := j.group(first, next)
		if j.d.Engine == db.PostgreSQL {
			next = time.Now().Add(gathers)
		}
		j.commit(context.WithoutCancel(ctx), group)
	}
}

// group takes what waits already. Whoever is about to append may do so first: the first of a crowd would otherwise
// have a commit of its own. If few have come, more may until a time.
func (j *Journal) group(first *appending, until time.Time) []*appending {
	runtime.Gosched()
	group := []*appending{first}
	size := len(first.entry.Body)
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for len(group) < maxGroup && size < maxGroupBytes {
		var a *appending
		select {
		case a = <-j.in:
		default:
			if len(group) >= enough || !time.Now().Before(until) {
				return group
			}
			select {
			case a = <-j.in:
			case <-timer.C:
				return group
			}
		}
		group = append(group, a)
		size += len(a.entry.Body)
	}
	return group
}

func (j *Journal) commit(ctx context.Context, group []*appending) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := j.insert(ctx, group)
	if err != nil {
		err = fmt.Errorf("commit %d journal entries: %w", len(group), err)
	}
	j.flood.add(time.Now(), len(group))
	for _, a := range group {
		a.done <- err
	}
}

// insert writes a group and that it waits, on PostgreSQL by one statement for all of it.
func (j *Journal) insert(ctx context.Context, group []*appending) error {
	arrived := db.Notice{Topic: db.Journal}
	if j.d.Engine == db.PostgreSQL {
		municipalities, ids, bodies, sizes := make([]int64, len(group)), make([]int64, len(group)), make([][]byte, len(group)), make([]int32, len(group))
		for i, a := range group {
			municipalities[i], ids[i], bodies[i], sizes[i] = a.entry.Municipality, j.d.IDs.New(), a.entry.Body, int32(len(a.entry.Body))
		}
		return j.d.Append(ctx, arrived, `WITH entries AS (INSERT INTO journal (municipality_id, entry_id, received_at, body)
			SELECT m, id, $1::timestamptz, body FROM unnest($2::bigint[], $3::bigint[], $4::bytea[]) AS entry (m, id, body))
			INSERT INTO journal_waiting (municipality_id, entry_id, received_at, size)
			SELECT m, id, $1::timestamptz, size FROM unnest($2::bigint[], $3::bigint[], $5::integer[]) AS waiting (m, id, size)`,
			j.d.Now(), municipalities, ids, bodies, sizes)
	}
	return j.d.UpdateJournal(ctx, func(ctx context.Context, tx *db.Tx) error {
		tx.Notify(arrived)
		entries, waiting := make([][]any, len(group)), make([][]any, len(group))
		for i, a := range group {
			id := tx.NewID()
			entries[i] = []any{a.entry.Municipality, id, tx.Now(), a.entry.Body}
			waiting[i] = []any{a.entry.Municipality, id, tx.Now(), len(a.entry.Body)}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO journal (municipality_id, entry_id, received_at, body) VALUES ($1, $2, $3, $4)`, entries); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO journal_waiting (municipality_id, entry_id, received_at, size) VALUES ($1, $2, $3, $4)`, waiting)
		return err
	})
}
