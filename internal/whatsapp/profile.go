// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"unicode/utf8"
)

// Bounds of a business profile, in characters but for the number of addresses.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-profiles
const (
	MaxAbout       = 139
	MaxAddress     = 256
	MaxDescription = 512
	MaxEmail       = 128
	MaxWebsites    = 2
	MaxWebsite     = 256
)

// Government is the vertical of a public body.
const Government = "GOVT"

// BusinessProfile is what citizens see when they open the number in WhatsApp.
type BusinessProfile struct {
	About       string // the line below the name
	Address     string
	Description string
	Email       string
	Websites    []string // http or https
	Vertical    string   // Government for us; Meta's list is open
	Picture     string   // address of the picture, good for a while; read only
}

// Problem names the first field that Meta would refuse, by its name in the API, and why: "required", "long" or
// "invalid". Both are "" when it is fine.
func (p BusinessProfile) Problem() (field, why string) {
	for _, f := range []struct {
		name, value string
		longest     int
	}{
		{"about", p.About, MaxAbout}, {"address", p.Address, MaxAddress}, {"description", p.Description, MaxDescription}, {"email", p.Email, MaxEmail},
	} {
		if utf8.RuneCountInString(f.value) > f.longest {
			return f.name, "long"
		}
	}
	if p.About == "" {
		return "about", "required"
	}
	if p.Email != "" {
		if parsed, err := mail.ParseAddress(p.Email); err != nil || parsed.Address != p.Email {
			return "email", "invalid"
		}
	}
	if len(p.Websites) > MaxWebsites {
		return "websites", "long"
	}
	for _, site := range p.Websites {
		u, err := url.Parse(site)
		switch {
		case utf8.RuneCountInString(site) > MaxWebsite:
			return "websites", "long"
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			return "websites", "invalid"
		}
	}
	return "", ""
}

// BusinessProfile reads the profile of the account's number.
func (c *Client) BusinessProfile(ctx context.Context, acc Account) (BusinessProfile, error) {
	v, err := c.get(ctx, acc, numberPath(acc, "whatsapp_business_profile"), "about,address,description,email,websites,vertical,profile_picture_url")
	if err != nil {
		return BusinessProfile{}, fmt.Errorf("read the profile of number %s: %w", acc.PhoneNumberID, err)
	}
	one := v.Get("data.0")
	p := BusinessProfile{
		About: text(one.Get("about")), Address: text(one.Get("address")), Description: text(one.Get("description")),
		Email: text(one.Get("email")), Vertical: text(one.Get("vertical")), Picture: text(one.Get("profile_picture_url")),
	}
	for _, site := range one.Get("websites").Array() {
		p.Websites = append(p.Websites, text(site))
	}
	return p, nil
}

// SetBusinessProfile writes the profile, all but its picture; what is empty is emptied.
func (c *Client) SetBusinessProfile(ctx context.Context, acc Account, p BusinessProfile) error {
	if field, why := p.Problem(); field != "" {
		return limit(field, "be such as Meta takes it (%s)", why)
	}
	sites := p.Websites
	if sites == nil {
		sites = []string{}
	}
	body := map[string]any{
		"messaging_product": "whatsapp", "about": p.About, "address": p.Address, "description": p.Description,
		"email": p.Email, "websites": sites,
	}
	if p.Vertical != "" { // Meta takes an empty text for the others, which are gone then; a vertical is one of its list
		body["vertical"] = p.Vertical
	}
	if err := c.post(ctx, acc, "whatsapp_business_profile", body); err != nil {
		return fmt.Errorf("write the profile of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// SetProfilePicture makes the picture behind a handle of Upload that of the number.
func (c *Client) SetProfilePicture(ctx context.Context, acc Account, handle string) error {
	err := c.post(ctx, acc, "whatsapp_business_profile", map[string]any{"messaging_product": "whatsapp", "profile_picture_handle": handle})
	if err != nil {
		return fmt.Errorf("set the picture of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// App asks which app the token belongs to: uploads of pictures and samples hang on it.
// https://developers.facebook.com/docs/graph-api/reference/application
func (c *Client) App(ctx context.Context, acc Account) (string, error) {
	v, err := c.get(ctx, acc, "/app", "id")
	if err != nil {
		return "", fmt.Errorf("ask for the app of the token: %w", err)
	}
	id := text(v.Get("id"))
	if !usableID(id) {
		return "", fmt.Errorf("ask for the app of the token: the answer has no id")
	}
	return id, nil
}

// username is the edge of a business username, and its suggestions.
const username = "username"

// Username is the name by which a number can be found, without "@".
type Username struct{ Name, Status string } // Status is Meta's: approved, reserved, …

// Username reads the username of the account's number; Name is "" when there is none.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
func (c *Client) Username(ctx context.Context, acc Account) (Username, error) {
	v, err := c.get(ctx, acc, numberPath(acc, username), "")
	if err != nil {
		return Username{}, fmt.Errorf("read the username of number %s: %w", acc.PhoneNumberID, err)
	}
	if one := v.Get("data.0"); one.IsObject() {
		v = one
	}
	return Username{Name: text(v.Get("username")), Status: text(v.Get("status"))}, nil
}

// SetUsername claims a username for the number. Names of others and those not allowed are Graph errors 147001 to
// 147005.
func (c *Client) SetUsername(ctx context.Context, acc Account, name string) error {
	if err := c.post(ctx, acc, username, map[string]any{"username": name, "transfer_action": "none"}); err != nil {
		return fmt.Errorf("claim a username for number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// DeleteUsername gives the username up: anybody may claim it then.
func (c *Client) DeleteUsername(ctx context.Context, acc Account) error {
	if _, err := c.edge(ctx, acc, http.MethodDelete, numberPath(acc, username), nil, nil); err != nil {
		return fmt.Errorf("give up the username of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// UsernameSuggestions asks which usernames Meta proposes.
func (c *Client) UsernameSuggestions(ctx context.Context, acc Account) ([]string, error) {
	v, err := c.get(ctx, acc, numberPath(acc, "username_suggestions"), "")
	if err != nil {
		return nil, fmt.Errorf("ask for usernames for number %s: %w", acc.PhoneNumberID, err)
	}
	var names []string
	for _, one := range v.Get("data").Array() {
		list := one.Get("username_suggestions").Array()
		if len(list) == 0 {
			list = append(list, one)
		}
		for _, name := range list {
			if s := text(name); s != "" {
				names = append(names, s)
			}
		}
	}
	return names, nil
}

// UsernameProblem tells why a username can't be: "short", "long", "letters" or "shape"; "" when it may be.
func UsernameProblem(name string) string {
	letter, shape := false, name == ""
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z':
			letter = true
		case r >= '0' && r <= '9' || r == '_':
		case r == '.':
			shape = shape || i == 0 || i == len(name)-1 || name[i-1] == '.'
		default:
			return "letters"
		}
	}
	switch {
	case len(name) < 3:
		return "short"
	case len(name) > 35:
		return "long"
	case !letter:
		return "letters"
	case shape || len(name) >= 3 && name[:3] == "www" || endsLikeDomain(name):
		return "shape"
	}
	return ""
}

// endsLikeDomain knows the endings that a municipality may think of; Meta's list is longer, and decides.
func endsLikeDomain(name string) bool {
	for _, ending := range []string{".it", ".eu", ".com", ".org", ".net", ".gov", ".info"} {
		if len(name) >= len(ending) && name[len(name)-len(ending):] == ending {
			return true
		}
	}
	return false
}
