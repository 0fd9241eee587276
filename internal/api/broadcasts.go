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

// Recipient is a citizen and what became of their message.
type Recipient struct {
	Contact     Person            `json:"contact"`
	MessageID   string            `json:"message_id" example:"3797402938376193"`
	Status      string            `json:"status" enum:"queued,sending,uncertain,accepted,held,sent,failed,delivered,read,played,cancelled,skipped"`
	Error       nullable[Failure] `json:"error"`
	Skipped     *string           `json:"skipped" example:"left" doc:"Why nothing was sent: left, for who is no recipient any more; twice, if two contacts turned out to be one; blocked, for who is on the block list of the number"`
	At          time.Time         `json:"at" example:"2026-03-02T09:42:00Z" doc:"When the message was prepared"`
	SentAt      *time.Time        `json:"sent_at" example:"2026-03-02T09:42:01Z"`
	DeliveredAt *time.Time        `json:"delivered_at" example:"2026-03-02T09:42:02Z"`
	ReadAt      *time.Time        `json:"read_at" example:"2026-03-02T09:45:00Z"`
	Resent      nullable[Resent]  `json:"resent" doc:"The copy that a person sent because the first stayed uncertain"`
}

// Resent is a message sent again.
type Resent struct {
	MessageID string            `json:"message_id" example:"3797402938376194"`
	Status    string            `json:"status" enum:"queued,sending,uncertain,accepted,held,sent,failed,delivered,read,played,cancelled,skipped"`
	Error     nullable[Failure] `json:"error"`
}

// NewBroadcast is a message to send to all who are on a list.
type NewBroadcast struct {
	_         struct{}    `additionalProperties:"false"`
	Lists     []string    `json:"lists" minItems:"1" maxItems:"100" nullable:"false" example:"[\"PUBBLICAUTILITA\"]" doc:"Keywords: it goes to the subscribers of any of them, each once"`
	Districts []string    `json:"districts,omitempty" maxItems:"100" nullable:"false" doc:"Keywords: of these, only those who said that one of them is theirs"`
	Exclude   []string    `json:"exclude,omitempty" maxItems:"100" nullable:"false" doc:"Keywords of lists: not to those who are on one of them"`
	Template  NewTemplate `json:"template" doc:"An approved template"`
	Free      string      `json:"free,omitempty" doc:"A text that goes instead, as a service message, to those who wrote in the last 24 hours; without it all get the template"`
	Schedule  *time.Time  `json:"schedule,omitempty" example:"2026-03-02T09:42:00Z" doc:"When to begin, within a year; without it at once"`
	Exercise  bool        `json:"exercise,omitempty" doc:"A try: its text must say ESERCITAZIONE, and it overtakes nothing"`
	Follows   string      `json:"follows,omitempty" example:"3797402938376181" doc:"Id of the broadcast that this one updates or ends"`
	Ends      bool        `json:"ends,omitempty" doc:"It is the all-clear of the one it follows"`
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

type createBroadcast struct {
	Keyed
	Body NewBroadcast
}

type changeBroadcast struct {
	ID string `path:"id" example:"3797402938376199"`
	Keyed
}

type listRecipients struct {
	ID      string `path:"id" example:"3797402938376199"`
	Outcome string `query:"outcome" enum:"not_reached,queued,sending,uncertain,accepted,held,sent,failed,delivered,read,cancelled,skipped" doc:"Only those who count among it; not_reached are those to tell otherwise, by phone or at the counter: who is not known to have it, nor a second copy, but for those skipped for another reason than blocked"`
	Paging
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

func createOperation() huma.Operation {
	template := map[string]any{"name": "allerta_meteo", "language": "it", "parameters": []string{"arancione", "domani alle 12"}}
	examples := map[string]*huma.Example{
		"now":    {Summary: "To a list, at once", Value: map[string]any{"lists": []string{"PUBBLICAUTILITA"}, "template": template}},
		"later":  {Summary: "To a district, tomorrow morning", Value: map[string]any{"lists": []string{"PUBBLICAUTILITA"}, "districts": []string{"MARINA"}, "template": template, "schedule": "2026-03-03T07:00:00Z"}},
		"update": {Summary: "An update to an earlier one", Value: map[string]any{"lists": []string{"EMERGENZE"}, "template": template, "follows": "3797402938376181"}},
	}
	return huma.Operation{
		OperationID: "createBroadcast", Method: http.MethodPost, Path: "/broadcasts", Tags: []string{"broadcasts"}, DefaultStatus: http.StatusCreated,
		Summary: "Send a message to all who are on a list",
		Description: "Each citizen gets one message of their own. It begins at once or when scheduled; if one of its lists is for emergencies, it first waits for a person's approval (`awaiting_approval`). " +
			"Where a parameter or the free text says `{name}`, each citizen reads their own name. " +
			"Send an `Idempotency-Key`: it is what keeps a repeated request from sending twice.",
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Examples: examples}}},
	}
}

