// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Conductor brings broadcasts forward: it starts them at their time, gives every recipient a parked copy,
// releases copies to the outbox as the numbers take them, and notes when all is done. All it knows stands in
// the database, each step is a short transaction, and any number of instances may run one: after a kill the
// next step goes on where the last one committed.
type Conductor struct {
	d         *db.DB
	directory *municipality.Directory
	log       *slog.Logger
	counted   time.Time // when reach was last counted
	left      map[limited]allowance
	resent    map[resending]int64
}

// resending is one wish to send again what stayed uncertain. The conductor remembers the last copy that got its
// second, so as not to walk past all before it each time; after a restart it does once.
type resending struct{ broadcast, since int64 }

// limited is who is bound by Meta's daily limit.
type limited struct {
	municipality int64
	urgent       bool
}

// allowance is how many people may still be reached, as last counted.
type allowance struct {
	people int
	at     time.Time
}

// NewConductor makes a conductor.
func NewConductor(d *db.DB, directory *municipality.Directory, log *slog.Logger) *Conductor {
	return &Conductor{d: d, directory: directory, log: log, left: make(map[limited]allowance), resent: make(map[resending]int64)}
}

const (
	beat  = 250 * time.Millisecond // between two looks while something is on its way
	sweep = 2 * time.Second        // finds what is due, and what a missed notice told of
	ahead = 2 * time.Second        // of a number's rate is released ahead
	slice = 500                    // rows of one step
	many  = 1000                   // recipients change what the database should know of its tables
)

// Run works until ctx ends.
func (c *Conductor) Run(ctx context.Context) {
	news := c.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Broadcast && n.Key == wake })
	defer news.Close()
	for ctx.Err() == nil {
		busy, more, err := c.round(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Error("a broadcast did not go on; it will be tried again", "error", err)
		}
		pause := sweep
		switch {
		case err != nil:
			pause = time.Second
		case more:
			continue
		case busy:
			pause = beat
		}
		select {
		case <-ctx.Done():
		case <-news.C:
		case <-time.After(pause):
		}
	}
}

// Drain takes steps until nothing is to be done now; tests and the demo call it.
func (c *Conductor) Drain(ctx context.Context) error {
	for {
		if _, more, err := c.round(ctx); err != nil || !more {
			return err
		}
	}
}

// work is a broadcast that something is to be done for.
type work struct {
	municipality, id int64
	state            State
}

// round takes one step for every broadcast, emergencies first. It reports whether any is on its way, and
// whether one can go on at once.
func (c *Conductor) round(ctx context.Context) (busy, more bool, err error) {
	todo, err := c.todo(ctx)
	if err != nil {
		return false, false, err
	}
	var errs []error
	for _, w := range todo {
		m, ok := c.directory.ByID(w.municipality)
		if !ok {
			continue
		}
		goesOn, err := c.step(ctx, m, w)
		if err != nil {
			errs = append(errs, fmt.Errorf("broadcast %d: %w", w.id, err))
		}
		more = more || goesOn
	}
	if now := time.Now(); !more && now.Sub(c.counted) > recount {
		c.counted = now
		errs = append(errs, c.recount(ctx))
	}
	return len(todo) > 0, more, errors.Join(errs...)
}

