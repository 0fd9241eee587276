// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// NumberTab is a page about one of our numbers.
type NumberTab string

// The pages of a number.
const (
	NumberState       NumberTab = "state"
	NumberProfile     NumberTab = "profile"
	NumberSuggestions NumberTab = "suggestions"
	NumberLinks       NumberTab = "links"
)

var numberTabs = []NumberTab{NumberState, NumberProfile, NumberSuggestions, NumberLinks}

func numberTabKey(tab NumberTab) locale.Key { return locale.Key("desk.number.tab_" + string(tab)) }

func numberTabAddress(ctx context.Context, id string, tab NumberTab) string {
	if tab == NumberState {
		return at(ctx, "settings", "numbers", id)
	}
	return at(ctx, "settings", "numbers", id, string(tab))
}

// NumberHead is what all pages of a number begin with.
type NumberHead struct {
	ID      string // phone number id
	Display string
	Tab     NumberTab
	Saved   bool // a change has just been made
}

// Fact is a line of what Meta says of a number.
type Fact struct{ Name, Value string }

// NumberProblem is what went wrong, beside the form it went wrong in.
type NumberProblem struct {
	PIN, Identity, Username string
	Name                    string // the username that was asked for
}

// NumberShown is a number as Meta sees it, and its switches.
type NumberShown struct {
	Head          NumberHead
	Problem       NumberProblem
	Unread        string // why Meta's word is missing
	Facts         []Fact
	Health        []string // what keeps it from sending, in Meta's words
	Connected     bool
	PIN           bool
	Settings      bool // they could be read
	Local         bool // messages rest in Region
	Region        string
	IdentityCheck bool
	Usernames     bool // they could be read
	Username      string
	Suggested     []string
}

// Profile is what the form of a business profile holds.
type Profile struct {
	About, Address, Description, Email, Vertical string

	Websites [2]string
}

// ProfileForm is the business profile of a number.
type ProfileForm struct {
	Head           NumberHead
	Unread         string
	Profile        Profile
	Proposed       bool // some of it comes from the municipality's file and is not saved yet
	Problem        string
	Picture        bool // there is one
	PictureProblem string
}

// SuggestionsForm is what chats with a number suggest to write.
type SuggestionsForm struct {
	Head     NumberHead
	Unread   string
	Proposed bool // all of it is made of the lists and not saved yet
	Problem  string
	Prompts  []string
	Commands []CommandRow
}

// CommandRow is a word after "/" with what it is for.
type CommandRow struct{ Name, Hint string }

// LinksForm are the short links of a number.
type LinksForm struct {
	Head    NumberHead
	Unread  string
	Problem string
	Text    string // what was written
	Limit   int    // characters
	Links   []ShortLink
	Lists   []Choice // texts that have no link yet
}

// ShortLink is a short address with its QR code.
type ShortLink struct {
	Code, Text, Address string

	QR Code
}

// Step is where the registration of a number stands.
type Step int

// The steps, the first of which is done once a number is in the account.
const (
	StepAdd Step = iota + 1
	StepAsk
	StepCode
	StepPIN
	StepDone
)

// Registrations are the accounts' numbers, and the form to add one.
type Registrations struct {
	Accounts []AccountNumbers
	Add      AddNumber
}

// AccountNumbers are the numbers of a WhatsApp account.
type AccountNumbers struct {
	ID      string // WABA id
	Unread  string
	Numbers []RegisteredNumber
}

// RegisteredNumber is one of them.
type RegisteredNumber struct {
	ID, Display, Name, Status string

	Connected bool
	InFile    bool // it is in the municipality's file
}

// AddNumber is the form of the first step.
type AddNumber struct{ Phone, Name, Account, Problem string }

// Registration is a number on its way to WhatsApp.
type Registration struct {
	ID, Display, Name, Account, Status string

	Step    Step
	Asked   string // how the code was asked for: voice or sms
	PIN     bool   // it has one already
	InFile  bool
	Problem string
}

func (r Registration) stepClass(s Step) string {
	switch {
	case s < r.Step, r.Step == StepDone && r.InFile:
		return "step step-done"
	case s == r.Step:
		return "step step-now"
	default:
		return "step"
	}
}

func (r Registration) stepWord(s Step) locale.Key {
	switch {
	case s < r.Step, r.Step == StepDone && r.InFile:
		return "desk.register.step_done"
	case s == r.Step:
		return "desk.register.step_now"
	default:
		return "desk.register.step_later"
	}
}
