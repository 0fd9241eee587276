// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// MessageKind is what a message is to a reader. Meta's own type, which may be
// newer than this code, is in Message.Type.
type MessageKind string

// Kinds of message. Those marked (out) can be sent.
const (
	KindText           MessageKind = "text"            // out
	KindImage          MessageKind = "image"           // out
	KindVideo          MessageKind = "video"           // out
	KindAudio          MessageKind = "audio"           // out; a sound file
	KindVoice          MessageKind = "voice"           // out; a voice note
	KindDocument       MessageKind = "document"        // out
	KindSticker        MessageKind = "sticker"         // out
	KindLocation       MessageKind = "location"        // out
	KindContacts       MessageKind = "contacts"        // out; contact cards
	KindReaction       MessageKind = "reaction"        // out
	KindInteractive    MessageKind = "interactive"     // out; in: a reply to list, buttons or form
	KindTemplate       MessageKind = "template"        // out only
	KindButton         MessageKind = "button"          // quick reply of a template
	KindOrder          MessageKind = "order"           // of a catalogue
	KindSystem         MessageKind = "system"          // a change of number or identity
	KindRequestWelcome MessageKind = "request_welcome" // first opening of the chat
	KindEdit           MessageKind = "edit"            // of an earlier message
	KindRevoke         MessageKind = "revoke"          // of an earlier message
	KindUnsupported    MessageKind = "unsupported"     // unknown, or without its content
)

// Message is what a citizen sent. Exactly the content of its Kind is set.
type Message struct {
	ID         string // wamid, unique per business number
	From       Sender
	At         time.Time
	AtFallback bool   // no usable time: take that of receipt
	Type       string // Meta's type, unknown ones kept
	Kind       MessageKind
	Text       string // what a person would read: body, caption, title, emoji

	Media    *Media
	Location *Location
	Contacts []ContactCard
	Reaction *Reaction
	Reply    *InteractiveReply
	Order    *Order
	System   *System

	TargetID string // of KindEdit and KindRevoke: the message concerned
	Unclear  bool   // of KindEdit: it does not tell what the message says now

	ReplyTo     string // wamid of the quoted message
	ContextFrom string // who wrote the quoted message: phone or user id
	Forwarded   bool
	Frequently  bool            // forwarded more than five times
	Product     *Product        // the product the citizen asks about
	Referral    *Referral       // the advertisement the citizen came from
	GroupID     string          // set: a group's message, never a citizen's own
	Subtype     string          // of KindUnsupported: what WhatsApp says it was, such as "poll"
	Errors      []Error         // why content is missing or unsupported
	Raw         json.RawMessage // the message as it came
}

// Product is one of a catalogue.
type Product struct{ CatalogID, RetailerID string }

// Referral is the advertisement or post by which a citizen came to the chat.
type Referral struct {
	URL, SourceID, SourceType string
	Headline, Body, Welcome   string
}

func (r *reader) message(v gjson.Result, known people, single bool) {
	var m Message
	at, from, user := m.readEnvelope(v)
	if !usableID(m.ID) {
		r.change.bad(BadID, "A message has no usable id.", v)
		return
	}
	if m.Type == "" {
		m.Type = presentType(v)
	}
	if !m.content(v) {
		r.change.bad(BadContent, "The content of a message has not the shape of its type.", v)
		return
	}
	m.sender(text(from), text(user), known, single)
	if !m.From.usable() {
		r.change.bad(BadSender, "A message comes from neither a phone nor a user id.", v)
		return
	}
	when, ok := moment(at)
	m.At, m.AtFallback = when, !ok
	m.Raw = raw(v)
	r.change.Messages = append(r.change.Messages, m)
}

// readEnvelope reads what messages of all types have, and returns what takes
// more than a look at itself: when it was sent, and who sent it, by phone and
// by user id.
func (m *Message) readEnvelope(v gjson.Result) (at, from, user gjson.Result) {
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "id":
			m.ID = text(v)
		case "type":
			m.Type = strings.ToLower(text(v))
		case "timestamp":
			at = v
		case "from":
			from = v
		case "from_user_id":
			user = v
		case "from_parent_user_id":
			m.From.ParentUserID = userID(v)
		case "context":
			m.context(v)
		case "referral":
			m.Referral = readReferral(v)
		case "group_id":
			m.GroupID = text(v)
		case "identity":
			m.From.IdentityHash = identityHash(v)
		case "errors":
			m.Errors = readErrors(v)
		}
	})
	return at, from, user
}

// sender settles who wrote, with what contacts[] knows of them. A system
// message may name only the previous user id of whom it is about.
func (m *Message) sender(from, user string, known people, single bool) {
	m.From.address(from)
	m.From.identify(user)
	if m.System != nil && !m.From.usable() {
		m.From.address(m.System.customer)
		m.From.address(m.System.PreviousUserID)
	}
	if contact := known.find(&m.From, single); contact != nil {
		m.From.complete(contact)
	}
}

func (m *Message) context(v gjson.Result) {
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "id":
			m.ReplyTo = text(v)
		case "from":
			m.ContextFrom = text(v)
		case "from_user_id":
			if m.ContextFrom == "" {
				m.ContextFrom = text(v)
			}
		case "forwarded":
			m.Forwarded = m.Forwarded || truth(v)
		case "frequently_forwarded":
			m.Frequently = truth(v)
			m.Forwarded = m.Forwarded || m.Frequently
		case "referred_product":
			if v.IsObject() {
				m.Product = &Product{CatalogID: text(v.Get("catalog_id")), RetailerID: text(v.Get("product_retailer_id"))}
			}
		}
	})
}

func readReferral(v gjson.Result) *Referral {
	if !v.IsObject() {
		return nil
	}
	return &Referral{
		URL:        text(v.Get("source_url")),
		SourceID:   text(v.Get("source_id")),
		SourceType: text(v.Get("source_type")),
		Headline:   text(v.Get("headline")),
		Body:       text(v.Get("body")),
		Welcome:    text(v.Get("welcome_message.text")),
	}
}
