// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
)

// NewMessage is what to send: one of a text, a template, a file, a place, contact cards, or something to tap.
type NewMessage struct {
	_               struct{}        `additionalProperties:"false"`
	Text            string          `json:"text,omitempty" example:"Buongiorno, l’anagrafe apre alle 8:30." doc:"Up to 4,096 characters"`
	ReplyTo         string          `json:"reply_to,omitempty" example:"3797402938376193" doc:"Id of the message to quote, with a text or a file"`
	Template        *NewTemplate    `json:"template,omitempty" doc:"An approved template: the only thing that may be sent after the window has closed"`
	MediaID         string          `json:"media_id,omitempty" example:"3797402938376195" doc:"Id of a file that is ready; a WebP goes as a sticker"`
	Caption         string          `json:"caption,omitempty" doc:"Of the file, up to 1,024 characters; sounds and stickers have none"`
	Location        *NewLocation    `json:"location,omitempty" doc:"A place"`
	Contacts        []Card          `json:"contacts,omitempty" maxItems:"257" nullable:"false" doc:"Contact cards"`
	Interactive     *NewInteractive `json:"interactive,omitempty" doc:"A text with buttons, a list or a link under it"`
	LocationRequest *NewQuestion    `json:"location_request,omitempty" doc:"Asks for a place, with a button that sends it"`
	ContactRequest  *NewQuestion    `json:"contact_request,omitempty" doc:"Asks citizens of whom only a user name is known for their phone number, with a button that gives it"`
}

// NewLocation is a place to send.
type NewLocation struct {
	_         struct{} `additionalProperties:"false"`
	Latitude  float64  `json:"latitude" minimum:"-90" maximum:"90" example:"44.0594"`
	Longitude float64  `json:"longitude" minimum:"-180" maximum:"180" example:"12.5683"`
	Name      string   `json:"name,omitempty" maxLength:"200" example:"Municipio"`
	Address   string   `json:"address,omitempty" maxLength:"200" example:"Piazza Cavour 27"`
}

type sendMessage struct {
	ID string `path:"id" example:"3797402938376192"`
	Keyed
	Body NewMessage
}

func sendOperation() huma.Operation {
	examples := map[string]*huma.Example{
		"text":     {Summary: "A text that quotes a message", Value: map[string]any{"text": "Buongiorno, l’anagrafe apre alle 8:30.", "reply_to": "3797402938376193"}},
		"template": {Summary: "An approved template", Value: map[string]any{"template": map[string]any{"name": "avviso", "language": "it", "parameters": []string{"lunedì 2 marzo"}}}},
		"buttons": {Summary: "A question with two buttons", Value: map[string]any{"interactive": map[string]any{"text": "Vuole un appuntamento?",
			"buttons": []any{map[string]any{"id": "si", "title": "Sì"}, map[string]any{"id": "no", "title": "No"}}}}},
		"place_asked": {Summary: "A request for a place", Value: map[string]any{"location_request": map[string]any{"text": "Dove si trova la buca?"}}},
		"card": {Summary: "The card of an office", Value: map[string]any{"contacts": []any{map[string]any{
			"name": map[string]any{"formatted_name": "Ufficio Anagrafe", "first_name": "Anagrafe"}, "phones": []any{map[string]any{"phone": "+39 0541 704704", "type": "WORK"}}}}}},
		"file": {Summary: "A file with a caption", Value: map[string]any{"media_id": "3797402938376195", "caption": "Il modulo"}},
	}
	return huma.Operation{
		OperationID: "sendMessage", Method: http.MethodPost, Path: "/conversations/{id}/messages", Tags: []string{"messages"}, DefaultStatus: http.StatusAccepted,
		Summary: "Send a message to the citizen of a conversation",
		Description: "It is queued, and sent in order. The token is its author and holds nothing: who answers the conversation stays who they were. " +
			"It is a conflict where a person holds the conversation (`held_by`), and refused once the 24 hours after the citizen's last message are over (`window_closed`), when only templates may be sent.",
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Examples: examples}}},
	}
}

// The failures of what to send.
var (
	errForm        = fault.New(fault.Invalid, "api.message_form")
	errNotApproved = fault.New(fault.Invalid, "api.template_not_approved")
	errNoTemplate  = fault.New(fault.Invalid, "error.template_not_found")
	errUnsupported = fault.New(fault.Invalid, "api.template_unsupported")
	errFile        = fault.New(fault.Invalid, "api.media_unknown")
	errFileState   = fault.New(fault.Invalid, "api.media_not_ready")
	errAbove       = fault.New(fault.Invalid, "api.media_above")
	errCaption     = fault.New(fault.Invalid, "api.audio_caption") // WhatsApp would not show it
)

