// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
)

// shape is a webhook in a shape that others have met, and all that must come of it, each word in the order of its time.
type shape struct {
	name, body string
	messages   string // of open conversations: kind and text
	quarantine string // reasons
	news       string // field and event
	counts     string // names
}

// notice is a webhook of one of the other fields.
func notice(field, value string) string {
	return fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"2001","time":1764000000,"changes":[{"field":%q,"value":%s}]}]}`, field, value)
}

// said is a webhook with a message of the type, whose content is given by its key.
func said(kind, content string) string {
	return change(`"contacts":[{"wa_id":"FROM","profile":{"name":"Anna"}}],"messages":[` + item(kind, content) + `]`)
}

func item(kind, content string) string {
	return fmt.Sprintf(`{"from":"FROM","id":"ID","timestamp":"1764000000","type":%q,%s}`, kind, content)
}

var shapes = []shape{
	// Forms: WhatsApp's own additions are no answers, and an answer is shown whatever it is.
	{name: "a form with WhatsApp's additions", body: said("interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent",
		"response_json":"{\"ufficio\":\"anagrafe\",\"flow_token\":\"t\",\"wa_flow_response_params\":{\"title\":\"Prenota\",\"flow_id\":\"77\"}}"}}`), messages: "form ufficio: anagrafe"},
	{name: "a form under its older name", body: said("interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"name":"galaxy_message","response_json":"\"mattina\""}}`), messages: "form mattina"},
	{name: "an address", body: said("interactive", `"interactive":{"type":"nfm_reply","nfm_reply":{"name":"address_message","body":"CUSTOMER\nVia Po","response_json":"{\"values\":{\"in_pin_code\":\"47921\"}}"}}`),
		messages: "form in pin code: 47921"},
	{name: "a choice with its id only", body: said("interactive", `"interactive":{"list_reply":{"id":"orari"}}`), messages: "choice orari"},
	{name: "a button's payload only", body: said("button", `"button":{"payload":"Conferma","text":null}`), messages: "choice Conferma"},
	{name: "a button without its object", body: said("button", `"button":"Conferma"`), messages: "choice Conferma"},

	// Content in another shape.
	{name: "a type in capitals", body: said("TEXT", `"text":{"body":"ciao"}`), messages: "text ciao"},
	{name: "a content in a list", body: said("text", `"text":[{"body":"ciao"}]`), messages: "text ciao"},
	{name: "a file in a list", body: said("image", `"image":[{"id":"m1","mime_type":"image/jpeg","caption":"la buca"}]`), messages: "image la buca"},
	{name: "two contents in a list", body: said("text", `"text":[{"body":"uno"},{"body":"due"}]`), quarantine: "content_malformed"},
	{name: "a file that is its id", body: said("image", `"image":"12345"`), quarantine: "content_malformed"},
	{name: "a place without its degrees", body: said("location", `"location":{"name":"Municipio","url":"https://maps.example"}`), quarantine: "content_malformed"},
	{name: "a reaction of a list", body: said("reaction", `"reaction":{"message_id":"w1","emoji":["👍"]}`), quarantine: "content_malformed"},
	{name: "a reaction to nothing", body: said("reaction", `"reaction":{"message_id":null,"emoji":"👍"}`), quarantine: "content_malformed"},
	{name: "an empty text", body: said("text", `"text":{"body":""}`), messages: "text "},
	{name: "a text that is none", body: said("text", `"text":{"body":null}`), messages: "unsupported "},
	{name: "a text that is a truth", body: said("text", `"text":{"body":true}`), messages: "text true"},
	{name: "figures of an order as numbers", body: said("order", `"order":{"catalog_id":7,"product_items":{"product_retailer_id":"sacchi","quantity":2.0,"item_price":1e2,"currency":"EUR"}}`),
		messages: "order 2.0 × sacchi 1e2 EUR"},
	{name: "a name that is a text", body: said("contacts", `"contacts":[{"name":"Luca"},{"phones":[{"phone":"+39 0541 1"}]},{"org":{"company":"Bar Sport"}},{"emails":[{"email":"a@b.example"}]}]`),
		messages: "contacts Luca, +39 0541 1, Bar Sport, a@b.example"},
	{name: "cards of nothing", body: said("contacts", `"contacts":[null,"x"]`), messages: "unsupported "},
	{name: "no cards", body: said("contacts", `"contacts":[]`), messages: "unsupported "},
	{name: "an advert without a text", body: said("text", `"referral":{"source_url":"https://ads.example","headline":"Mercato","welcome_message":{"text":"Salve"}}`), messages: "unsupported "},
	{name: "a poll", body: said("unsupported", `"unsupported":{"type":"poll_creation"},"errors":[{"code":131051,"title":"Message type unknown"}]`), messages: "unsupported "},
	{name: "a type of tomorrow", body: said("call_summary", `"call_summary":{"minutes":[[[{"a":1}]]]}`), messages: "unsupported "},
	{name: "an item too deep", body: change(`"messages":[` + item("text", `"text":{"body":"ciao"},"x":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)) + `]`), quarantine: "item_too_deep"},
	{name: "half a letter", body: said("text", `"text":{"body":"rotto \ud83d qui"}`), messages: "text rotto \ufffd qui"},

	// Times.
	{name: "a time with its fraction", body: change(`"messages":[{"from":"FROM","id":"ID","timestamp":1764000000.75,"type":"text","text":{"body":"ciao"}}]`), messages: "text ciao"},
	{name: "a time before all times", body: change(`"messages":[` + text("FROM", "ID", "-1", "ciao") + `]`), messages: "text ciao"},
	{name: "a time to come", body: change(`"messages":[` + text("FROM", "ID", "4000000000", "ciao") + `]`), messages: "text ciao"},
	{name: "microseconds", body: change(`"messages":[` + text("FROM", "ID", "1764000000123456", "ciao") + `]`), messages: "text ciao"},

	// Who it is.
	{name: "more contacts than messages", body: change(`"contacts":[{"wa_id":"1"},{"wa_id":"393330000009","profile":{"name":"Altri"}},{"wa_id":"FROM"}],"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]`), messages: "text ciao"},
	{name: "an id in the place of a phone", body: change(`"contacts":[{"wa_id":"IT.FROM"}],"messages":[` + text("IT.FROM", "ID", "1764000000", "ciao") + `]`), messages: "text ciao"},
	{name: "only a user name", body: change(`"contacts":[{"profile":{"name":"Anna","username":"@anna"}}],"messages":[{"id":"ID","timestamp":"1764000000","type":"text","text":{"body":"ciao"}}]`), quarantine: "sender_missing"},
	{name: "digits where only user ids are", body: change(`"messages":[{"from_user_id":"FROM","id":"ID","timestamp":"1764000000","type":"text","text":{"body":"ciao"}}]`), quarantine: "sender_missing"},
	{name: "ids of nothing", body: change(`"messages":[{"from":"","from_user_id":"","id":"","timestamp":"","type":"","text":{"body":"ciao"}}]`), quarantine: "id_missing"},
	{name: "the number's own message", body: change(`"messages":[` + text("390541123456", "ID", "1764000000", "lo sportello è chiuso") + `]`), news: "smb_message_echoes ", counts: "own_message"},
	{name: "a message in a group", body: change(`"messages":[` + item("text", `"group_id":"g1","text":{"body":"ciao"}`) + `]`), news: "group_message ", counts: "group_message"},
	{name: "an identity under another name", body: said("system", `"system":{"type":"user_identity_changed","body":"changed","identity":"h"}`)},

	// Good beside bad, and lists that are several.
	{name: "one bad among good", body: change(`"messages":[` + text("FROM", "ID", "1764000000", "uno") + `,null,{"from":"FROM","id":"ID.2","timestamp":"1764000001","type":"image","image":3},` + text("FROM", "ID.3", "1764000002", "due") + `]`),
		messages: "text uno, text due", quarantine: "item_malformed content_malformed"},
	{name: "the list twice", body: change(`"messages":[` + text("FROM", "ID", "1764000000", "uno") + `],"messages":[` + text("FROM", "ID.2", "1764000001", "due") + `]`), messages: "text uno, text due"},
	{name: "a thousand changes", body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":[` +
		strings.Repeat(`{"field":"calls","value":{"metadata":{"phone_number_id":"1001"},"calls":[]}},`, 999) +
		`{"field":"messages","value":{"metadata":{"phone_number_id":"1001"},"messages":[` + text("FROM", "ID", "1764000000", "ultimo") + `]}}]}]}`, messages: "text ultimo", counts: "field:calls"},
	{name: "a list that nothing reads", body: change(`"calls":[{"id":"ID","event":"connect"}],"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]`), messages: "text ciao", counts: "list:calls"},
	{name: "unknown keys everywhere", body: `{"object":"whatsapp_business_account","x":1,"entry":[{"id":"2001","x":{},"changes":[{"x":[],"field":"messages","value":{"x":{"y":1},"metadata":{"phone_number_id":"1001","x":1},
		"contacts":[{"wa_id":"FROM","x":1,"profile":{"name":"Anna","x":1}}],"messages":[` + item("text", `"x":{},"text":{"body":"ciao","x":1},"context":{"x":1},"referral":{"x":1}`) + `]}}]}]}`, messages: "text ciao"},
	{name: "nothing everywhere", body: `{"object":null,"entry":[{"id":"2001","time":null,"changes":[{"field":null,"value":{"metadata":{"phone_number_id":"1001","display_phone_number":null},
		"contacts":[{"wa_id":null,"profile":null,"user_id":null}],"statuses":null,"errors":[null],"messages":[` + item("text", `"text":{"body":"ciao"},"context":null,"referral":null,"errors":null,"identity":null,"group_id":null`) + `]}}]}]}`, messages: "text ciao"},

	// Statuses.
	{name: "a payment's status", body: change(`"statuses":[{"id":"ID","from":"FROM","type":"payment","status":"failed","payment":{"reference_id":"r1"},"timestamp":"1764000000"}]`),
		news: "status payment failed", counts: "status_of:payment"},
	{name: "a call's status", body: change(`"statuses":[{"id":"ID","type":"call","status":"RINGING","timestamp":"1764000000","recipient_id":"FROM"}]`), news: "status call RINGING", counts: "status_of:call"},
	{name: "a group's status that does not say so", body: change(`"statuses":[{"id":"ID","status":"read","timestamp":"1764000000","recipient_id":"g1","recipient_participant_id":"FROM"}]`), news: "status read", counts: "status:read"},
	{name: "a status of everything else", body: change(`"contacts":[{"wa_id":"FROM"}],"statuses":[{"id":"ID","type":"message","status":"failed","timestamp":-5,"recipient_id":"FROM","pricing":"x","errors":"boom","conversation":[]}]`)},

	// Where it goes.
	{name: "one change alone", body: `{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"390541123456","phone_number_id":"1001"},"messages":[` + text("FROM", "ID", "1764000000", "ciao") + `]}}`, messages: "text ciao"},
	{name: "the sample of Meta's dashboard", body: strings.NewReplacer(`"1001"`, `"123456123"`, `"2001"`, `"0"`).Replace(change(`"messages":[` + text("16315551181", "ID", "1504902988", "this is a text message") + `]`)), quarantine: "foreign_number"},
	{name: "another product of Meta's", body: `{"object":"page","entry":[{"id":"2001","time":1764000000123,"messaging":[{"sender":{"id":"1"},"message":{"mid":"ID","text":"ciao"}}]}]}`, quarantine: "entry_malformed"},
	{name: "a value in a text", body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","changes":[{"field":"messages","value":"{\"metadata\":{\"phone_number_id\":\"1001\"}}"}]}]}`, quarantine: "change_malformed"},
	{name: "an account by its partner", body: `{"object":"whatsapp_business_account","entry":[{"id":"506900001","time":1764000000,"changes":[{"field":"account_update","value":{"event":"PARTNER_ADDED","waba_info":{"waba_id":"2001","owner_business_id":"1"}}}]}]}`,
		news: "account_update PARTNER_ADDED", counts: "field:account_update"},
	{name: "another's account by its partner", body: `{"object":"whatsapp_business_account","entry":[{"id":"2001","time":1764000000,"changes":[{"field":"account_update","value":{"event":"PARTNER_ADDED","waba_info":{"waba_id":"9009"}}}]}]}`, quarantine: "foreign_account"},

	// The other fields.
	{name: "a form's state", body: notice("flows", `{"event":"FLOW_STATUS_CHANGE","message":"Flow Prenota changed status","flow_id":"66","old_status":"DRAFT","new_status":"PUBLISHED"}`), news: "flows FLOW_STATUS_CHANGE", counts: "field:flows"},
	{name: "a category that Meta would choose", body: notice("template_correct_category_detection", `{"message_template_id":1,"message_template_name":"avviso","message_template_language":"it","category":"UTILITY","correct_category":"MARKETING"}`),
		news: "template_correct_category_detection ", counts: "field:template_correct_category_detection"},
	{name: "settings of the account", body: notice("account_settings_update", `{"messaging_product":"whatsapp","timestamp":"1764000000","type":"phone_number_settings","phone_number_settings":{"phone_number_id":"1001","calling":{"status":"ENABLED"}}}`),
		news: "account_settings_update phone_number_settings", counts: "field:account_settings_update"},
	{name: "payments", body: notice("payment_configuration_update", `{"configuration_name":"pago","provider_name":"x","status":"Needs_Connecting"}`), news: "payment_configuration_update Needs_Connecting", counts: "field:payment_configuration_update"},
	{name: "an alert about a number", body: notice("account_alerts", `{"entity_type":"BUSINESS","entity_id":506900001,"alert_info":{"alert_severity":"WARNING","alert_type":"OBA_REJECTED"}}`), news: "account_alerts OBA_REJECTED", counts: "field:account_alerts"},
	{name: "a group's life", body: notice("group_lifecycle_update", `{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1001"},"groups":[{"type":"group_create","group_id":"g1"}]}`), news: "group_lifecycle_update ", counts: "field:group_lifecycle_update"},
	{name: "what another application hears", body: notice("standby", `{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1001"},"messages":[`+text("FROM", "ID", "1764000000", "non a noi")+`]}`), news: "standby ", counts: "field:standby"},
	{name: "a file of the history", body: notice("history", `{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1001"},"messages":[`+item("image", `"image":{"id":"m9"}`)+`]}`), counts: "field:history"},
	{name: "a depth that no database takes", body: notice("account_update", `{"event":"X","y":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`), news: "account_update X", counts: "field:account_update"},
	{name: "a field without a value", body: notice("account_update", `null`), quarantine: "change_malformed", news: "account_update ", counts: "field:account_update"},
}

