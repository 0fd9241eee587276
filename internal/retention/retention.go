// SPDX-License-Identifier: AGPL-3.0-or-later

// Package retention deletes what a municipality keeps no longer: messages and files older than its file says, and
// what is left without them. Proof of consent stays as long as the citizen is on the list, and for years after; the audit
// trail stays.
//
// It walks each table by its key and deletes a slice at a time, so short that nobody at the desk feels it, and rests
// in between; while the desk is behind with what comes in, it waits. A slice is whole or not at all, so it may be
// killed anywhere and goes on in the next run, and two instances at once only share the work.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Args is the job that deletes what one municipality keeps no longer.
type Args struct {
	Municipality int64 `json:"municipality,string"`
}

// Kind is the job's name in the database.
func (Args) Kind() string { return "retention.run" }

// InsertOpts keeps one at a time for a municipality, apart from the jobs that somebody waits for. One whose process
// was killed is taken up again.
func (Args) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: db.SlowQueue, MaxAttempts: 25, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled}}}
}

// Keeper deletes what is kept no longer.
type Keeper struct {
	d         *db.DB
	directory *municipality.Directory
	store     *media.Store
	behind    func(context.Context) (time.Duration, error) // how far the desk is behind with what comes in
	log       *slog.Logger
}

// New makes a keeper.
func New(d *db.DB, directory *municipality.Directory, store *media.Store, behind func(context.Context) (time.Duration, error), log *slog.Logger) *Keeper {
	return &Keeper{d: d, directory: directory, store: store, behind: behind, log: log}
}

// Workers registers the job.
func (k *Keeper) Workers(workers *river.Workers) { river.AddWorker(workers, &worker{k: k}) }

type worker struct {
	river.WorkerDefaults[Args]
	k *Keeper
}

func (w *worker) Work(ctx context.Context, job *river.Job[Args]) error {
	m, ok := w.k.directory.ByID(job.Args.Municipality)
	if !ok {
		return nil
	}
	if err := w.k.Run(ctx, m); ctx.Err() == nil {
		return err
	}
	return nil // serve stops; the next run goes on
}

// mostAtOnce bounds a run; what is left waits for the next.
const mostAtOnce = 10 * time.Minute

// Run deletes what the municipality keeps no longer.
func (k *Keeper) Run(ctx context.Context, m *municipality.Municipality) error {
	ctx, cancel := context.WithTimeoutCause(ctx, mostAtOnce, errEnough)
	defer cancel()
	now := k.d.Now()
	messages, err := m.File.Retention.Messages.Before(now)
	if err != nil {
		return fmt.Errorf("retention of messages of municipality %d: %w", m.ID, err)
	}
	files, err := m.File.Retention.Media.Before(now)
	if err != nil {
		return fmt.Errorf("retention of media of municipality %d: %w", m.ID, err)
	}
	consents, err := m.File.Retention.Consents.Before(now)
	if err != nil {
		return fmt.Errorf("retention of consents of municipality %d: %w", m.ID, err)
	}
	r := &run{Keeper: k, municipality: m.ID, messages: messages, files: files, consents: consents, slice: firstSlice}
	err = r.all(ctx)
	if context.Cause(ctx) == errEnough {
		return nil
	}
	return err
}

var errEnough = fmt.Errorf("the run took %s", mostAtOnce)

// run is one municipality's.
type run struct {
	*Keeper
	municipality    int64
	messages, files time.Time // what is older goes
	consents        time.Time // proof of what was withdrawn before goes
	slice           int
}

// all goes from what hangs on something to what it hangs on.
func (r *run) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.dropMessages, r.dropEvents, r.dropContents, r.dropFiles, r.dropConversations, r.dropLeftovers, r.dropOncePerDay, r.sweepFiles} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

func (r *run) dropMessages(ctx context.Context) error {
	return walk(ctx, r, 0, func(ctx context.Context, tx *db.Tx, after int64, limit int) ([]int64, error) {
		return conversation.OldMessages(ctx, tx, r.municipality, r.messages, after, limit)
	}, func(ctx context.Context, tx *db.Tx, ids []int64) (counts, error) {
		n, err := conversation.DeleteMessages(ctx, tx, r.municipality, ids)
		return counts{messages: n}, err
	})
}

