// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// TemplateDefinition is a template as it is handed to Meta for approval.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
type TemplateDefinition struct {
	Name            string          `json:"name"`     // 1 to 512 of a–z, 0–9 and _
	Language        string          `json:"language"` // it, en_US
	Category        string          `json:"category"` // UTILITY, MARKETING: what we think it is; Meta decides
	ParameterFormat string          `json:"parameter_format,omitempty"`
	TTL             int             `json:"message_send_ttl_seconds,omitempty"` // how long Meta tries to deliver; 0: Meta's default
	Components      json.RawMessage `json:"components"`
}

// ParseTemplateDefinition reads a definition in Meta's JSON and checks it.
func ParseTemplateDefinition(data []byte) (TemplateDefinition, error) {
	var d TemplateDefinition
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		return d, fmt.Errorf("read the definition of a template: %w", err)
	}
	d.ParameterFormat = cmp.Or(d.ParameterFormat, "POSITIONAL")
	return d, d.Check()
}

// Template is the definition as a template that nobody has judged yet.
func (d TemplateDefinition) Template() Template {
	return Template{Name: d.Name, Language: d.Language, Category: d.Category, ParameterFormat: cmp.Or(d.ParameterFormat, "POSITIONAL"),
		Components: d.Components}
}

const (
	maxTemplateButtons = 10
	maxButtonLabel     = 25
	maxTTL             = 12 * 60 * 60 // seconds, of utility
)

