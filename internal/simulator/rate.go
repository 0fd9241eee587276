// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"time"
)

// take counts a message against the number's rate. Incoming messages count too but are never refused,
// so they pass force: citizens who write eat into what the business may send, as Meta does.
func (n *number) take(now time.Time, force bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	rate := throughputs[n.state.Throughput]
	return rate == 0 || n.bucket.take(now, rate, force)
}

// standard is the throughput of a number unless Meta, or a test, raises it.
const standard = "STANDARD"

// throughputs are messages a second, in and out together; UNLIMITED (0) is ours, for benchmarks.
var throughputs = map[string]float64{standard: 80, "HIGH": 1000, "UNLIMITED": 0}

func checkThroughput(name string) error {
	if _, ok := throughputs[name]; !ok {
		return badRequest("throughput must be STANDARD, HIGH or UNLIMITED, not %q", name)
	}
	return nil
}

// bucket lets a second's worth through at once and then rate a second.
type bucket struct {
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time, rate float64, force bool) bool {
	if b.last.IsZero() {
		b.tokens = rate
	} else if now.After(b.last) {
		b.tokens = min(rate, b.tokens+rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	if b.tokens < 1 && !force {
		return false
	}
	b.tokens = max(b.tokens-1, -rate)
	return true
}
