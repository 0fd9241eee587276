// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
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

// rests is how many times as long as the last claim of notices took the next one waits: where the database answers
// slowly, people wait for it too, and notices leave them most of it. Emergencies don't.
const rests = 8

func isNotice(x parcel) bool { return x.message.Lane == conversation.Broadcast }

// idle is how long a pump with nothing to do sleeps; news wakes it, and the sweep finds missed news.
const idle = time.Hour

// lastWrites is how long a stopping pump tries to write the outcome of what was in flight.
const lastWrites = requestTimeout + 5*time.Second

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

// lease takes or keeps the lease of the number, renewing it when a quarter is used.
func (p *pump) lease(ctx context.Context) bool {
	if p.s.d.Engine == db.SQLite {
		return true
	}
	start := time.Now()
	if start.UnixNano() < p.leasedUntil.Load()-int64(leaseTime/4) {
		return true
	}
	held, err := p.s.d.Lease(ctx, "number:"+p.number, leaseTime)
	if err != nil || !held {
		return false
	}
	p.leasedUntil.Store(start.Add(leaseTime / 2).UnixNano())
	return true
}

// mayStart reports whether a request may still start under the lease.
func (p *pump) mayStart() bool {
	return p.s.d.Engine == db.SQLite || time.Now().UnixNano() < p.leasedUntil.Load()
}

func (p *pump) unlease(ctx context.Context) {
	if p.s.d.Engine == db.SQLite {
		return
	}
	if err := p.s.d.Unlease(ctx, "number:"+p.number); err != nil {
		p.s.log.Warn("the lease of a number was not given back; it ends by itself", "number", p.number, "error", err)
	}
}

// claim takes up to n messages in one short transaction, ready to be sent, and says which files must be
// uploaded first. It also tells when the next message is due.
func (p *pump) claim(ctx context.Context, n int) (parcels []parcel, uploads []upload, next time.Duration, err error) {
	// A stop in the very moment of the commit must not hide that it took effect: what is claimed is sent.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	now := time.Now()
	broadcasts, notices, wait := p.many(now, n)
	err = p.s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		claimed, err := p.claimLanes(ctx, tx, n, broadcasts, notices)
		if err != nil {
			return err
		}
		parcels, uploads, err = p.pack(ctx, tx, claimed)
		if err != nil || len(claimed) == n {
			return err
		}
		if next = wait; wait > 0 {
			return nil
		}
		due, waiting, err := conversation.NextDue(ctx, tx, p.municipality, p.number)
		next = idle
		if waiting {
			next = max(busy, due.Sub(tx.Now()))
		}
		return err
	})
	if slices.ContainsFunc(parcels, isNotice) {
		next = max(next, p.rest(time.Since(now)))
	}
	return parcels, uploads, next, err
}

// many is how many of n messages may be such as go to many, how many of these notices, and how long nothing more of
// them may go: a reply that wakes the pump doesn't wait until a broadcast's next rows are claimed with it.
func (p *pump) many(now time.Time, n int) (all, notices int, wait time.Duration) {
	if wait = busy - now.Sub(p.toMany); wait <= 0 {
		p.toMany, all = now, min(n, p.room(now, true))
	}
	if rest := p.rested.Sub(now); rest > 0 {
		return all, 0, max(wait, rest)
	}
	return all, all, wait
}

// rest lets no notice go for a while after some were claimed, which took so long.
func (p *pump) rest(took time.Duration) time.Duration {
	p.rested = time.Now().Add(rests * took)
	return rests * took
}

