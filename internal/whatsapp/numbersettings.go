// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// NumberSettings are switches of a number.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/local-storage
type NumberSettings struct {
	Storage       string // storage_configuration.status: "" or default, IN_COUNTRY_STORAGE_ENABLED, …
	StorageRegion string // country where messages rest, such as DE; "" is Meta's data centres worldwide
	IdentityCheck bool   // citizens whose key changed are told of by identity_key_hash
}

// LocalStorage tells that messages rest in the country of StorageRegion.
func (s NumberSettings) LocalStorage() bool {
	return strings.EqualFold(s.Storage, "IN_COUNTRY_STORAGE_ENABLED")
}

// NumberSettings reads the switches of the account's number.
func (c *Client) NumberSettings(ctx context.Context, acc Account) (NumberSettings, error) {
	v, err := c.get(ctx, acc, numberPath(acc, "settings"), "")
	if err != nil {
		return NumberSettings{}, fmt.Errorf("read the settings of number %s: %w", acc.PhoneNumberID, err)
	}
	storage := v.Get("storage_configuration")
	return NumberSettings{
		Storage:       text(storage.Get("status")),
		StorageRegion: cmp.Or(text(storage.Get("data_localization_region")), text(storage.Get("retention_region"))),
		IdentityCheck: truth(v.Get("user_identity_change.enable_identity_key_check")),
	}, nil
}

// SetIdentityCheck switches the identity check: with it, messages sent with a citizen's known key reach only the
// phone that has it.
func (c *Client) SetIdentityCheck(ctx context.Context, acc Account, on bool) error {
	err := c.post(ctx, acc, "settings", map[string]any{"user_identity_change": map[string]bool{"enable_identity_key_check": on}})
	if err != nil {
		return fmt.Errorf("switch the identity check of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// StoreIn has what the number sends and receives rest in a country, such as DE, once it is registered: it must not be yet.
func (c *Client) StoreIn(ctx context.Context, acc Account, region string) error {
	err := c.post(ctx, acc, "settings", map[string]any{"storage_configuration": map[string]string{
		"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": region}})
	if err != nil {
		return fmt.Errorf("set where number %s keeps messages: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// Bounds of what a chat suggests, in characters but for the numbers of them.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/conversational-components
const (
	MaxPrompts     = 4
	MaxPrompt      = 80
	MaxCommands    = 30
	MaxCommand     = 32
	MaxCommandHint = 256
)

// Suggestions are what a chat offers to write: prompts in an empty one, commands after "/". They arrive as text.
type Suggestions struct {
	Prompts  []string
	Commands []Command
}

// Command is a word after "/" with what it is for.
type Command struct {
	Name string `json:"command_name"`
	Hint string `json:"command_description"`
}

// Problem names the first thing Meta would refuse: "prompts", "prompt", "commands", "command" or "hint", and the text
// concerned; "" when all is fine.
func (s Suggestions) Problem() (what, which string) {
	if len(s.Prompts) > MaxPrompts {
		return "prompts", ""
	}
	for _, p := range s.Prompts {
		if utf8.RuneCountInString(p) > MaxPrompt || hasEmoji(p) {
			return "prompt", p
		}
	}
	if len(s.Commands) > MaxCommands {
		return "commands", ""
	}
	seen := map[string]bool{}
	for _, c := range s.Commands {
		switch {
		case c.Name == "" || utf8.RuneCountInString(c.Name) > MaxCommand || hasEmoji(c.Name) || strings.ContainsAny(c.Name, " /\t") || seen[c.Name]:
			return "command", c.Name
		case c.Hint == "" || utf8.RuneCountInString(c.Hint) > MaxCommandHint || hasEmoji(c.Hint):
			return "hint", c.Name
		}
		seen[c.Name] = true
	}
	return "", ""
}

// hasEmoji finds pictures among letters: planes beyond the basic one, and the older symbols.
func hasEmoji(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x1F000 || r >= 0x2600 && r <= 0x27BF || r == 0xFE0F })
}

// Suggestions reads what chats with the account's number suggest.
func (c *Client) Suggestions(ctx context.Context, acc Account) (Suggestions, error) {
	v, err := c.get(ctx, acc, numberPath(acc, ""), "conversational_automation")
	if err != nil {
		return Suggestions{}, fmt.Errorf("read the suggestions of number %s: %w", acc.PhoneNumberID, err)
	}
	v = v.Get("conversational_automation")
	var s Suggestions
	for _, p := range v.Get("prompts").Array() {
		s.Prompts = append(s.Prompts, text(p))
	}
	for _, one := range v.Get("commands").Array() {
		s.Commands = append(s.Commands, Command{Name: text(one.Get("command_name")), Hint: text(one.Get("command_description"))})
	}
	return s, nil
}

// SetSuggestions replaces what chats suggest. Meta's welcome message stays off: it does not work as expected.
func (c *Client) SetSuggestions(ctx context.Context, acc Account, s Suggestions) error {
	if what, _ := s.Problem(); what != "" {
		return limit(what, "be such as Meta takes it")
	}
	body := map[string]any{"enable_welcome_message": false, "prompts": append([]string{}, s.Prompts...), "commands": append([]Command{}, s.Commands...)}
	if err := c.post(ctx, acc, "conversational_automation", body); err != nil {
		return fmt.Errorf("write the suggestions of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// Bounds of short links. https://developers.facebook.com/documentation/business-messaging/whatsapp/qr-codes
const (
	MaxLinkText = 140
	MaxLinks    = 2000
)

// Link is a short address, for print and QR codes, that opens a chat with a text already written. Its text can be
// changed after printing.
type Link struct{ Code, Text, Address string }

func readLink(v gjson.Result) Link {
	return Link{Code: text(v.Get("code")), Text: text(v.Get("prefilled_message")), Address: text(v.Get("deep_link_url"))}
}

const linksEdge = "message_qrdls"

// Links lists the short links of the account's number.
func (c *Client) Links(ctx context.Context, acc Account) ([]Link, error) {
	query := url.Values{"limit": {fmt.Sprint(MaxLinks)}}
	v, err := c.edge(ctx, acc, http.MethodGet, numberPath(acc, linksEdge), query, nil)
	if err != nil {
		return nil, fmt.Errorf("list the links of number %s: %w", acc.PhoneNumberID, err)
	}
	var links []Link
	for _, one := range v.Get("data").Array() {
		links = append(links, readLink(one))
	}
	return links, nil
}

// SaveLink makes a link, or changes the text of the one with the code.
func (c *Client) SaveLink(ctx context.Context, acc Account, code, prefilled string) (Link, error) {
	if n := utf8.RuneCountInString(prefilled); n == 0 || n > MaxLinkText {
		return Link{}, limit("prefilled_message", "have 1 to %d characters", MaxLinkText)
	}
	body := map[string]string{"prefilled_message": prefilled}
	if code != "" {
		body["code"] = code
	} else {
		body["generate_qr_image"] = "SVG"
	}
	v, err := c.edge(ctx, acc, http.MethodPost, numberPath(acc, linksEdge), nil, body)
	if err != nil {
		return Link{}, fmt.Errorf("save a link of number %s: %w", acc.PhoneNumberID, err)
	}
	return readLink(v), nil
}

// DeleteLink takes a link away: what is printed no longer works.
func (c *Client) DeleteLink(ctx context.Context, acc Account, code string) error {
	path := node(acc.PhoneNumberID, linksEdge) + "/" + url.PathEscape(code)
	if _, err := c.edge(ctx, acc, http.MethodDelete, path, nil, nil); err != nil {
		return fmt.Errorf("delete a link of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}
