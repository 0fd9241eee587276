// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"testing"
	"testing/synctest"
	"time"
)

// inTest runs f with a pump of 1,000 messages a second whose bucket is full.
func inTest(t *testing.T, f func(t *testing.T, p *pump)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPump(&Sender{slots: make(chan struct{}, maxInFlight)}, 1, "1")
		p.pace.setRate(1000)
		time.Sleep(time.Second)
		f(t, p)
	})
}

// What one spout is promised the other is not, until it is clear how much of it went.
func TestRoomIsPromisedOnce(t *testing.T) {
	inTest(t, func(t *testing.T, p *pump) {
		full := p.pace.allowed(time.Now(), false)
		copies, _ := p.promise(true)
		if want := full - p.pace.spare(); copies != want {
			t.Fatalf("of %d copies are promised %d, want %d", full, copies, want)
		}
		if n, _ := p.promise(false); n != full-copies {
			t.Errorf("beside them replies are promised %d, want %d", n, full-copies)
		} else {
			p.redeem(n, 0)
		}
		p.redeem(copies, 10)
		if n, _ := p.promise(false); n != full-10 {
			t.Errorf("when ten of them went replies are promised %d, want %d", n, full-10)
		}
		if n := p.inFlight.Load(); n != 10 {
			t.Errorf("%d are in flight", n)
		}
	})
}

// While nobody knows whether the line is up one message tests it, of whichever spout; while it is down none goes.
func TestOneMessageTestsTheLine(t *testing.T) {
	inTest(t, func(t *testing.T, p *pump) {
		for range maxUncertain {
			p.breaker.unknown(time.Now())
		}
		if n, _ := p.promise(false); n != 0 {
			t.Fatalf("while the line is down %d may go", n)
		}
		p.breaker.lineUp()
		if n, _ := p.promise(true); n != 1 {
			t.Fatalf("%d may test the line", n)
		}
		if n, _ := p.promise(false); n != 0 {
			t.Errorf("%d more are promised beside the one that tests it", n)
		}
		p.redeem(1, 1)
		if n, _ := p.promise(false); n != 0 {
			t.Errorf("%d more may go while it is in flight", n)
		}
		p.inFlight.Add(-1)
		p.breaker.answered()
		if n, _ := p.promise(false); n < 2 {
			t.Errorf("once the line is up %d may go", n)
		}
	})
}

// While emergencies wait for their turn replies have their tenth and no more.
func TestEmergenciesGoBeforeReplies(t *testing.T) {
	inTest(t, func(t *testing.T, p *pump) {
		p.urgent.Store(true)
		if n, _ := p.promise(false); n != p.pace.spare() {
			t.Errorf("beside emergencies %d replies may go, want %d", n, p.pace.spare())
		}
	})
}

// Copies that hang leave slots to replies.
func TestCopiesLeaveSlotsToReplies(t *testing.T) {
	inTest(t, func(t *testing.T, p *pump) {
		for range maxInFlight - maxInFlight/10 {
			p.s.slots <- struct{}{}
		}
		if n, _ := p.promise(true); n != 0 {
			t.Errorf("%d copies may take the last slots", n)
		}
		if n, _ := p.promise(false); n == 0 {
			t.Error("no reply may go")
		}
	})
}
