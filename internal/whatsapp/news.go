// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Fields of webhooks that tell of the account, its numbers and its templates.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
const (
	FieldTemplateStatus     = "message_template_status_update"
	FieldTemplateQuality    = "message_template_quality_update"
	FieldTemplateComponents = "message_template_components_update"
	FieldTemplateCategory   = "template_category_update"
	FieldTemplateDetection  = "template_correct_category_detection"
	FieldNumberQuality      = "phone_number_quality_update"
	FieldNumberName         = "phone_number_name_update"
	FieldCapability         = "business_capability_update"
	FieldAccount            = "account_update"
	FieldAccountReview      = "account_review_update"
	FieldAccountAlerts      = "account_alerts"
	FieldUsername           = "business_username_update"
	FieldSecurity           = "security"
	FieldFlows              = "flows"
	FieldPayments           = "payment_configuration_update"
	FieldSettings           = "account_settings_update"
	FieldEchoes             = "smb_message_echoes"
)

// News is what a change tells of the account rather than of a citizen.
type News struct {
	Event   string            // Meta's word for what happened; "" where the field says it all
	Subject string            // what it is about: a template's name and language, a number's digits; "" is the account
	Facts   map[string]string // what a reader wants to know, by names of ours; empty ones are left out

	Template   *TemplateNews
	Limit      string // the new messaging limit, as TIER_…; "" where none is told
	Throughput string // HIGH when the number was upgraded
}

// TemplateNews is what has changed of a template; "" has not.
type TemplateNews struct {
	Name, Language            string
	Status, Category, Quality string
	Header, Body, Footer      string
	Buttons                   []TemplateButtonNews
}

// TemplateButtonNews is a button of a template as it is now.
type TemplateButtonNews struct{ Text, URL, Phone string }

// News reads what the change tells. Of a field that it does not know, and of a value of another shape, it tells nothing.
func (c Change) News() News {
	n := News{Facts: make(map[string]string)}
	if read, known := newsOf[c.Field]; known {
		read(&n, gjson.ParseBytes(c.Raw).Get("value"))
	}
	for name, value := range n.Facts {
		if value == "" {
			delete(n.Facts, name)
		}
	}
	return n
}

var newsOf = map[string]func(n *News, v gjson.Result){
	FieldTemplateStatus:     (*News).templateStatus,
	FieldTemplateQuality:    (*News).templateQuality,
	FieldTemplateComponents: (*News).templateComponents,
	FieldTemplateCategory:   (*News).templateCategory,
	FieldTemplateDetection:  (*News).templateDetection,
	FieldNumberQuality:      (*News).numberQuality,
	FieldNumberName:         (*News).numberName,
	FieldCapability:         (*News).capability,
	FieldAccount:            (*News).account,
	FieldAccountReview:      func(n *News, v gjson.Result) { n.Event = text(v.Get("decision")) },
	FieldAccountAlerts:      (*News).alert,
	FieldUsername:           (*News).username,
	FieldSecurity:           (*News).security,
	FieldFlows: func(n *News, v gjson.Result) {
		n.Event, n.Facts["description"] = text(v.Get("event")), text(v.Get("message"))
	},
	FieldPayments: func(n *News, v gjson.Result) {
		n.Event, n.Facts["name"] = text(v.Get("status")), text(v.Get("configuration_name"))
	},
	FieldSettings: func(n *News, v gjson.Result) { n.Event = text(v.Get("type")) },
}

func (n *News) template(v gjson.Result) *TemplateNews {
	t := &TemplateNews{Name: text(v.Get("message_template_name")), Language: strings.ReplaceAll(text(v.Get("message_template_language")), "-", "_")} // some webhooks write pt-BR for pt_BR
	n.Subject = t.Name + " " + t.Language
	n.Facts["name"], n.Facts["language"] = t.Name, t.Language
	n.Template = t
	return t
}

// templateStatuses are the events after which the template has another status than the event's own name; that of ""
// is unknown.
var templateStatuses = map[string]string{"FLAGGED": "", "REINSTATED": "APPROVED", "UNLOCKED": "APPROVED", "UNARCHIVED": "APPROVED"}

func (n *News) templateStatus(v gjson.Result) {
	t := n.template(v)
	n.Event = capitals(v.Get("event"))
	status, other := templateStatuses[n.Event]
	if t.Status = n.Event; other {
		t.Status = status
	}
	if n.Event == "FLAGGED" { // it is still sent, and will be stopped if citizens go on blocking and reporting it
		t.Quality = "RED"
	}
	t.Category = capitals(v.Get("message_template_category"))
	n.Facts["reason"] = cmp.Or(text(v.Get("rejection_info.reason")), text(v.Get("reason")))
	if n.Facts["reason"] == "NONE" {
		n.Facts["reason"] = ""
	}
	n.Facts["title"] = text(v.Get("other_info.title"))
	n.Facts["description"] = cmp.Or(text(v.Get("rejection_info.recommendation")), text(v.Get("other_info.description")))
	n.Facts["date"] = date(v.Get("disable_info.disable_date"))
}

func (n *News) templateQuality(v gjson.Result) {
	t := n.template(v)
	t.Quality = capitals(v.Get("new_quality_score"))
	n.Event = t.Quality
	n.Facts["from"], n.Facts["to"] = text(v.Get("previous_quality_score")), t.Quality
}

