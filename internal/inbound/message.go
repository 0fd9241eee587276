// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
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
	whatsapp.KindOrder:          conversation.TypeOrder,
	whatsapp.KindSystem:         conversation.TypeSystem,
	whatsapp.KindRequestWelcome: conversation.TypeSystem,
}

// message is what a conversation keeps of what WhatsApp delivered.
func message(tx *db.Tx, m received, contact int64) conversation.Message {
	out := conversation.Message{ID: tx.NewID(), ContactID: contact, Number: m.number, Type: types[m.Kind], Text: m.Text, ReplyTo: m.ReplyTo,
		ExternalID: m.Message.ID, At: m.At, Place: m.place}
	if m.Media != nil {
		out.MediaID = tx.NewID()
	}
	out.Detail = conversation.Detail{Forwarded: m.Forwarded, Often: m.Frequently, TimeGuess: m.AtFallback,
		Reaction: reaction(m.Reaction), Referral: referral(m.Referral), Problems: problems(m.Errors)}
	if p := m.Product; p != nil {
		out.Detail.Product = &conversation.Product{Catalog: p.CatalogID, ID: p.RetailerID}
	}
	place(&out, m.Location)
	cards(&out, m.Contacts)
	answer(&out, m.Reply)
	order(&out, m.Order)
	system(&out, m)
	if out.Type == "" {
		out.Type = conversation.TypeUnsupported
		out.Detail.Kind = cmp.Or(m.Subtype, m.Type)
	}
	if out.Type == conversation.TypeUnsupported || len(out.Detail.Problems) > 0 {
		out.Detail.Raw = clean(m.Raw)
	}
	return out
}

// revisionKinds are the kinds of WhatsApp's that change an earlier message.
var revisionKinds = map[whatsapp.MessageKind]conversation.RevisionKind{
	whatsapp.KindEdit:   conversation.Edit,
	whatsapp.KindRevoke: conversation.Revoke,
}

func revision(m received, kind conversation.RevisionKind, contact int64) conversation.Revision {
	r := conversation.Revision{ExternalID: m.Message.ID, Target: m.TargetID, ContactID: contact, Number: m.number, Kind: kind, Text: m.Text,
		SameText: m.Unclear || kind == conversation.Revoke, At: m.At, Place: m.place}
	if r.ExternalID == r.Target { // it came under the message's own id, which stands for what that said at first
		r.ExternalID += "#" + string(kind) + strconv.FormatInt(m.At.Unix(), 10)
	}
	return r
}

// correction is what an edit says, as a word to the desk: whoever corrects a keyword means it. Where it is none, the
// edit revises its message and is no message of its own.
func correction(tx *db.Tx, m received, r conversation.Revision) conversation.Message {
	out := conversation.Message{ID: tx.NewID(), ContactID: r.ContactID, Number: r.Number, Type: conversation.TypeText, Text: r.Text, ExternalID: r.ExternalID,
		At: r.At, Place: r.Place, Detail: conversation.Detail{Corrects: true, TimeGuess: m.AtFallback}}
	if m.Media != nil { // the words stand under a file, as which only leaving counts
		out.Type = conversation.TypeImage
	}
	return out
}

func reaction(r *whatsapp.Reaction) *conversation.Reaction {
	if r == nil {
		return nil
	}
	return &conversation.Reaction{ExternalID: r.MessageID, Emoji: r.Emoji}
}

func referral(r *whatsapp.Referral) *conversation.Referral {
	if r == nil {
		return nil
	}
	return &conversation.Referral{URL: r.URL, Headline: r.Headline, Body: cmp.Or(r.Body, r.Welcome), Source: r.SourceType, SourceID: r.SourceID}
}

func problems(errors []whatsapp.Error) (out []conversation.Problem) {
	for _, e := range errors {
		out = append(out, conversation.Problem{Code: e.Code, Detail: cmp.Or(e.Details, e.Message, e.Title)})
	}
	return out
}

func place(out *conversation.Message, l *whatsapp.Location) {
	if l == nil {
		return
	}
	out.Detail.Location = &conversation.Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address, URL: l.URL}
	out.Text = joined(", ", l.Name, l.Address)
}

// cards keeps contact cards; their names are the text, so that a search finds them.
func cards(out *conversation.Message, contacts []whatsapp.ContactCard) {
	if len(contacts) == 0 {
		return
	}
	cards, err := json.Marshal(contacts)
	if err != nil { // plain texts always marshal
		return
	}
	out.Detail.Contacts = cards
	names := make([]string, len(contacts))
	for i, c := range contacts {
		names[i] = cardName(c)
		out.Detail.OwnPhone = out.Detail.OwnPhone || c.Origin == ownCard
	}
	out.Text = joined(", ", names...)
}

// cardName is what a card is called: by the name on it, or by what else it says.
func cardName(c whatsapp.ContactCard) string {
	name := cmp.Or(c.Name.Formatted, joined(" ", c.Name.First, c.Name.Last))
	if name == "" && c.Org != nil {
		name = c.Org.Company
	}
	if name == "" && len(c.Phones) > 0 {
		name = cmp.Or(c.Phones[0].Phone, c.Phones[0].WaID)
	}
	if name == "" && len(c.Emails) > 0 {
		name = c.Emails[0].Email
	}
	return name
}

// ownCard is the origin of a card by which citizens give their own number, because we asked; every other card
// is somebody else's. https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
const ownCard = "contact_request"

func answer(out *conversation.Message, r *whatsapp.InteractiveReply) {
	switch {
	case r == nil:
	case r.Type == "nfm_reply":
		out.Type = conversation.TypeForm
		out.Detail.Form = &conversation.Form{Name: r.Name, Answers: clean(r.Response)}
		out.Text = cmp.Or(readable(r.Response), r.Words, r.Title)
	case r.Type == "call_permission_reply":
		out.Detail.Call = &conversation.CallPermission{Granted: r.Title == "accept"}
		if !r.Expires.IsZero() {
			out.Detail.Call.Until = &r.Expires
		}
	default:
		out.Detail.Choice = &conversation.Choice{ID: r.ID, Title: r.Title, Description: r.Description}
	}
}

// order writes the lines of an order as they are read: how many, of what, for how much.
func order(out *conversation.Message, o *whatsapp.Order) {
	if o == nil {
		return
	}
	kept := &conversation.Order{Catalog: o.CatalogID}
	var lines []string
	for _, item := range o.Items {
		kept.Items = append(kept.Items, conversation.OrderItem{Product: item.RetailerID, Quantity: item.Quantity, Price: item.Price, Currency: item.Currency})
		lines = append(lines, joined(" ", cmp.Or(item.Quantity, "?"), "×", item.RetailerID, joined(" ", item.Price, item.Currency)))
	}
	out.Detail.Order = kept
	out.Text = joined("\n", append(lines, o.Text)...)
}

func system(out *conversation.Message, m received) {
	if m.Kind == whatsapp.KindRequestWelcome {
		out.Detail.System = string(m.Kind)
	}
	if m.System != nil {
		out.Detail.System, out.Detail.Phone = m.System.Type, m.System.Phone
	}
}

func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" }), by)
}
