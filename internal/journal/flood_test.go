// SPDX-License-Identifier: AGPL-3.0-or-later

package journal

import (
	"testing"
	"testing/synctest"
	"time"
)

// While entries pour in, each batch waits a little and is small; while they come as Meta sends them, none does.
func TestAFloodGoesFirst(t *testing.T) {
	for name, c := range map[string]struct {
		perMillisecond int
		pause          time.Duration
		batch          int
	}{
		"Meta's most": {4, 0, 400},
		"a flood":     {12, floodPause, floodBatch},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f flood
				for range 1500 {
					f.add(time.Now(), c.perMillisecond)
					time.Sleep(time.Millisecond)
				}
				start := time.Now()
				batch := f.giveWay(t.Context(), 400)
				if waited := time.Since(start); waited != c.pause || batch != c.batch {
					t.Errorf("a batch of %d waited %v, not one of %d %v", batch, waited, c.batch, c.pause)
				}
				time.Sleep(2 * floodWindow)
				start = time.Now()
				batch = f.giveWay(t.Context(), 400)
				if waited := time.Since(start); waited != 0 || batch != 400 {
					t.Errorf("a batch of %d waited %v after all was over", batch, waited)
				}
			})
		})
	}
}

// A commit that takes long lets entries gather, and they come at once when it ends.
func TestABurstIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flood
		const each, stall = 3, 150 // entries a millisecond, and the milliseconds of each second that nothing is committed
		for millisecond := range 5000 {
			time.Sleep(time.Millisecond)
			switch phase := millisecond % 1000; {
			case phase < stall:
				continue
			case phase == stall:
				f.add(time.Now(), each*stall)
			}
			f.add(time.Now(), each)
			if batch := f.giveWay(t.Context(), 400); batch != 400 {
				t.Fatalf("at %d ms a batch is only %d", millisecond, batch)
			}
		}
	})
}
