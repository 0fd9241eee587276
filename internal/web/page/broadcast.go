// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Phase is the state of a broadcast, by the key that names it.
type Phase string

// The states of a broadcast.
const (
	PhaseDraft     Phase = "draft"
	PhaseAwaits    Phase = "awaiting_approval"
	PhaseScheduled Phase = "scheduled"
	PhasePreparing Phase = "preparing"
	PhaseSending   Phase = "sending"
	PhasePaused    Phase = "paused"
	PhaseCompleted Phase = "completed"
	PhaseCancelled Phase = "cancelled"
)

// moves tells whether messages of a broadcast in this state exist or are being made.
func (s Phase) moves() bool {
	return s == PhasePreparing || s == PhaseSending || s == PhasePaused || s == PhaseCompleted || s == PhaseCancelled
}

// Outcomes are the recipients of a broadcast by what became of their message.
type Outcomes struct {
	Queued, Sending, Uncertain, Accepted, Held, Sent, Failed, Delivered, Read, Cancelled, Skipped int
}

func (o Outcomes) all() int {
	return o.Queued + o.Sending + o.Uncertain + o.out() + o.Failed + o.Cancelled + o.Skipped
}

func (o Outcomes) out() int { return o.Accepted + o.Held + o.Sent + o.arrived() }

func (o Outcomes) arrived() int { return o.Delivered + o.Read }

// BroadcastRow is a broadcast in few words.
type BroadcastRow struct {
	ID         string
	Text       string // what it says
	Lists      []string
	Districts  []string
	Excluded   []string
	Emergency  bool
	Exercise   bool
	Ends       bool // an all-clear
	Update     bool // it follows another one
	State      Phase
	Recipients int
	Outcomes   Outcomes
	Author     string
	At         time.Time // when it began to be sent, or else when it was written
	Schedule   time.Time // zero: at once
}

// begun tells whether there is something to tell of its messages: what was paused before its time has none.
func (r BroadcastRow) begun() bool {
	return r.State.moves() && (r.State != PhasePaused || r.counted() > 0)
}

// counted is how many recipients a broadcast has, as far as it is known.
func (r BroadcastRow) counted() int { return max(r.Recipients, r.Outcomes.all()) }

// Banner is something that everybody at the desk has to know.
type Banner struct {
	ID      string // the broadcast
	Who     string
	At      time.Time
	Text    string // what was sent
	Reason  string // why it was released alone; "" asks for an approval
	Address string // where it can be seen, "" for nowhere
}

func phaseKey(s Phase) locale.Key { return locale.Key("desk.broadcast.state." + string(s)) }

func phaseClass(s Phase) string {
	switch s {
	case PhaseSending, PhasePreparing, PhaseCompleted:
		return "state-ok"
	case PhasePaused, PhaseAwaits:
		return "state-warn"
	default:
		return "quiet"
	}
}

// gistLength is how much of a text names a broadcast, in characters; shortHeading is a heading that says too
// little by itself, like the name of the office.
const (
	gistLength   = 160
	shortHeading = 60
)

// gist is what a broadcast says in one line: its beginning, with what follows a short heading.
func gist(text string) string {
	var line string
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n") {
		paragraph = strings.TrimSpace(paragraph)
		switch {
		case line == "":
			line = paragraph
		case paragraph != "" && utf8.RuneCountInString(line) < shortHeading:
			line += " · " + paragraph
		}
	}
	if runes := []rune(line); len(runes) > gistLength {
		return strings.TrimRight(string(runes[:gistLength]), " .,;:…") + "…"
	}
	return line
}

// counting tells which figure shows how far a broadcast is: those sent until all are, then those that arrived.
func (s Phase) counting() bool { return s == PhaseSending || s == PhasePreparing || s == PhasePaused }

// progressed is that figure.
func progressed(r BroadcastRow) int {
	if r.State.counting() {
		return r.Outcomes.out()
	}
	return r.Outcomes.arrived()
}

// progress says how far a broadcast is.
func progress(ctx context.Context, r BroadcastRow) string {
	switch {
	case r.State == PhasePreparing && r.counted() == 0:
		return t(ctx, "desk.broadcast.progress_preparing")
	case r.State.counting():
		return t(ctx, "desk.broadcast.progress_out", "n", number(ctx, progressed(r)), "all", number(ctx, r.counted()))
	default:
		return t(ctx, "desk.broadcast.progress_arrived", "n", number(ctx, progressed(r)), "all", number(ctx, r.counted()))
	}
}
