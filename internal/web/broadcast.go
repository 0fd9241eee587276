// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	broadcastsAtOnce = 30
	sampled          = 3 // real recipients whose message is shown before sending
)

func (s *Server) broadcastFrame(v *visit) page.Desk {
	return s.frame(v, page.SectionBroadcasts, v.language.T("desk.section.broadcasts"))
}

// broadcasts lists them, newest first; the page's script asks for the rows alone.
func (s *Server) broadcasts(w http.ResponseWriter, r *http.Request, v *visit) error {
	after, _ := db.ParseID(r.URL.Query().Get("cursor"))
	var rows []page.BroadcastRow
	var next int64
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		list, following, err := broadcast.List(ctx, tx, v.municipality.ID, after, broadcastsAtOnce)
		next = following
		for _, b := range list {
			outcomes := b.Reach.Outcomes
			if started(b) && !b.CountedSinceEnd() {
				if outcomes, err = broadcast.CameTo(ctx, tx, v.municipality.ID, b); err != nil {
					return err
				}
			}
			rows = append(rows, rowOfBroadcast(v, b, outcomes))
		}
		return err
	})
	if err != nil {
		return err
	}
	cursor, more := "", ""
	if after != 0 {
		cursor = db.FormatID(after)
	}
	if next != 0 {
		more = db.FormatID(next)
	}
	if part(r) {
		return s.draw(w, r, http.StatusOK, page.BroadcastList(rows, cursor))
	}
	return s.draw(w, r, http.StatusOK, page.BroadcastsPage(s.broadcastFrame(v), rows, cursor, more))
}

func rowOfBroadcast(v *visit, b broadcast.Broadcast, o broadcast.Outcomes) page.BroadcastRow {
	row := page.BroadcastRow{
		ID: db.FormatID(b.ID), Text: conversation.Personal(b.Reads, "", b.Template.Language),
		Lists: topicNames(v, b.Lists), Districts: topicNames(v, b.Districts), Excluded: topicNames(v, b.Exclude),
		Emergency: b.Emergency, Exercise: b.Exercise, Ends: b.Ends, Update: b.Follows != 0,
		State: page.Phase(b.State), Recipients: b.Recipients, Outcomes: outcomesOf(o), Author: b.Author.Name,
		At: b.CreatedAt, Schedule: orZero(b.Schedule),
	}
	if b.StartedAt != nil {
		row.At = *b.StartedAt
	}
	return row
}

func outcomesOf(o broadcast.Outcomes) page.Outcomes {
	return page.Outcomes{Queued: o.Queued, Sending: o.Sending, Uncertain: o.Uncertain, Accepted: o.Accepted, Held: o.Held, Sent: o.Sent,
		Failed: o.Failed, Delivered: o.Delivered, Read: o.Read, Cancelled: o.Cancelled, Skipped: o.Skipped}
}

// topicNames are the names of lists and districts; one that is no longer in the file is called by its keyword.
func topicNames(v *visit, keywords []string) []string {
	names := make([]string, len(keywords))
	for i, keyword := range keywords {
		names[i] = keyword
		for _, l := range v.municipality.File.Lists {
			if l.Keyword == keyword {
				names[i] = l.Name
			}
		}
		for _, d := range v.municipality.File.Districts {
			if d.Keyword == keyword {
				names[i] = d.Name
			}
		}
	}
	return names
}

func (s *Server) broadcastPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	return s.showBroadcast(w, r, v, broadcastID, http.StatusOK, "")
}

// broadcastLive is the part of the page that changes while messages go out.
func (s *Server) broadcastLive(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	b, err := s.loadBroadcast(r.Context(), v, broadcastID)
	if err != nil {
		return err
	}
	return s.draw(w, r, http.StatusOK, page.BroadcastBody(b))
}

func (s *Server) showBroadcast(w http.ResponseWriter, r *http.Request, v *visit, id int64, status int, problem string) error {
	b, err := s.loadBroadcast(r.Context(), v, id)
	if err != nil {
		return err
	}
	b.Problem = problem
	return s.draw(w, r, status, page.BroadcastPage(s.broadcastFrame(v), b))
}

func (s *Server) loadBroadcast(ctx context.Context, v *visit, id int64) (out page.Broadcast, err error) {
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, id)
		if err != nil {
			return err
		}
		if out, err = broadcastOf(ctx, tx, v, b); err != nil {
			return err
		}
		out.Rate = s.paces.of(b, v.now)
		if open := out.Outcomes.Queued + out.Outcomes.Sending; out.Rate > 0 {
			out.Left = time.Duration(float64(open) / out.Rate * float64(time.Second))
		}
		return nil
	})
	return out, err
}

// started tells whether a broadcast has, or gets, messages of its own. One that was scheduled may be paused without any.
func started(b broadcast.Broadcast) bool {
	if b.State == broadcast.Paused {
		return b.Recipients > 0
	}
	return !slices.Contains([]broadcast.State{broadcast.Draft, broadcast.AwaitingApproval, broadcast.Scheduled}, b.State)
}

