// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// verticals are what a business may be.
var verticals = []string{"UNDEFINED", "OTHER", "AUTO", "BEAUTY", "APPAREL", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GROCERY", "GOVT", "HOTEL", "HEALTH",
	"NONPROFIT", "PROF_SERVICES", "RETAIL", "TRAVEL", "RESTAURANT", "ALCOHOL", "ONLINE_GAMBLING", "PHYSICAL_GAMBLING", "OTC_DRUGS", "MATRIMONY_SERVICE"}

// profileLimits are the profile's texts with their greatest length.
var profileLimits = map[string]int{"about": 139, "address": 256, "description": 512, "email": 128}

func (n *number) profile(fields string) map[string]any {
	n.mu.Lock()
	defer n.mu.Unlock()
	profile := map[string]any{"messaging_product": "whatsapp"}
	wanted := fieldNames(fields)
	for name, value := range n.state.Profile {
		if fields == "" || slices.Contains(wanted, name) {
			profile[name] = value
		}
	}
	return map[string]any{"data": []any{profile}}
}

func (s *Server) setProfile(n *number, body []byte) (any, *graphError) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in["messaging_product"] != "whatsapp" {
		return nil, refuse(100, "The parameter messaging_product is required and must be whatsapp.")
	}
	delete(in, "messaging_product")
	for name, longest := range profileLimits {
		if text, ok := in[name].(string); ok && utf8.RuneCountInString(text) > longest {
			return nil, refuse(100, "Param %s must be at most %d characters long.", name, longest)
		}
	}
	if sites, ok := in["websites"].([]any); ok && len(sites) > 2 {
		return nil, refuse(100, "Param websites may have two addresses at most.")
	}
	if about, ok := in["about"].(string); ok && about == "" {
		return nil, refuse(100, "Param about may not be empty.")
	}
	if vertical, ok := in["vertical"]; ok && !slices.Contains(verticals, fmt.Sprint(vertical)) {
		return nil, refuse(100, "Param vertical must be one of {%s}.", strings.Join(verticals, ", "))
	}
	picture := ""
	if handle, ok := in["profile_picture_handle"]; ok {
		var err *graphError
		if picture, err = s.picture(handle); err != nil {
			return nil, err
		}
		delete(in, "profile_picture_handle")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if picture != "" {
		n.state.Picture = picture
	}
	if n.state.Profile == nil {
		n.state.Profile = map[string]any{}
	}
	maps.Copy(n.state.Profile, in)
	maps.DeleteFunc(n.state.Profile, func(_ string, value any) bool { return value == "" }) // what is emptied is not there
	s.saver.touch()
	return success, nil
}
