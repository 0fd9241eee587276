// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/filodiretto/filodiretto/internal/locale"
)

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
	Template  string   // the offer's id
	Body      string   // of the template, with its places
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

// replies are the labels of the buttons that answer, under a template that anybody gets.
func (p BroadcastPreview) replies() []string {
	for _, s := range p.Samples {
		if len(s.Replies) > 0 {
			return s.Replies
		}
	}
	return nil
}

// Sample is what a real recipient will read.
type Sample struct {
	Name    string // "" in front of no one in particular
	Text    string
	Free    bool // the plain text, as their window is open
	Above   *SampleAbove
	Buttons []string // under it
	Replies []string // those of them that answer
	Again   bool     // it differs from one before by the name only
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
	Blocked    int
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
		label += " · " + languageName(ctx, o.Language)
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

func blankGaps(ctx context.Context, text string, blanks []Blank) string {
	var variables []Variable
	for _, b := range blanks {
		variables = append(variables, Variable{Name: b.Name})
	}
	return gaps(ctx, text, variables)
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
