// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// Past tells the last month, a transaction a day but for what broadcasts take: nobody else writes meanwhile.
func (s *Story) Past(ctx context.Context) error {
	var talks []talk
	var said []saying
	for i := range s.desks {
		talks = append(talks, s.desks[i].planner.past()...)
		said = append(said, s.desks[i].planner.sayings()...)
	}
	events := s.add(talks)
	if err := s.stock(ctx, events); err != nil {
		return err
	}
	slices.SortStableFunc(said, func(a, b saying) int { return a.at.Compare(b.at) })
	if err := s.takeOver(ctx); err != nil {
		return fmt.Errorf("take over those who had consented on paper: %w", err)
	}
	dates := s.dates()
	for day := s.Now.AddDate(0, 0, -pastDays).UTC().Truncate(24 * time.Hour); day.Before(s.Now); day = day.AddDate(0, 0, 1) {
		tomorrow := day.AddDate(0, 0, 1)
		today := until(&dates, tomorrow, func(c dated) time.Time { return c.at })
		for _, c := range today {
			if err := s.tellUntil(ctx, &events, &said, c.at); err != nil {
				return fmt.Errorf("tell %s: %w", day.Format(time.DateOnly), err)
			}
			if err := s.cast(ctx, c); err != nil {
				return fmt.Errorf("broadcast %s in %s: %w", c.cast, c.Slug, err)
			}
		}
		if err := s.tellUntil(ctx, &events, &said, tomorrow); err != nil {
			return fmt.Errorf("tell %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// tellUntil tells what comes before a time.
func (s *Story) tellUntil(ctx context.Context, events *[]event, said *[]saying, at time.Time) error {
	if err := s.hear(ctx, until(said, at, func(w saying) time.Time { return w.at })); err != nil {
		return err
	}
	return s.tellDay(ctx, until(events, at, func(e event) time.Time { return e.at }))
}

// until takes from a list in order of time what comes before a time.
func until[T any](list *[]T, at time.Time, when func(T) time.Time) []T {
	n := slices.IndexFunc(*list, func(one T) bool { return !when(one).Before(at) })
	if n < 0 {
		n = len(*list)
	}
	head := (*list)[:n]
	*list = (*list)[n:]
	return head
}

// tellDay begins from the same marks however often the transaction runs.
func (s *Story) tellDay(ctx context.Context, events []event) error {
	if len(events) == 0 {
		return nil
	}
	var marks []mark
	err := s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		marks = slices.Clone(s.marks)
		post := &post{letters: map[int][]letter{}}
		for _, e := range events {
			s.Clock.Set(e.at)
			tx.Tick()
			if err := s.tell(ctx, tx, e, &marks[e.talk], post); err != nil {
				return fmt.Errorf("%s, %s: %w", e.verb, s.desks[s.talks[e.talk].town].Slug, err)
			}
		}
		return s.deliver(ctx, tx, post)
	})
	s.marks = marks
	return err
}

func (s *Story) tell(ctx context.Context, tx *db.Tx, e event, m *mark, p *post) error {
	if e.verb == in || e.verb == react {
		return s.receive(ctx, tx, e, m)
	}
	sent, err := s.act(ctx, tx, e, m)
	if err != nil || sent.ID == 0 {
		return err
	}
	p.add(s.talks[e.talk].town, letter{Message: sent, event: e, external: s.wamid(e, m)})
	m.lastOut.ExternalID = s.wamid(e, m)
	return nil
}

// wamid is an id like WhatsApp's, for a message that never went through it.
func (s *Story) wamid(e event, m *mark) string {
	return fmt.Sprintf("wamid.DEMO%06d%04d", e.talk, m.serial)
}

// receive stores what the citizen wrote.
func (s *Story) receive(ctx context.Context, tx *db.Tx, e event, m *mark) error {
	t := s.talks[e.talk]
	k := &s.desks[t.town]
	c := t.citizen
	if m.contact == 0 {
		ids, _, err := contact.Resolve(ctx, tx, k.m.ID, []contact.Person{{Phone: c.phone, UserID: c.userID, Name: c.profile, Username: c.username, At: e.at}})
		if err != nil {
			return err
		}
		m.contact = ids[0]
	}
	m.serial++
	message := conversation.Message{ID: tx.NewID(), ContactID: m.contact, Number: k.number(), Type: conversation.TypeText, Text: e.text,
		ExternalID: s.wamid(e, m), At: e.at.UTC().Truncate(time.Second)}
	if err := s.content(ctx, tx, k, e, m, &message); err != nil {
		return err
	}
	receipts, err := conversation.Receive(ctx, tx, k.m.ID, []conversation.Message{message})
	if err != nil {
		return err
	}
	if message.Type != conversation.TypeReaction {
		m.conversation, m.lastIn = receipts[0].Conversation, message
	}
	return nil
}

// content gives a citizen's message what it holds besides words.
func (s *Story) content(ctx context.Context, tx *db.Tx, k *desk, e event, m *mark, message *conversation.Message) (err error) {
	switch {
	case e.verb == react:
		message.Type = conversation.TypeReaction
		message.Detail.Reaction = &conversation.Reaction{ExternalID: m.lastOut.ExternalID, Emoji: e.text}
	case e.file == "place":
		at := s.near(e)
		message.Type, message.Detail.Location = conversation.TypeLocation, &at
	case e.file == "contact":
		message.Type, message.Detail.Contacts = conversation.TypeContacts, card()
	case e.file == "sticker":
		message.Type, message.Text = conversation.TypeText, "🤗"
	case e.file != "":
		message.Type = messageType(e.file)
		message.MediaID, err = s.attach(ctx, tx, k, e)
	}
	return err
}

// letter is an answer of the office on its way.
type letter struct {
	conversation.Message
	event    event
	external string
}

// post is what the office sends in a day, by town.
type post struct{ letters map[int][]letter }

func (p *post) add(town int, l letter) { p.letters[town] = append(p.letters[town], l) }

// deliver settles the answers of a day, as the sender and Meta's webhooks would have.
func (s *Story) deliver(ctx context.Context, tx *db.Tx, p *post) error {
	for town := range s.desks {
		letters := p.letters[town]
		if len(letters) == 0 {
			continue
		}
		if err := s.settle(ctx, tx, &s.desks[town], letters); err != nil {
			return fmt.Errorf("deliver the answers of %s: %w", s.desks[town].Slug, err)
		}
	}
	return nil
}

func (s *Story) settle(ctx context.Context, tx *db.Tx, k *desk, letters []letter) error {
	for { // one of a citizen at a time
		claimed, err := conversation.Claim(ctx, tx, k.m.ID, k.number(), conversation.Emergency, conversation.Broadcast, max(len(letters), hearAtOnce))
		if err != nil {
			return err
		}
		if len(claimed) == 0 {
			break
		}
		var outcomes []conversation.Outcome
		for _, one := range claimed {
			i := slices.IndexFunc(letters, func(l letter) bool { return l.ID == one.ID })
			if i < 0 { // the desk's own answer
				i, letters = len(letters), append(letters, letter{Message: one, external: "wamid.DEMOOWN" + db.FormatID(one.ID), event: event{read: one.ID/7%5 > 0}})
			}
			outcomes = append(outcomes, letters[i].outcome(one.Attempts))
		}
		if err := conversation.Settle(ctx, tx, k.m.ID, k.number(), outcomes); err != nil {
			return err
		}
	}
	for _, stage := range []conversation.Status{conversation.Delivered, conversation.Read} {
		if _, err := conversation.ApplyStatuses(ctx, tx, k.m.ID, reached(letters, stage)); err != nil {
			return err
		}
	}
	return nil
}

func (l letter) outcome(attempt int) conversation.Outcome {
	o := conversation.Outcome{MessageID: l.ID, ConversationID: l.ConversationID, Attempt: attempt, Written: true, Status: conversation.Accepted, ExternalID: l.external}
	if l.event.unsure {
		o.Status, o.ExternalID = conversation.Uncertain, ""
	}
	return o
}

// reached are the changes that bring letters to a stage: failed ones are told with the first.
func reached(letters []letter, stage conversation.Status) []conversation.Change {
	var changes []conversation.Change
	for _, l := range letters {
		c := conversation.Change{Number: l.Number, ExternalID: l.external, MessageID: l.ID, Status: stage, At: l.At.Add(2 * time.Second)}
		if stage == conversation.Read {
			c.At = l.At.Add(time.Duration(20+l.ID/7%160) * time.Second)
		}
		if l.event.code != 0 {
			c.Status, c.ErrorCode, c.ErrorDetail = conversation.Failed, l.event.code, "Message Undeliverable."
		}
		if l.event.unsure || stage == conversation.Read && !l.event.read {
			continue
		}
		changes = append(changes, c)
	}
	return changes
}
