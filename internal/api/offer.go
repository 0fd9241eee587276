// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"strconv"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// NewInteractive is a text with something to tap: buttons, a list or a link, one of them.
type NewInteractive struct {
	_       struct{}   `additionalProperties:"false"`
	Text    string     `json:"text" example:"Vuole un appuntamento?" doc:"Up to 1,024 characters; above a list up to 4,096"`
	Header  string     `json:"header,omitempty" doc:"Above the text, up to 60 characters"`
	MediaID string     `json:"media_id,omitempty" doc:"Id of a file in the header's place, above buttons or a link"`
	Footer  string     `json:"footer,omitempty" doc:"Below the text, up to 60 characters"`
	Buttons []NewReply `json:"buttons,omitempty" nullable:"false" doc:"Up to 3 reply buttons"`
	List    *NewList   `json:"list,omitempty"`
	Link    *NewLink   `json:"link,omitempty"`
}

// NewReply is a reply button.
type NewReply struct {
	_     struct{} `additionalProperties:"false"`
	ID    string   `json:"id" example:"appuntamento:si" doc:"Comes back in content.choice, up to 200 characters"`
	Title string   `json:"title" example:"Sì" doc:"Up to 20 characters"`
}

// NewList is a list that opens from a button.
type NewList struct {
	_      struct{} `additionalProperties:"false"`
	Button string   `json:"button" example:"Scegli" doc:"Up to 20 characters"`
	Rows   []NewRow `json:"rows" nullable:"false" doc:"Up to 10"`
}

// NewRow is a row of a list.
type NewRow struct {
	_           struct{} `additionalProperties:"false"`
	ID          string   `json:"id" example:"sportello:anagrafe" doc:"Comes back in content.choice, up to 200 characters"`
	Title       string   `json:"title" example:"Anagrafe" doc:"Up to 24 characters"`
	Description string   `json:"description,omitempty" doc:"Up to 72 characters"`
	Section     string   `json:"section,omitempty" example:"Documenti" doc:"The title over this row and those beside it of the same, up to 24 characters; of all rows or of none"`
}

// NewLink is a button that opens a web address.
type NewLink struct {
	_     struct{} `additionalProperties:"false"`
	Label string   `json:"label" example:"Apri il modulo" doc:"Up to 20 characters"`
	URL   string   `json:"url" example:"https://comune.example/modulo"`
}

// NewQuestion is a text that asks for something with one tap.
type NewQuestion struct {
	_    struct{} `additionalProperties:"false"`
	Text string   `json:"text" example:"Dove si trova la buca?" doc:"Up to 1,024 characters"`
}

// Card is a contact card to send, in WhatsApp's words.
type Card struct {
	_         struct{}      `additionalProperties:"false"`
	Name      CardName      `json:"name"`
	Phones    []CardPhone   `json:"phones,omitempty" maxItems:"20" nullable:"false"`
	Emails    []CardEmail   `json:"emails,omitempty" maxItems:"20" nullable:"false"`
	URLs      []CardURL     `json:"urls,omitempty" maxItems:"20" nullable:"false"`
	Addresses []CardAddress `json:"addresses,omitempty" maxItems:"20" nullable:"false"`
	Org       *CardOrg      `json:"org,omitempty"`
}

// CardName is the name on a card: the whole, and at least one of its parts.
type CardName struct {
	_         struct{} `additionalProperties:"false"`
	Formatted string   `json:"formatted_name" maxLength:"200" example:"Ufficio Anagrafe"`
	First     string   `json:"first_name,omitempty" maxLength:"200" example:"Anagrafe"`
	Last      string   `json:"last_name,omitempty" maxLength:"200"`
}

// CardPhone is a phone on a card.
type CardPhone struct {
	_     struct{} `additionalProperties:"false"`
	Phone string   `json:"phone" maxLength:"50" example:"+39 0541 704704"`
	Type  string   `json:"type,omitempty" maxLength:"20" example:"WORK"`
	WaID  string   `json:"wa_id,omitempty" pattern:"^[0-9]{4,15}$" doc:"Its digits, if it is on WhatsApp"`
}

// CardEmail is an e-mail address on a card.
type CardEmail struct {
	_     struct{} `additionalProperties:"false"`
	Email string   `json:"email" maxLength:"200" example:"anagrafe@comune.example"`
	Type  string   `json:"type,omitempty" maxLength:"20" example:"WORK"`
}

// CardURL is a web address on a card.
type CardURL struct {
	_    struct{} `additionalProperties:"false"`
	URL  string   `json:"url" maxLength:"2000" example:"https://comune.example/anagrafe"`
	Type string   `json:"type,omitempty" maxLength:"20" example:"WORK"`
}

