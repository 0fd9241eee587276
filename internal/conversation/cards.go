// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// checkCards wants what WhatsApp wants of contact cards, and makes their names the message's text, by which it is found.
func (o *Outgoing) checkCards() error {
	if len(o.Contacts) == 0 || len(o.Contacts) > whatsapp.MaxCards {
		return ErrCards
	}
	names := make([]string, len(o.Contacts))
	for i, c := range o.Contacts {
		names[i] = strings.TrimSpace(db.Text(c.Name.Formatted))
		if !visible(names[i]) || !visible(c.Name.First+c.Name.Last) {
			return ErrCards
		}
	}
	o.Text = strings.Join(names, ", ")
	return nil
}

// setCards keeps contact cards as WhatsApp writes them.
func (m *Message) setCards(cards []whatsapp.ContactCard) error {
	raw, err := json.Marshal(cards)
	if err != nil {
		return fmt.Errorf("write contact cards: %w", err)
	}
	if bytes.Contains(raw, []byte(`\u0000`)) { // PostgreSQL keeps none
		return ErrCards
	}
	m.Detail.Contacts = raw
	return nil
}

// Cards are the contact cards of a message.
func (m Message) Cards() (cards []whatsapp.ContactCard, err error) {
	if len(m.Detail.Contacts) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(m.Detail.Contacts, &cards); err != nil {
		return nil, fmt.Errorf("read the contact cards of message %d: %w", m.ID, err)
	}
	return cards, nil
}
