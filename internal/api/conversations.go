// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Conversation is an episode between a citizen and the office.
type Conversation struct {
	ID             string          `json:"id" example:"3797402938376192"`
	State          string          `json:"state" enum:"open,resolved"`
	Kind           *string         `json:"kind" example:"report" doc:"Of request, by its id in the municipality file; null until an operator says"`
	Number         string          `json:"number" example:"100000000000001" doc:"Meta's phone number id of the number written to"`
	Contact        Person          `json:"contact"`
	Holder         nullable[Actor] `json:"holder" doc:"Who answers it; null is nobody yet"`
	Office         *string         `json:"office" example:"urp" doc:"To which it was handed, by its id in the municipality file"`
	Unread         int             `json:"unread" doc:"Messages of the citizen that nobody has seen"`
	LastMessageAt  time.Time       `json:"last_message_at" example:"2026-03-02T09:42:00Z"`
	WindowClosesAt *time.Time      `json:"window_closes_at" example:"2026-03-03T09:42:00Z" doc:"Until then free text may be sent, later only templates; null if the citizen never wrote"`
}

// Person is a citizen, in short.
type Person struct {
	ID     string  `json:"id" example:"3797402938376191"`
	Name   *string `json:"name" example:"Anna Bianchi"`
	Phone  *string `json:"phone" example:"+393471234567" doc:"Null for those who don't show it"`
	UserID *string `json:"user_id" example:"IT.13491208655302741918" doc:"WhatsApp's business-scoped id"`
}

// Actor is who wrote or holds something.
type Actor struct {
	Kind string  `json:"kind" enum:"operator,token,system"`
	ID   *string `json:"id" example:"3797402938376190" doc:"Null for the system"`
	Name string  `json:"name" example:"Luca Rossi"`
}

func newConversation(c conversation.Conversation) Conversation {
	out := Conversation{ID: db.FormatID(c.ID), State: string(c.State), Kind: known(c.Kind), Number: c.Number, Office: known(c.Office),
		Contact: newPerson(c.Contact), Unread: c.Unread, LastMessageAt: c.LastMessageAt.UTC()}
	if c.HolderID != 0 {
		out.Holder = newActor(string(staff.OperatorKind), c.HolderID, c.HolderName)
	}
	if closes := c.WindowClosesAt(); closes != nil {
		out.WindowClosesAt = new(closes.UTC())
	}
	return out
}

func newPerson(c contact.Contact) Person {
	return Person{ID: db.FormatID(c.ID), Name: known(c.Name), Phone: known(c.Phone), UserID: known(c.UserID)}
}

func newActor(kind string, id int64, name string) nullable[Actor] {
	a := Actor{Kind: kind, Name: name}
	if id != 0 {
		a.ID = new(db.FormatID(id))
	}
	return some(a)
}

// oneConversation and its kin are answers with a body.
type (
	oneConversation  struct{ Body Conversation }
	someConversation struct{ Body Page[Conversation] }
)

type listConversations struct {
	State string `query:"state" enum:"open,resolved" default:"open"`
	Paging
}

type conversationID struct {
	ID string `path:"id" example:"3797402938376192"`
}

// Keyed is the header that makes a POST safe to repeat.
type Keyed struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Any text of up to 255 bytes, new for every request: the same request again with the same key does nothing more"`
}

type resolveConversation struct {
	ID string `path:"id" example:"3797402938376192"`
	Keyed
	Body *struct {
		_      struct{} `additionalProperties:"false"`
		Reason string   `json:"reason,omitempty" example:"Risposto per telefono" doc:"Why it ends without a reply; up to 500 characters"`
	}
}

type reopenConversation struct {
	ID string `path:"id" example:"3797402938376192"`
	Keyed
}

