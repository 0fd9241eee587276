// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"encoding/json"
	"slices"
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

// Media is a file of a message. The id lives for 7 days, the address minutes.
type Media struct {
	ID       string
	URL      string // may be absent; needs the token
	MIME     string // as WhatsApp says; not to be believed
	SHA256   string // base64 or hexadecimal, as it came
	Caption  string
	Filename string
	Voice    bool // a voice note
	Animated bool // an animated sticker
}

// Location is a place; 0 is a latitude.
type Location struct {
	Latitude, Longitude float64
	Name, Address, URL  string
}

// Reaction is an emoji put under a message; an empty one takes it away.
type Reaction struct {
	MessageID string
	Emoji     string
}

// InteractiveReply is what a citizen chose or filled in.
type InteractiveReply struct {
	Type        string // button_reply, list_reply, nfm_reply, button, …
	ID          string // ours, of the choice; the payload of a template's button
	Title       string
	Description string          // of a list row
	Name        string          // of nfm_reply: "flow", "address_message"
	Response    json.RawMessage // of nfm_reply: the answers, if they are JSON
	Words       string          // of nfm_reply: the answers, if they are not
	Expires     time.Time       // of call_permission_reply: until when; zero for ever, or unknown
}

// Order is a catalogue order.
type Order struct {
	CatalogID, Text string
	Items           []OrderItem
}

// OrderItem is a line of an order, its figures as they were written.
type OrderItem struct{ RetailerID, Quantity, Price, Currency string }

// System tells of a change of the citizen's number or identity. The sender of
// the message is who they were before.
type System struct {
	Type                 string // one of the System… constants, unknown ones kept
	Body                 string
	Phone                string // new number, digits; "" if hidden or unchanged
	UserID               string // new BSUID
	ParentUserID         string
	PreviousUserID       string
	PreviousParentUserID string
	IdentityHash         string

	customer string // who they were, in the older shape
}

// Types of system message, under their present names.
const (
	SystemChangedNumber   = "user_changed_number"
	SystemChangedUserID   = "user_changed_user_id"
	SystemChangedIdentity = "customer_identity_changed"
)

// presentNames are those of system messages that have come under another one.
var presentNames = map[string]string{
	"customer_changed_number": SystemChangedNumber,
	"user_identity_changed":   SystemChangedIdentity,
}

