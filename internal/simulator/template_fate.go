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
	t.Status = "PAUSED"
	s.schedule.after(pausedFor[t.Pauses], func() { s.endPause(a, t.ID) })
	t.Pauses++
	return told
}

// endPause lets a template that was paused for its quality go on.
func (s *Server) endPause(a *account, id string) {
	a.mu.Lock()
	t := a.templates[id]
	if t == nil || t.Status != "PAUSED" {
		a.mu.Unlock()
		return
	}
	again := *t
	again.Status = "APPROVED"
	a.templates[id] = &again
	told := s.templateUpdate(&again)
	a.mu.Unlock()
	a.hooks.add(told)
	s.saver.touch()
}

// announceCategory says that a template will be of another category in a day, and makes it so then.
func (s *Server) announceCategory(a *account, t *template, category string) update {
	id := t.ID
	s.schedule.after(announcedFor, func() {
		a.mu.Lock()
		now := a.templates[id]
		if now == nil || now.Category == category {
			a.mu.Unlock()
			return
		}
		changed := *now
		changed.PreviousCategory, changed.Category = now.Category, category
		a.templates[id] = &changed
		told := s.categoryUpdate(&changed)
		a.mu.Unlock()
		a.hooks.add(told)
		s.saver.touch()
	})
	return update{Field: "template_category_update", At: s.clock.Now().Unix(), Value: marshal(t.about(map[string]any{
		"correct_category": category, "new_category": t.Category, "category_update_timestamp": s.clock.Now().Add(announcedFor).Unix()}))}
}
