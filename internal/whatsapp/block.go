// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"
)

// Person is a citizen as the block list names them: by a phone (E.164 with "+"), or by a BSUID. Parent BSUIDs are refused.
type Person struct{ Phone, UserID string }

func (p Person) node() map[string]string {
	if p.Phone != "" {
		return map[string]string{"user": p.Phone}
	}
	return map[string]string{"user_id": p.UserID}
}

// BlockError is what Block and Unblock fail with when Meta named the citizen among those it failed for.
type BlockError struct{ Code int } // why, 0 where Meta does not say

func (e BlockError) Error() string {
	return fmt.Sprintf("the citizen is among those Meta failed for (%d)", e.Code)
}

// Block puts a citizen on the number's block list: they can't write to it, and what is sent to them fails. Meta takes
// only who wrote in the last 24 hours (131047 in an BlockError), and 64,000 in all (139101).
// https://developers.facebook.com/documentation/business-messaging/whatsapp/block-users
func (c *Client) Block(ctx context.Context, acc Account, p Person) error {
	if err := c.setBlock(ctx, acc, http.MethodPost, p, "added_users"); err != nil {
		return fmt.Errorf("block a citizen on number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

// Unblock takes a citizen off the number's block list.
func (c *Client) Unblock(ctx context.Context, acc Account, p Person) error {
	if err := c.setBlock(ctx, acc, http.MethodDelete, p, "removed_users"); err != nil {
		return fmt.Errorf("unblock a citizen on number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}

func (c *Client) setBlock(ctx context.Context, acc Account, method string, p Person, done string) error {
	body := map[string]any{"messaging_product": "whatsapp", "block_users": []any{p.node()}}
	r := request{method: method, path: numberPath(acc, "block_users"), token: acc.Token}
	var err error
	if r.body, err = marshalBody(body); err != nil {
		return err
	}
	a, err := c.do(ctx, r, &witness{})
	if err != nil {
		return err
	}
	users := a.body.Get("block_users")
	if users.Get(done + ".0").Exists() { // beside an error too: Meta answers 400 when it failed for others
		return nil
	}
	if failed := users.Get("failed_users.0"); failed.Exists() {
		return BlockError{Code: integer(failed.Get("errors.0.code"))}
	}
	if e := a.graphError(); e != nil {
		return e
	}
	if !a.ok() {
		return &StatusError{HTTPStatus: a.status}
	}
	return errors.New("the answer does not name the citizen")
}

const (
	blockedPerPage = 1000
	maxBlockPages  = 100
)

// Blocked lists the number's block list.
func (c *Client) Blocked(ctx context.Context, acc Account) ([]Person, error) {
	var people []Person
	after := ""
	for range maxBlockPages {
		query := url.Values{"limit": {fmt.Sprint(blockedPerPage)}}
		if after != "" {
			query.Set("after", after)
		}
		page, err := c.edge(ctx, acc, http.MethodGet, numberPath(acc, "block_users"), query, nil)
		if err != nil {
			return nil, fmt.Errorf("list who is blocked on number %s: %w", acc.PhoneNumberID, err)
		}
		people = append(people, readBlocked(page)...)
		next := text(page.Get("paging.cursors.after"))
		if text(page.Get("paging.next")) == "" || next == "" || next == after {
			return people, nil
		}
		after = next
	}
	return nil, fmt.Errorf("list who is blocked on number %s: %w", acc.PhoneNumberID, errEndless)
}

// readBlocked reads a page of the list, whose entries stand in data, or one level deeper.
func readBlocked(page gjson.Result) (people []Person) {
	for _, one := range page.Get("data").Array() {
		entries := []gjson.Result{one}
		if inner := one.Get("block_users"); inner.IsArray() {
			entries = inner.Array()
		}
		for _, e := range entries {
			p := Person{UserID: text(e.Get("user_id"))}
			if phone := text(e.Get("wa_id")); phone != "" {
				p.Phone = "+" + phone
			}
			if p != (Person{}) {
				people = append(people, p)
			}
		}
	}
	return people
}

// ForgetContact deletes a citizen's entry in the contact book that Meta keeps for the portfolio, as erasure asks. It is
// no error when there was none.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
func (c *Client) ForgetContact(ctx context.Context, acc Account, userID string) error {
	query := url.Values{"messaging_product": {"whatsapp"}, "bsuid": {userID}}
	if _, err := c.edge(ctx, acc, http.MethodDelete, numberPath(acc, "contact_book"), query, nil); err != nil {
		return fmt.Errorf("delete an entry of the contact book of number %s: %w", acc.PhoneNumberID, err)
	}
	return nil
}
