// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// webhookFields are what an app may subscribe to. Source: webhooks/overview of Meta's documentation.
var webhookFields = []string{"account_alerts", "account_review_update", "account_settings_update", "account_update", "automatic_events",
	"business_capability_update", "business_status_update", "business_username_update", "calls", "flows", "group_lifecycle_update", "group_participants_update",
	"group_settings_update", "group_status_update", "history", "message_echoes", "message_template_components_update", "message_template_quality_update",
	"message_template_status_update", "messages", "messaging_handovers", "partner_solutions", "payment_configuration_update",
	"phone_number_name_update", "phone_number_quality_update", "security", "smb_app_state_sync", "smb_message_echoes", "standby",
	"template_category_update", "template_correct_category_detection", "tracking_events", "user_preferences"}

// appSubscriptions is /{app_id}/subscriptions: the callback and the fields of the app, for all accounts of its secret.
// Source: https://developers.facebook.com/docs/graph-api/reference/app/subscriptions
func (s *Server) appSubscriptions(g *graphRequest) (any, *graphError) {
	if !g.asApp {
		return nil, &graphError{Code: 15, Title: "This method must be called with an app access_token."}
	}
	switch g.Method {
	case http.MethodGet:
		return g.listSubscriptions(s.baseURL(g.Request) + g.URL.Path)
	case http.MethodPost:
		return s.setSubscription(g)
	case http.MethodDelete:
		return s.endSubscription(g)
	}
	return nil, unsupported(g)
}

func (g *graphRequest) listSubscriptions(self string) (any, *graphError) {
	st := g.granted[0].snapshot()
	if st.CallbackURL == "" {
		return paginate(nil, g.query, self, nil)
	}
	fields := []any{}
	for _, name := range st.subscribedFields() {
		fields = append(fields, map[string]any{"name": name, "version": g.version})
	}
	const object = "whatsapp_business_account"
	return paginate([]listed{{key: object, node: map[string]any{"object": object, "callback_url": st.CallbackURL, "active": true, "fields": fields}}},
		g.query, self, []string{"object", "callback_url", "active", "fields"})
}

// subscribedFields are all of them, unless the app has chosen.
func (st *accountState) subscribedFields() []string {
	if st.Fields != nil {
		return st.Fields
	}
	return webhookFields
}

// fieldList takes the fields as a list, as one text with commas, or as a text that is a list.
type fieldList []string

func (l *fieldList) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		list, ok := parameter(text).(json.RawMessage)
		if !ok {
			*l = splitFields(text)
			return nil
		}
		raw = list
	}
	return json.Unmarshal(raw, (*[]string)(l))
}

func splitFields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func (s *Server) setSubscription(g *graphRequest) (any, *graphError) {
	var in struct {
		Object      string    `json:"object"`
		CallbackURL string    `json:"callback_url"`
		VerifyToken string    `json:"verify_token"`
		Fields      fieldList `json:"fields"`
	}
	if len(g.body) > 0 {
		if err := json.Unmarshal(g.body, &in); err != nil {
			return nil, badJSON(err)
		}
	}
	if in.Object != "whatsapp_business_account" {
		return nil, refuse(100, "Param object must be whatsapp_business_account.")
	}
	for _, field := range in.Fields {
		if !slices.Contains(webhookFields, field) {
			return nil, refuse(100, "Param fields[0] must be one of {%s} - got %q.", strings.Join(webhookFields, ", "), field)
		}
	}
	if err := s.checkOverride(g, in.CallbackURL, in.VerifyToken); err != nil {
		return nil, err
	}
	for _, a := range g.granted {
		a.mu.Lock()
		a.state.CallbackURL, a.state.VerifyToken, a.state.Verified = in.CallbackURL, in.VerifyToken, true
		if len(in.Fields) > 0 {
			a.state.Fields = slices.Clone([]string(in.Fields))
		}
		a.mu.Unlock()
		a.hooks.retryNow()
	}
	s.saver.touch()
	return success, nil
}

// endSubscription unsubscribes from the fields told, or from everything.
func (s *Server) endSubscription(g *graphRequest) (any, *graphError) {
	gone := splitFields(g.query.Get("fields"))
	for _, a := range g.granted {
		a.mu.Lock()
		if len(gone) == 0 {
			a.state.CallbackURL, a.state.Fields, a.state.Verified = "", nil, false
		} else {
			a.state.Fields = slices.DeleteFunc(slices.Clone(a.state.subscribedFields()), func(f string) bool { return slices.Contains(gone, f) })
		}
		a.mu.Unlock()
	}
	s.saver.touch()
	return success, nil
}
