// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// What became of a message, and of the webhooks that told of it: Meta's aid for finding out where one was lost.
// Source: the paths message_history and events of Meta's OpenAPI description.

// How far the webhook about a status has come.
const (
	tellPending   = "PENDING"
	tellDelivered = "DELIVERED"
	tellFailed    = "FAILED"
	tellRetrying  = "RETRYING"
)

// happened is a status a message came to.
type happened struct {
	Status  status `json:"status"`
	At      int64  `json:"at"`                // unix seconds
	Told    string `json:"told,omitempty"`    // of the webhook; empty where nobody was subscribed
	Problem string `json:"problem,omitempty"` // why the webhook is not delivered
}

// told names the status that an update tells of.
type told struct {
	Message string `json:"message"`
	Status  status `json:"status"`
}

// happens notes a status that is told, or not; the citizen must be locked.
func (m *message) happens(to status, at time.Time, queued bool) {
	h := happened{Status: to, At: at.Unix()}
	if queued {
		h.Told = tellPending
	}
	m.History = append(m.History, h)
}

func tellsOf(updates []update) (tells []told) {
	for _, u := range updates {
		if u.Tells.Message != "" {
			tells = append(tells, u.Tells)
		}
	}
	return tells
}

// markTold notes how far the webhook about statuses has come. No lock of hooks may be held: a citizen's comes first.
func (s *Server) markTold(statuses []told, state, problem string) {
	for _, t := range statuses {
		m, ok := s.messages.get(t.Message)
		if !ok {
			continue
		}
		m.citizen.mu.Lock()
		for i := range m.History {
			if h := &m.History[i]; h.Status == t.Status && h.Told != tellDelivered {
				h.Told, h.Problem = state, problem
			}
		}
		m.citizen.mu.Unlock()
	}
}

// deliveryStatuses are the statuses Meta's history knows; it has no word for a voice note that was played.
var deliveryStatuses = map[status]string{statusSent: "SENT", statusDelivered: "DELIVERED", statusRead: "READ", statusFailed: "FAILED"}

// messageHistory is GET /{phone_number_id}/message_history, the newest message first, or message_id alone.
func (s *Server) messageHistory(g *graphRequest, n *number) (any, *graphError) {
	id := g.query.Get("message_id")
	sent := s.messages.values()
	if id != "" {
		sent = nil
		if m, ok := s.messages.get(id); ok {
			sent = append(sent, m)
		}
	}
	sent = slices.DeleteFunc(sent, func(m *message) bool { return !m.Out || m.Number != n.id })
	if id != "" && len(sent) == 0 {
		return nil, &graphError{Code: 100, Kind: "GraphMethodException", Title: "The requested message_id was not found in the message history"}
	}
	slices.SortFunc(sent, func(a, b *message) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	inner, _ := subfields(g.query.Get("fields"), "events")
	callback := n.account.hooks.target(n.id)
	var items []listed
	for _, m := range sent {
		items = append(items, listed{key: m.ID, node: map[string]any{"id": historyID(m.ID, ""), "message_id": m.ID, "events": m.events(inner, callback)}})
	}
	return paginate(items, g.query, s.baseURL(g.Request)+g.URL.Path, []string{"message_id"})
}

// historyOf is the message whose history a request for its events names: one of a number that its token sees.
func (s *Server) historyOf(g *graphRequest) *message {
	if g.Method != http.MethodGet || g.edge != "events" || g.rest != "" {
		return nil
	}
	for _, m := range s.messages.values() {
		if n := s.dir.number(m.Number); m.Out && n != nil && g.sees(n.account) && historyID(m.ID, "") == g.object {
			return m
		}
	}
	return nil
}

// messageEvents is GET /{message_history_id}/events, what happened to one message, the first status first.
func (s *Server) messageEvents(g *graphRequest, m *message) (any, *graphError) {
	wanted := g.query.Get("status_filter")
	inner, _ := subfields(g.query.Get("fields"), "node")
	m.citizen.mu.Lock()
	var items []listed
	for _, h := range m.History {
		name := deliveryStatuses[h.Status]
		if name == "" || wanted != "" && name != wanted {
			continue
		}
		key := m.ID + string(h.Status)
		node := project(h.occurrence(m.ID, name), inner, []string{"delivery_status", "occurrence_timestamp"})
		items = append(items, listed{key: key, node: map[string]any{"cursor": cursor(key), "node": node}})
	}
	m.citizen.mu.Unlock()
	return paginate(items, g.query, s.baseURL(g.Request)+g.URL.Path, []string{"cursor", "node"})
}

// occurrence is a status in the words of the events of one message.
func (h *happened) occurrence(messageID, name string) map[string]any {
	node := map[string]any{"id": historyID(messageID, h.Status), "delivery_status": name, "occurrence_timestamp": h.At, "status_timestamp": h.At,
		"application": map[string]any{"id": appID}}
	if h.Problem != "" {
		node["error_description"] = h.Problem
	}
	return node
}

// events are what happened to a message, with the fields asked for.
func (m *message) events(fields, callback string) map[string]any {
	m.citizen.mu.Lock()
	defer m.citizen.mu.Unlock()
	data := []any{}
	for _, h := range m.History {
		if name := deliveryStatuses[h.Status]; name != "" {
			data = append(data, project(h.node(m.ID, name, callback), fields, []string{"delivery_status", "timestamp"}))
		}
	}
	return map[string]any{"data": data}
}

func (h *happened) node(messageID, name, callback string) map[string]any {
	node := map[string]any{"id": historyID(messageID, h.Status), "delivery_status": name, "timestamp": h.At, "application": map[string]any{"id": appID}}
	if h.Told != "" {
		node["webhook_update_state"] = h.Told
	}
	if h.Told != "" && callback != "" {
		node["webhook_uri"] = callback
	}
	if h.Problem != "" {
		node["error_description"] = h.Problem
	}
	return node
}

// historyID is a number like Meta's ids, the same at every call.
func historyID(messageID string, of status) string {
	sum := sha256.Sum256([]byte(messageID + " " + string(of)))
	return strconv.FormatUint(1e15+binary.BigEndian.Uint64(sum[:8])%9e15, 10)
}
