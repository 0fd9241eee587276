// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// kinds says what each type of conversation is on the wire.
var kinds = map[string]whatsapp.MessageKind{
	conversation.TypeText:        whatsapp.KindText,
	conversation.TypeInteractive: whatsapp.KindInteractive,
	conversation.TypeImage:       whatsapp.KindImage,
	conversation.TypeVideo:       whatsapp.KindVideo,
	conversation.TypeAudio:       whatsapp.KindAudio,
	conversation.TypeVoice:       whatsapp.KindVoice,
	conversation.TypeDocument:    whatsapp.KindDocument,
	conversation.TypeSticker:     whatsapp.KindSticker,
	conversation.TypeContacts:    whatsapp.KindContacts,
	conversation.TypeLocation:    whatsapp.KindLocation,
	conversation.TypeReaction:    whatsapp.KindReaction,
	conversation.TypeTemplate:    whatsapp.KindTemplate,
}

var errNoAddress = errors.New("the contact has neither a phone nor a user id")

// outgoing is the message as WhatsApp takes it. A known phone is preferred: it keeps phones visible in
// later webhooks. Our id goes with it and comes back with every status.
func (p *pump) outgoing(ctx context.Context, tx *db.Tx, m conversation.Message, to contact.Contact, file attached, known templates) (whatsapp.OutgoingMessage, error) {
	out := whatsapp.OutgoingMessage{To: to.Phone, Recipient: to.UserID, Type: kinds[m.Type], ReplyTo: m.ReplyTo, CallbackData: db.FormatID(m.ID)}
	if out.To == "" && out.Recipient == "" {
		return out, &unsendable{err: errNoAddress}
	}
	switch m.Type {
	case conversation.TypeText:
		out.Text, out.PreviewURL = m.Text, true
	case conversation.TypeLocation:
		l := m.Detail.Location
		out.Location = &whatsapp.Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address}
	case conversation.TypeReaction:
		out.Reaction = &whatsapp.Reaction{MessageID: m.Detail.Reaction.ExternalID, Emoji: m.Detail.Reaction.Emoji}
	case conversation.TypeTemplate:
		return out, p.template(ctx, tx, m, file, &out, known)
	case conversation.TypeInteractive:
		var err error
		if out.Interactive, err = interactive(m, file); err != nil {
			return out, &unsendable{codeInvalid, err}
		}
	case conversation.TypeContacts:
		var err error
		if out.Contacts, err = m.Cards(); err != nil {
			return out, &unsendable{codeInvalid, err}
		}
	default:
		out.Media = &whatsapp.OutgoingMedia{ID: file.uploadedID, Caption: m.Text}
		if m.Type == conversation.TypeDocument {
			out.Media.Filename = file.Name
		}
	}
	if err := out.Validate(); err != nil {
		return out, &unsendable{codeInvalid, err}
	}
	return out, nil
}

var errNothingToTap = errors.New("an interactive message with nothing to tap")

func interactive(m conversation.Message, file attached) (json.RawMessage, error) {
	if m.Detail.Interactive == nil {
		return nil, errNothingToTap
	}
	wire := m.Detail.Interactive.Wire(m.Text)
	if m.MediaID != 0 {
		wire.File, wire.FileAs = above(file), shownAs(file.MIME)
	}
	return json.Marshal(wire)
}

// above is a file over a text.
func above(file attached) *whatsapp.OutgoingMedia {
	out := &whatsapp.OutgoingMedia{ID: file.uploadedID}
	if shownAs(file.MIME) == whatsapp.KindDocument {
		out.Filename = file.Name
	}
	return out
}

func shownAs(mime string) whatsapp.MessageKind {
	switch class, _, _ := strings.Cut(mime, "/"); class {
	case "image":
		return whatsapp.KindImage
	case "video":
		return whatsapp.KindVideo
	}
	return whatsapp.KindDocument
}
