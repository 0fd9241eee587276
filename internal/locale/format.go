// SPDX-License-Identifier: AGPL-3.0-or-later

package locale

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Times are written in the location they carry: call t.In(zone) first.
// "now" decides between "10:42", "ieri" and "lun 2 mar", and is an argument so
// that a page reads the same however long it takes to make.

// Clock writes the time of day: "10:42".
func (l Language) Clock(t time.Time) string { return t.Format("15:04") }

// When writes a time as shortly as a list wants it: "10:42" today, "ieri" the
// day before, "lun 2 mar" in the last and next six months, "2 mar 2015" beyond.
func (l Language) When(t, now time.Time) string {
	switch days := daysBetween(t, now); {
	case days == 0:
		return l.Clock(t)
	case days == 1:
		return l.T("time.yesterday")
	case -183 < days && days < 183:
		return l.ShortDay(t)
	default:
		return l.T("time.short_date", "day", t.Day(), "month", l.shortMonth(t), "year", t.Year())
	}
}

// Moment writes day and time: "oggi 10:42", "ieri 10:42", "domani 10:42",
// "lun 2 mar 10:42".
func (l Language) Moment(t, now time.Time) string {
	return l.T("time.moment", "day", l.near(t, now, l.ShortDay), "clock", l.Clock(t))
}

// Day writes a day in full: "lunedì 2 marzo", with the year when it is not
// that of now: "lunedì 2 marzo 2015".
func (l Language) Day(t, now time.Time) string {
	if t.Year() != now.In(t.Location()).Year() {
		return l.T("time.day_year", "weekday", l.Weekday(t.Weekday()), "day", t.Day(), "month", l.Month(t.Month()), "year", t.Year())
	}
	return l.T("time.day", "weekday", l.Weekday(t.Weekday()), "day", t.Day(), "month", l.Month(t.Month()))
}

// ShortDay writes a day shortly: "lun 2 mar".
func (l Language) ShortDay(t time.Time) string {
	return l.T("time.short_day", "weekday", l.ShortWeekday(t.Weekday()), "day", t.Day(), "month", l.shortMonth(t))
}

// Date writes a date in figures, "02/03/2026": day, month, year in both
// languages, as the readers of both are in Italy.
func (l Language) Date(t time.Time) string { return t.Format("02/01/2006") }

// Weekday names a day of the week: "lunedì".
func (l Language) Weekday(d time.Weekday) string {
	return l.T("time.weekday." + lower(d.String()))
}

// ShortWeekday names a day of the week in three letters: "lun".
func (l Language) ShortWeekday(d time.Weekday) string {
	return l.T("time.weekday_short." + lower(d.String()))
}

// Month names a month: "marzo".
func (l Language) Month(m time.Month) string {
	return l.T("time.month." + lower(m.String()))
}

func (l Language) shortMonth(t time.Time) string {
	return l.T("time.month_short." + lower(t.Month().String()))
}

// OpenUntil says that a desk is open: "aperto fino alle 13:00". A zero until
// means that it never closes.
func (l Language) OpenUntil(until, now time.Time) string {
	switch {
	case until.IsZero():
		return l.T("hours.always_open")
	case midnightAfter(until, now):
		return l.T("hours.open_until_midnight")
	case daysBetween(until, now) == 0:
		return l.T("hours.open_until", "clock", l.Clock(until))
	default:
		return l.T("hours.open_until_day", "day", l.near(until, now, l.day(now)), "clock", l.Clock(until))
	}
}

// ClosedUntil says that a desk is closed and when it opens: "chiuso, riapre
// domani alle 09:00", with the reason when there is one: "chiuso (Natale),
// riapre lunedì 28 dicembre alle 09:00". A zero opens means that no opening
// is in sight.
func (l Language) ClosedUntil(opens, now time.Time, reason string) string {
	closed := l.T("hours.closed")
	if reason != "" {
		closed = l.T("hours.closed_for", "reason", reason)
	}
	if opens.IsZero() {
		return closed
	}
	return l.T("hours.opens", "closed", closed, "day", l.near(opens, now, l.day(now)), "clock", l.Clock(opens))
}

