// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

const columns = `broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads, category, free, follows, ends,
	author_kind, author_id, author_name, created_at, written_at, updated_at, schedule, submitted_at, submitter_kind, submitter_id, submitter_name,
	approver_id, approver_name, approved_at, glass, recipients, prepared, started_at, completed_at, pause_code, paused_name, waits, reach,
	resend_since, resender_kind, resender_id, resender_name`

// saved is the template as the column keeps it.
type saved struct {
	conversation.Template
	Parameters municipality.Parameters `json:"parameters"`
}

func scan(row db.Scanner) (Broadcast, error) {
	var b Broadcast
	var lists, districts, exclude, template, reach db.JSON
	err := row.Scan(&b.ID, &b.State, &b.Emergency, &b.Exercise, &lists, &districts, &exclude, &template, &b.Reads, &b.Category, &b.Free, &b.Follows, &b.Ends,
		&b.Author.Kind, &b.Author.ID, &b.Author.Name, &b.CreatedAt, &b.WrittenAt, &b.UpdatedAt, &b.Schedule, &b.SubmittedAt, &b.Submitter.Kind, &b.Submitter.ID, &b.Submitter.Name,
		&b.ApproverID, &b.Approver, &b.ApprovedAt, &b.Glass, &b.Recipients, &b.Prepared, &b.StartedAt, &b.CompletedAt, &b.PauseCode, &b.PausedBy, &b.Waits, &reach,
		&b.resendSince, &b.resender.Kind, &b.resender.ID, &b.resender.Name)
	if err != nil {
		return Broadcast{}, err
	}
	var t saved
	for _, c := range []struct {
		column db.JSON
		into   any
	}{{lists, &b.Lists}, {districts, &b.Districts}, {exclude, &b.Exclude}, {template, &t}, {reach, &b.Reach}} {
		if err := c.column.Into(c.into); err != nil {
			return Broadcast{}, err
		}
	}
	b.Template, b.Parameters = t.Template, t.Parameters
	b.CreatedAt, b.WrittenAt, b.UpdatedAt = b.CreatedAt.UTC(), b.WrittenAt.UTC(), b.UpdatedAt.UTC()
	for _, at := range []*time.Time{b.Schedule, b.SubmittedAt, b.ApprovedAt, b.StartedAt, b.CompletedAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return b, nil
}

func read(ctx context.Context, tx *db.Tx, query string, args ...any) ([]Broadcast, error) {
	var out []Broadcast
	err := tx.Query(ctx, `SELECT `+columns+` FROM broadcast `+query, [][]any{args}, func(_ int, row db.Scanner) error {
		b, err := scan(row)
		out = append(out, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read broadcasts: %w", err)
	}
	return out, nil
}

const byID = `WHERE municipality_id = $1 AND broadcast_id = $2`

// Get returns one broadcast.
func Get(ctx context.Context, tx *db.Tx, municipality, id int64) (Broadcast, error) {
	return one(read(ctx, tx, byID, municipality, id))
}

// ByID loads many broadcasts at once, by id.
func ByID(ctx context.Context, tx *db.Tx, municipality int64, ids []int64) (map[int64]Broadcast, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	out := make(map[int64]Broadcast, len(ids))
	err := tx.Query(ctx, `SELECT `+columns+` FROM broadcast `+byID, rows, func(_ int, row db.Scanner) error {
		b, err := scan(row)
		out[b.ID] = b
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load broadcasts: %w", err)
	}
	return out, nil
}

// lock is Get for a broadcast that is about to change: on PostgreSQL others wait for this transaction.
func lock(ctx context.Context, tx *db.Tx, municipality, id int64) (Broadcast, error) {
	if tx.Engine == db.PostgreSQL {
		return one(read(ctx, tx, byID+` FOR UPDATE`, municipality, id))
	}
	return Get(ctx, tx, municipality, id)
}

func one(found []Broadcast, err error) (Broadcast, error) {
	if err != nil {
		return Broadcast{}, err
	}
	if len(found) == 0 {
		return Broadcast{}, ErrNotFound
	}
	return found[0], nil
}

// List returns a page of broadcasts, the newest first, after the one with this id, and where the next page
// begins: 0 when there is none.
func List(ctx context.Context, tx *db.Tx, municipality, after int64, limit int) ([]Broadcast, int64, error) {
	if after == 0 {
		after = math.MaxInt64
	}
	found, err := read(ctx, tx, `WHERE municipality_id = $1 AND broadcast_id < $2 ORDER BY broadcast_id DESC LIMIT $3`, municipality, after, limit+1)
	if err != nil || len(found) <= limit {
		return found, 0, err
	}
	return found[:limit], found[limit-1].ID, nil
}

// startedOrEnded lists the broadcasts that have begun and have not ended, or have ended since a time.
func startedOrEnded(ctx context.Context, tx *db.Tx, municipality int64, since time.Time) ([]Broadcast, error) {
	under, err := read(ctx, tx, `WHERE municipality_id = $1 AND started_at IS NOT NULL AND completed_at IS NULL`, municipality)
	if err != nil {
		return nil, err
	}
	ended, err := read(ctx, tx, `WHERE municipality_id = $1 AND started_at IS NOT NULL AND completed_at > $2`, municipality, since)
	return append(under, ended...), err
}

// AwaitingSecond lists the emergencies that wait for a second person.
func AwaitingSecond(ctx context.Context, tx *db.Tx, municipality int64) ([]Broadcast, error) {
	return read(ctx, tx, `WHERE municipality_id = $1 AND state = 'awaiting_approval' ORDER BY broadcast_id`, municipality)
}

// GlassBroken lists the emergencies that their author released alone since a time, the newest first: all of
// the staff are told.
func GlassBroken(ctx context.Context, tx *db.Tx, municipality int64, since time.Time) ([]Broadcast, error) {
	return read(ctx, tx, `WHERE municipality_id = $1 AND glass <> '' AND approved_at > $2 ORDER BY broadcast_id DESC LIMIT 10`, municipality, since)
}

// maxChain bounds a chain: an emergency of weeks has many updates.
const maxChain = 100

// Chain is what a broadcast follows and what follows it, the oldest first; it is in it itself.
func Chain(ctx context.Context, tx *db.Tx, municipality, id int64) ([]Broadcast, error) {
	first, err := Get(ctx, tx, municipality, id)
	for n := 0; err == nil && first.Follows != 0 && n < maxChain; n++ {
		first, err = Get(ctx, tx, municipality, first.Follows)
	}
	if err != nil {
		return nil, err
	}
	chain := []Broadcast{first}
	for i := 0; i < len(chain) && len(chain) < maxChain; i++ {
		followers, err := read(ctx, tx, `WHERE municipality_id = $1 AND follows = $2 AND follows <> 0`, municipality, chain[i].ID)
		if err != nil {
			return nil, err
		}
		chain = append(chain, followers...)
	}
	slices.SortFunc(chain, func(a, b Broadcast) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return chain, nil
}

// insert writes a new broadcast.
func insert(ctx context.Context, tx *db.Tx, municipality int64, b Broadcast) error {
	args, err := b.written(municipality)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO broadcast (municipality_id, broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads,
		category, free, follows, ends, schedule, author_kind, author_id, author_name, written_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19, $19)`, args...)
	if err != nil {
		return fmt.Errorf("write broadcast %d: %w", b.ID, err)
	}
	return nil
}

// rewrite makes a draft of a broadcast that says something else, or goes to others.
func rewrite(ctx context.Context, tx *db.Tx, municipality int64, b Broadcast) error {
	args, err := b.written(municipality)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE broadcast SET state = $3, emergency = $4, exercise = $5, lists = $6, districts = $7, exclude = $8, template = $9, reads = $10,
		category = $11, free = $12, follows = $13, ends = $14, schedule = $15, author_kind = $16, author_id = $17, author_name = $18, written_at = $19, updated_at = $19, `+unsubmitted+`
		WHERE municipality_id = $1 AND broadcast_id = $2`, args...)
	if err != nil {
		return fmt.Errorf("rewrite broadcast %d: %w", b.ID, err)
	}
	return nil
}

// unsubmitted takes back that a broadcast was to be sent.
const unsubmitted = `submitter_kind = '', submitter_id = 0, submitter_name = '', submitted_at = NULL`

// written are the arguments of what its author wrote.
func (b Broadcast) written(municipality int64) ([]any, error) {
	args := []any{municipality, b.ID, string(b.State), b.Emergency, b.Exercise}
	for _, v := range []any{words(b.Lists), words(b.Districts), words(b.Exclude), saved{b.Template, b.Parameters}} {
		column, err := db.ToJSON(v)
		if err != nil {
			return nil, err
		}
		args = append(args, column)
	}
	return append(args, b.Reads, b.Category, b.Free, b.Follows, b.Ends, b.Schedule, b.Author.Kind, b.Author.ID, b.Author.Name, b.WrittenAt), nil
}

func words(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// set changes columns of a broadcast and tells who looks at it.
func set(ctx context.Context, tx *db.Tx, municipality, id int64, columns string, args ...any) error {
	_, err := tx.ExecContext(ctx, `UPDATE broadcast SET updated_at = $3, `+columns+` WHERE municipality_id = $1 AND broadcast_id = $2`,
		append([]any{municipality, id, tx.Now()}, args...)...)
	if err != nil {
		return fmt.Errorf("change broadcast %d: %w", id, err)
	}
	told(tx, municipality, id)
	return nil
}

// wake is the key of the notices that the conductor listens to: something is to be done now.
const wake = "wake"

func told(tx *db.Tx, municipality, id int64) {
	tx.Notify(db.Notice{Topic: db.Broadcast, Municipality: municipality, ID: id, Key: wake})
}
