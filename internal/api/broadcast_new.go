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
)

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

type createBroadcast struct {
	Keyed
	Body NewBroadcast
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
