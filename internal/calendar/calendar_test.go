// SPDX-License-Identifier: AGPL-3.0-or-later

package calendar

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rickar/cal/v2/it"

	"github.com/filodiretto/filodiretto/internal/locale"
)

const rimini = `{"weekly": [
	{"days": ["mon","wed","fri","sat"], "open": "09:00", "close": "13:00"},
	{"days": ["tue","thu"], "open": "09:00", "close": "17:00"}],
	"holidays": {"patron": {"day": "10-14", "name": "San Gaudenzo"}}}`

const carpi = `{"weekly": [
	{"days": ["mon","tue","thu","fri","sat"], "open": "09:00", "close": "13:00"},
	{"days": ["tue"], "open": "15:00", "close": "18:00"}],
	"holidays": {"patron": "05-20"},
	"seasons": [{"from": "08-07", "to": "08-26", "weekly": [
		{"days": ["mon","tue","thu","fri","sat"], "open": "09:30", "close": "12:30"}]}],
	"closures": [{"date": "2026-08-14", "reason": "Chiusura estiva"}]}`

const pistoiaChat = `{"weekly": [{"days": ["mon","tue","wed","thu","fri"], "open": "09:00", "close": "13:00"}]}`

const pistoiaCounter = `{"weekly": [
	{"days": ["mon","tue","wed","thu","fri","sat"], "open": "09:00", "close": "13:00"},
	{"days": ["tue"], "open": "15:00", "close": "18:00"}]}`

const montevarchi = `{"weekly": [
	{"days": ["mon","tue","wed","thu","fri","sat"], "open": "08:30", "close": "13:30"},
	{"days": ["tue","thu"], "open": "15:30", "close": "17:30"}]}`

const always = `{"weekly": [{"days": ["mon","tue","wed","thu","fri","sat","sun"], "open": "00:00", "close": "24:00"}],
	"holidays": {"national": false}}`

const night = `{"weekly": [
	{"days": ["sat"], "open": "20:00", "close": "24:00"},
	{"days": ["sun"], "open": "00:00", "close": "02:30"}],
	"holidays": {"national": false}}`

