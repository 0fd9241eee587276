// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
)

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// appID is the one app everything here belongs to.
const (
	appID      = "300000000000001"
	businessID = "400000000000001"
)

// accountFields is a WABA with every field that can be asked for.
func (s *Server) accountFields(a *account) map[string]any {
	st := a.snapshot()
	return map[string]any{
		"id": a.id, "name": st.Name, "currency": "EUR", "timezone_id": "71", "country": "IT", "status": "ACTIVE",
		"message_template_namespace": "sim_" + a.id, "account_review_status": cmp.Or(st.Review, "APPROVED"), "business_verification_status": "verified",
		"ownership_type": "SELF", "owner_business_info": map[string]any{"id": businessID, "name": st.Name},
		"whatsapp_business_manager_messaging_limit": cmp.Or(st.MessagingLimit, unlimited), "health_status": a.health(s.clock.Now()),
	}
}

// numberFields is a number with every field that can be asked for.
func (s *Server) numberFields(n *number) map[string]any {
	st, acc := n.snapshot(), n.account.snapshot()
	hooks := map[string]any{"application": acc.CallbackURL}
	if acc.OverrideURL != "" {
		hooks["whatsapp_business_account"] = acc.OverrideURL
	}
	if st.OverrideURL != "" {
		hooks["phone_number"] = st.OverrideURL
	}
	fields := map[string]any{
		"id": n.id, "display_phone_number": st.Display, "verified_name": st.Name, "status": n.shownStatus(st.Status, s.clock.Now()),
		"quality_rating": st.Quality, "quality_score": map[string]any{"score": st.Quality},
		"code_verification_status": st.Verification, "name_status": cmp.Or(st.NameStatus, "APPROVED"), "platform_type": "CLOUD_API",
		"throughput": map[string]any{"level": cmp.Or(map[string]string{"UNLIMITED": "HIGH"}[st.Throughput], st.Throughput)},
		"whatsapp_business_manager_messaging_limit": cmp.Or(acc.MessagingLimit, unlimited), "account_mode": st.mode(), "is_official_business_account": false,
		"is_pin_enabled": st.PIN != "", "webhook_configuration": hooks, "health_status": n.health(st.Status, s.clock.Now()),
	}
	if st.Automation != nil {
		fields["conversational_automation"] = st.Automation
	}
	return fields
}

func (s *Server) listNumbers(a *account, q url.Values, self string) (any, *graphError) {
	a.mu.Lock()
	numbers := slices.Clone(a.numbers)
	a.mu.Unlock()
	var items []listed
	for _, n := range numbers {
		items = append(items, listed{key: n.id, node: s.numberFields(n)})
	}
	slices.SortFunc(items, func(x, y listed) int { return cmp.Compare(x.key, y.key) })
	return paginate(items, q, self, []string{"verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput"})
}

var success = map[string]any{"success": true}

// changeNumber is POST /{phone_number_id}: the pin, or the callback of this number alone.
func (s *Server) changeNumber(g *graphRequest, n *number) (any, *graphError) {
	var in struct {
		PIN  flexString `json:"pin"`
		Hook *struct {
			URL         string `json:"override_callback_uri"`
			VerifyToken string `json:"verify_token"`
		} `json:"webhook_configuration"`
	}
	if err := json.Unmarshal(g.body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in.PIN != "" && !sixDigits.MatchString(string(in.PIN)) {
		return nil, refuse(100, "Param pin must have six digits.")
	}
	if in.Hook != nil && in.Hook.URL != "" {
		if err := s.checkOverride(g, in.Hook.URL, in.Hook.VerifyToken); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	if in.PIN != "" {
		n.state.PIN = string(in.PIN)
	}
	if in.Hook != nil {
		n.state.OverrideURL = in.Hook.URL
	}
	n.mu.Unlock()
	n.account.hooks.retryNow()
	s.saver.touch()
	return success, nil
}
