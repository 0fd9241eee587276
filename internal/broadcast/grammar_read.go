// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"slices"
	"strings"
)

// reading tries whether a text is a phrase of one verb, what may stand around it, and nothing else.
type reading struct {
	*Grammar
	*dialect
	*spelling
	heard []hearing // so far
	dead  [2][maxBytes + 1]bool
	steps int
}

// hearing is something heard in a text.
type hearing struct {
	sense sense
	topic int
	word  string
}

type sense int

const (
	heardNothing sense = iota
	heardTopic
	heardUnknown
	heardName
	heardAll
	heardFirm // a phrase that is meant of the lists whoever writes it
)

// maxSteps bounds the work on a text that is written to take long: no honest one comes near.
const maxSteps = 20_000

func (g *Grammar) read(d *dialect, s *spelling) (Command, bool) {
	r := reading{Grammar: g, dialect: d, spelling: s}
	if !r.rest(0, false) {
		return Command{}, false
	}
	return r.command()
}

// rest reads from a place to the end; said is whether a phrase came before. Whether it can be done hangs on
// these two alone, so that no place is tried twice.
func (r *reading) rest(at int, said bool) bool {
	if at == len(r.letters) {
		return said
	}
	before := 0
	if said {
		before = 1
	}
	if r.dead[before][at] || r.steps > maxSteps {
		return false
	}
	r.steps++
	done := r.phrase(at) || r.topical && r.topic(at, said) || r.filler(at, said) || r.topical && r.unknown(at, said)
	r.dead[before][at] = !done
	return done
}

// hear goes on after something was heard, and forgets it where that leads nowhere.
func (r *reading) hear(h hearing, goOn func() bool) bool {
	r.heard = append(r.heard, h)
	if goOn() {
		return true
	}
	r.heard = r.heard[:len(r.heard)-1]
	return false
}

// phrase reads a phrase. A question mark asks a person, unless the phrase is a question that the desk answers.
func (r *reading) phrase(at int) bool {
	for p := range r.phrases.at(r.letters[at:]) {
		if r.asks && !r.certain && p.manner != askable {
			continue
		}
		if p.manner == alone && !r.whole(at, p.pieces[0].letters) {
			continue
		}
		h := hearing{sense: heardFirm}
		if p.manner == softly {
			h.sense = heardNothing
		}
		if r.hear(h, func() bool { return r.pieces(p.pieces, at) }) {
			return true
		}
	}
	return false
}

func (r *reading) pieces(pieces []piece, at int) bool {
	r.steps++
	switch {
	case len(pieces) == 0:
		return r.rest(at, true)
	case r.steps > maxSteps:
		return false
	}
	next, p := pieces[1:], pieces[0]
	switch p.place {
	case "":
		return strings.HasPrefix(r.letters[at:], p.letters) && r.pieces(next, at+len(p.letters))
	case "{list}":
		return r.topicPlace(at, 0, r.lists, next) || r.linked(pieces, at)
	case "{district}":
		return r.topicPlace(at, r.lists, len(r.topics), next) || r.linked(pieces, at)
	case "{town}":
		return r.wordPlace(at, r.towns, next) || r.linked(pieces, at)
	case "{notices}":
		return r.wordPlace(at, r.notices, next) || r.linked(pieces, at)
	case "{name}":
		return r.namePlace(at, next)
	}
	return false
}

// topicPlace fills a place with one of some topics, or with a hashtag that is none.
func (r *reading) topicPlace(at, from, to int, next []piece) bool {
	for t := range r.spelled.at(r.letters[at:]) {
		if from <= t.means && t.means < to && r.apart(at, t.letters) &&
			r.hear(hearing{sense: heardTopic, topic: t.means}, func() bool { return r.pieces(next, at+len(t.letters)) }) {
			return true
		}
	}
	word, ok := r.tag(at)
	return ok && r.hear(hearing{sense: heardUnknown, word: word}, func() bool { return r.pieces(next, at+len(word)) })
}

func (r *reading) wordPlace(at int, words lexicon, next []piece) bool {
	for t := range words.at(r.letters[at:]) {
		if r.pieces(next, at+len(t.letters)) {
			return true
		}
	}
	return false
}

func (r *reading) namePlace(at int, next []piece) bool {
	if !r.marks[at].edge {
		return false
	}
	for _, n := range r.names(r.spelling, at, r.around) {
		if r.hear(hearing{sense: heardName, word: n.name}, func() bool { return r.pieces(next, n.end) }) {
			return true
		}
	}
	return false
}

// linked reads words before a place: BASTA con i MESSAGGI.
func (r *reading) linked(pieces []piece, at int) bool {
	return r.between(at, func(end int) bool { return r.pieces(pieces, end) })
}

func (r *reading) filler(at int, said bool) bool {
	return r.between(at, func(end int) bool { return r.rest(end, said) })
}

// between goes on after a word that may stand around a phrase.
func (r *reading) between(at int, goOn func(end int) bool) bool {
	for t := range r.around.at(r.letters[at:]) {
		h := hearing{sense: heardNothing}
		if t.means == everything {
			h.sense = heardAll
		}
		if r.whole(at, t.letters) && r.hear(h, func() bool { return goOn(at + len(t.letters)) }) {
			return true
		}
	}
	return false
}

func (r *reading) topic(at int, said bool) bool {
	for t := range r.spelled.at(r.letters[at:]) {
		if r.apart(at, t.letters) &&
			r.hear(hearing{sense: heardTopic, topic: t.means}, func() bool { return r.rest(at+len(t.letters), said) }) {
			return true
		}
	}
	return false
}

func (r *reading) unknown(at int, said bool) bool {
	word, ok := r.tag(at)
	return ok && r.hear(hearing{sense: heardUnknown, word: word}, func() bool { return r.rest(at+len(word), said) })
}

// tag is the hashtag at a place, unless it is a phrase.
func (r *reading) tag(at int) (string, bool) {
	if !r.marks[at].tag {
		return "", false
	}
	word := r.letters[at:r.tagEnd(at)]
	return word, !r.phrased[word]
}

func (r *reading) whole(at int, letters string) bool { return r.edges(at, at+len(letters)) }

// apart lets topics of four letters or more be written together with what is beside them; shorter ones would
// be the end of another word.
func (r *reading) apart(at int, letters string) bool {
	return len(letters) >= 4 || r.whole(at, letters)
}

// command is what was heard. Two people's names in one message are for a person.
func (r *reading) command() (Command, bool) {
	c := Command{Verb: r.verb, Soft: r.verb == Leave}
	named, whole := make([]bool, len(r.topics)), false
	for _, h := range r.heard {
		switch h.sense {
		case heardTopic:
			named[h.topic], c.Soft = true, false
		case heardUnknown:
			if !slices.Contains(c.Unknown, h.word) {
				c.Unknown = append(c.Unknown, h.word)
			}
		case heardName:
			if c.Name != "" && c.Name != h.word {
				return Command{}, false
			}
			c.Name = h.word
		case heardAll:
			whole = true
		case heardFirm:
			c.Soft = false
		}
	}
	if whole && r.verb == Leave {
		c.Unknown = nil
		return c, true
	}
	if lists := named[:r.lists]; whole && !slices.Contains(lists, true) {
		for i := range lists {
			lists[i] = true
		}
	}
	for i, keyword := range r.topics {
		if named[i] {
			c.Topics = append(c.Topics, keyword)
		}
	}
	return c, true
}
