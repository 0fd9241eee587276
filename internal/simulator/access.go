// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// The permissions of the Cloud API.
const (
	scopeManage = "whatsapp_business_management"
	scopeSend   = "whatsapp_business_messaging"

	scopeBusiness = "business_management"
)

// tokensSince is when all tokens here are of: 1 January 2026.
const tokensSince = 1767225600

// tokenState is what has become of a token, beside its accounts.
type tokenState struct {
	Gone   string   `json:"gone,omitempty"`   // revoked or expired
	Scopes []string `json:"scopes,omitempty"` // its permissions, where they are not all
}

// changeToken is the event "token": type revoked, expired or restored, or the permissions it has from now on.
func (s *Server) changeToken(a *account, _ *number, e *accountEvent) error {
	st := a.snapshot()
	token := e.Token
	if token == "" && len(st.Tokens) > 0 {
		token = st.Tokens[0]
	}
	if !slices.Contains(st.Tokens, token) {
		return badRequest("this is no token of the account")
	}
	kind := cmp.Or(e.Type, "revoked")
	if e.End {
		kind = "restored"
	}
	if !slices.Contains([]string{"revoked", "expired", "restored", "scopes"}, kind) {
		return badRequest("type must be revoked, expired, restored or scopes, not %q", e.Type)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	known := map[string]tokenState{}
	for name, state := range a.state.TokenStates {
		known[name] = state
	}
	state := known[token]
	switch kind {
	case "scopes":
		state.Scopes = append([]string{}, e.Scopes...)
	case "restored":
		state = tokenState{}
	default:
		state.Gone = kind
	}
	known[token] = state
	a.state.TokenStates = known
	return nil
}

// admit says whose accounts the request's token may use, and refuses one that is missing, unknown or gone.
func (s *Server) admit(g *graphRequest, token string) *graphError {
	if token == "" {
		return &graphError{Code: 0, Title: "We were unable to authenticate the app user: an access token is required to request this resource."}
	}
	if g.granted = s.appGrants(token); len(g.granted) > 0 {
		g.asApp = true
		return nil
	}
	for _, a := range s.dir.grants(token) {
		state := a.snapshot().TokenStates[token]
		switch state.Gone {
		case "revoked":
			return &graphError{Code: 190, Subcode: 460, Title: "Error validating access token: The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons."}
		case "expired":
			return &graphError{Code: 190, Subcode: 463, Title: "Error validating access token: Session has expired."}
		}
		g.scopes = state.Scopes
		g.granted = append(g.granted, a)
	}
	if len(g.granted) == 0 {
		return &graphError{Code: 190, Title: "Invalid OAuth access token - Cannot parse access token"}
	}
	return nil
}

// appGrants are the accounts of the app whose token this is: id|secret.
func (s *Server) appGrants(token string) (granted []*account) {
	id, secret, found := strings.Cut(token, "|")
	if !found || id != appID || secret == "" {
		return nil
	}
	for _, a := range s.dir.allAccounts() {
		if subtle.ConstantTimeCompare([]byte(a.snapshot().AppSecret), []byte(secret)) == 1 {
			granted = append(granted, a)
		}
	}
	return granted
}

// permit refuses what the token has no permission for: 10 for messages and media, 200 for the rest.
func (g *graphRequest) permit() *graphError {
	scope := scopeManage
	if g.Method == http.MethodPost && (g.edge == "messages" || g.edge == "media") {
		scope = scopeSend
	}
	switch {
	case g.asApp:
		return &graphError{Code: 100, Title: "An app access token cannot be used here: use the token of a system user."}
	case g.scopes == nil || slices.Contains(g.scopes, scope):
		return nil
	case scope == scopeSend:
		return refuse(10, "Application does not have permission for this action: %s is missing.", scope)
	}
	return refuse(200, "You do not have the necessary permission: %s is missing.", scope)
}

// debugToken says what a token may do, for checks before the start.
func (s *Server) debugToken(g *graphRequest) (any, *graphError) {
	if g.Method != http.MethodGet {
		return nil, unsupported(g)
	}
	about := &graphRequest{}
	if err := s.admit(about, g.query.Get("input_token")); err != nil {
		failure := map[string]any{"code": 190, "message": err.title()}
		if err.Subcode != 0 {
			failure["subcode"] = err.Subcode
		}
		return map[string]any{"data": map[string]any{"is_valid": false, "error": failure, "scopes": []string{}}}, nil
	}
	scopes := []string{scopeManage, scopeSend, scopeBusiness}
	if about.scopes != nil {
		scopes = about.scopes
	}
	ids := []string{}
	for _, a := range about.granted {
		ids = append(ids, a.id)
	}
	granular := []any{}
	for _, scope := range scopes {
		targets := ids
		if scope == scopeBusiness {
			targets = []string{businessID}
		}
		granular = append(granular, map[string]any{"scope": scope, "target_ids": targets})
	}
	data := map[string]any{"app_id": appID, "type": "SYSTEM_USER", "application": "Simulator", "is_valid": true, "user_id": systemUserID,
		"issued_at": tokensSince, "expires_at": 0, "data_access_expires_at": 0, "scopes": scopes, "granular_scopes": granular}
	if about.asApp { // it is nobody's
		data["type"], data["scopes"] = "APP", []string{}
		delete(data, "user_id")
		delete(data, "granular_scopes")
	}
	return map[string]any{"data": data}, nil
}
