// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// templateContent is the template object of a send.
type templateContent struct {
	Name     string `json:"name"`
	Language struct {
		Code   string `json:"code"`
		Policy string `json:"policy"`
	} `json:"language"`
	Components []sentComponent `json:"components"`
	Namespace  json.RawMessage `json:"namespace"` // of the API before this one; some clients still send it
}

type sentComponent struct {
	Type       string          `json:"type"`
	SubType    string          `json:"sub_type"`
	Index      flexString      `json:"index"`
	Parameters []sentParameter `json:"parameters"`
}

type sentParameter struct {
	Type     string        `json:"type"`
	Name     string        `json:"parameter_name"`
	Text     *string       `json:"text"`
	Payload  string        `json:"payload"`
	Coupon   string        `json:"coupon_code"`
	Image    *mediaContent `json:"image"`
	Video    *mediaContent `json:"video"`
	Document *mediaContent `json:"document"`
	Currency *struct {
		Fallback string      `json:"fallback_value"`
		Code     string      `json:"code"`
		Amount   json.Number `json:"amount_1000"`
	} `json:"currency"`
	DateTime *struct {
		Fallback string `json:"fallback_value"`
	} `json:"date_time"`
	Location json.RawMessage `json:"location"`
	Action   json.RawMessage `json:"action"`
}

// renderedTemplate is what the phone shows, kept as the message's content.
type renderedTemplate struct {
	Name     string           `json:"name"`
	Language string           `json:"language"`
	Header   string           `json:"header,omitempty"`
	Media    json.RawMessage  `json:"media,omitempty"`
	MediaAs  string           `json:"media_type,omitempty"`
	Body     string           `json:"body"`
	Footer   string           `json:"footer,omitempty"`
	Buttons  []renderedButton `json:"buttons,omitempty"`
}

type renderedButton struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Payload string `json:"payload,omitempty"`
	URL     string `json:"url,omitempty"`
}

func (s *Server) fillTemplate(n *number, raw json.RawMessage, to recipient, m *message) *graphError {
	var in templateContent
	if err := decodeContent("template", raw, &in); err != nil {
		return err
	}
	if in.Name == "" || in.Language.Code == "" {
		return refuse(131008, "The parameters template['name'] and template['language']['code'] are required.")
	}
	t, err := n.account.sendableTemplate(in.Name, in.Language.Code)
	if err != nil {
		return err
	}
	if to.userID != "" && t.oneTap() {
		return refuse(131062, "Templates with a code button cannot be sent to a user id.")
	}
	shown, err := s.render(n, t, in.Components, m)
	if err != nil {
		return err
	}
	m.Template, m.TTL = t.ID, t.timeToLive()
	m.Category, m.Text, m.Content = strings.ToLower(t.Category), shown.Body, marshal(shown)
	return nil
}

// sendableTemplate finds an approved template. Its copy may be read without the account's lock: edits replace it.
func (a *account) sendableTemplate(name, language string) (*template, *graphError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.findTemplate(name, language)
	if t == nil {
		return nil, refuse(132001, "template name (%s) does not exist in %s", name, language)
	}
	switch t.Status {
	case "APPROVED":
		return t, nil
	case "PAUSED":
		return nil, refuse(132015, "template name (%s) is paused", name)
	case "DISABLED":
		return nil, refuse(132016, "template name (%s) is disabled", name)
	}
	return nil, refuse(132001, "template name (%s) in %s is %s", name, language, t.Status)
}

func (t *template) oneTap() bool {
	for _, b := range t.buttons() {
		if b.Type == "OTP" || b.Type == "COPY_CODE" {
			return t.Category == "AUTHENTICATION"
		}
	}
	return false
}

// render fills the template in with what was sent, refusing what does not fit it.
func (s *Server) render(n *number, t *template, sent []sentComponent, m *message) (*renderedTemplate, *graphError) {
	byType := map[string]*sentComponent{}
	for i := range sent {
		kind := strings.ToLower(sent[i].Type)
		switch kind {
		case "header", "body":
		case "button":
			kind += ":" + string(sent[i].Index)
		default:
			return nil, refuse(100, "Param template['components']['type'] %q is not one of {HEADER, BODY, BUTTON}.", sent[i].Type)
		}
		if byType[kind] != nil {
			return nil, refuse(100, "Component %s is there twice.", kind)
		}
		byType[kind] = &sent[i]
	}
	shown := &renderedTemplate{Name: t.Name, Language: t.Language}
	if err := s.renderHeader(n, t, byType["header"], shown, m); err != nil {
		return nil, err
	}
	body, err := t.renderText(t.part("BODY"), byType["body"])
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(body) > 1024 {
		return nil, refuse(132005, "The body has %d characters with its parameters; 1024 are allowed.", utf8.RuneCountInString(body))
	}
	shown.Body = body
	if footer := t.part("FOOTER"); footer != nil {
		shown.Footer = footer.Text
	}
	return shown, t.renderButtons(byType, shown)
}

func (s *Server) renderHeader(n *number, t *template, sent *sentComponent, shown *renderedTemplate, m *message) *graphError {
	part := t.part("HEADER")
	if part == nil {
		if sent != nil && len(sent.Parameters) > 0 {
			return refuse(132000, "header: number of localizable_params (%d) does not match the expected number of params (0)", len(sent.Parameters))
		}
		return nil
	}
	if part.Format == "TEXT" {
		var err *graphError
		shown.Header, err = t.renderText(part, sent)
		return err
	}
	return s.renderMediaHeader(n, part.Format, sent, shown, m)
}

