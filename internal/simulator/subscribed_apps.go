// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
)

// subscriptions is GET /{waba_id}/subscribed_apps. The fields that may be asked for are those of the app (id, name, link),
// which stands one level deeper in an entry.
func (a *account) subscriptions(q url.Values, self string) (any, *graphError) {
	st, fields := a.snapshot(), q.Get("fields")
	if !st.Subscribed {
		return paginate(nil, q, self, nil)
	}
	ofApp, deeper := subfields(fields, "whatsapp_business_api_data")
	if !deeper {
		ofApp = fields
	}
	app := map[string]any{"id": appID, "name": "Simulator", "link": "https://www.facebook.com/games/?app_id=" + appID}
	entry := map[string]any{"whatsapp_business_api_data": project(app, ofApp, []string{"name", "link"})}
	if st.OverrideURL != "" && (fields == "" || slices.Contains(fieldNames(fields), "override_callback_uri")) {
		entry["override_callback_uri"] = st.OverrideURL
	}
	page := maps.Clone(q)
	page.Del("fields")
	return paginate([]listed{{key: appID, node: entry}}, page, self, []string{"whatsapp_business_api_data", "override_callback_uri"})
}

// subscribe subscribes the app and sets or, without a body, removes the override of the callback.
func (s *Server) subscribe(g *graphRequest, a *account) (any, *graphError) {
	var in struct {
		URL         string `json:"override_callback_uri"`
		VerifyToken string `json:"verify_token"`
	}
	if len(g.body) > 0 {
		if err := json.Unmarshal(g.body, &in); err != nil {
			return nil, badJSON(err)
		}
	}
	if in.URL != "" {
		if err := s.checkOverride(g, in.URL, in.VerifyToken); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	a.state.Subscribed, a.state.OverrideURL = true, in.URL
	a.mu.Unlock()
	a.hooks.retryNow()
	s.saver.touch()
	return success, nil
}

func (s *Server) checkOverride(g *graphRequest, callback, token string) *graphError {
	if err := checkCallback(callback); err != nil {
		return refuse(100, "Param override_callback_uri: %v", err)
	}
	if token == "" {
		return refuse(100, "The parameter verify_token is required.")
	}
	if err := s.verifyCallback(g.Context(), callback, token); err != nil {
		return &graphError{Code: 2200, Title: "Callback verification failed with the following errors: " + err.Error()}
	}
	return nil
}

func (s *Server) unsubscribe(a *account) (any, *graphError) {
	a.mu.Lock()
	a.state.Subscribed = false
	a.mu.Unlock()
	s.saver.touch()
	return success, nil
}
