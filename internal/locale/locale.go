// SPDX-License-Identifier: AGPL-3.0-or-later

// Package locale holds every text that people read, in Italian and in English,
// and the way each language writes times, durations, sizes and numbers.
//
// The texts are in it.yaml and en.yaml, one `key: "value"` a line, grouped by
// section. A text may have named places, `{name}`, filled by the arguments of
// [Language.T]. Tests prove that both files have the same keys and the same
// places, and that every key the source asks for exists.
package locale

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/language"
)

// Language is a language the product speaks, as its BCP 47 tag.
type Language string

// The languages spoken; Italian is the one every text is written in first.
const (
	Italian Language = "it"
	English Language = "en"
)

// Key names a text, by section and place: "desk.inbox.empty".
type Key string

// Languages lists the languages spoken, the default first.
func Languages() []Language { return []Language{Italian, English} }

// Known tells whether the product speaks the language.
func (l Language) Known() bool { return l == Italian || l == English }

// Match picks the language for an Accept-Language header (RFC 9110, 12.5.4);
// Italian when the header asks for nothing we speak, or is malformed.
func Match(acceptLanguage string) Language {
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return Italian
	}
	for _, tag := range tags {
		base, _ := tag.Base()
		if l := Language(base.String()); l.Known() {
			return l
		}
	}
	return Italian
}

// T is the text of a key. Arguments come in pairs, the name of a place and
// what to put there: l.T("status.by", "name", "Anna"). A text with one place
// may be given what to put there alone: l.T("error.held_by", "Anna"). The result is plain
// text: whoever writes it into HTML escapes it. A key that does not exist is
// returned as it is, so that a mistake shows instead of leaving a hole.
func (l Language) T(key Key, args ...any) string {
	text, ok := catalogue()[l][key]
	if !ok {
		if text, ok = catalogue()[Italian][key]; !ok {
			return string(key)
		}
	}
	return Fill(text, args...)
}

// N is the text for a count: that of key+".one" for exactly one, otherwise
// that of key+".other". The count is written at {n}.
func (l Language) N(key Key, n int, args ...any) string {
	form := key + ".other"
	if n == 1 {
		form = key + ".one"
	}
	return l.T(form, append([]any{"n", l.Number(int64(n))}, args...)...)
}

// Has tells whether the key has a text.
func Has(key Key) bool {
	_, ok := catalogue()[Italian][key]
	return ok
}

// Keys lists the keys that begin with a prefix, in order: "citizen." are the
// texts a municipality may write itself.
func Keys(prefix string) []Key {
	var keys []Key
	for key := range catalogue()[Italian] {
		if strings.HasPrefix(string(key), prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Fill puts the arguments, pairs of name and value, at the places {name} of a
// text; a last value without a name goes to whatever place is left. It serves
// the texts a municipality writes itself, too. What is put in is never
// searched for further places.
func Fill(text string, args ...any) string {
	if len(args) == 0 {
		return text // most texts: a page has hundreds
	}
	values := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		values[fmt.Sprintf("{%v}", args[i])] = fmt.Sprint(args[i+1])
	}
	return place.ReplaceAllStringFunc(text, func(p string) string {
		if value, ok := values[p]; ok {
			return value
		}
		if len(args)%2 == 1 {
			return fmt.Sprint(args[len(args)-1])
		}
		return p
	})
}

var place = regexp.MustCompile(`\{[a-z0-9_]+\}`)

//go:embed it.yaml en.yaml
var files embed.FS

// catalogue reads the embedded files at the first use. They are part of the
// program and a test reads them, so a fault in them cannot reach an
// installation; it stops the program all the same.
var catalogue = sync.OnceValue(func() map[Language]map[Key]string {
	texts := map[Language]map[Key]string{}
	for _, l := range Languages() {
		data, err := files.ReadFile(string(l) + ".yaml")
		if err != nil {
			panic(fmt.Errorf("reading the texts in %q: %w", l, err))
		}
		var m map[Key]string
		if err := yaml.Unmarshal(data, &m); err != nil {
			panic(fmt.Errorf("reading the texts in %q: %w", l, err))
		}
		texts[l] = m
	}
	return texts
})
