// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"net/http"
	"time"
)

// marketing says whether a citizen still wants a business's marketing, and says so to the business.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences
func (s *Server) marketing(c *citizen, n *number, stop bool) {
	now := s.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.chat(n.id)
	if ch.MarketingStopped == stop {
		return
	}
	ch.MarketingStopped = stop
	n.account.hooks.add(s.preferenceUpdate(c, n, ch, now))
	s.saver.touch()
}

// preferenceUpdate is the webhook about it; the citizen must be locked.
func (s *Server) preferenceUpdate(c *citizen, n *number, ch *chat, now time.Time) update {
	preference := map[string]any{"category": "marketing_messages", "value": "resume", "detail": "User requested to resume marketing messages",
		"user_id": c.state.userID(n.account), "timestamp": now.Unix()}
	if ch.MarketingStopped {
		preference["value"], preference["detail"] = "stop", "User requested to stop marketing messages"
	}
	phone := c.state.shownPhone(n.account, ch, now)
	if phone != "" {
		preference["wa_id"] = phone
	}
	return update{Number: n.id, Field: "user_preferences", At: now.Unix(), Value: marshal(map[string]any{
		"messaging_product": "whatsapp",
		"metadata":          map[string]any{"display_phone_number": n.digits(), "phone_number_id": n.id},
		"contacts":          []any{c.state.contactEntry(n, phone, true)},
		"user_preferences":  []any{preference},
	})}
}

// postPreferences is POST /simulator/citizens/{phone}/preferences: {"number", "marketing": "stop" or "resume"}.
func (s *Server) postPreferences(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Number    string `json:"number"`
		Marketing string `json:"marketing"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	n := s.numberNamed(in.Number)
	if n == nil {
		return 0, nil, notFound("number %q is not known: it must be a phone number id", in.Number)
	}
	if in.Marketing != "stop" && in.Marketing != "resume" {
		return 0, nil, badRequest("marketing must be stop or resume, not %q", in.Marketing)
	}
	s.marketing(c, n, in.Marketing == "stop")
	s.events.publish(pageEvent{Kind: "citizens"})
	return http.StatusOK, s.citizenView(c), nil
}