// An instant, and whether the desk is open then.
func TestOpen(t *testing.T) {
	cases := []struct {
		name, spec, at string
		open           bool
	}{
		{"RIM-04 Saturday 12:59", rimini, "2026-03-07 12:59", true},
		{"RIM-04 Saturday 13:00", rimini, "2026-03-07 13:00", false},
		{"RIM-04 Tuesday 16:59", rimini, "2026-03-03 16:59", true},
		{"RIM-04 Tuesday 17:00", rimini, "2026-03-03 17:00", false},
		{"RIM-04 Thursday 16:59", rimini, "2026-03-05 16:59", true},
		{"RIM-04 Wednesday 16:59", rimini, "2026-03-04 16:59", false},
		{"RIM-04 Monday 8:59", rimini, "2026-03-02 08:59", false},
		{"RIM-04 Monday 9:00", rimini, "2026-03-02 09:00", true},
		{"RIM-04 Sunday", rimini, "2026-03-08 10:00", false},
		{"RIM-04 Thursday 1 May", rimini, "2025-05-01 10:00", false},
		{"RIM-04 Easter Monday", rimini, "2026-04-06 10:00", false},
		{"RIM-04 14 October", rimini, "2026-10-14 10:00", false},
		{"RIM-04 15 October", rimini, "2026-10-15 10:00", true},
		{"RIM-04 Saturday 4 October 2025 is a working day", rimini, "2025-10-04 10:00", true},
		{"RIM-04 Monday 4 October 2027 is a holiday", rimini, "2027-10-04 10:00", false},

		{"PIS-02 Monday 9:00", pistoiaChat, "2026-03-02 09:00", true},
		{"PIS-02 Friday 12:59", pistoiaChat, "2026-03-06 12:59", true},
		{"PIS-02 13:00 exactly is closed", pistoiaChat, "2026-03-06 13:00", false},
		{"PIS-03 Saturday 10:00 chat", pistoiaChat, "2026-03-07 10:00", false},
		{"PIS-03 Saturday 10:00 counter", pistoiaCounter, "2026-03-07 10:00", true},
		{"PIS-03 Tuesday 15:00 counter", pistoiaCounter, "2026-03-03 15:00", true},
		{"PIS-03 Tuesday 14:59 counter", pistoiaCounter, "2026-03-03 14:59", false},
		{"PIS-03 Tuesday 18:00 counter", pistoiaCounter, "2026-03-03 18:00", false},
		{"PIS-03 Tuesday 15:00 chat", pistoiaChat, "2026-03-03 15:00", false},

		{"MON-13 Monday 8:30", montevarchi, "2026-03-02 08:30", true},
		{"MON-13 Saturday 13:29", montevarchi, "2026-03-07 13:29", true},
		{"MON-13 Saturday 13:30", montevarchi, "2026-03-07 13:30", false},
		{"MON-13 Tuesday 15:30", montevarchi, "2026-03-03 15:30", true},
		{"MON-13 Tuesday 14:00", montevarchi, "2026-03-03 14:00", false},
		{"MON-13 Thursday 17:29", montevarchi, "2026-03-05 17:29", true},
		{"MON-13 Thursday 17:30", montevarchi, "2026-03-05 17:30", false},
		{"MON-13 Wednesday 16:00", montevarchi, "2026-03-04 16:00", false},

		{"CAR-10 Tuesday afternoon", carpi, "2026-07-07 15:30", true},
		{"CAR-10 Wednesday", carpi, "2026-07-08 10:00", false},
		{"CAR-10 6 August still 9:00", carpi, "2026-08-06 09:00", true},
		{"CAR-10 7 August not yet 9:00", carpi, "2026-08-07 09:15", false},
		{"CAR-10 7 August 9:30", carpi, "2026-08-07 09:30", true},
		{"CAR-10 7 August 12:30", carpi, "2026-08-07 12:30", false},
		{"CAR-10 August, no Tuesday afternoon", carpi, "2026-08-11 15:30", false},
		{"CAR-10 August, Saturday", carpi, "2026-08-08 10:00", true},
		{"CAR-10 August, Wednesday still closed", carpi, "2026-08-12 10:00", false},
		{"CAR-10 14 August", carpi, "2026-08-14 10:00", false},
		{"CAR-10 13 August", carpi, "2026-08-13 10:00", true},
		{"CAR-10 26 August is a Wednesday", carpi, "2026-08-26 10:00", false},
		{"CAR-10 25 August 12:31", carpi, "2026-08-25 12:31", false},
		{"CAR-10 27 August 9:00 again", carpi, "2026-08-27 09:00", true},
		{"CAR-10 1 September, Tuesday afternoon again", carpi, "2026-09-01 17:59", true},
		{"CAR-10 the season comes every year", carpi, "2027-08-09 09:15", false},
		{"CAR-10 the closing day does not", carpi, "2027-08-14 10:00", true},
		{"Carpi, San Bernardino", carpi, "2027-05-20 10:00", false},

		{"Easter 2027 is the day clocks change", rimini, "2027-03-29 10:00", false},
		{"the Tuesday after", rimini, "2027-03-30 10:00", true},
		{"always", always, "2026-12-25 03:00", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := parse(t, c.spec).At(local(t, c.at)).Open; got != c.open {
				t.Errorf("at %s open is %v", c.at, got)
			}
		})
	}
}

// What a closed desk says: when it opens, and why it is closed.
func TestNextOpening(t *testing.T) {
	cases := []struct{ name, spec, at, opens, reason string }{
		{"later today", rimini, "2026-03-02 07:00", "2026-03-02 09:00", ""},
		{"tomorrow", rimini, "2026-03-02 13:00", "2026-03-03 09:00", ""},
		{"over Sunday", rimini, "2026-03-07 13:00", "2026-03-09 09:00", ""},
		{"over Easter", rimini, "2026-04-04 13:00", "2026-04-07 09:00", ""},
		{"on Easter", rimini, "2026-04-05 10:00", "2026-04-07 09:00", "Pasqua"},
		{"Easter 2027, clocks forward", rimini, "2027-03-28 01:00", "2027-03-30 09:00", "Pasqua"},
		{"4 October from 2026", rimini, "2027-10-04 10:00", "2027-10-05 09:00", "San Francesco d’Assisi"},
		{"patron with a name", rimini, "2026-10-14 10:00", "2026-10-15 09:00", "San Gaudenzo"},
		{"patron without", carpi, "2027-05-20 10:00", "2027-05-21 09:00", "Santo patrono"},
		{"closing day", carpi, "2026-08-14 10:00", "2026-08-17 09:30", "Chiusura estiva"},
		{"lunch", montevarchi, "2026-03-03 13:30", "2026-03-03 15:30", ""},
		{"Christmas and Saint Stephen", rimini, "2026-12-25 10:00", "2026-12-28 09:00", "Natale"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, c.spec).At(local(t, c.at))
			if s.Open || !s.Opens.Equal(local(t, c.opens)) || s.Reason != c.reason {
				t.Errorf("open %v, opens %v, reason %q; want %s, %q", s.Open, s.Opens, s.Reason, c.opens, c.reason)
			}
		})
	}
}