func (c *Conductor) todo(ctx context.Context) (todo []work, err error) {
	err = c.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		todo = nil
		return tx.Query(ctx, `SELECT municipality_id, broadcast_id, state FROM broadcast WHERE completed_at IS NULL
			AND (state IN ('preparing', 'sending', 'cancelled') OR state = 'scheduled' AND schedule <= $1)
			ORDER BY CASE WHEN emergency AND NOT exercise THEN 0 ELSE 1 END, broadcast_id`, [][]any{{tx.Now()}}, func(_ int, row db.Scanner) error {
			var w work
			err := row.Scan(&w.municipality, &w.id, &w.state)
			todo = append(todo, w)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("look for broadcasts: %w", err)
	}
	return todo, nil
}

// step brings a broadcast one step forward and reports whether the next could follow at once.
func (c *Conductor) step(ctx context.Context, m *municipality.Municipality, w work) (goesOn bool, err error) {
	if w.state == Sending {
		return c.send(ctx, m, w)
	}
	err = c.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		goesOn = false
		b, ok, err := take(ctx, tx, w)
		if err != nil || !ok {
			return err
		}
		switch w.state {
		case Scheduled:
			goesOn = true
			return set(ctx, tx, m.ID, b.ID, `state = 'preparing'`)
		case Preparing:
			goesOn = true
			return prepare(ctx, tx, m, b)
		default:
			goesOn, err = wind(ctx, tx, m, b)
			return err
		}
	})
	return goesOn, err
}

// take locks a broadcast that is still as it was found; one that another instance works on is left to it.
func take(ctx context.Context, tx *db.Tx, w work) (Broadcast, bool, error) {
	query := byID
	if tx.Engine == db.PostgreSQL {
		query += ` FOR UPDATE SKIP LOCKED`
	}
	found, err := read(ctx, tx, query, w.municipality, w.id)
	if err != nil || len(found) == 0 || found[0].State != w.state {
		return Broadcast{}, false, err
	}
	return found[0], true, nil
}

// prepare gives the next recipients their copies. The cursor moves in the same transaction, so that nobody is
// skipped and nobody is there twice.
func prepare(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast) error {
	cursor, err := b.cursor(ctx, tx, m.ID)
	if err != nil {
		return err
	}
	limit := slice
	if tx.Engine == db.PostgreSQL { // nobody waits for its writer
		limit *= 10
	}
	s := statement{offset: conversation.CopyArgs}
	b.page(&s, m, cursor, limit)
	last, n, err := conversation.Copies(ctx, tx, m.ID, b.ID, b.Follows, b.Author, conversation.Recipients{Query: s.String(), Args: s.args, Limit: limit})
	if err != nil {
		return err
	}
	if n < limit { // the last page, or some have theirs already: the cursor passes these too
		end, err := b.pageEnd(ctx, tx, m, cursor, limit)
		if err != nil {
			return err
		}
		last = max(last, end)
	}
	if last == 0 {
		if b.Recipients >= many {
			if err := conversation.Learn(ctx, tx); err != nil {
				return err
			}
		}
		return set(ctx, tx, m.ID, b.ID, `state = 'sending', prepared = true, started_at = $3`)
	}
	return set(ctx, tx, m.ID, b.ID, `cursor = $4, recipients = recipients + $5`, last, n)
}

