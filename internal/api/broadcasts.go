// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Broadcast is a message to all who are on a list.
type Broadcast struct {
	ID          string          `json:"id" example:"3797402938376199"`
	State       string          `json:"state" enum:"draft,awaiting_approval,scheduled,preparing,sending,paused,completed,cancelled"`
	Emergency   bool            `json:"emergency" doc:"One of its lists is for emergencies: it takes a second person's approval, and overtakes everything else"`
	Exercise    bool            `json:"exercise" doc:"A try, which its text says"`
	Lists       []string        `json:"lists" nullable:"false" example:"[\"EMERGENZE\"]" doc:"Keywords"`
	Districts   []string        `json:"districts" nullable:"false" doc:"Keywords; empty is the whole town"`
	Exclude     []string        `json:"exclude" nullable:"false" doc:"Keywords of lists whose subscribers are left out"`
	Template    UsedTemplate    `json:"template"`
	Text        string          `json:"text" example:"Allerta arancione fino a domani alle 12." doc:"The template filled in, as a citizen reads it"`
	Free        *string         `json:"free" doc:"What goes instead, as plain text, to those who wrote in the last 24 hours"`
	Follows     *string         `json:"follows" example:"3797402938376181" doc:"Id of the broadcast that it updates or ends"`
	Ends        bool            `json:"ends" doc:"It is the all-clear of the one it follows"`
	Author      nullable[Actor] `json:"author" doc:"Who wrote last what it says"`
	Submitter   nullable[Actor] `json:"submitter" doc:"Who sent it, or asked for its approval; null for a draft"`
	Approver    nullable[Actor] `json:"approver" doc:"Who approved it; null if nobody had to, or has yet"`
	BreakGlass  *string         `json:"break_glass" doc:"Why a person released an emergency without a second one"`
	Schedule    *time.Time      `json:"schedule" example:"2026-03-02T09:42:00Z" doc:"When it is to begin; null is at once"`
	CreatedAt   time.Time       `json:"created_at" example:"2026-03-02T09:42:00Z"`
	SubmittedAt *time.Time      `json:"submitted_at"`
	ApprovedAt  *time.Time      `json:"approved_at"`
	StartedAt   *time.Time      `json:"started_at"`
	CompletedAt *time.Time      `json:"completed_at" doc:"Also when it was cancelled"`
	Pause       nullable[Pause] `json:"pause" doc:"Why it is paused; null if it is not"`
	Waits       *string         `json:"waits" example:"limit" doc:"limit: the rest is reached as Meta's daily limit allows"`
	Counts      Counts          `json:"counts" doc:"Recipients by what became of their message"`
	Reach       Reach           `json:"reach"`
}

// UsedTemplate is the use of a template.
type UsedTemplate struct {
	Name       string   `json:"name" example:"allerta_meteo"`
	Language   string   `json:"language" example:"it"`
	Parameters []string `json:"parameters" nullable:"false" doc:"The texts of its variables, in their order"`
	Category   *string  `json:"category" example:"UTILITY" doc:"Meta's, which decides the price"`
}

// Pause is why a broadcast is paused.
type Pause struct {
	Code   int     `json:"code" example:"132015" doc:"Meta's error code; 0 when a person did it"`
	Detail *string `json:"detail" doc:"What to do about the error"`
	By     *string `json:"by" example:"Luca Rossi" doc:"The person, or the program"`
}

// Counts are the recipients of a broadcast: each is in one of them, and the audience is their sum.
type Counts struct {
	Audience int `json:"audience" doc:"Recipients whose message is prepared"`
	broadcast.Outcomes
}

// Reach is how fast a broadcast arrived.
type Reach struct {
	Reached int      `json:"reached" doc:"Recipients whose phone is known to have it"`
	P50     *float64 `json:"p50" doc:"Seconds from its start until half of these had it, as last counted; null is not known"`
	P90     *float64 `json:"p90" doc:"Until nine of ten had it"`
	P99     *float64 `json:"p99" doc:"Until 99 of 100 had it"`
}

type (
	oneBroadcast     struct{ Body Broadcast }
	createdBroadcast struct {
		Location string `header:"Location" doc:"Where to see how far it is"`
		Body     Broadcast
	}
	someBroadcasts struct{ Body Page[Broadcast] }
	someRecipients struct{ Body Page[Recipient] }
)

type listBroadcasts struct{ Paging }

type broadcastID struct {
	ID string `path:"id" example:"3797402938376199"`
}