// Duration writes a length of time in one or two units, rounded down: "40 s",
// "21 h", "2 h 5 min", "3 giorni".
func (l Language) Duration(d time.Duration) string {
	switch {
	case d < 0:
		return l.Duration(0)
	case d < time.Minute:
		return l.T("time.seconds", "n", int(d/time.Second))
	case d < time.Hour:
		return l.T("time.minutes", "n", int(d/time.Minute))
	case d < 10*time.Hour && d%time.Hour >= time.Minute:
		return l.T("time.hours_minutes", "h", int(d/time.Hour), "min", int(d%time.Hour/time.Minute))
	case d < 48*time.Hour:
		return l.T("time.hours", "n", int(d/time.Hour))
	default:
		return l.N("time.days", int(d/(24*time.Hour)))
	}
}

// In writes how long until something: "tra 2 h".
func (l Language) In(d time.Duration) string { return l.T("time.in", "duration", l.Duration(d)) }

// Ago writes how long since something: "3 min fa", "ora" below a minute.
func (l Language) Ago(d time.Duration) string {
	if d < time.Minute {
		return l.T("time.just_now")
	}
	return l.T("time.ago", "duration", l.Duration(d))
}

// Length writes the length of a recording: "0:07", "12:30", "1:02:03".
func (l Language) Length(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	clock := strconv.Itoa(s/60%60) + ":" + twoDigits(s%60)
	if s < 3600 {
		return clock
	}
	return strconv.Itoa(s/3600) + ":" + twoDigits(s/60%60) + ":" + twoDigits(s%60)
}

// Number writes a whole number with its thousands: "1.234" (it), "1,234" (en).
func (l Language) Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteString(l.T("number.thousands"))
		}
		out.WriteRune(d)
	}
	return sign + out.String()
}

// Decimal writes a number with so many places: "1.234,5" (it), "1,234.5" (en).
func (l Language) Decimal(x float64, places int) string {
	text := strconv.FormatFloat(math.Abs(x), 'f', places, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return text
	}
	text = l.Number(n)
	if fraction != "" {
		text += l.T("number.decimal") + fraction
	}
	if x < 0 && strings.ContainsAny(text, "123456789") {
		text = "-" + text
	}
	return text
}

// Percent writes a share: 0.125 is "12,5 %" (it), "12.5%" (en).
func (l Language) Percent(share float64) string {
	places := 1
	if math.Abs(share*100-math.Round(share*100)) < 0.05 {
		places = 0
	}
	return l.T("number.percent", "n", l.Decimal(share*100, places))
}

// Size writes a number of bytes: "820 byte", "12 kB", "1,2 MB", in the powers
// of ten that mobile operators and Meta's limits use.
func (l Language) Size(bytes int64) string {
	switch {
	case bytes < 1000:
		return l.T("number.bytes", "n", bytes)
	case bytes < 999_500:
		return l.T("number.kilobytes", "n", l.Decimal(float64(bytes)/1e3, 0))
	case bytes < 999_950_000:
		return l.T("number.megabytes", "n", l.Decimal(float64(bytes)/1e6, 1))
	default:
		return l.T("number.gigabytes", "n", l.Decimal(float64(bytes)/1e9, 1))
	}
}

// List joins words as a sentence does: "Emergenze, Sport e Scuola".
func (l Language) List(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return l.T("list.and", "first", strings.Join(words[:last], ", "), "last", words[last])
}

// near says "oggi", "ieri" or "domani" when that is what the day is.
func (l Language) near(t, now time.Time, far func(time.Time) string) string {
	switch daysBetween(t, now) {
	case 0:
		return l.T("time.today")
	case 1:
		return l.T("time.yesterday")
	case -1:
		return l.T("time.tomorrow")
	default:
		return far(t)
	}
}

func (l Language) day(now time.Time) func(time.Time) string {
	return func(t time.Time) string { return l.Day(t, now) }
}

// daysBetween counts calendar days from t to now, where t lies. It counts
// noons in UTC: a day of 23 or 25 hours is one day.
func daysBetween(t, now time.Time) int {
	return int(noon(now.In(t.Location())).Sub(noon(t)) / (24 * time.Hour))
}

func noon(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
}

func midnightAfter(until, now time.Time) bool {
	return daysBetween(until, now) == -1 && until.Hour() == 0 && until.Minute() == 0
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

func lower(name string) Key { return Key(strings.ToLower(name)) }
