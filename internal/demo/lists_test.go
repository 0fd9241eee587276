// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Whatever citizens are said to have written does in their town's grammar what it stands for.
func TestListWordsMeanWhatTheyShould(t *testing.T) {
	for _, town := range Towns() {
		f, err := town.File()
		if err != nil {
			t.Fatal(err)
		}
		w, ok := listWords[town.Slug]
		if ok != (len(f.Lists) > 0) {
			t.Errorf("%s has %d lists, and words for them: %t", town.Slug, len(f.Lists), ok)
		}
		grammar := broadcast.NewGrammar(f)
		for verb, texts := range map[broadcast.Verb][]string{broadcast.Join: w.join, broadcast.Leave: w.leave, broadcast.Status: w.status} {
			for _, text := range texts {
				if c, ok := grammar.Parse(text); !ok || c.Verb != verb || len(c.Unknown) > 0 {
					t.Errorf("%s: %q is %+v, %t", town.Slug, text, c, ok)
				}
			}
		}
	}
}

func TestSayingsAreBelievable(t *testing.T) {
	for _, p := range planners(t, aTuesday) {
		said := p.sayings()
		if listWords[p.town.Slug].subscribers == 0 {
			if len(said) > 0 {
				t.Errorf("%s has no lists, and %d words for them", p.town.Slug, len(said))
			}
			continue
		}
		talking := map[string]bool{}
		for _, talk := range p.past() {
			talking[talk.citizen.phone] = true
		}
		joined := map[string]bool{}
		var before time.Time
		for _, w := range said {
			if w.at.Before(before) || w.at.Before(aTuesday.AddDate(0, 0, -pastDays)) || w.at.After(aTuesday.Add(-pastEnds)) {
				t.Errorf("%s: %q at %s, after %s", p.town.Slug, w.text, w.at, before)
			}
			before = w.at
			if hour := w.at.In(p.desk.Zone()).Hour(); hour < 7 {
				t.Errorf("%s: %q at %d in the night", p.town.Slug, w.text, hour)
			}
			if w.citizen.phone == "" || talking[w.citizen.phone] {
				t.Errorf("%s: %q of a phone %q that is somebody else's", p.town.Slug, w.text, w.citizen.phone)
			}
			if !joined[w.citizen.phone] && !slices.Contains(listWords[p.town.Slug].join, w.text) {
				t.Errorf("%s: %q before they joined", p.town.Slug, w.text)
			}
			joined[w.citizen.phone] = true
		}
		if len(joined) < 200 {
			t.Errorf("%s: only %d joined", p.town.Slug, len(joined))
		}
	}
}

// Every broadcast is to lists there are, by a template that is approved, with all that it asks for.
func TestCastsAreWhole(t *testing.T) {
	approved, err := Approved()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*municipality.File{}
	for _, town := range Towns() {
		if files[town.Slug], err = town.File(); err != nil {
			t.Fatal(err)
		}
	}
	last := map[string]cast{}
	for _, c := range casts() {
		f := files[c.town]
		for _, l := range c.lists {
			if !slices.ContainsFunc(f.Lists, func(one municipality.List) bool { return one.Keyword == l }) {
				t.Errorf("%s: %s has no list %s", c, c.town, l)
			}
		}
		for _, d := range c.district {
			if !slices.ContainsFunc(f.Districts, func(one municipality.District) bool { return one.Keyword == d }) {
				t.Errorf("%s: %s has no district %s", c, c.town, d)
			}
		}
		found := false
		for _, d := range approved {
			if found = d.Name == c.template; !found {
				continue
			}
			_, reads, err := municipality.Template{Template: d.Template()}.Fill(named(c.says))
			if err != nil || c.exercise && !strings.HasPrefix(reads, "ESERCITAZIONE") {
				t.Errorf("%s reads %q, %v", c, reads, err)
			}
			break
		}
		if before := last[c.town]; !found || before.days <= c.days && before.template != "" || c.ends && !slices.Equal(before.lists, c.lists) {
			t.Errorf("%s: template there: %t; comes after %s", c, found, before)
		}
		last[c.town] = c
	}
}
