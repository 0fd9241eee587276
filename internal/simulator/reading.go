// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// messageView is a message as control calls and the page see it; direction as the business sees it.
type messageView struct {
	ID        string          `json:"id"`
	Direction string          `json:"direction"` // in: from the citizen; out: from the business
	Number    string          `json:"number"`    // phone number id
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Content   json.RawMessage `json:"content,omitempty"` // what stands under the type's name
	Media     string          `json:"media,omitempty"`   // path of the file on this server
	ReplyTo   string          `json:"reply_to,omitempty"`
	Voice     bool            `json:"voice,omitempty"`
	Status    status          `json:"status"`
	Error     *webhookError   `json:"error,omitempty"`
	At        time.Time       `json:"at"`
	Callback  string          `json:"biz_opaque_callback_data,omitempty"`
}

// view shows a message; its citizen must be locked.
func (m *message) view() messageView {
	v := messageView{ID: m.ID, Direction: "in", Number: m.Number, Type: m.Type, Text: m.Text, Content: m.Content, ReplyTo: m.ReplyTo,
		Voice: m.Voice, Status: m.Status, At: m.At.UTC(), Callback: m.Callback}
	if m.Out {
		v.Direction = "out"
	}
	if m.Failure != nil && m.Status == statusFailed {
		e := m.Failure.webhook()
		v.Error = &e
	}
	if id := m.mediaID(); id != "" {
		v.Media = "/simulator/media/" + id
	}
	return v
}

func (m *message) mediaID() string {
	var content struct {
		ID    flexString `json:"id"`
		Media *struct {
			ID flexString `json:"id"`
		} `json:"media"`
	}
	if m.Content == nil || m.Type == "interactive" || json.Unmarshal(m.Content, &content) != nil {
		return ""
	}
	if m.Type == "template" && content.Media != nil {
		return string(content.Media.ID)
	}
	if classes[m.Type] {
		return string(content.ID)
	}
	return ""
}

var classes = map[string]bool{"image": true, "video": true, "audio": true, "document": true, "sticker": true}

// getCitizenMessages lists what was said on the citizen's phone, oldest first; ?number= for one business only.
func (s *Server) getCitizenMessages(r *http.Request) (int, any, error) {
	c, ok := s.byAddress(r.PathValue("phone"))
	if !ok {
		return http.StatusOK, map[string]any{"items": []messageView{}}, nil
	}
	limit := maxChat
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, nil, badRequest("limit %q is not a positive number", text)
		}
		limit = n
	}
	items := c.views(r.URL.Query().Get("number"))
	if len(items) > limit {
		items = items[len(items)-limit:]
	}
	return http.StatusOK, map[string]any{"items": items}, nil
}

// postRead opens the citizen's chat: everything that has arrived is read.
func (s *Server) postRead(r *http.Request) (int, any, error) {
	c, err := s.citizenOf(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Number string `json:"number"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	n := s.numberNamed(in.Number)
	if n == nil {
		return 0, nil, notFound("number %q is not known", in.Number)
	}
	read := 0
	for _, m := range c.arrived(n.id) {
		if s.progress(m, statusRead) {
			read++
		}
	}
	return http.StatusOK, map[string]any{"read": read}, nil
}

// arrived are the messages on the phone that were not read yet; none when receipts are off.
func (c *citizen) arrived(numberID string) []*message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var unread []*message
	if c.state.ReceiptsOff || c.state.Offline || c.state.BlockedUs {
		return nil
	}
	for _, m := range c.chat(numberID).Messages {
		if m.Out && m.Type != "reaction" && m.Status == statusDelivered {
			unread = append(unread, m)
		}
	}
	return unread
}

// postPlayed plays a voice note of the business.
func (s *Server) postPlayed(r *http.Request) (int, any, error) {
	m, ok := s.messages.get(r.PathValue("id"))
	if !ok || !m.Out || !m.Voice {
		return 0, nil, notFound("there is no voice note %s", r.PathValue("id"))
	}
	return http.StatusOK, map[string]any{"played": s.progress(m, statusPlayed)}, nil
}
