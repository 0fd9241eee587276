// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"net/url"
	"unicode/utf8"
)

// Bounds of interactive messages. Source: section 4.4 of the platform's limits, one page a kind.
const (
	maxButtons     = 3
	maxButtonTitle = 20
	maxButtonID    = 256
	maxSections    = 10
	maxRows        = 10
	maxShort       = 60 // header text, footer
)

type interactiveContent struct {
	Type   string          `json:"type"`
	Header *headerContent  `json:"header"`
	Body   *textPart       `json:"body"`
	Footer *textPart       `json:"footer"`
	Action json.RawMessage `json:"action"`
}

type textPart struct {
	Text string `json:"text"`
}

type headerContent struct {
	Type     string        `json:"type"`
	Text     string        `json:"text"`
	SubText  string        `json:"sub_text"`
	Image    *mediaContent `json:"image"`
	Video    *mediaContent `json:"video"`
	Document *mediaContent `json:"document"`
}

// headersOf are the headers each kind may have; a kind that is not here is refused.
var headersOf = map[string][]string{
	"button":                   {"text", "image", "video", "document"},
	"cta_url":                  {"text", "image", "video", "document"},
	"list":                     {"text"},
	"flow":                     {"text", "image", "video", "document"},
	"location_request_message": {},
	"contact_request":          {},
	"request_contact_info":     {},
}

func (s *Server) fillInteractive(n *number, raw json.RawMessage, m *message) *graphError {
	var in interactiveContent
	if err := decodeContent("interactive", raw, &in); err != nil {
		return err
	}
	headers, known := headersOf[in.Type]
	if !known {
		return refuse(131009, "Param interactive['type'] %q is not supported.", in.Type)
	}
	if err := in.checkTexts(); err != nil {
		return err
	}
	if err := s.checkHeader(n, in.Header, headers, m); err != nil {
		return err
	}
	m.Content, m.Text = raw, in.Body.Text
	return in.checkAction()
}

func (in *interactiveContent) checkTexts() *graphError {
	if in.Body == nil {
		return refuse(131008, "The parameter interactive['body'] is required.")
	}
	longest := maxCaption
	if in.Type == "list" {
		longest = maxText
	}
	if err := checkTexts(textLimit{"interactive['body']['text']", in.Body.Text, longest, false}); err != nil {
		return err
	}
	if in.Footer == nil {
		return nil
	}
	return checkTexts(textLimit{"interactive['footer']['text']", in.Footer.Text, maxShort, false})
}

func (s *Server) checkHeader(n *number, h *headerContent, allowed []string, m *message) *graphError {
	if h == nil {
		return nil
	}
	ok := false
	for _, kind := range allowed {
		ok = ok || kind == h.Type
	}
	if !ok {
		return refuse(131009, "Param interactive['header']['type'] %q is not allowed here.", h.Type)
	}
	if h.Type == "text" {
		return checkTexts(textLimit{"interactive['header']['text']", h.Text, maxShort, false})
	}
	media := map[string]*mediaContent{"image": h.Image, "video": h.Video, "document": h.Document}[h.Type]
	if media == nil {
		return refuse(131008, "The parameter interactive['header'][%q] is required.", h.Type)
	}
	if err := media.checkSource(h.Type); err != nil {
		return err
	}
	_, err := s.sendable(n, h.Type, media, m)
	return err
}

func (in *interactiveContent) checkAction() *graphError {
	switch in.Type {
	case "button":
		return checkButtons(in.Action)
	case "list":
		return checkList(in.Action)
	case "cta_url":
		return checkLink(in.Action)
	case "flow":
		return checkFlow(in.Action)
	case "location_request_message":
		return checkNamed(in.Action, "send_location")
	default:
		return checkNamed(in.Action, "request_contact_info")
	}
}

func checkButtons(raw json.RawMessage) *graphError {
	var action struct {
		Buttons []struct {
			Type  string `json:"type"`
			Reply *struct {
				ID    string `json:"id"`
				Title string `json:"title"`
			} `json:"reply"`
		} `json:"buttons"`
	}
	if err := decodeContent("interactive['action']", raw, &action); err != nil {
		return err
	}
	if len(action.Buttons) == 0 || len(action.Buttons) > maxButtons {
		return refuse(131009, "Param interactive['action']['buttons'] must have 1 to %d buttons.", maxButtons)
	}
	ids, titles := map[string]bool{}, map[string]bool{}
	for _, b := range action.Buttons {
		if b.Type != "reply" || b.Reply == nil {
			return refuse(131009, "Param interactive['action']['buttons']['type'] must be reply.")
		}
		if err := checkTexts(textLimit{"interactive['action']['buttons']['reply']['title']", b.Reply.Title, maxButtonTitle, false},
			textLimit{"interactive['action']['buttons']['reply']['id']", b.Reply.ID, maxButtonID, false}); err != nil {
			return err
		}
		if ids[b.Reply.ID] || titles[b.Reply.Title] {
			return refuse(131009, "Ids and titles of the buttons must differ from each other.")
		}
		ids[b.Reply.ID], titles[b.Reply.Title] = true, true
	}
	return nil
}

