// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"net/http"
	"strconv"
)

// How many management calls an app may make for an account in a moving hour.
// Source: https://developers.facebook.com/docs/graph-api/overview/rate-limiting (business use case limits)
const (
	callsAnHour             = 5000
	callsAnHourUnregistered = 200 // while no number of the account is registered
	callMinutes             = 60
)

// managed says whether a call counts: sends and uploads have limits of their own.
func (g *graphRequest) managed() bool {
	return g.Method != http.MethodPost || g.edge != "messages" && g.edge != "media"
}

// accountOf is the account whose object the request is about, nil where there is none that the token may see.
func (s *Server) accountOf(g *graphRequest) *account {
	a := s.dir.account(g.object)
	if n := s.dir.number(g.object); n != nil {
		a = n.account
	}
	if of, ok := s.templates.get(g.object); ok {
		a = of
	}
	if a == nil || !g.sees(a) {
		return nil
	}
	return a
}

// spend counts a management call, tells in the answer how much of the account's limit is used, and refuses beyond it.
func (s *Server) spend(w http.ResponseWriter, g *graphRequest) *graphError {
	a := s.accountOf(g)
	if a == nil {
		return nil
	}
	most, minute := a.callLimit(), s.clock.Now().Unix()/60
	if most == 0 {
		tellUsage(w, a, 0, 0)
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	used, oldest := a.state.callsSince(minute)
	switch {
	case !g.managed():
	case used >= most:
		wait := oldest + callMinutes - minute
		tellUsage(w, a, 100, wait)
		return refuse(80007, "There have been too many calls to this WhatsApp Business account, which may have %d an hour. Try again in %d minutes.", most, wait)
	default:
		a.state.Calls[minute]++
		used++
	}
	tellUsage(w, a, used*100/most, 0)
	return nil
}

// tellUsage says how many of a hundred parts of the limit are used, and in how many minutes there is room again.
func tellUsage(w http.ResponseWriter, a *account, share int, wait int64) {
	w.Header().Set("X-Business-Use-Case-Usage", `{"`+a.id+`":[{"type":"whatsapp","call_count":`+strconv.Itoa(share)+
		`,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":`+strconv.FormatInt(wait, 10)+`}]}`)
}

// callsSince forgets the minutes that do not count any more and returns the calls of the others, and which of them is
// the oldest; the account must be locked.
func (st *accountState) callsSince(minute int64) (used int, oldest int64) {
	if st.Calls == nil {
		st.Calls = map[int64]int{}
	}
	oldest = minute
	for at, calls := range st.Calls {
		if at > minute || minute-at >= callMinutes {
			delete(st.Calls, at)
			continue
		}
		used, oldest = used+calls, min(oldest, at)
	}
	return used, oldest
}

// limitCalls sets how many management calls an hour may have; 0 is none, a negative number what Meta has.
func (a *account) limitCalls(most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.CallLimit = &most
	if most < 0 {
		a.state.CallLimit = nil
	}
}

// callLimit is Meta's, or the one that was set; 0 is none, as for accounts that benchmarks send from.
func (a *account) callLimit() int {
	a.mu.Lock()
	numbers, limit := a.numbers, a.state.CallLimit
	a.mu.Unlock()
	if limit != nil {
		return *limit
	}
	most := callsAnHourUnregistered
	for _, n := range numbers {
		switch st := n.snapshot(); {
		case st.Throughput == "UNLIMITED":
			return 0
		case st.Status == "CONNECTED":
			most = callsAnHour
		}
	}
	return most
}
