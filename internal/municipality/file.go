// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/filodiretto/filodiretto/internal/calendar"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// File is a municipality as its file describes it, defaults filled in; see
// docs/municipality-file.md. As JSON it is what the database keeps: the same
// names, without the secrets.
type File struct {
	Slug         string                   `json:"slug"`
	Name         string                   `json:"name"`
	Service      string                   `json:"service"` // what citizens call it
	Locale       locale.Language          `json:"locale"`
	Timezone     string                   `json:"timezone"` // IANA name
	WhatsApp     Numbers                  `json:"whatsapp"`
	Access       Access                   `json:"access"`
	Automation   Automation               `json:"automation"`
	Experimental *Experimental            `json:"experimental,omitempty"`
	Offices      []Office                 `json:"offices"`
	Kinds        []Kind                   `json:"kinds"`
	Calendars    map[string]calendar.Spec `json:"calendars"` // "whatsapp" are the desk's hours
	Channels     []Channel                `json:"channels,omitempty"`
	Policy       Policy                   `json:"policy"`
	Lists        []List                   `json:"lists,omitempty"`
	Districts    []District               `json:"districts,omitempty"`
	Subscription Subscription             `json:"subscription"`
	Texts        map[string]string        `json:"texts,omitempty"` // by the name after "citizen." in the catalogue
	Retention    Retention                `json:"retention"`
	Prices       *Prices                  `json:"prices,omitempty"` // nil: costs are not estimated
}

// Access says who may see the number.
type Access string

// The two ways in.
const (
	AccessOpen       Access = "open"
	AccessRegistered Access = "registered" // the number is shown after registering on the portal
)

// Automation says what may be sent without a person.
type Automation string

// The three degrees; under all of them a citizen's own keyword is answered
// where lists exist.
const (
	AutomationNone     Automation = "none"
	AutomationKeywords Automation = "keywords"
	AutomationFull     Automation = "full" // also absence and waiting messages
)

// Number is one WhatsApp number of the municipality.
type Number struct {
	ID            string `json:"id"`               // in the file's words; "main" for a single number
	Office        string `json:"office,omitempty"` // id of the office that answers on it
	Display       string `json:"display_number"`   // as written: "+39 331 6432314", "059 649213"
	E164          string `json:"-"`                // "+393316432314"; Italian landlines keep their zero
	PhoneNumberID string `json:"phone_number_id"`  // Meta's id of the number, digits
	WABAID        string `json:"waba_id"`          // Meta's id of the WhatsApp Business Account, digits
	AccessToken   Secret `json:"access_token"`
	AppSecret     Secret `json:"app_secret"`
	VerifyToken   Secret `json:"verify_token"`
}

// Account is how Meta is asked about the number.
func (n Number) Account() whatsapp.Account {
	return whatsapp.Account{PhoneNumberID: n.PhoneNumberID, WABAID: n.WABAID, Token: n.AccessToken.Reveal()}
}

// Numbers are the numbers of a municipality, at least one. A file may write a
// single number without the list.
type Numbers []Number

// UnmarshalJSON reads a list of numbers or one number.
func (n *Numbers) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '{' {
		*n = make(Numbers, 1)
		return json.Unmarshal(data, &(*n)[0])
	}
	return json.Unmarshal(data, (*[]Number)(n))
}

// Experimental is the trial phase, days as "2026-03-02", both included.
type Experimental struct {
	From  string `json:"from"`
	Until string `json:"until,omitempty"` // empty: until further notice
}

// Office is an office that answers.
type Office struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Address  string   `json:"address,omitempty"`
	Phones   []string `json:"phones,omitempty"` // as written
	Email    string   `json:"email,omitempty"`
	Calendar string   `json:"calendar,omitempty"` // name of one of the calendars
}

// Card is the office as a contact card of its municipality.
func (o Office) Card(municipality string) whatsapp.ContactCard {
	const work = "WORK"
	card := whatsapp.ContactCard{Name: whatsapp.CardName{Formatted: o.Name, First: o.Name}, Org: &whatsapp.CardOrg{Company: municipality, Department: o.Name}}
	for _, written := range o.Phones {
		number, err := phone(written)
		if err != nil { // a short number, which only this country knows
			number = written
		}
		card.Phones = append(card.Phones, whatsapp.CardPhone{Phone: number, Type: work})
	}
	if o.Email != "" {
		card.Emails = []whatsapp.CardEmail{{Email: o.Email, Type: work}}
	}
	if o.Address != "" {
		card.Addresses = []whatsapp.CardAddress{{Street: o.Address, Country: "Italia", CountryCode: "it", Type: work}}
	}
	return card
}

