// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
)

// Template is a message that Meta has approved, or not yet, for a WhatsApp Business Account. We only
// copy them from there.
type Template struct {
	WABA            string
	Name            string
	Language        string // Meta's code, to be given back exactly: it, en_US
	ExternalID      string
	Status          string          // APPROVED, PENDING, REJECTED, PAUSED, … an open set
	Category        string          // UTILITY, MARKETING, AUTHENTICATION
	ParameterFormat string          // POSITIONAL or NAMED
	Components      json.RawMessage // as Meta describes them
}

const (
	approved = "APPROVED"
	named    = "NAMED"
)

// ErrTemplateNotFound is the failure for a template that is not there.
var ErrTemplateNotFound = fault.New(fault.NotFound, "error.template_not_found")

// Approved tells whether Meta accepts messages with this template.
func (t Template) Approved() bool { return t.Status == approved }

// component is a part of a template: developers.facebook.com, whatsapp/business-management-api/message-templates/components.
type component struct {
	Type    string   `json:"type"`   // HEADER BODY FOOTER BUTTONS
	Format  string   `json:"format"` // of a header: TEXT IMAGE VIDEO DOCUMENT LOCATION
	Text    string   `json:"text"`
	Buttons []Button `json:"buttons"`
}

// Button is a button under a template.
type Button struct {
	Type string `json:"type"` // URL QUICK_REPLY PHONE_NUMBER …
	Text string `json:"text"`
	URL  string `json:"url"` // may end in {{1}}
}

// parts reads the components. What Meta sends is not ours to trust: a part that makes no sense is none.
func (t Template) parts() []component {
	var parts []component
	if json.Unmarshal(t.Components, &parts) != nil {
		return nil
	}
	for i := range parts {
		parts[i].Type = strings.ToUpper(parts[i].Type)
		parts[i].Format = strings.ToUpper(parts[i].Format)
	}
	return parts
}

func (t Template) part(kind string) component {
	parts := t.parts()
	if i := slices.IndexFunc(parts, func(c component) bool { return c.Type == kind }); i >= 0 {
		return parts[i]
	}
	return component{}
}

// Body is the text of the body, with its placeholders.
func (t Template) Body() string { return t.part("BODY").Text }

// Buttons are the buttons, in order.
func (t Template) Buttons() []Button { return t.part("BUTTONS").Buttons }

// Supported tells whether a text for each of its Variables is all that sending the template takes. A
// picture in the header, a form or a code to copy take more.
func (t Template) Supported() bool {
	header := t.part("HEADER")
	if header.Type != "" && header.Format != "TEXT" && header.Format != "" {
		return false
	}
	simple := []string{"URL", "QUICK_REPLY", "PHONE_NUMBER"}
	return !slices.ContainsFunc(t.Buttons(), func(b Button) bool { return !slices.Contains(simple, strings.ToUpper(b.Type)) }) && t.Body() != ""
}

// Variable is a place of a template to be filled in.
type Variable struct {
	Component string // header, body or button, as the Cloud API calls them
	Button    int    // place of the button, from 0
	Name      string // what stands between the braces: "1", "zona"
	Key       string // what it goes by among all of the template: see Parameters
}

// placeholder is {{1}} or {{zona}}.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

// Variables are the places to fill in, in the order of the Cloud API: header, body, buttons; positions
// by number, names as they first appear.
func (t Template) Variables() []Variable {
	var out []Variable
	add := func(component, text string, button int) {
		for _, name := range t.names(text) {
			v := Variable{Component: component, Button: button, Name: name, Key: strconv.Itoa(len(out) + 1)}
			if t.named() {
				v.Key = name
				if component == "button" { // buttons are always by position
					v.Key = "button_" + strconv.Itoa(button)
				}
			}
			out = append(out, v)
		}
	}
	add("header", t.part("HEADER").Text, 0)
	add("body", t.Body(), 0)
	for i, b := range t.Buttons() {
		add("button", b.URL, i)
	}
	return out
}

func (t Template) named() bool { return strings.EqualFold(t.ParameterFormat, named) }

func (t Template) names(text string) []string {
	var out []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	if !t.named() {
		slices.SortFunc(out, func(a, b string) int {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return x - y
		})
	}
	return out
}

// Parameters fill the variables of a template: a list by position over header, body and buttons, or an
// object by name. In an object, the variable of a button of a named template is "button_0", and so on.
type Parameters struct {
	List  []string
	Named map[string]string
}

// UnmarshalJSON reads a list or an object of strings.
func (p *Parameters) UnmarshalJSON(data []byte) error {
	*p = Parameters{}
	if strings.HasPrefix(strings.TrimSpace(string(data)), "[") {
		return json.Unmarshal(data, &p.List)
	}
	return json.Unmarshal(data, &p.Named)
}

// MarshalJSON writes the form that was read.
func (p Parameters) MarshalJSON() ([]byte, error) {
	if p.Named != nil {
		return json.Marshal(p.Named)
	}
	if p.List == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(p.List)
}

// Argument is a variable with its text.
type Argument struct {
	Variable
	Text string
}

// Bind gives each variable its text, and fails with a sentence for people if one is missing, one too
// many, or one that Meta would refuse (an empty text, line breaks, more than four blanks in a row).
func (t Template) Bind(p Parameters) ([]Argument, error) {
	variables := t.Variables()
	if len(p.List)+len(p.Named) != len(variables) || t.named() && len(p.List) > 0 {
		return nil, t.wrongParameters(variables)
	}
	out := make([]Argument, len(variables))
	for i, v := range variables {
		text, ok := p.Named[v.Key]
		if i < len(p.List) {
			text, ok = p.List[i], true
		}
		if !ok {
			return nil, t.wrongParameters(variables)
		}
		if text = strings.TrimSpace(text); text == "" || strings.ContainsAny(text, "\n\r\t") || strings.Contains(text, "     ") {
			return nil, fault.New(fault.Invalid, "error.template_parameter", "name", v.Key)
		}
		out[i] = Argument{Variable: v, Text: text}
	}
	return out, nil
}

