// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// templateStatuses are those a template may be put into by hand.
var templateStatuses = []string{"PENDING", "APPROVED", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL", "ARCHIVED", "LOCKED"}

// templateChange is what is done to a template by hand; what it does not tell stays.
type templateChange struct {
	WABA     string  `json:"waba_id"`
	Name     string  `json:"name"`
	Language string  `json:"language"`
	Status   *string `json:"status"`
	Category *string `json:"category"`
	Announce bool    `json:"announce"` // the category changes in a day, and that is told now
	Quality  *string `json:"quality"`
	Reason   *string `json:"reason"`
	Pacing   *pacing `json:"pacing"` // {"first": 10}: from the eleventh message on they are held
	Held     string  `json:"held"`   // release or drop: what becomes of those held, which ends the pacing
}

func (c templateChange) check() error {
	switch {
	case c.Status != nil && !slices.Contains(templateStatuses, *c.Status):
		return badRequest("status must be one of %s", strings.Join(templateStatuses, ", "))
	case c.Category != nil && !slices.Contains(categories, *c.Category):
		return badRequest("category must be one of %s", strings.Join(categories, ", "))
	case c.Held != "" && c.Held != "release" && c.Held != "drop":
		return badRequest("held must be release or drop, not %q", c.Held)
	case c.Pacing != nil && c.Pacing.First < 0:
		return badRequest("pacing.first must not be negative")
	}
	return nil
}

// putTemplate does to a template what Meta does by itself: pause, disable, archive, recategorise.
func (s *Server) putTemplate(r *http.Request) (int, any, error) {
	var in templateChange
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	if err := in.check(); err != nil {
		return 0, nil, err
	}
	if in.Held == "drop" {
		in.Status = new("PAUSED")
	}
	a, err := s.accountNamed(in.WABA)
	if err != nil {
		return 0, nil, err
	}
	health := a.healthEntities(s.clock.Now())
	a.mu.Lock()
	t := a.findTemplate(in.Name, in.Language)
	if t == nil {
		a.mu.Unlock()
		return 0, nil, notFound("template %s in %s is not known", in.Name, in.Language)
	}
	changed, updates := s.changedTemplate(a, t, in)
	a.templates[t.ID] = changed
	view := changed.node(health)
	a.pace(t.ID, in.Pacing, in.Held != "")
	a.mu.Unlock()
	a.hooks.add(updates...)
	if in.Held != "" {
		s.settleHeld(a, changed.ID, in.Held == "drop")
	}
	s.saver.touch()
	return http.StatusOK, view, nil
}

// changedTemplate is t after a change, and what Meta tells of that. It is a template of its own: a send may be reading
// t. The account must be locked.
func (s *Server) changedTemplate(a *account, t *template, in templateChange) (changed *template, updates []update) {
	copied := *t
	changed = &copied
	if in.Status != nil {
		changed.Status, changed.PausedUntil = *in.Status, time.Time{}
	}
	setIf(&changed.RejectedReason, in.Reason)
	if in.Quality != nil && *in.Quality != t.Quality {
		updates = append(updates, s.rate(a, changed, *in.Quality))
	}
	switch {
	case in.Category == nil || *in.Category == t.Category:
	case in.Announce:
		updates = append(updates, s.announceCategory(a, changed, *in.Category))
	default:
		changed.PreviousCategory, changed.Category = t.Category, *in.Category
		updates = append(updates, s.categoryUpdate(changed))
	}
	if changed.Status != t.Status {
		updates = append(updates, s.templateUpdate(changed))
	}
	return changed, updates
}