// Kind is what a request can be about.
type Kind struct {
	ID    string `json:"id"`
	Label string `json:"label,omitempty"` // empty for the four kinds the product has words for
	Key   string `json:"key"`             // one letter or digit that chooses it in the desk
}

// LabelIn is the kind's name: the municipality's, else the product's.
func (k Kind) LabelIn(l locale.Language) string {
	if k.Label != "" {
		return k.Label
	}
	return l.T(locale.Key("kind." + k.ID))
}

// Channel is another way to reach the municipality.
type Channel struct {
	Kind     string `json:"kind"` // phone email web counter app facebook instagram x telegram other
	Label    string `json:"label"`
	Value    string `json:"value"`
	Calendar string `json:"calendar,omitempty"` // name of one of the calendars
}

// Policy is the privacy notice: at least one of URL and Text.
type Policy struct {
	Version string `json:"version"` // kept with every consent
	URL     string `json:"url,omitempty"`
	Text    string `json:"text,omitempty"`
}

// ListKind says by which rules a list is sent to.
type ListKind string

// The two kinds of list.
const (
	ListEmergency ListKind = "emergency"
	ListNotice    ListKind = "notice"
)

// List is something citizens can subscribe to.
type List struct {
	Keyword string   `json:"keyword"`
	Name    string   `json:"name"`
	Kind    ListKind `json:"kind"`
}

// District is a part of the territory.
type District struct {
	Keyword string `json:"keyword"`
	Name    string `json:"name"`
}

// Subscription holds the words by which citizens subscribe and leave, and what
// a plain one does.
type Subscription struct {
	Join    []string `json:"join"`
	Leave   []string `json:"leave"` // beside STOP
	Status  []string `json:"status"`
	Plain   string   `json:"plain"`   // no list named: "all" or "ask"
	Confirm string   `json:"confirm"` // "single": one message is enough; "double": SÌ within 24 h
}

// Retention says how long what citizens send is kept.
type Retention struct {
	Messages Period `json:"messages"`
	Media    Period `json:"media"`
	Consents Period `json:"consents"` // their proof, after the citizen has left the list
}

// Prices are what Meta charges for a delivered message by its category. They change by the quarter and by
// the country, so they are the municipality's to write down and never ours.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/pricing
type Prices struct {
	Currency  string  `json:"currency"` // ISO 4217: EUR
	Utility   float64 `json:"utility"`
	Marketing float64 `json:"marketing"`
	Service   float64 `json:"service"` // free text inside the citizen's window
}

// Of is the price of a message of Meta's category: UTILITY, MARKETING, SERVICE, in any case. It tells
// whether there is one.
func (p *Prices) Of(category string) (float64, bool) {
	if p == nil {
		return 0, false
	}
	switch strings.ToUpper(category) {
	case "UTILITY":
		return p.Utility, true
	case "MARKETING":
		return p.Marketing, true
	case "SERVICE":
		return p.Service, true
	}
	return 0, false
}

// Period is a length of time: "30d", "24m" (months) or "5y".
type Period string

