// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Block is a citizen on the block list of a number.
type Block struct {
	Contact Person     `json:"contact"`
	Number  string     `json:"number" example:"100000000000001" doc:"Meta's phone number id of the number that they can't write to, nor get anything from"`
	Since   *time.Time `json:"since" example:"2026-03-02T09:42:00Z" doc:"Null for one who is no longer blocked"`
}

// NewBlock says what a citizen is blocked on, and why.
type NewBlock struct {
	_      struct{} `additionalProperties:"false"`
	Number string   `json:"number,omitempty" maxLength:"50" example:"100000000000001" doc:"Meta's phone number id; may be left out where there is one number"`
	Reason string   `json:"reason" enum:"insults,threats,spam,other" doc:"Kept in the audit trail"`
}

// NewUnblock says what a citizen is taken off.
type NewUnblock struct {
	_      struct{} `additionalProperties:"false"`
	Number string   `json:"number,omitempty" maxLength:"50" example:"100000000000001" doc:"Meta's phone number id; may be left out where there is one number"`
}

type (
	oneBlock   struct{ Body Block }
	someBlocks struct{ Body Page[Block] }
)

type blockContact struct {
	ID string `path:"id" example:"3797402938376191"`
	Keyed
	Body NewBlock
}

type unblockContact struct {
	ID string `path:"id" example:"3797402938376191"`
	Keyed
	Body NewUnblock
}

var (
	errNoNumber    = fault.New(fault.Invalid, "api.number_unknown")
	errBlockWindow = fault.New(fault.Invalid, "api.block_window")
	errNoAnswer    = fault.New(fault.Unavailable, "api.meta_silent")
)

// notBlockable is Meta's code for who did not write in the last 24 hours.
const notBlockable = 131047

func (s *server) blockRoutes(api huma.API) {
	tags, failures := []string{"contacts"}, []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}
	register(s, api, huma.Operation{OperationID: "listBlocks", Method: http.MethodGet, Path: "/blocks", Tags: tags,
		Summary: "List who is blocked, the latest first", Description: "As it was last read from Meta, or changed here."},
		[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, s.listBlocks)
	register(s, api, huma.Operation{OperationID: "blockContact", Method: http.MethodPost, Path: "/contacts/{id}/block", Tags: tags,
		Summary: "Block a citizen on a number", Description: "They can no longer write to it, and get nothing from it: no replies and no broadcasts, emergencies neither. " +
			"Meta lets only those be blocked who wrote to the number in the last 24 hours (`block_window`). The answer comes when Meta has done it."},
		failures, s.blockContact)
	register(s, api, huma.Operation{OperationID: "unblockContact", Method: http.MethodPost, Path: "/contacts/{id}/unblock", Tags: tags,
		Summary: "Take a citizen off a number's block list"},
		failures, s.unblockContact)
}

func (s *server) listBlocks(ctx context.Context, in *Paging) (*someBlocks, error) {
	actor := callOf(ctx).actor
	after, err := readCursor(in.Cursor, inBlocks)
	if err != nil {
		return nil, err
	}
	if err := requireWhole(actor, staff.BlockCitizens); err != nil {
		return nil, err
	}
	var found []contact.Block
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		found, err = contact.Blocks(ctx, tx, actor.Municipality, after.ofBlocks(), in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, in.Limit, afterBlock)
	var items []Block
	for _, b := range found {
		items = append(items, Block{Contact: newPerson(b.Contact), Number: b.Number, Since: &b.At})
	}
	return &someBlocks{newPage(items, next)}, nil
}

func (s *server) blockContact(ctx context.Context, in *blockContact) (*oneBlock, error) {
	return s.setBlock(ctx, in.ID, in.Body.Number, &in.Body.Reason)
}

func (s *server) unblockContact(ctx context.Context, in *unblockContact) (*oneBlock, error) {
	return s.setBlock(ctx, in.ID, in.Body.Number, nil)
}

