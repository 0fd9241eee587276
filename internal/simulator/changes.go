// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
)

// What becomes of a citizen's number and ids, and how businesses are told: system messages, which have no contacts.

// postChangeNumber gives the citizen another phone: WhatsApp tells every business they have a chat with, and their
// business-scoped ids change too. The old number has no WhatsApp then, until somebody else gets it.
func (s *Server) postChangeNumber(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Phone    string `json:"phone"`
		NewPhone string `json:"new_phone"`
		Shape    string `json:"shape"` // "old": as WhatsApp said it before there were user ids
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	digits := onlyDigits(cmp.Or(in.NewPhone, in.Phone))
	if len(digits) < 4 || len(digits) > 15 {
		return 0, nil, badRequest("phone must be the new number, like \"+393331234567\"")
	}
	if in.Shape != "" && in.Shape != "old" {
		return 0, nil, badRequest("shape must be old or nothing, not %q", in.Shape)
	}
	if owner, made := s.phones.getOrPut(digits, func() *citizen { return c }); !made && !s.takeOver(owner, digits, c) {
		return 0, nil, badRequest("+%s belongs to another citizen", digits)
	}
	before, after := s.change(c, digits)
	s.leaveNumber(before.Phone)
	for _, n := range s.chattedWith(c) {
		s.tellNewNumber(c, n, before, after, in.Shape == "old")
	}
	return http.StatusOK, s.citizenView(c), nil
}

// takeOver gives c a number whose last owner has no WhatsApp on it any more.
func (s *Server) takeOver(owner *citizen, digits string, c *citizen) bool {
	st := owner.snapshot()
	if owner == c || !st.NotOnWhatsApp {
		return false
	}
	s.codes.remove(st.Code)
	s.phones.put(digits, c)
	return true
}

// leaveNumber leaves a number without WhatsApp.
func (s *Server) leaveNumber(digits string) {
	if digits == "" {
		return
	}
	nobody := newCitizen(citizenState{Code: s.newCode(), Country: countryOf(digits), Phone: digits, Name: displayed(digits),
		citizenTraits: citizenTraits{NotOnWhatsApp: true}})
	s.phones.put(digits, nobody)
	s.codes.put(nobody.state.Code, nobody)
}

// postChangeUserID gives the citizen other business-scoped ids; the phone stays.
func (s *Server) postChangeUserID(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	before, after := s.change(c, "")
	for _, n := range s.chattedWith(c) {
		s.tellNewUserID(c, n, before, after)
	}
	return http.StatusOK, s.citizenView(c), nil
}

// change gives the citizen a new code and, unless digits are empty, a new phone.
func (s *Server) change(c *citizen, digits string) (before, after citizenState) {
	code := s.newCode()
	c.mu.Lock()
	before = c.state
	c.state.Previous = append(slices.Clip(c.state.Previous), before.Phone, before.Code)
	c.state.Phone, c.state.Code = cmp.Or(digits, before.Phone), code
	after = c.state
	c.mu.Unlock()
	s.codes.put(after.Code, c)
	s.codes.remove(before.Code)
	s.events.publish(pageEvent{Kind: "citizens"})
	s.saver.touch()
	return before, after
}

// tellNewNumber is user_changed_number; a business that may not see the phone is told of the new user id only.
func (s *Server) tellNewNumber(c *citizen, n *number, before, after citizenState, old bool) {
	if before.Phone == "" || s.phoneFor(c, n) == "" {
		s.tellNewUserID(c, n, before, after)
		return
	}
	system := map[string]any{"body": fmt.Sprintf("User %s changed from %s to %s", after.Name, before.Phone, after.Phone)}
	if old {
		system["type"], system["new_wa_id"] = "customer_changed_number", after.Phone
	} else {
		system["type"], system["wa_id"] = "user_changed_number", after.Phone
		system["user_id"], system["previous_user_id"] = after.userID(n.account), before.userID(n.account)
	}
	s.tellSystem(n, map[string]any{"from": before.Phone, "system": system})
}

// tellNewUserID is user_changed_user_id, which shows no phone.
func (s *Server) tellNewUserID(c *citizen, n *number, before, after citizenState) {
	message := map[string]any{"from_user_id": after.userID(n.account), "system": map[string]any{"type": "user_changed_user_id",
		"body":    fmt.Sprintf("User %s changed user id", after.Name),
		"user_id": after.userID(n.account), "previous_user_id": before.userID(n.account)}}
	if phone := s.phoneFor(c, n); phone != "" {
		message["from"] = phone
	}
	s.tellSystem(n, message)
}

// postChangeIdentity gives the citizen's phone new keys, as a new telephone has: businesses that check identities
// are told, and a send that names the old identity fails with 137000.
func (s *Server) postChangeIdentity(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	c.state.Keys++
	st := c.state
	c.mu.Unlock()
	now := s.clock.Now()
	for _, n := range s.chattedWith(c) {
		if !n.checksIdentity() {
			continue
		}
		message := map[string]any{"from_user_id": st.userID(n.account),
			"identity": map[string]any{"acknowledged": false, "created_timestamp": unixText(now), "hash": st.identityHash()},
			"system":   map[string]any{"type": "customer_identity_changed", "body": fmt.Sprintf("User %s changed identity", st.Name), "identity": st.identityHash()}}
		if phone := s.phoneFor(c, n); phone != "" {
			message["from"] = phone
		}
		s.tellSystem(n, message)
	}
	s.saver.touch()
	return http.StatusOK, map[string]any{"identity_key_hash": st.identityHash()}, nil
}

// tellSystem sends a system message of a citizen.
func (s *Server) tellSystem(n *number, message map[string]any) {
	now := s.clock.Now()
	message["id"], message["timestamp"], message["type"] = s.dice.messageID("system"), unixText(now), "system"
	n.account.hooks.add(update{Number: n.id, Field: messagesField, At: now.Unix(), Message: marshal(message)})
}

// phoneFor is the citizen's phone as a business may see it now.
func (s *Server) phoneFor(c *citizen, n *number) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.shownPhone(n.account, c.chat(n.id), s.clock.Now())
}

// chattedWith are the numbers the citizen has a chat with.
func (s *Server) chattedWith(c *citizen) []*number {
	c.mu.Lock()
	var ids []string
	for id, ch := range c.chats {
		if len(ch.Messages) > 0 {
			ids = append(ids, id)
		}
	}
	c.mu.Unlock()
	slices.Sort(ids)
	var numbers []*number
	for _, id := range ids {
		if n := s.dir.number(id); n != nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
