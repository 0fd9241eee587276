// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Change is what a form does to a citizen's subscriptions.
type Change struct {
	Contact     int64
	Join, Leave []string // keywords
	LeaveAll    bool
	Number      string // phone number id from which the citizen is to get what they join; "" is the municipality's first
	Channel     string // "page": the citizen's own; "counter": an operator enters what the citizen asked for
	Words       string // what the citizen said or signed
	Wording     string // what they had been shown, in full
	Reference   string // of the paper, at the counter
	Language    locale.Language
	Key         string // the same key again changes nothing
}

// The failures of a change.
var (
	ErrTopic     = fault.New(fault.Invalid, "error.list_unknown")
	ErrNumber    = fault.New(fault.Invalid, "error.number_unknown")    // not one of the municipality that is in use
	ErrReference = fault.New(fault.Invalid, "error.consent_reference") // joining at the counter takes a paper
	errNoKey     = fault.New(fault.Invalid, "error.invalid")
)

// Apply does c, with its proof, and returns what the citizen is subscribed to then. On their page a citizen may change
// their own lists; at the counter whoever converses may.
func Apply(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, c Change) ([]Subscription, error) {
	who, err := contact.Get(ctx, tx, m.ID, c.Contact)
	if err != nil {
		return nil, err
	}
	if err := c.check(actor, m); err != nil {
		return nil, err
	}
	all, err := standings(ctx, tx, m.ID, []int64{who.ID}, true)
	if err != nil {
		return nil, err
	}
	if now, err := contact.Get(ctx, tx, m.ID, c.Contact); err != nil || now.ID != who.ID { // merged while this waited
		return nil, cmp.Or(err, db.ErrAgain)
	}
	s := all[who.ID]
	second := tx.Now().Truncate(time.Second) // as WhatsApp's times are
	w := order{at: second, place: amongForms + int(tx.Now().Sub(second).Microseconds()), source: "form:" + c.Key}
	if s.knows(w.source) {
		return SubscriptionsOf(ctx, tx, m.ID, who.ID)
	}
	s.note(w)
	consents := c.do(s, w, tx.Now(), cmp.Or(c.Number, m.File.WhatsApp[0].PhoneNumberID))
	for i := range consents {
		consents[i].Actor = contact.ConsentActor{Kind: string(actor.Kind), ID: actor.ID, Name: actor.Name}
	}
	if err := settle(ctx, tx, m, all, c.Channel); err != nil {
		return nil, err
	}
	policy := policyOf(m.File)
	if err := prove(ctx, tx, m, policy, withNotice(consents, func(c contact.Consent) bool { return strings.Contains(c.Wording, noticeIn(policy)) })); err != nil {
		return nil, err
	}
	return SubscriptionsOf(ctx, tx, m.ID, who.ID)
}

func (c Change) check(actor staff.Actor, m *municipality.Municipality) error {
	if c.Channel == "page" && (actor.Kind != staff.CitizenKind || actor.ID != c.Contact || actor.Municipality != m.ID) {
		return fault.New(fault.Forbidden, "error.forbidden")
	}
	if c.Channel != "page" {
		if err := actor.Require(staff.Converse, m.ID); err != nil {
			return err
		}
	}
	switch {
	case c.Key == "":
		return errNoKey
	case slices.ContainsFunc(c.Join, func(t string) bool { return !isTopic(m.File, t) }):
		return ErrTopic
	case c.Number != "" && !slices.ContainsFunc(m.Numbers, func(n municipality.Number) bool { return n.PhoneNumberID == c.Number }):
		return ErrNumber
	case c.Channel == "counter" && len(c.Join) > 0 && c.Reference == "":
		return ErrReference
	}
	return nil
}

// knows tells whether the form with this source was applied, as far as nothing later has been said of all it changed.
func (s *standing) knows(source string) bool {
	if s.last.source == source || s.left.source == source {
		return true
	}
	for _, t := range s.topics {
		if t.word.source == source {
			return true
		}
	}
	return false
}

// do changes the standing and returns the proof.
func (c Change) do(s *standing, w order, now time.Time, number string) []contact.Consent {
	var out []contact.Consent
	prove := func(event contact.ConsentEvent, topic string) {
		out = append(out, contact.Consent{ContactID: s.contact, Topic: topic, Event: event, At: now, Channel: c.Channel, Number: number, Language: c.Language,
			ExternalID: w.source, Words: c.Words, Wording: c.Wording, Reference: c.Reference})
	}
	if c.LeaveAll {
		for _, topic := range s.leaveAll(w) {
			prove(contact.ConsentWithdrawn, topic)
		}
		return out
	}
	for _, topic := range c.Leave {
		if s.leave(topic, w) {
			prove(contact.ConsentWithdrawn, topic)
		}
	}
	for _, topic := range c.Join {
		if s.join(topic, number, w) {
			prove(contact.ConsentGiven, topic)
		}
	}
	return out
}
