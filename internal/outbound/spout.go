// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// spout is one of the two ways out of a pump: one for what goes to a single citizen, one for what goes to many, so
// that a reply never waits until copies have been claimed.
type spout struct {
	p      *pump
	many   bool
	lanes  []conversation.Lane
	news   chan struct{} // something was queued
	ended  chan struct{} // something was settled, and what waited for it may go
	rested time.Time     // when notices may be claimed again; only run uses it
}

func newSpout(p *pump, many bool, lanes ...conversation.Lane) *spout {
	return &spout{p: p, many: many, lanes: lanes, news: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
}

func (s *spout) poke() { signal(s.news) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waits reports whether the spout has been waiting for an outcome: somebody looks at how a reply ended, and the next
// one may go then; a copy may have to go again.
func (s *spout) waits(o conversation.Outcome) bool {
	return s.many == (o.BroadcastID != 0) && waitedFor(o)
}

func (s *spout) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.sleep(ctx, s.turn(ctx))
	}
}

// pause is how long a spout has nothing to do; 0 is not at all.
type pause struct {
	time   time.Duration
	queued bool // something waits, perhaps until what is in flight has ended
}

// sleep waits for news, or for a while. That something was settled is looked at a little later, together with
// what else is: a broadcast settles at every moment, and each look is a transaction.
func (s *spout) sleep(ctx context.Context, p pause) {
	if p.time <= 0 {
		return
	}
	timer := time.NewTimer(p.time)
	defer timer.Stop()
	end := time.Now().Add(p.time)
	var ended chan struct{}
	if p.queued {
		ended = s.ended
	}
	for {
		select {
		case <-ended:
			ended = nil
			timer.Reset(min(time.Until(end), max(busy, time.Until(s.rested))))
			continue
		case <-ctx.Done():
		case <-s.news:
		case <-timer.C:
		}
		return
	}
}

// busy is how long a spout gathers room between two claims while there is more to send than may go.
const busy = 40 * time.Millisecond

// idle is how long a spout with nothing to do sleeps; news wakes it, and the sweep finds missed news.
const idle = time.Hour

// turn sends what may be sent now and returns how long to sleep.
func (s *spout) turn(ctx context.Context) pause {
	p := s.p
	p.pace.setRate(p.s.rate(p.number))
	if !p.lease(ctx) {
		return pause{time: leaseTime / 2}
	}
	now := time.Now()
	if wait := p.breaker.wait(now); wait > 0 {
		return pause{time: wait}
	}
	if p.breaker.needsProbe() {
		return pause{time: p.probe(ctx)}
	}
	if !p.hasRoom(now, s.many) {
		return s.full(now)
	}
	parcels, uploads, next, err := s.claim(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.s.log.Error("messages could not be claimed; it will be tried again", "number", p.number, "error", err)
		}
		return pause{time: time.Second}
	}
	for _, parcel := range parcels {
		p.start(ctx, parcel)
	}
	for _, u := range uploads {
		p.upload(ctx, u)
	}
	return next
}

// full is the pause of a spout that has no room.
func (s *spout) full(now time.Time) pause { return pause{time: max(busy, s.p.pace.until(now))} }

// claim takes what there is room for in one short transaction, ready to be sent, and says which files must be
// uploaded first. It also tells when to look again.
func (s *spout) claim(ctx context.Context) (parcels []parcel, uploads []upload, next pause, err error) {
	// A stop in the very moment of the commit must not hide that it took effect: what is claimed is sent.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	update := s.p.s.d.Update
	if s.many && !s.p.urgent.Load() {
		update = s.p.s.d.UpdateLater
	}
	var begun time.Time
	var claimed []conversation.Message
	room := 0
	err = update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		s.p.redeem(room, 0) // of the run before this one
		parcels, uploads, claimed = nil, nil, nil
		// Now that the wait for others is over: what there was room for before it may be gone.
		if room, begun = s.p.promise(s.many); room == 0 {
			next = s.full(begun)
			return nil
		}
		notices, resting := s.notices(begun, room)
		if claimed, err = s.claimLanes(ctx, tx, room, notices); err != nil {
			return err
		}
		if parcels, uploads, err = s.p.pack(ctx, tx, claimed); err != nil {
			return err
		}
		next, err = s.next(ctx, tx, len(claimed) == room, resting)
		return err
	})
	if err != nil {
		s.p.redeem(room, 0)
		return nil, nil, next, err
	}
	s.p.redeem(room, len(parcels)) // this is when they go, however long the claim took
	if len(parcels) < len(claimed) {
		s.p.over()
	}
	if slices.ContainsFunc(parcels, isNotice) {
		next.time = max(next.time, s.rest(time.Since(begun)))
	}
	return parcels, uploads, next, nil
}

// next is when to look again: soon if there was more than had room, otherwise when more is due.
func (s *spout) next(ctx context.Context, tx *db.Tx, full bool, resting time.Duration) (pause, error) {
	switch {
	case full:
		return pause{time: busy}, nil
	case resting > 0:
		return pause{time: max(busy, resting)}, nil
	}
	due, err := conversation.NextDue(ctx, tx, s.p.municipality, s.p.number, s.lanes...)
	if due.At.IsZero() {
		return pause{time: idle, queued: due.Queued}, err
	}
	return pause{time: max(busy, due.At.Sub(tx.Now())), queued: due.Queued}, err
}

// rests is how many times as long as the last claim of notices took the next one waits: where the database answers
// slowly, people wait for it too, and notices leave them most of it. Emergencies don't.
const rests = 12

func isNotice(x parcel) bool { return x.message.Lane == conversation.Broadcast }

// notices is how many of n messages may be notices, and how long none may go.
func (s *spout) notices(now time.Time, n int) (int, time.Duration) {
	if rest := s.rested.Sub(now); rest > 0 {
		return 0, rest
	}
	return n, 0
}

// rest lets no notice go for a while after some were claimed, which took so long.
func (s *spout) rest(took time.Duration) time.Duration {
	s.rested = time.Now().Add(rests * took)
	return rests * took
}

// claimLanes claims n messages at most, the urgent ones first. Notices take less of the room while the desk is behind.
func (s *spout) claimLanes(ctx context.Context, tx *db.Tx, n, notices int) ([]conversation.Message, error) {
	claim := func(first, last conversation.Lane, n int) ([]conversation.Message, error) {
		if n <= 0 {
			return nil, nil
		}
		return conversation.Claim(ctx, tx, s.p.municipality, s.p.number, first, last, n)
	}
	if !s.many {
		return claim(conversation.Reply, conversation.Automatic, n)
	}
	urgent, err := claim(conversation.Emergency, conversation.Emergency, n)
	if err != nil {
		return nil, err
	}
	s.p.urgent.Store(len(urgent) == n)
	others, err := claim(conversation.Broadcast, conversation.Broadcast, min(n-len(urgent), notices, s.p.s.gentle(n)))
	return append(urgent, others...), err
}