func (r *reader) message(v gjson.Result, known people, single bool) {
	var m Message
	var at, from, user gjson.Result
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
	if !usableID(m.ID) {
		r.change.bad(BadID, "A message has no usable id.", v)
		return
	}
	if m.Type == "" {
		m.Type = presentType(v)
	}
	ok := m.content(v)
	if !ok {
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

// sender settles who wrote, with what contacts[] knows of them. A system
// message may name only the previous user id of whom it is about.
func (m *Message) sender(from, user string, known people, single bool) {
	m.From.address(from)
	m.From.address(user)
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

// content reads what the type promises. A type we do not know, or content that
// is absent, makes an unsupported message, because the citizen did write; only
// content of another shape is not ok.
func (m *Message) content(v gjson.Result) (ok bool) {
	if m.Type == "edit" {
		return m.readEdit(v.Get("edit"))
	}
	read, known := contents[m.Type]
	if !known {
		m.Kind = KindUnsupported
		return true
	}
	m.Kind = read.kind
	if m.Kind == KindUnsupported {
		m.Subtype = text(v.Get("unsupported.type"))
	}
	if read.into == nil {
		return true
	}
	content := v.Get(m.Type)
	if content.Type == gjson.Null {
		m.Kind = KindUnsupported
		return true
	}
	if list := content.Array(); content.IsArray() && len(list) == 1 && m.Type != "contacts" {
		content = list[0] // one, with an array around it
	}
	return read.into(m, content)
}

// contents says how each type of Meta's is read. The keys are also the names
// of the content objects. Readers tell whether the content has a shape they
// know.
var contents = map[string]struct {
	kind MessageKind
	into func(m *Message, v gjson.Result) (ok bool)
}{
	"text":            {KindText, (*Message).readText},
	"image":           {KindImage, (*Message).readMedia},
	"video":           {KindVideo, (*Message).readMedia},
	"audio":           {KindAudio, (*Message).readMedia},
	"voice":           {KindVoice, (*Message).readMedia},
	"document":        {KindDocument, (*Message).readMedia},
	"sticker":         {KindSticker, (*Message).readMedia},
	"location":        {KindLocation, (*Message).readLocation},
	"contacts":        {KindContacts, (*Message).readContacts},
	"reaction":        {KindReaction, (*Message).readReaction},
	"interactive":     {KindInteractive, (*Message).readInteractive},
	"button":          {KindButton, (*Message).readButton},
	"order":           {KindOrder, (*Message).readOrder},
	"system":          {KindSystem, (*Message).readSystem},
	"request_welcome": {KindRequestWelcome, nil},
	"unsupported":     {KindUnsupported, nil},
	"revoke":          {KindRevoke, (*Message).readRevoke},
}

// presentType tells the type of a message that does not say it by the one content it has; "" where it has none, or
// several.
func presentType(v gjson.Result) (found string) {
	several := false
	each(v, func(key string, content gjson.Result) {
		if read, known := contents[key]; known && read.into != nil && content.IsObject() {
			several = found != ""
			found = key
		}
	})
	if several {
		return ""
	}
	return found
}

func (m *Message) readText(v gjson.Result) bool {
	body := v.Get("body")
	if v.Type == gjson.String { // without the object around it
		body = v
	}
	if body.Type == gjson.Null {
		m.Kind = KindUnsupported
	}
	m.Text = text(body)
	return (v.IsObject() || v.Type == gjson.String) && !body.IsObject() && !body.IsArray()
}

func (m *Message) readMedia(v gjson.Result) bool {
	media := &Media{}
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "id":
			media.ID = text(v)
		case "url":
			media.URL = text(v)
		case "mime_type":
			media.MIME = text(v)
		case "sha256":
			media.SHA256 = text(v)
		case "caption":
			media.Caption = text(v)
		case "filename":
			media.Filename = text(v)
		case "voice":
			media.Voice = truth(v)
		case "animated":
			media.Animated = truth(v)
		}
	})
	m.Text = media.Caption
	if v.IsObject() && !usableID(media.ID) {
		m.Kind = KindUnsupported // nothing to fetch; the errors beside it say why
		return true
	}
	if media.Voice && m.Kind == KindAudio {
		m.Kind = KindVoice
	}
	media.Voice = m.Kind == KindVoice
	m.Media = media
	return v.IsObject()
}

func (m *Message) readLocation(v gjson.Result) bool {
	latitude, hasLatitude := number(v.Get("latitude"))
	longitude, hasLongitude := number(v.Get("longitude"))
	if !hasLatitude || !hasLongitude || latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 {
		return false
	}
	m.Location = &Location{
		Latitude:  latitude,
		Longitude: longitude,
		Name:      text(v.Get("name")),
		Address:   text(v.Get("address")),
		URL:       text(v.Get("url")),
	}
	return true
}

// readReaction takes a missing emoji for a removal, as an empty one is.
func (m *Message) readReaction(v gjson.Result) bool {
	emoji := v.Get("emoji")
	m.Reaction = &Reaction{MessageID: text(v.Get("message_id")), Emoji: text(emoji)}
	m.Text = m.Reaction.Emoji
	return m.Reaction.MessageID != "" && !emoji.IsObject() && !emoji.IsArray()
}

func (m *Message) readInteractive(v gjson.Result) bool {
	m.Reply = &InteractiveReply{Type: text(v.Get("type"))}
	for _, kind := range replies {
		if m.Reply.Type == "" && v.Get(kind).IsObject() {
			m.Reply.Type = kind
		}
	}
	var choice gjson.Result
	if m.Reply.Type == "" {
		return false
	}
	if slices.Contains(replies, m.Reply.Type) {
		choice = v.Get(m.Reply.Type)
	}
	if choice.Type == gjson.Null {
		m.Kind = KindUnsupported
		return true
	}
	m.Reply.read(choice)
	m.Text = cmp.Or(m.Reply.Title, m.Reply.ID)
	return choice.IsObject()
}