type listAction struct {
	Button   string        `json:"button"`
	Sections []listSection `json:"sections"`
}

type listSection struct {
	Title string    `json:"title"`
	Rows  []listRow `json:"rows"`
}

type listRow struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
}

func checkList(raw json.RawMessage) *graphError {
	var action listAction
	if err := decodeContent("interactive['action']", raw, &action); err != nil {
		return err
	}
	if err := checkTexts(textLimit{"interactive['action']['button']", action.Button, maxButtonTitle, false}); err != nil {
		return err
	}
	if len(action.Sections) == 0 || len(action.Sections) > maxSections {
		return refuse(131009, "Param interactive['action']['sections'] must have 1 to %d sections.", maxSections)
	}
	rows, ids := 0, map[string]bool{}
	for _, section := range action.Sections {
		if err := section.check(len(action.Sections) > 1, ids); err != nil {
			return err
		}
		rows += len(section.Rows)
	}
	if rows > maxRows {
		return refuse(131009, "Total row count exceeds the maximum of %d.", maxRows)
	}
	return nil
}

func (section listSection) check(titled bool, ids map[string]bool) *graphError {
	if err := checkTexts(textLimit{"section['title']", section.Title, 24, !titled}); err != nil {
		return err
	}
	if len(section.Rows) == 0 {
		return refuse(131009, "Every section needs at least one row.")
	}
	for _, row := range section.Rows {
		if err := checkTexts(textLimit{"row['title']", row.Title, 24, false}, textLimit{"row['id']", row.ID, 200, false},
			textLimit{"row['description']", row.Description, 72, true}); err != nil {
			return err
		}
		if ids[row.ID] {
			return refuse(131009, "Row ids must differ from each other.")
		}
		ids[row.ID] = true
	}
	return nil
}

func checkLink(raw json.RawMessage) *graphError {
	var action struct {
		Name       string `json:"name"`
		Parameters struct {
			DisplayText string `json:"display_text"`
			URL         string `json:"url"`
		} `json:"parameters"`
	}
	if err := decodeContent("interactive['action']", raw, &action); err != nil {
		return err
	}
	if action.Name != "cta_url" {
		return refuse(131009, "Param interactive['action']['name'] must be cta_url.")
	}
	if u, err := url.Parse(action.Parameters.URL); err != nil || u.Host == "" {
		return refuse(131009, "Param interactive['action']['parameters']['url'] is not a valid URL.")
	}
	return checkTexts(textLimit{"interactive['action']['parameters']['display_text']", action.Parameters.DisplayText, 20, false})
}

func checkFlow(raw json.RawMessage) *graphError {
	var action struct {
		Name       string `json:"name"`
		Parameters struct {
			Version  flexString      `json:"flow_message_version"`
			ID       flexString      `json:"flow_id"`
			FlowName string          `json:"flow_name"`
			CTA      string          `json:"flow_cta"`
			Token    string          `json:"flow_token"`
			Mode     string          `json:"mode"`
			Action   string          `json:"flow_action"`
			Payload  json.RawMessage `json:"flow_action_payload"`
		} `json:"parameters"`
	}
	if err := decodeContent("interactive['action']", raw, &action); err != nil {
		return err
	}
	p := action.Parameters
	if action.Name != "flow" || p.Version != "3" || (p.ID == "") == (p.FlowName == "") {
		return refuse(131009, "Param interactive['action'] must name a flow by flow_id or flow_name, with flow_message_version 3.")
	}
	if utf8.RuneCountInString(p.CTA) > 30 || p.CTA == "" {
		return refuse(100, "Param flow_cta must have 1 to 30 characters.")
	}
	return nil
}

func checkNamed(raw json.RawMessage, name string) *graphError {
	var action struct {
		Name string `json:"name"`
	}
	if err := decodeContent("interactive['action']", raw, &action); err != nil {
		return err
	}
	if action.Name != name {
		return refuse(131009, "Param interactive['action']['name'] must be %s.", name)
	}
	return nil
}
