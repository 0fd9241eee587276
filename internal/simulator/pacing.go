// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"slices"
)

// pacing holds a template's messages back until it is known how the first ones are taken.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-pacing
type pacing struct {
	First int `json:"first"` // messages that go out at once
	Sent  int `json:"sent"`  // of them so far
}

// pace begins or ends a template's pacing; a must be locked.
func (a *account) pace(templateID string, p *pacing, settled bool) {
	if settled {
		delete(a.state.Pacing, templateID)
	}
	if p == nil {
		return
	}
	if a.state.Pacing == nil {
		a.state.Pacing = map[string]*pacing{}
	}
	a.state.Pacing[templateID] = p
}

// paced counts a message of a template and says whether it is held.
func (a *account) paced(templateID string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.state.Pacing[templateID]
	if p == nil {
		return false
	}
	if p.Sent >= p.First {
		return true
	}
	p.Sent++
	return false
}

// pacedNext is what follows for a message held by pacing: nothing, until the pacing is settled. A message that
// was on its way in while that happened goes the way of the others.
func (s *Server) pacedNext(m *message) status {
	n := s.dir.number(m.Number)
	if n == nil {
		return ""
	}
	a := n.account
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.templates[m.Template]
	switch {
	case a.state.Pacing[m.Template] != nil:
		return ""
	case t != nil && t.Status == "PAUSED":
		return statusFailed
	}
	return statusAccepted
}

// hold makes m wait, if its template is paced or a fault says so, and returns what Meta's answer says of it.
func (s *Server) hold(n *number, m *message) string {
	switch {
	case m.Type != "template":
		return ""
	case n.account.paced(m.Template):
		m.Paced = true
	case !s.faults.holds():
		return "accepted"
	}
	m.Status = statusHeld
	return "held_for_quality_assessment"
}

// settleHeld ends the wait of a template's messages: they go on, or fail with 132015.
func (s *Server) settleHeld(a *account, templateID string, drop bool) {
	to := statusAccepted
	if drop {
		to = statusFailed
	}
	waiting := s.messages.values()
	slices.SortFunc(waiting, func(a, b *message) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	for _, m := range waiting {
		m.citizen.mu.Lock()
		due := m.Paced && m.Template == templateID && m.Status == statusHeld && a.hasNumber(s.dir.number(m.Number))
		m.citizen.mu.Unlock()
		if due {
			s.progress(m, to)
		}
	}
}
