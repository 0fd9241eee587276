// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"
)

// PhoneNumber is a business number as Meta sees it. Values are Meta's; treat
// them as open sets. https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers
type PhoneNumber struct {
	ID               string
	DisplayPhone     string // as Meta formats it
	VerifiedName     string
	Status           string // only CONNECTED sends
	Quality          string // GREEN, YELLOW, RED, UNKNOWN
	CodeVerification string
	NameStatus       string
	Platform         string
	Throughput       string // STANDARD (80/s), HIGH (1,000/s)
	MessagingLimit   string // of the portfolio: TIER_250 … TIER_UNLIMITED
	AccountMode      string // LIVE, SANDBOX
	PIN              bool   // a two-step PIN is set
	Callback         Callback
	Health           Health
}

// HighThroughput tells whether the number may send 1,000 messages a second
// rather than 80, inbound counted.
func (p PhoneNumber) HighThroughput() bool { return p.Throughput == "HIGH" }

// Connected tells that the number sends and receives.
func (p PhoneNumber) Connected() bool { return p.Status == "CONNECTED" }

// Verified tells that the number's code was told back. It expires once a number is connected, and then no longer
// matters.
func (p PhoneNumber) Verified() bool { return p.CodeVerification == "VERIFIED" }

// Callback is where webhooks of a number go: the most special that is set.
type Callback struct{ Number, WABA, App string }

// Effective is the address in force; "" when Meta tells none.
func (c Callback) Effective() string {
	for _, address := range []string{c.Number, c.WABA, c.App} {
		if address != "" {
			return address
		}
	}
	return ""
}

// Health is Meta's own judgement whether sending works.
type Health struct {
	CanSend  string // AVAILABLE, LIMITED, BLOCKED: the worst of the entities
	Entities []HealthEntity
}

// HealthEntity is one thing that sending depends on.
type HealthEntity struct {
	Type    string // PHONE_NUMBER, WABA, BUSINESS, APP, MESSAGE_TEMPLATE
	ID      string
	CanSend string
	Info    []string
	Errors  []HealthError
}

// HealthError is why an entity is blocked, in Meta's words.
type HealthError struct {
	Code                  int
	Description, Solution string
}

// PhoneNumber asks for the state of the account's number.
func (c *Client) PhoneNumber(ctx context.Context, acc Account) (PhoneNumber, error) {
	v, err := c.get(ctx, acc, node(acc.PhoneNumberID), numberFields+",webhook_configuration,health_status")
	if err != nil {
		return PhoneNumber{}, fmt.Errorf("read phone number %s: %w", acc.PhoneNumberID, err)
	}
	return readPhoneNumber(v), nil
}

const numberFields = "id,display_phone_number,verified_name,status,quality_rating,code_verification_status,name_status," +
	"platform_type,throughput,whatsapp_business_manager_messaging_limit,account_mode,is_pin_enabled"

func readPhoneNumber(v gjson.Result) PhoneNumber {
	webhooks := v.Get("webhook_configuration")
	return PhoneNumber{
		ID:               text(v.Get("id")),
		DisplayPhone:     text(v.Get("display_phone_number")),
		VerifiedName:     text(v.Get("verified_name")),
		Status:           text(v.Get("status")),
		Quality:          text(v.Get("quality_rating")),
		CodeVerification: text(v.Get("code_verification_status")),
		NameStatus:       text(v.Get("name_status")),
		Platform:         text(v.Get("platform_type")),
		Throughput:       text(v.Get("throughput.level")),
		MessagingLimit:   text(v.Get("whatsapp_business_manager_messaging_limit")),
		AccountMode:      text(v.Get("account_mode")),
		PIN:              truth(v.Get("is_pin_enabled")),
		Callback: Callback{
			Number: text(webhooks.Get("phone_number")),
			WABA:   text(webhooks.Get("whatsapp_business_account")),
			App:    text(webhooks.Get("application")),
		},
		Health: readHealth(v.Get("health_status")),
	}
}

func readHealth(v gjson.Result) Health {
	h := Health{CanSend: text(v.Get("can_send_message"))}
	for _, e := range v.Get("entities").Array() {
		entity := HealthEntity{
			Type: text(e.Get("entity_type")), ID: text(e.Get("id")), CanSend: text(e.Get("can_send_message")),
		}
		for _, info := range e.Get("additional_info").Array() {
			entity.Info = append(entity.Info, text(info))
		}
		for _, failure := range e.Get("errors").Array() {
			entity.Errors = append(entity.Errors, HealthError{
				Code:        integer(failure.Get("error_code")),
				Description: text(failure.Get("error_description")),
				Solution:    text(failure.Get("possible_solution")),
			})
		}
		h.Entities = append(h.Entities, entity)
	}
	return h
}

// WABA is a WhatsApp Business Account. Values are Meta's.
type WABA struct {
	ID, Name, Status, Currency, Country string
	TimezoneID                          string
	BusinessVerification, Review        string
	Health                              Health
}

