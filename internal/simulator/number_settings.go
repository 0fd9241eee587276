// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

func (n *number) settings() any {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := map[string]any{"storage_configuration": map[string]any{"status": "default"}}
	for name, value := range n.state.Settings {
		all[name] = value
	}
	return all
}

var features = []string{"storage_configuration", "user_identity_change", "calling", "payload_encryption"}

func (s *Server) setSettings(n *number, body []byte) (any, *graphError) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if len(in) != 1 {
		return nil, refuse(100, "Exactly one feature may be set at a time.")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, value := range in {
		if !slices.Contains(features, name) {
			return nil, refuse(100, "Unexpected key %q.", name)
		}
		if n.state.Settings == nil {
			n.state.Settings = map[string]any{}
		}
		n.state.Settings[name] = value
	}
	s.saver.touch()
	return success, nil
}

func (s *Server) setAutomation(n *number, body []byte) (any, *graphError) {
	var in struct {
		Welcome  flexBool `json:"enable_welcome_message"`
		Prompts  []string `json:"prompts"`
		Commands []struct {
			Name        string `json:"command_name"`
			Description string `json:"command_description"`
		} `json:"commands"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if len(in.Prompts) > 4 || len(in.Commands) > 30 {
		return nil, refuse(100, "At most 4 prompts and 30 commands.")
	}
	for _, p := range in.Prompts {
		if n := utf8.RuneCountInString(p); n == 0 || n > 80 {
			return nil, refuse(100, "A prompt has 1 to 80 characters.")
		}
	}
	for _, c := range in.Commands {
		if n := utf8.RuneCountInString(c.Name); n == 0 || n > 32 || utf8.RuneCountInString(c.Description) > 256 {
			return nil, refuse(100, "A command has 1 to 32 characters, its description 256 at most.")
		}
	}
	var kept map[string]any
	if err := json.Unmarshal(body, &kept); err != nil {
		return nil, badJSON(err)
	}
	if _, told := kept["enable_welcome_message"]; told {
		kept["enable_welcome_message"] = in.Welcome
	}
	n.mu.Lock()
	n.state.Automation = kept
	n.mu.Unlock()
	s.saver.touch()
	return success, nil
}
