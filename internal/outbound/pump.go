// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
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
	pace         *pace
	breaker      breaker
	news         chan struct{} // something was queued
	ended        chan struct{} // something was settled, and what waited for it may go
	done         chan conversation.Outcome
	inFlight     atomic.Int64 // sent and not settled yet
	flying       sync.WaitGroup
	giveUp       chan struct{} // closed a while after the stop: the database is gone
	leasedUntil  atomic.Int64  // real time in ns until which requests may start
	uploading    sync.Map      // media ids on their way to Meta
	toMany       time.Time     // when what goes to many was last claimed; only run uses it
	rested       time.Time     // when notices may be claimed again; only run uses it
	noted        int           // the stop the desk was told of; only settle uses it
}

func newPump(s *Sender, municipality int64, number string) *pump {
	return &pump{s: s, municipality: municipality, number: number, pace: newPace(standardRate), noted: unnoted,
		news: make(chan struct{}, 1), ended: make(chan struct{}, 1), giveUp: make(chan struct{}), done: make(chan conversation.Outcome, maxInFlight)}
}

// unnoted makes a pump write once what its number's state is: who worked before may have left another.
const unnoted = -1

func (p *pump) poke() { signal(p.news) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run works until ctx ends; then it starts nothing more, and settles what is in flight.
func (p *pump) run(ctx context.Context) {
	settled := make(chan struct{})
	go func() {
		p.settle(context.WithoutCancel(ctx))
		close(settled)
	}()
	for ctx.Err() == nil {
		p.sleep(ctx, p.turn(ctx))
	}
	time.AfterFunc(lastWrites, func() { close(p.giveUp) })
	p.flying.Wait() // each ends within the request time-out
	close(p.done)
	<-settled
	p.unlease(context.WithoutCancel(ctx))
}

// sleep waits for news, or for a while. That something was settled is looked at a little later, together with
// what else is: a broadcast settles at every moment, and each look is a transaction.
func (p *pump) sleep(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	end, ended := time.Now().Add(pause), p.ended
	for {
		select {
		case <-ended:
			ended = nil
			timer.Reset(min(time.Until(end), max(busy, time.Until(p.rested))))
			continue
		case <-ctx.Done():
		case <-p.news:
		case <-timer.C:
		}
		return
	}
}

// busy is how long a pump gathers room between two claims while there is more to send than may go.
const busy = 40 * time.Millisecond

// idle is how long a pump with nothing to do sleeps; news wakes it, and the sweep finds missed news.
const idle = time.Hour

// turn sends what may be sent now and returns how long to sleep, 0 for none.
func (p *pump) turn(ctx context.Context) time.Duration {
	now := time.Now()
	p.pace.setRate(p.s.rate(p.number))
	if !p.lease(ctx) {
		return leaseTime / 2
	}
	if wait := p.breaker.wait(now); wait > 0 {
		return wait
	}
	if p.breaker.needsProbe() {
		return p.probe(ctx)
	}
	n := p.room(now, false)
	if n == 0 {
		return max(busy, p.pace.until(now))
	}
	parcels, uploads, next, err := p.claim(ctx, n)
	if err != nil {
		if ctx.Err() == nil {
			p.s.log.Error("messages could not be claimed; it will be tried again", "number", p.number, "error", err)
		}
		return time.Second
	}
	p.pace.spend(time.Now(), len(parcels)) // this is when they go, however long the claim took
	for _, parcel := range parcels {
		p.start(ctx, parcel)
	}
	for _, u := range uploads {
		p.upload(ctx, u)
	}
	if len(parcels) == n {
		return busy
	}
	return next
}

// room is how many messages may start now: by the pace, by the free slots, and by the breaker, which
// lets one through while it tests the line.
func (p *pump) room(now time.Time, broadcast bool) int {
	n := min(p.pace.allowed(now, broadcast), cap(p.s.slots)-len(p.s.slots))
	if p.breaker.testing() {
		n = min(n, 1-int(p.inFlight.Load()))
	}
	return max(0, n)
}

// start sends one parcel in its own goroutine.
func (p *pump) start(ctx context.Context, parcel parcel) {
	p.inFlight.Add(1)
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

// probe asks Meta for the number itself, which sends nothing to anybody, to see whether the line is up.
func (p *pump) probe(ctx context.Context) time.Duration {
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
