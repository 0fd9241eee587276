// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal/store"
)

// Bad is a part of an entry that could not be understood.
type Bad struct {
	Municipality, Entry int64
	Place               string // where in the entry; "" is the whole
	Reason              string // a short word
	Detail              string
	Body                []byte
}

// Process takes up to limit entries that wait, fewer if they are large, and gives them to work in one short
// transaction; what work returns goes to quarantine in that same transaction. It returns how many it took:
// 0 when none waits.
//
// On PostgreSQL claim, work and mark are one transaction, and entries another instance works on are
// skipped. On SQLite the work commits first and the mark after it, as they are two files: a crash
// between them makes the same entries come again, which work must bear.
//
// An entry that makes work fail holds back none of its neighbours: it goes to quarantine alone.
//
// In a flood it gives way first: what arrives needs the machine more than what has arrived.
func (j *Journal) Process(ctx context.Context, limit int, work func(ctx context.Context, tx *db.Tx, entries []Entry) ([]Bad, error)) (int, error) {
	limit = j.flood.giveWay(ctx, limit)
	n, err := j.process(ctx, limit, work)
	if err == nil || db.Unavailable(err) || ctx.Err() != nil {
		return n, err
	}
	return j.processSingly(ctx, limit, work)
}

type worker func(ctx context.Context, tx *db.Tx, entries []Entry) ([]Bad, error)

func (j *Journal) process(ctx context.Context, limit int, work worker) (int, error) {
	if j.d.Engine == db.SQLite {
		return j.processFiles(ctx, limit, work)
	}
	var n int
	err := j.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		entries, err := pending(ctx, tx, limit, " FOR UPDATE SKIP LOCKED")
		if n = len(entries); n == 0 || err != nil {
			return err
		}
		kept, err := digest(ctx, tx, entries, work)
		if err != nil {
			return err
		}
		return mark(ctx, tx, entries, kept)
	})
	return n, err
}

func (j *Journal) processFiles(ctx context.Context, limit int, work worker) (int, error) {
	var entries []Entry
	err := j.d.ViewJournal(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		entries, err = pending(ctx, tx, limit, "")
		return err
	})
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	var kept []int64
	err = j.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		kept, err = digest(ctx, tx, entries, work)
		return err
	})
	if err != nil {
		return 0, err
	}
	err = j.d.UpdateJournal(ctx, func(ctx context.Context, tx *db.Tx) error { return mark(ctx, tx, entries, kept) })
	return len(entries), err
}

