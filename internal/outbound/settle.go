// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// lastWrites is how long a stopping pump tries to write the outcome of what was in flight.
const lastWrites = requestTimeout + 5*time.Second

// settle writes outcomes in batches: what comes meanwhile goes together.
func (p *pump) settle(ctx context.Context) {
	for first := range p.done {
		batch := p.gather(first)
		p.write(ctx, batch)
		p.inFlight.Add(-int64(len(batch)))
		p.over()
		for _, s := range []*spout{p.single, p.many} {
			if p.breaker.testing() || slices.ContainsFunc(batch, s.waits) {
				s.poke()
			}
		}
	}
}

// gathers is how long the outcomes of a broadcast wait for more of them: each batch is a transaction.
const (
	gathers = 25 * time.Millisecond
	batches = 200
)

// gather adds to an outcome those that have come, and as long as there are only a broadcast's, those that come
// soon.
func (p *pump) gather(first conversation.Outcome) []conversation.Outcome {
	batch := []conversation.Outcome{first}
	timer := time.NewTimer(gathers)
	defer timer.Stop()
	hurry := waitedFor(first)
	for len(batch) < batches {
		var o conversation.Outcome
		ok := false
		select {
		case o, ok = <-p.done:
		default:
			if hurry {
				return batch
			}
			select {
			case o, ok = <-p.done:
			case <-timer.C:
			}
		}
		if !ok {
			return batch
		}
		batch = append(batch, o)
		hurry = hurry || waitedFor(o)
	}
	return batch
}

// waitedFor reports whether somebody looks at how a message ended, or it has to go again.
func waitedFor(o conversation.Outcome) bool {
	return o.BroadcastID == 0 || o.Status == conversation.Queued
}

// write settles a batch, as long as it takes: until it is written, nothing of it is sent again. When the
// desk stops while the database is gone, the next start finds what was sending, and calls it uncertain.
func (p *pump) write(ctx context.Context, batch []conversation.Outcome) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := p.settleBatch(ctx, batch)
		switch {
		case err == nil:
			return
		case !db.Unavailable(err) && len(batch) > 1: // one of them can't be written: the others can
			for _, o := range batch {
				p.write(ctx, []conversation.Outcome{o})
			}
			return
		}
		p.s.log.Error("the outcome of sends was not written", "number", p.number, "error", err)
		if !db.Unavailable(err) {
			return // what is sending becomes uncertain in time
		}
		select {
		case <-p.giveUp:
			return
		case <-time.After(pause):
		}
	}
}

func (p *pump) settleBatch(ctx context.Context, batch []conversation.Outcome) error {
	code := p.breaker.stopCode()
	err := p.s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := conversation.Settle(ctx, tx, p.municipality, p.number, batch); err != nil {
			return err
		}
		if err := p.tell(ctx, tx, batch); err != nil {
			return err
		}
		if p.noted == code {
			return nil
		}
		// For the desk: why Meta refuses everything from the number, or that it no longer does.
		return conversation.SetStop(ctx, tx, p.municipality, p.number, code)
	})
	if err == nil {
		p.noted = code
	}
	return err
}

// tell lets broadcasts act on how their copies ended.
func (p *pump) tell(ctx context.Context, tx *db.Tx, ended []conversation.Outcome) error {
	m, ok := p.s.directory.ByID(p.municipality)
	if !ok || len(ended) == 0 {
		return nil
	}
	return broadcast.Settled(ctx, tx, m, ended)
}
