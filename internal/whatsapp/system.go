// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"

	"github.com/tidwall/gjson"
)

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

// identityHash reads the hash alone or within its object: both are in use.
func identityHash(v gjson.Result) string {
	if v.IsObject() {
		return text(v.Get("hash"))
	}
	return text(v)
}
