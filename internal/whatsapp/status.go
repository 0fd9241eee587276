// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// StatusUpdate tells how far a message of ours has come. They arrive in any
// order, several times, and possibly before the answer to the send itself.
type StatusUpdate struct {
	ID         string // wamid of our message
	Status     string // sent, delivered, read, played, failed; unknown ones are kept
	At         time.Time
	AtFallback bool // no usable time: take that of receipt

	RecipientPhone        string // digits; "" when sent to a user id and hidden
	RecipientUserID       string
	RecipientParentUserID string
	Name, Username        string // of the recipient, when Meta sends them

	CallbackData string // our own biz_opaque_callback_data, given back
	Pricing      *Pricing
	Errors       []Error // why it failed
	GroupID      string  // set for groups, whose updates are not a citizen's
	Subject      string  // what it is about where that is no message, such as "payment"
	Raw          json.RawMessage
}

// Statuses of a message that Meta documents.
const (
	StatusSent      = "sent"
	StatusDelivered = "delivered"
	StatusRead      = "read"
	StatusPlayed    = "played"
	StatusFailed    = "failed"
)

// Pricing is how Meta counts a message.
type Pricing struct {
	Billable bool   // deprecated by Meta: Type and Category tell more
	Model    string // "PMP" since July 2025
	Type     string // regular (charged), free_customer_service, free_entry_point, …
	Category string // service, utility, marketing, authentication, …
}

func (r *reader) status(v gjson.Result, known people) {
	var s StatusUpdate
	var at, recipient, group, participant, participantUser gjson.Result
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "id":
			s.ID = text(v)
		case "status":
			s.Status = text(v)
		case "timestamp":
			at = v
		case "recipient_id":
			recipient = v
		case "recipient_user_id":
			s.RecipientUserID = text(v)
		case "recipient_parent_user_id":
			s.RecipientParentUserID = userID(v)
		case "biz_opaque_callback_data":
			s.CallbackData = text(v)
		case "pricing":
			s.Pricing = readPricing(v)
		case "errors":
			s.Errors = readErrors(v)
		case "recipient_type":
			group = v
		case "type":
			if kind := strings.ToLower(text(v)); kind != "message" {
				s.Subject = kind
			}
		case "recipient_participant_id":
			participant = v
		case "recipient_participant_user_id":
			participantUser = v
		}
	})
	if !usableID(s.ID) {
		r.change.bad(BadID, "A status update has no usable message id.", v)
		return
	}
	if s.Status == "" {
		r.change.bad(BadStatus, "A status update does not say which status.", v)
		return
	}
	if text(group) == "group" || participant.Exists() || participantUser.Exists() {
		s.GroupID = text(recipient)
		recipient = participant
		if s.RecipientUserID == "" {
			s.RecipientUserID = text(participantUser)
		}
	}
	s.addressee(text(recipient), known)
	when, ok := moment(at)
	s.At, s.AtFallback = when, !ok
	s.Raw = raw(v)
	r.change.Statuses = append(r.change.Statuses, s)
}

// addressee settles who the recipient is, with what contacts[] knows of them.
func (s *StatusUpdate) addressee(recipient string, known people) {
	who := Sender{}
	who.address(recipient)
	who.identify(s.RecipientUserID)
	who.ParentUserID = s.RecipientParentUserID
	if contact := known.find(&who, false); contact != nil {
		who.complete(contact)
	}
	s.RecipientPhone, s.RecipientUserID, s.RecipientParentUserID = who.Phone, who.UserID, who.ParentUserID
	s.Name, s.Username = who.Name, who.Username
}

func readPricing(v gjson.Result) *Pricing {
	if !v.IsObject() {
		return nil
	}
	p := &Pricing{}
	each(v, func(key string, v gjson.Result) {
		switch key {
		case "billable":
			p.Billable = truth(v)
		case "pricing_model":
			p.Model = text(v)
		case "type":
			p.Type = text(v)
		case "category":
			p.Category = text(v)
		}
	})
	return p
}
