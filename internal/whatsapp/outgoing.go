// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Limits of what can be sent, in characters where not said otherwise.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
const (
	MaxText         = 4096 // also the body of a list message
	MaxCaption      = 1024 // also the body of other interactive messages
	MaxCallbackData = 512
	MaxHeader       = 60 // also the footer
	MaxButtons      = 3
	MaxButtonTitle  = 20
	MaxButtonID     = 256
	MaxListRows     = 10 // over all sections
	MaxRowTitle     = 24
	MaxRowDetail    = 72
	MaxRowID        = 200
	MaxLink         = 2000 // an address
	MaxCards        = 257
)

// OutgoingMessage is a message to one citizen, never to a group. The content
// of its Type is required, other contents are an error.
type OutgoingMessage struct {
	To        string // phone, E.164 with +; wins over Recipient
	Recipient string // BSUID, for a citizen without a known phone
	Type      MessageKind

	Text        string // 1 to MaxText characters
	PreviewURL  bool   // shows a preview of the first address in Text
	Media       *OutgoingMedia
	Location    *Location
	Reaction    *Reaction // with an empty emoji it takes the reaction away
	Template    *OutgoingTemplate
	Interactive json.RawMessage // Meta's object, as an Interactive makes it
	Contacts    []ContactCard

	ReplyTo      string // wamid of the message to quote
	CallbackData string // comes back with every status: our own id
}

// OutgoingMedia is a file to send: uploaded (ID) or public (Link), one of both.
type OutgoingMedia struct {
	ID, Link string
	Caption  string // of image, video, document
	Filename string // of document; its extension decides what the phone shows
}

// OutgoingTemplate is an approved template with its values.
type OutgoingTemplate struct {
	Name       string
	Language   string          // code, exactly that of the template
	Components json.RawMessage // as TemplateComponents builds; empty without variables
}

// LimitError is a message that breaks a rule of Meta's. Nothing was written.
type LimitError struct {
	Field string // in Meta's words, such as "text.body"
	Rule  string // what it must be
}

func (e *LimitError) Error() string { return e.Field + " must " + e.Rule }

func limit(field, format string, args ...any) error {
	return &LimitError{Field: field, Rule: fmt.Sprintf(format, args...)}
}

// MarshalJSON is the body of the request that sends the message.
func (m OutgoingMessage) MarshalJSON() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(m.wire())
}

// Validate checks the message against Meta's limits; the error is a
// *LimitError. It does not know windows, templates or what was uploaded.
func (m OutgoingMessage) Validate() error {
	for _, check := range []func() error{m.checkAddress, m.checkEnvelope, m.checkContent} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (m OutgoingMessage) checkAddress() error {
	switch {
	case m.To != "":
		if digits, ok := strings.CutPrefix(m.To, "+"); !ok || Phone(digits) != digits {
			return limit("to", "be + and 4 to 15 digits")
		}
	case !IsUserID(m.Recipient):
		return limit("recipient", "be a phone number or a user id")
	}
	return nil
}

func (m OutgoingMessage) checkEnvelope() error {
	if n := utf8.RuneCountInString(m.CallbackData); n > MaxCallbackData {
		return limit("biz_opaque_callback_data", "have at most %d characters, not %d", MaxCallbackData, n)
	}
	if m.ReplyTo != "" && m.Type == KindReaction {
		return limit("context", "be absent from a reaction")
	}
	return nil
}

func (m OutgoingMessage) checkContent() error {
	switch m.Type {
	case KindText:
		return length("text.body", m.Text, 1, MaxText)
	case KindImage, KindVideo, KindAudio, KindVoice, KindDocument, KindSticker:
		return m.checkMedia()
	case KindLocation:
		return m.checkLocation()
	case KindReaction:
		if m.Reaction == nil || m.Reaction.MessageID == "" {
			return limit("reaction.message_id", "name a message")
		}
		return nil
	case KindTemplate:
		return m.checkTemplate()
	case KindInteractive:
		return checkInteractive(m.Interactive)
	case KindContacts:
		return m.checkContacts()
	default:
		return limit("type", "be one that can be sent, not %q", string(m.Type))
	}
}

func length(field, s string, least, most int) error {
	n := utf8.RuneCountInString(s)
	switch {
	case n < least:
		return limit(field, "not be empty")
	case n > most:
		return limit(field, "have at most %d characters, not %d", most, n)
	case least > 0 && strings.TrimSpace(s) == "":
		return limit(field, "not be blank")
	}
	return nil
}

func (m OutgoingMessage) checkMedia() error {
	kind := mediaType(m.Type)
	switch {
	case m.Media == nil || (m.Media.ID == "") == (m.Media.Link == ""):
		return limit(kind, "have either an id or a link")
	case m.Media.Link != "" && !strings.HasPrefix(m.Media.Link, "https://") && !strings.HasPrefix(m.Media.Link, "http://"):
		return limit(kind+".link", "be a web address")
	case m.Media.Filename != "" && m.Type != KindDocument:
		return limit(kind+".filename", "be absent but for documents")
	case m.Media.Caption != "" && !captioned(m.Type):
		return limit(kind+".caption", "be absent")
	}
	return length(kind+".caption", m.Media.Caption, 0, MaxCaption)
}

func captioned(kind MessageKind) bool {
	return kind == KindImage || kind == KindVideo || kind == KindDocument
}

// mediaType is Meta's word: a voice note is audio with a mark.
func mediaType(kind MessageKind) string {
	if kind == KindVoice {
		return string(KindAudio)
	}
	return string(kind)
}

func (m OutgoingMessage) checkLocation() error {
	l := m.Location
	if l == nil || !(l.Latitude >= -90 && l.Latitude <= 90) || !(l.Longitude >= -180 && l.Longitude <= 180) {
		return limit("location", "have a latitude of -90 to 90 and a longitude of -180 to 180")
	}
	return nil
}

func (m OutgoingMessage) checkTemplate() error {
	t := m.Template
	switch {
	case t == nil || t.Name == "":
		return limit("template.name", "not be empty")
	case t.Language == "":
		return limit("template.language.code", "not be empty")
	case len(t.Components) > 0 && !(json.Valid(t.Components) && gjson.ParseBytes(t.Components).IsArray()):
		return limit("template.components", "be a JSON array")
	}
	return nil
}

func (m OutgoingMessage) checkContacts() error {
	if len(m.Contacts) == 0 || len(m.Contacts) > MaxCards {
		return limit("contacts", "be 1 to %d cards", MaxCards)
	}
	for i, card := range m.Contacts {
		if card.Name.Formatted == "" {
			return limit(fmt.Sprintf("contacts[%d].name.formatted_name", i), "not be empty")
		}
		if card.Name.First == "" && card.Name.Last == "" {
			return limit(fmt.Sprintf("contacts[%d].name", i), "have another part of the name beside formatted_name")
		}
	}
	return nil
}

// wireMessage is Meta's JSON of a message.
type wireMessage struct {
	Product       string          `json:"messaging_product"`
	RecipientType string          `json:"recipient_type"`
	To            string          `json:"to,omitempty"`
	Recipient     string          `json:"recipient,omitempty"`
	Type          string          `json:"type"`
	Context       *wireContext    `json:"context,omitempty"`
	CallbackData  string          `json:"biz_opaque_callback_data,omitempty"`
	Text          *wireText       `json:"text,omitempty"`
	Image         *wireMedia      `json:"image,omitempty"`
	Video         *wireMedia      `json:"video,omitempty"`
	Audio         *wireMedia      `json:"audio,omitempty"`
	Document      *wireMedia      `json:"document,omitempty"`
	Sticker       *wireMedia      `json:"sticker,omitempty"`
	Location      *wireLocation   `json:"location,omitempty"`
	Reaction      *wireReaction   `json:"reaction,omitempty"`
	Template      *wireTemplate   `json:"template,omitempty"`
	Interactive   json.RawMessage `json:"interactive,omitempty"`
	Contacts      []ContactCard   `json:"contacts,omitempty"`
}

type wireContext struct {
	MessageID string `json:"message_id"`
}

type wireText struct {
	Body       string `json:"body"`
	PreviewURL bool   `json:"preview_url"`
}

type wireMedia struct {
	ID       string `json:"id,omitempty"`
	Link     string `json:"link,omitempty"`
	Caption  string `json:"caption,omitempty"`
	Filename string `json:"filename,omitempty"`
	Voice    bool   `json:"voice,omitempty"`
}

// wireLocation has its numbers in strings, as Meta describes the request.
type wireLocation struct {
	Latitude  string `json:"latitude"`
	Longitude string `json:"longitude"`
	Name      string `json:"name,omitempty"`
	Address   string `json:"address,omitempty"`
}

type wireReaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"`
}

