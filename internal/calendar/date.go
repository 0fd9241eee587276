// SPDX-License-Identifier: AGPL-3.0-or-later

package calendar

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, nowhere in particular: what a holiday falls on.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day of t where t lies.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// ParseDate reads "2006-01-02" (ISO 8601).
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a day: write it as 2026-03-02", text)
	}
	return DateOf(t), nil
}

// String writes the day as "2006-01-02".
func (d Date) String() string { return d.noon().Format(time.DateOnly) }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.noon().Weekday() }

// AddDays is the day n days later, or earlier where n is negative.
func (d Date) AddDays(n int) Date { return DateOf(d.noon().AddDate(0, 0, n)) }

// Before tells whether d comes before other.
func (d Date) Before(other Date) bool { return d.noon().Before(other.noon()) }

func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

// at is the first instant at which clocks in the zone show so many minutes
// after midnight. In the hour that clocks skip, it is the instant of the skip;
// in the hour they show twice, it is the first time: a desk that closes at
// 02:30 closes when the clock first says so.
func (d Date) at(minutes int, zone *time.Location) time.Time {
	wanted := time.Date(d.Year, d.Month, d.Day, 0, minutes, 0, 0, time.UTC)
	t := time.Date(d.Year, d.Month, d.Day, 0, minutes, 0, 0, zone)
	shown := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	start, end := t.ZoneBounds()
	switch {
	case shown.After(wanted):
		return start
	case shown.Before(wanted):
		return end
	case start.IsZero():
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	_, now := t.Zone()
	if first := t.Add(-time.Duration(before-now) * time.Second); first.Before(start) {
		return first
	}
	return t
}

const minutesOfDay = 24 * 60
