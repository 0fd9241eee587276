// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/calendar"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// checks gathers what a schema cannot say: that ids are there and once only,
// that days and numbers exist, that two words do not mean two things.
type checks struct {
	file     *File
	listed   bool // the numbers are written as a list
	problems []problem
}

func check(root *node, f *File) []problem {
	_, listed := root.find([]string{"whatsapp"}).value.([]*node)
	c := &checks{file: f, listed: listed}
	c.zone()
	c.numbers()
	c.offices()
	c.kinds()
	c.calendars()
	c.channels()
	c.experimental()
	c.keywords()
	c.phrases()
	c.texts()
	return c.problems
}

func (c *checks) refuse(path []string, format string, args ...any) {
	c.problems = append(c.problems, problem{path: path, message: fmt.Sprintf(format, args...)})
}

func (c *checks) zone() {
	if _, err := time.LoadLocation(c.file.Timezone); err != nil || c.file.Timezone == "Local" {
		c.refuse([]string{"timezone"}, "there is no such time zone: Italy's is Europe/Rome")
	}
}

func (c *checks) numbers() {
	ids, metas, phones := seen{}, seen{}, seen{}
	for i, n := range c.file.WhatsApp {
		at := []string{"whatsapp"}
		if c.listed {
			at = append(at, strconv.Itoa(i))
		}
		if ids.again(n.ID) {
			c.refuse(under(at, "id"), "another number has this id: choose another")
		}
		if metas.again(n.PhoneNumberID) {
			c.refuse(under(at, "phone_number_id"), "another number has this phone_number_id: each number has its own")
		}
		if n.Office != "" {
			c.office(n.Office, under(at, "office"))
		}
		e164, err := phone(n.Display)
		switch {
		case n.Display == "": // the schema has said so
		case err != nil:
			c.refuse(under(at, "display_number"), "%s", err)
		case phones.again(e164):
			c.refuse(under(at, "display_number"), "another number is the same: each number has its own")
		}
	}
}

func (c *checks) offices() {
	ids := seen{}
	for i, o := range c.file.Offices {
		at := []string{"offices", strconv.Itoa(i)}
		if ids.again(o.ID) {
			c.refuse(under(at, "id"), "another office has this id: choose another")
		}
		for j, number := range o.Phones {
			if _, err := phone(number); err != nil {
				c.refuse(under(at, "phones", strconv.Itoa(j)), "%s", err)
			}
		}
		c.calendarName(o.Calendar, under(at, "calendar"))
	}
}

func (c *checks) office(id string, path []string) {
	if _, ok := c.file.Office(id); !ok {
		c.refuse(path, "there is no office %q in offices", id)
	}
}

func (c *checks) kinds() {
	ids, keys := seen{}, seen{}
	for i, k := range c.file.Kinds {
		at := []string{"kinds", strconv.Itoa(i)}
		if ids.again(k.ID) {
			c.refuse(under(at, "id"), "another kind has this id: choose another")
		}
		if keys.again(k.Key) {
			c.refuse(under(at, "key"), "another kind has this key: choose another")
		}
		if k.Label == "" && !locale.Has(locale.Key("kind."+k.ID)) {
			c.refuse(at, "label is missing: what the desk calls this kind of request")
		}
	}
}

func (c *checks) calendars() {
	for _, name := range slices.Sorted(maps.Keys(c.file.Calendars)) {
		at := []string{"calendars", name}
		_, err := calendar.New(c.file.Calendars[name], time.UTC)
		var wrong calendar.Problems
		if errors.As(err, &wrong) {
			for _, p := range wrong {
				c.refuse(under(at, p.Path...), "%s", p.Message)
			}
		}
	}
}

func (c *checks) calendarName(name string, path []string) {
	if _, ok := c.file.Calendars[name]; name != "" && !ok {
		c.refuse(path, "there is no calendar %q in calendars", name)
	}
}

var webAddress = regexp.MustCompile(`^https?://\S+$`)
var mailAddress = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

func (c *checks) channels() {
	for i, ch := range c.file.Channels {
		at := []string{"channels", strconv.Itoa(i)}
		c.calendarName(ch.Calendar, under(at, "calendar"))
		value := under(at, "value")
		switch ch.Kind {
		case "phone":
			if _, err := phone(ch.Value); err != nil {
				c.refuse(value, "%s", err)
			}
		case "email":
			if !mailAddress.MatchString(ch.Value) {
				c.refuse(value, "must be an e-mail address, such as urp@comune.rimini.it")
			}
		case "web", "app":
			if !webAddress.MatchString(ch.Value) {
				c.refuse(value, "must be a web address, such as https://www.comune.rimini.it")
			}
		}
	}
}

