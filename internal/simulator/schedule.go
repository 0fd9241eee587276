// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

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

func (e *events) Push(x any) { *e = append(*e, x.(event)) }

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
