// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Bounds of what may be sent, in characters.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages
const (
	MaxText    = 4096
	MaxCaption = 1024
	MaxNote    = 10000
)

// The failures of writing.
var (
	ErrEmpty         = fault.New(fault.Invalid, "error.message_empty")
	ErrTooLong       = fault.New(fault.Invalid, "error.message_too_long", "max", MaxText)
	ErrCaption       = fault.New(fault.Invalid, "error.caption_too_long", "max", MaxCaption)
	ErrNoteTooLong   = fault.New(fault.Invalid, "error.note_too_long", "max", MaxNote)
	ErrWindowClosed  = fault.New(fault.Invalid, "error.window_closed")
	ErrNotSendable   = fault.New(fault.Invalid, "error.message_type")
	ErrNotResend     = fault.New(fault.Conflict, "error.message_not_resendable")
	ErrNotCancel     = fault.New(fault.Conflict, "error.message_not_cancellable")
	ErrBlocked       = fault.New(fault.Conflict, "error.citizen_blocked")
	ErrNumberRetired = fault.New(fault.Conflict, "error.number_retired")
	ErrQuoted        = fault.New(fault.Invalid, "error.quoted_not_found")
	ErrNoCaption     = fault.New(fault.Invalid, "error.sticker_caption") // WhatsApp would not show it
	ErrCards         = fault.New(fault.Invalid, "error.contact_cards", "max", whatsapp.MaxCards)
	ErrKeyUsed       = fault.New(fault.Conflict, "error.key_used")
)

// Outgoing is what somebody wants sent to the citizen of a conversation.
type Outgoing struct {
	Type        string // text, image, video, audio, document, sticker, location, contacts, reaction, template or interactive
	Text        string // the body, a caption, or a template as the citizen will read it
	MediaID     int64  // also what stands above a template or an interactive text
	Location    *Location
	Reaction    string    // the emoji, "" takes it away; the message is ReplyTo
	Template    *Template // its variables have been checked
	Interactive *Interactive
	Contacts    []whatsapp.ContactCard
	ReplyTo     int64  // the message it quotes
	Seen        int64  // the citizen's last message that the author had before them; 0: all there are
	ClientKey   string // the same key again sends nothing more
	resendOf    int64
}

// storable makes the texts of what is to be sent such as both engines keep.
func (o *Outgoing) storable() {
	o.Text, o.Reaction = db.Text(o.Text), db.Text(o.Reaction)
	if l := o.Location; l != nil {
		o.Location = &Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: db.Text(l.Name), Address: db.Text(l.Address)}
	}
	if o.Template != nil {
		o.Template, o.MediaID = o.Template.storable(), max(o.MediaID, o.Template.MediaID)
		o.Template.MediaID = 0 // the message has it as its own file
	}
	if o.Interactive != nil {
		o.Interactive = o.Interactive.storable()
	}
}

// check bounds what is to be sent.
func (o *Outgoing) check() error {
	switch o.Type {
	case TypeText:
		o.Text = strings.TrimRightFunc(o.Text, unicode.IsSpace)
		if !visible(o.Text) {
			return ErrEmpty
		}
		if utf8.RuneCountInString(o.Text) > MaxText {
			return ErrTooLong
		}
	case TypeImage, TypeVideo, TypeDocument, TypeAudio, TypeVoice:
		o.Text = strings.TrimSpace(o.Text)
		if o.MediaID == 0 {
			return ErrEmpty
		}
		if utf8.RuneCountInString(o.Text) > MaxCaption {
			return ErrCaption
		}
	case TypeSticker:
		if o.MediaID == 0 {
			return ErrEmpty
		}
		if o.Text != "" {
			return ErrNoCaption
		}
	case TypeContacts:
		return o.checkCards()
	case TypeLocation:
		if o.Location == nil {
			return ErrEmpty
		}
	case TypeReaction:
		if o.ReplyTo == 0 {
			return ErrQuoted
		}
	case TypeTemplate:
		if o.Template == nil {
			return ErrEmpty
		}
	case TypeInteractive:
		o.Text = strings.TrimSpace(o.Text)
		if o.Interactive == nil {
			return ErrEmpty
		}
		return o.Interactive.check(o.Text, o.MediaID != 0)
	default:
		return ErrNotSendable
	}
	return nil
}

// visible reports whether a reader sees anything of s.
func visible(s string) bool {
	for _, r := range s {
		if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) {
			return true
		}
	}
	return false
}
