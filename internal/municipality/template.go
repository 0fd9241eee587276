// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Template is a message that Meta has approved, or not yet, for a WhatsApp Business Account. We only
// copy them from there.
type Template struct {
	WABA string
	whatsapp.Template
}

// ErrTemplateNotFound is the failure for a template that is not there.
var ErrTemplateNotFound = fault.New(fault.NotFound, "error.template_not_found")

// Approved tells whether Meta accepts messages with this template.
func (t Template) Approved() bool { return t.Status == "APPROVED" }

// Paused tells that Meta has stopped the template for some hours, because of what citizens made of it.
func (t Template) Paused() bool { return t.Status == "PAUSED" }

// LowQuality tells that many citizens blocked or reported what came with the template: Meta may soon pause it.
func (t Template) LowQuality() bool { return t.Quality == "RED" }

// Supported tells whether the template can be sent with a text for each of its Variables and what its header asks
// for. A form or a code to copy take more.
func (t Template) Supported() bool {
	_, known := headers[t.HeaderFormat()]
	simple := []string{"URL", quickReply, "PHONE_NUMBER", "REQUEST_CONTACT_INFO"}
	return known && t.Unfilled().Body != "" &&
		!slices.ContainsFunc(t.ButtonKinds(), func(kind string) bool { return !slices.Contains(simple, kind) })
}

const quickReply = "QUICK_REPLY"

// Replies are the labels of the buttons that answer. Where nothing else is set a tap gives back the label, which so arrives
// as if the citizen had written it.
func (t Template) Replies() (labels []string) {
	all := t.ButtonLabels()
	for i, kind := range t.ButtonKinds() {
		if kind == quickReply {
			labels = append(labels, all[i])
		}
	}
	return labels
}

// headers are the formats of header that can be sent, with what is said where it is not filled as it must be.
var headers = map[string]*fault.Error{
	"":         fault.New(fault.Invalid, "error.template_header_none"),
	"TEXT":     fault.New(fault.Invalid, "error.template_header_none"),
	"IMAGE":    fault.New(fault.Invalid, "error.template_header_image"),
	"VIDEO":    fault.New(fault.Invalid, "error.template_header_video"),
	"DOCUMENT": fault.New(fault.Invalid, "error.template_header_document"),
	"LOCATION": fault.New(fault.Invalid, "error.template_header_location"),
}

// CheckHeader wants above the template what its header is: a file of this type, or a place, or neither ("" and false).
func (t Template) CheckHeader(mime string, place bool) error {
	format := t.HeaderFormat()
	problem, known := headers[format]
	class, _, _ := strings.Cut(mime, "/")
	ok := map[string]bool{
		"": mime == "" && !place, "TEXT": mime == "" && !place, "LOCATION": mime == "" && place,
		"IMAGE": (mime == "image/jpeg" || mime == "image/png") && !place, "VIDEO": class == "video" && !place,
		"DOCUMENT": (class == "application" || class == "text") && !place,
	}
	if known && !ok[format] {
		return problem
	}
	return nil
}

// maxPayload is the longest of what a reply button gives back, in characters.
const maxPayload = 256

// CheckPayloads wants what reply buttons give back to be of such buttons, by position from 0.
func (t Template) CheckPayloads(payloads map[int]string) error {
	kinds := t.ButtonKinds()
	for i, payload := range payloads {
		if i < 0 || i >= len(kinds) || kinds[i] != quickReply || payload == "" || utf8.RuneCountInString(payload) > maxPayload {
			return fault.New(fault.Invalid, "error.template_payload", "max", maxPayload)
		}
	}
	return nil
}

// Parameters fill the variables of a template: a list by position over header, body and buttons, or an
// object by the names of Variables.
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

// Fill gives the texts of the variables in their order, and what the citizen will read. It fails with a
// sentence for people if one is missing, one too many, or one that Meta would refuse (an empty text, line
// breaks, more than four blanks in a row).
func (t Template) Fill(p Parameters) (texts []string, reads string, err error) {
	variables := t.Variables()
	if len(p.List)+len(p.Named) != len(variables) {
		return nil, "", wrongParameters(variables)
	}
	texts = make([]string, len(variables))
	for i, v := range variables {
		text, ok := p.Named[v.Name]
		if i < len(p.List) {
			text, ok = p.List[i], true
		}
		if !ok {
			return nil, "", wrongParameters(variables)
		}
		if texts[i] = strings.TrimSpace(text); !fits(texts[i]) {
			return nil, "", fault.New(fault.Invalid, "error.template_parameter", "name", v.Name)
		}
	}
	rendered, err := whatsapp.RenderTemplate(t.Template, whatsapp.TemplateParameters{Positional: texts})
	return texts, readable(rendered), err
}

func fits(text string) bool {
	return text != "" && !strings.ContainsAny(text, "\n\r\t") && !strings.Contains(text, "     ")
}

func wrongParameters(variables []whatsapp.Variable) error {
	names := make([]string, len(variables))
	for i, v := range variables {
		names[i] = v.Name
	}
	return fault.New(fault.Invalid, "error.template_parameters", "n", len(names), "names", strings.Join(names, ", "))
}

// Preview is what the citizen will read, with the placeholders as they are.
func (t Template) Preview() string { return readable(t.Unfilled()) }

// readable is header, body and footer with a blank line between them.
func readable(r whatsapp.RenderedTemplate) string {
	parts := slices.DeleteFunc([]string{r.Header, r.Body, r.Footer}, func(s string) bool { return s == "" })
	return strings.Join(parts, "\n\n")
}

const (
	upsertTemplate = `INSERT INTO template (municipality_id, waba_id, name, language, external_id, status, category, parameter_format, components, synced_at, quality)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (municipality_id, waba_id, name, language) DO UPDATE SET external_id = excluded.external_id, status = excluded.status,
		category = excluded.category, parameter_format = excluded.parameter_format, components = excluded.components, synced_at = excluded.synced_at,
		quality = excluded.quality`
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
			writes = append(writes, []any{municipality, waba, t.Name, t.Language, t.ID, t.Status, t.Category, t.ParameterFormat, db.JSON(t.Components), tx.Now(), t.Quality})
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
	return t.ID == o.ID && t.Status == o.Status && t.Category == o.Category && t.Quality == o.Quality && t.ParameterFormat == o.ParameterFormat
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
	return Template{WABA: r.WabaID, Template: whatsapp.Template{ID: r.ExternalID, Name: r.Name, Language: r.Language, Status: r.Status, Category: r.Category,
		Quality: r.Quality, ParameterFormat: r.ParameterFormat, Components: json.RawMessage(r.Components)}}
}