// claimLanes claims emergencies before everything, replies before broadcasts, n messages in all. What goes to
// many, be it an emergency, takes no more than its room: a tenth of the rate is always left to replies. A notice
// takes less of it while the desk is behind, and has a part of it at most.
func (p *pump) claimLanes(ctx context.Context, tx *db.Tx, n, room, notices int) (claimed []conversation.Message, err error) {
	for _, turn := range []struct {
		first, last conversation.Lane
		toMany      bool
	}{{conversation.Emergency, conversation.Emergency, true}, {conversation.Reply, conversation.Automatic, false}, {conversation.Broadcast, conversation.Broadcast, true}} {
		limit := n - len(claimed)
		if turn.toMany {
			limit = min(limit, room)
		}
		if turn.first == conversation.Broadcast {
			limit = min(limit, notices, p.s.gentle(room))
		}
		if limit <= 0 {
			continue
		}
		more, err := conversation.Claim(ctx, tx, p.municipality, p.number, turn.first, turn.last, limit)
		if err != nil {
			return nil, err
		}
		if turn.toMany {
			room -= len(more)
		}
		claimed = append(claimed, more...)
	}
	return claimed, nil
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

// settle writes outcomes in batches: what comes meanwhile goes together.
func (p *pump) settle(ctx context.Context) {
	for first := range p.done {
		batch := p.gather(first)
		p.write(ctx, batch)
		p.inFlight.Add(-int64(len(batch)))
		if slices.ContainsFunc(batch, waitedFor) || p.breaker.testing() {
			p.poke()
		} else {
			signal(p.ended)
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

// breaker stops a number whose messages go nowhere: after three uncertain outcomes in a row, when
// nothing can be written at all, or when Meta says that nothing will go until a person acts. Then the
// line is probed, at growing intervals, and one message tests it before all go.
type breaker struct {
	mu        sync.Mutex
	uncertain int // in a row, of each kind
	dark      int
	refusing  int
	open      bool
	half      bool
	until     time.Time
	pause     time.Duration
	code      int // why Meta stopped the number, 0 when it runs
	strange   int // an unknown code, and how often in a row it came
	repeated  int
}

const (
	maxStrange   = 5
	maxUncertain = 3
	maxDark      = 2
	firstPause   = time.Second
	longestPause = 30 * time.Second
	stoppedPause = time.Minute
)

func (b *breaker) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until.Sub(now)
}

func (b *breaker) needsProbe() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

func (b *breaker) testing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.half
}

func (b *breaker) lineUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open, b.half, b.until = false, true, time.Time{}
}

func (b *breaker) stillDown(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trip(now)
}

func (b *breaker) trip(now time.Time) time.Duration {
	b.open = true
	b.pause = min(longestPause, max(firstPause, 2*b.pause))
	b.until = now.Add(b.pause + rand.N(b.pause/4))
	return b.until.Sub(now)
}

// answered notes that Meta said something about a message: the line is up.
func (b *breaker) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uncertain, b.dark, b.refusing, b.pause, b.half, b.code, b.repeated = 0, 0, 0, 0, false, 0, 0
}

// unknown notes an uncertain outcome.
func (b *breaker) unknown(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(now, &b.uncertain, maxUncertain)
}

// unsent notes that nothing could be written; once may be a connection that was closed while idle.
func (b *breaker) unsent(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(now, &b.dark, maxDark)
}

// down notes that Meta says of itself that it is down.
func (b *breaker) down(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(now, &b.refusing, maxUncertain)
}

// count trips at most once for all that was in flight at one moment.
func (b *breaker) count(now time.Time, in *int, most int) {
	if b.open && now.Before(b.until) {
		return
	}
	if *in++; *in >= most || b.half {
		b.trip(now)
	}
}

// stopped waits a minute and tests with one message: Graph's refusal is sure, so nothing is sent twice.
func (b *breaker) stopped(now time.Time, code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.half, b.until, b.code = true, now.Add(stoppedPause), code
}

// unfamiliar counts an error code nobody knows; the same one for many citizens in a row concerns them all.
func (b *breaker) unfamiliar(code int) (stop bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.strange != code {
		b.strange, b.repeated = code, 0
	}
	b.repeated++
	return b.repeated >= maxStrange
}

func (b *breaker) stopCode() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.code
}
