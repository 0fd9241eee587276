// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
)

// Keywords handles the words by which citizens join and leave lists: a service of the dialogue.
type Keywords struct {
	key       *secret.Key
	publicURL string
	mu        sync.Mutex
	grammars  map[int64]grammarOf
}

// grammarOf is the grammar of a file, made once.
type grammarOf struct {
	file    *municipality.File
	grammar *Grammar
}

// NewKeywords makes the service. Links to the citizens' page are sealed with key and begin with publicURL; none are
// sent where that is empty.
func NewKeywords(key *secret.Key, publicURL string) *Keywords {
	return &Keywords{key: key, publicURL: publicURL, grammars: make(map[int64]grammarOf)}
}

func (k *Keywords) grammar(m *municipality.Municipality) *Grammar {
	k.mu.Lock()
	defer k.mu.Unlock()
	if have := k.grammars[m.ID]; have.file == m.File {
		return have.grammar
	}
	g := NewGrammar(m.File)
	k.grammars[m.ID] = grammarOf{m.File, g}
	return g
}

// Recognise tells which messages are words about lists. A SÌ is one only after a question, and a word that may mean
// anything, such as BASTA, only from somebody who is on a list.
func (k *Keywords) Recognise(ctx context.Context, tx *db.Tx, m *municipality.Municipality, messages []conversation.Message) ([]bool, error) {
	out := make([]bool, len(messages))
	if len(m.File.Lists)+len(m.File.Districts) == 0 {
		return out, nil
	}
	var words []word
	var at []int
	doubtful := make(map[int64]bool)
	g := k.grammar(m)
	for i, message := range messages {
		w, ok := hear(m.File, g, message)
		if !ok {
			continue
		}
		words, at = append(words, w), append(at, i)
		out[i] = !w.unsure()
		if w.unsure() {
			doubtful[message.ContactID] = true
		}
	}
	if len(doubtful) == 0 {
		return out, nil
	}
	words, at = ofContacts(words, at, doubtful)
	meant, err := k.doubts(ctx, tx, m, words)
	for i, yes := range meant {
		out[at[i]] = yes
	}
	return out, err
}

func ofContacts(words []word, at []int, contacts map[int64]bool) ([]word, []int) {
	var of []word
	var places []int
	for i, w := range words {
		if contacts[w.message.ContactID] {
			of, places = append(of, w), append(places, at[i])
		}
	}
	return of, places
}

// doubts tells which words mean something to the desk, given what their citizens said before.
func (k *Keywords) doubts(ctx context.Context, tx *db.Tx, m *municipality.Municipality, words []word) ([]bool, error) {
	var contacts []int64
	for _, w := range words {
		contacts = append(contacts, w.message.ContactID)
	}
	all, err := standings(ctx, tx, m.ID, contacts, false)
	if err != nil {
		return nil, err
	}
	found, err := threads(ctx, tx, m.ID, words, func(w word) bool { return w.unsure() && all[w.message.ContactID].lately(w) },
		func(w word) time.Time { return w.at })
	if err != nil {
		return nil, err
	}
	g := k.grammar(m)
	meant := make([]bool, len(words))
	now := make(map[int64][]conversation.Message) // what this set itself says
	for i, w := range words {
		s, id := all[w.message.ContactID], w.message.ContactID
		meant[i] = !w.unsure()
		if w.unsure() {
			onNumber := slices.DeleteFunc(slices.Clone(now[id]), func(m conversation.Message) bool { return m.Number != w.message.Number })
			said := listen(m.File, g, append(found[i], onNumber...))
			if w.typed {
				meant[i] = choice(said, w.order) != ""
			} else {
				meant[i] = len(open(m.File, s, said, w)) > 0 || w.Soft && len(s.in(On, Suspended)) > 0
			}
		}
		if meant[i] {
			said := w.message
			said.Lane = conversation.Automatic
			now[id] = append(now[id], said)
			s.rehearse(m.File, w)
		}
	}
	return meant, nil
}

// lately tells whether the desk may have asked the citizen something before w.
func (s *standing) lately(w word) bool {
	return !s.last.at.Before(w.at.Add(-confirmWithin)) || !s.moved.at.Before(w.at.Add(-confirmWithin))
}

// rehearse does to a standing that is not saved what w will do.
func (s *standing) rehearse(f *municipality.File, w word) {
	switch {
	case w.moved:
		s.move(w.order)
	case w.Verb == Leave && len(w.Topics)+len(w.Unknown) == 0:
		s.leaveAll(w.order)
	case w.Verb == Leave:
		for _, topic := range w.Topics {
			s.leave(topic, w.order)
		}
	case w.Verb == Join && !w.asks(f, s):
		for _, topic := range w.wanted(f, s) {
			s.join(topic, w.message.Number, w.order)
		}
	}
}

// Handle applies words and proposes one answer to each citizen. Words of the same citizen are applied one after
// another, whichever instance has them.
func (k *Keywords) Handle(ctx context.Context, tx *db.Tx, m *municipality.Municipality, messages []conversation.Message) ([]dialogue.Answer, error) {
	g := k.grammar(m)
	words := make([]word, len(messages))
	contacts := make([]int64, len(messages))
	for i, message := range messages {
		words[i], _ = hear(m.File, g, message)
		contacts[i] = message.ContactID
	}
	all, err := standings(ctx, tx, m.ID, contacts, true)
	if err != nil {
		return nil, err
	}
	found, err := threads(ctx, tx, m.ID, words, func(w word) bool { return w.needsThread(m.File, all[w.message.ContactID]) },
		func(w word) time.Time { return all[w.message.ContactID].last.at })
	if err != nil {
		return nil, err
	}
	turns := make(map[int64]*turn)
	var ordered []*turn
	for i, w := range words {
		t := turns[w.message.ContactID]
		if t == nil {
			t = newTurn(m, all[w.message.ContactID])
			t.page = k.page(t, tx.Now())
			turns[w.message.ContactID], ordered = t, append(ordered, t)
		}
		t.thread, t.said = found[i], listen(m.File, g, found[i])
		t.apply(w)
	}
	if err := quote(ctx, tx, m.ID, ordered); err != nil {
		return nil, err
	}
	if err := recall(ctx, tx, m.ID, ordered); err != nil {
		return nil, err
	}
	var answers []dialogue.Answer
	var consents []contact.Consent
	for _, t := range ordered {
		a := k.answer(tx, t)
		if a.Text != "" {
			answers = append(answers, a)
		}
		consents = append(consents, t.shown(a.Text)...)
	}
	if err := settle(ctx, tx, m, all, "whatsapp"); err != nil {
		return nil, err
	}
	return answers, prove(ctx, tx, m, policyOf(m.File), consents)
}

// needsThread tells whether what was said around w decides what it does.
func (w word) needsThread(f *municipality.File, s *standing) bool {
	return w.Verb == Yes || w.Verb == No || w.moved || w.typed || f.Subscription.Confirm == "double" && (w.Verb == Join || w.Verb == Status || w.before(s.last))
}
