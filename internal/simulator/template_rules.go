// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	templateName  = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
	languageCode  = regexp.MustCompile(`^[a-z]{2,3}(_[A-Z]{2,3})?$`)
	positional    = regexp.MustCompile(`^[1-9][0-9]*$`)
	sideBySide    = regexp.MustCompile(`\}\}\s*\{\{`)
	namedVariable = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	categories    = []string{"UTILITY", "MARKETING", "AUTHENTICATION"}
)

// check holds a new template against Meta's rules and prepares it.
func (t *template) check() *graphError {
	switch {
	case !templateName.MatchString(t.Name):
		return refuse(100, "Param name must have 1 to 512 lowercase letters, digits or underscores.")
	case !languageCode.MatchString(t.Language):
		return refuse(100, "Param language %q is not a language code like it or en_US.", t.Language)
	case !slices.Contains(categories, t.Category):
		return refuse(100, "Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}.")
	case t.ParameterFormat != "POSITIONAL" && t.ParameterFormat != "NAMED":
		return refuse(100, "Param parameter_format must be POSITIONAL or NAMED.")
	case len(t.Components) == 0:
		return refuse(100, "The parameter components is required.")
	case t.TTL != 0 && !t.ttlAllowed():
		return refuse(100, "Param message_send_ttl_seconds must be 30 to 900 for authentication, 30 to 43200 for utility, or -1.")
	}
	if err := t.prepare(); err != nil {
		return refuse(100, "Param components is not a list of components.")
	}
	return t.checkParts()
}

func (t *template) ttlAllowed() bool {
	longest := map[string]int{"AUTHENTICATION": 900, "UTILITY": 43200}[t.Category]
	return longest > 0 && (t.TTL == -1 || t.TTL >= 30 && t.TTL <= longest)
}

func (t *template) checkParts() *graphError {
	seen := map[string]bool{}
	for i := range t.parts {
		part := &t.parts[i]
		if seen[part.Type] {
			return refuse(100, "Component %s is there twice.", part.Type)
		}
		seen[part.Type] = true
		if err := t.checkPart(part); err != nil {
			return err
		}
	}
	if !seen["BODY"] {
		return refuse(100, "A template needs a BODY component.")
	}
	return nil
}

func (t *template) checkPart(part *templateComponent) *graphError {
	switch part.Type {
	case "HEADER":
		return t.checkHeader(part)
	case "BODY":
		if t.Category == "AUTHENTICATION" {
			return nil // its text is WhatsApp's own
		}
		if err := limitField(part.Text, 1024); err != nil {
			return err
		}
		return t.checkVariables(part, 0)
	case "FOOTER":
		if t.Category == "AUTHENTICATION" {
			return nil // WhatsApp's own too: it says for how many minutes the code is good
		}
		if len(part.vars) > 0 {
			return mistaken(2388073, "A footer has no variables.")
		}
		return limitField(part.Text, 60)
	case "BUTTONS":
		return checkTemplateButtons(part.Buttons)
	}
	return refuse(100, "Component type %q is not supported.", part.Type)
}

func limitField(text string, longest int) *graphError {
	if n := utf8.RuneCountInString(text); n == 0 || n > longest {
		return mistaken(2388040, "The field must have 1 to %d characters.", longest)
	}
	return nil
}

func (t *template) checkHeader(part *templateComponent) *graphError {
	switch part.Format {
	case "TEXT":
		if err := limitField(part.Text, 60); err != nil {
			return err
		}
		return t.checkVariables(part, 1)
	case "IMAGE", "VIDEO", "DOCUMENT":
		if len(part.Example) == 0 {
			return refuse(100, "A header of format %s needs example.header_handle.", part.Format)
		}
		return nil
	case "LOCATION":
		return nil
	}
	return mistaken(2388047, "Header format must be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION.")
}

