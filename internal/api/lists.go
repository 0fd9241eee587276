// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// List is what citizens join to receive broadcasts.
type List struct {
	Keyword     string `json:"keyword" example:"EMERGENZE" doc:"As in the municipality file: it names the list"`
	Name        string `json:"name" example:"Emergenze"`
	Kind        string `json:"kind" enum:"emergency,notice" doc:"What goes to an emergency list takes a second person's approval"`
	Subscribers int    `json:"subscribers" example:"3954"`
}

// District is a part of the town that citizens say is theirs.
type District struct {
	Keyword     string `json:"keyword" example:"MARINA" doc:"As in the municipality file: it names the district"`
	Name        string `json:"name" example:"Marina"`
	Subscribers int    `json:"subscribers" example:"412"`
}

// Subscriber is a citizen who is on a list.
type Subscriber struct {
	Contact Person    `json:"contact"`
	Since   time.Time `json:"since" example:"2026-03-02T09:42:00Z" doc:"When the citizen joined, or confirmed after a change of number"`
}

type (
	someLists       struct{ Body Page[List] }
	someDistricts   struct{ Body Page[District] }
	someSubscribers struct{ Body Page[Subscriber] }
)

type listSubscribers struct {
	Keyword string `path:"keyword" maxLength:"200" example:"EMERGENZE"`
	Paging
}

var errNoList = fault.New(fault.NotFound, "api.list_not_found")

func (s *server) listRoutes(api huma.API) {
	tags := []string{"lists"}
	register(s, api, huma.Operation{OperationID: "listLists", Method: http.MethodGet, Path: "/lists", Tags: tags,
		Summary: "List the lists that citizens can join", Description: "All of them, in the order of the municipality file."},
		[]int{http.StatusForbidden}, s.listLists)
	register(s, api, huma.Operation{OperationID: "listDistricts", Method: http.MethodGet, Path: "/districts", Tags: tags,
		Summary: "List the districts that citizens can say are theirs", Description: "All of them, in the order of the municipality file."},
		[]int{http.StatusForbidden}, s.listDistricts)
	register(s, api, huma.Operation{OperationID: "listSubscribers", Method: http.MethodGet, Path: "/lists/{keyword}/subscribers", Tags: tags,
		Summary: "List who is on a list"},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}, s.listSubscribers)
}

func (s *server) listLists(ctx context.Context, _ *struct{}) (*someLists, error) {
	m, members, err := s.topics(ctx)
	if err != nil {
		return nil, err
	}
	var items []List
	for _, l := range m.File.Lists {
		items = append(items, List{Keyword: l.Keyword, Name: l.Name, Kind: string(l.Kind), Subscribers: members[l.Keyword]})
	}
	return &someLists{newPage(items, "")}, nil
}

func (s *server) listDistricts(ctx context.Context, _ *struct{}) (*someDistricts, error) {
	m, members, err := s.topics(ctx)
	if err != nil {
		return nil, err
	}
	var items []District
	for _, d := range m.File.Districts {
		items = append(items, District{Keyword: d.Keyword, Name: d.Name, Subscribers: members[d.Keyword]})
	}
	return &someDistricts{newPage(items, "")}, nil
}

// topics are the municipality, whose file has its lists and districts, and how many are on each.
func (s *server) topics(ctx context.Context) (m *municipality.Municipality, members map[string]int, err error) {
	if m, err = s.broadcaster(ctx); err != nil {
		return nil, nil, err
	}
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		members, err = broadcast.CountSubscribers(ctx, tx, m.ID)
		return err
	})
	return m, members, err
}

func (s *server) listSubscribers(ctx context.Context, in *listSubscribers) (*someSubscribers, error) {
	after, err := readCursor(in.Cursor, inSubscribers)
	if err != nil {
		return nil, err
	}
	m, err := s.broadcaster(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(m.File.Lists, func(l municipality.List) bool { return l.Keyword == in.Keyword }) {
		return nil, errNoList
	}
	var found []broadcast.Subscriber
	var next int64
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		found, next, err = broadcast.Subscribers(ctx, tx, m.ID, in.Keyword, after.ID, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	var items []Subscriber
	for _, f := range found {
		items = append(items, Subscriber{Contact: newPerson(f.Contact), Since: f.Since.UTC()})
	}
	return &someSubscribers{newPage(items, afterID(inSubscribers, next))}, nil
}

// broadcaster is the token's municipality, if the token may do with lists and broadcasts what the routes
// do: they are of the whole municipality, so a token of some offices may not.
func (s *server) broadcaster(ctx context.Context) (*municipality.Municipality, error) {
	actor := callOf(ctx).actor
	if err := requireWhole(actor, staff.ManageBroadcasts); err != nil {
		return nil, err
	}
	m, ok := s.Directory.ByID(actor.Municipality)
	if !ok {
		return nil, errUnavailable
	}
	return m, nil
}
