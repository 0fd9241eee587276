// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// phones are the citizens' telephones at the simulator.
type phones struct {
	address string
	known   map[int]string // the address of a talk's citizen
}

// write lets the citizen of a talk write a message to a number, and returns WhatsApp's id of it.
func (p *phones) write(ctx context.Context, talk int, c citizen, number string, message map[string]any) (string, error) {
	address, ok := p.known[talk]
	if !ok {
		who := map[string]any{"phone": c.phone, "name": c.profile}
		if c.username != "" {
			who["username"], who["bsuid_only"] = strings.TrimPrefix(c.username, "@"), true
		}
		var made struct {
			Address string `json:"address"`
		}
		if err := call(ctx, http.MethodPost, p.address+"/simulator/citizens", who, &made); err != nil {
			return "", err
		}
		address, p.known[talk] = made.Address, made.Address
	}
	message["number"] = number
	var written struct {
		ID string `json:"id"`
	}
	err := call(ctx, http.MethodPost, p.address+"/simulator/citizens/"+url.PathEscape(address)+"/messages", message, &written)
	return written.ID, err
}

// Connect tells the simulator at address where the webhooks of the town go.
func (t Town) Connect(ctx context.Context, address, webhook string) error {
	a := t.Account()
	var answer struct {
		Verified bool   `json:"verified"`
		Error    string `json:"error"`
	}
	err := call(ctx, http.MethodPut, address+"/simulator/webhook",
		map[string]string{"waba_id": a.WABA, "url": webhook, "app_secret": a.AppSecret, "verify_token": a.VerifyToken}, &answer)
	if err == nil && !answer.Verified {
		return fmt.Errorf("the webhook of %s does not answer: %s", t.Slug, answer.Error)
	}
	return err
}

// call asks the simulator.
func call(ctx context.Context, method, address string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	defer response.Body.Close()
	told, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the simulator refuses %s: %d %.300s", request.URL.Path, response.StatusCode, told)
	}
	return json.Unmarshal(told, answer)
}
