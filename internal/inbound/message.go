// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"encoding/json"
	"strings"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// types says what each kind of WhatsApp's is in a conversation; what isn't here is kept as unsupported.
var types = map[whatsapp.MessageKind]string{
	whatsapp.KindText:           conversation.TypeText,
	whatsapp.KindImage:          conversation.TypeImage,
	whatsapp.KindVideo:          conversation.TypeVideo,
	whatsapp.KindAudio:          conversation.TypeAudio,
	whatsapp.KindVoice:          conversation.TypeVoice,
	whatsapp.KindDocument:       conversation.TypeDocument,
	whatsapp.KindSticker:        conversation.TypeSticker,
	whatsapp.KindLocation:       conversation.TypeLocation,
	whatsapp.KindContacts:       conversation.TypeContacts,
	whatsapp.KindReaction:       conversation.TypeReaction,
	whatsapp.KindButton:         conversation.TypeChoice,
	whatsapp.KindInteractive:    conversation.TypeChoice,
	whatsapp.KindSystem:         conversation.TypeSystem,
	whatsapp.KindRequestWelcome: conversation.TypeSystem,
}

// message is what a conversation keeps of what WhatsApp delivered.
func message(tx *db.Tx, m received, contact int64) conversation.Message {
	out := conversation.Message{ID: tx.NewID(), ContactID: contact, Number: m.number, Type: types[m.Kind], Text: m.Text, ReplyTo: m.ReplyTo,
		ExternalID: m.Message.ID, At: m.At, Place: m.place, Detail: conversation.Detail{Forwarded: m.Forwarded, TimeGuess: m.AtFallback}}
	if m.Media != nil {
		out.MediaID = tx.NewID()
	}
	if l := m.Location; l != nil {
		out.Detail.Location = &conversation.Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address}
	}
	if r := m.Reaction; r != nil {
		out.Detail.Reaction = &conversation.Reaction{ExternalID: r.MessageID, Emoji: r.Emoji}
	}
	if c := m.Reply; c != nil {
		out.Detail.Choice = &conversation.Choice{ID: c.ID, Title: c.Title, Description: c.Description}
	}
	if len(m.Contacts) > 0 {
		cards, err := json.Marshal(m.Contacts)
		if err == nil { // plain texts always marshal
			out.Detail.Contacts = cards
		}
	}
	if m.System != nil {
		out.Detail.System = m.System.Type
	}
	if out.Type == "" {
		out.Type = conversation.TypeUnsupported
		out.Detail.Kind, out.Detail.Raw = m.Type, clean(m.Raw)
	}
	return out
}

// clean keeps raw JSON that both engines store: PostgreSQL refuses a NUL in a text.
func clean(raw json.RawMessage) json.RawMessage {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	b, err := json.Marshal(withoutNUL(v))
	if err != nil || len(b) > 64<<10 {
		return nil
	}
	return b
}

func withoutNUL(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case []any:
		for i := range v {
			v[i] = withoutNUL(v[i])
		}
	case map[string]any:
		for k, e := range v {
			delete(v, k)
			v[strings.ReplaceAll(k, "\x00", "")] = withoutNUL(e)
		}
	}
	return v
}
