// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// CitizenFile is all that the desk knows of a citizen as a subscriber.
type CitizenFile struct {
	ID            string
	Name          string
	Addresses     []Address
	Since         time.Time // of the first contact
	Note          string
	Stopped       time.Time // when they told Meta to stop marketing messages; zero: they did not
	Lists         []Joined
	Districts     []Joined
	Consents      []Consent
	ConsentsFile  string
	Conversations []Past
	Counter       Counter
	Blocking      Blocking
}

// Blocking is whether the citizen is on block lists, and the form to change that.
type Blocking struct {
	May     bool // the person may block
	On      []BlockedOn
	Open    []Choice // our numbers that the citizen wrote to in the last 24 hours
	Reasons []string
	Reason  string
	Note    string
	Problem string
}

// BlockedOn is one of our numbers that the citizen can't write to.
type BlockedOn struct {
	Number  string // phone number id
	Display string
	Since   string // in words
}

// BlockList is who is blocked.
type BlockList struct {
	People  []BlockedPerson
	Cut     bool // there are more
	Problem string
}

// BlockedPerson is one of them.
type BlockedPerson struct {
	ID      string
	Name    string
	Address string
	Number  string // phone number id
	Display string // of it
	Since   time.Time
}

func reasonKey(reason string) locale.Key { return locale.Key("desk.block.reason_" + reason) }

// Address is a way to reach a citizen.
type Address struct {
	Value   string
	Earlier bool // it no longer leads to them
}

// Joined is a list or a district, and what the citizen is to it.
type Joined struct {
	Keyword   string
	Name      string
	On        bool
	Ticked    bool // in the form: On, unless somebody has just ticked otherwise
	Suspended bool // their number changed, and they have not confirmed
	Since     time.Time
	Number    string // from which of our numbers they get it; "" where there is one only
}

// Counter is the form to enter what a citizen asked for on paper.
type Counter struct {
	Key       string // sent twice, it is entered once
	Reference string
	Problem   string
	Done      bool
}

// Consent is a row of the consent register.
type Consent struct {
	At        time.Time
	Recorded  time.Time
	List      string // "" is the notice
	Event     string
	Channel   string // in words
	Words     string // exactly as received
	Wording   string // what they had been shown
	Policy    string // version of the notice
	Message   string // WhatsApp's id
	Who       string // of the staff, who entered it
	Reference string
	Hash      string
}

func eventKey(event string) locale.Key { return locale.Key("desk.file.event_" + event) }

func eventClass(event string) string {
	switch event {
	case "given", "imported", "resumed":
		return "state-ok"
	case "withdrawn", "refused", "declined":
		return "state-bad"
	case "suspended":
		return "state-warn"
	default:
		return ""
	}
}
