// SPDX-License-Identifier: AGPL-3.0-or-later

package calendar

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Spec is a calendar as the municipality file writes it (docs/municipality-file.md).
// A closure wins over a holiday, a holiday over a season, a season over the week.
type Spec struct {
	Weekly   []Hours   `json:"weekly"`
	Holidays Holidays  `json:"holidays,omitzero"`
	Seasons  []Season  `json:"seasons,omitempty"`
	Closures []Closure `json:"closures,omitempty"`
}

// Hours opens some days of the week from one time of day to another, both as
// "09:00"; "24:00" closes at the end of the day. A day may have several.
type Hours struct {
	Days  []string `json:"days"` // mon tue wed thu fri sat sun
	Open  string   `json:"open"`
	Close string   `json:"close"`
}

// Holidays says on which feasts the desk is closed.
type Holidays struct {
	National *bool     `json:"national,omitempty"` // the Italian holidays; true when not written
	Patron   *Holiday  `json:"patron,omitempty"`
	Extra    []Holiday `json:"extra,omitempty"`
}

// Holiday is a day, written "10-14" (each year), "2026-10-14" (once) or
// "easter+1", and its name. In the file a day alone is enough.
type Holiday struct {
	Day  string `json:"day"`
	Name string `json:"name,omitempty"`
}

// UnmarshalJSON reads a day alone or a day with its name.
func (h *Holiday) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*h = Holiday{}
		return json.Unmarshal(data, &h.Day)
	}
	type plain Holiday
	return json.Unmarshal(data, (*plain)(h))
}

// Season replaces the week from a day to another, both included, written
// "08-07" (each year, also across New Year) or "2026-08-07". Where two cover a
// day the later in the list counts.
type Season struct {
	From   string  `json:"from"`
	To     string  `json:"to"`
	Weekly []Hours `json:"weekly"`
}

