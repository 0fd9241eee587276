// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Broadcast is one broadcast with all that is known of it.
type Broadcast struct {
	BroadcastRow
	Free        string
	Template    string
	Buttons     []string // under it
	Category    string
	CreatedAt   time.Time
	WrittenAt   time.Time
	Submitter   string
	SubmittedAt time.Time
	Approver    string
	ApprovedAt  time.Time
	Glass       string
	StartedAt   time.Time
	CompletedAt time.Time
	PausedBy    string // the person
	PauseReason string // or what Meta said, with what to do
	WaitsLimit  bool
	Rate        float64       // messages a second now, 0 not known
	Left        time.Duration // 0 not known
	P50         time.Duration
	P90         time.Duration
	P99         time.Duration
	Failures    []FailureRow
	Offered     int // uncertain for ten minutes
	Chain       []Link
	Preview     *BroadcastPreview // before it is sent
	Problem     string
	Mine        bool // the viewer wrote it
	Asked       bool // the viewer sent it, or asked for its approval
	Rights      BroadcastRights
}

// BroadcastRights are what the viewer may do with a broadcast now.
type BroadcastRights struct {
	Edit, Submit, Approve, Return, Glass, Pause, Resume, Cancel, Resend, Follow, Recipients bool
}

// Link is one broadcast of a chain.
type Link struct {
	ID      string
	Text    string
	Update  bool
	Ends    bool
	State   Phase
	At      time.Time
	Current bool
}

// Failure of recipients, by reason.
type FailureRow struct {
	Reason string
	Count  int
}

// moving tells whether the figures of a broadcast may still change: its page asks for them again.
func (b Broadcast) moving() bool { return b.State.moves() }

// whatHappened is the last thing that happened to a broadcast.
func whatHappened(ctx context.Context, b Broadcast) string {
	switch b.State {
	case PhaseDraft:
		return t(ctx, "desk.broadcast.happened.draft", "moment", moment(ctx, b.CreatedAt))
	case PhaseAwaits:
		return t(ctx, "desk.broadcast.happened.awaits", "moment", moment(ctx, b.SubmittedAt))
	case PhaseScheduled:
		return t(ctx, "desk.broadcast.happened.scheduled", "moment", moment(ctx, b.Schedule))
	case PhaseCompleted:
		return t(ctx, "desk.broadcast.happened.completed", "moment", moment(ctx, b.StartedAt), "took", took(ctx, b.CompletedAt.Sub(b.StartedAt)))
	case PhaseCancelled:
		return t(ctx, "desk.broadcast.happened.cancelled", "moment", moment(ctx, b.CompletedAt))
	default:
		if b.StartedAt.IsZero() {
			return ""
		}
		return t(ctx, "desk.broadcast.happened.started", "moment", moment(ctx, b.StartedAt))
	}
}

// asWritten is what a broadcast says, in front of no one in particular.
func asWritten(ctx context.Context, b Broadcast) []Sample {
	samples := []Sample{{Text: b.Text, Buttons: b.Buttons}}
	if b.Free != "" {
		samples = append(samples, Sample{Name: t(ctx, "desk.broadcast.free_whom"), Text: b.Free})
	}
	return samples
}

func submitterKey(b Broadcast) locale.Key {
	if b.Emergency {
		return "desk.broadcast.asker"
	}
	return "desk.broadcast.submitter"
}

func draftKey(b Broadcast) locale.Key {
	switch {
	case !b.Rights.Submit:
		return "desk.broadcast.step.draft_read"
	case b.Emergency:
		return "desk.broadcast.step.draft_emergency"
	default:
		return "desk.broadcast.step.draft"
	}
}

func submitKey(b Broadcast) string {
	switch {
	case b.Emergency:
		return "desk.broadcast.act.ask"
	case !b.Schedule.IsZero():
		return "desk.broadcast.act.schedule"
	default:
		return "desk.broadcast.act.submit"
	}
}

