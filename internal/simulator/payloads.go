// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// update is one thing Meta tells the business; many of them travel in one webhook.
// Its parts are JSON as it goes on the wire, ASCII only as Meta writes it.
type update struct {
	Number   string          `json:"number,omitempty"` // phone number id; empty for what concerns the whole account
	Field    string          `json:"field"`
	At       int64           `json:"at"` // unix seconds
	Contact  json.RawMessage `json:"contact,omitempty"`
	Message  json.RawMessage `json:"message,omitempty"`
	Status   json.RawMessage `json:"status,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`    // the whole value, for every field but messages
	Incoming string          `json:"incoming,omitempty"` // message of a citizen that is delivered when this is answered
	Tells    told            `json:"tells,omitzero"`     // the status it tells of
}

func (u *update) size() int {
	return len(u.Contact) + len(u.Message) + len(u.Status) + len(u.Value) + 64
}

const messagesField = "messages"

// webhookBody puts updates of one account into one POST. Source: webhooks/reference/messages of Meta's documentation.
func webhookBody(a *account, updates []update) []byte {
	b := make([]byte, 0, 512+len(updates)*512)
	b = append(b, `{"object":"whatsapp_business_account","entry":[`...)
	b = appendMessagesEntry(b, a, updates)
	for _, u := range updates {
		if u.Value == nil {
			continue
		}
		b = appendComma(b)
		b = append(b, `{"id":`...)
		b = appendString(b, a.id)
		b = append(b, `,"time":`...)
		b = strconv.AppendInt(b, u.At, 10)
		b = append(b, `,"changes":[{"value":`...)
		b = append(b, u.Value...)
		b = append(b, `,"field":`...)
		b = appendString(b, u.Field)
		b = append(b, `}]}`...)
	}
	return append(b, `]}`...)
}

func appendMessagesEntry(b []byte, a *account, updates []update) []byte {
	var order []changeKey
	changes := map[changeKey][]update{}
	for _, u := range updates {
		if u.Value != nil {
			continue
		}
		key := changeKey{u.Number, u.Contact != nil}
		if changes[key] == nil {
			order = append(order, key)
		}
		changes[key] = append(changes[key], u)
	}
	if len(order) == 0 {
		return b
	}
	b = append(b, `{"id":`...)
	b = appendString(b, a.id)
	b = append(b, `,"changes":[`...)
	for _, key := range order {
		b = appendComma(b)
		b = appendMessagesChange(b, a, key.number, changes[key])
	}
	return append(b, `]}`...)
}

// changeKey keeps apart what cannot stand in one change: failures and system messages come without contacts.
type changeKey struct {
	number   string
	contacts bool
}

func appendMessagesChange(b []byte, a *account, numberID string, updates []update) []byte {
	b = append(b, `{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":`...)
	b = appendString(b, a.digitsOf(numberID))
	b = append(b, `,"phone_number_id":`...)
	b = appendString(b, numberID)
	b = append(b, '}')
	b = appendList(b, "contacts", updates, distinctContacts(updates))
	b = appendList(b, "messages", updates, func(u *update) json.RawMessage { return u.Message })
	b = appendList(b, "statuses", updates, func(u *update) json.RawMessage { return u.Status })
	return append(b, `},"field":"messages"}`...)
}

// distinctContacts gives each contact once, however many of the updates speak of it.
func distinctContacts(updates []update) func(*update) json.RawMessage {
	if len(updates) == 1 {
		return func(u *update) json.RawMessage { return u.Contact }
	}
	seen := make(map[string]bool, len(updates))
	return func(u *update) json.RawMessage {
		if seen[string(u.Contact)] {
			return nil
		}
		seen[string(u.Contact)] = true
		return u.Contact
	}
}

func appendList(b []byte, name string, updates []update, part func(*update) json.RawMessage) []byte {
	empty := true
	for i := range updates {
		item := part(&updates[i])
		if item == nil {
			continue
		}
		if empty {
			b = append(b, `,"`...)
			b = append(b, name...)
			b = append(b, `":[`...)
			empty = false
		}
		b = appendComma(b)
		b = append(b, item...)
	}
	if empty {
		return b
	}
	return append(b, ']')
}

// appendComma separates list items; the first needs none.
func appendComma(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] != '[' && b[n-1] != '{' {
		return append(b, ',')
	}
	return b
}

func (a *account) digitsOf(numberID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.numbers {
		if n.id == numberID {
			return n.digits()
		}
	}
	return ""
}

// marshal is json.Marshal with everything beyond ASCII escaped, as Meta sends it: whoever verifies the
// signature over re-encoded JSON instead of the bytes received fails here as with Meta.
func marshal(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("simulator: encode our own value: " + err.Error())
	}
	return escapeASCII(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

func escapeASCII(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+16)
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\' && i+1 < len(raw):
			out = append(out, c, raw[i+1]) // an escape already, also of a slash
			i += 2
		case c == '/':
			out = append(out, '\\', '/')
			i++
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			r, size := utf8.DecodeRune(raw[i:])
			out = appendEscaped(out, r)
			i += size
		}
	}
	return out
}

func appendEscaped(b []byte, r rune) []byte {
	if r > 0xFFFF {
		r -= 0x10000
		return appendUnit(appendUnit(b, 0xD800+r>>10), 0xDC00+r&0x3FF)
	}
	return appendUnit(b, r)
}

func appendUnit(b []byte, unit rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}

// appendString appends s as an ASCII JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '/':
			b = append(b, '\\', byte(r))
		case r < ' ' || r >= utf8.RuneSelf:
			b = appendEscaped(b, r)
		default:
			b = append(b, byte(r))
		}
	}
	return append(b, '"')
}

func appendField(b []byte, name, value string) []byte {
	b = appendComma(b)
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `":`...)
	return appendString(b, value)
}

func unixText(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
