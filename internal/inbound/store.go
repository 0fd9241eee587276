// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
)

// store writes what one municipality received.
func (p *Processor) store(ctx context.Context, tx *db.Tx, s *sorted) error {
	slices.SortStableFunc(s.messages, func(a, b received) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.place, b.place), cmp.Compare(a.ID, b.ID))
	})
	contacts, err := s.resolve(ctx, tx)
	if err != nil {
		return err
	}
	if err := p.storeMessages(ctx, tx, s, contacts[:len(s.messages)]); err != nil {
		return err
	}
	failed, err := conversation.ApplyStatuses(ctx, tx, s.m.ID, s.changes())
	if err != nil {
		return err
	}
	if err := broadcast.NoteFailures(ctx, tx, s.m, failed); err != nil {
		return err
	}
	if err := s.learn(ctx, tx); err != nil {
		return err
	}
	p.processed.WithLabelValues("status").Add(float64(len(s.statuses)))
	p.processed.WithLabelValues("other").Add(float64(len(s.tallies)))
	return conversation.AddTallies(ctx, tx, s.m.ID, s.tallies)
}

func (p *Processor) storeMessages(ctx context.Context, tx *db.Tx, s *sorted, contacts []int64) error {
	in := s.incoming(tx, contacts)
	turn, err := p.dialogue.Listen(ctx, tx, s.m, in.messages)
	if err != nil {
		return err
	}
	receipts, err := receive(ctx, tx, s.m.ID, in.messages)
	if err != nil {
		return err
	}
	if err := turn.Answer(ctx, tx, receipts); err != nil {
		return err
	}
	fresh := in.fresh(receipts)
	if err := conversation.Revise(ctx, tx, s.m.ID, in.revisions, fresh.arrived); err != nil {
		return err
	}
	p.processed.WithLabelValues("message").Add(float64(len(fresh.arrived)))
	p.processed.WithLabelValues("revision").Add(float64(len(in.revisions)))
	p.processed.WithLabelValues("duplicate").Add(float64(fresh.duplicates))
	s.notify(tx)
	return media.Expect(ctx, tx, s.m.ID, fresh.files)
}

// incoming is what citizens wrote, as a conversation keeps it.
type incoming struct {
	messages  []conversation.Message
	sources   []received // of messages, in their order
	revisions []conversation.Revision
}

// incoming tells what is said to the desk from what only changes an earlier message; a correction may be both.
func (s *sorted) incoming(tx *db.Tx, contacts []int64) (in incoming) {
	for i, m := range s.messages {
		heard := conversation.Message{}
		if kind, revises := revisionKinds[m.Kind]; revises {
			r := revision(m, kind, contacts[i])
			in.revisions = append(in.revisions, r)
			if r.SameText {
				continue
			}
			heard = correction(tx, m, r)
		} else {
			heard = message(tx, m, contacts[i])
		}
		in.messages = append(in.messages, heard)
		in.sources = append(in.sources, m)
	}
	return in
}

// fresh is what of the incoming had not been stored before.
type fresh struct {
	arrived    []string // external ids
	files      []media.Expected
	duplicates int // the others
}

func (in incoming) fresh(receipts []conversation.Receipt) (out fresh) {
	for i, m := range in.messages {
		if onlyRevises(m) {
			continue
		}
		if !receipts[i].Stored {
			out.duplicates++
			continue
		}
		out.arrived = append(out.arrived, m.ExternalID)
		if f := in.sources[i].Media; m.MediaID != 0 {
			out.files = append(out.files, media.Expected{MediaID: m.MediaID, MessageID: m.ID, ConversationID: receipts[i].Conversation, Number: m.Number,
				ExternalID: f.ID, URL: f.URL, MIME: f.MIME, Name: f.Filename, SHA256: f.SHA256, At: m.At})
		}
	}
	return out
}

// notify tells the outbox how many messages came to each number: they take their part of its rate.
func (s *sorted) notify(tx *db.Tx) {
	numbers := make(map[string]int64)
	for _, m := range s.messages {
		numbers[m.number]++
	}
	for number, n := range numbers {
		tx.Notify(db.Notice{Topic: db.Inbound, Municipality: s.m.ID, Key: number, ID: n})
	}
}

// receive stores what is a message, and reports for all of incoming.
func receive(ctx context.Context, tx *db.Tx, municipality int64, incoming []conversation.Message) ([]conversation.Receipt, error) {
	var messages []conversation.Message
	var at []int
	for i, m := range incoming {
		if onlyRevises(m) {
			continue
		}
		if m.Detail.Corrects {
			m.Type = conversation.TypeText // the file is the first message's
		}
		messages, at = append(messages, m), append(at, i)
	}
	receipts := make([]conversation.Receipt, len(incoming))
	received, err := conversation.Receive(ctx, tx, municipality, messages)
	for n, r := range received {
		receipts[at[n]] = r
	}
	return receipts, err
}

// onlyRevises tells of a correction that says nothing to the desk.
func onlyRevises(m conversation.Message) bool {
	return m.Detail.Corrects && m.Lane != conversation.Automatic
}

func (s *sorted) changes() []conversation.Change {
	out := make([]conversation.Change, 0, len(s.statuses))
	for _, u := range s.statuses {
		status, _ := conversation.StatusOf(strings.ToLower(u.Status))
		c := conversation.Change{Number: u.number, ExternalID: u.ID, Status: status, At: u.At}
		if id, ok := db.ParseID(u.CallbackData); ok {
			c.MessageID = id
		}
		if p := u.Pricing; p != nil {
			c.Pricing = conversation.PricingOf(clip(p.Category), clip(p.Type), p.Billable)
		}
		if len(u.Errors) > 0 {
			c.ErrorCode, c.ErrorDetail = u.Errors[0].Code, cmp.Or(u.Errors[0].Details, u.Errors[0].Title)
		}
		out = append(out, c)
	}
	return out
}