// processSingly finds the one entry that fails among those of a batch. Only the very entry that failed goes
// to quarantine: by the second look another instance may hold it, and the first that waits be another.
func (j *Journal) processSingly(ctx context.Context, limit int, work worker) (int, error) {
	total := 0
	for range limit {
		var failed int64
		n, err := j.process(ctx, 1, func(ctx context.Context, tx *db.Tx, entries []Entry) ([]Bad, error) {
			failed = entries[0].ID
			return work(ctx, tx, entries)
		})
		if err != nil && !db.Unavailable(err) && ctx.Err() == nil {
			n, err = j.process(ctx, 1, func(ctx context.Context, tx *db.Tx, entries []Entry) ([]Bad, error) {
				e := entries[0]
				if e.ID != failed {
					return work(ctx, tx, entries)
				}
				j.log.Error("a journal entry could not be processed; it is in quarantine", "entry", e.ID, "error", err)
				return []Bad{{Municipality: e.Municipality, Entry: e.ID, Reason: "failed", Detail: "It could not be processed; the log says why.", Body: e.Body}}, nil
			})
		}
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
	return total, nil
}

// maxBatchBytes bounds the bodies of one transaction, which are all in memory at once.
const maxBatchBytes = 1 << 20

// pending takes the oldest entries that wait, as many as the bounds allow and one at least.
func pending(ctx context.Context, tx *db.Tx, limit int, lock string) ([]Entry, error) {
	var out []Entry
	size := 0
	err := tx.Query(ctx, `SELECT municipality_id, entry_id, received_at, replayed, size FROM journal_waiting ORDER BY entry_id LIMIT $1`+lock,
		[][]any{{limit}}, func(_ int, row db.Scanner) error {
			var e Entry
			var length int
			err := row.Scan(&e.Municipality, &e.ID, &e.ReceivedAt, &e.Replayed, &length)
			e.ReceivedAt = e.ReceivedAt.UTC()
			if size += length; len(out) == 0 || size <= maxBatchBytes {
				out = append(out, e)
			}
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look into the journal: %w", err)
	}
	if err := bodies(ctx, tx, out); err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return out, nil
}

// bodies reads what the entries say, on PostgreSQL by one statement for all of them. It is no join: one that was planned
// while the journal was short would read all of it, again and again.
func bodies(ctx context.Context, tx *db.Tx, entries []Entry) error {
	municipalities, ids := keys(entries)
	if tx.Engine == db.PostgreSQL {
		return tx.Query(ctx, `SELECT waits.place, (SELECT j.body FROM journal j WHERE j.municipality_id = waits.m AND j.entry_id = waits.id)
			FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS waits (m, id, place)`, [][]any{{municipalities, ids}}, func(_ int, row db.Scanner) error {
			var place int
			var body []byte
			err := row.Scan(&place, &body)
			entries[place-1].Body = body
			return err
		})
	}
	rows := make([][]any, len(entries))
	for i := range entries {
		rows[i] = []any{municipalities[i], ids[i]}
	}
	return tx.Query(ctx, `SELECT body FROM journal WHERE municipality_id = $1 AND entry_id = $2`, rows, func(i int, row db.Scanner) error {
		return row.Scan(&entries[i].Body)
	})
}

func keys(entries []Entry) (municipalities, ids []int64) {
	for _, e := range entries {
		municipalities, ids = append(municipalities, e.Municipality), append(ids, e.ID)
	}
	return municipalities, ids
}

// digest does the work and puts aside what it could not understand; kept are the entries of that.
func digest(ctx context.Context, tx *db.Tx, entries []Entry, work worker) (kept []int64, err error) {
	defer func() {
		if p := recover(); p != nil { // input nobody thought of must not stop the desk
			err = fmt.Errorf("panic while processing journal entries: %v", p)
		}
	}()
	bad, err := work(ctx, tx, entries)
	if err != nil {
		return nil, err
	}
	var replayed [][]any
	for _, e := range entries {
		if e.Replayed {
			replayed = append(replayed, []any{e.Municipality, e.ID, tx.Now()})
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE quarantine SET solved_at = $3
		WHERE municipality_id = $1 AND entry_id = $2 AND replayed_at IS NOT NULL AND solved_at IS NULL`, replayed); err != nil {
		return nil, fmt.Errorf("mark as solved: %w", err)
	}
	var rows [][]any
	for _, b := range bad {
		kept = append(kept, b.Entry)
		rows = append(rows, []any{b.Municipality, tx.NewID(), b.Entry, b.Place, b.Reason, b.Detail, printable(b.Body), tx.Now()})
	}
	_, err = tx.Exec(ctx, `INSERT INTO quarantine (municipality_id, quarantine_id, entry_id, place, reason, detail, body, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (municipality_id, entry_id, place) DO UPDATE SET solved_at = NULL, replayed_at = NULL, reason = excluded.reason, detail = excluded.detail`, rows)
	if err != nil {
		return nil, fmt.Errorf("put into quarantine: %w", err)
	}
	return kept, nil
}

// mark ends the wait of entries that were processed. Of which a part is in quarantine stands with the entry itself.
func mark(ctx context.Context, tx *db.Tx, entries []Entry, kept []int64) error {
	var waited, changed [][]any
	ended := `DELETE FROM journal_waiting WHERE entry_id = $1 AND municipality_id = $2`
	if tx.Engine == db.PostgreSQL {
		municipalities, ids := keys(entries)
		ended = `DELETE FROM journal_waiting w USING unnest($1::bigint[], $2::bigint[]) AS ended (id, m) WHERE w.entry_id = ended.id AND w.municipality_id = ended.m`
		waited = [][]any{{ids, municipalities}}
	}
	for _, e := range entries {
		if tx.Engine == db.SQLite {
			waited = append(waited, []any{e.ID, e.Municipality})
		}
		if keep := slices.Contains(kept, e.ID); keep || e.Replayed {
			changed = append(changed, []any{e.Municipality, e.ID, keep})
		}
	}
	if _, err := tx.Exec(ctx, ended, waited); err != nil {
		return fmt.Errorf("end the wait of journal entries: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE journal SET kept = $3 WHERE municipality_id = $1 AND entry_id = $2`, changed); err != nil {
		return fmt.Errorf("mark journal entries as kept: %w", err)
	}
	return nil
}

// Lag is how long the oldest entry has waited to be processed; 0 when none waits.
func (j *Journal) Lag(ctx context.Context) (lag time.Duration, err error) {
	err = j.d.ViewJournal(ctx, func(ctx context.Context, tx *db.Tx) error {
		oldest, err := store.New(tx).Oldest(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		lag = max(0, tx.Now().Sub(oldest))
		return err
	})
	return lag, err
}