func (s *server) sendMessage(ctx context.Context, in *sendMessage) (*sentMessage, error) {
	key := rand.Text() // once keeps a repeated request from coming this far
	out, err := once(ctx, s, http.StatusAccepted, func(ctx context.Context, tx *db.Tx) (Message, error) {
		c, err := visible(ctx, tx, in.ID)
		if err != nil {
			return Message{}, err
		}
		out, err := s.outgoing(ctx, tx, c, in.Body)
		if err != nil {
			return Message{}, err
		}
		out.ClientKey = key
		m, err := conversation.Send(ctx, tx, callOf(ctx).actor, c.ID, out)
		if err != nil {
			return Message{}, err
		}
		if err := media.Attach(ctx, tx, callOf(ctx).actor.Municipality, m.MediaID, m.ID); err != nil {
			return Message{}, err
		}
		return describeOne(ctx, tx, m)
	})
	if err != nil {
		return nil, err
	}
	return &sentMessage{Location: Prefix + "/messages/" + out.ID, Body: out}, nil
}

// outgoing is what is to be sent, checked as far as it is ours to check.
func (s *server) outgoing(ctx context.Context, tx *db.Tx, c conversation.Conversation, in NewMessage) (conversation.Outgoing, error) {
	if err := in.check(); err != nil {
		return conversation.Outgoing{}, err
	}
	var out conversation.Outgoing
	var err error
	switch {
	case in.Template != nil:
		return s.template(ctx, tx, c, *in.Template)
	case in.Location != nil:
		out = conversation.Outgoing{Type: conversation.TypeLocation, Location: in.Location.place()}
	case in.Contacts != nil:
		out = conversation.Outgoing{Type: conversation.TypeContacts}
		for _, c := range in.Contacts {
			out.Contacts = append(out.Contacts, c.wire())
		}
	case in.Interactive != nil:
		out, err = offered(ctx, tx, *in.Interactive)
	case in.LocationRequest != nil:
		out = asking(in.LocationRequest.Text, conversation.AskPlace)
	case in.ContactRequest != nil:
		out = asking(in.ContactRequest.Text, conversation.AskPhone)
	case in.MediaID != "":
		out, err = file(ctx, tx, in.MediaID, in.Caption)
	default:
		out = conversation.Outgoing{Type: conversation.TypeText, Text: in.Text}
	}
	if err == nil && in.ReplyTo != "" {
		out.ReplyTo, err = quoted(in.ReplyTo)
	}
	return out, err
}

func (l NewLocation) place() *conversation.Location {
	return &conversation.Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address}
}

func asking(text string, what conversation.Asked) conversation.Outgoing {
	return conversation.Outgoing{Type: conversation.TypeInteractive, Text: text, Interactive: &conversation.Interactive{Asks: what}}
}

// offered is a text with something to tap. What stands above it is a file that Meta shows there.
func offered(ctx context.Context, tx *db.Tx, in NewInteractive) (conversation.Outgoing, error) {
	offer, err := in.offer()
	out := conversation.Outgoing{Type: conversation.TypeInteractive, Text: in.Text, Interactive: offer}
	if err != nil || in.MediaID == "" {
		return out, err
	}
	f, err := readyFile(ctx, tx, in.MediaID)
	if err != nil {
		return out, err
	}
	if kind := media.GoesAs(f.MIME); kind == conversation.TypeAudio || kind == conversation.TypeSticker {
		return out, errAbove
	}
	out.MediaID = f.ID
	return out, nil
}

// check holds that there is one thing to send, and nothing that does not go with it.
func (n NewMessage) check() error {
	things := 0
	for _, there := range []bool{n.Text != "", n.Template != nil, n.MediaID != "", n.Location != nil, n.Contacts != nil, n.Interactive != nil,
		n.LocationRequest != nil, n.ContactRequest != nil} {
		if there {
			things++
		}
	}
	switch {
	case things == 0 && n.Caption == "":
		return conversation.ErrEmpty
	case things != 1, n.Caption != "" && n.MediaID == "", n.ReplyTo != "" && n.Template != nil:
		return errForm
	}
	return nil
}

func quoted(id string) (int64, error) {
	key, ok := db.ParseID(id)
	if !ok {
		return 0, conversation.ErrQuoted
	}
	return key, nil
}

// readyFile is a file that is ready and that the token may see.
func readyFile(ctx context.Context, tx *db.Tx, id string) (media.File, error) {
	f, err := visibleFile(ctx, tx, id)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return f, errFile
	case err != nil:
		return f, err
	case f.State != media.Ready:
		return f, errFileState
	}
	return f, media.CheckSendable(f)
}

func file(ctx context.Context, tx *db.Tx, id, caption string) (conversation.Outgoing, error) {
	f, err := readyFile(ctx, tx, id)
	if err != nil {
		return conversation.Outgoing{}, err
	}
	out := conversation.Outgoing{Type: media.GoesAs(f.MIME), MediaID: f.ID, Text: caption}
	if out.Type == conversation.TypeAudio && caption != "" {
		return out, errCaption
	}
	return out, nil
}
