// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Verb is what a citizen tells the desk to do with their lists.
type Verb int

// The verbs.
const (
	None   Verb = iota // nothing that the desk does by itself: a person reads it
	Join               // a phrase of the municipality's file
	Leave              // a phrase of the file, STOP, and what else means it everywhere
	Status             // show me the lists that I am on
	Yes                // an answer, where the desk has asked
	No
)

// Command is what a message in the municipality's words says.
type Command struct {
	Verb    Verb
	Topics  []string // keywords of lists and districts as in the file, in its order; none with Leave is all
	Unknown []string // hashtags that are nothing here, in capitals without accents; a Leave of such alone leaves nothing
	Name    string   // what stood in {name}, as written
	Soft    bool     // BASTA, CANCELLA: meant of the lists only by somebody who is subscribed
}

// Grammar is the words of one municipality by which its citizens join, leave and ask. It never changes, so
// many may use it at once.
type Grammar struct {
	lists    int      // how many of the topics are lists; the rest are districts
	topics   []string // keywords
	spelled  lexicon  // how topics may be written: their place in topics
	towns    lexicon
	notices  lexicon
	dialects []dialect
	choosing dialect         // lists alone
	phrased  map[string]bool // what is a phrase, so that no hashtag is taken for an unknown list
	nameless map[string]bool // words that begin or go on with no name
}

// dialect is how one verb is said: its phrases and what may stand around them.
type dialect struct {
	verb    Verb
	phrases phrasebook
	around  lexicon
	topical bool // lists and districts may be named beside a phrase
	certain bool // even with a question mark
}

// NewGrammar makes the grammar of a municipality's file.
func NewGrammar(f *municipality.File) *Grammar {
	g := &Grammar{spelled: lexicon{}, towns: lexicon{}, notices: lexicon{}, phrased: map[string]bool{}, nameless: map[string]bool{}}
	g.name(f)
	g.towns.add(plain, towns(f.Name))
	g.notices.add(plain, notices)
	for _, word := range strangers {
		g.nameless[word] = true
	}
	g.speak(f.Subscription, append(towns(f.Name), f.Service))
	return g
}

// name gathers how lists and districts may be written. A name that several have is nobody's.
func (g *Grammar) name(f *municipality.File) {
	var names []string
	for _, l := range f.Lists {
		g.topics, names = append(g.topics, l.Keyword), append(names, l.Name)
	}
	g.lists = len(g.topics)
	for _, d := range f.Districts {
		g.topics, names = append(g.topics, d.Keyword), append(names, d.Name)
	}
	for i, keyword := range g.topics {
		g.spelled.add(i, []string{keyword})
	}
	times := map[string]int{}
	for _, name := range names {
		times[municipality.Fold(name)]++
	}
	for i, name := range names {
		if times[municipality.Fold(name)] == 1 {
			g.spelled.add(i, []string{name})
		}
	}
}

// speak makes the dialects, in the order in which a message is tried by them: what sends less comes first.
func (g *Grammar) speak(s municipality.Subscription, here []string) {
	g.dialects = []dialect{
		{verb: Leave, around: surroundings(here, links, leavingLinks), topical: true, certain: true},
		{verb: Status, around: surroundings(here, articles)},
		{verb: Join, around: surroundings(here, links), topical: true},
		{verb: Yes, around: surroundings()},
		{verb: No, around: surroundings()},
	}
	g.choosing = dialect{verb: Join, around: surroundings(here, links), topical: true}
	g.choosing.around.add(everything, all)
	file := map[Verb][]string{Join: s.Join, Leave: s.Leave, Status: s.Status}
	own := keys(slices.Concat(s.Join, s.Leave, s.Status))
	for i := range g.dialects {
		d := &g.dialects[i]
		d.phrases = phrasebook{}
		if d.verb == Status {
			d.phrases.add(askable, file[d.verb])
		} else {
			d.phrases.add(meant, file[d.verb])
		}
		for _, saying := range sayings[d.verb] {
			d.phrases.add(saying.manner, slices.DeleteFunc(slices.Clone(saying.phrases), func(p string) bool { return own[newPhrase(meant, p).key()] }))
		}
		if d.topical {
			d.around.add(everything, all)
		}
		g.reserve(d)
	}
}

func surroundings(words ...[]string) lexicon {
	l := lexicon{}
	l.add(plain, slices.Concat(append(words, courtesies)...))
	return l
}

// reserve keeps the words of a dialect from being taken for an unknown list or for a person.
func (g *Grammar) reserve(d *dialect) {
	for _, phrases := range d.phrases {
		for _, p := range phrases {
			g.phrased[p.key()] = true
			for _, word := range p.words {
				g.nameless[word] = true
			}
		}
	}
}

const (
	maxRunes = 200 // of a message in the municipality's words; a longer one says more
	maxBytes = 4 * maxRunes
)

// Parse reads a message. It is false where a person has to: unless the whole text is a phrase with the lists
// it names and the courtesies around it. A municipality without lists has no commands.
func (g *Grammar) Parse(text string) (Command, bool) {
	s, ok := g.spelling(text)
	if !ok {
		return Command{}, false
	}
	for i := range g.dialects {
		if c, ok := g.read(&g.dialects[i], &s); ok {
			return c, true
		}
	}
	return Command{}, false
}

// Choice reads a message that names lists and nothing else, which says something only to somebody who was asked which
// lists they want. It returns their keywords and those of districts, in the order of the file; none if it is no such message.
func (g *Grammar) Choice(text string) []string {
	s, ok := g.spelling(text)
	r := reading{Grammar: g, dialect: &g.choosing, spelling: &s}
	if !ok || s.asks || !r.rest(0, true) {
		return nil
	}
	c, _ := r.command()
	if len(c.Unknown) > 0 || !slices.ContainsFunc(c.Topics, func(topic string) bool { return slices.Contains(g.topics[:g.lists], topic) }) {
		return nil
	}
	return c.Topics
}

// spelling is false for what is too long to be a command, or has no letters, and where there are no lists.
func (g *Grammar) spelling(text string) (spelling, bool) {
	if g.lists == 0 || len(text) > maxBytes || utf8.RuneCountInString(text) > maxRunes {
		return spelling{}, false
	}
	s := spell(unescape(text))
	return s, len(s.letters) > 0 && len(s.letters) <= maxBytes
}

// unescape undoes a link's %20, which stays in the text where a link was escaped twice.
func unescape(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		return text
	}
	return plain
}