func approveKey(ctx context.Context, b Broadcast) string {
	if b.Schedule.After(setting(ctx).Now) {
		return "desk.broadcast.act.approve_later"
	}
	return "desk.broadcast.act.approve"
}

func actLabel(ctx context.Context, b Broadcast, label string) string {
	if label == "desk.broadcast.act.resend" {
		return n(ctx, "desk.broadcast.act.resend", b.Offered)
	}
	return t(ctx, key(label))
}

func pausedBecause(ctx context.Context, b Broadcast) string {
	if b.PauseReason != "" {
		return t(ctx, "desk.broadcast.step.paused_by_meta", "reason", b.PauseReason)
	}
	if b.PausedBy == "" {
		return t(ctx, "desk.broadcast.step.paused")
	}
	return t(ctx, "desk.broadcast.step.paused_by", "who", b.PausedBy)
}

// resumesKey says when what was paused before its time leaves, once it is resumed; "" for what has begun.
func resumesKey(ctx context.Context, b Broadcast) string {
	switch {
	case b.begun() || b.Schedule.IsZero():
		return ""
	case b.Schedule.After(setting(ctx).Now):
		return "desk.broadcast.step.resumes_then"
	default:
		return "desk.broadcast.step.resumes_now"
	}
}

// pace is the rate of sending now and what is left at it; after that, of how many nothing is known yet.
func pace(ctx context.Context, b Broadcast) string {
	if waiting := b.Outcomes.Accepted + b.Outcomes.Sent; waiting > 0 && !b.State.counting() {
		return n(ctx, "desk.broadcast.unconfirmed", waiting)
	}
	if b.State != PhaseSending || b.Rate <= 0 {
		return ""
	}
	rate := language(ctx).Decimal(b.Rate, 0)
	if b.Rate < 10 {
		rate = language(ctx).Decimal(b.Rate, 1)
	}
	if b.Left <= 0 {
		return t(ctx, "desk.broadcast.pace", "rate", rate)
	}
	return t(ctx, "desk.broadcast.pace_left", "rate", rate, "left", estimated(ctx, b.Left))
}

// outcome is a line of the table of outcomes.
type outcome struct {
	key   locale.Key
	count int
	class string
	hint  locale.Key
}

// outcomes are the lines of the table: all that a broadcast may come to, with those that there are.
func outcomes(o Outcomes) []outcome {
	return []outcome{
		{"desk.broadcast.outcome.queued", o.Queued, "", ""},
		{"desk.broadcast.outcome.sending", o.Sending, "", ""},
		{"desk.broadcast.outcome.sent", o.Accepted + o.Sent, "", ""},
		{"desk.broadcast.outcome.held", o.Held, "state-warn", "desk.broadcast.outcome.held_hint"},
		{"desk.broadcast.outcome.delivered", o.Delivered, "state-ok", ""},
		{"desk.broadcast.outcome.read", o.Read, "state-ok", ""},
		{"desk.broadcast.outcome.failed", o.Failed, "state-bad", ""},
		{"desk.broadcast.outcome.uncertain", o.Uncertain, "state-warn", "desk.broadcast.outcome.uncertain_hint"},
		{"desk.broadcast.outcome.skipped", o.Skipped, "", "desk.broadcast.outcome.skipped_hint"},
		{"desk.broadcast.outcome.cancelled", o.Cancelled, "", ""},
	}
}

func (o outcome) shade() string {
	if o.count == 0 {
		return ""
	}
	return o.class
}

func portion(ctx context.Context, part, all int) string {
	if all == 0 {
		return ""
	}
	return language(ctx).Percent(float64(part) / float64(all))
}

// took writes how long something took, exact to the second below an hour.
func took(ctx context.Context, d time.Duration) string {
	if d > 0 && d < time.Second {
		return t(ctx, "desk.broadcast.under_a_second")
	}
	if d >= time.Minute && d < time.Hour {
		return t(ctx, "desk.broadcast.minutes_seconds", "min", int(d/time.Minute), "s", int(d%time.Minute/time.Second))
	}
	return language(ctx).Duration(d)
}
