// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// echo posts the webhooks by which Meta tells of each message that it was sent, delivered and read, each as
// often as it takes until it is answered 200.
type echo struct {
	waiting []chan wired // by stage
	running sync.WaitGroup
	told    atomic.Int64
	again   atomic.Int64
	mu      sync.Mutex
	err     error
}

// delays are how long after its arrival at Meta each stage of a message is told.
var delays = []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 2 * time.Second}

const (
	wiresPerStage = 24
	mostWaiting   = 1 << 18
)

// newEcho posts to the instances in turn.
func newEcho(to []target) (*echo, error) {
	e := &echo{}
	for stage := range stages {
		e.waiting = append(e.waiting, make(chan wired, mostWaiting))
		for i := range wiresPerStage {
			t := to[i%len(to)]
			w, err := dial(t.host, t.path)
			if err != nil {
				return nil, err
			}
			e.running.Go(func() { e.post(w, stage) })
		}
	}
	return e, nil
}

func (e *echo) hear(m wired) {
	for _, c := range e.waiting {
		c <- m
	}
}

func (e *echo) post(w *wire, stage int) {
	defer w.close()
	for m := range e.waiting[stage] {
		time.Sleep(time.Until(m.at.Add(delays[stage])))
		d := status(m.sentMessage, stages[stage], time.Now())
		for code := 0; code != http.StatusOK; {
			var err error
			if code, err = w.post(d); err != nil {
				e.mu.Lock()
				e.err = fmt.Errorf("tell of a message: %w", err)
				e.mu.Unlock()
				return
			}
			if code != http.StatusOK {
				e.again.Add(1)
				time.Sleep(100 * time.Millisecond)
			}
		}
		e.told.Add(1)
	}
}

// finish waits until everything of so many messages has been told.
func (e *echo) finish(messages int64) error {
	for end := time.Now().Add(2 * time.Minute); e.told.Load() < messages*int64(len(stages)) && e.failed() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%d statuses of %d messages were taken", e.told.Load(), messages)
		}
	}
	for _, c := range e.waiting {
		close(c)
	}
	e.running.Wait()
	return e.failed()
}

func (e *echo) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
