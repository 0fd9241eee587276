// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Template is a message template of a business account. Only one with Status
// APPROVED can be sent; Category is what Meta says, which may not be what was
// asked for. https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
type Template struct {
	ID, Name, Language string
	Status             string
	Category           string // UTILITY, MARKETING, AUTHENTICATION
	Quality            string // GREEN, YELLOW, RED, UNKNOWN
	RejectedReason     string
	ParameterFormat    string          // POSITIONAL or NAMED
	Components         json.RawMessage // the definition, an array
}

func readTemplate(v gjson.Result) Template {
	return Template{
		ID:              text(v.Get("id")),
		Name:            text(v.Get("name")),
		Language:        text(v.Get("language")),
		Status:          text(v.Get("status")),
		Category:        text(v.Get("category")),
		Quality:         text(v.Get("quality_score.score")),
		RejectedReason:  text(v.Get("rejected_reason")),
		ParameterFormat: cmp.Or(text(v.Get("parameter_format")), "POSITIONAL"),
		Components:      raw(v.Get("components")),
	}
}

// Places of a Variable.
const (
	PlaceHeader = "header"
	PlaceBody   = "body"
	PlaceButton = "button"
)

// Variable is a text that must be given to send a template.
type Variable struct {
	Place   string // header, body, button
	Button  int    // index of the button, from 0
	Name    string // unique in the template: its own name; "1", "2"… in a positional body; "header"; "button0"…
	Example string

	token string // as between {{ and }}
}

// TemplateParameters are the values for a template. Texts are given by
// position, in the order of Template.Variables, or by Variable.Name.
type TemplateParameters struct {
	Positional []string
	Named      map[string]string
	Header     *OutgoingMedia // of an IMAGE, VIDEO or DOCUMENT header
	Location   *Location      // of a LOCATION header
	Payloads   map[int]string // what quick replies give back, by button index; the label if absent
}

// RenderedTemplate is what the citizen reads.
type RenderedTemplate struct {
	Header, Body, Footer string
	Buttons              []string
}

const (
	maxTemplateBody = 1024
	maxBlanks       = 4
)

