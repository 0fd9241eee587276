// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"

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

func (o Outcomes) out() int     { return o.Accepted + o.Held + o.Sent + o.arrived() }
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

// Topic is a list or a district to choose.
type Topic struct {
	Keyword   string
	Name      string
	Count     int // of subscribers
	Emergency bool
	Chosen    bool
}

// Offer is an approved template to choose.
type Offer struct {
	ID       string // name/language
	Name     string
	Language string
	Category string // Meta's
	Low      bool   // of low quality, as Meta measures it
}

// Blank is a place of a template to fill.
type Blank struct {
	Name    string // as the template calls it
	Example string // as the template's author gave it to Meta
	Value   string
	Problem string
}

// BroadcastForm is a broadcast being written.
type BroadcastForm struct {
	ID        string // "" until it is saved
	Saved     bool   // it has just been
	Lists     []Topic
	Districts []Topic
	Excluded  []Topic
	Offers    []Offer
	Paused    []string // names of templates that Meta has paused
	Template  string // the offer's id
	Body      string // of the template, with its places
	Blanks    []Blank
	Header    HeaderFormat // of the template
	File      *Media       // above it, once it is kept
	Where     string       // as written, where a place stands above it
	Spot      Spot
	Free      string
	Exercise  bool
	Recent    []Choice // broadcasts to follow
	Follows   string
	Ends      bool
	Later     bool
	Date      string // "2026-03-02"
	Time      string // "10:45"
	Zone      string // "Europe/Rome"
	Problems  map[string]string
	Problem   string // of no single field
	Preview   BroadcastPreview
}

// MaxFree is the length of the free text that WhatsApp takes, in characters.
const MaxFree = 4096

func (f BroadcastForm) problem(field string) string { return f.Problems[field] }

// address is where the form is sent.
func (f BroadcastForm) address(ctx context.Context) string {
	if f.ID == "" {
		return at(ctx, "broadcasts", "new")
	}
	return at(ctx, "broadcasts", f.ID, "edit")
}

func (f BroadcastForm) title() locale.Key {
	if f.ID == "" {
		return "desk.broadcast.new"
	}
	return "desk.broadcast.edit"
}

// excludes tells whether an exclusion is chosen: the disclosure is open then.
func (f BroadcastForm) excludes() bool {
	for _, topic := range f.Excluded {
		if topic.Chosen {
			return true
		}
	}
	return f.problem("exclude") != ""
}

// BroadcastPreview is what is known of a broadcast before it is sent.
type BroadcastPreview struct {
	Missing   string // what to fill in first, "" when nothing is missing
	Samples   []Sample
	Estimate  *Estimate
	Emergency bool
}

// Sample is what a real recipient will read.
type Sample struct {
	Name  string // "" in front of no one in particular
	Text  string
	Free  bool // the plain text, as their window is open
	Above *SampleAbove
}

// SampleAbove is what stands above a template: a file, or a place.
type SampleAbove struct {
	Header HeaderFormat
	File   *Media // nil until it is kept
	Place  *Spot
	Where  string // its coordinates
}

// title is how the file or the place is called.
func (a SampleAbove) title() string {
	switch {
	case a.File != nil:
		return a.File.Name
	case a.Place != nil:
		return cmp.Or(a.Place.Name, a.Place.Address, a.Where)
	default:
		return ""
	}
}

// picture tells whether the file can be shown small.
func (a SampleAbove) picture() bool {
	return a.File != nil && a.File.Thumbnail && a.File.State == MediaReady
}

func (a SampleAbove) icon() string {
	switch a.Header {
	case "IMAGE":
		return iconImage
	case "VIDEO":
		return iconVideo
	case "LOCATION":
		return iconPin
	default:
		return iconFile
	}
}

// Estimate is what sending takes.
type Estimate struct {
	Recipients int
	Numbers    []Share // more than one only
	Free       int
	NoDistrict int
	Refused    int
	Duration   time.Duration
	Limit      int // people whom Meta still lets be reached today; -1 not known, or none
	Days       int
	Partial    bool   // only the recipients are known
	Price      string // "4,20 €", "" where the municipality has no price list
	Each       string
	Service    bool // an emergency overtakes everything else
}

// Share is a part of the recipients.
type Share struct {
	Label string
	Count int
}

// Failure of recipients, by reason.
type FailureRow struct {
	Reason string
	Count  int
}

