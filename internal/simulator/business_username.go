// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Usernames of businesses. Meta's rules are those of its page on business usernames, as the reference gives them;
// which of 147001 to 147005 a name gets is partly ours: only that a taken one is unavailable can be tried here.

var (
	usernameShape  = regexp.MustCompile(`^[a-z0-9._]{3,35}$`)
	usernameDomain = regexp.MustCompile(`\.(it|eu|com|org|net|gov|info)$`)
)

// usernames is /{phone_number_id}/username and /username_suggestions.
func (s *Server) usernames(g *graphRequest, n *number) (any, *graphError) {
	switch g.Method + " " + g.edge {
	case "GET username":
		answer := map[string]any{}
		if name := n.snapshot().Username; name != "" {
			answer["username"], answer["status"] = name, "approved"
		}
		return answer, nil
	case "POST username":
		return s.setUsername(g, n)
	case "DELETE username":
		n.mu.Lock()
		n.state.Username = ""
		n.mu.Unlock()
		s.saver.touch()
		return success, nil
	case "GET username_suggestions":
		return map[string]any{"data": []any{map[string]any{"username_suggestions": s.suggestUsernames(n)}}}, nil
	}
	return nil, unsupported(g)
}

func (s *Server) setUsername(g *graphRequest, n *number) (any, *graphError) {
	var in struct {
		Name string `json:"username"`
	}
	if err := json.Unmarshal(g.body, &in); err != nil {
		return nil, badJSON(err)
	}
	switch {
	case !goodUsername(in.Name):
		return nil, refuse(100, "Param username must have 3 to 35 of a-z, 0-9, '.' and '_', a letter at least, and look like no address.")
	case s.usernameTaken(in.Name, n):
		return nil, &graphError{Code: 147001, Title: "Username is not available"}
	}
	if limit, _ := tierSize(n.account.snapshot().MessagingLimit); limit > 0 && limit < 2000 {
		return nil, &graphError{Code: 147002, Title: "The messaging limit is too low for a username"}
	}
	n.mu.Lock()
	n.state.Username = in.Name
	n.mu.Unlock()
	s.saver.touch()
	return map[string]any{"status": "approved"}, nil
}

func goodUsername(name string) bool {
	return usernameShape.MatchString(name) && strings.ContainsAny(name, "abcdefghijklmnopqrstuvwxyz") && !strings.Contains(name, "..") &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.HasPrefix(name, "www") && !usernameDomain.MatchString(name)
}

// usernameTaken looks among the other numbers and the citizens, who share one namespace.
func (s *Server) usernameTaken(name string, but *number) bool {
	for _, n := range s.dir.allNumbers() {
		if n != but && n.snapshot().Username == name {
			return true
		}
	}
	for _, c := range s.codes.values() {
		if strings.EqualFold(strings.TrimPrefix(c.snapshot().Username, "@"), name) {
			return true
		}
	}
	return false
}

// suggestUsernames makes names of the verified one: "Comune di Prova" is comune.di.prova and comunediprova.
func (s *Server) suggestUsernames(n *number) []string {
	words := strings.FieldsFunc(strings.ToLower(n.snapshot().Name), func(r rune) bool { return r < 'a' || r > 'z' })
	names := []string{}
	for _, name := range []string{strings.Join(words, "."), strings.Join(words, ""), strings.Join(words, "_")} {
		if goodUsername(name) && !s.usernameTaken(name, n) {
			names = append(names, name)
		}
	}
	return names
}
