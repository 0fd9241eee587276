// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"net/url"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// InteractiveKind is Meta's name for what an interactive message asks for.
type InteractiveKind string

// The kinds that an Interactive can be.
const (
	InteractiveButtons  InteractiveKind = "button"                   // 1 to MaxButtons reply buttons
	InteractiveList     InteractiveKind = "list"                     // 1 to MaxListRows rows, which open from a button
	InteractiveLink     InteractiveKind = "cta_url"                  // a button that opens an address
	InteractiveLocation InteractiveKind = "location_request_message" // asks for a place
	InteractiveContact  InteractiveKind = "contact_request"          // asks for the citizen's own phone number
)

// Interactive is a text with something to tap under it.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/interactive-reply-buttons-messages
type Interactive struct {
	Kind    InteractiveKind
	Header  string         // above the text, of buttons, lists and links
	File    *OutgoingMedia // in its place, of buttons and links
	FileAs  MessageKind    // of File: image, video or document
	Body    string
	Footer  string
	Button  string   // label of a list's or link's button
	Choices []Choice // of buttons and lists
	URL     string   // of a link
}

// Choice is something a citizen can pick: a reply button, or a row of a list.
// Its ID comes back in InteractiveReply.ID.
type Choice struct {
	ID          string
	Title       string
	Description string // of a list row
	Section     string // the title that a list row stands under with those beside it of the same; of all rows or of none
}

type object = map[string]any

// MarshalJSON is Meta's object, for OutgoingMessage.Interactive. What breaks
// a limit of Meta's is a *LimitError.
func (i Interactive) MarshalJSON() ([]byte, error) {
	message := object{"type": i.Kind, "body": object{"text": i.Body}, "action": i.action()}
	if header := i.header(); header != nil {
		message["header"] = header
	}
	if i.Footer != "" {
		message["footer"] = object{"text": i.Footer}
	}
	built, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return built, checkInteractive(built)
}

func (i Interactive) header() object {
	switch {
	case i.File != nil:
		return object{"type": i.FileAs, string(i.FileAs): wireMedia{ID: i.File.ID, Link: i.File.Link, Filename: i.File.Filename}}
	case i.Header != "":
		return object{"type": "text", "text": i.Header}
	}
	return nil
}

func (i Interactive) action() object {
	switch i.Kind {
	case InteractiveButtons:
		return object{"buttons": i.buttons()}
	case InteractiveList:
		return object{"button": i.Button, "sections": i.sections()}
	case InteractiveLink:
		return object{"name": "cta_url", "parameters": object{"display_text": i.Button, "url": i.URL}}
	case InteractiveLocation:
		return object{"name": "send_location"}
	case InteractiveContact:
		return object{"name": "request_contact_info"}
	}
	return nil
}

func (i Interactive) buttons() []any {
	buttons := make([]any, len(i.Choices))
	for n, c := range i.Choices {
		buttons[n] = object{"type": "reply", "reply": object{"id": c.ID, "title": c.Title}}
	}
	return buttons
}

// sections are the rows of a list, those that stand beside each other under one title together.
func (i Interactive) sections() []any {
	var sections []any
	for from := 0; from < len(i.Choices); {
		title, rows := i.Choices[from].Section, []any(nil)
		for ; from < len(i.Choices) && i.Choices[from].Section == title; from++ {
			rows = append(rows, i.Choices[from].row())
		}
		section := object{"rows": rows}
		if title != "" {
			section["title"] = title
		}
		sections = append(sections, section)
	}
	return sections
}

func (c Choice) row() object {
	row := object{"id": c.ID, "title": c.Title}
	if c.Description != "" {
		row["description"] = c.Description
	}
	return row
}

// checkInteractive holds an interactive object against Meta's limits. Types
// without limits of their own here are left to Meta.
func checkInteractive(message json.RawMessage) error {
	if !json.Valid(message) {
		return limit("interactive", "be JSON")
	}
	v := gjson.ParseBytes(message)
	kind := v.Get("type").Str
	if kind == "" {
		return limit("interactive.type", "not be empty")
	}
	most := MaxCaption
	if InteractiveKind(kind) == InteractiveList {
		most = MaxText
	}
	if err := length("interactive.body.text", v.Get("body.text").Str, 1, most); err != nil {
		return err
	}
	if err := length("interactive.header.text", v.Get("header.text").Str, 0, MaxHeader); err != nil {
		return err
	}
	if err := length("interactive.footer.text", v.Get("footer.text").Str, 0, MaxHeader); err != nil {
		return err
	}
	switch InteractiveKind(kind) {
	case InteractiveButtons:
		return checkButtons(v.Get("action.buttons").Array())
	case InteractiveList:
		return checkList(v.Get("action"))
	case InteractiveLink:
		return checkLink(v.Get("action.parameters"))
	case InteractiveLocation, InteractiveContact:
		if v.Get("header").Exists() {
			return limit("interactive.header", "be absent")
		}
	}
	return nil
}

func checkLink(parameters gjson.Result) error {
	const field = "interactive.action.parameters"
	if u, err := url.Parse(parameters.Get("url").Str); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return limit(field+".url", "be a web address")
	}
	if err := length(field+".url", parameters.Get("url").Str, 1, MaxLink); err != nil {
		return err
	}
	return length(field+".display_text", parameters.Get("display_text").Str, 1, MaxButtonTitle)
}

func checkButtons(buttons []gjson.Result) error {
	const field = "interactive.action.buttons"
	if len(buttons) == 0 || len(buttons) > MaxButtons {
		return limit(field, "be 1 to %d", MaxButtons)
	}
	ids, titles := unique{}, unique{}
	for _, b := range buttons {
		id, title := b.Get("reply.id").Str, b.Get("reply.title").Str
		if err := length(field+".title", title, 1, MaxButtonTitle); err != nil {
			return err
		}
		if err := length(field+".id", id, 1, MaxButtonID); err != nil {
			return err
		}
		if !ids.add(id) || !titles.add(title) {
			return limit(field, "have different ids and titles")
		}
	}
	return nil
}

func checkList(action gjson.Result) error {
	const field = "interactive.action.sections"
	if err := length("interactive.action.button", action.Get("button").Str, 1, MaxButtonTitle); err != nil {
		return err
	}
	sections := action.Get("sections").Array()
	ids, rows := unique{}, 0
	for _, section := range sections {
		title := section.Get("title").Str
		if len(sections) > 1 && title == "" || utf8.RuneCountInString(title) > MaxRowTitle {
			return limit(field+".title", "have 1 to %d characters", MaxRowTitle)
		}
		for _, row := range section.Get("rows").Array() {
			if err := checkRow(field+".rows", row); err != nil {
				return err
			}
			if !ids.add(row.Get("id").Str) {
				return limit(field+".rows", "have different ids")
			}
			rows++
		}
	}
	if rows == 0 || rows > MaxListRows {
		return limit(field, "have 1 to %d rows in all", MaxListRows)
	}
	return nil
}

func checkRow(field string, row gjson.Result) error {
	if err := length(field+".title", row.Get("title").Str, 1, MaxRowTitle); err != nil {
		return err
	}
	if err := length(field+".id", row.Get("id").Str, 1, MaxRowID); err != nil {
		return err
	}
	return length(field+".description", row.Get("description").Str, 0, MaxRowDetail)
}

type unique map[string]bool

// add tells whether s is new.
func (u unique) add(s string) bool {
	known := u[s]
	u[s] = true
	return !known
}