// Broadcast is one broadcast with all that is known of it.
type Broadcast struct {
	BroadcastRow
	Free        string
	Template    string
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

// Part of the recipients.
type RecipientsPart string

// The parts.
const (
	RecipientsAll        RecipientsPart = ""
	RecipientsNotReached RecipientsPart = "not_reached"
	RecipientsUncertain  RecipientsPart = "uncertain"
)

var recipientsParts = []RecipientsPart{RecipientsAll, RecipientsNotReached, RecipientsUncertain}

// Recipients are a page of the people of a broadcast.
type Recipients struct {
	Broadcast BroadcastRow
	Part      RecipientsPart
	Rows      []RecipientRow
	Next      string
	First     bool // nothing comes before
}

// RecipientRow is a citizen and what became of their message.
type RecipientRow struct {
	Name    string
	Address string // phone or user name
	Status  Status
	Reason  string
	Resent  Status // of the copy, "" for none
	At      time.Time
}

// Confirmation asks before something that can't be taken back.
type Confirmation struct {
	Broadcast BroadcastRow
	Act       string // submit, approve, cancel, glass, resend
	People    int
	Reason    string // as written
	Problem   string
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

func partKey(p RecipientsPart) locale.Key { return locale.Key("desk.broadcast.part." + partName(p)) }

func partAddress(ctx context.Context, id string, p RecipientsPart) string {
	return at(ctx, "broadcasts", id, "recipients") + query("part", string(p))
}

func csvAddress(ctx context.Context, id string, p RecipientsPart) string {
	return at(ctx, "broadcasts", id, "recipients.csv") + query("part", string(p))
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

// estimated writes how long something will take: seconds are no promise.
func estimated(ctx context.Context, d time.Duration) string {
	if d < time.Minute {
		return t(ctx, "desk.broadcast.under_a_minute")
	}
	return language(ctx).Duration(d.Round(time.Minute))
}

// offerLabel names a template in the list of them.
func offerLabel(ctx context.Context, o Offer, several bool) string {
	label := capital(readable(o.Name)) + " · " + t(ctx, categoryKey(o.Category))
	if several {
		label += " · " + o.Language
	}
	if o.Low {
		label += " · " + t(ctx, "desk.template.low")
	}
	return label
}

func anyLow(offers []Offer) bool {
	return slices.ContainsFunc(offers, func(o Offer) bool { return o.Low })
}

// languages tells whether offers come in more than one language.
func languages(offers []Offer) bool {
	for _, o := range offers {
		if o.Language != offers[0].Language {
			return true
		}
	}
	return false
}

func capital(s string) string {
	for i, r := range s {
		return strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}

func blankLabel(ctx context.Context, b Blank) string {
	return variableLabel(ctx, Variable{Name: b.Name})
}

func blankID(b Blank) string { return "blank-" + b.Name }

// describe ties a field to what explains it.
func describe(ids ...string) templ.Attributes {
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	if len(ids) == 0 {
		return nil
	}
	return templ.Attributes{"aria-describedby": strings.Join(ids, " ")}
}

func problemID(field, problem string) string {
	if problem == "" {
		return ""
	}
	return "problem-" + field
}

func confirmKey(c Confirmation, part string) locale.Key {
	return locale.Key("desk.broadcast.confirm." + c.kind() + "_" + part)
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
	samples := []Sample{{Text: b.Text}}
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

// kind is the act as its words differ: sending, scheduling, or asking for the second person.
func (c Confirmation) kind() string {
	switch {
	case c.Act != "submit":
		return c.Act
	case c.Broadcast.Emergency:
		return "ask"
	case !c.Broadcast.Schedule.IsZero():
		return "schedule"
	default:
		return "submit"
	}
}

// waits tells whether what the act releases leaves at a time of its own.
func (c Confirmation) waits(ctx context.Context) bool {
	return slices.Contains([]string{"submit", "approve", "glass"}, c.Act) && c.Broadcast.Schedule.After(setting(ctx).Now)
}

// grave tells whether the act deserves the colour of danger.
func (c Confirmation) grave() bool { return c.Act == "glass" || c.Act == "cancel" }

// confirmLabel is the verb of the act, with the number of people.
func confirmLabel(ctx context.Context, c Confirmation) string {
	b := Broadcast{BroadcastRow: c.Broadcast, Offered: c.People}
	switch c.Act {
	case "submit":
		return t(ctx, key(submitKey(b)))
	case "approve":
		return t(ctx, key(approveKey(ctx, b)))
	case "resend":
		return actLabel(ctx, b, "desk.broadcast.act.resend")
	case "glass":
		return t(ctx, "desk.broadcast.act.glass")
	default:
		return t(ctx, "desk.broadcast.act.cancel")
	}
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

func (o outcome) shade() string {
	if o.count == 0 {
		return ""
	}
	return o.class
}

func partName(p RecipientsPart) string {
	if p == RecipientsAll {
		return "all"
	}
	return string(p)
}

func statusShade(s Status) string {
	switch s {
	case Failed:
		return "state-bad"
	case Uncertain, Held:
		return "state-warn"
	case Delivered, Read:
		return "state-ok"
	default:
		return ""
	}
}