func (n *News) templateComponents(v gjson.Result) {
	t := n.template(v)
	t.Body, t.Header, t.Footer = text(v.Get("message_template_element")), text(v.Get("message_template_title")), text(v.Get("message_template_footer"))
	for _, b := range v.Get("message_template_buttons").Array() {
		t.Buttons = append(t.Buttons, TemplateButtonNews{
			Text:  text(b.Get("message_template_button_text")),
			URL:   text(b.Get("message_template_button_url")),
			Phone: text(b.Get("message_template_button_phone_number")),
		})
	}
	n.Facts["text"] = t.Body
}

// templateCategory tells of a change a day before it, and when it is done. Before it, new_category is the present one.
func (n *News) templateCategory(v gjson.Result) {
	t := n.template(v)
	if coming := text(v.Get("correct_category")); coming != "" {
		n.Event = "announced"
		n.Facts["from"], n.Facts["to"] = text(v.Get("new_category")), coming
		n.Facts["date"] = date(v.Get("category_update_timestamp"))
		return
	}
	n.Event, t.Category = "done", capitals(v.Get("new_category"))
	n.Facts["from"], n.Facts["to"] = text(v.Get("previous_category")), t.Category
}

// templateDetection tells under which category Meta would have put what went out under another.
func (n *News) templateDetection(v gjson.Result) {
	n.template(v)
	n.Facts["from"], n.Facts["to"] = capitals(v.Get("category")), capitals(v.Get("correct_category"))
}

// capitals is one of Meta's words, which are in capitals, however it came.
func capitals(v gjson.Result) string { return strings.ToUpper(text(v)) }

func (n *News) number(v gjson.Result) {
	n.Subject = digits(text(v.Get("display_phone_number")))
	n.Facts["number"] = n.Subject
}

func (n *News) numberQuality(v gjson.Result) {
	n.number(v)
	n.Event = text(v.Get("event"))
	if n.Event == "THROUGHPUT_UPGRADE" {
		n.Throughput = "HIGH"
	}
	n.limit(v.Get("max_daily_conversations_per_business"), v.Get("current_limit"))
	n.Facts["from"] = text(v.Get("old_limit"))
}

func (n *News) numberName(v gjson.Result) {
	n.number(v)
	n.Event = text(v.Get("decision"))
	n.Facts["name"], n.Facts["reason"] = text(v.Get("requested_verified_name")), text(v.Get("rejection_reason"))
	if n.Facts["reason"] == "NONE" {
		n.Facts["reason"] = ""
	}
}

func (n *News) capability(v gjson.Result) {
	n.limit(v.Get("max_daily_conversations_per_business"), v.Get("max_daily_conversation_per_phone"))
	n.Facts["numbers"] = cmp.Or(text(v.Get("max_phone_numbers_per_business")), text(v.Get("max_phone_numbers_per_waba")))
}

// limit reads the first messaging limit there is: a tier, or a number of people, of which -1 is no limit.
func (n *News) limit(values ...gjson.Result) {
	for _, v := range values {
		people, isNumber := whole(v)
		switch tier := capitals(v); {
		case isTier(tier):
			n.Limit = tier
		case isNumber && people < 0:
			n.Limit = "TIER_UNLIMITED"
		case isNumber && people > 0:
			n.Limit = "TIER_" + text(v)
		default:
			continue
		}
		n.Facts["limit"] = n.Limit
		return
	}
}

// isTier tells a limit from the words for there being none yet, such as TIER_NOT_SET.
func isTier(word string) bool {
	size, ok := strings.CutPrefix(word, "TIER_")
	return ok && (size == "UNLIMITED" || size != "" && size[0] >= '0' && size[0] <= '9')
}

func (n *News) account(v gjson.Result) {
	n.Event = text(v.Get("event"))
	n.Facts["number"] = digits(text(v.Get("phone_number")))
	n.Facts["violation"] = text(v.Get("violation_info.violation_type"))
	n.Facts["ban"], n.Facts["date"] = text(v.Get("ban_info.waba_ban_state")), date(v.Get("ban_info.waba_ban_date"))
	n.Facts["country"] = text(v.Get("country"))
	n.Facts["reason"], n.Facts["status"] = text(v.Get("disconnection_info.reason")), text(v.Get("partner_client_certification_info.status"))
	var restrictions []string
	for _, r := range v.Get("restriction_info").Array() {
		restrictions = append(restrictions, strings.TrimSpace(text(r.Get("restriction_type"))+" "+date(r.Get("expiration"))))
	}
	n.Facts["restrictions"] = strings.Join(restrictions, "\n")
	n.Facts["tier"] = strings.TrimSpace(text(v.Get("volume_tier_info.pricing_category")) + " " + text(v.Get("volume_tier_info.tier")))
}

// date is a time in RFC 3339, or Meta's words where it is told in words.
func date(v gjson.Result) string {
	if at, ok := moment(v); ok {
		return at.Format(time.RFC3339)
	}
	return text(v)
}

func (n *News) alert(v gjson.Result) {
	// The facts of an alert stand in alert_info, or, in Meta's own samples, beside it.
	of := func(key string) string { return cmp.Or(text(v.Get("alert_info."+key)), text(v.Get(key))) }
	n.Event, n.Subject = of("alert_type"), text(v.Get("entity_id"))
	n.Facts["severity"], n.Facts["status"], n.Facts["description"] = of("alert_severity"), of("alert_status"), of("alert_description")
}

func (n *News) username(v gjson.Result) {
	n.number(v)
	n.Event, n.Facts["name"] = text(v.Get("status")), text(v.Get("username"))
}

func (n *News) security(v gjson.Result) {
	n.number(v)
	n.Event, n.Facts["requester"] = text(v.Get("event")), text(v.Get("requester"))
}