// CardAddress is a postal address on a card.
type CardAddress struct {
	_           struct{} `additionalProperties:"false"`
	Street      string   `json:"street,omitempty" maxLength:"200" example:"Piazza Cavour 27"`
	City        string   `json:"city,omitempty" maxLength:"200" example:"Rimini"`
	State       string   `json:"state,omitempty" maxLength:"200"`
	Zip         string   `json:"zip,omitempty" maxLength:"20" example:"47921"`
	Country     string   `json:"country,omitempty" maxLength:"100" example:"Italia"`
	CountryCode string   `json:"country_code,omitempty" maxLength:"2" example:"it"`
	Type        string   `json:"type,omitempty" maxLength:"20" example:"WORK"`
}

// CardOrg is where the person of a card works.
type CardOrg struct {
	_          struct{} `additionalProperties:"false"`
	Company    string   `json:"company,omitempty" maxLength:"200" example:"Comune di Rimini"`
	Department string   `json:"department,omitempty" maxLength:"200"`
	Title      string   `json:"title,omitempty" maxLength:"200"`
}

// wire is a card as it goes out.
func (c Card) wire() whatsapp.ContactCard {
	out := whatsapp.ContactCard{Name: whatsapp.CardName{Formatted: c.Name.Formatted, First: c.Name.First, Last: c.Name.Last}}
	for _, p := range c.Phones {
		out.Phones = append(out.Phones, whatsapp.CardPhone{Phone: p.Phone, Type: p.Type, WaID: p.WaID})
	}
	for _, e := range c.Emails {
		out.Emails = append(out.Emails, whatsapp.CardEmail{Email: e.Email, Type: e.Type})
	}
	for _, u := range c.URLs {
		out.URLs = append(out.URLs, whatsapp.CardURL{URL: u.URL, Type: u.Type})
	}
	for _, a := range c.Addresses {
		out.Addresses = append(out.Addresses, whatsapp.CardAddress{Street: a.Street, City: a.City, State: a.State, Zip: a.Zip,
			Country: a.Country, CountryCode: a.CountryCode, Type: a.Type})
	}
	if o := c.Org; o != nil {
		out.Org = &whatsapp.CardOrg{Company: o.Company, Department: o.Department, Title: o.Title}
	}
	return out
}

var errOffer = fault.New(fault.Invalid, "api.interactive_form")

// offer is what an interactive message is in a conversation.
func (n NewInteractive) offer() (*conversation.Interactive, error) {
	things := 0
	for _, there := range []bool{len(n.Buttons) > 0, n.List != nil, n.Link != nil} {
		if there {
			things++
		}
	}
	if things != 1 {
		return nil, errOffer
	}
	out := &conversation.Interactive{Header: n.Header, Footer: n.Footer}
	for _, b := range n.Buttons {
		out.Choices = append(out.Choices, conversation.Choice{ID: b.ID, Title: b.Title})
	}
	if l := n.List; l != nil {
		if out.Button = l.Button; l.Button == "" {
			return nil, conversation.ErrListButton
		}
		for _, r := range l.Rows {
			out.Choices = append(out.Choices, conversation.Choice{ID: r.ID, Title: r.Title, Description: r.Description, Section: r.Section})
		}
	}
	if l := n.Link; l != nil {
		if out.Button, out.URL = l.Label, l.URL; l.URL == "" {
			return nil, conversation.ErrLink
		}
	}
	return out, nil
}

// Above is what stands above a template: a file or a place, one of them.
type Above struct {
	_        struct{}     `additionalProperties:"false"`
	MediaID  string       `json:"media_id,omitempty" example:"3797402938376195" doc:"Id of a file that is ready: a picture, a video or a document, as the template wants"`
	Location *NewLocation `json:"location,omitempty"`
}

// payloads are what reply buttons give back, by their position.
func payloads(written map[string]string) map[int]string {
	if len(written) == 0 {
		return nil
	}
	out := make(map[int]string, len(written))
	for position, payload := range written {
		i, err := strconv.Atoi(position)
		if err != nil {
			i = -1 // no button stands there
		}
		out[i] = payload
	}
	return out
}

// Interactive is what stands around a text for the citizen to tap.
type Interactive struct {
	Kind    string   `json:"kind" enum:"buttons,list,link,location_request,contact_request"`
	Header  *string  `json:"header"`
	Footer  *string  `json:"footer"`
	Button  *string  `json:"button" doc:"The label that opens the list, or the link"`
	Choices []Choice `json:"choices" nullable:"false" doc:"Of buttons and lists"`
	URL     *string  `json:"url" doc:"Of a link"`
}

func newInteractive(i conversation.Interactive) Interactive {
	out := Interactive{Kind: string(i.Kind()), Header: known(i.Header), Footer: known(i.Footer), Button: known(i.Button), URL: known(i.URL), Choices: []Choice{}}
	for _, c := range i.Choices {
		out.Choices = append(out.Choices, Choice{ID: c.ID, Title: c.Title, Description: known(c.Description), Section: known(c.Section)})
	}
	return out
}
