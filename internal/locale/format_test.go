// SPDX-License-Identifier: AGPL-3.0-or-later

package locale

import (
	"strings"
	"testing"
	"time"
)

func TestTimesInWords(t *testing.T) {
	now := at(t, "2026-03-03 12:00") // a Tuesday
	cases := []struct{ name, it, en, wantIt, wantEn string }{
		{"when, today", Italian.When(at(t, "2026-03-03 10:42"), now), English.When(at(t, "2026-03-03 10:42"), now), "10:42", "10:42"},
		{"when, yesterday", Italian.When(at(t, "2026-03-02 23:59"), now), English.When(at(t, "2026-03-02 23:59"), now), "ieri", "yesterday"},
		{"when, before", Italian.When(at(t, "2026-03-01 10:42"), now), English.When(at(t, "2026-03-01 10:42"), now), "dom 1 mar", "Sun 1 Mar"},
		{"when, last winter", Italian.When(at(t, "2025-12-22 10:42"), now), English.When(at(t, "2025-12-22 10:42"), now), "lun 22 dic", "Mon 22 Dec"},
		{"when, long ago", Italian.When(at(t, "2015-03-02 10:42"), now), English.When(at(t, "2015-03-02 10:42"), now), "2 mar 2015", "2 Mar 2015"},
		{"moment, today", Italian.Moment(at(t, "2026-03-03 10:42"), now), English.Moment(at(t, "2026-03-03 10:42"), now), "oggi 10:42", "today 10:42"},
		{"moment, tomorrow", Italian.Moment(at(t, "2026-03-04 00:00"), now), English.Moment(at(t, "2026-03-04 00:00"), now), "domani 00:00", "tomorrow 00:00"},
		{"moment, Monday", Italian.Moment(at(t, "2026-03-09 10:42"), now), English.Moment(at(t, "2026-03-09 10:42"), now), "lun 9 mar 10:42", "Mon 9 Mar 10:42"},
		{"day", Italian.Day(at(t, "2026-03-02 10:42"), now), English.Day(at(t, "2026-03-02 10:42"), now), "lunedì 2 marzo", "Monday 2 March"},
		{"day of another year", Italian.Day(at(t, "2015-03-02 10:42"), now), English.Day(at(t, "2015-03-02 10:42"), now), "lunedì 2 marzo 2015", "Monday 2 March 2015"},
		{"date", Italian.Date(now), English.Date(now), "03/03/2026", "03/03/2026"},

		{"open", Italian.OpenUntil(at(t, "2026-03-03 13:00"), now), English.OpenUntil(at(t, "2026-03-03 13:00"), now), "aperto fino alle 13:00", "open until 13:00"},
		{"open until midnight", Italian.OpenUntil(at(t, "2026-03-04 00:00"), now), English.OpenUntil(at(t, "2026-03-04 00:00"), now), "aperto fino a mezzanotte", "open until midnight"},
		{"open until tomorrow", Italian.OpenUntil(at(t, "2026-03-04 02:00"), now), English.OpenUntil(at(t, "2026-03-04 02:00"), now), "aperto fino alle 02:00 di domani", "open until 02:00 tomorrow"},
		{"open until Friday", Italian.OpenUntil(at(t, "2026-03-06 02:00"), now), English.OpenUntil(at(t, "2026-03-06 02:00"), now), "aperto fino alle 02:00 di venerdì 6 marzo", "open until 02:00 Friday 6 March"},
		{"always open", Italian.OpenUntil(time.Time{}, now), English.OpenUntil(time.Time{}, now), "sempre aperto", "always open"},
		{"opens today", Italian.ClosedUntil(at(t, "2026-03-03 15:30"), now, ""), English.ClosedUntil(at(t, "2026-03-03 15:30"), now, ""), "chiuso, riapre oggi alle 15:30", "closed, opens today at 15:30"},
		{"opens tomorrow", Italian.ClosedUntil(at(t, "2026-03-04 09:00"), now, ""), English.ClosedUntil(at(t, "2026-03-04 09:00"), now, ""), "chiuso, riapre domani alle 09:00", "closed, opens tomorrow at 09:00"},
		{"opens after Christmas", Italian.ClosedUntil(at(t, "2026-12-28 09:00"), now, "Natale"), English.ClosedUntil(at(t, "2026-12-28 09:00"), now, "Christmas Day"), "chiuso (Natale), riapre lunedì 28 dicembre alle 09:00", "closed (Christmas Day), opens Monday 28 December at 09:00"},
		{"opens never", Italian.ClosedUntil(time.Time{}, now, ""), English.ClosedUntil(time.Time{}, now, ""), "chiuso", "closed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.it != c.wantIt || c.en != c.wantEn {
				t.Errorf("got %q and %q, want %q and %q", c.it, c.en, c.wantIt, c.wantEn)
			}
		})
	}
}

