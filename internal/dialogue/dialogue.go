// SPDX-License-Identifier: AGPL-3.0-or-later

// Package dialogue is the one place that decides whether the desk answers a citizen by itself, and what.
//
// Services recognise what they can handle and propose answers; here is decided which of them go out: at most
// one for each citizen and turn, and under automation none only those to the citizen's own keyword.
package dialogue

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Service handles by itself some of what citizens write.
type Service interface {
	// Recognise tells which of messages, which are in the order of words, the service handles. It changes nothing.
	Recognise(ctx context.Context, tx *db.Tx, m *municipality.Municipality, messages []conversation.Message) ([]bool, error)
	// Handle does what messages ask, each of which it has recognised and is stored now, and proposes answers.
	Handle(ctx context.Context, tx *db.Tx, m *municipality.Municipality, messages []conversation.Message) ([]Answer, error)
}

// Answer is what a service proposes to say.
type Answer struct {
	conversation.OwnAnswer
	Keyword bool // answers the citizen's own keyword: it goes out even where nothing is automatic (invariant 7)
}

// Dialogue puts the services to work.
type Dialogue struct{ services []Service }

// New makes a dialogue of services. A message goes to the first that recognises it.
func New(services ...Service) *Dialogue { return &Dialogue{services: services} }

// Turn is what citizens said at once, and which service takes each of it.
type Turn struct {
	m        *municipality.Municipality
	messages []conversation.Message
	services []Service // by message, nil where a person is to answer
}

// Listen finds out what of messages, which are in the order of words, the desk handles by itself, and puts it into the
// automatic lane: no conversation is opened by that, and nobody waits for a reply to it.
func (d *Dialogue) Listen(ctx context.Context, tx *db.Tx, m *municipality.Municipality, messages []conversation.Message) (*Turn, error) {
	t := &Turn{m: m, messages: messages, services: make([]Service, len(messages))}
	for _, s := range d.services {
		recognised, err := s.Recognise(ctx, tx, m, messages)
		if err != nil {
			return nil, err
		}
		for i, yes := range recognised {
			if yes && t.services[i] == nil {
				t.services[i], messages[i].Lane = s, conversation.Automatic
			}
		}
	}
	return t, nil
}

// Answer has handled what was recognised and is new, and queues the answers.
func (t *Turn) Answer(ctx context.Context, tx *db.Tx, receipts []conversation.Receipt) error {
	var proposed []Answer
	for _, s := range t.distinct() {
		var mine []conversation.Message
		for i, m := range t.messages {
			if t.services[i] == s && receipts[i].Stored {
				m.ConversationID = receipts[i].Conversation
				mine = append(mine, m)
			}
		}
		if len(mine) == 0 {
			continue
		}
		answers, err := s.Handle(ctx, tx, t.m, mine)
		if err != nil {
			return err
		}
		proposed = append(proposed, answers...)
	}
	return conversation.Answer(ctx, tx, t.m.ID, t.choose(proposed))
}

func (t *Turn) distinct() []Service {
	var out []Service
	seen := make(map[Service]bool)
	for _, s := range t.services {
		if s != nil && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// choose keeps of the proposed answers those that may go out: of one citizen's the last, on numbers in use.
func (t *Turn) choose(proposed []Answer) []conversation.OwnAnswer {
	last := make(map[int64]int)
	var out []conversation.OwnAnswer
	for _, a := range proposed {
		if !t.inUse(a.To.Number) || !a.Keyword && t.m.File.Automation == municipality.AutomationNone {
			continue
		}
		if at, ok := last[a.To.ContactID]; ok {
			out[at] = a.OwnAnswer
			continue
		}
		last[a.To.ContactID] = len(out)
		out = append(out, a.OwnAnswer)
	}
	return out
}

func (t *Turn) inUse(number string) bool {
	for _, n := range t.m.Numbers {
		if n.PhoneNumberID == number {
			return true
		}
	}
	return false
}
