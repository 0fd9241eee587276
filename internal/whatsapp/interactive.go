// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Choice is something a citizen can pick: a reply button, or a row of a list.
// Its ID comes back in InteractiveReply.ID.
type Choice struct {
	ID          string
	Title       string
	Description string // of a list row
}

// ButtonsMessage builds the Interactive of a message with 1 to MaxButtons
// reply buttons. Footer may be empty.
func ButtonsMessage(body, footer string, choices []Choice) (json.RawMessage, error) {
	buttons := make([]any, len(choices))
	for i, c := range choices {
		buttons[i] = object{"type": "reply", "reply": object{"id": c.ID, "title": c.Title}}
	}
	return interactive("button", body, footer, object{"buttons": buttons})
}

// ListMessage builds the Interactive of a message with a list of 1 to
// MaxListRows rows, which opens from a button with the given label.
func ListMessage(body, footer, label string, choices []Choice) (json.RawMessage, error) {
	rows := make([]any, len(choices))
	for i, c := range choices {
		row := object{"id": c.ID, "title": c.Title}
		if c.Description != "" {
			row["description"] = c.Description
		}
		rows[i] = row
	}
	return interactive("list", body, footer, object{"button": label, "sections": []any{object{"rows": rows}}})
}

type object = map[string]any

func interactive(kind, body, footer string, action object) (json.RawMessage, error) {
	message := object{"type": kind, "body": object{"text": body}, "action": action}
	if footer != "" {
		message["footer"] = object{"text": footer}
	}
	built, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("build %s message: %w", kind, err)
	}
	if err := checkInteractive(built); err != nil {
		return nil, fmt.Errorf("build %s message: %w", kind, err)
	}
	return built, nil
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
	if kind == "list" {
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
	switch kind {
	case "button":
		return checkButtons(v.Get("action.buttons").Array())
	case "list":
		return checkList(v.Get("action"))
	case "cta_url":
		return length("interactive.action.parameters.display_text", v.Get("action.parameters.display_text").Str, 1, MaxButtonTitle)
	}
	return nil
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
