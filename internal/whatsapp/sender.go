// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Sender is who wrote a message. A phone may be missing (the citizen has a
// username), and so may a user id, but never both.
type Sender struct {
	Phone        string // digits as WhatsApp sends them, without +; "" if hidden
	UserID       string // business-scoped user id (BSUID), such as "IT.1A2B3C"
	ParentUserID string // BSUID of the parent portfolio, rarely there
	Username     string // as sent, mostly with a leading @; display only
	Name         string // profile name; display only
	IdentityHash string // of the citizen's keys, when the identity check is on
}

// address takes a value of from, wa_id or user_id for what it is, whatever
// the key: user ids have been seen where phones belong. What is already known
// stays.
func (s *Sender) address(value string) {
	switch {
	case IsUserID(value):
		if s.UserID == "" {
			s.UserID = value
		}
	case s.Phone == "":
		s.Phone = Phone(value)
	}
}

// identify takes a value that stands where only user ids do: digits there are no phone, and whoever has that phone is
// somebody else.
func (s *Sender) identify(value string) {
	if IsUserID(value) {
		s.address(value)
	}
}

func (s *Sender) usable() bool { return s.Phone != "" || s.UserID != "" }

// differs tells whether two are surely not the same.
func (s *Sender) differs(o *Sender) bool {
	return s.Phone != "" && o.Phone != "" && s.Phone != o.Phone ||
		s.UserID != "" && o.UserID != "" && s.UserID != o.UserID
}

// complete fills what is unknown.
func (s *Sender) complete(o *Sender) {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&s.Phone, o.Phone)
	fill(&s.UserID, o.UserID)
	fill(&s.ParentUserID, o.ParentUserID)
	fill(&s.Username, o.Username)
	fill(&s.Name, o.Name)
	fill(&s.IdentityHash, o.IdentityHash)
}

// IsUserID tells whether value is a BSUID: two capitals of a country, a dot,
// and an opaque rest.
func IsUserID(value string) bool {
	return len(value) > 3 && len(value) <= maxID && value[2] == '.' && capital(value[0]) && capital(value[1])
}

// userID reads a BSUID, "" for anything else. Such an id is somebody's identity: a word like "unknown",
// taken for one, would make one person of all whom it is said of.
func userID(v gjson.Result) string {
	if id := text(v); IsUserID(id) {
		return id
	}
	return ""
}

func capital(c byte) bool { return c >= 'A' && c <= 'Z' }

// Phone returns 4 to 15 digits as they stand, without a leading +; "" when
// value is no phone.
func Phone(value string) string {
	value = strings.TrimPrefix(strings.TrimSpace(value), "+")
	if len(value) < 4 || len(value) > 15 {
		return ""
	}
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return ""
		}
	}
	return value
}

// digits keeps the digits of a display number.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// people are the contacts[] of a change, found by address: their order says
// nothing about the order of the messages.
type people struct {
	all    []Sender
	byAddr map[string]int
}

func readPeople(contacts gjson.Result) people {
	list, ok := items(contacts)
	if !ok && contacts.IsObject() { // one, without the array around it
		list = []gjson.Result{contacts}
	}
	p := people{all: make([]Sender, 0, len(list)), byAddr: make(map[string]int, len(list))}
	for _, v := range list {
		who := readPerson(v)
		at := len(p.all)
		p.all = append(p.all, who)
		for _, addr := range []string{who.Phone, who.UserID} {
			if _, known := p.byAddr[addr]; addr != "" && !known {
				p.byAddr[addr] = at
			}
		}
	}
	return p
}

func readPerson(v gjson.Result) Sender {
	var who Sender
	var user gjson.Result
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "wa_id":
			who.address(text(v))
		case "user_id":
			user = v
		case "parent_user_id":
			who.ParentUserID = userID(v)
		case "identity_key_hash":
			who.IdentityHash = text(v)
		case "profile":
			who.Name = text(v.Get("name"))
			who.Username = text(v.Get("username"))
		}
	})
	who.identify(text(user))
	return who
}

// find returns the contact with an address of who. A single contact beside a
// single message is its sender even when they share no address, unless they
// contradict each other.
func (p people) find(who *Sender, single bool) *Sender {
	for _, addr := range []string{who.UserID, who.Phone} {
		if at, ok := p.byAddr[addr]; ok && addr != "" {
			return &p.all[at]
		}
	}
	if single && len(p.all) == 1 && !who.differs(&p.all[0]) {
		return &p.all[0]
	}
	return nil
}
