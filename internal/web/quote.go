// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// quotedBy finds the messages that others answer to, most of which are in the same thread.
func quotedBy(ctx context.Context, tx *db.Tx, v *visit, messages []conversation.Message) (map[string]conversation.Message, error) {
	here := map[string]conversation.Message{}
	for _, m := range messages {
		if m.ExternalID != "" {
			here[m.ExternalID] = m
		}
	}
	var elsewhere []string
	for _, m := range messages {
		if _, ok := here[m.ReplyTo]; !ok && m.ReplyTo != "" {
			elsewhere = append(elsewhere, m.ReplyTo)
		}
	}
	if len(elsewhere) == 0 {
		return here, nil
	}
	more, err := conversation.ByExternalID(ctx, tx, v.municipality.ID, elsewhere)
	for external, m := range more {
		here[external] = m
	}
	return here, err
}

func quoteOf(v *visit, c conversation.Conversation, m conversation.Message, quoted map[string]conversation.Message) *page.Quote {
	q, ok := quoted[m.ReplyTo]
	if !ok || q.ContactID != m.ContactID {
		return &page.Quote{}
	}
	quote := &page.Quote{ID: db.FormatID(q.ID), Author: q.Author.Name, Text: shortened(q.Text, lettersInList), Type: typeOf(q.Type)}
	if q.RevokedAt != nil {
		quote.Text, quote.Type = "", conversation.TypeRevoked
	}
	switch {
	case q.Direction == conversation.In:
		quote.Author = nameOf(c.Contact)
	case quote.Author == "":
		quote.Author = v.municipality.Name
	}
	return quote
}

// draftQuote is the message that a draft answers to.
func draftQuote(ctx context.Context, tx *db.Tx, v *visit, c conversation.Conversation, d conversation.Draft) (*page.Quote, error) {
	m, err := conversation.GetMessage(ctx, tx, v.municipality.ID, d.ReplyTo)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answer := conversation.Message{ContactID: c.ContactID, ReplyTo: m.ExternalID}
	return quoteOf(v, c, answer, map[string]conversation.Message{m.ExternalID: m}), nil
}