// Days are counted by the calendar: the night of a change of clocks has 23 or
// 25 hours, and midnight in Rome is not midnight in UTC.
func TestYesterdayIsByTheCalendar(t *testing.T) {
	for _, c := range []struct{ t, now, want string }{
		{"2026-03-28 00:30", "2026-03-29 23:30", "ieri"},
		{"2026-03-29 00:30", "2026-03-30 00:10", "ieri"},
		{"2026-10-24 23:30", "2026-10-25 00:10", "ieri"},
		{"2026-10-25 00:10", "2026-10-25 23:50", "00:10"},
		{"2026-10-24 12:00", "2026-10-26 00:00", "sab 24 ott"},
	} {
		if got := Italian.When(at(t, c.t), at(t, c.now).UTC()); got != c.want {
			t.Errorf("%s seen at %s is %q, want %q", c.t, c.now, got, c.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Second:                    {"0 s", "0 s"},
		40 * time.Second:                {"40 s", "40 s"},
		59*time.Minute + 59*time.Second: {"59 min", "59 min"},
		2 * time.Hour:                   {"2 h", "2 h"},
		2*time.Hour + 5*time.Minute:     {"2 h 5 min", "2 h 5 min"},
		21*time.Hour + 40*time.Minute:   {"21 h", "21 h"},
		47*time.Hour + 59*time.Minute:   {"47 h", "47 h"},
		72 * time.Hour:                  {"3 giorni", "3 days"},
	} {
		if it, en := Italian.Duration(d), English.Duration(d); it != want[0] || en != want[1] {
			t.Errorf("%v: got %q and %q, want %q", d, it, en, want)
		}
	}
	if got := Italian.In(2 * time.Hour); got != "tra 2 h" {
		t.Errorf("got %q", got)
	}
	if got := Italian.Ago(3*time.Minute) + ", " + Italian.Ago(time.Second); got != "3 min fa, ora" {
		t.Errorf("got %q", got)
	}
	for d, want := range map[time.Duration]string{0: "0:00", 6600 * time.Millisecond: "0:07", 750 * time.Second: "12:30", 3723 * time.Second: "1:02:03"} {
		if got := Italian.Length(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64][2]string{
		0: {"0", "0"}, 999: {"999", "999"}, 1000: {"1.000", "1,000"}, -1234567: {"-1.234.567", "-1,234,567"},
		-1 << 63: {"-9.223.372.036.854.775.808", "-9,223,372,036,854,775,808"},
	} {
		if it, en := Italian.Number(n), English.Number(n); it != want[0] || en != want[1] {
			t.Errorf("%d: got %q and %q, want %q", n, it, en, want)
		}
	}
	for x, want := range map[float64][2]string{1234.56: {"1.234,6", "1,234.6"}, -0.25: {"-0,2", "-0.2"}, 0: {"0,0", "0.0"}, -0.01: {"0,0", "0.0"}} {
		if it, en := Italian.Decimal(x, 1), English.Decimal(x, 1); it != want[0] || en != want[1] {
			t.Errorf("%v: got %q and %q, want %q", x, it, en, want)
		}
	}
	for share, want := range map[float64][2]string{0.125: {"12,5 %", "12.5%"}, 1: {"100 %", "100%"}, 0: {"0 %", "0%"}} {
		if it, en := Italian.Percent(share), English.Percent(share); it != want[0] || en != want[1] {
			t.Errorf("%v: got %q and %q, want %q", share, it, en, want)
		}
	}
	for bytes, want := range map[int64][2]string{
		0: {"0 byte", "0 bytes"}, 820: {"820 byte", "820 bytes"}, 12_345: {"12 kB", "12 kB"}, 999_499: {"999 kB", "999 kB"},
		999_500: {"1,0 MB", "1.0 MB"}, 1_234_567: {"1,2 MB", "1.2 MB"}, 999_949_999: {"999,9 MB", "999.9 MB"}, 2_000_000_000: {"2,0 GB", "2.0 GB"},
	} {
		if it, en := Italian.Size(bytes), English.Size(bytes); it != want[0] || en != want[1] {
			t.Errorf("%d: got %q and %q, want %q", bytes, it, en, want)
		}
	}
}

func TestPlurals(t *testing.T) {
	for n, want := range map[int][2]string{0: {"0 giorni", "0 days"}, 1: {"1 giorno", "1 day"}, 2: {"2 giorni", "2 days"}, 1000: {"1.000 giorni", "1,000 days"}} {
		if it, en := Italian.N("time.days", n), English.N("time.days", n); it != want[0] || en != want[1] {
			t.Errorf("%d: got %q and %q, want %q", n, it, en, want)
		}
	}
}

func TestList(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "A": {"A"}, "A e B": {"A", "B"}, "A, B e C": {"A", "B", "C"}} {
		if got := Italian.List(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTexts(t *testing.T) {
	if got := Italian.T("error.held_by", "name", "Anna"); !strings.Contains(got, "seguita da Anna.") {
		t.Errorf("got %q", got)
	}
	if got := Italian.T("error.held_by", "$1 Anna"); !strings.Contains(got, "seguita da $1 Anna.") {
		t.Errorf("got %q", got)
	}
	if got := Italian.T("error.held_by", "code", "K3F9", "Anna"); !strings.Contains(got, "seguita da Anna.") {
		t.Errorf("a value alone beside others: %q", got)
	}
	if got := Italian.T("error.held_by", "name", "{name}"); !strings.Contains(got, "seguita da {name}.") {
		t.Errorf("what is put in was searched again: %q", got)
	}
	if got := Italian.T("error.held_by"); !strings.Contains(got, "{name}") {
		t.Errorf("a place left open does not show: %q", got)
	}
	if got := Language("de").T("kind.other"); got != "Altro" {
		t.Errorf("a language not spoken: %q", got)
	}
	if got := Italian.T("no.such_key", "a", 1); got != "no.such_key" {
		t.Errorf("got %q", got)
	}
	if Has("no.such_key") || !Has("kind.other") {
		t.Error("Has does not know what there is")
	}
}

func TestMatch(t *testing.T) {
	for header, want := range map[string]Language{
		"": Italian, "it": Italian, "en-GB,en;q=0.9": English, "de,en;q=0.5,it;q=0.9": Italian,
		"fr-FR, fr": Italian, "en;q=0": Italian, ";;;": Italian, "it-CH": Italian, "*": Italian, strings.Repeat("en,", 5000): English,
	} {
		if got := Match(header); got != want {
			t.Errorf("%.40q is %s, want %s", header, got, want)
		}
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	when, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func BenchmarkT(b *testing.B) {
	for b.Loop() {
		Italian.T("error.forbidden")
		Italian.T("error.held_by", "name", "Anna")
	}
}
