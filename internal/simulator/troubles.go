// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"slices"
	"time"
)

// trouble is something that keeps an account or one of its numbers from sending, until it ends.
type trouble struct {
	Kind    string    `json:"kind"`
	Number  string    `json:"number,omitempty"` // phone number id; empty for all of the account
	Code    int       `json:"code"`             // what sends are refused with
	Details string    `json:"details"`
	Until   time.Time `json:"until,omitzero"` // the zero time: until it is ended
	Only    string    `json:"only,omitempty"` // what it keeps from being sent: onlyOutside or onlyCharged; empty for all
}

const (
	onlyOutside = "outside" // sends outside the window
	onlyCharged = "charged" // sends that cost money
)

// begin puts a trouble in the place of one of its kind; the account must be locked.
func (st *accountState) begin(t trouble) {
	st.end(t.Kind, t.Number)
	st.Troubles = append(st.Troubles, t)
}

// end ends a kind of trouble; the account must be locked.
func (st *accountState) end(kind, number string) {
	st.Troubles = slices.DeleteFunc(slices.Clone(st.Troubles), func(t trouble) bool { return t.Kind == kind && t.Number == number })
}

// endTrouble ends the trouble that lasts until this time, and says whether there was one.
func (a *account) endTrouble(kind, number string, until time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	under := slices.ContainsFunc(a.state.Troubles, func(t trouble) bool { return t.Kind == kind && t.Number == number && t.Until.Equal(until) })
	if under {
		a.state.end(kind, number)
	}
	return under
}

func (t *trouble) over(now time.Time) bool { return !t.Until.IsZero() && !now.Before(t.Until) }

// troublesOf are those in force for a number, or with "" for the account as such.
func (a *account) troublesOf(numberID string, now time.Time) []trouble {
	var in []trouble
	for _, t := range a.snapshot().Troubles {
		if !t.over(now) && (t.Number == "" || t.Number == numberID) {
			in = append(in, t)
		}
	}
	return in
}

// checkTroubles refuses a message that a trouble of its account keeps from being sent; the citizen must be locked.
func (s *Server) checkTroubles(n *number, ch *chat, m *message) *graphError {
	for _, t := range n.account.troublesOf(n.id, m.At) {
		if t.Only == onlyOutside && m.InWindow || t.Only == onlyCharged && !n.wouldCharge(ch, m) {
			continue
		}
		return refuse(t.Code, t.Details)
	}
	return nil
}
