// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Interactive is what stands around a message's text for the citizen to tap: choices, an address to open, or something
// to give in answer. Its shape says which; see Kind. A file of the message stands above the text, in Header's place.
type Interactive struct {
	Header  string   `json:"header,omitempty"`
	Footer  string   `json:"footer,omitempty"`
	Button  string   `json:"button,omitempty"` // the label that opens the list, or the address
	Choices []Choice `json:"choices,omitempty"`
	URL     string   `json:"url,omitempty"`
	Asks    Asked    `json:"asks,omitempty"`
}

// Asked is what a citizen is asked to give with one tap.
type Asked string

// What can be asked for.
const (
	AskPlace Asked = "location"
	AskPhone Asked = "phone" // for a citizen of whom only a user name is known; the answer is a card of their own
)

// InteractiveKind tells interactive messages apart.
type InteractiveKind string

// The kinds.
const (
	InteractiveButtons InteractiveKind = "buttons"
	InteractiveList    InteractiveKind = "list"
	InteractiveLink    InteractiveKind = "link"
	InteractivePlace   InteractiveKind = "location_request"
	InteractivePhone   InteractiveKind = "contact_request"
)

// Kind is what the shape of i says it is. Choices are a list if a button opens them.
func (i Interactive) Kind() InteractiveKind {
	switch {
	case i.Asks == AskPlace:
		return InteractivePlace
	case i.Asks == AskPhone:
		return InteractivePhone
	case i.URL != "":
		return InteractiveLink
	case i.Button != "":
		return InteractiveList
	default:
		return InteractiveButtons
	}
}

// The failures of what a citizen could not be shown.
var (
	ErrChoiceText = fault.New(fault.Invalid, "error.interactive_text", "max", whatsapp.MaxCaption)
	ErrListText   = fault.New(fault.Invalid, "error.interactive_text", "max", whatsapp.MaxText)
	ErrAround     = fault.New(fault.Invalid, "error.interactive_around", "max", whatsapp.MaxHeader)
	ErrButtons    = fault.New(fault.Invalid, "error.interactive_buttons", "most", whatsapp.MaxButtons, "max", whatsapp.MaxButtonTitle)
	ErrList       = fault.New(fault.Invalid, "error.interactive_list", "most", whatsapp.MaxListRows, "title", whatsapp.MaxRowTitle, "description", whatsapp.MaxRowDetail)
	ErrSections   = fault.New(fault.Invalid, "error.interactive_sections", "max", whatsapp.MaxRowTitle)
	ErrListButton = fault.New(fault.Invalid, "error.interactive_list_button", "max", whatsapp.MaxButtonTitle)
	ErrLink       = fault.New(fault.Invalid, "error.interactive_link", "max", whatsapp.MaxButtonTitle)
	ErrInShape    = fault.New(fault.Invalid, "error.interactive_shape")
	ErrChoiceIDs  = fault.New(fault.Invalid, "error.interactive_ids", "max", whatsapp.MaxRowID)
)

// storable is i in texts such as both engines keep, without blanks at their ends.
func (i Interactive) storable() *Interactive {
	trimmed := func(s string) string { return strings.TrimSpace(db.Text(s)) }
	out := &Interactive{Header: trimmed(i.Header), Footer: trimmed(i.Footer), Button: trimmed(i.Button), URL: trimmed(i.URL), Asks: i.Asks}
	for _, c := range i.Choices {
		out.Choices = append(out.Choices, Choice{ID: db.Text(c.ID), Title: trimmed(c.Title), Description: trimmed(c.Description), Section: trimmed(c.Section)})
	}
	return out
}

// check holds i and the text it is about against Meta's limits.
func (i Interactive) check(text string, file bool) error {
	most, problem := whatsapp.MaxCaption, ErrChoiceText
	if i.Kind() == InteractiveList {
		most, problem = whatsapp.MaxText, ErrListText
	}
	switch {
	case !visible(text), utf8.RuneCountInString(text) > most:
		return problem
	case longer(i.Header, whatsapp.MaxHeader), longer(i.Footer, whatsapp.MaxHeader):
		return ErrAround
	}
	switch i.Kind() {
	case InteractiveButtons:
		return i.checkButtons(file)
	case InteractiveList:
		return i.checkList(file)
	case InteractiveLink:
		return i.checkLink(file)
	default:
		return i.checkRequest(file)
	}
}

func (i Interactive) checkButtons(file bool) error {
	titles := map[string]bool{}
	for _, c := range i.Choices {
		if !visible(c.Title) || longer(c.Title, whatsapp.MaxButtonTitle) || c.Description != "" || c.Section != "" || titles[c.Title] {
			return ErrButtons
		}
		titles[c.Title] = true
	}
	switch {
	case len(i.Choices) == 0, len(i.Choices) > whatsapp.MaxButtons:
		return ErrButtons
	case file && i.Header != "":
		return ErrInShape
	}
	return i.checkIDs()
}

func (i Interactive) checkList(file bool) error {
	for _, c := range i.Choices {
		if !visible(c.Title) || longer(c.Title, whatsapp.MaxRowTitle) || longer(c.Description, whatsapp.MaxRowDetail) {
			return ErrList
		}
		if longer(c.Section, whatsapp.MaxRowTitle) || visible(c.Section) != visible(i.Choices[0].Section) {
			return ErrSections
		}
	}
	switch {
	case len(i.Choices) == 0, len(i.Choices) > whatsapp.MaxListRows:
		return ErrList
	case longer(i.Button, whatsapp.MaxButtonTitle):
		return ErrListButton
	case file:
		return ErrInShape
	}
	return i.checkIDs()
}

func (i Interactive) checkLink(file bool) error {
	switch {
	case !visible(i.Button), longer(i.Button, whatsapp.MaxButtonTitle), !webAddress(i.URL):
		return ErrLink
	case len(i.Choices) > 0, file && i.Header != "":
		return ErrInShape
	}
	return nil
}

// checkRequest is for what is asked with a text alone.
func (i Interactive) checkRequest(file bool) error {
	if file || i.Header != "" || i.Button != "" || i.URL != "" || len(i.Choices) > 0 {
		return ErrInShape
	}
	return nil
}

// checkIDs wants what comes back of a choice to tell which it was.
func (i Interactive) checkIDs() error {
	ids := map[string]bool{}
	for _, c := range i.Choices {
		if c.ID == "" || longer(c.ID, whatsapp.MaxRowID) || ids[c.ID] {
			return ErrChoiceIDs
		}
		ids[c.ID] = true
	}
	return nil
}

func longer(s string, most int) bool { return utf8.RuneCountInString(s) > most }

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && len(s) <= whatsapp.MaxLink
}

// Wire is i about a text as WhatsApp sends it. The file above it, if there is one, is for the sender to add.
func (i Interactive) Wire(text string) whatsapp.Interactive {
	out := whatsapp.Interactive{Kind: wireKinds[i.Kind()], Header: i.Header, Body: text, Footer: i.Footer, Button: i.Button, URL: i.URL}
	for _, c := range i.Choices {
		out.Choices = append(out.Choices, whatsapp.Choice{ID: c.ID, Title: c.Title, Description: c.Description, Section: c.Section})
	}
	return out
}

var wireKinds = map[InteractiveKind]whatsapp.InteractiveKind{
	InteractiveButtons: whatsapp.InteractiveButtons,
	InteractiveList:    whatsapp.InteractiveList,
	InteractiveLink:    whatsapp.InteractiveLink,
	InteractivePlace:   whatsapp.InteractiveLocation,
	InteractivePhone:   whatsapp.InteractiveContact,
}
