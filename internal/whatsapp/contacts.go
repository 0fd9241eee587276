// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"

	"github.com/tidwall/gjson"
)

// ContactCard is a contact that was sent, or is to be, in a message. Its JSON
// is Meta's. https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/contacts-messages
type ContactCard struct {
	Name      CardName      `json:"name"`
	Phones    []CardPhone   `json:"phones,omitempty"`
	Emails    []CardEmail   `json:"emails,omitempty"`
	URLs      []CardURL     `json:"urls,omitempty"`
	Addresses []CardAddress `json:"addresses,omitempty"`
	Org       *CardOrg      `json:"org,omitempty"`
	Birthday  string        `json:"birthday,omitempty"` // YYYY-MM-DD

	// Origin, inbound only: "contact_request" when citizens gave their own
	// number because we asked; anything else is somebody else's card.
	Origin string `json:"-"`
	VCard  string `json:"-"` // inbound only
}

// CardName is the name on a card; the formatted one is required to send.
type CardName struct {
	Formatted string `json:"formatted_name"`
	First     string `json:"first_name,omitempty"`
	Last      string `json:"last_name,omitempty"`
}

// CardPhone is a phone on a card; WaID, without +, is there if it is on WhatsApp.
type CardPhone struct {
	Phone  string `json:"phone,omitempty"`
	Type   string `json:"type,omitempty"` // HOME, WORK, …
	WaID   string `json:"wa_id,omitempty"`
	UserID string `json:"-"` // inbound only
}

// CardEmail is an e-mail address on a card.
type CardEmail struct {
	Email string `json:"email"`
	Type  string `json:"type,omitempty"`
}

// CardURL is a web address on a card.
type CardURL struct {
	URL  string `json:"url"`
	Type string `json:"type,omitempty"`
}

// CardAddress is a postal address on a card.
type CardAddress struct {
	Street      string `json:"street,omitempty"`
	City        string `json:"city,omitempty"`
	State       string `json:"state,omitempty"`
	Zip         string `json:"zip,omitempty"`
	Country     string `json:"country,omitempty"`
	CountryCode string `json:"country_code,omitempty"`
	Type        string `json:"type,omitempty"`
}

// CardOrg is where the person of a card works.
type CardOrg struct {
	Company    string `json:"company,omitempty"`
	Department string `json:"department,omitempty"`
	Title      string `json:"title,omitempty"`
}

// readContacts takes what it can of each card: parts may be missing, the name
// included.
func (m *Message) readContacts(v gjson.Result) bool {
	cards, ok := items(v)
	if !ok && v.IsObject() { // one, without the array around it
		cards, ok = []gjson.Result{v}, true
	}
	for _, card := range cards {
		if card.IsObject() {
			m.Contacts = append(m.Contacts, readCard(card))
		}
	}
	if len(m.Contacts) == 0 {
		m.Kind = KindUnsupported // nobody is on them
	}
	return ok
}

func readCard(v gjson.Result) ContactCard {
	card := ContactCard{
		Name: CardName{
			Formatted: cmp.Or(text(v.Get("name.formatted_name")), text(v.Get("name"))),
			First:     text(v.Get("name.first_name")),
			Last:      text(v.Get("name.last_name")),
		},
		Birthday: text(v.Get("birthday")),
		Origin:   text(v.Get("origin")),
		VCard:    text(v.Get("vcard")),
	}
	for _, p := range v.Get("phones").Array() {
		card.Phones = append(card.Phones, CardPhone{
			Phone: text(p.Get("phone")), Type: text(p.Get("type")), WaID: text(p.Get("wa_id")), UserID: text(p.Get("user_id")),
		})
	}
	for _, e := range v.Get("emails").Array() {
		card.Emails = append(card.Emails, CardEmail{Email: text(e.Get("email")), Type: text(e.Get("type"))})
	}
	for _, u := range v.Get("urls").Array() {
		card.URLs = append(card.URLs, CardURL{URL: text(u.Get("url")), Type: text(u.Get("type"))})
	}
	for _, a := range v.Get("addresses").Array() {
		card.Addresses = append(card.Addresses, CardAddress{
			Street: text(a.Get("street")), City: text(a.Get("city")), State: text(a.Get("state")), Zip: text(a.Get("zip")),
			Country: text(a.Get("country")), CountryCode: text(a.Get("country_code")), Type: text(a.Get("type")),
		})
	}
	if org := v.Get("org"); org.IsObject() {
		card.Org = &CardOrg{
			Company: text(org.Get("company")), Department: text(org.Get("department")), Title: text(org.Get("title")),
		}
	}
	return card
}