// Closure closes a day, or the days from one to another, all "2026-08-14".
// With open and close the day has those hours instead, whatever day it is.
// Where two cover a day the later in the list counts.
type Closure struct {
	Date   string `json:"date,omitempty"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Reason string `json:"reason"`
	Open   string `json:"open,omitempty"`
	Close  string `json:"close,omitempty"`
}

// Problem is one thing wrong in a [Spec]: where, as keys and indexes from the
// spec down, and a sentence.
type Problem struct {
	Path    []string
	Message string
}

// Problems is the error of [New]: everything that is wrong.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = strings.Join(problem.Path, ".") + ": " + problem.Message
	}
	return strings.Join(lines, "\n")
}

// New makes the calendar of a spec in a time zone. The error is [Problems].
func New(spec Spec, zone *time.Location) (*Calendar, error) {
	var b builder
	c := &Calendar{
		zone:     zone,
		week:     b.week(spec.Weekly, "weekly"),
		holidays: b.holidays(spec.Holidays),
		seasons:  b.seasons(spec.Seasons),
		closures: b.closures(spec.Closures),
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return c, nil
}

// builder turns the words of a spec into numbers and gathers what is wrong.
type builder struct{ problems Problems }

func (b *builder) refuse(message string, path ...string) {
	b.problems = append(b.problems, Problem{Path: slices.Clone(path), Message: message})
}

func (b *builder) week(hours []Hours, path ...string) week {
	var w week
	for i, h := range hours {
		at := append(path, strconv.Itoa(i))
		s, ok := b.span(h.Open, h.Close, at...)
		for j, name := range h.Days {
			day, known := weekday(name)
			switch {
			case !known:
				b.refuse(fmt.Sprintf("%q is not a day of the week: write mon, tue, wed, thu, fri, sat or sun", name), append(at, "days", strconv.Itoa(j))...)
			case ok && w.overlaps(day, s):
				b.refuse(fmt.Sprintf("%s %s–%s overlaps other hours of the same day", name, h.Open, h.Close), at...)
			case ok:
				w[day] = append(w[day], s)
			}
		}
	}
	for day := range w {
		slices.SortFunc(w[day], func(a, b span) int { return a.open - b.open })
	}
	return w
}

func (b *builder) span(open, close string, path ...string) (span, bool) {
	from, err := parseClock(open)
	if err != nil {
		b.refuse(err.Error(), append(path, "open")...)
		return span{}, false
	}
	to, err := parseClock(close)
	if err != nil {
		b.refuse(err.Error(), append(path, "close")...)
		return span{}, false
	}
	if to <= from {
		b.refuse(fmt.Sprintf("closes at %s, not after it opens at %s; hours past midnight are written as two, until 24:00 and from 00:00", close, open), append(path, "close")...)
		return span{}, false
	}
	return span{from, to}, true
}

func (b *builder) holidays(h Holidays) []holiday {
	var all []holiday
	if h.Patron != nil {
		all = b.holiday(all, *h.Patron, holiday{key: "holiday.patron"}, "holidays", "patron")
	}
	for i, extra := range h.Extra {
		all = b.holiday(all, extra, holiday{key: "holiday.local"}, "holidays", "extra", strconv.Itoa(i))
	}
	if h.National == nil || *h.National {
		all = append(all, national()...)
	}
	return all
}

func (b *builder) holiday(all []holiday, written Holiday, h holiday, path ...string) []holiday {
	r, err := parseRule(written.Day)
	if err != nil {
		b.refuse(err.Error(), path...)
		return all
	}
	h.rule = r
	if written.Name != "" {
		h.key, h.name = "", written.Name
	}
	return append(all, h)
}

func (b *builder) seasons(written []Season) []season {
	var all []season
	for i, w := range written {
		at := []string{"seasons", strconv.Itoa(i)}
		from, fromOK := b.edge(w.From, append(at, "from")...)
		to, toOK := b.edge(w.To, append(at, "to")...)
		hours := b.week(w.Weekly, append(at, "weekly")...)
		if !fromOK || !toOK {
			continue
		}
		if (from.year == 0) != (to.year == 0) {
			b.refuse("from and to must both be a day of every year (08-07) or both a day of one year (2026-08-07)", append(at, "to")...)
			continue
		}
		if from.year != 0 && to.date().Before(from.date()) {
			b.refuse(fmt.Sprintf("ends on %s, before it begins on %s", w.To, w.From), append(at, "to")...)
			continue
		}
		all = append(all, season{from: from, to: to, week: hours})
	}
	return all
}

func (b *builder) edge(text string, path ...string) (rule, bool) {
	r, err := parseRule(text)
	if err != nil || r.easter {
		b.refuse(fmt.Sprintf("%q is not a day: write 08-07 for every year or 2026-08-07 for one", text), path...)
		return rule{}, false
	}
	return r, true
}

func (b *builder) closures(written []Closure) []closure {
	var all []closure
	for i, w := range written {
		at := []string{"closures", strconv.Itoa(i)}
		c, ok := b.closureDays(w, at)
		c.reason = w.Reason
		if strings.TrimSpace(w.Reason) == "" {
			b.refuse("a closure needs its reason: it is shown to citizens", append(at, "reason")...)
		}
		if w.Open != "" || w.Close != "" {
			s, spanOK := b.span(w.Open, w.Close, at...)
			if w.Date == "" {
				b.refuse("hours go with one date; for several days of other hours write a season", append(at, "open")...)
			}
			c.hours, ok = []span{s}, ok && spanOK
		}
		if ok {
			all = append(all, c)
		}
	}
	return all
}

func (b *builder) closureDays(w Closure, at []string) (closure, bool) {
	if (w.Date == "") == (w.From == "" && w.To == "") {
		b.refuse("write either date, for one day, or from and to", at...)
		return closure{}, false
	}
	if w.Date != "" {
		w.From, w.To = w.Date, w.Date
	}
	from, err := ParseDate(w.From)
	if err != nil {
		b.refuse(err.Error(), append(at, oneOf(w.Date != "", "date", "from"))...)
		return closure{}, false
	}
	to, err := ParseDate(w.To)
	if err != nil {
		b.refuse(err.Error(), append(at, "to")...)
		return closure{}, false
	}
	if to.Before(from) {
		b.refuse(fmt.Sprintf("ends on %s, before it begins on %s", to, from), append(at, "to")...)
		return closure{}, false
	}
	return closure{from: from, to: to}, true
}

// parseClock reads "09:00", or "24:00" for the end of the day, into minutes.
func parseClock(text string) (int, error) {
	if text == "24:00" {
		return minutesOfDay, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day: write it as 09:00", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

func weekday(name string) (time.Weekday, bool) {
	i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, name)
	return time.Weekday(i), i >= 0
}

func oneOf(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
