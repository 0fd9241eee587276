// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"strings"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// eventText says what happened as a person would; "" leaves it to the figures.
func eventText(v *visit, e conversation.Event) string {
	l := v.language
	switch e.Kind {
	case conversation.Taken:
		return l.T("desk.event.taken", "who", e.Actor.Name)
	case conversation.Released:
		return l.T("desk.event.released", "who", e.Actor.Name)
	case conversation.HandedOver:
		if office, ok := strings.CutPrefix(e.Detail, "office:"); ok {
			return l.T("desk.event.handed_over", "who", e.Actor.Name, "to", officeName(v.municipality, office))
		}
		return l.T("desk.event.handed_over", "who", e.Actor.Name, "to", strings.TrimPrefix(e.Detail, "staff:"))
	case conversation.KindSet:
		if e.Detail == "" {
			return ""
		}
		return l.T("desk.event.kind_set", "who", e.Actor.Name, "kind", kindLabel(v, e.Detail))
	case conversation.Resolved:
		if e.Detail == "" {
			return l.T("desk.event.resolved", "who", e.Actor.Name)
		}
		return l.T("desk.event.resolved_because", "who", e.Actor.Name, "reason", e.Detail)
	case conversation.Reopened:
		if e.Actor.Name == "" {
			return l.T("desk.event.reopened_by_citizen")
		}
		return l.T("desk.event.reopened", "who", e.Actor.Name)
	default:
		return ""
	}
}

// before puts what happened above what was written at the same instant: who replies takes first.
func before(a, b page.Message) int {
	if order := a.At.Compare(b.At); order != 0 || a.Side == b.Side {
		return order
	}
	switch page.Event {
	case a.Side:
		return -1
	case b.Side:
		return 1
	default:
		return 0
	}
}

// systemEvent is what WhatsApp tells of a citizen, among what happened rather than what was written.
func systemEvent(v *visit, m conversation.Message) page.Message {
	text := m.Text
	switch m.Detail.System {
	case whatsapp.SystemChangedNumber:
		text = v.language.T("desk.system.number_hidden")
		if m.Detail.Phone != "" {
			text = v.language.T("desk.system.number", "phone", contact.DisplayPhone(m.Detail.Phone))
		}
	case whatsapp.SystemChangedUserID:
		text = v.language.T("desk.system.user_id")
	case whatsapp.SystemChangedIdentity:
		text = v.language.T("desk.system.identity")
	case string(whatsapp.KindRequestWelcome):
		text = v.language.T("desk.system.welcome")
	}
	if text == "" {
		text = v.language.T("desk.system.other")
	}
	return page.Message{ID: "s" + db.FormatID(m.ID), Side: page.Event, At: m.At, Text: text}
}
