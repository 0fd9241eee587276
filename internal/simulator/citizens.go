// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// citizen is somebody with WhatsApp on the phone, and the chats on it.
type citizen struct {
	mu    sync.Mutex
	state citizenState
	chats map[string]*chat // by phone number id of the business
}

type citizenState struct {
	Code     string   `json:"code"` // what all business-scoped ids of the citizen are made from
	Country  string   `json:"country"`
	Phone    string   `json:"phone,omitempty"` // digits; empty for somebody known by username only
	Name     string   `json:"name"`
	Username string   `json:"username,omitempty"`
	Previous []string `json:"previous,omitempty"` // earlier codes and phones
	Keys     int      `json:"keys,omitempty"`     // how often the phone's keys have changed

	Forgotten map[string]bool `json:"forgotten,omitempty"` // accounts whose contact book does not have the phone
	citizenTraits
}

// citizenTraits are the ways a citizen's phone may differ from the plain case.
type citizenTraits struct {
	BSUIDOnly        bool `json:"bsuid_only,omitempty"`        // businesses see the username and user id, not the phone
	NotOnWhatsApp    bool `json:"not_on_whatsapp,omitempty"`   // sends fail with 131026
	BlockedUs        bool `json:"blocked_us,omitempty"`        // sends stay "sent" for ever
	Offline          bool `json:"offline,omitempty"`           // sends stay "sent" until online again, and are dropped when their time to live ends
	ReceiptsOff      bool `json:"receipts_off,omitempty"`      // never "read"
	ChatOpen         bool `json:"chat_open,omitempty"`         // "read" at once, without "delivered"
	StoppedMarketing bool `json:"stopped_marketing,omitempty"` // marketing templates fail with 131050
	ReadsByHand      bool `json:"reads_by_hand,omitempty"`     // "read" only when the chat is opened
}

// chat is what one citizen and one number of a business have said.
type chat struct {
	LastIn    time.Time  `json:"last_in,omitzero"`    // opens the 24-hour window
	PairUntil time.Time  `json:"pair_until,omitzero"` // what the pair rate has already given away
	Addressed time.Time  `json:"addressed,omitzero"`  // when the two last used the phone: keeps it visible for 30 days
	Referred  time.Time  `json:"referred,omitzero"`   // when an advertisement led the citizen here, until that is answered
	FreeUntil time.Time  `json:"free_until,omitzero"` // of the free entry point
	Messages  []*message `json:"messages"`

	MarketingStopped bool `json:"marketing_stopped,omitempty"` // the citizen has told this business so
}

// maxChat bounds a chat: the oldest messages go first.
const maxChat = 2000

// byAddress finds a citizen by phone (with or without "+"), by any of their user ids or by username.
func (s *Server) byAddress(address string) (*citizen, bool) {
	address = strings.TrimSpace(address)
	if code, _, ok := codeOf(address); ok {
		return s.codes.get(code)
	}
	if strings.HasPrefix(address, "@") {
		return s.byUsername(address)
	}
	return s.phones.get(onlyDigits(address))
}

func (s *Server) byUsername(username string) (*citizen, bool) {
	for _, c := range s.codes.values() {
		if c.snapshot().Username == username {
			return c, true
		}
	}
	return nil, false
}

func (c *citizen) snapshot() citizenState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// chat returns the citizen's chat with a number; c must be locked.
func (c *citizen) chat(numberID string) *chat {
	ch, ok := c.chats[numberID]
	if !ok {
		ch = &chat{}
		c.chats[numberID] = ch
	}
	return ch
}

func (ch *chat) add(m *message) (dropped *message) {
	ch.Messages = append(ch.Messages, m)
	if len(ch.Messages) > maxChat {
		dropped = ch.Messages[0]
		ch.Messages = slices.Delete(ch.Messages, 0, 1)
	}
	return dropped
}

// ensureCitizen finds or makes whoever has this phone: every valid number has WhatsApp here unless told otherwise.
func (s *Server) ensureCitizen(digits string) *citizen {
	c, made := s.phones.getOrPut(digits, func() *citizen {
		return newCitizen(citizenState{Code: s.newCode(), Country: countryOf(digits), Phone: digits, Name: inventedName(digits)})
	})
	if made {
		s.codes.put(c.state.Code, c)
	}
	return c
}

func newCitizen(st citizenState) *citizen {
	return &citizen{state: st, chats: map[string]*chat{}}
}

func displayed(digits string) string {
	number, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "+" + digits
	}
	return phonenumbers.Format(number, phonenumbers.INTERNATIONAL)
}

func countryOf(digits string) string {
	number, err := phonenumbers.Parse("+"+digits, "")
	if err != nil {
		return "IT"
	}
	if region := phonenumbers.GetRegionCodeForNumber(number); len(region) == 2 && region != "ZZ" {
		return region
	}
	return "IT"
}

func inventedName(digits string) string {
	first := []string{"Anna", "Luca", "Giulia", "Marco", "Sara", "Paolo", "Elena", "Andrea", "Chiara", "Davide", "Marta", "Franco", "Irene", "Nicola", "Teresa", "Bruno"}
	last := []string{"Rossi", "Bianchi", "Ferrari", "Gallo", "Costa", "Fontana", "Conti", "Esposito", "Ricci", "Bruno", "Greco", "Marino", "Lombardi", "Moretti", "Barbieri", "Riva"}
	h := fnv.New32a()
	_, _ = h.Write([]byte(digits)) // never fails
	sum := h.Sum32()
	return first[sum%16] + " " + last[sum/16%16]
}

// views are the messages of one chat, or of all of them by time.
func (c *citizen) views(numberID string) []messageView {
	c.mu.Lock()
	defer c.mu.Unlock()
	items := []messageView{}
	for id, ch := range c.chats {
		if numberID != "" && id != numberID {
			continue
		}
		for _, m := range ch.Messages {
			items = append(items, m.view())
		}
	}
	slices.SortStableFunc(items, func(a, b messageView) int { return a.At.Compare(b.At) })
	return items
}
