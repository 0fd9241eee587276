// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// blockedCitizen is an entry of a number's block list.
type blockedCitizen struct {
	WaID   string `json:"wa_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

type blockRequest struct {
	MessagingProduct string `json:"messaging_product"`
	Users            []struct {
		User   flexString `json:"user"`
		UserID string     `json:"user_id"`
	} `json:"block_users"`
}

func readBlock(body []byte) (*blockRequest, *graphError) {
	var in blockRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in.MessagingProduct != "whatsapp" || len(in.Users) == 0 {
		return nil, refuse(100, "The parameters messaging_product and block_users are required.")
	}
	return &in, nil
}

// blockUsers blocks those who wrote in the last 24 hours; the others are reported as failed.
func (s *Server) blockUsers(n *number, body []byte) (any, *graphError) {
	in, err := readBlock(body)
	if err != nil {
		return nil, err
	}
	added, failed := []any{}, []any{}
	for _, user := range in.Users {
		input := cmp.Or(user.UserID, string(user.User))
		if isParent(input) {
			return nil, refuse(100, "A parent business-scoped user id can't be blocked.")
		}
		c, ok := s.byAddress(input)
		if !ok || !c.wroteTo(n.id, s.clock.Now().Add(-window)) {
			failed = append(failed, map[string]any{"input": input, "errors": []any{map[string]any{
				"code": 131047, "message": "Re-engagement message", "error_data": map[string]any{"details": "The user has not written in the last 24 hours."}}}})
			continue
		}
		if n.blockedFull() {
			return nil, refuse(139101, "The block list has %d users already.", maxBlocked)
		}
		entry := c.blockEntry(n.account)
		n.block(c.snapshot().Code, entry)
		added = append(added, map[string]any{"input": input, "wa_id": entry.WaID, "user_id": entry.UserID})
	}
	s.saver.touch()
	if len(failed) > 0 {
		return nil, &graphError{Code: 139100, Details: fmt.Sprintf("%d of %d users could not be blocked.", len(failed), len(in.Users)),
			partly: map[string]any{"added_users": added, "failed_users": failed}}
	}
	return map[string]any{"messaging_product": "whatsapp", "block_users": map[string]any{"added_users": added}}, nil
}

// maxBlocked is how many users a number's block list holds.
const maxBlocked = 64000

func (n *number) blockedFull() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.state.Blocked) >= maxBlocked
}

// isParent tells a parent BSUID, "IT.ENT.…", by its second part.
func isParent(id string) bool { return len(id) > 7 && id[2:7] == ".ENT." }

func (c *citizen) blockEntry(a *account) blockedCitizen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return blockedCitizen{WaID: c.state.Phone, UserID: c.state.userID(a)}
}

func (n *number) block(code string, entry blockedCitizen) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.Blocked == nil {
		n.state.Blocked = map[string]blockedCitizen{}
	}
	n.state.Blocked[code] = entry
}

func (s *Server) unblockUsers(n *number, body []byte) (any, *graphError) {
	in, err := readBlock(body)
	if err != nil {
		return nil, err
	}
	removed := []any{}
	for _, user := range in.Users {
		input := cmp.Or(user.UserID, string(user.User))
		if c, ok := s.byAddress(input); ok {
			code := c.snapshot().Code
			n.mu.Lock()
			delete(n.state.Blocked, code)
			n.mu.Unlock()
			removed = append(removed, map[string]any{"input": input})
		}
	}
	s.saver.touch()
	return map[string]any{"messaging_product": "whatsapp", "block_users": map[string]any{"removed_users": removed}}, nil
}

// listBlocked is GET /{phone_number_id}/block_users, page by page. An entry has no id of its own.
func (s *Server) listBlocked(g *graphRequest, n *number) (any, *graphError) {
	var items []listed
	n.mu.Lock()
	for code, entry := range n.state.Blocked {
		items = append(items, listed{key: code, node: map[string]any{"messaging_product": "whatsapp", "wa_id": entry.WaID, "user_id": entry.UserID}})
	}
	n.mu.Unlock()
	slices.SortFunc(items, func(a, b listed) int { return cmp.Compare(a.key, b.key) })
	page, err := paginate(items, g.query, s.baseURL(g.Request)+g.URL.Path, []string{"messaging_product", "wa_id", "user_id"})
	if err != nil {
		return nil, err
	}
	for _, entry := range page["data"].([]map[string]any) {
		if entry["wa_id"] == "" { // left out, not empty, as everywhere
			delete(entry, "wa_id")
		}
	}
	return page, nil
}
