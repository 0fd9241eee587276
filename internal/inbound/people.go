// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"cmp"
	"context"
	"slices"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// resolve finds the contacts of people, in their order, and settles what is learnt with them: who turned out to be one
// citizen, and who wants no marketing messages.
func (s *sorted) resolve(ctx context.Context, tx *db.Tx) (contacts []int64, err error) {
	contacts, merges, err := contact.Resolve(ctx, tx, s.m.ID, s.people())
	if err != nil {
		return nil, err
	}
	preferred := s.preferred(contacts)
	if len(merges)+len(preferred) > 0 {
		everybody := slices.Clone(contacts)
		for _, merge := range merges {
			everybody = append(everybody, merge.From, merge.Into)
		}
		if err := broadcast.Hold(ctx, tx, s.m.ID, everybody); err != nil {
			return nil, err
		}
	}
	if err := conversation.Merge(ctx, tx, s.m.ID, merges); err != nil {
		return nil, err
	}
	if err := broadcast.Merge(ctx, tx, s.m, merges); err != nil {
		return nil, err
	}
	return contacts, broadcast.Prefer(ctx, tx, s.m, preferred)
}

// people are the senders, in the order of the messages, then those who told WhatsApp of a wish, and then those whom
// statuses name by two addresses, which may tie contacts together.
func (s *sorted) people() []contact.Person {
	people := make([]contact.Person, 0, len(s.messages))
	for _, m := range s.messages {
		people = append(people, person(m))
	}
	for _, w := range s.wishes {
		people = append(people, contact.Person{Phone: w.Phone, UserID: w.UserID, At: w.At})
	}
	seen := make(map[string]bool)
	for _, u := range s.statuses {
		if u.RecipientPhone == "" || u.RecipientUserID == "" || seen[u.RecipientUserID] {
			continue
		}
		seen[u.RecipientUserID] = true
		people = append(people, contact.Person{Phone: u.RecipientPhone, UserID: u.RecipientUserID, ParentUserID: u.RecipientParentUserID,
			Name: u.Name, Username: u.Username, At: u.At, OnlyKnown: true})
	}
	return people
}

// preferred are the wishes about marketing messages, which is the only category there is.
func (s *sorted) preferred(contacts []int64) []broadcast.Preference {
	var out []broadcast.Preference
	for i, w := range s.wishes {
		if (w.Category == "" || w.Category == "marketing_messages") && (w.Value == "stop" || w.Value == "resume") {
			out = append(out, broadcast.Preference{Contact: contacts[len(s.messages)+i], Stop: w.Value == "stop", At: w.At, Detail: clip(w.Detail), Number: w.number})
		}
	}
	return out
}

// person is who sent a message. One that tells of a change of number or id names both the new
// addresses and those they replace.
func person(m received) contact.Person {
	p := contact.Person{Phone: m.From.Phone, UserID: m.From.UserID, ParentUserID: m.From.ParentUserID, Name: m.From.Name, Username: m.From.Username, At: m.At}
	for _, c := range m.Contacts { // given because we asked for it: the citizen's own
		if c.Origin == ownCard && len(c.Phones) > 0 && p.Phone == "" {
			p.Phone = whatsapp.Phone(c.Phones[0].WaID)
		}
	}
	if m.System == nil || (m.System.Type != whatsapp.SystemChangedNumber && m.System.Type != whatsapp.SystemChangedUserID) {
		return p
	}
	changes := m.System
	was := func(kind contact.Kind, old, renewed string) string {
		if renewed == "" || renewed == old {
			return old
		}
		if old != "" {
			p.Was = append(p.Was, contact.Key{Kind: kind, Value: old})
		}
		return renewed
	}
	p.Phone = was(contact.Phone, p.Phone, changes.Phone)
	p.UserID = was(contact.BSUID, cmp.Or(changes.PreviousUserID, p.UserID), changes.UserID)
	p.ParentUserID = was(contact.Parent, cmp.Or(changes.PreviousParentUserID, p.ParentUserID), changes.ParentUserID)
	return p
}
