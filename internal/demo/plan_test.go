// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/calendar"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// aTuesday is a working day, a quarter past eleven in Italy.
var aTuesday = time.Date(2026, 11, 24, 10, 15, 0, 0, time.UTC)

func planners(t *testing.T, now time.Time) []*planner {
	t.Helper()
	lib, err := readLibrary()
	if err != nil {
		t.Fatal(err)
	}
	var all []*planner
	for i, town := range Towns() {
		f, err := town.File()
		if err != nil {
			t.Fatal(err)
		}
		desk, err := f.Calendar("whatsapp")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, newPlanner(i, town, desk, now, lib))
	}
	return all
}

func TestDialoguesAreWhole(t *testing.T) {
	lib, err := readLibrary()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, town := range Towns() {
		f, err := town.File()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range f.Kinds {
			kinds[k.ID] = true
		}
		for role, id := range town.offices {
			if !slices.ContainsFunc(f.Offices, func(o municipality.Office) bool { return o.ID == id }) {
				t.Errorf("%s: the office %s for %s is not in its file", town.Slug, id, role)
			}
		}
	}
	for _, s := range slices.Concat(lib.past, lib.open, lib.today) {
		if !kinds[s.kind] {
			t.Errorf("%s: no town has the kind %q", s.name, s.kind)
		}
		for _, st := range s.steps {
			e := event{step: st}
			if e.hasFile() {
				if _, err := file(st.file, 0); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			}
			if name, _, _ := strings.Cut(st.text, " "); st.verb == template && !slices.ContainsFunc(Templates(), func(t Template) bool { return t.Name == name }) {
				t.Errorf("%s: there is no template %s", s.name, name)
			}
		}
	}
	for _, s := range lib.past {
		if s.steps[len(s.steps)-1].verb != resolve {
			t.Errorf("%s does not end: it belongs to those left open", s.name)
		}
	}
}

func TestAPastIsBelievable(t *testing.T) {
	phones := map[string]string{}
	for _, p := range planners(t, aTuesday) {
		talks := p.past()
		if len(talks) < 60 || len(talks) > 120 {
			t.Errorf("%s has %d conversations", p.town.Slug, len(talks))
		}
		resolved := 0
		for _, talk := range talks {
			if other, taken := phones[talk.citizen.phone]; taken && talk.citizen.phone != "" && other != p.town.Slug+talk.citizen.full {
				t.Errorf("%s: the phone %s is also that of %s", p.town.Slug, talk.citizen.phone, other)
			}
			phones[talk.citizen.phone] = p.town.Slug + talk.citizen.full
			checkTalk(t, p, talk, aTuesday.Add(-pastEnds))
			if n := len(talk.events); n > 0 && talk.events[n-1].verb == resolve {
				resolved++
			}
		}
		if resolved < len(talks)*8/10 {
			t.Errorf("%s: only %d of %d conversations are resolved", p.town.Slug, resolved, len(talks))
		}
	}
}

// checkTalk holds a conversation against the clock, the opening hours and WhatsApp's limits.
func checkTalk(t *testing.T, p *planner, talk talk, until time.Time) {
	t.Helper()
	var before, written time.Time
	for i, e := range talk.events {
		where := p.town.Slug + ", " + string(e.verb) + " " + e.text
		if e.at.Before(before) || e.at.After(until) {
			t.Errorf("%s: at %s, after %s and until %s", where, e.at, before, until)
		}
		before = e.at
		if strings.ContainsAny(e.text, "{}") {
			t.Errorf("%s: a blank was left", where)
		}
		if n := utf8.RuneCountInString(e.text); n > conversation.MaxText {
			t.Errorf("%s…: %d characters", where[:60], n)
		}
		citizens := e.verb == in || e.verb == react
		if i == 0 && !citizens {
			t.Errorf("%s: the office begins", where)
		}
		if !citizens && !p.desk.At(e.at).Open {
			t.Errorf("%s: at %s the desk is closed", where, e.at)
		}
		if e.verb == in {
			written = e.at
		}
		if (e.verb == out || e.verb == quote) && e.at.Sub(written) > conversation.Window {
			t.Errorf("%s: %s after the citizen's last message", where, e.at.Sub(written))
		}
	}
}

func TestTheSameDayGivesTheSameDemo(t *testing.T) {
	one, other := planners(t, aTuesday)[0], planners(t, aTuesday)[0]
	if !reflect.DeepEqual(one.past(), other.past()) || !reflect.DeepEqual(one.today(), other.today()) {
		t.Error("two plans of one day differ")
	}
}

// A newcomer may start the demo at any hour of any day: there is always work on the desk, all of it of
// the last day, so that it can be answered.
func TestThereIsWorkAtAnyHour(t *testing.T) {
	for hour := range 7 * 24 {
		now := aTuesday.Add(time.Duration(hour) * time.Hour)
		for _, p := range planners(t, now) {
			talks := p.today()
			begun, answered := 0, 0
			for _, talk := range talks {
				if len(talk.events) == 0 {
					continue
				}
				begun++
				if first := talk.events[0].at; first.Before(now.Add(-todayLasts-5*time.Minute)) || first.After(now) {
					t.Errorf("%s, started %s: something happens at %s", p.town.Slug, now, first)
				}
				if slices.ContainsFunc(talk.events, func(e event) bool { return e.verb == out }) {
					answered++
				}
			}
			if begun < 8 || answered < 2 {
				t.Errorf("%s, started %s: %d conversations, %d answered", p.town.Slug, now.In(p.desk.Zone()).Format("Mon 15:04"), begun, answered)
			}
		}
	}
}

func TestDaysToComeAreDaysOfOpening(t *testing.T) {
	p := planners(t, aTuesday)[0]
	for range 40 {
		words := strings.Fields(soon(p.rng, p.desk, aTuesday))
		if words[0] == "domenica" {
			t.Errorf("Rimini is closed on %s", strings.Join(words, " "))
		}
	}
	if got := calendar.DateOf(p.atWork(aTuesday).In(p.desk.Zone())); got != (calendar.Date{Year: 2026, Month: 11, Day: 24}) {
		t.Errorf("the last hours of opening before a Tuesday morning are of %s", got)
	}
}
