// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Contact is a citizen.
type Contact struct {
	ID            string            `json:"id" example:"3797402938376191" doc:"Of another contact than asked for, if the two turned out to be one"`
	Name          *string           `json:"name" example:"Anna Bianchi"`
	Username      *string           `json:"username" example:"annabianchi"`
	Phone         *string           `json:"phone" example:"+393471234567"`
	UserID        *string           `json:"user_id" example:"IT.13491208655302741918"`
	Addresses     []Address         `json:"addresses" nullable:"false" doc:"Current and earlier ones"`
	Subscriptions []Subscription    `json:"subscriptions" nullable:"false" doc:"Lists the citizen is on"`
	Districts     []ContactDistrict `json:"districts" nullable:"false" doc:"Districts the citizen said are theirs"`
	CreatedAt     time.Time         `json:"created_at" example:"2026-03-02T09:42:00Z"`
}

// Address is something a contact is recognised by.
type Address struct {
	Kind  string     `json:"kind" enum:"phone,bsuid,parent"`
	Value string     `json:"value" example:"+393471234567"`
	Since time.Time  `json:"since" example:"2026-03-02T09:42:00Z" doc:"When it became this contact's, as far as is known"`
	Until *time.Time `json:"until" doc:"When it became an earlier one; null is current"`
}

// Subscription is a list that a citizen is on.
type Subscription struct {
	List   string    `json:"list" example:"EMERGENZE" doc:"Keyword of the list"`
	State  string    `json:"state" enum:"on,suspended" doc:"Suspended gets nothing: the citizen's number changed, and they have yet to confirm"`
	Number *string   `json:"number" example:"100000000000001" doc:"Meta's phone number id of the number from which the citizen gets it; null is the first"`
	Since  time.Time `json:"since" example:"2026-03-02T09:42:00Z" doc:"When this state began"`
}

// ContactDistrict is a district that a citizen said is theirs.
type ContactDistrict struct {
	District string    `json:"district" example:"MARINA" doc:"Keyword of the district"`
	Since    time.Time `json:"since" example:"2026-03-02T09:42:00Z" doc:"When the citizen said so"`
}

type (
	oneContact   struct{ Body Contact }
	someContacts struct{ Body Page[Contact] }
)

type contactID struct {
	ID string `path:"id" example:"3797402938376191"`
}

type findContacts struct {
	Address string `query:"address" required:"true" minLength:"1" maxLength:"200" example:"347 1234567" doc:"A phone in any form (without prefix it is Italian), or a BSUID"`
}

func (s *server) contactRoutes(api huma.API) {
	register(s, api, huma.Operation{OperationID: "findContacts", Method: http.MethodGet, Path: "/contacts", Tags: []string{"contacts"},
		Summary: "Find the contact of an address", Description: "The list has one contact, or none."},
		[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, s.findContacts)
	register(s, api, huma.Operation{OperationID: "getContact", Method: http.MethodGet, Path: "/contacts/{id}", Tags: []string{"contacts"},
		Summary: "Get a contact"},
		[]int{http.StatusForbidden, http.StatusNotFound}, s.getContact)
}

func (s *server) findContacts(ctx context.Context, in *findContacts) (*someContacts, error) {
	var items []Contact
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := s.describeContact(ctx, tx, func(municipality int64) (contact.Contact, error) {
			return contact.ByAddress(ctx, tx, municipality, db.Text(in.Address))
		})
		if errors.Is(err, contact.ErrNotFound) {
			return nil
		}
		items = []Contact{c}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &someContacts{newPage(items, "")}, nil
}

func (s *server) getContact(ctx context.Context, in *contactID) (*oneContact, error) {
	var out Contact
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		out, err = s.describeContact(ctx, tx, byID(ctx, tx, in.ID))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneContact{out}, nil
}

// finding is a way to find a contact of a municipality.
type finding func(municipality int64) (contact.Contact, error)

// byID finds a contact by its id as callers write it.
func byID(ctx context.Context, tx *db.Tx, id string) finding {
	return func(municipality int64) (contact.Contact, error) {
		key, ok := db.ParseID(id)
		if !ok {
			return contact.Contact{}, contact.ErrNotFound
		}
		return contact.Get(ctx, tx, municipality, key)
	}
}

// visibleContact is the contact that find finds, if the token may see it: one of some offices sees those
// whose conversations it sees.
func visibleContact(ctx context.Context, tx *db.Tx, find finding) (contact.Contact, error) {
	actor := callOf(ctx).actor
	if err := actor.Require(staff.Converse, actor.Municipality); err != nil {
		return contact.Contact{}, err
	}
	c, err := find(actor.Municipality)
	if err != nil || len(actor.Offices) == 0 {
		return c, err
	}
	seen, err := conversation.KnownToOffices(ctx, tx, actor.Municipality, c.ID, actor.Offices)
	if err == nil && !seen {
		err = contact.ErrNotFound
	}
	return c, err
}

// describeContact is that contact with its addresses, and what it receives.
func (s *server) describeContact(ctx context.Context, tx *db.Tx, find finding) (Contact, error) {
	c, err := visibleContact(ctx, tx, find)
	if err != nil {
		return Contact{}, err
	}
	municipality := callOf(ctx).actor.Municipality
	addresses, err := contact.Addresses(ctx, tx, municipality, c.ID)
	if err != nil {
		return Contact{}, err
	}
	subscriptions, err := broadcast.SubscriptionsOf(ctx, tx, municipality, c.ID)
	if err != nil {
		return Contact{}, err
	}
	out := newContact(c, addresses)
	if m, ok := s.Directory.ByID(municipality); ok {
		out.subscribe(m.File, subscriptions)
	}
	return out, nil
}

func newContact(c contact.Contact, addresses []contact.Address) Contact {
	out := Contact{ID: db.FormatID(c.ID), Name: known(c.Name), Username: known(c.Username), Phone: known(c.Phone), UserID: known(c.UserID),
		Addresses: []Address{}, Subscriptions: []Subscription{}, Districts: []ContactDistrict{}, CreatedAt: c.CreatedAt}
	for _, a := range addresses {
		address := Address{Kind: string(a.Kind), Value: a.Value, Since: a.Since}
		if a.Until != nil {
			address.Until = new(a.Until.UTC())
		}
		out.Addresses = append(out.Addresses, address)
	}
	return out
}

// subscribe adds the subscriptions to what the municipality still has: lists, and districts.
func (c *Contact) subscribe(f *municipality.File, subscriptions []broadcast.Subscription) {
	for _, s := range subscriptions {
		switch {
		case slices.ContainsFunc(f.Lists, func(l municipality.List) bool { return l.Keyword == s.Topic }):
			c.Subscriptions = append(c.Subscriptions, Subscription{List: s.Topic, State: subscriptionStates[s.State], Number: known(s.Number), Since: s.Since.UTC()})
		case slices.ContainsFunc(f.Districts, func(d municipality.District) bool { return d.Keyword == s.Topic }):
			c.Districts = append(c.Districts, ContactDistrict{District: s.Topic, Since: s.Since.UTC()})
		}
	}
}

var subscriptionStates = map[broadcast.SubscriptionState]string{broadcast.On: "on", broadcast.Suspended: "suspended"}
