// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/municipality"
)

// spelling is a text by its letters alone, with what else matters of it.
type spelling struct {
	text    string // as written
	letters string // folded as the phrases of a file are
	marks   []mark // of each byte of letters, and of their end
	asks    bool   // there is a question mark
}

// mark is what is known of a place among the letters.
type mark struct {
	from int  // the byte of the text
	edge bool // a word begins or ends here
	tag  bool // a hashtag begins here
}

const (
	hashes    = "#＃﹟"
	questions = "?？﹖¿؟⁇⁈⁉❓❔‽"
	signs     = thumbUp + thumbDown
)

func spell(text string) spelling {
	s := spelling{text: text, marks: make([]mark, 0, len(text)+1)}
	letters := make([]byte, 0, len(text))
	edge, tag := true, false
	for i, c := range text {
		letters = appendLetters(letters, c)
		switch added := len(letters) - len(s.marks); {
		case added > 0:
			s.marks = append(s.marks, mark{from: i, edge: edge, tag: tag})
			s.marks = append(s.marks, slices.Repeat([]mark{{from: i}}, added-1)...)
			edge, tag = strings.ContainsRune(signs, c), false
		case !inWord(c):
			edge = true
			tag = tag || strings.ContainsRune(hashes, c)
			s.asks = s.asks || strings.ContainsRune(questions, c)
		}
	}
	s.marks = append(s.marks, mark{from: len(text), edge: true})
	s.letters = string(letters)
	return s
}

// inWord are characters without a shape of their own: accents, and what only tells how to draw others.
func inWord(c rune) bool {
	return c >= utf8.RuneSelf && (unicode.Is(unicode.M, c) || unicode.Is(unicode.Cf, c))
}

func lettersOf(text string) string {
	var letters []byte
	for _, c := range text {
		letters = appendLetters(letters, c)
	}
	return string(letters)
}

func appendLetters(letters []byte, c rune) []byte {
	if c >= utf8.RuneSelf && strings.ContainsRune(signs, c) {
		return utf8.AppendRune(letters, c)
	}
	return municipality.AppendFold(letters, c)
}

// edges says whether some letters are whole words.
func (s *spelling) edges(from, to int) bool { return s.marks[from].edge && s.marks[to].edge }

// tagEnd is where the hashtag ends that begins at a place. An underscore is part of a hashtag.
func (s *spelling) tagEnd(at int) int {
	end := at + 1
	for !s.marks[end].edge || s.joined(end) {
		end++
	}
	return end
}

func (s *spelling) joined(at int) bool {
	return at < len(s.letters) && !s.marks[at].tag && strings.HasSuffix(s.text[:s.marks[at].from], "_")
}

const maxNameWords = 5

// names are what may be a person's name from a place on, the longest first, with the place where each ends.
func (g *Grammar) names(s *spelling, at int, around lexicon) (found []named) {
	var words []string
	for from := s.marks[at].from; len(words) < maxNameWords; {
		place := s.after(from)
		word := nameWord(s.text[from:])
		end := s.after(from + len(word))
		if place == end || s.marks[place].from != from || !g.nameable(s, place, word, around) {
			break
		}
		words = append(words, word)
		if isName(words) {
			found = append(found, named{strings.Join(words, " "), end})
		}
		rest := s.text[from+len(word):]
		space := len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
		if space == 0 {
			break
		}
		from += len(word) + space
	}
	slices.Reverse(found)
	return found
}

type named struct {
	name string
	end  int
}

// after is the first place among the letters that does not come before a byte of the text.
func (s *spelling) after(offset int) int {
	return sort.Search(len(s.marks)-1, func(i int) bool { return s.marks[i].from >= offset })
}

// nameWord is what a text begins with that may be one word of a name.
func nameWord(text string) string {
	end := strings.IndexFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !inWord(c) && !strings.ContainsRune("'’‘`´-‐", c)
	})
	if end < 0 {
		return text
	}
	return text[:end]
}

// nameable says whether a word may be part of a name: none of a phrase's, no topic, no courtesy.
func (g *Grammar) nameable(s *spelling, at int, word string, around lexicon) bool {
	letters := lettersOf(word)
	if s.marks[at].tag {
		return false
	}
	if slices.Contains(particles, letters) {
		return true
	}
	return utf8.RuneCountInString(letters) > 1 && !g.nameless[letters] && !s.begins(at, g.spelled) && !s.begins(at, around)
}

// begins says whether whole words of a lexicon begin at a place.
func (s *spelling) begins(at int, l lexicon) bool {
	for t := range l.at(s.letters[at:]) {
		if s.edges(at, at+len(t.letters)) {
			return true
		}
	}
	return false
}

// isName refuses a name that ends in a particle, and an article with a thing: La Russa Carlo is a name, la sirena is none.
func isName(words []string) bool {
	isParticle := func(word string) bool { return slices.Contains(particles, lettersOf(word)) }
	return !isParticle(words[len(words)-1]) && (len(words) > 2 || !isParticle(words[0]))
}