func (t Template) wrongParameters(variables []Variable) error {
	keys := make([]string, len(variables))
	for i, v := range variables {
		keys[i] = v.Key
	}
	return fault.New(fault.Invalid, "error.template_parameters", "n", len(keys), "names", strings.Join(keys, ", "))
}

// Render is what the citizen will read: header, body and footer, a blank line between them. A variable
// without a text keeps its braces, so that it can be shown while it is being filled in.
func (t Template) Render(p Parameters) string {
	texts := map[string]string{}
	for i, v := range t.Variables() {
		text, ok := p.Named[v.Key]
		if i < len(p.List) {
			text, ok = p.List[i], true
		}
		if ok && text != "" {
			texts[v.Component+v.Name] = text
		}
	}
	fill := func(component, text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(place string) string {
			if filled, ok := texts[component+placeholder.FindStringSubmatch(place)[1]]; ok {
				return filled
			}
			return place
		})
	}
	var out []string
	for _, text := range []string{fill("header", t.part("HEADER").Text), fill("body", t.Body()), t.part("FOOTER").Text} {
		if text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n\n")
}

const (
	upsertTemplate = `INSERT INTO template (municipality_id, waba_id, name, language, external_id, status, category, parameter_format, components, synced_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (municipality_id, waba_id, name, language) DO UPDATE SET external_id = excluded.external_id, status = excluded.status,
		category = excluded.category, parameter_format = excluded.parameter_format, components = excluded.components, synced_at = excluded.synced_at`
	deleteTemplate = `DELETE FROM template WHERE municipality_id = $1 AND waba_id = $2 AND name = $3 AND language = $4`
)

// SaveTemplates makes the templates of waba those that Meta listed: new and changed ones are written,
// those gone are removed, the others are left alone.
func SaveTemplates(ctx context.Context, tx *db.Tx, municipality int64, waba string, listed []Template) error {
	rows, err := store.New(tx).TemplatesOf(ctx, store.TemplatesOfParams{MunicipalityID: municipality, WabaID: waba})
	if err != nil {
		return fmt.Errorf("read the templates of %s: %w", waba, err)
	}
	type name struct{ name, language string }
	old := make(map[name]Template, len(rows))
	for _, r := range rows {
		old[name{r.Name, r.Language}] = fromRow(r)
	}
	now := make(map[name]Template, len(listed))
	for _, t := range listed {
		now[name{t.Name, t.Language}] = t
	}
	var writes, removals [][]any
	for id, t := range now {
		if was, ok := old[id]; !ok || !was.same(t) {
			writes = append(writes, []any{municipality, waba, t.Name, t.Language, t.ExternalID, t.Status, t.Category, t.ParameterFormat, db.JSON(t.Components), tx.Now()})
		}
	}
	for id := range old {
		if _, ok := now[id]; !ok {
			removals = append(removals, []any{municipality, waba, id.name, id.language})
		}
	}
	// In one order, or two instances that synchronise at once could wait for each other.
	byName := func(a, b []any) int {
		return strings.Compare(a[2].(string)+" "+a[3].(string), b[2].(string)+" "+b[3].(string))
	}
	slices.SortFunc(writes, byName)
	slices.SortFunc(removals, byName)
	if _, err := tx.Exec(ctx, upsertTemplate, writes); err != nil {
		return fmt.Errorf("save the templates of %s: %w", waba, err)
	}
	if _, err := tx.Exec(ctx, deleteTemplate, removals); err != nil {
		return fmt.Errorf("remove templates of %s: %w", waba, err)
	}
	return nil
}

// same compares what was stored with what was listed; jsonb keeps neither order nor spaces.
func (t Template) same(o Template) bool {
	var a, b any
	if json.Unmarshal(t.Components, &a) != nil || json.Unmarshal(o.Components, &b) != nil || !reflect.DeepEqual(a, b) {
		return false
	}
	return t.ExternalID == o.ExternalID && t.Status == o.Status && t.Category == o.Category && t.ParameterFormat == o.ParameterFormat
}

// Templates are all templates of a municipality, by name and language.
func Templates(ctx context.Context, tx *db.Tx, municipality int64) ([]Template, error) {
	rows, err := store.New(tx).Templates(ctx, municipality)
	if err != nil {
		return nil, fmt.Errorf("templates of municipality %d: %w", municipality, err)
	}
	out := make([]Template, len(rows))
	for i, r := range rows {
		out[i] = fromRow(r)
	}
	return out, nil
}

// TemplateOf finds one template of a municipality.
func TemplateOf(ctx context.Context, tx *db.Tx, municipality int64, waba, name, language string) (Template, error) {
	row, err := store.New(tx).Template(ctx, store.TemplateParams{MunicipalityID: municipality, WabaID: waba, Name: name, Language: language})
	if errors.Is(err, sql.ErrNoRows) {
		return Template{}, ErrTemplateNotFound
	}
	if err != nil {
		return Template{}, fmt.Errorf("template %s (%s) of municipality %d: %w", name, language, municipality, err)
	}
	return fromRow(row), nil
}

func fromRow(r store.Template) Template {
	return Template{WABA: r.WabaID, Name: r.Name, Language: r.Language, ExternalID: r.ExternalID, Status: r.Status, Category: r.Category,
		ParameterFormat: r.ParameterFormat, Components: json.RawMessage(r.Components)}
}
