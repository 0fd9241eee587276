// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/tidwall/gjson"
)

// InteractiveReply is what a citizen chose or filled in.
type InteractiveReply struct {
	Type        string // button_reply, list_reply, nfm_reply, button, …
	ID          string // ours, of the choice; the payload of a template's button
	Title       string
	Description string          // of a list row
	Name        string          // of nfm_reply: "flow", "address_message"
	Response    json.RawMessage // of nfm_reply: the answers, if they are JSON
	Words       string          // of nfm_reply: the answers, if they are not
	Expires     time.Time       // of call_permission_reply: until when; zero for ever, or unknown
}

func (m *Message) readInteractive(v gjson.Result) bool {
	m.Reply = &InteractiveReply{Type: text(v.Get("type"))}
	for _, kind := range replies {
		if m.Reply.Type == "" && v.Get(kind).IsObject() {
			m.Reply.Type = kind
		}
	}
	var choice gjson.Result
	if m.Reply.Type == "" {
		return false
	}
	if slices.Contains(replies, m.Reply.Type) {
		choice = v.Get(m.Reply.Type)
	}
	if choice.Type == gjson.Null {
		m.Kind = KindUnsupported
		return true
	}
	m.Reply.read(choice)
	m.Text = cmp.Or(m.Reply.Title, m.Reply.ID)
	return choice.IsObject()
}

// replies are the types of interactive reply; each is also the name of its content.
var replies = []string{"button_reply", "list_reply", "nfm_reply", "call_permission_reply"}

func (r *InteractiveReply) read(choice gjson.Result) {
	each(choice, func(key string, v gjson.Result) {
		switch key {
		case "id":
			r.ID = text(v)
		case "title", "body", "response":
			r.Title = text(v)
		case "description":
			r.Description = text(v)
		case "name":
			r.Name = text(v)
		case "response_json":
			if r.Response = embedded(v); r.Response == nil {
				r.Words = text(v)
			}
		case "expiration_timestamp":
			r.Expires, _ = moment(v)
		}
	})
}

// embedded returns JSON that was sent inside a string, or as such; nil when it
// is not JSON.
func embedded(v gjson.Result) json.RawMessage {
	if v.Type != gjson.String {
		return raw(v)
	}
	if s := []byte(text(v)); json.Valid(s) && !nestsDeeper(v.Str, maxDepth) {
		return s
	}
	return nil
}

func (m *Message) readButton(v gjson.Result) bool {
	m.Reply = &InteractiveReply{Type: "button", ID: text(v.Get("payload")), Title: text(v.Get("text"))}
	if v.Type == gjson.String { // without the object around it
		m.Reply.Title = text(v)
	}
	m.Text = cmp.Or(m.Reply.Title, m.Reply.ID)
	return m.Text != "" || v.IsObject()
}