func (r *run) dropEvents(ctx context.Context) error {
	return walk(ctx, r, 0, func(ctx context.Context, tx *db.Tx, after int64, limit int) ([]int64, error) {
		return conversation.OldEvents(ctx, tx, r.municipality, r.messages, after, limit)
	}, func(ctx context.Context, tx *db.Tx, ids []int64) (counts, error) {
		return counts{}, conversation.DeleteEvents(ctx, tx, r.municipality, ids)
	})
}

// unused are files that no message newer than $3 has: one that was sent again is as young as its last message. What stands
// above a broadcast that has not ended is taken out after.
const unused = ` AND f.media_id > $2 AND f.media_id < $3 AND NOT EXISTS (SELECT 1 FROM message m
	WHERE m.municipality_id = f.municipality_id AND m.media_id = f.media_id AND m.media_id <> 0 AND m.message_id >= $4) ORDER BY f.media_id LIMIT $5`

func (r *run) dropContents(ctx context.Context) error {
	return walk(ctx, r, 0, func(ctx context.Context, tx *db.Tx, after int64, limit int) ([]int64, error) {
		before := db.FirstID(r.files)
		return idsOf(ctx, tx, `SELECT f.media_id FROM media f WHERE f.municipality_id = $1 AND f.state = 'ready'`+unused, r.municipality, after, before, before, limit)
	}, func(ctx context.Context, tx *db.Tx, ids []int64) (counts, error) {
		ids, err := broadcast.WithoutFilesToSend(ctx, tx, r.municipality, ids)
		if err != nil {
			return counts{}, err
		}
		if err := conversation.FindByOwnWords(ctx, tx, r.municipality, ids); err != nil {
			return counts{}, err
		}
		n, err := media.DropContents(ctx, tx, r.municipality, ids)
		return counts{files: n}, err
	})
}

// dropFiles deletes what is known of files whose messages are gone.
func (r *run) dropFiles(ctx context.Context) error {
	return walk(ctx, r, 0, func(ctx context.Context, tx *db.Tx, after int64, limit int) ([]int64, error) {
		return idsOf(ctx, tx, `SELECT f.media_id FROM media f WHERE f.municipality_id = $1`+unused, r.municipality, after, db.FirstID(r.messages), int64(math.MinInt64), limit)
	}, func(ctx context.Context, tx *db.Tx, ids []int64) (counts, error) {
		ids, err := broadcast.WithoutFilesToSend(ctx, tx, r.municipality, ids)
		if err != nil {
			return counts{}, err
		}
		n, err := media.Delete(ctx, tx, r.municipality, ids)
		return counts{files: n}, err
	})
}

