// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// pump sends what is queued on one number. On PostgreSQL it holds the number's lease while it works,
// so that one instance paces one number.
type pump struct {
	s            *Sender
	municipality int64
	number       string
	single       *spout
	many         *spout
	pace         *pace
	breaker      breaker
	probing      sync.Mutex // held by the spout that finds out whether the line is up
	done         chan conversation.Outcome
	room         sync.Mutex   // guards promised
	promised     int          // messages that claims under way may take
	inFlight     atomic.Int64 // sent and not settled yet
	urgent       atomic.Bool  // more emergencies wait than may go
	flying       sync.WaitGroup
	giveUp       chan struct{} // closed a while after the stop: the database is gone
	leasedUntil  atomic.Int64  // real time in ns until which requests may start
	uploading    sync.Map      // media ids on their way to Meta
	noted        int           // the stop the desk was told of; only settle uses it
}

func newPump(s *Sender, municipality int64, number string) *pump {
	p := &pump{s: s, municipality: municipality, number: number, pace: newPace(standardRate), noted: unnoted,
		giveUp: make(chan struct{}), done: make(chan conversation.Outcome, maxInFlight)}
	p.single = newSpout(p, false, conversation.Reply, conversation.Automatic)
	p.many = newSpout(p, true, conversation.Emergency, conversation.Broadcast)
	return p
}

// unnoted makes a pump write once what its number's state is: who worked before may have left another.
const unnoted = -1

// poke lets both spouts look at the outbox.
func (p *pump) poke() {
	p.single.poke()
	p.many.poke()
}

// queued lets the spout of a lane look at the outbox.
func (p *pump) queued(lane conversation.Lane) {
	if slices.Contains(p.many.lanes, lane) {
		p.many.poke()
	} else {
		p.single.poke()
	}
}

// over tells both spouts that something has ended.
func (p *pump) over() {
	signal(p.single.ended)
	signal(p.many.ended)
}

// run works until ctx ends; then it starts nothing more, and settles what is in flight.
func (p *pump) run(ctx context.Context) {
	settled := make(chan struct{})
	go func() {
		p.settle(context.WithoutCancel(ctx))
		close(settled)
	}()
	var spouts sync.WaitGroup
	spouts.Go(func() { p.single.run(ctx) })
	spouts.Go(func() { p.many.run(ctx) })
	spouts.Wait()
	time.AfterFunc(lastWrites, func() { close(p.giveUp) })
	p.flying.Wait() // each ends within the request time-out
	close(p.done)
	<-settled
	p.unlease(context.WithoutCancel(ctx))
}

// hasRoom reports whether a spout may claim anything now.
func (p *pump) hasRoom(now time.Time, many bool) bool {
	p.room.Lock()
	defer p.room.Unlock()
	return p.free(now, many) > 0
}

// promise is how many messages a spout may claim now, by the machine's clock, which it tells. They are taken until
// redeem tells how many it was: the other spout is not promised them too.
func (p *pump) promise(many bool) (n int, now time.Time) {
	p.room.Lock()
	defer p.room.Unlock()
	now = time.Now()
	n = p.free(now, many)
	p.promised += n
	return n, now
}

// redeem ends a promise, of which so many messages start now.
func (p *pump) redeem(promised, started int) {
	p.room.Lock()
	defer p.room.Unlock()
	p.promised -= promised
	p.inFlight.Add(int64(started))
	p.pace.spend(time.Now(), started)
}

// free is what may start now: by the pace, by the free slots, of which what goes to many leaves a tenth, and by the
// breaker, which lets nothing through while the line is down, and one message while it tests it. While emergencies wait
// replies have no more than what is always left to them.
func (p *pump) free(now time.Time, many bool) int {
	if p.breaker.wait(now) > 0 || p.breaker.needsProbe() {
		return 0
	}
	slots := cap(p.s.slots) - len(p.s.slots)
	if many {
		slots -= cap(p.s.slots) / 10
	}
	n := min(p.pace.allowed(now, many), slots) - p.promised
	if !many && p.urgent.Load() {
		n = min(n, p.pace.spare())
	}
	if p.breaker.testing() {
		n = min(n, 1-int(p.inFlight.Load())-p.promised)
	}
	return max(0, n)
}

// start sends one parcel in its own goroutine.
func (p *pump) start(ctx context.Context, parcel parcel) {
	p.s.slots <- struct{}{}
	p.flying.Go(func() {
		defer func() { <-p.s.slots }()
		p.done <- p.send(context.WithoutCancel(ctx), parcel)
	})
}

func (p *pump) send(ctx context.Context, parcel parcel) conversation.Outcome {
	out := outcome(parcel.message)
	if wait := p.pace.wait(time.Now()); wait > 0 && parcel.message.BroadcastID != 0 { // a reply counts, but doesn't wait behind copies
		time.Sleep(wait)
	}
	if !p.mayStart() {
		out.Status = conversation.Queued // nothing was written
		return out
	}
	p.s.metrics.wait.Observe(p.s.d.Now().Sub(parcel.due).Seconds())
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	sent, err := p.s.client.Send(ctx, parcel.account, parcel.outgoing)
	return p.judge(out, parcel, sent, err)
}

// probe asks Meta for the number itself, which sends nothing to anybody, to see whether the line is up. One spout at a
// time does.
func (p *pump) probe(ctx context.Context) time.Duration {
	if !p.probing.TryLock() {
		return busy
	}
	defer p.probing.Unlock()
	if !p.breaker.needsProbe() { // any more
		return 0
	}
	account, err := p.s.account(p.number)
	if err != nil {
		return time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err = p.s.client.PhoneNumber(ctx, account)
	if _, answered := errors.AsType[*whatsapp.GraphError](err); err != nil && !answered {
		return p.breaker.stillDown(time.Now())
	}
	p.breaker.lineUp()
	return 0
}
