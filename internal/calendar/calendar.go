// SPDX-License-Identifier: AGPL-3.0-or-later

// Package calendar knows when a desk is open: its week, seasons, holidays and
// closures, in local time, on days of 23, 24 and 25 hours.
package calendar

import (
	"slices"
	"time"
	_ "time/tzdata" // the zone must be there on a machine without one

	"github.com/filodiretto/filodiretto/internal/locale"
)

// horizon bounds the search for the next opening or closing: beyond it a desk
// counts as closed, or open, for good.
const horizon = 400 // days

// Calendar answers when a desk is open. It never changes and may be shared.
type Calendar struct {
	zone     *time.Location
	week     week
	holidays []holiday
	seasons  []season
	closures []closure
}

// State is how a desk stands at one instant.
type State struct {
	Open    bool
	Until   time.Time  // open: the closing; zero where none is within 400 days
	Opens   time.Time  // closed: the next opening; zero where none is within 400 days
	Reason  string     // closed on a holiday or by a closure: its name, in Italian
	Holiday locale.Key // the holiday's name in every language; empty where the municipality named it
}

// ReasonIn is the reason in a language: a holiday's name translated, the
// municipality's own words as they are.
func (s State) ReasonIn(l locale.Language) string {
	if s.Holiday != "" {
		return l.T(s.Holiday)
	}
	return s.Reason
}

// Interval is a stretch of opening: from Open up to, not including, Close.
type Interval struct{ Open, Close time.Time }

// Zone is the time zone the calendar is kept in.
func (c *Calendar) Zone() *time.Location { return c.zone }

// At is the state at an instant. A desk is open at the minute it opens and
// closed at the minute it closes.
func (c *Calendar) At(t time.Time) State {
	t = t.In(c.zone)
	today := DateOf(t)
	for _, i := range c.Day(today) {
		if !t.Before(i.Open) && t.Before(i.Close) {
			return State{Open: true, Until: c.closing(today, i.Close)}
		}
	}
	state := State{Opens: c.opening(today, t)}
	state.Reason, state.Holiday = c.reason(today)
	return state
}

// closing follows hours that go on without a gap, as those of two days that
// meet at midnight.
func (c *Calendar) closing(day Date, close time.Time) time.Time {
	for range horizon {
		day = day.AddDays(1)
		next := c.Day(day)
		if len(next) == 0 || !next[0].Open.Equal(close) {
			return close
		}
		if close = next[0].Close; !close.Equal(day.at(minutesOfDay, c.zone)) {
			return close
		}
	}
	return time.Time{}
}

func (c *Calendar) opening(day Date, after time.Time) time.Time {
	for range horizon {
		for _, i := range c.Day(day) {
			if i.Open.After(after) {
				return i.Open
			}
		}
		day = day.AddDays(1)
	}
	return time.Time{}
}

// Day lists the hours of a day, in order; hours that touch are one. It is
// empty on a day of closure.
func (c *Calendar) Day(day Date) []Interval {
	var hours []Interval
	for _, s := range c.spans(day) {
		i := Interval{Open: day.at(s.open, c.zone), Close: day.at(s.close, c.zone)}
		last := len(hours) - 1
		switch {
		case !i.Open.Before(i.Close): // wholly in the hour that clocks skip
		case last >= 0 && hours[last].Close.Equal(i.Open):
			hours[last].Close = i.Close
		default:
			hours = append(hours, i)
		}
	}
	return hours
}

// Working is the time of opening between two instants: how long a citizen has
// waited, as the desk counts it. It is 0 where to is not after from.
func (c *Calendar) Working(from, to time.Time) time.Duration {
	var total time.Duration
	last := DateOf(to.In(c.zone))
	for day := DateOf(from.In(c.zone)); !last.Before(day); day = day.AddDays(1) {
		for _, i := range c.Day(day) {
			total += overlap(i, from, to)
		}
	}
	return total
}

func overlap(i Interval, from, to time.Time) time.Duration {
	if from.After(i.Open) {
		i.Open = from
	}
	if to.Before(i.Close) {
		i.Close = to
	}
	return max(0, i.Close.Sub(i.Open))
}

// spans decides the hours of a day: closure, else holiday, else season, else
// the week.
func (c *Calendar) spans(day Date) []span {
	if closed, ok := c.closure(day); ok {
		return closed.hours
	}
	if _, ok := c.holiday(day); ok {
		return nil
	}
	for _, s := range slices.Backward(c.seasons) {
		if s.covers(day) {
			return s.week[day.Weekday()]
		}
	}
	return c.week[day.Weekday()]
}

func (c *Calendar) closure(day Date) (closure, bool) {
	for _, closed := range slices.Backward(c.closures) {
		if !day.Before(closed.from) && !closed.to.Before(day) {
			return closed, true
		}
	}
	return closure{}, false
}

func (c *Calendar) holiday(day Date) (holiday, bool) {
	i := slices.IndexFunc(c.holidays, func(h holiday) bool { return h.falls(day) })
	if i < 0 {
		return holiday{}, false
	}
	return c.holidays[i], true
}

func (c *Calendar) reason(day Date) (string, locale.Key) {
	if closed, ok := c.closure(day); ok {
		return closed.reason, ""
	}
	h, ok := c.holiday(day)
	if !ok || h.key == "" {
		return h.name, ""
	}
	return locale.Italian.T(h.key), h.key
}

// span is hours of a day in minutes after midnight.
type span struct{ open, close int }

// week holds the hours of each day of the week, Sunday first, in order.
type week [7][]span

func (w *week) overlaps(day time.Weekday, s span) bool {
	return slices.ContainsFunc(w[day], func(other span) bool {
		return s.open < other.close && other.open < s.close
	})
}

// season holds the week that counts between two days, both included.
type season struct {
	from, to rule
	week     week
}

func (s season) covers(day Date) bool {
	if s.from.year != 0 {
		return !day.Before(s.from.date()) && !s.to.date().Before(day)
	}
	from, to, this := s.from.ofYear(), s.to.ofYear(), int(day.Month)*100+day.Day
	if from <= to {
		return from <= this && this <= to
	}
	return this >= from || this <= to // across New Year
}

// ofYear orders days within a year.
func (r rule) ofYear() int { return int(r.month)*100 + r.day }

// date is the day of a rule for one year.
func (r rule) date() Date { return Date{r.year, r.month, r.day} }

// closure is some days, both included, closed or with hours of their own.
type closure struct {
	from, to Date
	reason   string
	hours    []span
}