func (s *server) createBroadcast(ctx context.Context, in *createBroadcast) (*createdBroadcast, error) {
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	out, err := once(ctx, s, http.StatusCreated, func(ctx context.Context, tx *db.Tx) (Broadcast, error) {
		plan, err := in.Body.plan(ctx, tx)
		if err != nil {
			return Broadcast{}, err
		}
		actor := callOf(ctx).actor
		b, err := broadcast.Create(ctx, tx, actor, m, plan)
		if err != nil {
			return Broadcast{}, err
		}
		if b, err = broadcast.Submit(ctx, tx, actor, m, b.ID); err != nil {
			return Broadcast{}, err
		}
		return newBroadcast(b, callOf(ctx).language), nil
	})
	if err != nil {
		return nil, err
	}
	return &createdBroadcast{Location: Prefix + "/broadcasts/" + out.ID, Body: out}, nil
}

// plan is what is to be sent; whether it can be is for package broadcast to say.
func (n NewBroadcast) plan(ctx context.Context, tx *db.Tx) (broadcast.Plan, error) {
	filling, err := n.Template.filling(ctx, tx)
	if err != nil {
		return broadcast.Plan{}, err
	}
	plan := broadcast.Plan{
		Audience: broadcast.Audience{Lists: n.Lists, Districts: n.Districts, Exclude: n.Exclude},
		Message: broadcast.Message{Template: conversation.Template{Name: db.Text(n.Template.Name), Language: db.Text(n.Template.Language),
			MediaID: filling.MediaID, Place: filling.Place, Payloads: filling.Payloads}, Parameters: filling.Parameters, Free: n.Free},
		Schedule: utc(n.Schedule), Exercise: n.Exercise, Ends: n.Ends,
	}
	if n.Follows == "" {
		return plan, nil
	}
	id, ok := db.ParseID(n.Follows)
	if !ok {
		return plan, broadcast.ErrFollows
	}
	plan.Follows = id
	return plan, nil
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

func (s *server) listRecipients(ctx context.Context, in *listRecipients) (*someRecipients, error) {
	after, err := readCursor(in.Cursor, inRecipients)
	if err != nil {
		return nil, err
	}
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	var found []broadcast.Recipient
	var next int64
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := findBroadcast(ctx, tx, m.ID, in.ID)
		if err != nil {
			return err
		}
		found, next, err = broadcast.Recipients(ctx, tx, m.ID, b.ID, broadcast.Part(in.Outcome), after.ID, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	var items []Recipient
	for _, r := range found {
		items = append(items, newRecipient(r, callOf(ctx).language))
	}
	return &someRecipients{newPage(items, afterID(inRecipients, next))}, nil
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

func newRecipient(r broadcast.Recipient, l locale.Language) Recipient {
	m := newMessage(r.Message, l)
	out := Recipient{Contact: newPerson(r.Contact), MessageID: m.ID, Status: m.Status, Error: m.Error, At: m.At,
		SentAt: utc(r.Message.SentAt), DeliveredAt: utc(r.Message.DeliveredAt), ReadAt: utc(r.Message.ReadAt)}
	if r.Message.Status == conversation.Skipped {
		out.Skipped = known(r.Message.ErrorDetail)
	}
	if r.Resent != nil {
		again := newMessage(*r.Resent, l)
		out.Resent = some(Resent{MessageID: again.ID, Status: again.Status, Error: again.Error})
	}
	return out
}
