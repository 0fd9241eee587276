// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

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
