// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// messagingLimits are the tiers Meta has today: how many people a portfolio may reach outside their window in a
// moving 24 hours. Every account here is a portfolio of its own, as every municipality has its own.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits
var messagingLimits = []string{"TIER_250", "TIER_2K", "TIER_10K", "TIER_100K", unlimited}

const (
	unlimited  = "TIER_UNLIMITED"
	reachedFor = 24 * time.Hour
)

// tierSize is how many people a tier lets a portfolio reach; 0 is no limit. Tests may set a tier of their own
// size, like TIER_3.
func tierSize(tier string) (people int, ok bool) {
	if tier == "" || tier == unlimited {
		return 0, true
	}
	size, _ := strings.CutPrefix(tier, "TIER_")
	factor := 1
	if thousands, found := strings.CutSuffix(size, "K"); found {
		size, factor = thousands, 1000
	}
	n, err := strconv.Atoi(size)
	return n * factor, err == nil && n > 0 && strings.HasPrefix(tier, "TIER_")
}

// portfolio counts whom an account has reached outside their window.
type portfolio struct {
	mu      sync.Mutex
	reached map[string]time.Time // by citizen code, the last time
	queue   []reach              // in order of time; an entry whose time is not the last of its citizen is stale
}

type reach struct {
	code string
	at   time.Time
}

// take counts a citizen against the limit. Somebody reached in the last 24 hours counts once, however many
// messages they get.
func (p *portfolio) take(code string, now time.Time, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	if _, again := p.reached[code]; !again && most > 0 && len(p.reached) >= most {
		return false
	}
	if p.reached == nil {
		p.reached = map[string]time.Time{}
	}
	p.reached[code] = now
	p.queue = append(p.queue, reach{code, now})
	return true
}

// forget drops those last reached longer ago than a day; p must be locked.
func (p *portfolio) forget(now time.Time) {
	old := 0
	for ; old < len(p.queue) && now.Sub(p.queue[old].at) >= reachedFor; old++ {
		if first := p.queue[old]; p.reached[first.code].Equal(first.at) {
			delete(p.reached, first.code)
		}
	}
	p.queue = p.queue[old:]
}

func (p *portfolio) count(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	return len(p.reached)
}

func (p *portfolio) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached, p.queue = nil, nil
}

func (p *portfolio) saved() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return marshal(p.reached)
}

func (p *portfolio) restore(raw json.RawMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached = nil
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &p.reached); err != nil {
			return err
		}
	}
	p.queue = nil
	for code, at := range maps.All(p.reached) {
		p.queue = append(p.queue, reach{code, at})
	}
	slices.SortFunc(p.queue, func(a, b reach) int { return a.at.Compare(b.at) })
	return nil
}

func (a *account) messagingLimit() string { return cmp.Or(a.snapshot().MessagingLimit, unlimited) }

// checkReach refuses what would reach more people than the portfolio may. Meta does not say which code it gives;
// 131048 is the one its documentation brings closest to it. The citizen must be locked.
func (s *Server) checkReach(n *number, m *message) *graphError {
	if m.InWindow || m.Failure != nil {
		return nil
	}
	most, _ := tierSize(n.account.messagingLimit()) // checked when it was set
	if n.account.portfolio.take(m.citizen.state.Code, m.At, most) {
		return nil
	}
	over := refuse(131048, "The messaging limit of the business portfolio has been reached: %d people outside their window in 24 hours.", most)
	if s.faults.refusesLater() {
		m.Failure = over
		return nil
	}
	return over
}

func checkTier(tier string) error {
	if _, ok := tierSize(tier); !ok {
		return badRequest("messaging_limit must be one of %s, or a size of your own like TIER_3, not %q", strings.Join(messagingLimits, ", "), tier)
	}
	return nil
}