func (c *checks) experimental() {
	e := c.file.Experimental
	if e == nil {
		return
	}
	from, err := calendar.ParseDate(e.From)
	if err != nil {
		c.refuse([]string{"experimental", "from"}, "%s", err)
	}
	if e.Until == "" {
		return
	}
	until, untilErr := calendar.ParseDate(e.Until)
	switch {
	case untilErr != nil:
		c.refuse([]string{"experimental", "until"}, "%s", untilErr)
	case err == nil && until.Before(from):
		c.refuse([]string{"experimental", "until"}, "ends on %s, before it begins on %s", until, from)
	}
}

// reserved are the words that mean the same in every municipality, so no list
// may be called by one of them.
var reserved = []string{
	"STOP", "STOPALL", "UNSUBSCRIBE", "OPTOUT", "BASTA", "DISISCRIZIONE", "DISISCRIVI", "DISISCRIVIMI", "DISISCRIVETEMI", "RIMUOVIMI", "RIMUOVETEMI", "ELIMINAMI", "ELIMINATEMI", "TOGLIMI", "TOGLIETEMI",
	"DISISCRIVERE", "DISISCRIVERMI", "CANCELLA", "CANCELLAMI", "CANCELLATEMI", "CANCELLARMI",
	"SI", "SII", "SIII", "SISI", "YES", "YEP", "OK", "OKAY", "OKEY", "CONFERMO", "CONFIRM", "ACCETTO", "ACCONSENTO", "CERTO",
	"NO", "NOPE", "RIFIUTO",
	"TUTTE", "TUTTI", "TUTTO", "ENTRAMBE", "ENTRAMBI", "ALL", "BOTH",
}

// keywords checks that each word of lists and districts names one thing, and
// none that every citizen may write for another purpose.
func (c *checks) keywords() {
	words := seen{}
	s := c.file.Subscription
	for _, taken := range slices.Concat(reserved, s.Join, s.Leave, s.Status) {
		words.again(fold(taken))
	}
	refuse := func(path []string, word string) {
		if words.again(fold(word)) {
			c.refuse(under(path, "keyword"), "%s already means something else: choose another word", word)
		}
	}
	for i, l := range c.file.Lists {
		refuse([]string{"lists", strconv.Itoa(i)}, l.Keyword)
	}
	for i, d := range c.file.Districts {
		refuse([]string{"districts", strconv.Itoa(i)}, d.Keyword)
	}
}

var place = regexp.MustCompile(`\{[^}]*\}?`)

// phrases checks that no phrase means two things, and that its places are
// known: {list} {district} {town} {name}.
func (c *checks) phrases() {
	words := seen{fold("STOP"): true}
	s := c.file.Subscription
	for _, group := range []struct {
		key     string
		phrases []string
	}{{"join", s.Join}, {"leave", s.Leave}, {"status", s.Status}} {
		for i, phrase := range group.phrases {
			at := []string{"subscription", group.key, strconv.Itoa(i)}
			if again := words.again(fold(phrase)); again && !(group.key == "leave" && fold(phrase) == "STOP") {
				c.refuse(at, "this phrase already means something else: case, accents, spaces and punctuation make no difference")
			}
			for _, p := range place.FindAllString(phrase, -1) {
				if !slices.Contains([]string{"{list}", "{district}", "{town}", "{name}"}, p) {
					c.refuse(at, "%s is not a place in a phrase: use {list}, {district}, {town} or {name}", p)
				}
			}
			if fold(phrase) == "{NAME}" {
				c.refuse(at, "every name would be this phrase: write a word beside {name}, such as ATTIVA {name}")
			}
		}
	}
}

var textPlace = regexp.MustCompile(`\{[a-z0-9_]+\}`)

func (c *checks) texts() {
	for _, name := range slices.Sorted(maps.Keys(c.file.Texts)) {
		at := []string{"texts", name}
		key := locale.Key("citizen." + name)
		if !locale.Has(key) {
			c.problems = append(c.problems, problem{path: at, message: fmt.Sprintf("there is no citizen text %s: the texts are %s", name, citizenTexts()), onKey: true})
			continue
		}
		known := textPlace.FindAllString(locale.Italian.T(key), -1)
		for _, p := range textPlace.FindAllString(c.file.Texts[name], -1) {
			if !slices.Contains(known, p) {
				c.refuse(at, "%s is not a place in this text, which has %s", p, orNone(known))
			}
		}
	}
}

func citizenTexts() string {
	var names []string
	for _, key := range locale.Keys("citizen.") {
		names = append(names, strings.TrimPrefix(string(key), "citizen."))
	}
	return strings.Join(names, ", ")
}

func orNone(places []string) string {
	if len(places) == 0 {
		return "none"
	}
	return strings.Join(places, " ")
}

// seen tells whether a word was there before; the empty word never was.
type seen map[string]bool

func (s seen) again(word string) bool {
	if word == "" {
		return false
	}
	before := s[word]
	s[word] = true
	return before
}
