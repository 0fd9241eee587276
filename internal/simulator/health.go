// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"time"
)

// Whether an account, a number or a template can send, as its node tells.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status

const (
	available = "AVAILABLE"
	limited   = "LIMITED"
	blocked   = "BLOCKED"
)

// healthEntity is one of the things that must be well for a send.
func healthEntity(kind, id string, troubles []trouble) map[string]any {
	entity := map[string]any{"entity_type": kind, "id": id, "can_send_message": available}
	var errors, notes []any
	for _, t := range troubles {
		if t.Only != "" {
			notes = append(notes, t.Details)
			continue
		}
		errors = append(errors, map[string]any{"error_code": t.Code, "error_description": t.Details, "possible_solution": "Wait, or ask Meta's support."})
	}
	if notes != nil {
		entity["can_send_message"], entity["additional_info"] = limited, notes
	}
	if errors != nil {
		entity["can_send_message"], entity["errors"] = blocked, errors
	}
	return entity
}

// healthOf puts entities together: all is as well as the worst of them.
func healthOf(entities ...map[string]any) map[string]any {
	worst := available
	all := []any{}
	for _, entity := range entities {
		switch state := entity["can_send_message"]; {
		case state == blocked:
			worst = blocked
		case state == limited && worst == available:
			worst = limited
		}
		all = append(all, entity)
	}
	return map[string]any{"can_send_message": worst, "entities": all}
}

func (a *account) healthEntities(now time.Time) []map[string]any {
	return []map[string]any{healthEntity("WABA", a.id, a.troublesOf("", now)), healthEntity("BUSINESS", businessID, nil), healthEntity("APP", appID, nil)}
}

func (a *account) health(now time.Time) map[string]any { return healthOf(a.healthEntities(now)...) }

// health is the template's own part: only an approved one can be sent.
func (t *template) health() map[string]any {
	var own []trouble
	if t.Status != "APPROVED" {
		code := map[string]int{"PAUSED": 132015, "DISABLED": 132016}[t.Status]
		own = append(own, trouble{Code: cmp.Or(code, 132001), Details: "The template is " + t.Status + "."})
	}
	return healthEntity("MESSAGE_TEMPLATE", t.ID, own)
}

func (n *number) health(status string, now time.Time) map[string]any {
	var own []trouble
	if status != "CONNECTED" {
		own = append(own, trouble{Code: 141000, Details: "The number is " + status + ": register it."})
	}
	for _, t := range n.account.troublesOf(n.id, now) {
		if t.Number == n.id {
			own = append(own, t)
		}
	}
	return healthOf(append([]map[string]any{healthEntity("PHONE_NUMBER", n.id, own)}, n.account.healthEntities(now)...)...)
}

// shownStatus is the status of the number, or what an account's trouble makes of it.
func (n *number) shownStatus(status string, now time.Time) string {
	for _, t := range n.account.troublesOf(n.id, now) {
		switch {
		case t.Kind == "ban":
			return "BANNED"
		case t.Kind == "restriction" && status == "CONNECTED":
			status = "RESTRICTED"
		}
	}
	return status
}

// mode is LIVE, or SANDBOX for a test number.
func (st *numberState) mode() string {
	if st.Test {
		return "SANDBOX"
	}
	return "LIVE"
}