type wireTemplate struct {
	Name       string          `json:"name"`
	Language   wireLanguage    `json:"language"`
	Components json.RawMessage `json:"components,omitempty"`
}

type wireLanguage struct {
	Code string `json:"code"`
}

// wire turns a valid message into Meta's JSON. Only the content of its type
// goes along, and only one address: no payload names two recipients.
func (m OutgoingMessage) wire() wireMessage {
	w := wireMessage{
		Product:       "whatsapp",
		RecipientType: "individual",
		To:            m.To,
		Type:          mediaType(m.Type),
		CallbackData:  m.CallbackData,
	}
	if m.To == "" {
		w.Recipient = m.Recipient
	}
	if m.ReplyTo != "" {
		w.Context = &wireContext{MessageID: m.ReplyTo}
	}
	switch m.Type {
	case KindText:
		w.Text = &wireText{Body: m.Text, PreviewURL: m.PreviewURL}
	case KindImage:
		w.Image = m.wireMedia()
	case KindVideo:
		w.Video = m.wireMedia()
	case KindAudio, KindVoice:
		w.Audio = m.wireMedia()
	case KindDocument:
		w.Document = m.wireMedia()
	case KindSticker:
		w.Sticker = m.wireMedia()
	case KindLocation:
		w.Location = &wireLocation{
			Latitude:  strconv.FormatFloat(m.Location.Latitude, 'f', -1, 64),
			Longitude: strconv.FormatFloat(m.Location.Longitude, 'f', -1, 64),
			Name:      m.Location.Name,
			Address:   m.Location.Address,
		}
	case KindReaction:
		w.Reaction = &wireReaction{MessageID: m.Reaction.MessageID, Emoji: m.Reaction.Emoji}
	case KindTemplate:
		w.Template = &wireTemplate{
			Name:       m.Template.Name,
			Language:   wireLanguage{Code: m.Template.Language},
			Components: m.Template.Components,
		}
	case KindInteractive:
		w.Interactive = m.Interactive
	case KindContacts:
		w.Contacts = m.Contacts
	}
	return w
}

func (m OutgoingMessage) wireMedia() *wireMedia {
	return &wireMedia{
		ID:       m.Media.ID,
		Link:     m.Media.Link,
		Caption:  m.Media.Caption,
		Filename: m.Media.Filename,
		Voice:    m.Type == KindVoice,
	}
}
