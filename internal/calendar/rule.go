// SPDX-License-Identifier: AGPL-3.0-or-later

package calendar

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rickar/cal/v2"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// rule says on which days a holiday falls: a day of every year, a day of one
// year, or so many days after Easter.
type rule struct {
	month  time.Month
	day    int
	year   int // only in this year; 0 is every year
	since  int // from this year on
	easter bool
	offset int // days after Easter
}

// parseRule reads "10-14", "2026-10-14", "easter", "easter+1" or "easter-47".
func parseRule(text string) (rule, error) {
	if offset, ok := strings.CutPrefix(text, "easter"); ok {
		if offset == "" {
			return rule{easter: true}, nil
		}
		n, err := strconv.Atoi(offset)
		if err != nil || (offset[0] != '+' && offset[0] != '-') || n < -100 || n > 250 {
			return rule{}, fmt.Errorf("%q is not a number of days after Easter: write easter+1 for Easter Monday", text)
		}
		return rule{easter: true, offset: n}, nil
	}
	if len(text) == len("10-14") {
		// 2000 is a leap year: 29 February is a day of some years.
		t, err := time.Parse(time.DateOnly, "2000-"+text)
		if err != nil {
			return rule{}, fmt.Errorf("%q is not a day of the year: write month and day, as 10-14", text)
		}
		return rule{month: t.Month(), day: t.Day()}, nil
	}
	d, err := ParseDate(text)
	if err != nil {
		return rule{}, fmt.Errorf("%q is not a day: write 10-14, 2026-10-14 or easter+1", text)
	}
	return rule{month: d.Month, day: d.Day, year: d.Year}, nil
}

// falls tells whether the holiday is on this day.
func (r rule) falls(d Date) bool {
	if d.Year < r.since || (r.year != 0 && d.Year != r.year) {
		return false
	}
	if r.easter {
		return d == Easter(d.Year).AddDays(r.offset)
	}
	return d.Month == r.month && d.Day == r.day
}

// Easter is Easter Sunday of a year, by the Gregorian computus.
func Easter(year int) Date {
	return DateOf(cal.CalcEasterOffset(&cal.Holiday{}, year))
}

// holiday is a rule and what the day is called: a text of the product, or the
// name the municipality gives it.
type holiday struct {
	rule
	key  locale.Key
	name string
}

// national lists the holidays of the Italian state (L. 260/1949 as amended;
// 6 January again since 1986, 2 June since 2001, 4 October since 2026 by
// L. 151/2025). A law that changes them adds a line or a year, so that figures
// of past years stay what they were.
func national() []holiday {
	return []holiday{
		{rule: rule{month: time.January, day: 1}, key: "holiday.new_year"},
		{rule: rule{month: time.January, day: 6, since: 1986}, key: "holiday.epiphany"},
		{rule: rule{easter: true}, key: "holiday.easter"},
		{rule: rule{easter: true, offset: 1}, key: "holiday.easter_monday"},
		{rule: rule{month: time.April, day: 25}, key: "holiday.liberation"},
		{rule: rule{month: time.May, day: 1}, key: "holiday.labour"},
		{rule: rule{month: time.June, day: 2, since: 2001}, key: "holiday.republic"},
		{rule: rule{month: time.August, day: 15}, key: "holiday.assumption"},
		{rule: rule{month: time.October, day: 4, since: 2026}, key: "holiday.saint_francis"},
		{rule: rule{month: time.November, day: 1}, key: "holiday.all_saints"},
		{rule: rule{month: time.December, day: 8}, key: "holiday.immaculate"},
		{rule: rule{month: time.December, day: 25}, key: "holiday.christmas"},
		{rule: rule{month: time.December, day: 26}, key: "holiday.saint_stephen"},
	}
}
