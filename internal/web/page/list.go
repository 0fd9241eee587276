// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// ListLine is a list that citizens join, or a district that they say is theirs.
type ListLine struct {
	Keyword      string
	Name         string
	Kind         string // emergency, notice, district
	Subscribers  int
	Joined, Left int    // in the last 30 days
	Words        string // what a citizen writes to join: "ISCRIZIONE ON EMERGENZE"
	Leave        string // and to leave
	Link         string // opens WhatsApp with these words written, "" where the number is not for all to see
	Code         Code   // the link to scan
}

// Code is a QR code: Path draws its dark squares on a field of Size by Size.
type Code struct {
	Size int
	Path string
}

// Subscribers are a page of those on a list.
type Subscribers struct {
	ListLine
	Query string // who is looked for, "" for all
	Cut   bool   // more may be found by more words
	Rows  []Subscriber
	First bool   // the page is the first
	Next  string // cursor of the page that follows, "" at the end
	File  string // address of all of them as CSV
}

// Subscriber is a citizen on a list.
type Subscriber struct {
	ID      string
	Name    string
	Address string
	Since   time.Time
}

func listKindKey(kind string) locale.Key { return locale.Key("desk.lists.kind_" + kind) }