func broadcastOf(ctx context.Context, tx *db.Tx, v *visit, b broadcast.Broadcast) (page.Broadcast, error) {
	var err error
	if b.Reach, err = reachOf(ctx, tx, v, b); err != nil {
		return page.Broadcast{}, err
	}
	out := page.Broadcast{
		BroadcastRow: rowOfBroadcast(v, b, b.Reach.Outcomes),
		Free:         conversation.Personal(b.Free, "", b.Template.Language), Template: b.Template.Name, Buttons: b.Template.Buttons, Category: b.Category,
		CreatedAt: b.CreatedAt, SubmittedAt: orZero(b.SubmittedAt), Approver: b.Approver, ApprovedAt: orZero(b.ApprovedAt), Glass: b.Glass,
		StartedAt: orZero(b.StartedAt), CompletedAt: orZero(b.CompletedAt), PausedBy: b.PausedBy, WaitsLimit: b.Waits == "limit",
		P50: seconds(b.Reach.P50), P90: seconds(b.Reach.P90), P99: seconds(b.Reach.P99),
		Mine: wrote(v, b.Author), Asked: wrote(v, b.Submitter), WrittenAt: b.WrittenAt, Submitter: b.Submitter.Name,
	}
	if b.CompletedAt == nil {
		out.CompletedAt = b.UpdatedAt
	}
	if b.PauseCode != 0 {
		out.PauseReason = graphSentence(v.language, b.PauseCode)
	}
	if !started(b) {
		preview, err := previewOf(ctx, tx, v, b.Plan)
		if err != nil {
			return page.Broadcast{}, err
		}
		out.Preview = &preview
	} else if err := addResults(ctx, tx, v, b, &out); err != nil {
		return page.Broadcast{}, err
	}
	out.Rights = broadcastRights(v, b, out.Offered)
	out.Chain, err = chainOf(ctx, tx, v, b)
	return out, err
}

func reachOf(ctx context.Context, tx *db.Tx, v *visit, b broadcast.Broadcast) (broadcast.Reach, error) {
	if !started(b) {
		return b.Reach, nil
	}
	return broadcast.Reached(ctx, tx, v.municipality.ID, b)
}

// wrote tells whether the visitor is a, who wrote a broadcast or sent it.
func wrote(v *visit, a conversation.Author) bool {
	return a.Kind == string(v.actor.Kind) && a.ID == v.actor.ID
}

func addResults(ctx context.Context, tx *db.Tx, v *visit, b broadcast.Broadcast, out *page.Broadcast) (err error) {
	codes := b.Reach.Failures
	if b.Reach.Failed > 0 && codes == nil { // kept before they were counted with the rest
		if codes, err = broadcast.Failures(ctx, tx, v.municipality.ID, b.ID); err != nil {
			return err
		}
	}
	out.Failures = failureRows(v.language, codes)
	if b.Reach.Uncertain > 0 {
		out.Offered, err = broadcast.Offered(ctx, tx, v.municipality.ID, b.ID)
	}
	return err
}

// failureRows are the reasons in words, the most frequent first; several of Meta's codes may have the same words.
func failureRows(l locale.Language, codes map[int]int) []page.FailureRow {
	counts := map[string]int{}
	for code, n := range codes {
		counts[graphSentence(l, code)] += n
	}
	var rows []page.FailureRow
	for reason, n := range counts {
		rows = append(rows, page.FailureRow{Reason: reason, Count: n})
	}
	slices.SortFunc(rows, func(a, b page.FailureRow) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	return rows
}

// broadcastRights are what the visitor may do in the state that b is in. They only choose what is offered:
// the domain checks again.
func broadcastRights(v *visit, b broadcast.Broadcast, offered int) page.BroadcastRights {
	manages, approves := v.actor.May(staff.ManageBroadcasts), v.actor.May(staff.ApproveBroadcasts)
	in := func(states ...broadcast.State) bool { return slices.Contains(states, b.State) }
	awaits := in(broadcast.AwaitingApproval)
	return page.BroadcastRights{
		Edit:       manages && in(broadcast.Draft, broadcast.AwaitingApproval),
		Submit:     manages && in(broadcast.Draft),
		Approve:    approves && awaits && b.Second(v.actor),
		Return:     manages && awaits,
		Glass:      approves && awaits && !b.Second(v.actor),
		Pause:      manages && in(broadcast.Scheduled, broadcast.Preparing, broadcast.Sending),
		Resume:     manages && in(broadcast.Paused),
		Cancel:     manages && !in(broadcast.Completed, broadcast.Cancelled),
		Resend:     manages && offered > 0 && in(broadcast.Sending, broadcast.Paused, broadcast.Completed),
		Follow:     manages && b.StartedAt != nil,
		Recipients: manages && started(b),
	}
}

func chainOf(ctx context.Context, tx *db.Tx, v *visit, b broadcast.Broadcast) (links []page.Link, err error) {
	all, err := broadcast.Chain(ctx, tx, v.municipality.ID, b.ID)
	for _, c := range all {
		at := c.CreatedAt
		if c.StartedAt != nil {
			at = *c.StartedAt
		}
		links = append(links, page.Link{ID: db.FormatID(c.ID), Text: conversation.Personal(c.Reads, "", c.Template.Language), Update: c.Follows != 0, Ends: c.Ends,
			State: page.Phase(c.State), At: at, Current: c.ID == b.ID})
	}
	return links, err
}
