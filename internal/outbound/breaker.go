// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"math/rand/v2"
	"sync"
	"time"
)

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