// WABA asks for the state of the business account.
func (c *Client) WABA(ctx context.Context, acc Account) (WABA, error) {
	v, err := c.get(ctx, acc, node(acc.WABAID), "id,name,status,currency,country,timezone_id,"+
		"business_verification_status,account_review_status,health_status")
	if err != nil {
		return WABA{}, fmt.Errorf("read business account %s: %w", acc.WABAID, err)
	}
	return WABA{
		ID:                   text(v.Get("id")),
		Name:                 text(v.Get("name")),
		Status:               text(v.Get("status")),
		Currency:             text(v.Get("currency")),
		Country:              text(v.Get("country")),
		TimezoneID:           text(v.Get("timezone_id")),
		BusinessVerification: text(v.Get("business_verification_status")),
		Review:               text(v.Get("account_review_status")),
		Health:               readHealth(v.Get("health_status")),
	}, nil
}

// CheckToken asks for the least that needs a good token with rights on the
// business account; a *GraphError of class Stop tells what is missing.
func (c *Client) CheckToken(ctx context.Context, acc Account) error {
	if _, err := c.get(ctx, acc, node(acc.WABAID), "id"); err != nil {
		return fmt.Errorf("check the token on business account %s: %w", acc.WABAID, err)
	}
	return nil
}

// SubscribedApp is an app that gets the webhooks of a business account.
type SubscribedApp struct {
	ID, Name string
	Callback string // override for this account; "" when the app's own holds
}

// SubscribedApps lists who gets the webhooks of the business account. When
// ours is not among them, nothing citizens write arrives.
func (c *Client) SubscribedApps(ctx context.Context, acc Account) ([]SubscribedApp, error) {
	v, err := c.get(ctx, acc, node(acc.WABAID, "subscribed_apps"), "")
	if err != nil {
		return nil, fmt.Errorf("list apps subscribed to business account %s: %w", acc.WABAID, err)
	}
	var apps []SubscribedApp
	for _, app := range v.Get("data").Array() {
		apps = append(apps, SubscribedApp{
			ID:       text(app.Get("whatsapp_business_api_data.id")),
			Name:     text(app.Get("whatsapp_business_api_data.name")),
			Callback: text(app.Get("override_callback_uri")),
		})
	}
	return apps, nil
}

// CallbackOverride sends the webhooks of one business account to an address of
// its own, for suppliers with one app for many municipalities.
type CallbackOverride struct {
	URL         string `json:"override_callback_uri"` // at most 200 characters
	VerifyToken string `json:"verify_token"`
}

const maxCallbackURL = 200

// SubscribeApp subscribes the token's app to the webhooks of the business
// account. With an override Meta calls its address first to verify it; without
// one an earlier override is removed.
func (c *Client) SubscribeApp(ctx context.Context, acc Account, override *CallbackOverride) error {
	r := request{method: http.MethodPost, path: node(acc.WABAID, "subscribed_apps"), token: acc.Token}
	if override != nil {
		if len(override.URL) > maxCallbackURL {
			return limit("override_callback_uri", "have at most %d characters", maxCallbackURL)
		}
		body, err := json.Marshal(override)
		if err != nil {
			return fmt.Errorf("subscribe to business account %s: %w", acc.WABAID, err)
		}
		r.body = body
	}
	if _, err := c.call(ctx, r); err != nil {
		return fmt.Errorf("subscribe to business account %s: %w", acc.WABAID, err)
	}
	return nil
}

const (
	templatesPerPage = 100
	maxTemplatePages = 100 // an account may have 6,000
)

// Templates lists all templates of the business account, whatever their
// status.
func (c *Client) Templates(ctx context.Context, acc Account) ([]Template, error) {
	var templates []Template
	after := ""
	for range maxTemplatePages {
		page, err := c.templatePage(ctx, acc, after)
		if err != nil {
			return nil, fmt.Errorf("list templates of business account %s: %w", acc.WABAID, err)
		}
		for _, v := range page.Get("data").Array() {
			templates = append(templates, readTemplate(v))
		}
		next := text(page.Get("paging.cursors.after"))
		if text(page.Get("paging.next")) == "" || next == "" || next == after {
			return templates, nil
		}
		after = next
	}
	return nil, fmt.Errorf("list templates of business account %s: %w", acc.WABAID, errEndless)
}

var errEndless = errors.New("the list does not end")

// templatePage asks by cursor rather than by the address in paging.next, which
// the token would follow to wherever it points.
func (c *Client) templatePage(ctx context.Context, acc Account, after string) (gjson.Result, error) {
	query := url.Values{
		"fields": {"id,name,language,status,category,quality_score,rejected_reason,parameter_format,components"},
		"limit":  {fmt.Sprint(templatesPerPage)},
	}
	if after != "" {
		query.Set("after", after)
	}
	return c.call(ctx, request{
		method: http.MethodGet, path: node(acc.WABAID, "message_templates"), query: query, token: acc.Token,
	})
}
