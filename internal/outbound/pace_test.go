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
		{"nothing comes in", 0, 695, 710},
		{"ten times the rate comes in", 4, 65, 90},
		{"a thousand at a time", 1000, 65, 90},
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
			if float64(len(sent)) < perSecond {
				t.Fatalf("only %d were sent", len(sent))
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

// Where the database answers slowly notices rest for longer.
func TestNoticesRestWhereClaimsTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPump(&Sender{}, 1, "1").many
		if n, resting := s.notices(time.Now(), 60); n != 60 || resting != 0 {
			t.Fatalf("%d notices may go, in %v", n, resting)
		}
		s.rest(30 * time.Millisecond)
		time.Sleep(busy)
		if n, resting := s.notices(time.Now(), 60); n != 0 || resting != rests*30*time.Millisecond-busy {
			t.Errorf("while they rest %d notices may go, in %v", n, resting)
		}
		time.Sleep(rests * 30 * time.Millisecond)
		if n, _ := s.notices(time.Now(), 60); n != 60 {
			t.Errorf("rested, %d notices may go", n)
		}
	})
}

// A notice goes at full speed while the desk keeps up, slower the further it is behind, and never stops.
func TestNoticesGiveWay(t *testing.T) {
	s := &Sender{}
	for _, c := range []struct {
		late time.Duration
		want int
	}{{0, 60}, {inTime, 60}, {(inTime + tooLate) / 2, 30}, {tooLate, 6}, {time.Hour, 6}} {
		s.late.Store(int64(c.late))
		if got := s.gentle(60); got != c.want {
			t.Errorf("%v behind it takes %d of 60, want %d", c.late, got, c.want)
		}
	}
	if got := s.gentle(0); got != 0 {
		t.Errorf("it takes %d of nothing", got)
	}
}
