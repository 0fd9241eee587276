// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
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

// quote gives consents by an option of ours the text that the citizen had before them.
func quote(ctx context.Context, tx *db.Tx, municipality int64, turns []*turn) error {
	var ids []string
	for _, t := range turns {
		for _, id := range t.quotes {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	texts, err := conversation.ByExternalID(ctx, tx, municipality, ids)
	for _, t := range turns {
		for i, id := range t.quotes {
			if m, ok := texts[id]; ok {
				t.consents[i].Wording = m.Text
			}
		}
	}
	return err
}

// recall gives consents by a SÌ the privacy notice that was in force when it was asked for: another one may be now.
func recall(ctx context.Context, tx *db.Tx, municipality int64, turns []*turn) error {
	var asked []contact.Asked
	var of []*turn
	var at []int
	for _, t := range turns {
		for _, i := range slices.Sorted(maps.Keys(t.asked)) {
			asked = append(asked, contact.Asked{ContactID: t.s.contact, ExternalID: t.asked[i], Topic: t.consents[i].Topic})
			of, at = append(of, t), append(at, i)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	shown, err := contact.PoliciesShown(ctx, tx, municipality, asked)
	for n, p := range shown {
		if p != (contact.Policy{}) {
			c := &of[n].consents[at[n]]
			c.PolicyVersion, c.PolicyHash = p.Version, p.Hash()
			of[n].notices[c.PolicyHash] = p
		}
	}
	return err
}

// turn is what one citizen says at once.
type turn struct {
	page      string // where the citizen sees their lists and the privacy notice, "" where the outside doesn't reach us
	m         *municipality.Municipality
	s         *standing
	thread    []conversation.Message // around the word in hand
	said      []said
	consents  []contact.Consent
	quotes    map[int]string            // external id of the message that a consent's option was picked from
	asked     map[int]string            // external id of the message after which a consent had been asked for
	notices   map[string]contact.Policy // by hash, where they are not today's
	before    map[string]SubscriptionState
	last      word     // of the turn, what is answered
	newest    bool     // it is the last that the citizen said, as far as is known: older ones get no answer
	left      []string // topics that the last word took away
	mostNames int      // how long the names of lists may be in a text
}

func newTurn(m *municipality.Municipality, s *standing) *turn {
	t := &turn{m: m, s: s, mostNames: namesLengths[0], before: make(map[string]SubscriptionState), quotes: make(map[int]string),
		asked: make(map[int]string), notices: make(map[string]contact.Policy)}
	for topic := range s.topics {
		t.before[topic] = s.state(topic)
	}
	return t
}

func (t *turn) apply(w word) {
	late := w.before(t.s.last)
	if t.s.note(w.order) {
		t.last, t.newest, t.left = w, true, nil
	}
	switch {
	case w.moved:
		for _, topic := range t.s.move(w.order) {
			t.prove(w, contact.ConsentSuspended, topic)
		}
		t.confirm()
	case w.Verb == Join:
		t.join(w)
	case w.Verb == Leave:
		t.leave(w)
	case w.Verb == Yes:
		t.confirm()
	case w.Verb == No:
		t.decline(w)
	}
	if late {
		t.confirm()
	}
}

func (t *turn) join(w word) {
	topics := w.wanted(t.m.File, t.s)
	if len(topics)+len(w.Unknown) == 0 && !w.picked { // who only changed their number need not choose again
		topics = t.s.in(Suspended)
	}
	asks := w.asks(t.m.File, t.s)
	for _, topic := range topics {
		if asks && t.s.state(topic) != Suspended {
			continue
		}
		if t.s.join(topic, w.message.Number, w.order) {
			t.prove(w, contact.ConsentGiven, topic)
		}
	}
	if asks {
		for _, topic := range asked(t.m.File, t.s, w).topics {
			t.prove(w, contact.ConsentAsked, topic)
		}
		t.confirm()
	}
}

// waiting are the topics that wait for a SÌ now: what was asked before and is not answered yet is among them, because
// a SÌ answers all of it.
func (t *turn) waiting() []string {
	now := t.last
	now.place, now.of = math.MaxInt, 0
	var out []string
	for _, q := range open(t.m.File, t.s, t.said, now) {
		for _, topic := range q.topics {
			if !slices.Contains(out, topic) {
				out = append(out, topic)
			}
		}
	}
	return out
}

// confirm joins what the citizen was asked for and said SÌ to, each by the time of the word that asked: leaving
// between the two wins, in whatever order they are processed.
func (t *turn) confirm() {
	for _, e := range slices.Backward(t.said) {
		q := asked(t.m.File, t.s, e.word)
		if len(q.topics) == 0 || e.moved && !e.asked {
			continue
		}
		yes := answerTo(t.said, q.order)
		if yes == nil {
			continue
		}
		for _, topic := range q.topics {
			if t.s.join(topic, q.message.Number, q.order) {
				t.prove(*yes, contact.ConsentGiven, topic)
				t.consents[len(t.consents)-1].Wording = t.question(q)
				t.asked[len(t.consents)-1] = q.source
			}
		}
	}
}

// question is what the citizen was shown of q: the answer to it, or a later one that asked again.
func (t *turn) question(q question) string {
	shown := ""
	for _, m := range t.thread {
		if o := m.Detail.Options; m.Direction == conversation.Out && o != nil && strings.HasPrefix(o.Choices[0].ID, yesID) {
			shown = m.Text
		}
		if m.ClientKey == conversation.AnswerKey(q.message.ExternalID) {
			return m.Text
		}
	}
	return shown
}

func (t *turn) decline(w word) {
	for _, q := range open(t.m.File, t.s, t.said, w) {
		for _, topic := range q.topics {
			t.prove(w, contact.ConsentDeclined, topic)
			t.consents[len(t.consents)-1].Wording = t.question(q)
		}
	}
}

func (t *turn) leave(w word) {
	var gone []string
	if len(w.Topics)+len(w.Unknown) == 0 {
		gone = t.s.leaveAll(w.order)
	}
	for _, topic := range w.Topics {
		if t.s.leave(topic, w.order) {
			gone = append(gone, topic)
		}
	}
	for _, topic := range gone {
		t.prove(w, contact.ConsentWithdrawn, topic)
	}
	t.left = gone
}

// prove notes what w did.
func (t *turn) prove(w word, event contact.ConsentEvent, topic string) {
	wording := ""
	if w.typed {
		wording = choice(t.said, w.order)
	} else if w.picked && w.message.ReplyTo != "" {
		t.quotes[len(t.consents)] = w.message.ReplyTo
	}
	t.consents = append(t.consents, contact.Consent{ContactID: t.s.contact, Topic: topic, Event: event, At: w.at, Channel: "whatsapp",
		Number: w.message.Number, MessageID: w.message.ID, ExternalID: w.message.ExternalID, Words: w.message.Text, Wording: wording,
		Actor: contact.ConsentActor{Kind: string(staff.CitizenKind), ID: t.s.contact}})
}

// shown completes the proof with what the citizen reads: the answer, where they had not been shown anything before.
func (t *turn) shown(answer string) []contact.Consent {
	if answer == "" { // nobody was asked
		t.consents = slices.DeleteFunc(t.consents, func(c contact.Consent) bool { return c.Event == contact.ConsentAsked })
	}
	for i := range t.consents {
		if c := &t.consents[i]; c.Wording == "" && (c.Event == contact.ConsentGiven || c.Event == contact.ConsentAsked) {
			c.Wording = answer
		}
	}
	return withNotice(t.consents, func(c contact.Consent) bool {
		p, ok := t.notices[c.PolicyHash]
		if !ok {
			p = policyOf(t.m.File)
		}
		return t.noticed(p, c.Wording)
	})
}

// joined are the topics that began to reach the citizen by this turn.
func (t *turn) joined() []string {
	var out []string
	for _, topic := range t.s.in(On) {
		if t.before[topic] != On {
			out = append(out, topic)
		}
	}
	return out
}
