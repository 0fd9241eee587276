// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// createTemplate is POST /{waba_id}/message_templates: the template waits for its review.
func (s *Server) createTemplate(a *account, body []byte) (any, *graphError) {
	var spec Template
	if err := json.Unmarshal(body, &spec); err != nil {
		return nil, badJSON(err)
	}
	spec.ID, spec.Status = s.dice.id("template"), "PENDING"
	spec.Category = strings.ToUpper(spec.Category)
	spec.ParameterFormat = cmp.Or(strings.ToUpper(spec.ParameterFormat), "POSITIONAL")
	t := &template{Template: spec, Quality: "UNKNOWN", Created: s.clock.Now()}
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := s.storeTemplate(a, t); err != nil {
		return nil, err
	}
	s.review(a, t) // which may decide at once: from here on t is read under the account's lock only
	return map[string]any{"id": spec.ID, "status": spec.Status, "category": spec.Category}, nil
}

// postTemplates is POST /{waba_id}/message_templates, and its /archive and /unarchive.
func (s *Server) postTemplates(g *graphRequest, a *account) (any, *graphError) {
	from, to := "APPROVED", "ARCHIVED"
	switch g.rest {
	case "":
		return s.createTemplate(a, g.body)
	case "archive":
	case "unarchive":
		from, to = to, from
	default:
		return nil, unsupported(g)
	}
	var in struct {
		IDs string `json:"hsm_ids"`
	}
	if err := json.Unmarshal(g.body, &in); err != nil {
		return nil, badJSON(err)
	}
	return s.moveTemplates(a, strings.Split(in.IDs, ","), from, to)
}

// moveTemplates brings templates from one status to another, all of them or none.
func (s *Server) moveTemplates(a *account, ids []string, from, to string) (any, *graphError) {
	a.mu.Lock()
	for _, id := range ids {
		if t := a.templates[id]; t == nil || t.Status != from {
			a.mu.Unlock()
			return nil, refuse(100, "Template %s is not %s.", id, from)
		}
	}
	var updates []update
	for _, id := range ids {
		changed := *a.templates[id] // a send may be reading it
		changed.Status = to
		a.templates[id] = &changed
		updates = append(updates, s.templateUpdate(&changed))
	}
	a.mu.Unlock()
	a.hooks.add(updates...)
	s.saver.touch()
	return success, nil
}

func (s *Server) storeTemplate(a *account, t *template) *graphError {
	now := s.clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state.Creations = slices.DeleteFunc(a.state.Creations, func(at int64) bool { return now.Unix()-at > 3600 })
	switch {
	case len(a.state.Creations) >= 100:
		return refuse(80007, "More than 100 templates were created in an hour.")
	case a.findTemplate(t.Name, t.Language) != nil:
		return mistaken(2388024, "There is already a template named %s in %s.", t.Name, t.Language)
	case len(a.templates) >= 250:
		return mistaken(2388019, "The account has reached its limit of 250 templates.")
	}
	a.state.Creations = append(a.state.Creations, now.Unix())
	a.templates[t.ID] = t
	s.templates.put(t.ID, a)
	s.saver.touch()
	return nil
}

// review decides on a template after a while. A name with "reject" is refused, so that this can be tried too.
func (s *Server) review(a *account, t *template) {
	s.schedule.after(s.delays().Review, func() { s.decide(a, t) })
}

func (s *Server) decide(a *account, t *template) {
	a.mu.Lock()
	if t.Status != "PENDING" || a.templates[t.ID] != t {
		a.mu.Unlock()
		return
	}
	t.Status = "APPROVED"
	if strings.Contains(t.Name, "reject") {
		t.Status, t.RejectedReason = "REJECTED", "INVALID_FORMAT"
	}
	u := s.templateUpdate(t)
	a.mu.Unlock()
	a.hooks.add(u)
	s.saver.touch()
}

// editTemplate is POST /{template_id}.
func (s *Server) editTemplate(a *account, id string, body []byte) (any, *graphError) {
	var change struct {
		Category   string          `json:"category"`
		Components json.RawMessage `json:"components"`
		TTL        *int            `json:"message_send_ttl_seconds"`
	}
	if err := json.Unmarshal(body, &change); err != nil {
		return nil, badJSON(err)
	}
	a.mu.Lock()
	t := a.templates[id]
	if t == nil {
		a.mu.Unlock()
		return nil, unknownObject("POST", id)
	}
	edited, err := t.edited(change.Category, change.Components, change.TTL, s.clock.Now())
	if err != nil {
		a.mu.Unlock()
		return nil, err
	}
	a.templates[id] = edited
	a.mu.Unlock()
	s.review(a, edited)
	s.saver.touch()
	return map[string]any{"success": true, "id": id, "name": edited.Name, "category": edited.Category}, nil
}