// What others have met comes to what it means: shown, kept for a person with its reason, told to administrators, or
// counted, and nothing else.
func TestForeignShapes(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for i, s := range shapes {
			id := fmt.Sprintf("wamid.shape%d", i)
			body := strings.NewReplacer("FROM", fmt.Sprintf("3933388%05d", i), "ID", id).Replace(s.body)
			before := o.kept(id)
			if status := o.post("prova", "secret", []byte(body)); status != http.StatusOK {
				t.Errorf("%s: answered %d", s.name, status)
			}
			if err := o.processor.Drain(t.Context()); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			after := o.kept(id)
			o.wants(s.name, strings.Join(o.said(id), ", "), s.messages)
			o.wants(s.name+", quarantine", added(before.quarantine, after.quarantine), s.quarantine)
			o.wants(s.name+", news", added(before.news, after.news), s.news)
			o.wants(s.name+", counts", strings.Join(slices.Sorted(maps.Keys(more(before.counts, after.counts))), " "), s.counts)
		}
	})
}

// kept is what is left beside conversations.
type kept struct {
	quarantine, news []string
	counts           map[string]int
}

func (o *office) kept(id string) (out kept) {
	o.t.Helper()
	out.counts = make(map[string]int)
	o.view(func(ctx context.Context, tx *db.Tx) error {
		items, err := journal.Unsolved(ctx, tx, o.m.ID, 0, 200)
		for _, item := range items {
			out.quarantine = append(out.quarantine, item.Reason)
		}
		if err != nil {
			return err
		}
		err = tx.Query(ctx, `SELECT field, event FROM news WHERE municipality_id = $1 ORDER BY news_id`, [][]any{{o.m.ID}}, func(_ int, row db.Scanner) error {
			var field, event string
			err := row.Scan(&field, &event)
			out.news = append(out.news, field+" "+event)
			return err
		})
		if err != nil {
			return err
		}
		return tx.Query(ctx, `SELECT name, count FROM tally WHERE municipality_id = $1`, [][]any{{o.m.ID}}, func(_ int, row db.Scanner) error {
			var name string
			var n int
			err := row.Scan(&name, &n)
			out.counts[name] = n
			return err
		})
	})
	return out
}

