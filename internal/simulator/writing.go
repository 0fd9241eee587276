// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"time"
)

// postCitizenMessage is POST /simulator/citizens/{phone}/messages: the citizen writes.
func (s *Server) postCitizenMessage(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in writeInput
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	n := s.numberNamed(in.Number)
	if n == nil {
		return 0, nil, notFound("number %q is not known: it must be a phone number id", in.Number)
	}
	w, err := s.written(n, &in)
	if err != nil {
		return 0, nil, err
	}
	if in.Referral != nil {
		w.refer(in.Referral)
	}
	m, err := s.write(c, n, w, in.ReplyTo)
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return http.StatusCreated, m.view(), nil
}

// numberNamed finds a number by its id, or by its digits for people.
func (s *Server) numberNamed(name string) *number {
	name = cmp.Or(name, DefaultAccount().PhoneNumberID)
	if n := s.dir.number(name); n != nil {
		return n
	}
	return s.dir.byDigits(onlyDigits(name))
}

// write puts what the citizen wrote into the chat and tells the business.
func (s *Server) write(c *citizen, n *number, w *writtenMessage, replyTo string) (*message, error) {
	now := s.clock.Now()
	n.take(now, true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.sharesPhone && c.state.Phone == "" {
		return nil, badRequest("this citizen has no phone to share")
	}
	if w.sharesPhone {
		w.content, w.text = []any{c.state.ownCard()}, displayed(c.state.Phone)
		c.usePhone(n.account, c.chat(n.id), now)
	}
	code := c.state.Code
	m := &message{ID: s.dice.messageID(cmp.Or(c.state.Phone, code)), Number: n.id, Type: w.kind, Text: w.text, Voice: w.voice, ReplyTo: replyTo, At: now,
		Status: statusSent, citizen: c}
	if w.content != nil {
		m.Content = marshal(w.content)
	}
	ch := c.chat(n.id)
	phone := c.state.shownPhone(n.account, ch, now)
	body := s.incomingBody(c, n, ch, m, w, phone)
	if id := textOf(body["id"]); id != "" {
		m.ID = id
	}
	if old, exists := s.messages.get(m.ID); exists && old.citizen != c {
		return nil, badRequest("message id %s is another citizen's", m.ID)
	}
	if n.blocks(code) {
		m.Status, m.Failure = statusFailed, refuse(131026, "The business has blocked this citizen.")
		s.keep(ch, m)
		return m, nil
	}
	ch.LastIn = now
	if w.raw["referral"] != nil {
		ch.Referred = now
	}
	if phone != "" {
		c.usePhone(n.account, ch, now)
	}
	s.keep(ch, m)
	n.account.hooks.add(update{Number: n.id, Field: messagesField, At: now.Unix(), Message: marshal(body), Incoming: m.ID,
		Contact: c.state.contactEntry(n, phone, true)})
	return m, nil
}

// incomingBody is the message object of the webhook.
func (s *Server) incomingBody(c *citizen, n *number, ch *chat, m *message, w *writtenMessage, phone string) map[string]json.RawMessage {
	body := map[string]json.RawMessage{
		"id": marshal(m.ID), "timestamp": marshal(unixText(m.At)), "type": marshal(w.kind), "from_user_id": marshal(c.state.userID(n.account)),
	}
	if phone != "" {
		body["from"] = marshal(phone)
	}
	if m.Content != nil {
		body[w.kind] = m.Content
	}
	if replied := cmp.Or(m.ReplyTo, ch.asked(w)); replied != "" && w.kind != "reaction" {
		m.ReplyTo = replied
		body["context"] = marshal(map[string]any{"from": s.authorOf(replied, n, phone), "id": replied})
	}
	maps.Copy(body, w.raw)
	return body
}

// authorOf is the phone of whoever wrote a message that is replied to.
func (s *Server) authorOf(id string, n *number, citizenPhone string) string {
	if m, ok := s.messages.get(id); ok && !m.Out {
		return citizenPhone
	}
	return n.digits()
}

// asked finds the message whose button was tapped or list chosen from, for callers that do not name it.
func (ch *chat) asked(w *writtenMessage) string {
	if w.kind != "interactive" && w.kind != "button" && !w.sharesPhone {
		return ""
	}
	for i := len(ch.Messages) - 1; i >= 0; i-- {
		if m := ch.Messages[i]; m.Out && (m.Type == "interactive" || m.Type == "template") {
			return m.ID
		}
	}
	return ""
}

func (n *number) blocks(code string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, blocked := n.state.Blocked[code]
	return blocked
}

func (c *citizen) wroteTo(numberID string, since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chat(numberID).LastIn.After(since)
}

func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