type changeBroadcast struct {
	ID string `path:"id" example:"3797402938376199"`
	Keyed
}

var errApproval = fault.New(fault.Forbidden, "api.approval_by_a_person")

func (s *server) broadcastRoutes(api huma.API) {
	tags := []string{"broadcasts"}
	register(s, api, createOperation(), []int{http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}, s.createBroadcast)
	register(s, api, huma.Operation{OperationID: "listBroadcasts", Method: http.MethodGet, Path: "/broadcasts", Tags: tags,
		Summary: "List broadcasts, newest first", Description: "Counts and reach are as last counted, half a minute ago or less; the counts of a single broadcast are of now."},
		[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, s.listBroadcasts)
	register(s, api, huma.Operation{OperationID: "getBroadcast", Method: http.MethodGet, Path: "/broadcasts/{id}", Tags: tags,
		Summary: "Get a broadcast, and what became of it"},
		[]int{http.StatusForbidden, http.StatusNotFound}, s.getBroadcast)
	register(s, api, huma.Operation{OperationID: "listRecipients", Method: http.MethodGet, Path: "/broadcasts/{id}/recipients", Tags: tags,
		Summary: "List the recipients of a broadcast, and what became of their messages"},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}, s.listRecipients)

	changing := []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}
	register(s, api, huma.Operation{OperationID: "approveBroadcast", Method: http.MethodPost, Path: "/broadcasts/{id}/approve", Tags: tags,
		Summary: "Approve an emergency", Description: "A token never may: a second person, who neither wrote it nor asked for the approval, approves at the desk."},
		changing, s.approveBroadcast)
	register(s, api, huma.Operation{OperationID: "pauseBroadcast", Method: http.MethodPost, Path: "/broadcasts/{id}/pause", Tags: tags,
		Summary: "Pause a broadcast", Description: "What is on its way to Meta goes on; the rest waits."},
		changing, s.pauseBroadcast)
	register(s, api, huma.Operation{OperationID: "resumeBroadcast", Method: http.MethodPost, Path: "/broadcasts/{id}/resume", Tags: tags,
		Summary: "Resume a paused broadcast", Description: "It goes on where it stopped: nobody gets it twice."},
		changing, s.resumeBroadcast)
	register(s, api, huma.Operation{OperationID: "cancelBroadcast", Method: http.MethodPost, Path: "/broadcasts/{id}/cancel", Tags: tags,
		Summary: "Cancel a broadcast", Description: "For good. What is on its way to Meta goes on; the rest is never sent."},
		changing, s.cancelBroadcast)
}

