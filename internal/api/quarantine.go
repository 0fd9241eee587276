// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// QuarantineItem is something that arrived and was not understood.
type QuarantineItem struct {
	ID         string     `json:"id" example:"3797402938376197"`
	Place      string     `json:"place" example:"0/0/messages/1" doc:"Where in the webhook it stood; empty is the whole"`
	Reason     string     `json:"reason" example:"foreign_number"`
	Detail     string     `json:"detail"`
	Body       string     `json:"body" doc:"As it came, up to 16 KiB; what is no text is written as ?"`
	Truncated  bool       `json:"truncated" doc:"There is more of the body than is shown"`
	At         time.Time  `json:"at" example:"2026-03-02T09:42:00Z"`
	ReplayedAt *time.Time `json:"replayed_at" doc:"When somebody asked to try again"`
	SolvedAt   *time.Time `json:"solved_at" doc:"When it was understood after all"`
}

// shownBody bounds what a listing shows: a webhook may be 3 MB.
const shownBody = 16 << 10

func newQuarantineItem(i journal.Item) QuarantineItem {
	body := i.Body
	if len(body) > shownBody {
		body = strings.ToValidUTF8(body[:shownBody], "")
	}
	return QuarantineItem{ID: db.FormatID(i.ID), Place: i.Place, Reason: i.Reason, Detail: i.Detail, Body: body, Truncated: len(body) < len(i.Body),
		At: i.At, ReplayedAt: utc(i.ReplayedAt), SolvedAt: utc(i.SolvedAt)}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

type (
	oneItem   struct{ Body QuarantineItem }
	someItems struct{ Body Page[QuarantineItem] }
)

type listQuarantine struct{ Paging }

type replayItem struct {
	ID string `path:"id" example:"3797402938376197"`
	Keyed
}

// replayed is the action in the audit trail of asking to try again.
const replayed staff.Action = "quarantine.replayed"

var errOffices = fault.New(fault.Forbidden, "api.offices")

func (s *server) quarantineRoutes(api huma.API) {
	register(s, api, huma.Operation{OperationID: "listQuarantine", Method: http.MethodGet, Path: "/quarantine", Tags: []string{"quarantine"},
		Summary: "List what arrived and was not understood, newest first"},
		[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, s.listQuarantine)
	register(s, api, huma.Operation{OperationID: "replayQuarantine", Method: http.MethodPost, Path: "/quarantine/{id}/replay", Tags: []string{"quarantine"}, DefaultStatus: http.StatusAccepted,
		Summary: "Try again to understand it", Description: "Its webhook comes again, soon after the answer. What of it was understood before is not stored twice."},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, s.replayQuarantine)
}

// requireWhole holds that the token has right over what is of the whole municipality.
func requireWhole(actor staff.Actor, right staff.Right) error {
	if len(actor.Offices) > 0 {
		return errOffices
	}
	return actor.Require(right, actor.Municipality)
}

func (s *server) listQuarantine(ctx context.Context, in *listQuarantine) (*someItems, error) {
	actor := callOf(ctx).actor
	after, err := readCursor(in.Cursor, inQuarantine)
	if err != nil {
		return nil, err
	}
	if err := requireWhole(actor, staff.SeeQuarantine); err != nil {
		return nil, err
	}
	var found []journal.Item
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		found, err = journal.Unsolved(ctx, tx, actor.Municipality, after.ID, in.Limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, in.Limit, func(i journal.Item) string { return afterID(inQuarantine, i.ID) })
	var items []QuarantineItem
	for _, i := range found {
		items = append(items, newQuarantineItem(i))
	}
	return &someItems{newPage(items, next)}, nil
}

// replayQuarantine first notes that it was asked, then makes the entry come again. If the program ends
// between the two, the same request with the same key goes on where it stopped.
func (s *server) replayQuarantine(ctx context.Context, in *replayItem) (*oneItem, error) {
	actor := callOf(ctx).actor
	if err := requireWhole(actor, staff.ReplayQuarantine); err != nil {
		return nil, err
	}
	id, ok := db.ParseID(in.ID)
	if !ok {
		return nil, journal.ErrNoItem
	}
	out, err := once(ctx, s, http.StatusAccepted, func(ctx context.Context, tx *db.Tx) (QuarantineItem, error) {
		if err := journal.AskReplay(ctx, tx, actor.Municipality, id); err != nil {
			return QuarantineItem{}, err
		}
		item, err := journal.GetItem(ctx, tx, actor.Municipality, id)
		if err != nil {
			return QuarantineItem{}, err
		}
		return newQuarantineItem(item), staff.Record(ctx, tx, actor, replayed, "quarantine", in.ID, nil)
	})
	if err != nil {
		return nil, err
	}
	return &oneItem{out}, s.replay(ctx, actor.Municipality, id)
}

func (s *server) replay(ctx context.Context, municipality, id int64) error {
	var item journal.Item
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		item, err = journal.GetItem(ctx, tx, municipality, id)
		return err
	})
	if err != nil || item.SolvedAt != nil {
		return err
	}
	return s.Journal.Replay(ctx, municipality, item)
}
