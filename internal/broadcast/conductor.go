// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
	keepUpAt  time.Time // when what is being sent is counted next
	sending   []work    // the large ones, as last seen
	left      map[limited]allowance
	resent    map[resending]int64
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
	if !more && c.d.Now().After(c.keepUpAt) {
		errs = append(errs, c.keepUp(ctx))
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
