// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Which question a SÌ answers is read from the thread, not from a note of the last question: so it does not
// depend on which of the two is processed first, or by whom.

// confirmWithin is how long a question waits for its SÌ.
const confirmWithin = 24 * time.Hour

// said is one thing of a thread that matters to questions.
type said struct {
	word
	office bool   // a person of the office wrote, or their program: that ends what the desk had asked, unless they only sent it again
	asked  bool   // the desk has answered it
	choice string // the answer, where it is a list to choose from
}

// question is a word after which the desk asks for a SÌ.
type question struct {
	word
	topics []string
}

// listen reads a stretch of a thread. A word that had been left to a person when it came stays with them, but for SÌ
// and NO: one that was processed before its question is an answer all the same.
func listen(f *municipality.File, g *Grammar, thread []conversation.Message) []said {
	var out []said
	answered, choices := make(map[string]bool), make(map[string]string)
	for _, m := range thread {
		if m.Direction == conversation.Out {
			answered[m.ClientKey] = true
			if o := m.Detail.Interactive; o != nil && o.Button != "" {
				choices[m.ClientKey] = m.Text
			}
			if m.Author.Kind != "system" && (m.Type != conversation.TypeInteractive || m.Detail.ResendOf == 0) && m.Status != conversation.Cancelled {
				out = append(out, said{word: word{order: orderOf(m)}, office: true})
			}
			continue
		}
		w, ok := hear(f, g, m)
		if ok && (m.Lane == conversation.Automatic || w.Verb == Yes || w.Verb == No) {
			out = append(out, said{word: w})
		}
	}
	for i, e := range out {
		key := conversation.AnswerKey(e.source)
		out[i].asked, out[i].choice = answered[key], choices[key]
	}
	slices.SortStableFunc(out, func(a, b said) int {
		switch {
		case a.before(b.order):
			return -1
		case b.before(a.order):
			return 1
		}
		return 0
	})
	return out
}

// asked tells what the desk asks after w: nothing where topics is empty.
func asked(f *municipality.File, s *standing, w word) question {
	q := question{word: w}
	switch {
	case w.moved && f.Automation == municipality.AutomationNone: // nobody asked for an answer
	case w.moved:
		for _, topic := range s.in(Suspended) {
			if s.topics[topic].word.before(w.order) {
				q.topics = append(q.topics, topic)
			}
		}
	case w.asks(f, s):
		for _, topic := range w.wanted(f, s) {
			t := s.topics[topic]
			if (t == nil || t.state == Off && t.word.before(w.order)) && !w.before(s.left) {
				q.topics = append(q.topics, topic)
			}
		}
	}
	return q
}

// open are the questions that wait for y when it is said, the latest first. In one second the question is first,
// whatever the ids say: WhatsApp's times tell no more.
func open(f *municipality.File, s *standing, thread []said, y word) []question {
	var out []question
	var picked []word // before y
	for _, e := range slices.Backward(thread) {
		switch {
		case !e.before(y.order) && !(e.at.Equal(y.at) && (e.Verb == Join || e.moved)):
		case e.of != 0:
			picked = append(picked, e.word)
		case e.office, e.Verb == Yes, e.Verb == No, y.at.After(e.at.Add(confirmWithin)):
			return out
		default:
			answered := slices.ContainsFunc(picked, func(p word) bool { return p.covers(thread, e.order) })
			if q := asked(f, s, e.word); len(q.topics) > 0 && (e.asked || !e.moved) && !answered && y.covers(thread, e.order) {
				out = append(out, q)
			}
		}
	}
	return out
}

// covers tells whether y, a SÌ or a NO, may answer q. A button answers the question that it stands under, which
// named what had been asked before, and nothing that was asked later.
func (y word) covers(thread []said, q order) bool {
	if y.of == 0 {
		return true
	}
	under := slices.IndexFunc(thread, func(e said) bool { return e.message.ID == y.of })
	return under >= 0 && !q.at.After(thread[under].at)
}

// choice is the list to choose from that the citizen had before them when y was said, "" if none: they left since, or
// the office wrote, or it is a day old.
func choice(thread []said, y order) string {
	for _, e := range slices.Backward(thread) {
		switch {
		case !e.before(y):
		case e.office, e.Verb == Leave, e.Verb == No, y.at.After(e.at.Add(confirmWithin)):
			return ""
		case e.choice != "":
			return e.choice
		}
	}
	return ""
}

// answerTo is the SÌ that q was answered with, nil if it was not.
func answerTo(thread []said, q order) *word {
	for _, e := range thread {
		switch {
		case e.at.Before(q.at), e.at.Equal(q.at) && e.Verb != Yes && e.Verb != No, !e.covers(thread, q):
		case e.office, e.Verb == No, e.at.After(q.at.Add(confirmWithin)):
			return nil
		case e.Verb == Yes:
			return &e.word
		}
	}
	return nil
}

// around is the stretch of a thread in which a word may be a question or an answer.
func around(w word, until time.Time) conversation.Exchange {
	if until.Before(w.at) {
		until = w.at
	}
	return conversation.Exchange{ContactID: w.message.ContactID, Number: w.message.Number, From: w.at.Add(-confirmWithin), To: until.Add(confirmWithin)}
}

// threads reads the stretch around each of words, nil for those that need none.
func threads(ctx context.Context, tx *db.Tx, municipality int64, words []word, needs func(word) bool, until func(word) time.Time) ([][]conversation.Message, error) {
	var stretches []conversation.Exchange
	var at []int
	for i, w := range words {
		if needs(w) {
			stretches, at = append(stretches, around(w, until(w))), append(at, i)
		}
	}
	found, err := conversation.Exchanges(ctx, tx, municipality, stretches)
	out := make([][]conversation.Message, len(words))
	for i, thread := range found {
		out[at[i]] = thread
	}
	return out, err
}
