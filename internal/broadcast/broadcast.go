// SPDX-License-Identifier: AGPL-3.0-or-later

// Package broadcast knows the lists that citizens join, the words by which they do, and the messages
// that a municipality sends to all who joined: one by one, never in a group.
package broadcast

import (
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// State of a broadcast.
type State string

// The states, in the order in which a broadcast goes through them.
const (
	Draft            State = "draft"
	AwaitingApproval State = "awaiting_approval" // an emergency waits for a second person
	Scheduled        State = "scheduled"
	Preparing        State = "preparing" // its recipients get their rows
	Sending          State = "sending"
	Paused           State = "paused"
	Completed        State = "completed" // nothing is queued or sending any more
	Cancelled        State = "cancelled"
)

// Audience says who gets a broadcast: the subscribers of any of Lists, each once; where Districts are named,
// only those who said that one of them is theirs; without those who are on a list in Exclude.
type Audience struct {
	Lists, Districts, Exclude []string // keywords
}

// Message is what a broadcast says.
type Message struct {
	Template   conversation.Template
	Parameters municipality.Parameters // as written; Template.Texts are these in order
	Free       string                  // goes as plain text to those whose window is open; "" sends the template to all
}

// Plan is a broadcast as its author writes it.
type Plan struct {
	Audience
	Message
	Schedule *time.Time // nil: at once
	Exercise bool       // a try: what it says must say so, and it overtakes nothing
	Follows  int64      // the broadcast that it updates, or ends
	Ends     bool       // it is the all-clear of Follows
}

// Broadcast is a message to many.
type Broadcast struct {
	ID int64
	Plan
	State       State
	Emergency   bool                // one of its lists is
	Reads       string              // the template filled in, as a citizen reads it
	Category    string              // Meta's of the template: UTILITY, MARKETING
	Author      conversation.Author // who wrote last what it says
	CreatedAt   time.Time
	WrittenAt   time.Time // when they did
	UpdatedAt   time.Time
	Submitter   conversation.Author // who sent it, or asked for approval; none for a draft
	SubmittedAt *time.Time
	ApproverID  int64 // 0: nobody had to, or has
	Approver    string
	ApprovedAt  *time.Time
	Glass       string // why its author released an emergency without a second person
	Recipients  int    // who have their row
	Prepared    bool   // all have
	StartedAt   *time.Time
	CompletedAt *time.Time // also when it was cancelled
	PauseCode   int        // Graph's error that paused it; 0: a person did
	PausedBy    string
	Waits       string // "limit": until Meta's daily limit lets more people be reached; else ""
	Reach       Reach  // as last counted

	resendSince *time.Time // what was silent then is to be sent again
	resender    conversation.Author
}

// Second tells whether actor is a second person to b: one who neither wrote what it says nor asked for approval.
// A program is nobody's second person.
func (b Broadcast) Second(actor staff.Actor) bool {
	return actor.Kind == staff.OperatorKind && !same(b.Author, actor) && !same(b.Submitter, actor)
}

func same(a conversation.Author, actor staff.Actor) bool {
	return a.Kind == string(actor.Kind) && a.ID == actor.ID
}

func authorOf(actor staff.Actor) conversation.Author {
	return conversation.Author{Kind: string(actor.Kind), ID: actor.ID, Name: actor.Name}
}

// Outcomes are the recipients of a broadcast by what became of their message. Each is in one of them.
type Outcomes struct {
	Queued    int `json:"queued"`
	Sending   int `json:"sending"`
	Uncertain int `json:"uncertain"`
	Accepted  int `json:"accepted"`
	Held      int `json:"held"`
	Sent      int `json:"sent"`
	Failed    int `json:"failed"`
	Delivered int `json:"delivered"`
	Read      int `json:"read"` // or played
	Cancelled int `json:"cancelled"`
	Skipped   int `json:"skipped"`
}

// Audience is how many recipients there are.
func (o Outcomes) Audience() int {
	return o.Queued + o.Sending + o.Uncertain + o.Out() + o.Failed + o.Cancelled + o.Skipped
}

// Out is how many messages Meta took and did not fail since.
func (o Outcomes) Out() int { return o.Accepted + o.Held + o.Sent + o.Arrived() }

// Arrived is how many messages are known to have reached the phone.
func (o Outcomes) Arrived() int { return o.Delivered + o.Read }

// Open is how many messages have not ended.
func (o Outcomes) Open() int { return o.Queued + o.Sending }

// Reach is how far a broadcast came, and how fast: seconds from its start until so many of those who are
// known to have it had it. Zero is not known.
type Reach struct {
	Outcomes
	P50      float64     `json:"p50"`
	P90      float64     `json:"p90"`
	P99      float64     `json:"p99"`
	Failures map[int]int `json:"failures,omitempty"` // by Graph's code
	At       time.Time   `json:"at"`                 // when it was counted
}

// Estimate is what is known of a broadcast before it is sent.
type Estimate struct {
	Recipients int
	ByNumber   map[string]int // by phone number id
	Free       int            // of them, who would get the plain text
	NoDistrict int            // subscribers of the lists who are left out, having said no district
	Refused    int            // who are left out, having stopped marketing messages at Meta
	Blocked    int            // who are left out, being blocked on the number they would get it from
	Duration   time.Duration  // at the numbers' rates
	Limit      int            // people whom Meta's daily limit still lets be reached; -1: no limit, or not known
	Days       int            // over how many days the limit spreads it: 1 is today
	Price      Price
}

// Price is an estimate by the municipality's own price list; Known is false where it has none.
type Price struct {
	Known    bool
	Currency string  // ISO 4217
	Total    float64 // of the whole broadcast
	Each     float64 // of one template message
}

// The failures of a broadcast.
var (
	ErrNotFound   = fault.New(fault.NotFound, "error.broadcast_not_found")
	ErrState      = fault.New(fault.Conflict, "error.broadcast_state")    // not in this state
	ErrSecond     = fault.New(fault.Forbidden, "error.broadcast_second")  // who wrote an emergency or asked for its approval can't approve it
	ErrReason     = fault.New(fault.Invalid, "error.broadcast_reason")    // breaking the glass takes a reason
	ErrNobody     = fault.New(fault.Invalid, "error.broadcast_nobody")    // no list, or one that is not there
	ErrExercise   = fault.New(fault.Invalid, "error.broadcast_exercise")  // an exercise must say so
	ErrImitation  = fault.New(fault.Invalid, "error.broadcast_imitation") // IT-alert is the State's
	ErrFollows    = fault.New(fault.Invalid, "error.broadcast_follows")   // nothing there to follow
	ErrSchedule   = fault.New(fault.Invalid, "error.broadcast_schedule")  // in the past, or in more than a year
	ErrNoTemplate = fault.New(fault.Invalid, "error.broadcast_template")  // not approved, or not one that texts fill
	ErrChanged    = fault.New(fault.Conflict, "error.broadcast_changed")  // the template says something else since it was written
	ErrFree       = fault.New(fault.Invalid, "error.broadcast_free")      // too long
)

// What is done to broadcasts, in the audit trail.
const (
	Created   staff.Action = "broadcast.created"
	Edited    staff.Action = "broadcast.edited"
	Submitted staff.Action = "broadcast.submitted"
	Approved  staff.Action = "broadcast.approved"
	Broken    staff.Action = "broadcast.glass_broken"
	Stopped   staff.Action = "broadcast.paused"
	Resumed   staff.Action = "broadcast.resumed"
	Returned  staff.Action = "broadcast.returned"
	Withdrawn staff.Action = "broadcast.cancelled"
	Resent    staff.Action = "broadcast.uncertain_resent"
)

// Recipient is a citizen and what became of their message.
type Recipient struct {
	contact.Contact
	Message conversation.Message
	Resent  *conversation.Message // the copy a supervisor sent because the first stayed uncertain
}

// Part says which recipients to list. Each of Outcomes is a part, by its name.
type Part string

// The parts.
const (
	Everybody  Part = ""
	NotReached Part = "not_reached" // failed, cancelled, uncertain, or not known to have arrived, and no second copy is: to be told otherwise, but for those skipped who left or got it as another contact
	Uncertain  Part = "uncertain"
)
