// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Meta's rates: messages a second of a number, in and out together, and the pair of number and citizen.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
const (
	standardRate = 80.0 // until Meta's word for the number is known
	pairEvery    = 6 * time.Second
	pairBurst    = 45

	// A full bucket and what flows in during a second are less than the rate, with room for what is late on
	// its way to the wire: no second has more.
	sustained = 0.875
	slice     = 75 * time.Millisecond // of the rate is in a full bucket, and is claimed at once

	// The last gate before the wire spreads what was claimed at once, and what a busy machine let gather.
	gateShare = 0.95
	gateBurst = 0.05

	incomingShare = 0.9 // of the rate: a flood of messages leaves a tenth to the replies
)

// pace keeps a number below its rate. After Meta said that it was too fast it goes at half and comes
// back by a tenth every ten seconds.
type pace struct {
	mu     sync.Mutex
	full   float64 // Meta's rate
	bucket *rate.Limiter
	counts *rate.Limiter // what comes in and is counted: at most incomingShare of the bucket
	gate   *rate.Limiter
	slowed time.Time
	pairs  map[int64]*rate.Limiter
}

func newPace(perSecond float64) *pace {
	return &pace{full: perSecond, bucket: rate.NewLimiter(rate.Limit(sustained*perSecond), burst(perSecond)),
		counts: rate.NewLimiter(rate.Limit(incomingShare*sustained*perSecond), burst(perSecond)),
		gate:   rate.NewLimiter(rate.Limit(gateShare*perSecond), gateBurstOf(perSecond)), pairs: make(map[int64]*rate.Limiter)}
}

func burst(perSecond float64) int { return max(1, int(perSecond*slice.Seconds())) }

func gateBurstOf(perSecond float64) int { return max(1, int(gateBurst*perSecond)) }

// wait is how long a message must wait at the gate before its bytes are written.
func (p *pace) wait(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate.ReserveN(now, 1).DelayFrom(now)
}

// allowed is how many messages may be sent now. What goes to many, be it an emergency, leaves a tenth of the rate to
// replies.
func (p *pace) allowed(now time.Time, many bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recover(now)
	tokens := p.bucket.TokensAt(now)
	if many {
		tokens -= float64(p.spare())
	}
	return max(0, int(tokens))
}

// spare is what of a full bucket is left to replies.
func (p *pace) spare() int { return max(1, p.bucket.Burst()/10) }

// spend takes the tokens of n messages that are sent now.
func (p *pace) spend(now time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n > 0 { // a reservation larger than the burst is refused
		part := min(n, p.bucket.Burst())
		p.bucket.ReserveN(now, part)
		n -= part
	}
}

// took counts messages that came in: they use the same rate, but never so much that replies starve.
func (p *pace) took(n int) {
	now := time.Now()
	p.mu.Lock()
	n = max(0, min(n, int(p.counts.TokensAt(now))))
	p.counts.ReserveN(now, n)
	p.mu.Unlock()
	p.spend(now, n)
}

// until is how long it takes until one message may be sent.
func (p *pace) until(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := 1 - p.bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(p.bucket.Limit()) * float64(time.Second))
}

func (p *pace) setRate(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if perSecond == p.full {
		return
	}
	p.full = perSecond
	p.gate.SetLimitAt(time.Now(), rate.Limit(gateShare*perSecond))
	p.gate.SetBurstAt(time.Now(), gateBurstOf(perSecond))
	p.limit(time.Now(), sustained*perSecond)
}

// slow halves the rate, at most once a second: many answers tell of one moment.
func (p *pace) slow(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.slowed) < time.Second {
		return
	}
	p.slowed = now
	p.limit(now, math.Max(1, float64(p.bucket.Limit())/2))
}

func (p *pace) recover(now time.Time) {
	if current, full := float64(p.bucket.Limit()), sustained*p.full; current < full && now.Sub(p.slowed) > 10*time.Second {
		p.slowed = now
		p.limit(now, math.Min(full, current+full/10))
	}
}

func (p *pace) limit(now time.Time, perSecond float64) {
	for limiter, share := range map[*rate.Limiter]float64{p.bucket: 1, p.counts: incomingShare} {
		limiter.SetLimitAt(now, rate.Limit(share*perSecond))
		limiter.SetBurstAt(now, burst(perSecond/sustained))
	}
}

// pair reports whether a message to the contact may go now, and otherwise how long it must wait.
func (p *pace) pair(now time.Time, contact int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	l := p.pairs[contact]
	if l == nil {
		l = rate.NewLimiter(rate.Every(pairEvery), pairBurst)
		p.pairs[contact] = l
	}
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// forget drops the citizens whose bucket is full again, once in a while.
func (p *pace) forget(now time.Time) {
	if len(p.pairs) < 10000 {
		return
	}
	for id, l := range p.pairs {
		if l.TokensAt(now) >= pairBurst {
			delete(p.pairs, id)
		}
	}
}
