// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ofGraph are parameters that any request may have, and no handler reads.
var ofGraph = []string{"access_token", "appsecret_proof"}

// takeParameters makes one JSON object of what a request that changes something says, and finds its token: Graph takes
// parameters from a JSON body, a form and the query alike. What stands in the body wins.
func (g *graphRequest) takeParameters() (token string, wrong *graphError) {
	token = bearer(g.Request)
	parted := strings.HasPrefix(g.Header.Get("Content-Type"), "multipart/")
	if g.Method == http.MethodGet || isUpload(g.Request) || parted && strings.HasSuffix(strings.TrimSuffix(g.URL.Path, "/"), "/media") {
		return token, nil
	}
	given := g.parameters(g.query)
	switch {
	case isForm(g.Header) || parted:
		form, err := g.form(parted)
		if err != nil {
			return token, refuse(100, "The form cannot be read.")
		}
		token = cmp.Or(form.Get("access_token"), token)
		maps.Copy(given, g.parameters(form))
	case len(given) == 0 && !bytes.Contains(g.body, []byte(`"access_token"`)):
		return token, nil
	case len(g.body) > 0:
		if err := json.Unmarshal(g.body, &given); err != nil {
			return token, badJSON(err)
		}
		if inside, ok := given["access_token"].(string); ok {
			token = cmp.Or(inside, token)
		}
		for _, name := range ofGraph {
			delete(given, name)
		}
	}
	if len(given) > 0 || parted || isForm(g.Header) && len(g.body) > 0 {
		g.body = marshal(given)
	}
	return token, nil
}

// form are the values of a form, of which one in parts may have files too, which nothing but an upload reads.
func (g *graphRequest) form(parted bool) (url.Values, error) {
	if !parted {
		return url.ParseQuery(string(g.body))
	}
	if err := g.ParseMultipartForm(maxGraphBody); err != nil {
		return nil, err
	}
	return url.Values(g.MultipartForm.Value), g.MultipartForm.RemoveAll()
}

// parameters are values as the handlers read them: what is JSON of more than one value stays so, names with brackets
// are nested as PHP writes them, all else is text.
func (g *graphRequest) parameters(values url.Values) map[string]any {
	all := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(ofGraph, name) {
			continue
		}
		path := nesting(name)
		if len(path) == 1 {
			all[name] = parameter(values.Get(name))
			continue
		}
		for _, value := range values[name] {
			nest(all, path, parameter(value))
		}
	}
	for name, value := range all {
		all[name] = asLists(value)
	}
	return all
}

func parameter(value string) any {
	if value != "" && strings.ContainsAny(value[:1], "[{") && json.Valid([]byte(value)) {
		return json.RawMessage(value)
	}
	return value
}

// deepest is how deep names are taken apart; Meta's objects are less than half of it.
const deepest = 20

// nesting are the parts of a name such as template[components][0][type]; of another it is the name alone.
func nesting(name string) []string {
	first, rest, nested := strings.Cut(name, "[")
	if !nested || first == "" || !strings.HasSuffix(rest, "]") {
		return []string{name}
	}
	parts := append([]string{first}, strings.Split(strings.TrimSuffix(rest, "]"), "][")...)
	if len(parts) > deepest || strings.ContainsAny(strings.Join(parts, ""), "[]") {
		return []string{name}
	}
	return parts
}

// nest puts a value where a path leads; an empty part is the next of a list. What stood there as a value gives way.
func nest(in map[string]any, path []string, value any) {
	name := path[0]
	if name == "" {
		name = strconv.Itoa(len(in))
	}
	if len(path) == 1 {
		in[name] = value
		return
	}
	inner, ok := in[name].(map[string]any)
	if !ok {
		inner = map[string]any{}
		in[name] = inner
	}
	nest(inner, path[1:], value)
}

// asLists makes lists of what has the names 0, 1, 2 and so on.
func asLists(value any) any {
	in, ok := value.(map[string]any)
	if !ok {
		return value
	}
	list := make([]any, len(in))
	isList := len(in) > 0
	for i := range list {
		one, there := in[strconv.Itoa(i)]
		list[i], isList = asLists(one), isList && there
	}
	if isList {
		return list
	}
	for name, inner := range in {
		in[name] = asLists(inner)
	}
	return in
}

func isForm(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded")
}

// withoutToken is a body as it may be kept.
func withoutToken(h http.Header, body []byte) []byte {
	if !isForm(h) {
		if bytes.Contains(body, []byte(`"client_secret"`)) { // the code of a signup, which stands for a token
			body = codeInJSON.ReplaceAll(body, []byte(`"code":"…"`))
		}
		return tokenInJSON.ReplaceAll(body, []byte(`"$1":"…"`))
	}
	return []byte(queryWithoutTokens(string(body)))
}

var codeInJSON = regexp.MustCompile(`"code"\s*:\s*"(?:[^"\\]|\\.)*"`)

// tokenInJSON is a token or a secret beside the other parameters of a JSON body.
var tokenInJSON = regexp.MustCompile(`"(access_token|client_secret|fb_exchange_token|input_token)"\s*:\s*"(?:[^"\\]|\\.)*"`)

// bearer is the token of the request. One among the parameters goes before that of the header, which some clients send
// with every request.
func bearer(r *http.Request) string {
	if token := r.URL.Query().Get("access_token"); token != "" {
		return token
	}
	header := r.Header.Get("Authorization")
	if scheme, token, found := strings.Cut(header, " "); found && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "OAuth")) {
		return strings.TrimSpace(token)
	}
	return ""
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
