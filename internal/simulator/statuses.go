// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// status is how far a message has come, in Meta's words.
type status string

const (
	statusAccepted  status = "accepted"
	statusHeld      status = "held"
	statusSent      status = "sent"
	statusDelivered status = "delivered"
	statusRead      status = "read"
	statusPlayed    status = "played"
	statusFailed    status = "failed"

	statusExpired status = "expired" // ours: dropped when its time to live ended, of which WhatsApp says nothing
)

var statusRank = map[status]int{statusHeld: 0, statusAccepted: 1, statusSent: 2, statusDelivered: 3, statusRead: 4, statusPlayed: 5}

// movesTo says whether a message may still come to this status: forward only, and nothing follows a failure.
func (m *message) movesTo(to status) bool {
	if m.Status == statusFailed || m.Status == statusExpired {
		return false
	}
	if to == statusExpired {
		return m.Status == statusSent
	}
	if to == statusFailed {
		return statusRank[m.Status] < statusRank[statusDelivered]
	}
	return statusRank[to] > statusRank[m.Status]
}

// forward plans the next step of an outgoing message; its citizen must be locked.
func (s *Server) forward(m *message) {
	next, wait := s.nextStatus(m)
	if next == "" || wait < 0 {
		return
	}
	if next != statusExpired {
		wait = s.dice.jitter(wait, m.ID+string(next))
	}
	s.schedule.after(wait, func() { s.progress(m, next) })
}

func (s *Server) nextStatus(m *message) (status, time.Duration) {
	c, d := &m.citizen.state, s.delays()
	switch m.Status {
	case statusHeld:
		if m.Paced {
			return s.pacedNext(m), 0
		}
		return s.faults.release()
	case statusAccepted:
		if m.Failure != nil {
			return statusFailed, d.Sent
		}
		return statusSent, d.Sent
	case statusSent:
		switch {
		case m.Type == "reaction" || c.BlockedUs:
			return "", 0
		case c.Offline:
			return statusExpired, max(0, m.expires().Sub(s.clock.Now()))
		}
		if c.ChatOpen {
			return statusRead, d.Delivered
		}
		return statusDelivered, d.Delivered
	case statusDelivered:
		if c.ReceiptsOff || c.ReadsByHand {
			return "", 0
		}
		return statusRead, d.Read
	case statusRead:
		if m.Voice {
			return statusPlayed, d.Played
		}
	}
	return "", 0
}

// longestTTL is how long WhatsApp tries to deliver what has no time to live of its own.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/time-to-live
const longestTTL = 30 * 24 * time.Hour

func (m *message) expires() time.Time { return m.At.Add(cmp.Or(m.TTL, longestTTL)) }

// progress moves an outgoing message to a status, tells the business and plans what follows.
func (s *Server) progress(m *message, to status) bool {
	n := s.dir.number(m.Number)
	now := s.clock.Now()
	m.citizen.mu.Lock()
	defer m.citizen.mu.Unlock()
	if n == nil || !m.movesTo(to) {
		return false
	}
	if m.Status == statusSent && to != statusFailed && !now.Before(m.expires()) {
		to = statusExpired
	}
	if to == statusExpired {
		m.Status = to
		s.events.status(m)
		s.saver.touch()
		return false
	}
	if to == statusAccepted { // released from holding: no webhook says so
		m.Status = to
		s.forward(m)
		return true
	}
	if to == statusFailed && m.Failure == nil {
		m.Failure = refuse(132015, "Template is paused due to low quality so it cannot be sent in a template message.")
	}
	m.Status = to
	if to == statusRead {
		m.ReadAt = now
	}
	m.happens(to, now, n.account.hooks.add(s.statusUpdate(n, m, to, now)))
	s.events.status(m)
	s.saver.touch()
	s.forward(m)
	return true
}

// statusUpdate is the status as the webhook tells it; the citizen must be locked.
func (s *Server) statusUpdate(n *number, m *message, to status, now time.Time) update {
	c := &m.citizen.state
	phone := c.shownPhone(n.account, m.citizen.chat(n.id), now)
	b := append(make([]byte, 0, 400), '{')
	b = appendField(b, "id", m.ID)
	b = appendField(b, "status", string(to))
	b = appendField(b, "timestamp", unixText(now))
	if phone != "" {
		b = appendField(b, "recipient_id", phone)
	}
	if to != statusFailed || m.ByUserID {
		b = appendField(b, "recipient_user_id", c.userID(n.account))
	}
	if m.Callback != "" {
		b = appendField(b, "biz_opaque_callback_data", m.Callback)
	}
	if to == statusFailed {
		b = append(b, `,"errors":[`...)
		b = append(b, marshal(m.Failure.webhook())...)
		b = append(b, ']')
	} else {
		b = s.appendPricing(b, n, m, to, now)
	}
	u := update{Number: n.id, Field: messagesField, At: now.Unix(), Status: json.RawMessage(append(b, '}')), Tells: told{m.ID, to}}
	if to != statusFailed {
		u.Contact = c.contactEntry(n, phone, to == statusDelivered || to == statusRead)
	}
	return u
}

// markIncoming notes how far a citizen's own message has come.
func (s *Server) markIncoming(id string, to status) {
	m, ok := s.messages.get(id)
	if !ok {
		return
	}
	m.citizen.mu.Lock()
	defer m.citizen.mu.Unlock()
	if m.movesTo(to) {
		m.Status = to
		s.events.status(m)
	}
}

// continueStatuses plans the next step of every message on its way: after a restart, or when a phone is online again.
func (s *Server) continueStatuses(c *citizen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(c.chats)) {
		for _, m := range c.chats[id].Messages {
			if m.Out {
				s.forward(m)
			}
		}
	}
}
