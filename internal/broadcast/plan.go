// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Create writes a draft.
func Create(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, p Plan) (Broadcast, error) {
	if err := actor.Require(staff.ManageBroadcasts, m.ID); err != nil {
		return Broadcast{}, err
	}
	b := Broadcast{ID: tx.NewID(), State: Draft, Author: authorOf(actor), CreatedAt: tx.Now(), WrittenAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := b.take(ctx, tx, m, p); err != nil {
		return Broadcast{}, err
	}
	if err := insert(ctx, tx, m.ID, b); err != nil {
		return Broadcast{}, err
	}
	told(tx, m.ID, b.ID)
	return b, record(ctx, tx, actor, m, Created, b)
}

// Edit rewrites a draft, or an emergency that waits for approval: it is a draft again then, so that nobody
// approves what they have not read. Who edits it is its author from then on.
func Edit(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64, p Plan) (Broadcast, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Draft, AwaitingApproval)
	if err != nil {
		return Broadcast{}, err
	}
	if err := b.take(ctx, tx, m, p); err != nil {
		return Broadcast{}, err
	}
	b.State, b.Author, b.WrittenAt, b.Submitter, b.SubmittedAt = Draft, authorOf(actor), tx.Now(), conversation.Author{}, nil
	if err := rewrite(ctx, tx, m.ID, b); err != nil {
		return Broadcast{}, err
	}
	told(tx, m.ID, id)
	return b, record(ctx, tx, actor, m, Edited, b)
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

// take makes b say what p says, if it can be sent like this.
func (b *Broadcast) take(ctx context.Context, tx *db.Tx, m *municipality.Municipality, p Plan) error {
	p.Free = strings.TrimSpace(db.Text(p.Free))
	b.Plan = p
	for _, check := range []func() error{
		func() error { return b.checkAudience(m) },
		func() error { return b.fill(ctx, tx, m) },
		b.checkText,
		func() error { return b.checkSchedule(tx.Now()) },
		func() error { return b.checkFollows(ctx, tx, m.ID) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// takeAgain is take for what was written some time ago: a list or the template may have gone since, or its
// schedule passed. What it says must not have changed, as people have decided about that.
func (b *Broadcast) takeAgain(ctx context.Context, tx *db.Tx, m *municipality.Municipality) error {
	read := b.Reads
	if err := b.take(ctx, tx, m, b.Plan); err != nil {
		return err
	}
	if b.Reads != read {
		return ErrChanged
	}
	return nil
}

func (b *Broadcast) checkAudience(m *municipality.Municipality) error {
	b.Emergency = false
	for _, keyword := range append(slices.Clone(b.Lists), b.Exclude...) {
		i := slices.IndexFunc(m.File.Lists, func(l municipality.List) bool { return l.Keyword == keyword })
		if i < 0 {
			return ErrNobody
		}
		if slices.Contains(b.Lists, keyword) && m.File.Lists[i].Kind == municipality.ListEmergency {
			b.Emergency = true
		}
	}
	for _, keyword := range b.Districts {
		if !slices.ContainsFunc(m.File.Districts, func(d municipality.District) bool { return d.Keyword == keyword }) {
			return ErrNobody
		}
	}
	if len(b.Lists) == 0 {
		return ErrNobody
	}
	return nil
}

// fill fills the template. All accounts that send must have it.
func (b *Broadcast) fill(ctx context.Context, tx *db.Tx, m *municipality.Municipality) error {
	var seen []string
	for _, n := range m.Numbers {
		if slices.Contains(seen, n.WABAID) {
			continue
		}
		seen = append(seen, n.WABAID)
		t, err := municipality.TemplateOf(ctx, tx, m.ID, n.WABAID, b.Template.Name, b.Template.Language)
		if errors.Is(err, municipality.ErrTemplateNotFound) || err == nil && (!t.Approved() || !t.Supported()) {
			return ErrNoTemplate
		}
		if err != nil {
			return err
		}
		if b.Template.Texts, b.Reads, err = t.Fill(b.Parameters); err != nil {
			return err
		}
		b.Category = t.Category
	}
	return nil
}

// imitation finds the name of the State's own alarm: a municipality's message never looks like it.
// https://www.it-alert.gov.it/
// In English it may be two words of a sentence; only capitals, or no space, make it that name.
var (
	imitation        = regexp.MustCompile(`(?i)\bit[_\s\pZ\p{Pd}\p{Cf}\x{2212}]*alert\b`)
	englishImitation = regexp.MustCompile(`\b(?:IT[_\s\pZ\p{Pd}\p{Cf}\x{2212}]*(?i:alert)|(?i:it[_\p{Pd}\p{Cf}\x{2212}]*alert))\b`)
)

func (b *Broadcast) imitates() bool {
	name := imitation
	if strings.HasPrefix(b.Template.Language, "en") {
		name = englishImitation
	}
	return name.MatchString(b.Reads) || name.MatchString(b.Free)
}

// exerciseWord stands in every message of an exercise.
const exerciseWord = "ESERCITAZIONE"

func (b *Broadcast) checkText() error {
	if b.imitates() {
		return ErrImitation
	}
	if utf8.RuneCountInString(b.Free) > conversation.MaxText {
		return ErrFree
	}
	if b.Exercise && (!says(b.Reads, exerciseWord) || b.Free != "" && !says(b.Free, exerciseWord)) {
		return ErrExercise
	}
	return nil
}

func says(text, word string) bool { return strings.Contains(strings.ToUpper(text), word) }

// maxAhead is how far ahead a broadcast may be scheduled.
const maxAhead = 366 * 24 * time.Hour

func (b *Broadcast) checkSchedule(now time.Time) error {
	if b.Schedule != nil && (b.Schedule.Before(now.Add(-time.Minute)) || b.Schedule.After(now.Add(maxAhead))) {
		return ErrSchedule
	}
	return nil
}

func (b *Broadcast) checkFollows(ctx context.Context, tx *db.Tx, municipality int64) error {
	if b.Follows == 0 {
		b.Ends = false
		return nil
	}
	f, err := Get(ctx, tx, municipality, b.Follows)
	if errors.Is(err, ErrNotFound) || err == nil && (f.ID == b.ID || f.StartedAt == nil) {
		return ErrFollows
	}
	return err
}

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