func (s *Server) renderMediaHeader(n *number, format string, sent *sentComponent, shown *renderedTemplate, m *message) *graphError {
	kind := strings.ToLower(format)
	if sent == nil || len(sent.Parameters) != 1 || strings.ToLower(sent.Parameters[0].Type) != kind {
		return refuse(132012, "header: Format mismatch, expected %s, received %s", format, receivedFormat(sent))
	}
	p := sent.Parameters[0]
	if kind == "location" {
		shown.MediaAs, shown.Media = kind, p.Location
		return nil
	}
	media := map[string]*mediaContent{"image": p.Image, "video": p.Video, "document": p.Document}[kind]
	if media == nil {
		return refuse(131008, "The parameter template header %s is required.", kind)
	}
	if err := media.checkSource(kind); err != nil {
		return err
	}
	f, err := s.sendable(n, kind, media, m)
	if err != nil {
		return err
	}
	shown.MediaAs, shown.Media = kind, storedMedia(*media, f)
	return nil
}

func receivedFormat(sent *sentComponent) string {
	if sent == nil || len(sent.Parameters) == 0 {
		return "UNKNOWN"
	}
	return strings.ToUpper(sent.Parameters[0].Type)
}

// renderText puts the parameters into a header or body.
func (t *template) renderText(part *templateComponent, sent *sentComponent) (string, *graphError) {
	if part == nil {
		return "", nil
	}
	var params []sentParameter
	if sent != nil {
		params = sent.Parameters
	}
	where := strings.ToLower(part.Type)
	if len(params) != len(part.vars) {
		return "", refuse(132000, "%s: number of localizable_params (%d) does not match the expected number of params (%d)", where, len(params), len(part.vars))
	}
	values := map[string]string{}
	for i, p := range params {
		name := part.vars[i]
		if t.named() {
			name = p.Name
		} else if p.Name != "" {
			return "", refuse(132012, "%s: this template has parameters by position, not by name", where)
		}
		value, err := p.value(where)
		if err != nil {
			return "", err
		}
		values[name] = value
	}
	for _, name := range part.vars {
		if _, ok := values[name]; !ok {
			return "", refuse(132012, "%s: Parameter name is missing or empty: %s", where, name)
		}
	}
	return substitute(part.Text, values), nil
}

func substitute(text string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(placeholder string) string {
		return values[strings.Trim(placeholder, "{} \t")]
	})
}

// value is the text of a parameter. Line breaks, tabs and long gaps are refused: they would let a parameter forge the layout.
func (p *sentParameter) value(where string) (string, *graphError) {
	text := ""
	switch strings.ToLower(p.Type) {
	case "text":
		if p.Text == nil || *p.Text == "" {
			return "", refuse(131008, "%s: a text parameter needs its text", where)
		}
		text = *p.Text
	case "currency":
		if p.Currency == nil {
			return "", refuse(131008, "%s: a currency parameter needs its currency", where)
		}
		text = p.Currency.Fallback
	case "date_time":
		if p.DateTime == nil {
			return "", refuse(131008, "%s: a date_time parameter needs its date_time", where)
		}
		text = p.DateTime.Fallback
	default:
		return "", refuse(132012, "%s: Format mismatch, expected TEXT, received %s", where, strings.ToUpper(p.Type))
	}
	if strings.ContainsAny(text, "\n\r\t") || strings.Contains(text, "     ") {
		return "", refuse(132018, "%s: Param text cannot have new-line/tab characters or more than 4 consecutive spaces", where)
	}
	return text, nil
}

func (t *template) renderButtons(sent map[string]*sentComponent, shown *renderedTemplate) *graphError {
	buttons := t.buttons()
	for key, c := range sent {
		index, isButton := strings.CutPrefix(key, "button:")
		if !isButton {
			continue
		}
		i, err := strconv.Atoi(index)
		if err != nil || i < 0 || i >= len(buttons) {
			return refuse(132018, "button: there is no button at index %q", index)
		}
		if !sameButton(c.SubType, buttons[i].Type) {
			return refuse(132018, "button: the button at index %d is %s, not %s", i, buttons[i].Type, strings.ToUpper(c.SubType))
		}
	}
	for i, b := range buttons {
		shownButton, err := b.render(sent["button:"+strconv.Itoa(i)])
		if err != nil {
			return err
		}
		shown.Buttons = append(shown.Buttons, shownButton)
	}
	return nil
}

func sameButton(subType, kind string) bool {
	return strings.EqualFold(subType, kind) || strings.EqualFold(subType, "url") && kind == "OTP"
}

func (b templateButton) render(sent *sentComponent) (renderedButton, *graphError) {
	shown := renderedButton{Type: b.Type, Text: b.Text, URL: b.URL}
	var params []sentParameter
	if sent != nil {
		params = sent.Parameters
	}
	switch b.Type {
	case "QUICK_REPLY":
		shown.Payload = b.Text
		if len(params) > 0 {
			if !strings.EqualFold(params[0].Type, "payload") {
				return shown, refuse(132012, "button: a quick reply takes a payload, not %s", params[0].Type)
			}
			shown.Payload = params[0].Payload
		}
	case "URL":
		if len(params) != len(b.vars) {
			return shown, refuse(132000, "button: number of localizable_params (%d) does not match the expected number of params (%d)", len(params), len(b.vars))
		}
		if len(params) == 1 {
			value, err := params[0].value("button")
			if err != nil {
				return shown, err
			}
			shown.URL = substitute(b.URL, map[string]string{b.vars[0]: value})
		}
	case "COPY_CODE":
		if len(params) != 1 || params[0].Coupon == "" && params[0].Text == nil {
			return shown, refuse(131008, "button: a copy code button needs its coupon_code")
		}
	}
	return shown, nil
}