func (s *server) conversationRoutes(api huma.API) {
	tags := []string{"conversations"}
	register(s, api, huma.Operation{OperationID: "listConversations", Method: http.MethodGet, Path: "/conversations", Tags: tags,
		Summary: "List conversations, newest activity first"},
		[]int{http.StatusForbidden, http.StatusUnprocessableEntity}, s.listConversations)
	register(s, api, huma.Operation{OperationID: "getConversation", Method: http.MethodGet, Path: "/conversations/{id}", Tags: tags,
		Summary: "Get a conversation"},
		[]int{http.StatusForbidden, http.StatusNotFound}, s.getConversation)
	register(s, api, huma.Operation{OperationID: "resolveConversation", Method: http.MethodPost, Path: "/conversations/{id}/resolve", Tags: tags,
		Summary: "Resolve a conversation", Description: "Everyone gets an answer: it takes a reply since the citizen's last question, or a reason."},
		[]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}, s.resolveConversation)
	register(s, api, huma.Operation{OperationID: "reopenConversation", Method: http.MethodPost, Path: "/conversations/{id}/reopen", Tags: tags,
		Summary: "Reopen a resolved conversation", Description: "It is a conflict while another conversation of this citizen on the same number is open."},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, s.reopenConversation)
}

func (s *server) listConversations(ctx context.Context, in *listConversations) (*someConversation, error) {
	actor := callOf(ctx).actor
	after, err := readCursor(in.Cursor, inConversations)
	if err != nil {
		return nil, err
	}
	if err := actor.Require(staff.Converse, actor.Municipality); err != nil {
		return nil, err
	}
	var found []conversation.Conversation
	var next conversation.Cursor
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		state := conversation.State(in.State)
		if len(actor.Offices) > 0 {
			found, next, err = conversation.ListOfOffices(ctx, tx, actor.Municipality, state, actor.Offices, after.ofConversations(), in.Limit)
			return err
		}
		box := map[conversation.State]conversation.Box{conversation.Open: conversation.BoxOpen, conversation.Closed: conversation.BoxResolved}[state]
		found, next, err = conversation.List(ctx, tx, actor.Municipality, conversation.Filter{Box: box}, after.ofConversations(), in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	var items []Conversation
	for _, c := range found {
		items = append(items, newConversation(c))
	}
	return &someConversation{newPage(items, afterConversation(next))}, nil
}

func (s *server) getConversation(ctx context.Context, in *conversationID) (*oneConversation, error) {
	var c conversation.Conversation
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = visible(ctx, tx, in.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneConversation{newConversation(c)}, nil
}

func (s *server) resolveConversation(ctx context.Context, in *resolveConversation) (*oneConversation, error) {
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return s.actOn(ctx, in.ID, func(ctx context.Context, tx *db.Tx, id int64) error {
		return conversation.Resolve(ctx, tx, callOf(ctx).actor, id, reason)
	})
}

func (s *server) reopenConversation(ctx context.Context, in *reopenConversation) (*oneConversation, error) {
	return s.actOn(ctx, in.ID, func(ctx context.Context, tx *db.Tx, id int64) error {
		return conversation.Reopen(ctx, tx, callOf(ctx).actor, id)
	})
}

// actOn does something to a conversation once, and answers with what it is then.
func (s *server) actOn(ctx context.Context, id string, act func(ctx context.Context, tx *db.Tx, id int64) error) (*oneConversation, error) {
	out, err := once(ctx, s, http.StatusOK, func(ctx context.Context, tx *db.Tx) (Conversation, error) {
		c, err := visible(ctx, tx, id)
		if err != nil {
			return Conversation{}, err
		}
		if err := act(ctx, tx, c.ID); err != nil {
			return Conversation{}, err
		}
		c, err = conversation.Get(ctx, tx, callOf(ctx).actor.Municipality, c.ID)
		return newConversation(c), err
	})
	if err != nil {
		return nil, err
	}
	return &oneConversation{out}, nil
}

// visible is the conversation, if the token may see it. What it may not see is not there.
func visible(ctx context.Context, tx *db.Tx, id string) (conversation.Conversation, error) {
	key, ok := db.ParseID(id)
	if !ok {
		return conversation.Conversation{}, conversation.ErrNotFound
	}
	return visibleByID(ctx, tx, key)
}

func visibleByID(ctx context.Context, tx *db.Tx, id int64) (conversation.Conversation, error) {
	actor := callOf(ctx).actor
	if err := actor.Require(staff.Converse, actor.Municipality); err != nil {
		return conversation.Conversation{}, err
	}
	c, err := conversation.Get(ctx, tx, actor.Municipality, id)
	if err != nil {
		return c, err
	}
	if len(actor.Offices) > 0 && !slices.Contains(actor.Offices, c.Office) {
		return conversation.Conversation{}, conversation.ErrNotFound
	}
	return c, nil
}