// checkVariables holds the variables of a text against the format, their place and their examples; most is 0 for any number.
func (t *template) checkVariables(part *templateComponent, most int) *graphError {
	if len(part.vars) == 0 {
		return nil
	}
	text := strings.TrimSpace(part.Text)
	switch {
	case most > 0 && len(part.vars) > most:
		return mistaken(2388047, "A header has one variable at most.")
	case part.Type == "BODY" && (strings.HasPrefix(text, "{{") || strings.HasSuffix(text, "}}")):
		return mistaken(2388299, "Variables can't be at the start or end of the template.")
	case sideBySide.MatchString(text):
		return mistaken(2388299, "Variables can't be next to each other.")
	case part.Type == "BODY" && len(strings.Fields(variable.ReplaceAllString(text, ""))) < 2*len(part.vars):
		return mistaken(2388293, "There are too many variables for the length of the text.")
	}
	for i, name := range part.vars {
		if t.named() && !namedVariable.MatchString(name) {
			return mistaken(2388072, "Variable {{%s}} must have lowercase letters, digits and underscores.", name)
		}
		if !t.named() && (!positional.MatchString(name) || name != strconv.Itoa(i+1)) {
			return mistaken(2388072, "Variables must be {{1}}, {{2}} and so on, in order.")
		}
	}
	return t.checkExamples(part)
}

// checkExamples wants an example for each variable, in the shape of the template's format, and for nothing else.
func (t *template) checkExamples(part *templateComponent) *graphError {
	var sample struct {
		HeaderText []string       `json:"header_text"`
		BodyText   [][]string     `json:"body_text"`
		HeaderName []namedExample `json:"header_text_named_params"`
		BodyName   []namedExample `json:"body_text_named_params"`
	}
	if len(part.Example) == 0 || json.Unmarshal(part.Example, &sample) != nil {
		return mistaken(2388043, "Every variable needs an example.")
	}
	texts, byName := sample.HeaderText, sample.HeaderName
	if part.Type == "BODY" {
		texts, byName = nil, sample.BodyName
		if len(sample.BodyText) > 0 {
			texts = sample.BodyText[0]
		}
	}
	if t.named() {
		texts = nil
		for _, name := range part.vars {
			if i := slices.IndexFunc(byName, func(e namedExample) bool { return e.Name == name }); i >= 0 {
				texts = append(texts, byName[i].Example)
			}
		}
		if len(byName) != len(part.vars) {
			texts = nil
		}
	}
	if len(texts) != len(part.vars) || slices.Contains(texts, "") {
		return mistaken(2388043, "Every variable needs an example, and nothing else has one.")
	}
	return nil
}

type namedExample struct {
	Name    string `json:"param_name"`
	Example string `json:"example"`
}

func checkTemplateButtons(buttons []templateButton) *graphError {
	if len(buttons) == 0 || len(buttons) > 10 {
		return refuse(100, "A template has 1 to 10 buttons.")
	}
	count, changes := map[string]int{}, 0
	for i, b := range buttons {
		count[b.Type]++
		if i > 0 && (b.Type == "QUICK_REPLY") != (buttons[i-1].Type == "QUICK_REPLY") {
			changes++
		}
		if err := b.check(); err != nil {
			return err
		}
	}
	if changes > 1 {
		return refuse(100, "Quick replies and other buttons must form two groups.")
	}
	if count["URL"] > 2 || count["PHONE_NUMBER"] > 1 || count["COPY_CODE"] > 1 {
		return refuse(100, "At most two URL buttons, one PHONE_NUMBER and one COPY_CODE.")
	}
	return nil
}

func (b templateButton) check() *graphError {
	switch b.Type {
	case "URL":
		u, err := url.Parse(variable.ReplaceAllString(b.URL, "x"))
		if err != nil || u.Host == "" || len(b.URL) > 2000 || len(b.vars) > 1 || len(b.vars) == 1 && !strings.HasSuffix(b.URL, "}}") {
			return refuse(100, "A URL button needs a url of 2,000 characters at most, with one variable at its end at most.")
		}
	case "QUICK_REPLY", "PHONE_NUMBER", "COPY_CODE", "FLOW", "OTP", "REQUEST_CONTACT_INFO", "VOICE_CALL":
	default:
		return refuse(100, "Button type %q is not supported.", b.Type)
	}
	if b.Type == "COPY_CODE" || b.Type == "OTP" {
		return nil
	}
	return limitField(b.Text, 25)
}