// replies are the types of interactive reply; each is also the name of its content.
var replies = []string{"button_reply", "list_reply", "nfm_reply", "call_permission_reply"}

func (r *InteractiveReply) read(choice gjson.Result) {
	each(choice, func(key string, v gjson.Result) {
		switch key {
		case "id":
			r.ID = text(v)
		case "title", "body", "response":
			r.Title = text(v)
		case "description":
			r.Description = text(v)
		case "name":
			r.Name = text(v)
		case "response_json":
			if r.Response = embedded(v); r.Response == nil {
				r.Words = text(v)
			}
		case "expiration_timestamp":
			r.Expires, _ = moment(v)
		}
	})
}

// embedded returns JSON that was sent inside a string, or as such; nil when it
// is not JSON.
func embedded(v gjson.Result) json.RawMessage {
	if v.Type != gjson.String {
		return raw(v)
	}
	if s := []byte(text(v)); json.Valid(s) && !nestsDeeper(v.Str, maxDepth) {
		return s
	}
	return nil
}

func (m *Message) readButton(v gjson.Result) bool {
	m.Reply = &InteractiveReply{Type: "button", ID: text(v.Get("payload")), Title: text(v.Get("text"))}
	if v.Type == gjson.String { // without the object around it
		m.Reply.Title = text(v)
	}
	m.Text = cmp.Or(m.Reply.Title, m.Reply.ID)
	return m.Text != "" || v.IsObject()
}

func (m *Message) readOrder(v gjson.Result) bool {
	m.Order = &Order{CatalogID: text(v.Get("catalog_id")), Text: text(v.Get("text"))}
	for _, item := range v.Get("product_items").Array() {
		m.Order.Items = append(m.Order.Items, OrderItem{
			RetailerID: text(item.Get("product_retailer_id")),
			Quantity:   text(item.Get("quantity")),
			Price:      text(item.Get("item_price")),
			Currency:   text(item.Get("currency")),
		})
	}
	m.Text = m.Order.Text
	return v.IsObject()
}

func (m *Message) readSystem(v gjson.Result) bool {
	s := &System{}
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "type":
			s.Type = text(v)
		case "body":
			s.Body = text(v)
		case "wa_id", "new_wa_id":
			s.Phone = Phone(text(v))
		case "user_id":
			s.UserID = userID(v)
		case "parent_user_id":
			s.ParentUserID = userID(v)
		case "previous_user_id":
			s.PreviousUserID = userID(v)
		case "previous_parent_user_id":
			s.PreviousParentUserID = userID(v)
		case "customer":
			s.customer = text(v)
		case "identity":
			s.IdentityHash = identityHash(v)
		}
	})
	if s.IdentityHash == "" {
		s.IdentityHash = m.From.IdentityHash
	}
	s.Type = cmp.Or(presentNames[s.Type], s.Type)
	m.System = s
	m.Text = s.Body
	return v.IsObject()
}

// readEdit takes the content of the message within for its own.
func (m *Message) readEdit(v gjson.Result) bool {
	inner := v.Get("message")
	edited := Message{Type: cmp.Or(strings.ToLower(text(inner.Get("type"))), presentType(inner))}
	ok := edited.content(inner)
	m.TargetID = text(v.Get("original_message_id"))
	m.Unclear = edited.Kind == KindUnsupported
	m.Kind, m.Text, m.Media, m.Location = KindEdit, edited.Text, edited.Media, edited.Location
	return ok && usableID(m.TargetID) && inner.IsObject()
}

// identityHash reads the hash alone or within its object: both are in use.
func identityHash(v gjson.Result) string {
	if v.IsObject() {
		return text(v.Get("hash"))
	}
	return text(v)
}

func (m *Message) readRevoke(v gjson.Result) bool {
	m.TargetID = text(v.Get("original_message_id"))
	return usableID(m.TargetID)
}
