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
		{"nothing comes in", 0, 715, 730},
		{"ten times the rate comes in", 4, 67, 90},
		{"a thousand at a time", 1000, 67, 90},
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

// However long it was idle, and whatever goes to many: no second sees more than Meta's rate.
func TestNoSecondExceedsTheRate(t *testing.T) {
	for _, perSecond := range []float64{standardRate, 1000} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(perSecond)
			var sent []time.Time
			for i := range 4000 {
				if i%1000 == 0 {
					time.Sleep(3 * time.Second) // the bucket fills
				}
				time.Sleep(time.Millisecond)
				if n := p.allowed(time.Now(), i%3 == 0); n > 0 {
					p.spend(time.Now(), n)
					for range n {
						sent = append(sent, time.Now())
					}
				}
			}
			first := 0
			for i, at := range sent {
				for at.Sub(sent[first]) >= time.Second {
					first++
				}
				if n := i - first + 1; float64(n) > perSecond {
					t.Fatalf("%d in a second, of %v", n, perSecond)
				}
			}
		})
	}
}
