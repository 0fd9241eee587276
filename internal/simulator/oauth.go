// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// oauth is /oauth/access_token: the app's own token, that of a business for the code of its signup, and a token with a
// longer life for one there is. Here a code is the token it stands for.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/onboarding-customers-as-a-tech-provider
func (s *Server) oauth(r *http.Request, body []byte) (any, *graphError) {
	given, err := oauthParameters(r, body)
	if err != nil {
		return nil, err
	}
	app := given.Get("client_id") + "|" + given.Get("client_secret")
	switch {
	case given.Get("client_id") != appID:
		return nil, &graphError{Code: 101, Title: "Error validating application. Cannot get application info due to a system error."}
	case len(s.appGrants(app)) == 0:
		return nil, &graphError{Code: 1, Title: "Error validating client secret."}
	case given.Get("code") != "":
		if !s.valid(given.Get("code")) {
			return nil, &graphError{Code: 100, Subcode: 36009, Title: "This authorization code has been used."}
		}
		return map[string]any{"access_token": given.Get("code"), "token_type": "bearer"}, nil
	case given.Get("grant_type") == "fb_exchange_token":
		token := given.Get("fb_exchange_token")
		if !s.valid(token) {
			return nil, &graphError{Code: 190, Title: "Invalid OAuth access token - Cannot parse access token"}
		}
		return map[string]any{"access_token": token, "token_type": "bearer", "expires_in": 60 * 24 * 3600}, nil
	case given.Get("grant_type") == "client_credentials":
		return map[string]any{"access_token": app, "token_type": "bearer"}, nil
	}
	return nil, refuse(100, "The parameter code is required, or grant_type client_credentials or fb_exchange_token.")
}

// oauthParameters are those of the query, of a form, or of a JSON body.
func oauthParameters(r *http.Request, body []byte) (url.Values, *graphError) {
	given := r.URL.Query()
	switch {
	case isForm(r.Header):
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, refuse(100, "The form cannot be read.")
		}
		for name := range form {
			given.Set(name, form.Get(name))
		}
	case len(body) > 0:
		inside, read := map[string]any{}, json.NewDecoder(bytes.NewReader(body))
		read.UseNumber() // an id may be a number, and is none to reckon with
		if err := read.Decode(&inside); err != nil {
			return nil, badJSON(err)
		}
		for name, value := range inside {
			given.Set(name, fmt.Sprint(value))
		}
	}
	return given, nil
}

// valid tells whether a token is known and not gone.
func (s *Server) valid(token string) bool { return s.admit(&graphRequest{}, token) == nil }

// checkProof holds the proof that the client knows the app's secret, where it gives one: the token signed with it.
// Source: https://developers.facebook.com/docs/graph-api/guides/secure-requests
func (g *graphRequest) checkProof(token, proof string) *graphError {
	if proof == "" || slices.ContainsFunc(g.granted, func(a *account) bool {
		mac := hmac.New(sha256.New, []byte(a.snapshot().AppSecret))
		mac.Write([]byte(token))
		return hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(proof))
	}) {
		return nil
	}
	return &graphError{Code: 100, Kind: "GraphMethodException", Title: "Invalid appsecret_proof provided in the API argument"}
}
