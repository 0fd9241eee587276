// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Template is a message approved beforehand, in one language.
// Source: templates overview and components of Meta's documentation.
type Template struct {
	ID              string          `json:"id,omitempty"`
	Name            string          `json:"name"`
	Language        string          `json:"language"`
	Category        string          `json:"category"`                   // UTILITY, MARKETING or AUTHENTICATION
	Status          string          `json:"status,omitempty"`           // APPROVED unless set
	ParameterFormat string          `json:"parameter_format,omitempty"` // POSITIONAL (default) or NAMED
	Components      json.RawMessage `json:"components"`
	TTL             int             `json:"message_send_ttl_seconds,omitempty"`
}

// template is a Template with its history; its account's lock guards it.
type template struct {
	Template
	PreviousCategory string    `json:"previous_category,omitempty"`
	RejectedReason   string    `json:"rejected_reason,omitempty"`
	Quality          string    `json:"quality,omitempty"`
	Pauses           int       `json:"pauses,omitempty"` // for its quality
	PausedUntil      time.Time `json:"paused_until,omitzero"`
	NextCategory     string    `json:"next_category,omitempty"` // announced for NextCategoryAt
	NextCategoryAt   time.Time `json:"next_category_at,omitzero"`
	Edits            []int64   `json:"edits,omitempty"` // unix seconds, last 30 days
	Created          time.Time `json:"created"`

	parts []templateComponent // Components, read once
}

type templateComponent struct {
	Type    string           `json:"type"`
	Format  string           `json:"format"`
	Text    string           `json:"text"`
	Buttons []templateButton `json:"buttons"`
	Example json.RawMessage  `json:"example"`

	vars []string
}

type templateButton struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	URL   string `json:"url"`
	Phone string `json:"phone_number"`

	vars []string
}

// startingTemplates are in every account.
func startingTemplates() []Template {
	return []Template{
		{Name: "hello_world", Language: "en_US", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"HEADER","format":"TEXT","text":"Hello World"},{"type":"BODY","text":"Welcome and congratulations. This message shows that your desk can send through WhatsApp."},{"type":"FOOTER","text":"Sent by the simulator"}]`)},
		{Name: "avviso", Language: "it", Category: "UTILITY", Components: json.RawMessage(
			`[{"type":"BODY","text":"Avviso del Comune: {{1}}. Per informazioni risponda a questo messaggio.","example":{"body_text":[["chiusura di via Garibaldi fino alle 18"]]}}]`)},
	}
}

var variable = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

func variables(text string) []string {
	var names []string
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
		}
	}
	return names
}

// prepare reads the components once, so that a send does not.
func (t *template) prepare() error {
	if err := json.Unmarshal(t.Components, &t.parts); err != nil {
		return fmt.Errorf("read components of template %s: %w", t.Name, err)
	}
	for i := range t.parts {
		part := &t.parts[i]
		part.Type, part.Format = strings.ToUpper(part.Type), strings.ToUpper(part.Format)
		if part.Type == "BODY" && t.Category == "AUTHENTICATION" && part.Text == "" {
			part.Text = "{{1}} is your verification code."
		}
		part.vars = variables(part.Text)
		for j := range part.Buttons {
			part.Buttons[j].Type = strings.ToUpper(part.Buttons[j].Type)
			part.Buttons[j].vars = variables(part.Buttons[j].URL)
		}
	}
	return nil
}

func (t *template) part(kind string) *templateComponent {
	for i := range t.parts {
		if t.parts[i].Type == kind {
			return &t.parts[i]
		}
	}
	return nil
}

func (t *template) buttons() []templateButton {
	if part := t.part("BUTTONS"); part != nil {
		return part.Buttons
	}
	return nil
}

func (t *template) named() bool { return t.ParameterFormat == "NAMED" }

// timeToLive is how long a message of the template is tried to be delivered.
func (t *template) timeToLive() time.Duration {
	switch {
	case t.TTL > 0:
		return time.Duration(t.TTL) * time.Second
	case t.TTL == 0 && t.Category == "AUTHENTICATION":
		return 10 * time.Minute
	}
	return longestTTL
}

// ensureTemplate adds a template unless the account has it already.
func (s *Server) ensureTemplate(a *account, spec Template) error {
	t := &template{Template: spec, Quality: "UNKNOWN", Created: s.clock.Now()}
	t.ID = cmp.Or(t.ID, s.dice.id("template"))
	t.Status = cmp.Or(t.Status, "APPROVED")
	t.ParameterFormat = cmp.Or(t.ParameterFormat, "POSITIONAL")
	if err := t.prepare(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.findTemplate(t.Name, t.Language) == nil {
		a.templates[t.ID] = t
		s.templates.put(t.ID, a)
	}
	return nil
}

// findTemplate looks a template up; a must be locked.
func (a *account) findTemplate(name, language string) *template {
	for _, t := range a.templates {
		if t.Name == name && t.Language == language && t.Status != "DELETED" {
			return t
		}
	}
	return nil
}