var (
	definitionName     = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
	definitionLanguage = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z]{2,3})?$`)
	variableOfName     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	adjacent           = regexp.MustCompile(`\}\}[^\p{L}\p{N}]*\{\{`)
	word               = regexp.MustCompile(`[\p{L}\p{N}]`)
)

// Check holds the definition against the rules by which Meta refuses a
// template, and some that make sure where Meta's are vague: between, before
// and after variables there is a word. The error wraps a *LimitError.
func (d TemplateDefinition) Check() error {
	for _, check := range []func() error{d.checkHead, d.checkComponents} {
		if err := check(); err != nil {
			return fmt.Errorf("template %s: %w", d.Name, err)
		}
	}
	return nil
}

func (d TemplateDefinition) checkHead() error {
	switch {
	case !definitionName.MatchString(d.Name):
		return limit("name", "have 1 to 512 lower-case letters, digits or underscores")
	case !definitionLanguage.MatchString(d.Language):
		return limit("language", "be a code such as it or en_US, not %q", d.Language)
	case d.Category != "UTILITY" && d.Category != "MARKETING":
		return limit("category", "be UTILITY or MARKETING, not %q", d.Category)
	case d.ParameterFormat != "POSITIONAL" && d.ParameterFormat != "NAMED":
		return limit("parameter_format", "be POSITIONAL or NAMED, not %q", d.ParameterFormat)
	case d.TTL != 0 && d.Category != "UTILITY":
		return limit("message_send_ttl_seconds", "not be there: only a utility template has it")
	case d.TTL != 0 && d.TTL != -1 && (d.TTL < 30 || d.TTL > maxTTL):
		return limit("message_send_ttl_seconds", "be 30 to %d, or -1", maxTTL)
	}
	return nil
}

func (d TemplateDefinition) checkComponents() error {
	seen := map[string]bool{}
	for _, c := range gjson.ParseBytes(d.Components).Array() {
		kind := text(c.Get("type"))
		if seen[kind] {
			return limit(kind, "be there once")
		}
		seen[kind] = true
		if err := d.checkComponent(kind, c); err != nil {
			return err
		}
	}
	if !seen["BODY"] {
		return limit("BODY", "be there")
	}
	return nil
}

func (d TemplateDefinition) checkComponent(kind string, c gjson.Result) error {
	switch kind {
	case "HEADER":
		if text(c.Get("format")) != "TEXT" {
			return limit(kind, "be a text: files and places are not among what we hand in")
		}
		if len(tokens(text(c.Get("text")))) > 1 {
			return limit(kind, "have one variable at most")
		}
		return d.checkText(kind, c, MaxHeader)
	case "BODY":
		return d.checkText(kind, c, maxTemplateBody)
	case "FOOTER":
		if strings.Contains(text(c.Get("text")), "{{") {
			return limit(kind, "have no variable")
		}
		return d.checkText(kind, c, MaxHeader)
	case "BUTTONS":
		return checkDefinedButtons(c.Get("buttons").Array())
	}
	return limit("type", "be HEADER, BODY, FOOTER or BUTTONS, not %q", kind)
}

func (d TemplateDefinition) checkText(kind string, c gjson.Result, most int) error {
	s := text(c.Get("text"))
	if n := utf8.RuneCountInString(s); n == 0 || n > most {
		return limit(kind, "have 1 to %d characters, not %d", most, n)
	}
	if strings.Contains(s, "\n\n\n") || strings.Contains(s, strings.Repeat(" ", maxBlanks+1)) || s != strings.TrimSpace(s) {
		return limit(kind, "have no long gaps and none at its ends")
	}
	names := tokens(s)
	if strings.Count(s, "{{") != len(placeholder.FindAllString(s, -1)) || strings.Count(s, "}}") != strings.Count(s, "{{") {
		return limit(kind, "write its variables as {{name}}")
	}
	if len(names) == 0 {
		return nil
	}
	if err := d.checkPlaces(kind, s, names); err != nil {
		return err
	}
	return d.checkNames(kind, c, names)
}

// checkPlaces is about where variables stand: Meta refuses them at the ends,
// side by side, and too many for the text around them.
func (d TemplateDefinition) checkPlaces(kind, s string, names []string) error {
	first, last := strings.Index(s, "{{"), strings.LastIndex(s, "}}")
	words := len(strings.Fields(placeholder.ReplaceAllString(s, " ")))
	switch {
	case kind == "BODY" && !word.MatchString(s[:first]):
		return limit(kind, "not begin with a variable")
	case kind == "BODY" && !word.MatchString(s[last:]):
		return limit(kind, "not end with a variable")
	case adjacent.MatchString(s):
		return limit(kind, "have a word between two variables")
	case kind == "BODY" && words <= 2*len(names):
		return limit(kind, "have more than %d words beside its %d variables", 2*len(names), len(names))
	}
	return nil
}

// checkNames is about what variables are called, and that each has an example
// and nothing else has.
func (d TemplateDefinition) checkNames(kind string, c gjson.Result, names []string) error {
	place := strings.ToLower(kind)
	samples := c.Get("example." + place + "_text_named_params").Array()
	if d.ParameterFormat == "POSITIONAL" {
		samples = c.Get("example." + place + "_text").Array()
		if len(samples) > 0 && samples[0].IsArray() {
			samples = samples[0].Array()
		}
	}
	if len(samples) != len(names) {
		return limit(kind, "have an example for each of its %d variables, not %d", len(names), len(samples))
	}
	for i, name := range names {
		switch {
		case d.ParameterFormat == "NAMED" && !variableOfName.MatchString(name):
			return limit(kind, "name its variables in lower-case letters, digits and underscores, not %q", name)
		case d.ParameterFormat == "POSITIONAL" && name != strconv.Itoa(i+1):
			return limit(kind, "number its variables from 1 on")
		case checkParameter(name, example(place, c, name)) != nil:
			return limit(kind, "have an example of %q that could be sent", name)
		}
	}
	return nil
}

func checkDefinedButtons(buttons []gjson.Result) error {
	if len(buttons) == 0 || len(buttons) > maxTemplateButtons {
		return limit("BUTTONS", "be 1 to %d", maxTemplateButtons)
	}
	count, groups, before := map[string]int{}, 0, ""
	for _, b := range buttons {
		kind := text(b.Get("type"))
		count[kind]++
		if group := map[bool]string{true: "replies", false: "others"}[kind == "QUICK_REPLY"]; group != before {
			groups, before = groups+1, group
		}
		if n := utf8.RuneCountInString(text(b.Get("text"))); n == 0 || n > maxButtonLabel {
			return limit("BUTTONS", "have labels of 1 to %d characters", maxButtonLabel)
		}
		if err := checkDefinedButton(kind, b); err != nil {
			return err
		}
	}
	if groups > 2 || count["URL"] > 2 || count["PHONE_NUMBER"] > 1 {
		return limit("BUTTONS", "have quick replies side by side, two addresses and one phone number at most")
	}
	return nil
}

func checkDefinedButton(kind string, b gjson.Result) error {
	switch kind {
	case "QUICK_REPLY":
		return nil
	case "PHONE_NUMBER":
		if !strings.HasPrefix(text(b.Get("phone_number")), "+") {
			return limit("BUTTONS", "have a phone number with +")
		}
		return nil
	case "URL":
		address := text(b.Get("url"))
		names := tokens(address)
		u, err := url.Parse(placeholder.ReplaceAllString(address, "x"))
		if err != nil || u.Scheme != "https" || u.Host == "" || len(address) > MaxLink ||
			len(names) > 1 || len(names) == 1 && (!strings.HasSuffix(address, "}}") || !b.Get("example.0").Exists()) {
			return limit("BUTTONS", "have an https address, with a variable only at its end and an example of it")
		}
		return nil
	}
	return limit("BUTTONS", "be QUICK_REPLY, URL or PHONE_NUMBER, not %q", kind)
}

// CreatedTemplate is what Meta says to a definition handed in.
type CreatedTemplate struct {
	ID       string
	Status   string // PENDING mostly; APPROVED or REJECTED when decided at once
	Category string // Meta's, which may be another than was asked for
}

// CreateTemplate hands a definition in for approval. Handed in twice it is
// there once: the second time the error's TemplateExists is true.
func (c *Client) CreateTemplate(ctx context.Context, acc Account, d TemplateDefinition) (CreatedTemplate, error) {
	if err := d.Check(); err != nil {
		return CreatedTemplate{}, err
	}
	body, err := json.Marshal(d)
	if err != nil {
		return CreatedTemplate{}, fmt.Errorf("create template %s: %w", d.Name, err)
	}
	v, err := c.call(ctx, request{method: http.MethodPost, path: node(acc.WABAID, "message_templates"), token: acc.Token, body: body})
	if err != nil {
		return CreatedTemplate{}, fmt.Errorf("create template %s: %w", d.Name, err)
	}
	return CreatedTemplate{ID: text(v.Get("id")), Status: text(v.Get("status")), Category: text(v.Get("category"))}, nil
}

// Subcodes of a template that is there already in this language, and of a name
// that is still being deleted.
var takenSubcodes = []int{2388023, 2388024}

// TemplateExists tells whether a template was refused because its name is
// taken in its language, or not free again yet.
func (e *GraphError) TemplateExists() bool { return slices.Contains(takenSubcodes, e.Subcode) }
