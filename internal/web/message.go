// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"slices"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// messages are the thread as the page draws it: reactions under what they react to, events in between.
func (s *Server) messages(ctx context.Context, tx *db.Tx, v *visit, c conversation.Conversation, found conversation.Thread) ([]page.Message, error) {
	quoted, err := quotedBy(ctx, tx, v, found.Messages)
	if err != nil {
		return nil, err
	}
	files, err := s.filesOf(ctx, tx, v, found.Messages)
	if err != nil {
		return nil, err
	}
	history, err := revisionsOf(ctx, tx, v, found.Messages)
	if err != nil {
		return nil, err
	}
	var out []page.Message
	reactions := map[string]map[string]page.Reaction{}
	for _, m := range found.Messages {
		if m.Type == conversation.TypeReaction {
			react(reactions, v, c, m)
			continue
		}
		if m.Type == conversation.TypeSystem {
			out = append(out, systemEvent(v, m))
			continue
		}
		shown := messageOf(v, c, m, quoted, files)
		revise(&shown, m, history[m.ExternalID])
		out = append(out, shown)
	}
	for i, m := range out {
		for _, reaction := range reactions[m.External] {
			out[i].Reactions = append(out[i].Reactions, reaction)
		}
		slices.SortFunc(out[i].Reactions, func(a, b page.Reaction) int { return cmp.Compare(a.Who, b.Who) })
	}
	for _, e := range found.Events {
		if text := eventText(v, e); text != "" {
			out = append(out, page.Message{ID: "e" + db.FormatID(e.ID), Side: page.Event, At: e.At, Text: text})
		}
	}
	slices.SortStableFunc(out, before)
	return out, nil
}

// react keeps the last reaction of each side; an empty one takes it away.
func react(reactions map[string]map[string]page.Reaction, v *visit, c conversation.Conversation, m conversation.Message) {
	if m.Detail.Reaction == nil || m.Status == conversation.Failed || m.Status == conversation.Cancelled {
		return
	}
	target := m.Detail.Reaction.ExternalID
	if reactions[target] == nil {
		reactions[target] = map[string]page.Reaction{}
	}
	side, who := string(m.Direction), nameOf(c.Contact)
	if m.Direction == conversation.Out {
		who = v.municipality.Name
	}
	if m.Detail.Reaction.Emoji == "" {
		delete(reactions[target], side)
		return
	}
	reactions[target][side] = page.Reaction{Emoji: m.Detail.Reaction.Emoji, Who: who}
}

func messageOf(v *visit, c conversation.Conversation, m conversation.Message, quoted map[string]conversation.Message, files map[int64]*page.Media) page.Message {
	out := page.Message{
		ID:        db.FormatID(m.ID),
		External:  m.ExternalID,
		Side:      page.Side(m.Direction),
		Type:      typeOf(m.Type),
		Author:    m.Author.Name,
		Automatic: m.Direction == conversation.Out && m.Author.Kind == string(staff.SystemKind),
		At:        m.At,
		Notice:    m.BroadcastID != 0,
		Doubtful:  m.Detail.TimeGuess,
		Text:      m.Text,
		Forwarded: m.Detail.Forwarded && !m.Detail.Often,
		Media:     files[m.MediaID],
	}
	if l := m.Detail.Location; l != nil {
		out.Location, out.Text = spotOf(*l), ""
	}
	if m.Type == conversation.TypeContacts {
		out.Cards, out.Text = cardsOf(m.Detail.Contacts), ""
	}
	if choice := m.Detail.Choice; choice != nil {
		out.Title, out.Text = choice.Title, choice.Description
	}
	if t := m.Detail.Template; t != nil {
		addTemplate(&out, *t)
	}
	if o := m.Detail.Interactive; o != nil {
		out.Taps = offerOf(*o)
	}
	oddities(v, &out, m)
	if m.ReplyTo != "" {
		out.Quote = quoteOf(v, c, m, quoted)
	}
	if m.Direction == conversation.Out {
		tellStatus(v, &out, m)
	}
	return out
}

// addTemplate shows what stands around the text of a template.
func addTemplate(out *page.Message, t conversation.Template) {
	out.Title = t.Name
	if len(t.Buttons) > 0 {
		out.Taps = &page.Taps{Kind: page.TapTemplate}
		for _, label := range t.Buttons {
			out.Taps.Choices = append(out.Taps.Choices, page.Tap{Title: label})
		}
	}
	if t.Place != nil {
		out.Location = spotOf(*t.Place)
	}
}

func spotOf(l conversation.Location) *page.Spot {
	return &page.Spot{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address, URL: l.URL}
}

// tellStatus says how far a message of ours came, and what to do where it stopped.
func tellStatus(v *visit, out *page.Message, m conversation.Message) {
	out.Status = page.Status(m.Status.String())
	switch m.Status {
	case conversation.Failed:
		out.Reason = graphSentence(v.language, m.ErrorCode)
		out.Resend = m.BroadcastID == 0
	case conversation.Uncertain:
		out.Resend = m.BroadcastID == 0 && m.OfferResend(v.now) // a broadcast's page offers its own
	}
}

// typeOf is a type as the page knows it.
func typeOf(t string) page.Type {
	switch t {
	case conversation.TypeChoice:
		return page.ButtonReply
	case conversation.TypeReaction, conversation.TypeSystem:
		return page.Type(t)
	case "", conversation.TypeInteractive: // a text, and what may be picked under it
		return page.Text
	default:
		return page.Type(t)
	}
}