var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_]+)\s*\}\}`)

// parts are the components of a definition.
type parts struct {
	header, body, footer gjson.Result
	buttons              []gjson.Result
}

func (t Template) parts() parts {
	var p parts
	if !json.Valid(t.Components) {
		return p
	}
	for _, c := range gjson.ParseBytes(t.Components).Array() {
		switch strings.ToUpper(text(c.Get("type"))) {
		case "HEADER":
			p.header = c
		case "BODY":
			p.body = c
		case "FOOTER":
			p.footer = c
		case "BUTTONS":
			p.buttons = c.Get("buttons").Array()
		}
	}
	return p
}

func (p parts) headerFormat() string { return strings.ToUpper(text(p.header.Get("format"))) }

// HeaderFormat is TEXT, IMAGE, VIDEO, DOCUMENT, LOCATION, or "" without header.
func (t Template) HeaderFormat() string { return t.parts().headerFormat() }

// Variables lists the texts the template asks for: header, body, buttons, in
// this order.
func (t Template) Variables() []Variable { return t.parts().variables() }

func (p parts) variables() []Variable {
	vars := p.textVariables(PlaceHeader, p.header)
	vars = append(vars, p.textVariables(PlaceBody, p.body)...)
	for i, b := range p.buttons {
		if v, ok := buttonVariable(i, b); ok {
			vars = append(vars, v)
		}
	}
	return vars
}

func (p parts) textVariables(place string, component gjson.Result) []Variable {
	var vars []Variable
	for _, token := range tokens(text(component.Get("text"))) {
		vars = append(vars, Variable{
			Place: place, Name: variableName(place, token), Example: example(place, component, token), token: token,
		})
	}
	return vars
}

// variableName keeps the positional {{1}} of the header apart from the body's.
func variableName(place, token string) string {
	if _, err := strconv.Atoi(token); err == nil && place == PlaceHeader {
		return PlaceHeader
	}
	return token
}

// tokens lists the placeholders of a text once each: numbers in their order,
// names as they come.
func tokens(s string) []string {
	var found []string
	for _, match := range placeholder.FindAllStringSubmatch(s, -1) {
		if !slices.Contains(found, match[1]) {
			found = append(found, match[1])
		}
	}
	slices.SortStableFunc(found, func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX != nil || errY != nil {
			return 0
		}
		return cmp.Compare(x, y)
	})
	return found
}

func example(place string, component gjson.Result, token string) string {
	samples := component.Get("example")
	for _, named := range samples.Get(place + "_text_named_params").Array() {
		if text(named.Get("param_name")) == token {
			return text(named.Get("example"))
		}
	}
	n, err := strconv.Atoi(token)
	if err != nil || n < 1 {
		return ""
	}
	list := samples.Get(place + "_text").Array()
	if len(list) > 0 && list[0].IsArray() {
		list = list[0].Array()
	}
	if n > len(list) {
		return ""
	}
	return text(list[n-1])
}

func buttonVariable(index int, button gjson.Result) (Variable, bool) {
	v := Variable{Place: PlaceButton, Button: index, Name: PlaceButton + strconv.Itoa(index)}
	switch strings.ToUpper(text(button.Get("type"))) {
	case "URL":
		found := tokens(text(button.Get("url")))
		if len(found) == 0 {
			return Variable{}, false
		}
		v.token = found[0]
	case "COPY_CODE":
	default:
		return Variable{}, false
	}
	v.Example = text(button.Get("example.0"))
	if v.Example == "" {
		v.Example = text(button.Get("example"))
	}
	return v, true
}

// ButtonKinds are the kinds of the buttons, in order: URL, QUICK_REPLY, PHONE_NUMBER, COPY_CODE, FLOW, ….
func (t Template) ButtonKinds() []string {
	var kinds []string
	for _, b := range t.parts().buttons {
		kinds = append(kinds, strings.ToUpper(text(b.Get("type"))))
	}
	return kinds
}

// ButtonLabels are what stands on the buttons, in order.
func (t Template) ButtonLabels() []string {
	var labels []string
	for _, b := range t.parts().buttons {
		labels = append(labels, text(b.Get("text")))
	}
	return labels
}

// Unfilled is the template with its placeholders as they are written.
func (t Template) Unfilled() RenderedTemplate {
	p := t.parts()
	return RenderedTemplate{Header: text(p.header.Get("text")), Body: text(p.body.Get("text")), Footer: text(p.footer.Get("text"))}
}

// values gives each variable its text, or says what is wrong.
func (p TemplateParameters) values(vars []Variable) (map[string]string, error) {
	given := p.Named
	if p.Positional != nil || p.Named == nil {
		if len(p.Positional) != len(vars) {
			return nil, limit("template parameters", "be %d, not %d", len(vars), len(p.Positional))
		}
		given = make(map[string]string, len(vars))
		for i, v := range vars {
			given[v.Name] = p.Positional[i]
		}
	}
	for name := range given {
		if !slices.ContainsFunc(vars, func(v Variable) bool { return v.Name == name }) {
			return nil, limit("template parameter "+strconv.Quote(name), "be one of the template's")
		}
	}
	for _, v := range vars {
		if err := checkParameter(v.Name, given[v.Name]); err != nil {
			return nil, err
		}
	}
	return given, nil
}

func checkParameter(name, value string) error {
	field := "template parameter " + strconv.Quote(name)
	switch {
	case strings.TrimSpace(value) == "":
		return limit(field, "not be empty")
	case strings.ContainsAny(value, "\n\r\t"):
		return limit(field, "have no line breaks or tabs")
	case strings.Contains(value, strings.Repeat(" ", maxBlanks+1)):
		return limit(field, "have at most %d blanks in a row", maxBlanks)
	}
	return nil
}

// RenderTemplate fills a template as the citizen will read it.
func RenderTemplate(t Template, params TemplateParameters) (RenderedTemplate, error) {
	p := t.parts()
	vars := p.variables()
	values, err := params.values(vars)
	if err != nil {
		return RenderedTemplate{}, fmt.Errorf("render template %s: %w", t.Name, err)
	}
	r := RenderedTemplate{
		Header: fill(PlaceHeader, text(p.header.Get("text")), values),
		Body:   fill(PlaceBody, text(p.body.Get("text")), values),
		Footer: text(p.footer.Get("text")),
	}
	r.Buttons = t.ButtonLabels()
	return r, nil
}

func fill(place, s string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(match string) string {
		return values[variableName(place, placeholder.FindStringSubmatch(match)[1])]
	})
}

// TemplateComponents builds the components of a template message from its
// definition and values. Errors wrap a *LimitError: something is missing, too
// much, or breaks a rule of Meta's.
func TemplateComponents(t Template, params TemplateParameters) (json.RawMessage, error) {
	rendered, err := RenderTemplate(t, params)
	if err != nil {
		return nil, err
	}
	if n := utf8.RuneCountInString(rendered.Body); n > maxTemplateBody {
		return nil, fmt.Errorf("fill template %s: %w", t.Name,
			limit("template body", "have at most %d characters when filled, not %d", maxTemplateBody, n))
	}
	p := t.parts()
	f := filler{named: t.ParameterFormat == "NAMED", vars: p.variables()}
	if f.values, err = params.values(f.vars); err != nil {
		return nil, fmt.Errorf("fill template %s: %w", t.Name, err)
	}
	if err := f.header(p, params); err != nil {
		return nil, fmt.Errorf("fill template %s: %w", t.Name, err)
	}
	f.add("body", f.texts(PlaceBody))
	f.buttons(p, params)
	if f.components == nil {
		return nil, nil
	}
	return json.Marshal(f.components)
}

// filler gathers the components of one message.
type filler struct {
	named      bool
	vars       []Variable
	values     map[string]string
	components []any
}

func (f *filler) add(kind string, parameters []any) {
	if len(parameters) > 0 {
		f.components = append(f.components, object{"type": kind, "parameters": parameters})
	}
}

func (f *filler) texts(place string) []any {
	var list []any
	for _, v := range f.vars {
		if v.Place != place {
			continue
		}
		parameter := object{"type": "text", "text": f.values[v.Name]}
		if f.named {
			parameter["parameter_name"] = v.token
		}
		list = append(list, parameter)
	}
	return list
}

func (f *filler) header(p parts, params TemplateParameters) error {
	switch format := p.headerFormat(); format {
	case "IMAGE", "VIDEO", "DOCUMENT":
		m := params.Header
		if m == nil || (m.ID == "") == (m.Link == "") {
			return limit("template header", "have a file of type %s, by id or link", format)
		}
		kind := strings.ToLower(format)
		f.add("header", []any{object{"type": kind, kind: wireMedia{ID: m.ID, Link: m.Link, Filename: m.Filename}}})
	case "LOCATION":
		if params.Location == nil {
			return limit("template header", "have a location")
		}
		m := OutgoingMessage{Type: KindLocation, Location: params.Location}
		if err := m.checkLocation(); err != nil {
			return err
		}
		f.add("header", []any{object{"type": "location", "location": m.wire().Location}})
	default:
		f.add("header", f.texts(PlaceHeader))
	}
	return nil
}

func (f *filler) buttons(p parts, params TemplateParameters) {
	for i, b := range p.buttons {
		switch kind := strings.ToUpper(text(b.Get("type"))); kind {
		case "QUICK_REPLY":
			if payload := params.Payloads[i]; payload != "" {
				f.button(i, "quick_reply", object{"type": "payload", "payload": payload})
			}
		case "URL", "COPY_CODE":
			v, ok := buttonVariable(i, b)
			if !ok {
				continue
			}
			if kind == "URL" {
				f.button(i, "url", object{"type": "text", "text": f.values[v.Name]})
			} else {
				f.button(i, "copy_code", object{"type": "coupon_code", "coupon_code": f.values[v.Name]})
			}
		}
	}
}

func (f *filler) button(index int, kind string, parameter object) {
	f.components = append(f.components, object{
		"type": "button", "sub_type": kind, "index": strconv.Itoa(index), "parameters": []any{parameter},
	})
}
