// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Consent is the proof of something a citizen said about a list, or about the notice.
type Consent struct {
	ID         string          `json:"id" example:"3797402938376198"`
	ContactID  string          `json:"contact_id" example:"3797402938376191" doc:"Whom it was recorded of: another than asked for, if the two turned out to be one"`
	List       *string         `json:"list" example:"EMERGENZE" doc:"Keyword of the list or district; null is the privacy notice, or with the channel meta all marketing messages"`
	Event      string          `json:"event" enum:"asked,given,withdrawn,declined,acknowledged,refused,resumed,imported,suspended"`
	At         time.Time       `json:"at" example:"2026-03-02T09:42:00Z" doc:"When the citizen did it"`
	RecordedAt time.Time       `json:"recorded_at" example:"2026-03-02T09:42:01Z"`
	Channel    string          `json:"channel" enum:"whatsapp,page,counter,import,meta"`
	Number     *string         `json:"number" example:"100000000000001" doc:"Meta's phone number id of the number written to"`
	MessageID  *string         `json:"message_id" example:"3797402938376193" doc:"By which it was done"`
	ExternalID *string         `json:"external_id" example:"wamid.HBgMMzkzNDcxMjM0NTY3" doc:"WhatsApp's id of that message, or ours of a form"`
	Words      *string         `json:"words" example:"iscrizione on #emergenze" doc:"Exactly as received"`
	Wording    *string         `json:"wording" doc:"What the citizen had been shown, in full"`
	Policy     Policy          `json:"policy"`
	Language   string          `json:"language" example:"it"`
	Author     nullable[Actor] `json:"author" doc:"Who entered it; null is the citizen"`
	Reference  *string         `json:"reference" example:"prot. 1234/2026" doc:"Of the paper at the counter, or the basis of an import"`
	Hash       string          `json:"hash" doc:"Of all this, as the audit trail has it"`
}

// Policy is the privacy notice that was in force.
type Policy struct {
	Version string `json:"version" example:"1"`
	Hash    string `json:"hash" doc:"Of its text"`
}

type someConsents struct{ Body Page[Consent] }

type listConsents struct {
	Contact string `query:"contact" required:"true" minLength:"1" maxLength:"20" example:"3797402938376191" doc:"Id of the contact"`
	Paging
}

func (s *server) consentRoutes(api huma.API) {
	register(s, api, huma.Operation{OperationID: "listConsents", Method: http.MethodGet, Path: "/consents", Tags: []string{"contacts"},
		Summary:     "List the proof of a citizen's consents, newest first",
		Description: "The register is append-only: what was said first is never changed by what was said later."},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}, s.listConsents)
}

func (s *server) listConsents(ctx context.Context, in *listConsents) (*someConsents, error) {
	after, err := readCursor(in.Cursor, inConsents)
	if err != nil {
		return nil, err
	}
	var found []contact.Consent
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := visibleContact(ctx, tx, byID(ctx, tx, in.Contact))
		if err != nil {
			return err
		}
		found, err = contact.Consents(ctx, tx, callOf(ctx).actor.Municipality, c.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	shown, next := consentsAfter(found, after.ID, in.Limit)
	var items []Consent
	for _, c := range shown {
		items = append(items, newConsent(c))
	}
	return &someConsents{newPage(items, next)}, nil
}

// consentsAfter is the page of found, newest first, that begins after the one with id; 0 is the first page.
func consentsAfter(found []contact.Consent, id int64, limit int) (page []contact.Consent, next string) {
	if id != 0 {
		found = slices.DeleteFunc(found, func(c contact.Consent) bool { return c.ID >= id })
	}
	if len(found) <= limit {
		return found, ""
	}
	return found[:limit], afterID(inConsents, found[limit-1].ID)
}

func newConsent(c contact.Consent) Consent {
	out := Consent{ID: db.FormatID(c.ID), ContactID: db.FormatID(c.ContactID), List: known(c.Topic), Event: string(c.Event), At: c.At.UTC(), RecordedAt: c.RecordedAt.UTC(),
		Channel: c.Channel, Number: known(c.Number), ExternalID: known(c.ExternalID), Words: known(c.Words), Wording: known(c.Wording),
		Policy: Policy{Version: c.PolicyVersion, Hash: c.PolicyHash}, Language: string(c.Language), Reference: known(c.Reference), Hash: c.Hash}
	if c.MessageID != 0 {
		out.MessageID = new(db.FormatID(c.MessageID))
	}
	if c.Actor.Kind != string(staff.CitizenKind) {
		out.Author = newActor(c.Actor.Kind, c.Actor.ID, c.Actor.Name)
	}
	return out
}
