// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ofGraph are parameters that any request may have, and no handler reads.
var ofGraph = []string{"access_token", "appsecret_proof"}

// takeParameters makes one JSON object of what a request that changes something says, and finds its token: Graph takes
// parameters from a JSON body, a form and the query alike. What stands in the body wins.
func (g *graphRequest) takeParameters() (token string, wrong *graphError) {
	token = bearer(g.Request)
	if g.Method == http.MethodGet || isUpload(g.Request) || strings.HasPrefix(g.Header.Get("Content-Type"), "multipart/") {
		return token, nil
	}
	given := g.parameters(g.query)
	switch {
	case isForm(g.Header):
		form, err := url.ParseQuery(string(g.body))
		if err != nil {
			return token, refuse(100, "The form cannot be read.")
		}
		if token == "" {
			token = form.Get("access_token")
		}
		for name, value := range g.parameters(form) {
			given[name] = value
		}
	case len(given) == 0:
		return token, nil
	case len(g.body) > 0:
		if err := json.Unmarshal(g.body, &given); err != nil {
			return token, badJSON(err)
		}
	}
	if len(given) > 0 || isForm(g.Header) && len(g.body) > 0 {
		g.body = marshal(given)
	}
	return token, nil
}

// parameters are values as the handlers read them: what is JSON of more than one value stays so, all else is text.
func (g *graphRequest) parameters(values url.Values) map[string]any {
	all := map[string]any{}
	for name := range values {
		value := values.Get(name)
		switch {
		case slices.Contains(ofGraph, name):
		case value != "" && strings.ContainsAny(value[:1], "[{") && json.Valid([]byte(value)):
			all[name] = json.RawMessage(value)
		default:
			all[name] = value
		}
	}
	return all
}

func isForm(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// withoutToken is a body as it may be kept.
func withoutToken(h http.Header, body []byte) []byte {
	if !isForm(h) {
		return body
	}
	return []byte(queryWithoutTokens(string(body)))
}

// bearer is the token of the request; Meta also takes it as a parameter.
func bearer(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if scheme, token, found := strings.Cut(header, " "); found && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "OAuth")) {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("access_token")
}

// flexBool takes what the Graph API takes for true or false: a form has only texts.
type flexBool bool

func (f *flexBool) UnmarshalJSON(raw []byte) error {
	switch strings.Trim(string(raw), `"`) {
	case "true", "1":
		*f = true
		return nil
	case "false", "0", "":
		*f = false
		return nil
	}
	return json.Unmarshal(raw, (*bool)(f))
}
