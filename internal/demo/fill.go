// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/calendar"
)

var (
	blank  = regexp.MustCompile(`\{([a-z0-9]+)\}`)
	choice = regexp.MustCompile(`\{([^{}]*\|[^{}]*)\}`)
)

// filler fills in the texts of one conversation: the same street and the same day all along.
type filler struct {
	rng    *rand.Rand
	values map[string]string
}

func newFiller(rng *rand.Rand, t Town, c citizen, desk *calendar.Calendar, start time.Time, letter string) *filler {
	street, other := rng.IntN(len(t.streets)), 1+rng.IntN(len(t.streets)-1)
	words := strings.Fields(c.full)
	f := &filler{rng: rng, values: map[string]string{
		"via": t.streets[street], "via2": t.streets[(street+other)%len(t.streets)], "civico": fmt.Sprint(1 + rng.IntN(118)),
		"piazza": pick(rng, t.squares), "parco": pick(rng, t.parks), "scuola": pick(rng, t.schools), "nido": pick(rng, t.nursery),
		"quartiere": pick(rng, t.quarters), "sala": t.hall, "sede": t.seat, "orari": t.hours, "comune": t.Name, "town": t.Name, "slug": t.Slug,
		"nome": c.first, "nomecompleto": c.full, "cognome": words[len(words)-1],
		"nomebimbo": pick(rng, []string{"Leonardo", "Sofia", "Tommaso", "Aurora", "Samuele", "Mia", "Nour", "Edoardo"}) + " " + words[len(words)-1],
		"numero":    fmt.Sprint(1000 + rng.IntN(8999)), "protocollo": fmt.Sprintf("%d/%d", 10000+rng.IntN(80000), start.Year()),
		"targa":   fmt.Sprintf("%s%03d%s", pick(rng, []string{"FX", "GA", "DR", "EZ"}), rng.IntN(1000), pick(rng, []string{"KT", "LM", "VB", "ZN"})),
		"importo": pick(rng, []string{"18,40", "27,50", "46,00", "63,20", "112,00", "154,00"}),
		"ora":     pick(rng, []string{"9:30", "10:15", "11:00", "11:45", "12:20"}),
		"data":    soon(rng, desk, start), "lettera": letter,
	}}
	return f
}

// fill replaces every blank and makes every choice.
func (f *filler) fill(text string) string {
	if f.values["nome"] == "" { // nobody is addressed by what only a profile says
		text = strings.ReplaceAll(text, " {nome}", "")
	}
	for blank.MatchString(text) || choice.MatchString(text) {
		text = blank.ReplaceAllStringFunc(text, func(b string) string { return f.values[b[1:len(b)-1]] })
		text = choice.ReplaceAllStringFunc(text, func(c string) string { return pick(f.rng, strings.Split(c[1:len(c)-1], "|")) })
	}
	return text
}

// variables are the texts of a template's variables, none of them empty.
func (f *filler) variables(text string) []string {
	parts := strings.Split(text, ";")
	for i, part := range parts {
		if parts[i] = strings.TrimSpace(f.fill(strings.TrimSpace(part))); parts[i] == "" || part == "{nome}" && f.values["nome"] == "" {
			parts[i] = "gentile utente"
		}
	}
	return parts
}

// soon is a day of opening two to eight days on, in words: "giovedì 26 novembre".
func soon(rng *rand.Rand, desk *calendar.Calendar, from time.Time) string {
	day := calendar.DateOf(from.In(desk.Zone())).AddDays(2 + rng.IntN(4))
	for range 10 {
		if len(desk.Day(day)) > 0 {
			break
		}
		day = day.AddDays(1)
	}
	weekdays := []string{"domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"}
	months := []string{"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"}
	return fmt.Sprintf("%s %d %s", weekdays[day.Weekday()], day.Day, months[day.Month-1])
}
