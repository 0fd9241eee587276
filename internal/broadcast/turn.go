// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

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
		if o := m.Detail.Interactive; m.Direction == conversation.Out && o != nil && len(o.Choices) > 0 && strings.HasPrefix(o.Choices[0].ID, yesID) {
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