func (s *server) listBroadcasts(ctx context.Context, in *listBroadcasts) (*someBroadcasts, error) {
	after, err := readCursor(in.Cursor, inBroadcasts)
	if err != nil {
		return nil, err
	}
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	var found []broadcast.Broadcast
	var next int64
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		found, next, err = broadcast.List(ctx, tx, m.ID, after.ID, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	var items []Broadcast
	for _, b := range found {
		items = append(items, newBroadcast(b, callOf(ctx).language))
	}
	return &someBroadcasts{newPage(items, afterID(inBroadcasts, next))}, nil
}

func (s *server) getBroadcast(ctx context.Context, in *broadcastID) (*oneBroadcast, error) {
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	var out Broadcast
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := findBroadcast(ctx, tx, m.ID, in.ID)
		if err != nil {
			return err
		}
		if b.CompletedAt != nil {
			b.Reach, err = broadcast.Reached(ctx, tx, m.ID, b)
			out = newBroadcast(b, callOf(ctx).language)
			return err
		}
		counts, err := broadcast.CameTo(ctx, tx, m.ID, b)
		out = onItsWay(b, counts, callOf(ctx).language)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneBroadcast{out}, nil
}

// findBroadcast finds a broadcast by its id as callers write it.
func findBroadcast(ctx context.Context, tx *db.Tx, municipality int64, id string) (broadcast.Broadcast, error) {
	key, ok := db.ParseID(id)
	if !ok {
		return broadcast.Broadcast{}, broadcast.ErrNotFound
	}
	return broadcast.Get(ctx, tx, municipality, key)
}

// onItsWay is a broadcast with what was counted of it now. While it is on its way, which programs watch, the times
// are as last counted: sorting all that arrived, again and again, would slow it down.
func onItsWay(b broadcast.Broadcast, counts broadcast.Outcomes, l locale.Language) Broadcast {
	out := newBroadcast(b, l)
	out.Counts, out.Reach.Reached = newCounts(counts), counts.Arrived()
	return out
}

func (s *server) approveBroadcast(ctx context.Context, in *changeBroadcast) (*oneBroadcast, error) {
	if !callOf(ctx).actor.May(staff.ApproveBroadcasts) {
		return nil, errApproval
	}
	return s.change(ctx, in.ID, broadcast.Approve)
}

func (s *server) pauseBroadcast(ctx context.Context, in *changeBroadcast) (*oneBroadcast, error) {
	return s.change(ctx, in.ID, broadcast.Pause)
}

func (s *server) resumeBroadcast(ctx context.Context, in *changeBroadcast) (*oneBroadcast, error) {
	return s.change(ctx, in.ID, broadcast.Resume)
}

func (s *server) cancelBroadcast(ctx context.Context, in *changeBroadcast) (*oneBroadcast, error) {
	return s.change(ctx, in.ID, broadcast.Cancel)
}

// step brings a broadcast into another state.
type step func(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (broadcast.Broadcast, error)

// change takes a step once, and answers with what the broadcast is then. It is counted before: many recipients take
// a while, in which others could not write.
func (s *server) change(ctx context.Context, id string, take step) (*oneBroadcast, error) {
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	var key int64
	var counts broadcast.Outcomes
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := findBroadcast(ctx, tx, m.ID, id)
		if err != nil {
			return err
		}
		key = b.ID
		if b.CompletedAt != nil {
			reach, err := broadcast.Reached(ctx, tx, m.ID, b)
			counts = reach.Outcomes
			return err
		}
		counts, err = broadcast.CameTo(ctx, tx, m.ID, b)
		return err
	})
	if err != nil {
		return nil, err
	}
	out, err := once(ctx, s, http.StatusOK, func(ctx context.Context, tx *db.Tx) (Broadcast, error) {
		b, err := take(ctx, tx, callOf(ctx).actor, m, key)
		return onItsWay(b, counts, callOf(ctx).language), err
	})
	if err != nil {
		return nil, err
	}
	return &oneBroadcast{out}, nil
}

func newBroadcast(b broadcast.Broadcast, l locale.Language) Broadcast {
	out := Broadcast{ID: db.FormatID(b.ID), State: string(b.State), Emergency: b.Emergency, Exercise: b.Exercise,
		Lists: listed(b.Lists), Districts: listed(b.Districts), Exclude: listed(b.Exclude),
		Template: UsedTemplate{Name: b.Template.Name, Language: b.Template.Language, Parameters: listed(b.Template.Texts), Category: known(b.Category)},
		Text:     b.Reads, Free: known(b.Free), Ends: b.Ends, Author: newActor(b.Author.Kind, b.Author.ID, b.Author.Name), BreakGlass: known(b.Glass),
		Schedule: utc(b.Schedule), CreatedAt: b.CreatedAt.UTC(), SubmittedAt: utc(b.SubmittedAt), ApprovedAt: utc(b.ApprovedAt),
		StartedAt: utc(b.StartedAt), CompletedAt: utc(b.CompletedAt), Waits: known(b.Waits),
		Counts: newCounts(b.Reach.Outcomes), Reach: newReach(b.Reach)}
	if b.Follows != 0 {
		out.Follows = new(db.FormatID(b.Follows))
	}
	if b.SubmittedAt != nil {
		out.Submitter = newActor(b.Submitter.Kind, b.Submitter.ID, b.Submitter.Name)
	}
	if b.ApproverID != 0 {
		out.Approver = newActor(string(staff.OperatorKind), b.ApproverID, b.Approver)
	}
	if b.State == broadcast.Paused {
		out.Pause = some(newPause(b, l))
	}
	return out
}

func newPause(b broadcast.Broadcast, l locale.Language) Pause {
	if b.PauseCode == 0 {
		return Pause{By: known(b.PausedBy)}
	}
	return Pause{Code: b.PauseCode, Detail: new(l.T(conversation.FailureKey(b.PauseCode), "code", b.PauseCode))}
}

func newCounts(o broadcast.Outcomes) Counts { return Counts{Audience: o.Audience(), Outcomes: o} }

func newReach(r broadcast.Reach) Reach {
	out := Reach{Reached: r.Arrived()}
	if out.Reached > 0 { // WhatsApp tells whole seconds: none may have passed
		out.P50, out.P90, out.P99 = &r.P50, &r.P90, &r.P99
	}
	return out
}

// listed is list, never null.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