// cursor is the last contact that the preparation has passed.
func (b *Broadcast) cursor(ctx context.Context, tx *db.Tx, municipality int64) (cursor int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT cursor FROM broadcast WHERE municipality_id = $1 AND broadcast_id = $2`, municipality, b.ID).Scan(&cursor)
	if err != nil {
		return 0, fmt.Errorf("read how far the preparation of broadcast %d came: %w", b.ID, err)
	}
	return cursor, nil
}

// pageEnd is the last contact of the page of recipients after a contact; 0 when there is none.
func (b *Broadcast) pageEnd(ctx context.Context, tx *db.Tx, m *municipality.Municipality, after int64, limit int) (end int64, err error) {
	var s statement
	s.WriteString(`SELECT coalesce(max(p.contact_id), 0) FROM (`)
	b.page(&s, m, after, limit)
	s.WriteString(`) p`)
	if err := tx.QueryRowContext(ctx, s.String(), s.args...).Scan(&end); err != nil {
		return 0, fmt.Errorf("look where a page of broadcast %d ends: %w", b.ID, err)
	}
	return end, nil
}

// wind ends a cancelled broadcast.
func wind(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast) (goesOn bool, err error) {
	for _, number := range numbersOf(m) {
		for _, id := range []int64{b.ID, conversation.Again(b.ID)} {
			n, err := conversation.CancelCopies(ctx, tx, m.ID, id, number, slice)
			if err != nil || n > 0 {
				return n > 0, err
			}
		}
	}
	open, err := conversation.CopiesOpen(ctx, tx, m.ID, b.ID)
	if err != nil || open {
		return false, err
	}
	return false, set(ctx, tx, m.ID, b.ID, `completed_at = $3`)
}

// send releases what the numbers can take, and ends the broadcast when nothing is left.
func (c *Conductor) send(ctx context.Context, m *municipality.Municipality, w work) (goesOn bool, err error) {
	may, err := c.allowed(ctx, m, w)
	if err != nil {
		return false, err
	}
	var again resending
	var last int64
	err = c.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		goesOn, again = false, resending{}
		b, ok, err := take(ctx, tx, w)
		if err != nil || !ok {
			return err
		}
		if b.resendSince != nil {
			goesOn, again = true, resending{b.ID, b.resendSince.UnixMicro()}
			last, err = b.resend(ctx, tx, m, c.resent[again])
			return err
		}
		if may, err = b.exactly(ctx, tx, m, may); err != nil {
			return err
		}
		goesOn, err = release(ctx, tx, m, b, may)
		return err
	})
	switch {
	case err != nil || again == resending{}:
	case last == 0:
		delete(c.resent, again)
	default:
		c.resent[again] = last
	}
	return goesOn, err
}

// exactly counts again how many more people the broadcast may reach when they are few: by one instance at a time,
// or each would use all that is left.
func (b *Broadcast) exactly(ctx context.Context, tx *db.Tx, m *municipality.Municipality, may int) (int, error) {
	if may < 0 || may > plenty || tx.Engine == db.SQLite {
		return may, nil
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('daily limit', $1))`, m.ID); err != nil {
		return 0, fmt.Errorf("wait for who releases within the daily limit: %w", err)
	}
	return reachable(ctx, tx, m, b.urgent())
}

// Counting whom a day's broadcasts reached reads all their copies: while many are left, it is done once in a
// while, and what may have been released since is taken off.
const (
	plenty       = 20_000
	countAllowed = 2 * time.Second
)

// allowed is how many more people a broadcast may reach now; -1 is no limit.
func (c *Conductor) allowed(ctx context.Context, m *municipality.Municipality, w work) (may int, err error) {
	var who limited
	now := time.Now()
	err = c.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := Get(ctx, tx, w.municipality, w.id)
		if err != nil {
			return err
		}
		who = limited{municipality: m.ID, urgent: b.urgent()}
		if left, known := c.left[who]; known && now.Sub(left.at) < countAllowed && left.people > plenty {
			may, now = left.people, left.at
			return nil
		}
		may, err = reachable(ctx, tx, m, b.urgent())
		return err
	})
	c.left[who] = allowance{people: may - slice*len(numbersOf(m)), at: now}
	return may, err
}

// urgent broadcasts overtake everything and may use what is kept of the limit; an exercise does neither.
func (b *Broadcast) urgent() bool { return b.Emergency && !b.Exercise }

func (b *Broadcast) lane() conversation.Lane {
	if b.urgent() {
		return conversation.Emergency
	}
	return conversation.Broadcast
}

func release(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast, may int) (bool, error) {
	moved, err := b.leaveRetired(ctx, tx, m)
	if err != nil {
		return false, err
	}
	goesOn, full := moved > 0, false
	for _, n := range m.Numbers {
		number := n.PhoneNumberID
		most := int(m.Health(number).Rate() * ahead.Seconds())
		depth, err := conversation.LaneDepth(ctx, tx, m.ID, number, b.lane(), most)
		if err != nil {
			return false, err
		}
		room := min(most-depth, slice)
		if may >= 0 {
			room = min(room, may)
		}
		if room <= 0 {
			full = true
			continue
		}
		released, skipped, err := b.releaseOn(ctx, tx, m.ID, number, room)
		if err != nil {
			return false, err
		}
		if may >= 0 {
			may -= released
		}
		moved += released + skipped
		goesOn = goesOn || released+skipped == slice
	}
	if err := b.waiting(ctx, tx, m.ID, may == 0 && moved == 0 && full); err != nil || moved > 0 || full && may != 0 {
		return goesOn, err
	}
	return false, complete(ctx, tx, m, b)
}

