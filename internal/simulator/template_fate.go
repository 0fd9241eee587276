// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"strconv"
	"time"
)

// pausedFor is how long a template of low quality is paused, the first and the second time; the third it is disabled.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-pausing
var pausedFor = []time.Duration{3 * time.Hour, 6 * time.Hour}

// announcedFor is how long before it a change of the category is announced.
const announcedFor = 24 * time.Hour

// about names a template in a webhook.
func (t *template) about(value map[string]any) map[string]any {
	id, _ := strconv.ParseInt(t.ID, 10, 64) // our own ids are numbers
	value["message_template_id"], value["message_template_name"], value["message_template_language"] = id, t.Name, t.Language
	return value
}

// rate gives a template a quality and says so; a red one is paused, and goes on by itself. The account must be locked.
func (s *Server) rate(a *account, t *template, quality string) update {
	told := update{Field: "message_template_quality_update", At: s.clock.Now().Unix(), Value: marshal(t.about(map[string]any{
		"previous_quality_score": cmp.Or(t.Quality, "UNKNOWN"), "new_quality_score": quality}))}
	t.Quality = quality
	if quality != "RED" || t.Status != "APPROVED" {
		return told
	}
	if t.Pauses >= len(pausedFor) {
		t.Status = "DISABLED"
		return told
	}
	t.Status, t.PausedUntil = "PAUSED", s.clock.Now().Add(pausedFor[t.Pauses])
	t.Pauses++
	s.planEndOfPause(a, t)
	return told
}

// resumeTemplate plans what was under way with a template: its review, the end of its pause, its change of category. The
// account must be locked.
func (s *Server) resumeTemplate(a *account, t *template) {
	if t.Status == "PENDING" {
		s.review(a, t)
	}
	if t.Status == "PAUSED" && !t.PausedUntil.IsZero() {
		s.planEndOfPause(a, t)
	}
	if t.NextCategory != "" {
		s.planCategory(a, t)
	}
}

func (s *Server) planEndOfPause(a *account, t *template) {
	id, until := t.ID, t.PausedUntil
	s.schedule.at(until, func() { s.endPause(a, id, until) })
}

// endPause lets a template that was paused for its quality go on, unless it has been paused anew meanwhile.
func (s *Server) endPause(a *account, id string, until time.Time) {
	a.mu.Lock()
	t := a.templates[id]
	if t == nil || t.Status != "PAUSED" || !t.PausedUntil.Equal(until) {
		a.mu.Unlock()
		return
	}
	again := *t
	again.Status, again.PausedUntil = "APPROVED", time.Time{}
	a.templates[id] = &again
	told := s.templateUpdate(&again)
	a.mu.Unlock()
	a.hooks.add(told)
	s.saver.touch()
}

// announceCategory says that a template will be of another category in a day. The account must be locked.
func (s *Server) announceCategory(a *account, t *template, category string) update {
	t.NextCategory, t.NextCategoryAt = category, s.clock.Now().Add(announcedFor)
	s.planCategory(a, t)
	return update{Field: "template_category_update", At: s.clock.Now().Unix(), Value: marshal(t.about(map[string]any{
		"correct_category": category, "new_category": t.Category, "category_update_timestamp": t.NextCategoryAt.Unix()}))}
}

func (s *Server) planCategory(a *account, t *template) {
	id, at := t.ID, t.NextCategoryAt
	s.schedule.at(at, func() { s.changeCategory(a, id, at) })
}

// changeCategory does what was announced for this time, unless something else has been announced since.
func (s *Server) changeCategory(a *account, id string, at time.Time) {
	a.mu.Lock()
	t := a.templates[id]
	if t == nil || t.NextCategory == "" || !t.NextCategoryAt.Equal(at) {
		a.mu.Unlock()
		return
	}
	changed := *t
	changed.NextCategory, changed.NextCategoryAt = "", time.Time{}
	var updates []update
	if t.Category != t.NextCategory {
		changed.PreviousCategory, changed.Category = t.Category, t.NextCategory
		updates = append(updates, s.categoryUpdate(&changed))
	}
	a.templates[id] = &changed
	a.mu.Unlock()
	a.hooks.add(updates...)
	s.saver.touch()
}

// templateUpdate is the webhook about a template's status; its account must be locked.
func (s *Server) templateUpdate(t *template) update {
	value := t.about(map[string]any{"event": t.Status, "message_template_category": t.Category, "reason": cmp.Or(t.RejectedReason, "NONE")})
	if t.Status == "PAUSED" {
		value["other_info"] = map[string]any{"title": "FIRST_PAUSE", "description": "Your WhatsApp message template has been paused for 3 hours because it had issues with quality."}
		if t.Pauses == 2 {
			value["other_info"] = map[string]any{"title": "SECOND_PAUSE", "description": "Your WhatsApp message template has been paused for 6 hours because it had issues with quality."}
		}
	}
	return update{Field: "message_template_status_update", At: s.clock.Now().Unix(), Value: marshal(value)}
}

// categoryUpdate is the webhook about a category that Meta has changed.
func (s *Server) categoryUpdate(t *template) update {
	return update{Field: "template_category_update", At: s.clock.Now().Unix(),
		Value: marshal(t.about(map[string]any{"previous_category": t.PreviousCategory, "new_category": t.Category}))}
}
