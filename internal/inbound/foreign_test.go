// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
)

// foreignWebhooks are webhooks as other programs and their fixtures send them: what is odd about each is its name. Every
// "ID" and "FROM" is of the webhook alone.
var foreignWebhooks = map[string]struct {
	body   string
	text   string // of the message that comes of it; "" where none does
	kind   string // of it; a text unless set
	reason string // why it is in quarantine; "" where it is not
}{
	"contacts without profile": {body: change(`"contacts":[{"wa_id":"FROM"}],"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]`), text: "ciao"},
	"contacts as an object":    {body: change(`"contacts":{"wa_id":"FROM","profile":{"name":"Anna"}},"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]`), text: "ciao"},
	"contacts of null":         {body: change(`"contacts":null,"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `],"statuses":null,"errors":null`), text: "ciao"},
	"no metadata": {body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":[{"field":"messages","value":{"messages":[` +
		text("FROM", "ID", "1764000000", "ciao") + `]}}]}]}`, text: "ciao"},
	"no id of the entry": {body: `{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1001"},"messages":[` +
		text("FROM", "ID", "1764000000", "ciao") + `]}}]}]}`, text: "ciao"},
	"neither": {body: `{"entry":[{"changes":[{"value":{"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]}}]}]}`, reason: "foreign_account"},
	"no object and no field": {body: `{"entry":[{"id":"2001","changes":[{"value":{"metadata":{"phone_number_id":"1001"},"messages":[` +
		text("FROM", "ID", "1764000000", "ciao") + `]}}]}]}`, text: "ciao"},
	"ids as numbers": {body: `{"object":"whatsapp_business_account","entry":[{"id":2001,"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":1001},"messages":[
		{"from":FROM,"id":"ID","timestamp":1764000000,"type":"text","text":{"body":"ciao"}}]}}]}]}`, text: "ciao"},
	"a text that is a number":      {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","type":"text","text":{"body":42}}]`), text: "42"},
	"a text without its object":    {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","type":"text","text":"ciao"}]`), text: "ciao"},
	"a phone with its +":           {body: change(`"messages":[` + text("+FROM", "ID", "1764000000", "ciao") + `]`), text: "ciao"},
	"a phone as people write it":   {body: change(`"messages":[` + text("+39 FROM", "ID", "1764000000", "ciao") + `]`), reason: "sender_missing"},
	"milliseconds":                 {body: change(`"messages":[` + text("FROM", "ID", "1764000000123", "ciao") + `]`), text: "ciao"},
	"a time in words":              {body: change(`"messages":[` + text("FROM", "ID", "2026-11-25T02:00:00Z", "ciao") + `]`), text: "ciao"},
	"no time":                      {body: change(`"messages":[{"from":"FROM","id":"ID","type":"text","text":{"body":"ciao"}}]`), text: "ciao"},
	"no type":                      {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","text":{"body":"ciao"}}]`), text: "ciao"},
	"the type voice":               {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","type":"voice","voice":{"id":"m1","mime_type":"audio/ogg; codecs=opus","sha256":"x"}}]`), kind: conversation.TypeVoice},
	"unknown, with details":        {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","type":"unknown","errors":[{"code":501,"title":"Unknown message type","details":"Message type is not currently supported"}]}]`), kind: conversation.TypeUnsupported},
	"a sticker without a file":     {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","type":"sticker","sticker":{"mime_type":"image/webp"}}]`), kind: conversation.TypeUnsupported},
	"a place as texts":             {body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":"1764000000","type":"location","location":{"latitude":"44.06","longitude":"12.57","name":"Municipio"}}]`), text: "Municipio", kind: conversation.TypeLocation},
	"one message without the list": {body: change(`"messages":` + text("FROM", "ID", "1764000000", "ciao")), text: "ciao"},
	"one change without the list": {body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":{"field":"messages","value":{"metadata":{"phone_number_id":"1001"},"messages":[` +
		text("FROM", "ID", "1764000000", "ciao") + `]}}}]}`, text: "ciao"},
	"one entry without the list": {body: `{"object":"whatsapp_business_account","entry":{"id":"2001","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1001"},"messages":[` +
		text("FROM", "ID", "1764000000", "ciao") + `]}}]}}`, text: "ciao"},
	"a mark before the JSON":         {body: "\uFEFF" + change(`"messages":[`+text("FROM", "ID", "1764000000", "ciao")+`]`), text: "ciao"},
	"a line end behind it":           {body: change(`"messages":[`+text("FROM", "ID", "1764000000", "ciao")+`]`) + "\r\n", text: "ciao"},
	"the on-premises API":            {body: `{"contacts":[{"profile":{"name":"Anna"},"wa_id":"FROM"}],"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]}`, reason: "not_a_webhook"},
	"statuses of the same":           {body: `{"statuses":[{"id":"ID","recipient_id":"FROM","status":"delivered","timestamp":"1764000000"}]}`, reason: "not_a_webhook"},
	"no entries":                     {body: `{"object":"whatsapp_business_account","entry":[]}`},
	"no changes":                     {body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":[]}]}`},
	"changes of nothing":             {body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":{}}]}`, reason: "entry_malformed"},
	"only metadata":                  {body: change(`"contacts":[]`)},
	"an entry of null":               {body: `{"object":"whatsapp_business_account","entry":[null]}`, reason: "foreign_account"},
	"nothing":                        {body: ``, reason: "not_a_webhook"},
	"null":                           {body: `null`, reason: "not_a_webhook"},
	"a list":                         {body: `[]`, reason: "not_a_webhook"},
	"half":                           {body: `{"object":"whatsapp_business_account","entry":[`, reason: "not_a_webhook"},
	"a form":                         {body: `payload=%7B%22entry%22%3A%5B%5D%7D`, reason: "not_a_webhook"},
	"statuses with times as numbers": {body: change(`"statuses":[{"id":"ID","status":"delivered","timestamp":1764000000,"recipient_id":FROM}]`)},
	"statuses with old prices": {body: change(`"statuses":[{"id":"ID","status":"sent","timestamp":"1764000000","recipient_id":"FROM",
		"conversation":{"id":"c1","expiration_timestamp":"1764086400","origin":{"type":"business_initiated"}},"pricing":{"pricing_model":"CBP","billable":true,"category":"business_initiated"}}]`)},
	"statuses in capitals":      {body: change(`"statuses":[{"id":"ID","status":"READ","timestamp":"1764000000","recipient_id":"FROM","conversation":null,"pricing":null}]`)},
	"a status without a status": {body: change(`"statuses":[{"id":"ID","timestamp":"1764000000","recipient_id":"FROM"}]`), reason: "status_missing"},
	"a message without an id":   {body: change(`"messages":[{"from":"FROM","timestamp":"1764000000","type":"text","text":{"body":"ciao"}}]`), reason: "id_missing"},
	"a message from nobody":     {body: change(`"messages":[{"id":"ID","timestamp":"1764000000","type":"text","text":{"body":"ciao"}}]`), reason: "sender_missing"},
	"a number of another":       {body: strings.ReplaceAll(change(`"messages":[`+text("FROM", "ID", "1764000000", "ciao")+`]`), `"1001"`, `"9009"`), reason: "foreign_number"},
}

// Webhooks that others write are answered 200 when they are signed, and understood, or kept with the reason why not.
func TestForeignWebhooks(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		i := 0
		for name, c := range foreignWebhooks {
			i++
			id := fmt.Sprintf("wamid.foreign.%d", i)
			body := strings.NewReplacer("+39 FROM", fmt.Sprintf("+39 333 12%05d", i), "FROM", fmt.Sprintf("3933312%05d", i), "ID", id).Replace(c.body)
			before := o.quarantine()
			if status := o.post("prova", "secret", []byte(body)); status != http.StatusOK {
				t.Errorf("%s: answered %d", name, status)
			}
			if err := o.processor.Drain(t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var reasons []string
			for _, item := range o.quarantine() {
				if !slices.ContainsFunc(before, func(b journal.Item) bool { return b.ID == item.ID }) {
					reasons = append(reasons, item.Reason)
				}
			}
			if got := strings.Join(reasons, " "); got != c.reason {
				t.Errorf("%s: quarantined for %q, not %q", name, got, c.reason)
			}
			o.checkForeign(name, id, c.text, c.kind)
		}
	})
}

// checkForeign holds what came of a webhook against what it said.
func (o *office) checkForeign(name, id, text, kind string) {
	o.t.Helper()
	if kind == "" && text != "" {
		kind = conversation.TypeText
	}
	var found []conversation.Message
	for _, c := range o.inbox() {
		o.view(func(ctx context.Context, tx *db.Tx) error {
			page, _, err := conversation.Messages(ctx, tx, o.m.ID, c, conversation.Position{}, 10)
			for _, m := range page {
				if m.ExternalID == id {
					found = append(found, m)
				}
			}
			return err
		})
	}
	switch {
	case kind == "" && len(found) > 0:
		o.t.Errorf("%s: it made %+v", name, found)
	case kind != "" && (len(found) != 1 || found[0].Type != kind || found[0].Text != text):
		o.t.Errorf("%s: it made %+v, not %s %q", name, found, kind, text)
	}
}

// The challenge may have its parameters in any order, and others beside them.
func TestForeignChallenges(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for query, want := range map[string]int{
			"hub.verify_token=verify&hub.challenge=17&hub.mode=subscribe":                   http.StatusOK,
			"hub.challenge=17&hub.mode=subscribe&hub.verify_token=verify&utm_source=x":      http.StatusOK,
			"hub%2Emode=subscribe&hub%2Echallenge=17&hub%2Everify_token=verify":             http.StatusOK,
			"hub_mode=subscribe&hub_challenge=17&hub_verify_token=verify":                   http.StatusForbidden,
			"hub.mode=unsubscribe&hub.challenge=17&hub.verify_token=verify":                 http.StatusForbidden,
			"hub.challenge=17&hub.verify_token=verify":                                      http.StatusForbidden,
			"hub.mode=subscribe&hub.challenge=17&hub.verify_token=&hub.verify_token=verify": http.StatusForbidden,
		} {
			res, err := http.Get(o.server.URL + "/webhooks/whatsapp/prova?" + query)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != want || (want == http.StatusOK) != (string(body) == "17") {
				t.Errorf("%s: %d %q, %v", query, res.StatusCode, body, err)
			}
		}
	})
}