// setBlock has Meta block a citizen, or with no reason unblock them, and notes it. A request that was answered before
// does not come to Meta again: somebody may have changed it since.
func (s *server) setBlock(ctx context.Context, id, numberID string, reason *string) (*oneBlock, error) {
	before, err := replied[Block](ctx, s)
	if err != nil {
		return nil, err
	}
	if before != nil {
		return &oneBlock{*before}, nil
	}
	c, number, err := s.blockable(ctx, id, numberID, reason != nil)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // what Meta did must be written
	if err := s.askBlock(ctx, c, number, reason); err != nil {
		return nil, err
	}
	out, err := once(ctx, s, http.StatusOK, func(ctx context.Context, tx *db.Tx) (Block, error) {
		actor := callOf(ctx).actor
		if err := conversation.NoteBlocked(ctx, tx, actor.Municipality, number.PhoneNumberID, c.ID, reason != nil); err != nil {
			return Block{}, err
		}
		out := Block{Contact: newPerson(c), Number: number.PhoneNumberID}
		if reason != nil {
			on, err := contact.BlockedOn(ctx, tx, actor.Municipality, c.ID)
			if err != nil {
				return Block{}, err
			}
			out.Since = new(on[number.PhoneNumberID])
		}
		return out, recordBlock(ctx, tx, c, number, reason, nil)
	})
	if err != nil {
		return nil, err
	}
	return &oneBlock{out}, nil
}

// blockable is the citizen and the number of a request, if Meta would take it: to block somebody they must have
// written to it in the last 24 hours.
func (s *server) blockable(ctx context.Context, id, numberID string, on bool) (c contact.Contact, number municipality.Number, err error) {
	actor := callOf(ctx).actor
	if err := requireWhole(actor, staff.BlockCitizens); err != nil {
		return c, number, err
	}
	if number, err = s.numberOf(actor.Municipality, numberID); err != nil {
		return c, number, err
	}
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		if c, err = visibleContact(ctx, tx, byID(ctx, tx, id)); err != nil || !on {
			return err
		}
		wrote, err := conversation.WroteTo(ctx, tx, actor.Municipality, number.PhoneNumberID, c.ID)
		if err == nil && !wrote {
			err = errBlockWindow
		}
		return err
	})
	return c, number, err
}

// numberOf is the number with Meta's id, or the only one where none is named.
func (s *server) numberOf(municipalityID int64, id string) (municipality.Number, error) {
	m, ok := s.Directory.ByID(municipalityID)
	if !ok {
		return municipality.Number{}, errUnavailable
	}
	return pick(m.Numbers, id)
}

func pick(numbers []municipality.Number, id string) (municipality.Number, error) {
	if id == "" && len(numbers) == 1 {
		return numbers[0], nil
	}
	for _, n := range numbers {
		if n.PhoneNumberID == id {
			return n, nil
		}
	}
	return municipality.Number{}, errNoNumber
}

// askBlock has Meta do it. Where no clear answer came the trail says so: it may have been done.
func (s *server) askBlock(ctx context.Context, c contact.Contact, number municipality.Number, reason *string) error {
	call := s.Client.Unblock
	if reason != nil {
		call = s.Client.Block
	}
	err := call(ctx, number.Account(), whatsapp.Person{Phone: c.Phone, UserID: c.UserID})
	switch code := whatsapp.ErrorCode(err); {
	case err == nil:
		return nil
	case whatsapp.NotDone(err) && code == notBlockable:
		return errBlockWindow.With(err)
	case whatsapp.NotDone(err):
		return fault.New(fault.Invalid, "api.block_refused", "code", code).With(err)
	}
	recorded := s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return recordBlock(ctx, tx, c, number, reason, map[string]any{"outcome": "unknown"})
	})
	return errors.Join(errNoAnswer.With(err), recorded)
}

// recordBlock tells the trail, in the words that the desk tells it in.
func recordBlock(ctx context.Context, tx *db.Tx, c contact.Contact, number municipality.Number, reason *string, detail map[string]any) error {
	if detail == nil {
		detail = map[string]any{}
	}
	action := conversation.CitizenUnblocked
	detail["number"] = number.PhoneNumberID
	if reason != nil {
		action, detail["reason"] = conversation.CitizenBlocked, *reason
	}
	return staff.Record(ctx, tx, callOf(ctx).actor, action, "contact", db.FormatID(c.ID), detail)
}
