// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
)

// Outcome is what is known of a message after an attempt to send it that did
// not succeed. There is no idempotency key in the Cloud API, so this is what
// keeps a citizen from getting a message twice.
type Outcome int

const (
	// Unknown: bytes were written and no Graph answer came that can be read
	// (time-out, reset, an HTTP error without Graph's body, a 200 with
	// garbage). The message may be on its way. Never send it again by itself.
	Unknown Outcome = iota
	// NotSent: surely nothing was written. Sending again is safe.
	NotSent
	// Refused: Graph said no in so many words, or our own check of Meta's
	// limits did in its place. SendError.Advice tells what to do.
	Refused
)

func (o Outcome) String() string {
	switch o {
	case NotSent:
		return "not sent"
	case Refused:
		return "refused"
	default:
		return "unknown"
	}
}

// SendError is why a send did not succeed, and the only type of error that
// Send returns.
type SendError struct {
	Outcome    Outcome
	Graph      *GraphError // set if and only if Refused
	HTTPStatus int         // 0 when no answer came
	Err        error       // of the network or of a limit; may be nil
}

func (e *SendError) Error() string {
	s := "send message: " + e.Outcome.String()
	switch {
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	case e.Graph != nil:
		return s + ": " + e.Graph.Error()
	default:
		return fmt.Sprintf("%s: HTTP %d", s, e.HTTPStatus)
	}
}

// Unwrap lets errors.As find the GraphError and the cause.
func (e *SendError) Unwrap() []error {
	var all []error
	if e.Graph != nil {
		all = append(all, e.Graph)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// Advice is what to do about a refusal; of other outcomes it is the zero value
// and says nothing.
func (e *SendError) Advice() Advice {
	if e.Graph == nil {
		return Advice{}
	}
	return e.Graph.Advice()
}

// Sent is Meta's acceptance of a message, which is not yet its delivery.
type Sent struct {
	ID     string // wamid
	Held   bool   // kept back by Meta's pacing; do not send again
	WaID   string // digits of the recipient's phone, when addressed by phone
	UserID string // of the recipient, when addressed by it
}

// Send hands a message to Meta. It writes at most once, whatever happens: no
// retry, no redirect. An error is always a *SendError.
func (c *Client) Send(ctx context.Context, acc Account, m OutgoingMessage) (Sent, error) {
	body, failure := prepare(ctx, acc, m)
	if failure != nil {
		return Sent{}, failure
	}
	var w witness
	a, err := c.do(ctx, request{
		method: http.MethodPost,
		path:   node(acc.PhoneNumberID, "messages"),
		body:   body,
		token:  acc.Token,
	}, &w)
	if sent, ok := accepted(a); ok {
		return sent, nil
	}
	if e := a.graphError(); e != nil {
		return Sent{}, &SendError{Outcome: Refused, Graph: e, HTTPStatus: a.status}
	}
	if a.status == 0 && !w.wrote() {
		return Sent{}, &SendError{Outcome: NotSent, Err: err}
	}
	return Sent{}, &SendError{Outcome: Unknown, HTTPStatus: a.status, Err: err}
}

// prepare is what can be known before the wire. It answers in Meta's codes, so
// that a refusal is treated alike whoever found it.
func prepare(ctx context.Context, acc Account, m OutgoingMessage) ([]byte, *SendError) {
	switch {
	case acc.PhoneNumberID == "":
		return nil, refusal(33, errors.New("the account has no phone number id"))
	case acc.Token == "" || strings.ContainsFunc(acc.Token, unicode.IsControl):
		return nil, refusal(190, errors.New("the account has no token that can be sent"))
	}
	if err := m.Validate(); err != nil {
		return nil, refusal(100, err)
	}
	body, err := json.Marshal(m.wire())
	if err != nil {
		return nil, refusal(100, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, &SendError{Outcome: NotSent, Err: err}
	}
	return body, nil
}

func refusal(code int, err error) *SendError {
	return &SendError{Outcome: Refused, Graph: &GraphError{Code: code, Details: err.Error()}, Err: err}
}

// accepted reads the answer of a success: with an id it is one, whatever else
// it holds; without an id nothing is known.
func accepted(a answer) (Sent, bool) {
	if !a.ok() {
		return Sent{}, false
	}
	message := a.body.Get("messages.0")
	id := message.Get("id")
	if id.Type != gjson.String || !usableID(text(id)) {
		return Sent{}, false
	}
	contact := a.body.Get("contacts.0")
	return Sent{
		ID:     text(id),
		Held:   text(message.Get("message_status")) == "held_for_quality_assessment",
		WaID:   Phone(text(contact.Get("wa_id"))),
		UserID: text(contact.Get("user_id")),
	}, true
}

// MarkRead shows the citizen that a message, and all before it, has been read;
// with typing also that an answer is being written, for 25 s or until it
// comes. Meta allows it for 30 days.
func (c *Client) MarkRead(ctx context.Context, acc Account, messageID string, typing bool) error {
	type indicator struct {
		Type string `json:"type"`
	}
	mark := struct {
		Product   string     `json:"messaging_product"`
		Status    string     `json:"status"`
		MessageID string     `json:"message_id"`
		Typing    *indicator `json:"typing_indicator,omitempty"`
	}{Product: "whatsapp", Status: "read", MessageID: messageID}
	if typing {
		mark.Typing = &indicator{Type: "text"}
	}
	body, err := json.Marshal(mark)
	if err != nil {
		return fmt.Errorf("mark message read: %w", err)
	}
	_, err = c.call(ctx, request{
		method: http.MethodPost, path: node(acc.PhoneNumberID, "messages"), body: body, token: acc.Token,
	})
	if err != nil {
		return fmt.Errorf("mark message read: %w", err)
	}
	return nil
}
