// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// offerDialog asks for what goes out with something to tap, or for the office whose card goes out.
func (s *Server) offerDialog(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	form := page.TapForm{Conversation: db.FormatID(conversationID), Draft: rand.Text(), Kind: page.TapKind(r.PathValue("kind"))}
	citizens := v.municipality.File.Locale
	switch form.Kind {
	case page.TapButtons, page.TapList, page.TapLink:
	case page.TapPlace:
		form.Text = citizens.T("ask.place")
	case page.TapPhone:
		form.Text = citizens.T("ask.phone")
	case page.TapCard:
		form.Offices = cardChoices(v.municipality)
	default:
		return errNotFound
	}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		return err
	})
	if err != nil {
		return err
	}
	return s.dialog(w, r, v, page.TapDialog(form))
}

// cardChoices are the offices that can be reached somehow.
func cardChoices(m *municipality.Municipality) (out []page.Choice) {
	for _, o := range m.File.Offices {
		ways := append([]string{}, o.Phones...)
		for _, way := range []string{o.Email, o.Address} {
			if way != "" {
				ways = append(ways, way)
			}
		}
		if len(ways) > 0 {
			out = append(out, page.Choice{ID: o.ID, Label: o.Name, Hint: strings.Join(ways, " · ")})
		}
	}
	return out
}

// choiceID begins what comes back of a choice that somebody wrote at the desk; its position follows.
const choiceID = "choice:"

// sendOffer queues a text with something to tap under it.
func (s *Server) sendOffer(r *http.Request, v *visit, conversationID int64, key string) error {
	form := r.PostForm
	offer := conversation.Interactive{Header: form.Get("header"), Footer: form.Get("footer")}
	switch page.TapKind(form.Get("kind")) {
	case page.TapButtons:
		offer.Choices = choicesOf(form["choice"], nil)
	case page.TapList:
		offer.Button, offer.Choices = form.Get("button"), choicesOf(form["choice"], form["description"])
		if strings.TrimSpace(offer.Button) == "" {
			return conversation.ErrListButton
		}
		if form.Has("sections") {
			offer.Choices = inSections(form["choice"], form["description"], form["section"])
		}
	case page.TapLink:
		offer.Button, offer.URL = form.Get("button"), form.Get("url")
		if strings.TrimSpace(offer.URL) == "" {
			return conversation.ErrLink
		}
	case page.TapPlace:
		offer.Asks = conversation.AskPlace
	case page.TapPhone:
		offer.Asks = conversation.AskPhone
	default:
		return errNotFound
	}
	return s.sendOne(r, v, conversationID, conversation.Outgoing{Type: conversation.TypeInteractive, Text: form.Get("text"), Interactive: &offer, ClientKey: key})
}

// choicesOf leaves out the fields in which nothing was written; a description without a title stays, to be complained of.
func choicesOf(titles, descriptions []string) (out []conversation.Choice) {
	for i, title := range titles {
		choice := conversation.Choice{ID: choiceID + strconv.Itoa(i+1), Title: title}
		if i < len(descriptions) {
			choice.Description = descriptions[i]
		}
		if strings.TrimSpace(choice.Title+choice.Description) != "" {
			out = append(out, choice)
		}
	}
	return out
}

// inSections are choices, each under the last title that was written before it.
func inSections(titles, descriptions, sections []string) []conversation.Choice {
	choices := choicesOf(titles, descriptions)
	for i := range choices {
		row, _ := strconv.Atoi(strings.TrimPrefix(choices[i].ID, choiceID))
		for _, title := range sections[:min(row, len(sections))] {
			choices[i].Section = cmp.Or(strings.TrimSpace(title), choices[i].Section)
		}
	}
	return choices
}

// sendCard queues the contact card of an office.
func (s *Server) sendCard(r *http.Request, v *visit, conversationID int64, key string) error {
	office, ok := v.municipality.File.Office(r.PostFormValue("office"))
	if !ok {
		return errNotFound
	}
	return s.sendOne(r, v, conversationID, conversation.Outgoing{Type: conversation.TypeContacts, ClientKey: key,
		Contacts: []whatsapp.ContactCard{office.Card(v.municipality.Name)}})
}

func (s *Server) sendOne(r *http.Request, v *visit, conversationID int64, out conversation.Outgoing) error {
	out.Seen, _ = db.ParseID(r.PostFormValue("last"))
	return s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.Send(ctx, tx, v.actor, conversationID, out)
		return err
	})
}

func offerOf(i conversation.Interactive) *page.Taps {
	out := &page.Taps{Kind: offerKinds[i.Kind()], Header: i.Header, Footer: i.Footer, Button: i.Button, Address: i.URL}
	for _, c := range i.Choices {
		out.Choices = append(out.Choices, page.Tap{Title: c.Title, Description: c.Description, Section: c.Section})
	}
	return out
}

var offerKinds = map[conversation.InteractiveKind]page.TapKind{
	conversation.InteractiveButtons: page.TapButtons,
	conversation.InteractiveList:    page.TapList,
	conversation.InteractiveLink:    page.TapLink,
	conversation.InteractivePlace:   page.TapPlace,
	conversation.InteractivePhone:   page.TapPhone,
}
