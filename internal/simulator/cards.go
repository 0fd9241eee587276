// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"strings"
)

// Contact cards of citizens. Since 2026 each says where it comes from: asked for by the business, or somebody's.
// Source: business-scoped-user-ids, 7 May 2026.

// ownCard is the citizen's phone, as a contact request gets it.
func (c *citizenState) ownCard() map[string]any {
	first, _, _ := strings.Cut(c.Name, " ")
	return map[string]any{"origin": "contact_request", "name": map[string]any{"formatted_name": c.Name, "first_name": first},
		"phones": []any{map[string]any{"phone": displayed(c.Phone), "wa_id": c.Phone, "type": "CELL"}}}
}

// othersCards completes cards that a citizen sends of own accord, where they do not say themselves what they are.
func othersCards(raw json.RawMessage) any {
	var cards []map[string]any
	if json.Unmarshal(raw, &cards) != nil {
		return raw // tests may send nonsense
	}
	for _, card := range cards {
		if card["origin"] == nil {
			card["origin"] = "other"
			card["vcard"] = vCard(card)
		}
	}
	return cards
}

func vCard(card map[string]any) string {
	lines := []string{"BEGIN:VCARD", "VERSION:3.0"}
	if name, ok := card["name"].(map[string]any); ok {
		if formatted, ok := name["formatted_name"].(string); ok {
			lines = append(lines, "FN:"+vCardText(formatted))
		}
	}
	phones, _ := card["phones"].([]any)
	for _, p := range phones {
		if phone, ok := p.(map[string]any); ok {
			if digits, ok := phone["phone"].(string); ok {
				lines = append(lines, "TEL:"+vCardText(digits))
			}
		}
	}
	return strings.Join(append(lines, "END:VCARD"), "\n")
}

// vCardText escapes what has a meaning in a vCard. Source: RFC 6350, section 3.4.
func vCardText(text string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\r", "", "\n", `\n`).Replace(text)
}
