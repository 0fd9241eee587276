// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Nobody is subscribed by a text in which a phrase of the file is not found; and whatever is written, in capitals
// or not, with accents or without, means the same.
func FuzzGrammar(f *testing.F) {
	type town struct {
		file    *municipality.File
		grammar *broadcast.Grammar
	}
	var towns []town
	names := append(slices.Sorted(maps.Keys(townWords)), "rimini", "arezzo")
	for _, name := range names {
		file := townFile(f, name)
		towns = append(towns, town{file, broadcast.NewGrammar(file)})
	}
	for _, s := range sayings {
		for _, w := range s.words {
			f.Add(uint8(max(0, slices.Index(names, s.town))), w[0])
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		town := towns[int(which)%len(towns)]
		c, ok := town.grammar.Parse(text)
		if ok != (c.Verb != broadcast.None) {
			t.Errorf("%q: %+v, %v", text, c, ok)
		}
		if c.Verb == broadcast.Join && !slices.ContainsFunc(town.file.Subscription.Join, func(phrase string) bool { return holds(text, phrase, c) }) {
			t.Errorf("%q joins without a phrase of %q: %+v", text, town.file.Subscription.Join, c)
		}
		if !utf8.ValidString(text) {
			return
		}
		for _, variant := range variants(text) {
			if other := foldedSpeech(town.grammar.Parse(variant)); other != foldedSpeech(c, ok) {
				t.Errorf("%q is %q, but %q is %q", text, foldedSpeech(c, ok), variant, other)
			}
		}
	})
}

var phrasePlace = regexp.MustCompile(`\{[a-z]+\}`)

// holds says whether a text has the words of a phrase, one after another, and something for its places.
func holds(text, phrase string, c broadcast.Command) bool {
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	rest := municipality.Fold(text)
	for _, words := range phrasePlace.Split(phrase, -1) {
		var found bool
		if _, rest, found = strings.Cut(rest, municipality.Fold(words)); !found {
			return false
		}
	}
	filled := map[string]bool{"{name}": c.Name != "", "{town}": true, "{list}": len(c.Topics)+len(c.Unknown) > 0, "{district}": len(c.Topics)+len(c.Unknown) > 0}
	return !slices.ContainsFunc(phrasePlace.FindAllString(phrase, -1), func(place string) bool { return !filled[place] })
}

// variants are a text in other letters, as far as they are not longer than a command may be.
func variants(text string) (found []string) {
	written := []string{strings.ToUpper(text), strings.ToLower(text)}
	if !strings.Contains(text, "%") {
		written = append(written, regexp.MustCompile(`\pL`).ReplaceAllString(text, "$0\u0301"))
	}
	for _, v := range written {
		if utf8.RuneCountInString(v) <= 200 && len(v) <= 800 && len(text) <= 800 {
			found = append(found, v)
		}
	}
	return found
}

func foldedSpeech(c broadcast.Command, ok bool) string {
	c.Name = municipality.Fold(c.Name)
	return spoken(c, ok)
}