// Before is the instant so long before t, by the calendar.
func (p Period) Before(t time.Time) (time.Time, error) {
	switch n, unit := p.Parts(); {
	case n > 0 && unit == "d":
		return t.AddDate(0, 0, -n), nil
	case n > 0 && unit == "m":
		return t.AddDate(0, -n, 0), nil
	case n > 0 && unit == "y":
		return t.AddDate(-n, 0, 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a period such as 30d, 24m or 5y", string(p))
}

// Parts are the number and the unit of a period: 24 and "m". The number of what is none is 0.
func (p Period) Parts() (n int, unit string) {
	unit = string(p[max(0, len(p)-1):])
	n, err := strconv.Atoi(strings.TrimSuffix(string(p), unit))
	if err != nil {
		return 0, unit
	}
	return n, unit
}

// UnmarshalJSON reads a file and fills in its defaults, so that nobody meets a
// file without them.
func (f *File) UnmarshalJSON(data []byte) error {
	type plain File
	if err := json.Unmarshal(data, (*plain)(f)); err != nil {
		return err
	}
	f.setDefaults()
	return nil
}

func (f *File) setDefaults() {
	fill(&f.Service, f.Name)
	fill(&f.Locale, locale.Italian)
	fill(&f.Timezone, "Europe/Rome")
	fill(&f.Subscription.Plain, "ask")
	fill(&f.Subscription.Confirm, "double")
	fill(&f.Retention.Messages, "24m")
	fill(&f.Retention.Media, "6m")
	fill(&f.Retention.Consents, "5y")
	if f.Subscription.Join == nil {
		f.Subscription.Join = []string{"ISCRIZIONE ON", "ISCRIVIMI"}
	}
	if f.Subscription.Leave == nil {
		f.Subscription.Leave = []string{"ISCRIZIONE OFF", "CANCELLAMI"}
	}
	if f.Subscription.Status == nil {
		f.Subscription.Status = []string{"LISTE"}
	}
	for i := range f.WhatsApp {
		fill(&f.WhatsApp[i].ID, "main")
		f.WhatsApp[i].E164, _ = phone(f.WhatsApp[i].Display) // checked when the file was applied
	}
	f.setKinds()
}

func fill[T ~string](value *T, otherwise T) {
	if *value == "" {
		*value = otherwise
	}
}

// setKinds gives the four kinds where the file has none, and each kind without
// a key the first letter of its id that is free.
func (f *File) setKinds() {
	if len(f.Kinds) == 0 {
		f.Kinds = []Kind{{ID: "information"}, {ID: "report"}, {ID: "assistance"}, {ID: "other"}}
	}
	taken := map[string]bool{}
	for _, k := range f.Kinds {
		taken[k.Key] = true
	}
	for i := range f.Kinds {
		for _, letter := range f.Kinds[i].ID + "abcdefghijklmnopqrstuvwxyz0123456789" {
			if key := string(letter); f.Kinds[i].Key == "" && key != "-" && !taken[key] {
				f.Kinds[i].Key, taken[key] = key, true
			}
		}
	}
}

// phone writes a phone number as E.164, a number without prefix being Italian.
func phone(written string) (string, error) {
	n, err := phonenumbers.Parse(written, "IT")
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", fmt.Errorf("%q is not a phone number in use: write it as 0541 704704 or +39 331 6432314", written)
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// Calendar makes one of the file's calendars; "whatsapp" is the desk's.
func (f *File) Calendar(name string) (*calendar.Calendar, error) {
	spec, ok := f.Calendars[name]
	if !ok {
		return nil, fmt.Errorf("municipality %s has no calendar %q", f.Slug, name)
	}
	zone, err := time.LoadLocation(f.Timezone)
	if err != nil {
		return nil, fmt.Errorf("calendar %q of municipality %s: %w", name, f.Slug, err)
	}
	c, err := calendar.New(spec, zone)
	if err != nil {
		return nil, fmt.Errorf("calendar %q of municipality %s: %w", name, f.Slug, err)
	}
	return c, nil
}

// Text is a text for citizens, by its name after "citizen." in the catalogue:
// the municipality's own wording in its own language, else the product's.
func (f *File) Text(l locale.Language, name string, args ...any) string {
	if own, ok := f.Texts[name]; ok && l == f.Locale {
		return locale.Fill(own, args...)
	}
	return l.T(locale.Key("citizen."+name), args...)
}

// Office finds an office by its id.
func (f *File) Office(id string) (Office, bool) {
	i := slices.IndexFunc(f.Offices, func(o Office) bool { return o.ID == id })
	if i < 0 {
		return Office{}, false
	}
	return f.Offices[i], true
}

// Kind finds a kind of request by its id.
func (f *File) Kind(id string) (Kind, bool) {
	i := slices.IndexFunc(f.Kinds, func(k Kind) bool { return k.ID == id })
	if i < 0 {
		return Kind{}, false
	}
	return f.Kinds[i], true
}
