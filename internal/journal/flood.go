// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"context"
	"sync"
	"time"
)

// What counts as a flood, and how much room it gets.
const (
	floodRate   = 5000                   // entries a second; Meta asks that 3,300 be borne
	floodWindow = 500 * time.Millisecond // over which they are counted: what waited for one slow commit is no flood
	floodPause  = 100 * time.Millisecond // before each batch, so that conversation lags but never stands still
	floodBatch  = 50                     // entries of a batch at most
)

// flood notices when entries arrive faster than Meta ever sends them in good order, as after an outage.
type flood struct {
	mu    sync.Mutex
	since time.Time // when the window began
	count int       // of the entries in it
	until time.Time // the flood is on; it ends when it is not seen again
}

func (f *flood) add(now time.Time, entries int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count += entries
	passed := now.Sub(f.since)
	if passed < floodWindow {
		return
	}
	if passed < 2*floodWindow && float64(f.count) > floodRate*passed.Seconds() {
		f.until = now.Add(2 * floodWindow)
	}
	f.since, f.count = now, 0
}

// giveWay waits a little if there is a flood, and bounds the batch that follows.
func (f *flood) giveWay(ctx context.Context, batch int) int {
	f.mu.Lock()
	on := time.Now().Before(f.until)
	f.mu.Unlock()
	if !on {
		return batch
	}
	select {
	case <-ctx.Done():
	case <-time.After(floodPause):
	}
	return min(batch, floodBatch)
}
