// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"
)

// edge calls what hangs on a Graph object, with a body as JSON if there is one. It is for calls that do no harm when
// repeated: they set something, and never send.
func (c *Client) edge(ctx context.Context, acc Account, method, path string, query url.Values, body any) (gjson.Result, error) {
	r := request{method: method, path: path, query: query, token: acc.Token}
	if body != nil {
		var err error
		if r.body, err = marshalBody(body); err != nil {
			return gjson.Result{}, err
		}
	}
	return c.call(ctx, r)
}

func marshalBody(body any) ([]byte, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("write a request: %w", err)
	}
	return encoded, nil
}

// post sets something on the account's number.
func (c *Client) post(ctx context.Context, acc Account, edge string, body any) error {
	_, err := c.edge(ctx, acc, http.MethodPost, numberPath(acc, edge), nil, body)
	return err
}

// numberPath is the path of the account's number, or of an edge of it.
func numberPath(acc Account, edge string) string {
	if edge == "" {
		return node(acc.PhoneNumberID)
	}
	return node(acc.PhoneNumberID, edge)
}
