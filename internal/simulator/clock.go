// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"container/heap"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clock is the time everything here runs by: the real one plus what tests have advanced it, or one that stands still.
type clock struct {
	base   func() time.Time
	offset atomic.Int64
	frozen atomic.Pointer[time.Time]
}

func (c *clock) Now() time.Time {
	if at := c.frozen.Load(); at != nil {
		return *at
	}
	return c.base().Add(time.Duration(c.offset.Load()))
}

// set puts the clock to a time, from which it goes on unless it stands still.
func (c *clock) set(at time.Time) {
	if c.frozen.Load() != nil {
		c.freeze(at)
		return
	}
	c.offset.Store(int64(at.Sub(c.base())))
}

// freeze makes the clock stand still at a time, but for what tests advance it.
func (c *clock) freeze(at time.Time) { c.frozen.Store(&at) }

// thaw lets the clock go on from where it stands.
func (c *clock) thaw() {
	if at := c.frozen.Swap(nil); at != nil {
		c.set(*at)
	}
}

// frozenAt is where the clock stands still; the zero time while it goes.
func (c *clock) frozenAt() time.Time {
	if at := c.frozen.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// schedule runs functions when the virtual clock reaches their time, one after another in time order.
type schedule struct {
	clock   *clock
	wake    chan struct{}
	running sync.Mutex // held while something runs: one thing after another

	mu    sync.Mutex
	queue events
	seq   int64
}

type event struct {
	at  int64
	seq int64
	run func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*e = old[:len(old)-1]
	return last
}

func newSchedule(c *clock) *schedule {
	return &schedule{clock: c, wake: make(chan struct{}, 1)}
}

// after runs f once d has passed on the virtual clock. f must be quick: everything later waits for it.
func (s *schedule) after(d time.Duration, f func()) {
	at := s.clock.Now().Add(d).UnixNano()
	s.mu.Lock()
	s.seq++
	heap.Push(&s.queue, event{at: at, seq: s.seq, run: f})
	first := s.queue[0].seq == s.seq
	s.mu.Unlock()
	if first {
		s.nudge()
	}
}

// at runs f at a time of the virtual clock, at once if that is past.
func (s *schedule) at(when time.Time, f func()) { s.after(when.Sub(s.clock.Now()), f) }

// clear forgets everything that was to happen.
func (s *schedule) clear() {
	s.mu.Lock()
	s.queue = nil
	s.mu.Unlock()
}

func (s *schedule) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *schedule) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.runDue())
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// runDue runs what is due and returns how long until the next.
func (s *schedule) runDue() time.Duration {
	s.running.Lock()
	defer s.running.Unlock()
	for {
		due, wait := s.next(s.clock.Now())
		if due == nil {
			return wait
		}
		due.run()
	}
}

// next takes the first thing due at a time out of the queue, or says how long until there is one.
func (s *schedule) next(now time.Time) (*event, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, time.Hour
	}
	if wait := s.queue[0].at - now.UnixNano(); wait > 0 {
		return nil, time.Duration(wait)
	}
	due := heap.Pop(&s.queue).(event)
	return &due, 0
}

// advance moves the clock on by d and stops at everything that is due on the way: what follows from one thing comes
// at its own time too, as if the time had passed.
// settle is called before each step.
func (s *schedule) advance(d time.Duration, settle func()) {
	s.running.Lock()
	defer s.running.Unlock()
	target, offset := s.clock.Now().Add(d), s.clock.offset.Load()
	for {
		settle()
		due, _ := s.next(target)
		if due == nil {
			break
		}
		if at := time.Unix(0, due.at); at.After(s.clock.Now()) {
			s.clock.set(at)
		}
		due.run()
	}
	if s.clock.frozen.Load() != nil {
		s.clock.freeze(target)
		return
	}
	s.clock.offset.Store(offset + int64(d))
}

// parseDuration reads Go durations ("90s", "24h") and whole days ("7d").
func parseDuration(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.Atoi(days)
		if err != nil {
			return 0, fmt.Errorf("parse duration %q: %w", text, err)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("parse duration %q: %w", text, err)
	}
	return d, nil
}

// span is a duration written as text in JSON, the way people write it: "300ms", "24h", "7d"; a bare number is seconds.
type span time.Duration

func (s span) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, time.Duration(s).String()), nil
}

func (s *span) UnmarshalJSON(raw []byte) error {
	if text, err := strconv.Unquote(string(raw)); err == nil {
		d, err := parseDuration(text)
		*s = span(d)
		return err
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return fmt.Errorf("parse duration %s: write it as text like \"300ms\" or as seconds", raw)
	}
	*s = span(seconds * float64(time.Second))
	return nil
}

// pause waits on the real clock; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// longestSettling bounds how long a clock that stands still waits for callbacks before it moves.
const longestSettling = 30 * time.Second

// settled returns what waits until all webhooks have been posted, where the clock stands still: then it is certain what
// comes before what. A clock that goes does not wait.
func (s *Server) settled(ctx context.Context) func() {
	deadline := time.Now().Add(longestSettling)
	return func() {
		for s.clock.frozen.Load() != nil && time.Now().Before(deadline) && !s.allIdle() {
			if !pause(ctx, 500*time.Microsecond) {
				return
			}
		}
	}
}

func (s *Server) allIdle() bool {
	for _, a := range s.dir.allAccounts() {
		if !a.hooks.idle() {
			return false
		}
	}
	return true
}
