// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"strings"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// pastShown is how many of a citizen's conversations the pane lists, the latest.
const pastShown = 10

// loadCitizen is the pane on the right.
func loadCitizen(ctx context.Context, tx *db.Tx, v *visit, c conversation.Conversation) (page.Citizen, error) {
	person, err := contact.Get(ctx, tx, v.municipality.ID, c.ContactID)
	if err != nil {
		return page.Citizen{}, err
	}
	past, err := conversation.OfContact(ctx, tx, v.municipality.ID, c.ContactID, pastShown)
	if err != nil {
		return page.Citizen{}, err
	}
	subscriptions, err := broadcast.SubscriptionsOf(ctx, tx, v.municipality.ID, person.ID)
	if err != nil {
		return page.Citizen{}, err
	}
	citizen := page.Citizen{ID: db.FormatID(person.ID), Name: nameOf(person), Since: person.CreatedAt, Notes: person.Note, Lists: listsInPane(v, subscriptions)}
	if person.Phone != "" {
		citizen.Addresses = append(citizen.Addresses, contact.DisplayPhone(person.Phone))
	}
	if person.Username != "" {
		citizen.Addresses = append(citizen.Addresses, "@"+strings.TrimPrefix(person.Username, "@"))
	}
	for _, p := range past {
		citizen.Conversations = append(citizen.Conversations, page.Past{
			ID: db.FormatID(p.ID), At: p.LastMessageAt, Kind: kindLabel(v, p.Kind), Preview: previewText(v, p),
			Resolved: p.State != conversation.Open, Current: p.ID == c.ID,
		})
	}
	return citizen, nil
}

// listsInPane names the lists and districts of a citizen, in the order of the file.
func listsInPane(v *visit, subscriptions []broadcast.Subscription) (out []string) {
	for _, t := range topicsOf(v.municipality.File) {
		switch j := joinedOf(v.municipality, t, subscriptions); {
		case j.Suspended:
			out = append(out, v.language.T("desk.file.pane_suspended", "list", t.Name))
		case j.On:
			out = append(out, t.Name)
		}
	}
	return out
}

func nameOf(c contact.Contact) string {
	if c.Name == "" && c.Phone != "" {
		return contact.DisplayPhone(c.Phone)
	}
	return c.Label()
}

func addressOf(c contact.Contact) string {
	switch {
	case c.Phone != "":
		return contact.DisplayPhone(c.Phone)
	case c.Username != "":
		return "@" + strings.TrimPrefix(c.Username, "@")
	default:
		return ""
	}
}

func previewText(v *visit, c conversation.Conversation) string {
	if c.LastText != "" {
		return shortened(c.LastText, lettersInList)
	}
	return v.language.T(page.TypeKey(typeOf(c.LastType)))
}