func idsOf(ctx context.Context, tx *db.Tx, query string, args ...any) (ids []int64, err error) {
	err = tx.Query(ctx, query, [][]any{args}, func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func (r *run) dropConversations(ctx context.Context) error {
	for _, merged := range []bool{false, true} {
		err := walk(ctx, r, conversation.Ended{}, func(ctx context.Context, tx *db.Tx, after conversation.Ended, limit int) ([]conversation.Ended, error) {
			return conversation.EmptyConversations(ctx, tx, r.municipality, merged, r.messages, after, limit)
		}, func(ctx context.Context, tx *db.Tx, ended []conversation.Ended) (counts, error) {
			n, err := conversation.DeleteConversations(ctx, tx, r.municipality, ended)
			return counts{conversations: n}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) dropLeftovers(ctx context.Context) error {
	return r.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		return conversation.DeleteLeftovers(ctx, tx, r.municipality, r.messages)
	})
}

// nothingLeft tells that contact c has written or got nothing that is kept, never said yes or no to anything, and is not
// blocked. Who has, stays known, because the proof must say of whom it is; and nobody could unblock who is not known.
const nothingLeft = `NOT EXISTS (SELECT 1 FROM message m WHERE m.municipality_id = c.municipality_id AND m.contact_id = c.contact_id)
	AND NOT EXISTS (SELECT 1 FROM conversation t WHERE t.municipality_id = c.municipality_id AND t.contact_id = c.contact_id)
	AND NOT EXISTS (SELECT 1 FROM consent p WHERE p.municipality_id = c.municipality_id AND p.contact_id = c.contact_id)
	AND NOT EXISTS (SELECT 1 FROM subscription s WHERE s.municipality_id = c.municipality_id AND s.contact_id = c.contact_id AND s.state <> 0)
	AND NOT EXISTS (SELECT 1 FROM subscriber b WHERE b.municipality_id = c.municipality_id AND b.contact_id = c.contact_id AND b.marketing_stopped_at IS NOT NULL)
	AND NOT EXISTS (SELECT 1 FROM blocked k WHERE k.municipality_id = c.municipality_id AND k.contact_id = c.contact_id)`

// contactsEvery is how often all contacts are looked through: there are many, and few go.
const contactsEvery = 24 * time.Hour

// lookedThrough is how many contacts one look takes.
const lookedThrough = 500

// dropOncePerDay looks through the consents, then the contacts: whose proof is gone may go too.
func (r *run) dropOncePerDay(ctx context.Context) error {
	due, err := r.contactsDue(ctx)
	if err != nil || !due {
		return err
	}
	if err := r.dropConsents(ctx); err != nil {
		return err
	}
	if err := r.dropContacts(ctx); err != nil {
		return err
	}
	return r.contactsDone(ctx)
}

// dropConsents looks through the proof that is older than it is kept after somebody has left, and deletes what proves
// nothing any more.
func (r *run) dropConsents(ctx context.Context) error {
	var last int64
	for {
		var looked []contact.ConsentPlace
		err := r.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			looked, err = broadcast.OldConsents(ctx, tx, r.municipality, r.consents, last, lookedThrough)
			return err
		})
		if err != nil || len(looked) == 0 {
			return err
		}
		var over []int64
		for _, c := range looked {
			if last = c.ID; c.Over {
				over = append(over, c.ID)
			}
		}
		if err := r.dropFound(ctx, over, broadcast.DeleteConsents, func(n int) counts { return counts{consents: n} }); err != nil {
			return err
		}
	}
}

// dropFound deletes what was found, in slices, and rests.
func (r *run) dropFound(ctx context.Context, found []int64, drop func(context.Context, *db.Tx, int64, []int64) (int, error), counted func(int) counts) error {
	err := walk(ctx, r, 0, func(_ context.Context, _ *db.Tx, _ int64, limit int) (part []int64, _ error) {
		part, found = found[:min(limit, len(found))], found[min(limit, len(found)):]
		return part, nil
	}, func(ctx context.Context, tx *db.Tx, ids []int64) (counts, error) {
		n, err := drop(ctx, tx, r.municipality, ids)
		return counted(n), err
	})
	if err != nil {
		return err
	}
	return r.rest(ctx, 0)
}

// dropContacts looks through all contacts that are older than the messages that are kept, many at a look: it only
// reads, and deletes whom it finds.
func (r *run) dropContacts(ctx context.Context) error {
	var last int64
	for more := true; more; {
		var empty []int64
		err := r.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
			more, empty = false, nil
			return tx.Query(ctx, `SELECT c.contact_id, `+nothingLeft+` AND `+contact.NoOther(nothingLeft)+`
				FROM (SELECT municipality_id, contact_id FROM contact WHERE municipality_id = $1 AND contact_id > $2 AND contact_id < $3 AND merged_into = 0 ORDER BY contact_id LIMIT $4) c
				ORDER BY c.contact_id`, [][]any{{r.municipality, last, db.FirstID(r.messages), lookedThrough}}, func(_ int, row db.Scanner) error {
				var nothing bool
				err := row.Scan(&last, &nothing)
				if nothing {
					empty = append(empty, last)
				}
				more = true
				return err
			})
		})
		if err != nil {
			return fmt.Errorf("look through the contacts: %w", err)
		}
		err = r.dropFound(ctx, empty, func(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (int, error) {
			n, err := contact.Forget(ctx, tx, municipality, ids, nothingLeft)
			if err != nil {
				return 0, err
			}
			return n, broadcast.ForgetStanding(ctx, tx, municipality, ids)
		}, func(n int) counts { return counts{contacts: n} })
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) sweepFiles(ctx context.Context) error {
	for {
		n, err := media.Sweep(ctx, r.d, r.store, r.municipality)
		if err != nil || n == 0 {
			return err
		}
		if err := r.rest(ctx, 0); err != nil {
			return err
		}
	}
}
