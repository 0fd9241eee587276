// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strings"
)

// lexicon are words by the byte that their letters begin with, the longest first.
type lexicon map[byte][]term

type term struct {
	letters string
	means   int
}

// add keeps what a word meant before.
func (l lexicon) add(means int, words []string) {
	for _, word := range words {
		letters := lettersOf(word)
		if letters == "" || slices.ContainsFunc(l[letters[0]], func(t term) bool { return t.letters == letters }) {
			continue
		}
		l[letters[0]] = append(l[letters[0]], term{letters, means})
		slices.SortStableFunc(l[letters[0]], func(a, b term) int { return len(b.letters) - len(a.letters) })
	}
}

// at are the words that some letters begin with.
func (l lexicon) at(letters string) iter.Seq[term] {
	return func(yield func(term) bool) {
		if letters == "" {
			return
		}
		for _, t := range l[letters[0]] {
			if strings.HasPrefix(letters, t.letters) && !yield(t) {
				return
			}
		}
	}
}

// phrase is a phrase in its pieces.
type phrase struct {
	manner manner
	pieces []piece
	words  []string // its own, without the places
}

// piece is letters, or a place for something: {list}, {district}, {town}, {name}, {notices}.
type piece struct {
	letters string
	place   string
}

var places = regexp.MustCompile(`\{[a-z]+\}`)

func newPhrase(m manner, text string) phrase {
	p := phrase{manner: m}
	own := func(between string) {
		if l := lettersOf(between); l != "" {
			p.pieces = append(p.pieces, piece{letters: l})
			for _, word := range strings.Fields(between) {
				p.words = append(p.words, lettersOf(word))
			}
		}
	}
	from := 0
	for _, at := range places.FindAllStringIndex(text, -1) {
		own(text[from:at[0]])
		p.pieces = append(p.pieces, piece{place: text[at[0]:at[1]]})
		from = at[1]
	}
	own(text[from:])
	return p
}

// key is equal for phrases that are the same to citizens.
func (p phrase) key() string {
	var key strings.Builder
	for _, piece := range p.pieces {
		key.WriteString(piece.letters + piece.place)
	}
	return key.String()
}

func keys(phrases []string) map[string]bool {
	set := map[string]bool{}
	for _, text := range phrases {
		set[newPhrase(meant, text).key()] = true
	}
	return set
}

// phrasebook are phrases by the byte that their letters begin with; 0 for those that begin with a place.
type phrasebook map[byte][]phrase

func (b phrasebook) add(m manner, texts []string) {
	for _, text := range texts {
		p := newPhrase(m, text)
		if len(p.pieces) == 0 {
			continue
		}
		first := byte(0)
		if l := p.pieces[0].letters; l != "" {
			first = l[0]
		}
		b[first] = append(b[first], p)
		slices.SortStableFunc(b[first], bySense)
	}
}

// bySense puts what says more before what says less, so that BASTA MESSAGGI is not just BASTA.
func bySense(a, b phrase) int {
	return cmp.Or(b.size()-a.size(), int(a.manner-b.manner))
}

func (p phrase) size() (n int) {
	for _, piece := range p.pieces {
		n += len(piece.letters)
	}
	return n
}

// at are the phrases that some letters may begin with.
func (b phrasebook) at(letters string) iter.Seq[*phrase] {
	return func(yield func(*phrase) bool) {
		for _, first := range [...]byte{letters[0], 0} {
			for i := range b[first] {
				p := &b[first][i]
				if strings.HasPrefix(letters, p.pieces[0].letters) && !yield(p) {
					return
				}
			}
		}
	}
}

// towns are the ways to write a municipality's name: Comune di Rimini, Rimini.
func towns(name string) []string {
	words := strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune(" '’", c) })
	if len(words) < 3 || !slices.Contains(bodies, lettersOf(words[0])) || !slices.Contains(joints, lettersOf(words[1])) {
		return []string{name, "Comune di " + name}
	}
	return []string{name, strings.Join(words[2:], " ")}
}