// added is what after has beyond before, both in the order of their time.
func added(before, after []string) string {
	left := slices.Clone(after)
	for _, b := range before {
		if i := slices.Index(left, b); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return strings.Join(left, " ")
}

func more(before, after map[string]int) map[string]int {
	out := make(map[string]int)
	for name, n := range after {
		if n > before[name] {
			out[name] = n - before[name]
		}
	}
	return out
}

// said are the messages in open conversations whose ids begin with id.
func (o *office) said(id string) (out []string) {
	o.t.Helper()
	for _, c := range o.inbox() {
		o.view(func(ctx context.Context, tx *db.Tx) error {
			page, _, err := conversation.Messages(ctx, tx, o.m.ID, c, conversation.Position{}, 10)
			for _, m := range page {
				if m.ExternalID == id || strings.HasPrefix(m.ExternalID, id+".") {
					out = append(out, m.Type+" "+m.Text)
				}
			}
			return err
		})
	}
	return out
}

// A payment that failed is no message that failed, though it comes under the message's id.
func TestAPaymentFailsNoMessage(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON")
		wamid := o.accepted(citizen)
		for _, step := range []struct {
			about string
			fails bool
		}{{"payment", false}, {"message", true}} {
			o.deliver(change(fmt.Sprintf(`"statuses":[{"id":%q,"type":%q,"status":"failed","timestamp":"1764000000","recipient_id":%q}]`, wamid, step.about, citizen)))
			o.view(func(ctx context.Context, tx *db.Tx) error {
				var status conversation.Status
				err := tx.QueryRowContext(ctx, `SELECT status FROM message WHERE municipality_id = $1 AND external_id = $2`, o.m.ID, wamid).Scan(&status)
				if failed := status == conversation.Failed; failed != step.fails {
					t.Errorf("after a failed %s the message has the status %d", step.about, status)
				}
				return err
			})
		}
	})
}

// To leave is a right: however the wish is written, and wherever it stands, it holds.
func TestMarketingStopsHoweverItIsWritten(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		c := newClock()
		for i, body := range []string{
			notice("user_preferences", `{"metadata":{"phone_number_id":"1001"},"user_preferences":[{"wa_id":"FROM","category":"MARKETING_MESSAGES","value":"STOP","timestamp":"1764000000"}]}`),
			notice("user_preferences", `{"metadata":{"phone_number_id":"1001"},"user_preferences":{"wa_id":"FROM","value":"stop"}}`),
			change(`"user_preferences":[{"wa_id":"FROM","category":"marketing_messages","value":"stop","timestamp":1764000000}]`),
		} {
			phone := fmt.Sprintf("3933377%05d", i)
			o.says(c, phone, "ISCRIZIONE ON")
			o.deliver(strings.ReplaceAll(body, "FROM", phone))
			o.view(func(ctx context.Context, tx *db.Tx) error {
				at, err := broadcast.MarketingStopped(ctx, tx, o.m.ID, o.contact(phone))
				if at == nil {
					t.Errorf("marketing goes on after %s", body)
				}
				return err
			})
		}
	})
}
