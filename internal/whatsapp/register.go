// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
)

// How Meta may tell the code of a number: for a landline a voice call, which no switchboard may take.
const (
	BySMS   = "SMS"
	ByVoice = "VOICE"
)

// Numbers lists the numbers of the business account, of which there are few: 20 or 25.
func (c *Client) Numbers(ctx context.Context, acc Account) ([]PhoneNumber, error) {
	query := url.Values{"fields": {numberFields}, "limit": {"100"}}
	v, err := c.call(ctx, request{method: http.MethodGet, path: node(acc.WABAID, "phone_numbers"), query: query, token: acc.Token})
	if err != nil {
		return nil, fmt.Errorf("list the numbers of business account %s: %w", acc.WABAID, err)
	}
	var numbers []PhoneNumber
	for _, one := range v.Get("data").Array() {
		numbers = append(numbers, readPhoneNumber(one))
	}
	return numbers, nil
}

// AddNumber adds a number to the business account and returns Meta's id of it. The prefix is of the country, "39";
// the number what follows, with the zero of an Italian landline.
func (c *Client) AddNumber(ctx context.Context, acc Account, prefix, number, verifiedName string) (string, error) {
	v, err := c.edge(ctx, acc, http.MethodPost, node(acc.WABAID, "phone_numbers"), nil,
		map[string]string{"cc": prefix, "phone_number": number, "verified_name": verifiedName})
	if err != nil {
		return "", fmt.Errorf("add a number to business account %s: %w", acc.WABAID, err)
	}
	id := text(v.Get("id"))
	if !usableID(id) {
		return "", fmt.Errorf("add a number to business account %s: the answer has no id", acc.WABAID)
	}
	return id, nil
}

// RequestCode has Meta tell the number its code, BySMS or ByVoice, in a language such as "it".
func (c *Client) RequestCode(ctx context.Context, acc Account, method, language string) error {
	if err := c.post(ctx, acc, "request_code", map[string]string{"code_method": method, "language": language}); err != nil {
		return fmt.Errorf("ask for the code of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// VerifyCode tells Meta the code.
func (c *Client) VerifyCode(ctx context.Context, acc Account, code string) error {
	if err := c.post(ctx, acc, "verify_code", map[string]string{"code": code}); err != nil {
		return fmt.Errorf("verify number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// UsablePIN tells whether a two-step PIN has six digits.
func UsablePIN(pin string) bool { return sixDigits.MatchString(pin) }

// Register connects the number to the Cloud API. A number that has a PIN wants that one, another gets this. Meta
// allows ten registrations and their undoing in 72 hours, then 133016.
func (c *Client) Register(ctx context.Context, acc Account, pin string) error {
	if err := c.post(ctx, acc, "register", map[string]string{"messaging_product": "whatsapp", "pin": pin}); err != nil {
		return fmt.Errorf("register number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// Deregister disconnects the number: it sends and receives nothing more until it is registered again.
func (c *Client) Deregister(ctx context.Context, acc Account) error {
	if err := c.post(ctx, acc, "deregister", nil); err != nil {
		return fmt.Errorf("deregister number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// SetPIN changes the number's two-step PIN.
func (c *Client) SetPIN(ctx context.Context, acc Account, pin string) error {
	if err := c.post(ctx, acc, "", map[string]string{"pin": pin}); err != nil {
		return fmt.Errorf("change the PIN of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}
