// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"strings"

	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// TapKind is what a citizen can tap under a message.
type TapKind string

// The kinds of offer. A card is tapped as well.
const (
	TapButtons  TapKind = "buttons"
	TapList     TapKind = "list"
	TapLink     TapKind = "link"
	TapPlace    TapKind = "location"
	TapPhone    TapKind = "phone"
	TapCard     TapKind = "card"
	TapTemplate TapKind = "template" // a template's own buttons
)

// offers are those of the composer's menu, in its order.
var offers = []TapKind{TapButtons, TapList, TapLink, TapPlace, TapPhone, TapCard}

var offerIcons = map[TapKind]string{
	TapButtons: iconCheck, TapList: iconList, TapLink: iconLink, TapPlace: iconPin, TapPhone: iconTelephone, TapCard: iconCard,
}

// Taps are what stand around a message for the citizen to tap.
type Taps struct {
	Kind    TapKind
	Header  string
	Footer  string
	Button  string // the label that opens the list, or the address
	Choices []Tap
	Address string // of a link
}

// Tap is a button, or a row of a list; a row may stand under the title of a section.
type Tap struct{ Title, Description, Section string }

// parts are the rows of a list, those that stand beside each other under one title together.
func (o Taps) parts() (parts [][]Tap) {
	for i, c := range o.Choices {
		if i == 0 || c.Section != o.Choices[i-1].Section {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], c)
	}
	return parts
}

func templateTaps(labels []string) Taps {
	o := Taps{Kind: TapTemplate}
	for _, label := range labels {
		o.Choices = append(o.Choices, Tap{Title: label})
	}
	return o
}

// TapForm asks what to send for the citizen to tap.
type TapForm struct {
	Conversation string
	Draft        string // the message's key: sent twice, it goes once
	Kind         TapKind
	Text         string
	Offices      []Choice // whose cards can be sent
}

// HeaderFormat is what stands above a template, as Meta names it.
type HeaderFormat string

// file tells whether a file stands there.
func (h HeaderFormat) file() bool { return h == "IMAGE" || h == "VIDEO" || h == "DOCUMENT" }

// accept are the files that can stand there.
func (h HeaderFormat) accept() string {
	switch h {
	case "IMAGE":
		return "image/jpeg,image/png"
	case "VIDEO":
		return "video/mp4,video/3gpp"
	default:
		return "application/pdf,text/plain,.doc,.docx,.xls,.xlsx,.ppt,.pptx"
	}
}

func aboveKey(h HeaderFormat) locale.Key {
	return locale.Key("desk.template.above." + strings.ToLower(string(h)))
}

func offerTitle(k TapKind) locale.Key { return locale.Key("desk.offer." + string(k)) }

func offerTapKey(k TapKind) locale.Key { return locale.Key("desk.offer.tap_" + string(k)) }

// mediaClass is how a file above a text is shown.
func mediaClass(m *Media) Type {
	switch class, _, _ := strings.Cut(m.MIME, "/"); class {
	case "image":
		return Image
	case "video":
		return Video
	default:
		return Document
	}
}

// Fields of a list that stand open at first, and those behind.
const (
	rowsOpen = 3
	maxRows  = whatsapp.MaxListRows
)
