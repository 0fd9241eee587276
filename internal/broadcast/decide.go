// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Submit sends a draft, now or at its time. An emergency waits for a second person first.
func Submit(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Draft)
	if err != nil {
		return Broadcast{}, err
	}
	if err := b.takeAgain(ctx, tx, m); err != nil {
		return Broadcast{}, err
	}
	b.Submitter, b.SubmittedAt, b.State = authorOf(actor), new(tx.Now()), AwaitingApproval
	if !b.Emergency {
		b.State = b.released(tx.Now())
	}
	if err := b.ready(ctx, tx, m.ID); err != nil {
		return Broadcast{}, err
	}
	err = set(ctx, tx, m.ID, id, `state = $4, submitted_at = $3, submitter_kind = $5, submitter_id = $6, submitter_name = $7, emergency = $8, category = $9`,
		string(b.State), b.Submitter.Kind, b.Submitter.ID, b.Submitter.Name, b.Emergency, b.Category)
	if err != nil {
		return Broadcast{}, err
	}
	return b, record(ctx, tx, actor, m, Submitted, b)
}

// released is the state of a broadcast that nothing holds back any more.
func (b *Broadcast) released(now time.Time) State {
	if b.Schedule != nil && b.Schedule.After(now) {
		return Scheduled
	}
	return Preparing
}

// ready keeps what the copies will say.
func (b *Broadcast) ready(ctx context.Context, tx *db.Tx, municipality int64) error {
	return conversation.SetCopyText(ctx, tx, municipality, conversation.CopyText{Broadcast: b.ID, Template: b.Template, Text: b.Reads, Free: b.Free})
}

// Approve releases an emergency that other people wrote and submitted.
func Approve(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ApproveBroadcasts, m, id, AwaitingApproval)
	if err != nil {
		return Broadcast{}, err
	}
	if !b.Second(actor) {
		return Broadcast{}, ErrSecond
	}
	return b.release(ctx, tx, actor, m, "", Approved)
}

// minReason is what a reason must have at least, in characters.
const minReason = 10

// BreakGlass releases an emergency without a second person, when there is nobody to ask. It takes a reason,
// is audited, and all of the staff are told.
func BreakGlass(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64, reason string) (Broadcast, error) {
	reason = strings.TrimSpace(db.Text(reason))
	b, err := begin(ctx, tx, actor, staff.ApproveBroadcasts, m, id, AwaitingApproval)
	if err != nil {
		return Broadcast{}, err
	}
	if actor.Kind != staff.OperatorKind {
		return Broadcast{}, ErrSecond
	}
	if n := utf8.RuneCountInString(reason); n < minReason || n > conversation.MaxText {
		return Broadcast{}, ErrReason
	}
	return b.release(ctx, tx, actor, m, reason, Broken)
}

func (b Broadcast) release(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, glass string, action staff.Action) (Broadcast, error) {
	if err := b.takeAgain(ctx, tx, m); err != nil {
		return Broadcast{}, err
	}
	b.State, b.ApproverID, b.Approver, b.ApprovedAt, b.Glass = b.released(tx.Now()), actor.ID, actor.Name, new(tx.Now()), glass
	err := set(ctx, tx, m.ID, b.ID, `state = $4, approver_id = $5, approver_name = $6, approved_at = $3, glass = $7, emergency = $8, category = $9`,
		string(b.State), actor.ID, actor.Name, glass, b.Emergency, b.Category)
	if err != nil {
		return Broadcast{}, err
	}
	if glass != "" {
		tx.Notify(db.Notice{Topic: db.Config, Municipality: m.ID}) // every page of the desk shows it
	}
	return b, record(ctx, tx, actor, m, action, b)
}

// Return makes an emergency that waits for approval a draft again, as it is.
func Return(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, AwaitingApproval)
	if err != nil {
		return Broadcast{}, err
	}
	b.State, b.Submitter, b.SubmittedAt = Draft, conversation.Author{}, nil
	if err := set(ctx, tx, m.ID, id, `state = 'draft', `+unsubmitted); err != nil {
		return Broadcast{}, err
	}
	return b, record(ctx, tx, actor, m, Returned, b)
}

// Pause stops a broadcast until somebody resumes it. What is in flight arrives.
func Pause(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Scheduled, Preparing, Sending)
	if err != nil {
		return Broadcast{}, err
	}
	b.State, b.PausedBy, b.PauseCode = Paused, actor.Name, 0
	if err := pause(ctx, tx, m, id, 0, actor.Name); err != nil {
		return Broadcast{}, err
	}
	return b, record(ctx, tx, actor, m, Stopped, b)
}

func pause(ctx context.Context, tx *db.Tx, m *municipality.Municipality, id int64, code int, name string) error {
	if err := conversation.ParkCopies(ctx, tx, m.ID, id, numbersOf(m)); err != nil {
		return err
	}
	return set(ctx, tx, m.ID, id, `state = 'paused', pause_code = $4, paused_name = $5, waits = ''`, code, name)
}

// numbersOf are all numbers of a municipality, retired ones too.
func numbersOf(m *municipality.Municipality) (ids []string) {
	for _, n := range append(slices.Clone(m.Numbers), m.Retired...) {
		ids = append(ids, n.PhoneNumberID)
	}
	return ids
}

// Resume goes on with a broadcast that was paused.
func Resume(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Paused)
	if err != nil {
		return Broadcast{}, err
	}
	switch {
	case b.Prepared:
		b.State = Sending
	default:
		b.State = b.released(tx.Now())
	}
	b.PauseCode, b.PausedBy = 0, ""
	if err := set(ctx, tx, m.ID, id, `state = $4, pause_code = 0, paused_name = ''`, string(b.State)); err != nil {
		return Broadcast{}, err
	}
	return b, record(ctx, tx, actor, m, Resumed, b)
}

// Cancel ends a broadcast: whoever has not been written to will not be. A draft is cancelled by this too.
func Cancel(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Draft, AwaitingApproval, Scheduled, Preparing, Sending, Paused)
	if err != nil {
		return Broadcast{}, err
	}
	b.State = Cancelled
	if err := conversation.ParkCopies(ctx, tx, m.ID, id, numbersOf(m)); err != nil {
		return Broadcast{}, err
	}
	if err := set(ctx, tx, m.ID, id, `state = 'cancelled', waits = ''`); err != nil {
		return Broadcast{}, err
	}
	return b, record(ctx, tx, actor, m, Withdrawn, b)
}

// begin loads a broadcast that somebody wants to act on, and refuses it unless they may and it is in one of
// the states.
func begin(ctx context.Context, tx *db.Tx, actor staff.Actor, right staff.Right, m *municipality.Municipality, id int64, states ...State) (Broadcast, error) {
	if err := actor.Require(right, m.ID); err != nil {
		return Broadcast{}, err
	}
	b, err := lock(ctx, tx, m.ID, id)
	if err != nil {
		return Broadcast{}, err
	}
	if !slices.Contains(states, b.State) {
		return Broadcast{}, ErrState
	}
	return b, nil
}

func record(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, action staff.Action, b Broadcast) error {
	return staff.Record(ctx, tx, actor.In(m.ID), action, "broadcast", db.FormatID(b.ID), map[string]any{"state": string(b.State), "emergency": b.Emergency})
}
