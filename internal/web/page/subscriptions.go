// SPDX-License-Identifier: AGPL-3.0-or-later

package page

// Town is the frame of the pages that citizens see.
type Town struct {
	Municipality string // "Comune di Rimini"
	Service      string // what they call it: "WhatsUrp"
	Policy       Policy
	Hours        string // of the desk, now: "aperto fino alle 13:00"
	Contacts     []Contact
}

// Policy is the privacy notice: an address, or a text, or both.
type Policy struct{ URL, Text string }

// Contact is a way to reach the municipality other than WhatsApp.
type Contact struct{ Label, Value, Address string }

// OwnLists is the page on which a citizen sees and changes their lists.
type OwnLists struct {
	Town
	Key       string // sent twice, it counts once
	Lists     []OwnList
	Districts []OwnList
	Leave     string // the words that leave everything in the chat
	Saved     bool   // they have just changed something
	Now       string // what they get now, in words
}

// OwnList is a list or a district to tick.
type OwnList struct {
	Keyword   string
	Name      string
	About     string // what it is about, "" where the name says it
	On        bool
	Suspended bool
}

// any tells that the citizen gets something, or would again.
func (o OwnLists) any() bool {
	for _, l := range append(o.Lists[:len(o.Lists):len(o.Lists)], o.Districts...) {
		if l.On || l.Suspended {
			return true
		}
	}
	return false
}

// LinkOver is told when a link is too old, or not of this municipality.
type LinkOver struct {
	Town
	Word   string // what to write for a new one: "LISTE"
	Number string // to which number, "" where it is not for all to see
	Link   string // opens WhatsApp with the word written
}