func TestNextClosing(t *testing.T) {
	cases := []struct{ name, spec, at, until string }{
		{"morning", rimini, "2026-03-02 09:00", "2026-03-02 13:00"},
		{"long day", rimini, "2026-03-03 09:00", "2026-03-03 17:00"},
		{"over midnight", night, "2026-03-07 23:00", "2026-03-08 02:30"},
		{"after midnight", night, "2026-03-08 01:00", "2026-03-08 02:30"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, c.spec).At(local(t, c.at))
			if !s.Open || !s.Until.Equal(local(t, c.until)) {
				t.Errorf("open %v until %v, want %s", s.Open, s.Until, c.until)
			}
		})
	}
}

func TestSearchIsBounded(t *testing.T) {
	if s := parse(t, always).At(local(t, "2026-03-02 09:00")); !s.Open || !s.Until.IsZero() {
		t.Errorf("a desk that never closes: %+v", s)
	}
	never := `{"weekly": [], "holidays": {"national": false}}`
	if s := parse(t, never).At(local(t, "2026-03-02 09:00")); s.Open || !s.Opens.IsZero() {
		t.Errorf("a desk that never opens: %+v", s)
	}
}

// On 29 March 2026 clocks skip from 02:00 to 03:00, on 25 October they show
// 02:00 to 03:00 twice.
func TestDaysThatClocksChange(t *testing.T) {
	spec := func(open, close string) string {
		return fmt.Sprintf(`{"weekly": [{"days": ["sun"], "open": %q, "close": %q}], "holidays": {"national": false}}`, open, close)
	}
	spring, autumn := Date{2026, time.March, 29}, Date{2026, time.October, 25}
	cases := []struct {
		name        string
		day         Date
		open, close string
		want        time.Duration
		utc         string // opening
	}{
		{"a day of 23 hours", spring, "00:00", "24:00", 23 * time.Hour, "2026-03-28T23:00:00Z"},
		{"opens in the skipped hour", spring, "02:30", "04:00", time.Hour, "2026-03-29T01:00:00Z"},
		{"closes in the skipped hour", spring, "01:00", "02:30", time.Hour, "2026-03-29T00:00:00Z"},
		{"the skipped hour", spring, "02:00", "03:00", 0, ""},
		{"across the skip", spring, "01:30", "03:30", time.Hour, "2026-03-29T00:30:00Z"},
		{"a day of 25 hours", autumn, "00:00", "24:00", 25 * time.Hour, "2026-10-24T22:00:00Z"},
		{"the doubled hour", autumn, "02:00", "03:00", 2 * time.Hour, "2026-10-25T00:00:00Z"},
		{"closes the first time", autumn, "01:00", "02:30", 90 * time.Minute, "2026-10-24T23:00:00Z"},
		{"opens the first time", autumn, "02:30", "03:00", 90 * time.Minute, "2026-10-25T00:30:00Z"},
		{"after the change", autumn, "09:00", "13:00", 4 * time.Hour, "2026-10-25T08:00:00Z"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cal := parse(t, spec(c.open, c.close))
			hours := cal.Day(c.day)
			if c.utc == "" {
				if len(hours) != 0 {
					t.Fatalf("hours that do not exist: %v", hours)
				}
				return
			}
			if len(hours) != 1 || hours[0].Open.UTC().Format(time.RFC3339) != c.utc {
				t.Fatalf("opens at %v, want %s", hours, c.utc)
			}
			if got := hours[0].Close.Sub(hours[0].Open); got != c.want {
				t.Errorf("is open for %v, want %v", got, c.want)
			}
			from, to := c.day.AddDays(-3), c.day.AddDays(3)
			if got := cal.Working(from.at(0, cal.Zone()), to.at(0, cal.Zone())); got != c.want {
				t.Errorf("works for %v, want %v", got, c.want)
			}
		})
	}
}

