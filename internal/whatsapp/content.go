// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"
)

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

// Order is a catalogue order.
type Order struct {
	CatalogID, Text string
	Items           []OrderItem
}

// OrderItem is a line of an order, its figures as they were written.
type OrderItem struct{ RetailerID, Quantity, Price, Currency string }

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

func (m *Message) readRevoke(v gjson.Result) bool {
	m.TargetID = text(v.Get("original_message_id"))
	return usableID(m.TargetID)
}