// edited is the template after an allowed edit, back in review.
func (t *template) edited(category string, components json.RawMessage, ttl *int, now time.Time) (*template, *graphError) {
	if !slices.Contains([]string{"APPROVED", "REJECTED", "PAUSED"}, t.Status) {
		return nil, refuse(100, "A template that is %s cannot be edited.", t.Status)
	}
	if category != "" && category != t.Category && t.Status == "APPROVED" {
		return nil, refuse(100, "The category of an approved template is fixed.")
	}
	edits := slices.DeleteFunc(slices.Clone(t.Edits), func(at int64) bool { return now.Unix()-at > 30*24*3600 })
	if t.Status == "APPROVED" && (len(edits) >= 10 || len(edits) > 0 && now.Unix()-edits[len(edits)-1] < 24*3600) {
		return nil, refuse(100, "An approved template can be edited once in 24 hours and ten times in 30 days.")
	}
	e := *t
	e.Edits, e.parts = append(edits, now.Unix()), nil
	e.Category = cmp.Or(strings.ToUpper(category), t.Category)
	if len(components) > 0 {
		e.Components = components
	}
	setIf(&e.TTL, ttl)
	e.Status, e.RejectedReason = "PENDING", ""
	return &e, e.check()
}

// deleteTemplates is DELETE /{waba_id}/message_templates: one by hsm_id, or every language of a name.
func (s *Server) deleteTemplates(a *account, q url.Values) (any, *graphError) {
	name, id := q.Get("name"), q.Get("hsm_id")
	if name == "" && id == "" {
		return nil, refuse(100, "The parameter name is required.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var gone []*template
	for _, t := range a.templates {
		if (name == "" || t.Name == name) && (id == "" || t.ID == id) {
			gone = append(gone, t)
		}
	}
	if len(gone) == 0 {
		return nil, mistaken(2593002, "The template was not found.")
	}
	for _, t := range gone {
		if t.Status == "DISABLED" {
			return nil, refuse(100, "A disabled template cannot be deleted.")
		}
		delete(a.templates, t.ID)
		s.templates.remove(t.ID)
	}
	s.saver.touch()
	return map[string]any{"success": true}, nil
}

// listTemplates is GET /{waba_id}/message_templates.
func (s *Server) listTemplates(a *account, q url.Values, base string) (any, *graphError) {
	health := a.healthEntities(s.clock.Now())
	a.mu.Lock()
	var items []listed
	for _, t := range a.templates {
		if t.matches(q) {
			items = append(items, listed{key: t.ID, node: t.node(health)})
		}
	}
	total := len(a.templates)
	a.mu.Unlock()
	slices.SortFunc(items, func(x, y listed) int { return cmp.Compare(x.key, y.key) })
	page, err := paginate(items, q, base, []string{"name", "parameter_format", "components", "language", "status", "category", "id"})
	if err != nil {
		return nil, err
	}
	if strings.Contains(q.Get("summary"), "total_count") || strings.Contains(q.Get("summary"), "message_template") || q.Get("summary") == "true" {
		page["summary"] = map[string]any{"total_count": total, "message_template_count": total, "message_template_limit": 250, "are_translations_complete": false}
	}
	return page, nil
}

func (t *template) matches(q url.Values) bool {
	fits := func(param, value string) bool {
		wanted := q.Get(param)
		return wanted == "" || strings.EqualFold(wanted, value)
	}
	return fits("name", t.Name) && fits("status", t.Status) && fits("category", t.Category) && fits("language", t.Language) &&
		strings.Contains(t.Name, q.Get("name_or_content"))
}

// node is a template with every field that can be asked for; account is how its account is.
func (t *template) node(account []map[string]any) map[string]any {
	n := map[string]any{
		"id": t.ID, "name": t.Name, "language": t.Language, "status": t.Status, "category": t.Category,
		"parameter_format": t.ParameterFormat, "components": t.Components, "rejected_reason": cmp.Or(t.RejectedReason, "NONE"),
		"quality_score": map[string]any{"score": cmp.Or(t.Quality, "UNKNOWN"), "date": t.Created.Unix()},
		"health_status": healthOf(append([]map[string]any{t.health()}, account...)...),
	}
	if t.PreviousCategory != "" {
		n["previous_category"] = t.PreviousCategory
	}
	if t.TTL != 0 {
		n["message_send_ttl_seconds"] = t.TTL
	}
	return n
}
