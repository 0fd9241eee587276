// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"slices"
	"sync"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
)

// paces remembers how far broadcasts were at the last looks, which is how their rate is known.
type paces struct {
	mu   sync.Mutex
	last map[int64][]look
}

type look struct {
	at   time.Time
	done int
}

// paceSpan is how far back a rate looks, and the time after which what was seen says nothing any more.
const paceSpan = 15 * time.Second

// of is the messages a second of b lately; 0 is not known.
func (p *paces) of(b broadcast.Broadcast, now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.State != broadcast.Sending {
		delete(p.last, b.ID)
		return 0
	}
	if p.last == nil {
		p.last = map[int64][]look{}
	}
	seen := slices.DeleteFunc(p.last[b.ID], func(l look) bool { return now.Sub(l.at) > paceSpan })
	here := look{now, b.Recipients - b.Reach.Open()}
	p.last[b.ID] = append(seen, here)
	if len(seen) == 0 || !here.at.After(seen[0].at) {
		return 0
	}
	return max(0, float64(here.done-seen[0].done)/here.at.Sub(seen[0].at).Seconds())
}