func TestClockTimesOnEveryMinuteOfTheDaysThatChange(t *testing.T) {
	for _, day := range []Date{{2026, time.March, 29}, {2026, time.October, 25}, {2027, time.March, 28}, {2027, time.October, 31}} {
		previous := day.at(0, rome(t)).Add(-time.Nanosecond)
		for m := range minutesOfDay + 1 {
			instant := day.at(m, rome(t))
			if instant.Before(previous) {
				t.Fatalf("%v %02d:%02d comes before the minute before", day, m/60, m%60)
			}
			earlier := instant.Add(-time.Hour)
			if earlier.Format("15:04") == instant.Format("15:04") {
				t.Fatalf("%v %02d:%02d is the second time", day, m/60, m%60)
			}
			previous = instant
		}
	}
}

func TestWorking(t *testing.T) {
	cases := []struct {
		name, from, to string
		want           time.Duration
	}{
		{"within a morning", "2026-03-02 09:30", "2026-03-02 10:00", 30 * time.Minute},
		{"from before opening", "2026-03-02 07:00", "2026-03-02 10:00", time.Hour},
		{"to after closing", "2026-03-02 12:00", "2026-03-02 20:00", time.Hour},
		{"Saturday to Monday", "2026-03-07 12:00", "2026-03-09 10:00", 2 * time.Hour},
		{"over Easter", "2026-04-04 12:30", "2026-04-07 09:30", time.Hour},
		{"a week", "2026-03-02 00:00", "2026-03-09 00:00", (4*4 + 2*8) * time.Hour},
		{"at night", "2026-03-02 20:00", "2026-03-03 06:00", 0},
		{"backwards", "2026-03-03 12:00", "2026-03-02 09:00", 0},
		{"nothing", "2026-03-03 12:00", "2026-03-03 12:00", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := parse(t, rimini).Working(local(t, c.from), local(t, c.to)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestClosures(t *testing.T) {
	cal := parse(t, `{"weekly": [{"days": ["mon","tue","wed","thu","fri"], "open": "09:00", "close": "13:00"}],
		"seasons": [
			{"from": "12-20", "to": "01-10", "weekly": [{"days": ["mon","tue","wed","thu","fri"], "open": "10:00", "close": "12:00"}]},
			{"from": "2026-12-28", "to": "2026-12-30", "weekly": []}],
		"holidays": {"extra": ["easter+39", {"day": "2026-12-07", "name": "Ponte"}]},
		"closures": [
			{"from": "2026-08-10", "to": "2026-08-21", "reason": "Ferie"},
			{"date": "2026-08-12", "open": "09:00", "close": "10:00", "reason": "Presidio"},
			{"date": "2026-06-07", "open": "07:00", "close": "23:00", "reason": "Elezioni"}]}`)
	cases := []struct {
		name, at string
		open     bool
		reason   string
	}{
		{"first day of a closure", "2026-08-10 10:00", false, "Ferie"},
		{"last day of a closure", "2026-08-21 10:00", false, "Ferie"},
		{"the day after", "2026-08-24 10:00", true, ""},
		{"hours within a closure", "2026-08-12 09:30", true, ""},
		{"after them", "2026-08-12 10:00", false, "Presidio"},
		{"an extraordinary Sunday", "2026-06-07 22:59", true, ""},
		{"Ascension", "2026-05-14 10:00", false, "Festa locale"},
		{"once, with a name", "2026-12-07 10:00", false, "Ponte"},
		{"not the next year", "2027-12-07 10:00", true, ""},
		{"a season before New Year", "2026-12-21 09:30", false, ""},
		{"and after", "2027-01-08 09:30", false, ""},
		{"the season is over", "2027-01-11 09:30", true, ""},
		{"a later season wins", "2026-12-29 11:00", false, ""},
		{"only in its year", "2027-12-29 11:00", true, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if s := cal.At(local(t, c.at)); s.Open != c.open || s.Reason != c.reason {
				t.Errorf("open %v, reason %q; want %v, %q", s.Open, s.Reason, c.open, c.reason)
			}
		})
	}
}

func TestReasonInTheReadersLanguage(t *testing.T) {
	s := parse(t, rimini).At(local(t, "2026-12-25 10:00"))
	if got := s.ReasonIn(locale.English); got != "Christmas Day" {
		t.Errorf("got %q", got)
	}
	s = parse(t, rimini).At(local(t, "2026-10-14 10:00"))
	if got := s.ReasonIn(locale.English); got != "San Gaudenzo" {
		t.Errorf("got %q", got)
	}
}

func TestHoursThatTouchAreOne(t *testing.T) {
	cal := parse(t, `{"weekly": [
		{"days": ["mon"], "open": "13:00", "close": "15:00"},
		{"days": ["mon"], "open": "09:00", "close": "13:00"}]}`)
	if hours := cal.Day(Date{2026, time.March, 2}); len(hours) != 1 {
		t.Errorf("got %v", hours)
	}
}

// The holiday library knows the law up to 2025; what it lacks, Easter Sunday
// and 4 October from 2026, is ours.
func TestNationalHolidaysAgreeWithTheLibrary(t *testing.T) {
	for year := 2001; year <= 2050; year++ {
		var want []Date
		for _, h := range it.Holidays {
			actual, _ := h.Calc(year)
			want = append(want, DateOf(actual))
		}
		want = append(want, Easter(year))
		if year >= 2026 {
			want = append(want, Date{year, time.October, 4})
		}
		for day := (Date{year, time.January, 1}); day.Year == year; day = day.AddDays(1) {
			ours := slices.ContainsFunc(national(), func(h holiday) bool { return h.falls(day) })
			if ours != slices.Contains(want, day) {
				t.Errorf("%v: holiday is %v", day, ours)
			}
		}
	}
}

func TestEaster(t *testing.T) {
	for _, want := range []Date{{2025, time.April, 20}, {2026, time.April, 5}, {2027, time.March, 28}, {2028, time.April, 16}, {2038, time.April, 25}} {
		if got := Easter(want.Year); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestEveryProblemOfASpecIsTold(t *testing.T) {
	var spec Spec
	err := json.Unmarshal([]byte(`{
		"weekly": [
			{"days": ["mon","lun"], "open": "09:00", "close": "13:00"},
			{"days": ["mon"], "open": "12:00", "close": "14:00"},
			{"days": ["tue"], "open": "9:00", "close": "13:00"},
			{"days": ["wed"], "open": "09:00", "close": "25:00"},
			{"days": ["thu"], "open": "20:00", "close": "02:00"}],
		"holidays": {"patron": "14-10", "extra": ["easter1", "easter+400", "2026-02-30"]},
		"seasons": [
			{"from": "08-07", "to": "2026-08-26", "weekly": []},
			{"from": "2026-08-26", "to": "2026-08-07", "weekly": []},
			{"from": "easter", "to": "08-07", "weekly": [{"days": [], "open": "", "close": ""}]}],
		"closures": [
			{"reason": "niente"},
			{"date": "2026-08-14", "from": "2026-08-14", "reason": "due volte"},
			{"date": "2026-08-14", "reason": " "},
			{"from": "2026-08-14", "to": "2026-08-13", "reason": "indietro"},
			{"from": "2026-08-14", "to": "2026-08-15", "open": "09:00", "close": "12:00", "reason": "orari"},
			{"from": "2026-08-14", "reason": "senza fine"}]}`), &spec)
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(spec, rome(t))
	want := []string{
		"weekly.0.days.1", "weekly.1", "weekly.2.open", "weekly.3.close", "weekly.4.close",
		"holidays.patron", "holidays.extra.0", "holidays.extra.1", "holidays.extra.2",
		"seasons.0.to", "seasons.1.to", "seasons.2.weekly.0.open", "seasons.2.from",
		"closures.0", "closures.1", "closures.2.reason", "closures.3.to", "closures.4.open", "closures.5.to",
	}
	var got []string
	for _, p := range err.(Problems) {
		got = append(got, Problems{{Path: p.Path}}.Error()[:len(Problems{{Path: p.Path}}.Error())-2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q\n%v", got, want, err)
	}
}

func BenchmarkAt(b *testing.B) {
	var spec Spec
	if err := json.Unmarshal([]byte(rimini), &spec); err != nil {
		b.Fatal(err)
	}
	zone, _ := time.LoadLocation("Europe/Rome")
	cal, err := New(spec, zone)
	if err != nil {
		b.Fatal(err)
	}
	closed := time.Date(2026, 12, 24, 20, 0, 0, 0, zone)
	for b.Loop() {
		cal.At(closed)
	}
}

func parse(t *testing.T, text string) *Calendar {
	t.Helper()
	var spec Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	c, err := New(spec, rome(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rome(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func local(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, rome(t))
	if err != nil {
		t.Fatal(err)
	}
	return at
}