// leaveRetired moves what is parked on numbers no longer in use to one that is, and returns how many.
func (b *Broadcast) leaveRetired(ctx context.Context, tx *db.Tx, m *municipality.Municipality) (moved int, err error) {
	for _, retired := range m.Retired {
		for _, id := range []int64{b.ID, conversation.Again(b.ID)} {
			n, err := conversation.MoveCopies(ctx, tx, m.ID, id, retired.PhoneNumberID, m.Numbers[0].PhoneNumberID, slice)
			if err != nil {
				return 0, err
			}
			moved += n
		}
	}
	return moved, nil
}

// releaseOn releases on a number, what is sent again first.
func (b *Broadcast) releaseOn(ctx context.Context, tx *db.Tx, municipality int64, number string, room int) (released, skipped int, err error) {
	stay, args := b.stays("message", 5)
	for _, id := range []int64{conversation.Again(b.ID), b.ID} {
		if room -= released + skipped; room <= 0 {
			break
		}
		more, left, err := conversation.ReleaseCopies(ctx, tx, municipality, conversation.CopyRelease{Broadcast: id, Number: number, Lane: b.lane(), Limit: room,
			Free: b.Free != "", Stay: stay, StayArgs: args})
		if err != nil {
			return 0, 0, err
		}
		released, skipped = released+more, skipped+left
	}
	return released, skipped, nil
}

// waitsLimit says that Meta's daily limit holds a broadcast back.
const waitsLimit = "limit"

func (b *Broadcast) waiting(ctx context.Context, tx *db.Tx, municipality int64, limited bool) error {
	waits := ""
	if limited {
		waits = waitsLimit
	}
	if waits == b.Waits {
		return nil
	}
	return set(ctx, tx, municipality, b.ID, `waits = $4`, waits)
}

// complete ends a broadcast of which nothing is queued or in flight.
func complete(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast) error {
	open, err := conversation.CopiesOpen(ctx, tx, m.ID, b.ID)
	if err != nil || open {
		return err
	}
	return set(ctx, tx, m.ID, b.ID, `state = 'completed', completed_at = $3, waits = ''`)
}

// Statuses come for days after a broadcast has ended; what it reached is counted again for a while.
const (
	recount      = 30 * time.Second
	recountAfter = 5 * time.Minute // of one that has ended
	recountFor   = 72 * time.Hour
)

func (c *Conductor) recount(ctx context.Context) error {
	var due []work
	err := c.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		due = nil
		for _, m := range c.directory.All() {
			found, err := read(ctx, tx, `WHERE municipality_id = $1 AND started_at IS NOT NULL AND (completed_at IS NULL OR completed_at > $2)`, m.ID, tx.Now().Add(-recountFor))
			if err != nil {
				return err
			}
			for _, b := range found {
				if b.CompletedAt == nil || b.Reach.At.Before(*b.CompletedAt) || tx.Now().Sub(b.Reach.At) > recountAfter {
					due = append(due, work{municipality: m.ID, id: b.ID})
				}
			}
		}
		return nil
	})
	for _, w := range due {
		err = errors.Join(err, c.keepReach(ctx, w))
	}
	return err
}

func (c *Conductor) keepReach(ctx context.Context, w work) error {
	var r Reach
	err := c.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		r, err = CountReach(ctx, tx, w.municipality, w.id)
		return err
	})
	if err != nil {
		return err
	}
	column, err := db.ToJSON(r)
	if err != nil {
		return err
	}
	return c.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE broadcast SET reach = $3 WHERE municipality_id = $1 AND broadcast_id = $2`, w.municipality, w.id, column)
		return err
	})
}
