// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"testing"
	"testing/synctest"
	"time"
)

// What comes in uses the number's rate, too, but however much it is, replies keep a tenth of it.
func TestRepliesKeepATenthOfTheRate(t *testing.T) {
	for _, c := range []struct {
		name          string
		incoming      int // every 5 ms
		least, atMost int // replies in ten seconds
	}{
		{"nothing comes in", 0, 790, 810},
		{"half the rate comes in", 0, 390, 810},
		{"ten times the rate comes in", 4, 75, 100},
		{"a thousand at a time", 1000, 75, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPace(standardRate)
				tick := time.NewTicker(5 * time.Millisecond)
				defer tick.Stop()
				sent := 0
				for range 2000 {
					<-tick.C
					p.took(c.incoming)
					if n := p.allowed(time.Now(), false); n > 0 {
						p.spend(time.Now(), n)
						sent += n
					}
				}
				if sent < c.least || sent > c.atMost {
					t.Errorf("%d replies went out in ten seconds, want %d to %d", sent, c.least, c.atMost)
				}
			})
		})
	}
}
