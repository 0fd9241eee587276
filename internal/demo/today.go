// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// Today tells the last hours through the phones of the simulator at address, so that they show the same
// chats, and what operators did through the desk that runs meanwhile: publish wakes its sender. The
// simulator runs by the story's clock, which is the present again in the end.
func (s *Story) Today(ctx context.Context, address string, publish func(db.Notice)) error {
	var talks []talk
	for i := range s.desks {
		talks = append(talks, s.desks[i].planner.today()...)
	}
	events := s.add(talks)
	var attached []event
	for _, e := range events {
		if e.verb == out {
			attached = append(attached, e)
		}
	}
	if err := s.stock(ctx, attached); err != nil {
		return err
	}
	defer s.Clock.Release()
	phones := &phones{address: address, known: map[int]string{}}
	for _, e := range events {
		s.Clock.Set(e.at)
		if err := s.live(ctx, phones, publish, e); err != nil {
			return fmt.Errorf("%s, %s: %w", e.verb, s.desks[s.talks[e.talk].town].Slug, err)
		}
	}
	if err := s.joinByPhone(ctx, phones); err != nil {
		return err
	}
	return s.arrived(ctx)
}

// joinByPhone lets a citizen of each town with lists write its word from a phone that everybody can look at.
func (s *Story) joinByPhone(ctx context.Context, p *phones) error {
	for i := range s.desks {
		k := &s.desks[i]
		w, ok := listWords[k.Slug]
		if !ok {
			continue
		}
		s.talks, s.marks = append(s.talks, talk{town: i, citizen: k.planner.crowd.nextWithPhone()}), append(s.marks, mark{})
		n := len(s.talks) - 1
		s.Clock.Set(s.Now.Add(-time.Minute))
		id, err := p.write(ctx, n, s.talks[n].citizen, k.number(), map[string]any{"text": w.join[0]})
		if err != nil {
			return err
		}
		s.marks[n].lastIn.ExternalID = id
	}
	return nil
}

// live lets an event happen.
func (s *Story) live(ctx context.Context, p *phones, publish func(db.Notice), e event) error {
	t, m := s.talks[e.talk], &s.marks[e.talk]
	k := &s.desks[t.town]
	if e.verb == in || e.verb == react {
		message, err := s.written(e, m)
		if err != nil {
			return err
		}
		id, err := p.write(ctx, e.talk, t.citizen, k.number(), message)
		if e.verb == in {
			m.lastIn.ExternalID = id
		}
		return err
	}
	if err := s.seen(ctx, k, m); err != nil {
		return err
	}
	var sent conversation.Message
	next := *m
	err := s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		next = *m
		sent, err = s.act(ctx, tx, e, &next)
		return err
	})
	if err != nil {
		return err
	}
	*m = next
	publish(db.Notice{Topic: db.Conversation, Municipality: k.m.ID, ID: m.conversation})
	if sent.ID == 0 {
		return nil
	}
	publish(db.Notice{Topic: db.Outbox, Municipality: k.m.ID, Key: k.number(), ID: int64(sent.Lane)})
	return s.accepted(ctx, k, m, sent.ID)
}

// written is what the citizen writes, as the simulator takes it.
func (s *Story) written(e event, m *mark) (map[string]any, error) {
	type object = map[string]any
	switch {
	case e.verb == react:
		return object{"reaction": object{"message_id": m.lastOut.ExternalID, "emoji": e.text}}, nil
	case e.file == "":
		return object{"text": e.text}, nil
	case e.file == "place":
		at := s.near(e)
		return object{"location": object{"latitude": at.Latitude, "longitude": at.Longitude, "address": at.Address}}, nil
	case e.file == "contact":
		return object{"contacts": card()}, nil
	case !e.hasFile():
		return object{e.file: true}, nil // a sample of the simulator's own
	}
	c, err := s.files.content(keyOf(e))
	kind := map[string]string{conversation.TypeImage: "image", conversation.TypeVoice: "voice", conversation.TypeDocument: "document"}[messageType(e.file)]
	return object{kind: object{"data": c.data, "mime": c.mime, "filename": c.name, "caption": e.text}}, err
}

// seen waits until the citizen's last message is on the desk.
func (s *Story) seen(ctx context.Context, k *desk, m *mark) error {
	return s.until(ctx, "a message reaches the desk", func(ctx context.Context, tx *db.Tx) (bool, error) {
		found, err := conversation.ByExternalID(ctx, tx, k.m.ID, []string{m.lastIn.ExternalID})
		last, ok := found[m.lastIn.ExternalID]
		if ok {
			m.contact, m.conversation, m.lastIn = last.ContactID, last.ConversationID, last
		}
		return ok, err
	})
}

// accepted waits until an answer is on its way, so that the phone shows it at its time.
func (s *Story) accepted(ctx context.Context, k *desk, m *mark, id int64) error {
	return s.until(ctx, "an answer is sent", func(ctx context.Context, tx *db.Tx) (bool, error) {
		sent, err := conversation.GetMessage(ctx, tx, k.m.ID, id)
		if sent.ID == m.lastOut.ID {
			m.lastOut = sent
		}
		return sent.ExternalID != "", err
	})
}

// arrived waits until all that citizens wrote today is on the desk.
func (s *Story) arrived(ctx context.Context) error {
	for i := range s.talks {
		if m := &s.marks[i]; m.lastIn.ExternalID != "" && m.lastIn.ID == 0 {
			if err := s.seen(ctx, &s.desks[s.talks[i].town], m); err != nil {
				return err
			}
		}
	}
	return nil
}

// patience is how long the desk may take for one message; a machine that is busy takes seconds.
const patience = 30 * time.Second

var errLate = errors.New("the desk takes too long")

// until looks again and again whether something has happened.
func (s *Story) until(ctx context.Context, what string, happened func(context.Context, *db.Tx) (bool, error)) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	look := time.NewTicker(3 * time.Millisecond)
	defer look.Stop()
	for {
		done := false
		err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			done, err = happened(ctx, tx)
			return err
		})
		if err != nil || done {
			return err
		}
		select {
		case <-look.C:
		case <-late.C:
			return fmt.Errorf("wait until %s: %w", what, errLate)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
