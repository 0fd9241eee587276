// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestPhoneNumber(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, field := range []string{"throughput", "health_status", "webhook_configuration"} {
			if r.URL.Path != "/v26.0/106500001" || !strings.Contains(r.URL.Query().Get("fields"), field) {
				t.Errorf("asked %s", r.URL)
			}
		}
		io.WriteString(w, `{"id":"106500001","display_phone_number":"+39 02 1234567","verified_name":"Comune di Esempio","status":"CONNECTED",
			"quality_rating":"GREEN","code_verification_status":"VERIFIED","name_status":"APPROVED","platform_type":"CLOUD_API",
			"throughput":{"level":"HIGH"},"whatsapp_business_manager_messaging_limit":"TIER_2K","account_mode":"LIVE",
			"webhook_configuration":{"application":"https://app.example","whatsapp_business_account":"https://waba.example"},
			"health_status":{"can_send_message":"BLOCKED","entities":[
				{"entity_type":"WABA","id":"102200001","can_send_message":"LIMITED","additional_info":["display name not approved"]},
				{"entity_type":"BUSINESS","id":"5","can_send_message":"BLOCKED","errors":[{"error_code":141014,"error_description":"banned","possible_solution":"appeal"}]}]}}`)
	}))
	defer s.Close()
	got, err := clientFor(t, s.URL).PhoneNumber(t.Context(), account)
	want := PhoneNumber{
		ID: "106500001", DisplayPhone: "+39 02 1234567", VerifiedName: "Comune di Esempio", Status: "CONNECTED", Quality: "GREEN",
		CodeVerification: "VERIFIED", NameStatus: "APPROVED", Platform: "CLOUD_API", Throughput: "HIGH", MessagingLimit: "TIER_2K",
		AccountMode: "LIVE", Callback: Callback{App: "https://app.example", WABA: "https://waba.example"},
		Health: Health{CanSend: "BLOCKED", Entities: []HealthEntity{
			{Type: "WABA", ID: "102200001", CanSend: "LIMITED", Info: []string{"display name not approved"}},
			{Type: "BUSINESS", ID: "5", CanSend: "BLOCKED", Errors: []HealthError{{Code: 141014, Description: "banned", Solution: "appeal"}}},
		}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
	if !got.HighThroughput() || got.Callback.Effective() != "https://waba.example" {
		t.Errorf("throughput %t, callback %s", got.HighThroughput(), got.Callback.Effective())
	}
}

func TestAccountCallsTellWhatTheyDid(t *testing.T) {
	c, _ := answering(t, 401, `{"error":{"code":190,"message":"expired"}}`)
	calls := map[string]func() error{
		"read phone number 106500001":                        func() error { _, err := c.PhoneNumber(t.Context(), account); return err },
		"read business account 102200001":                    func() error { _, err := c.WABA(t.Context(), account); return err },
		"check the token on business account 102200001":      func() error { return c.CheckToken(t.Context(), account) },
		"list apps subscribed to business account 102200001": func() error { _, err := c.SubscribedApps(t.Context(), account); return err },
		"subscribe to business account 102200001":            func() error { return c.SubscribeApp(t.Context(), account, nil) },
		"list templates of business account 102200001":       func() error { _, err := c.Templates(t.Context(), account); return err },
	}
	for doing, call := range calls {
		err := call()
		e, ok := errors.AsType[*GraphError](err)
		if !ok || e.Advice().Reason != "token_invalid" || !strings.HasPrefix(err.Error(), doing+": ") {
			t.Errorf("%s: got %v", doing, err)
		}
	}
}

func TestWABA(t *testing.T) {
	c, _ := answering(t, 200, `{"id":"102200001","name":"Comune","status":"ACTIVE","currency":"EUR","country":"IT","timezone_id":"71",
		"business_verification_status":"verified","account_review_status":"APPROVED","health_status":{"can_send_message":"AVAILABLE"}}`)
	got, err := c.WABA(t.Context(), account)
	want := WABA{ID: "102200001", Name: "Comune", Status: "ACTIVE", Currency: "EUR", Country: "IT", TimezoneID: "71",
		BusinessVerification: "verified", Review: "APPROVED", Health: Health{CanSend: "AVAILABLE"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
	if err := c.CheckToken(t.Context(), account); err != nil {
		t.Errorf("token: %v", err)
	}
}

func TestSubscription(t *testing.T) {
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- fmt.Sprint(r.Method, " ", r.URL, " ", string(body))
		io.WriteString(w, `{"success":true,"data":[{"whatsapp_business_api_data":{"id":"7","name":"Desk","link":"x"},"override_callback_uri":"https://desk.example"}]}`)
	}))
	defer s.Close()
	c := clientFor(t, s.URL)
	const path = "/v26.0/102200001/subscribed_apps"

	apps, err := c.SubscribedApps(t.Context(), account)
	if got := <-asked; err != nil || got != "GET "+path+" " || !reflect.DeepEqual(apps, []SubscribedApp{{ID: "7", Name: "Desk", Callback: "https://desk.example"}}) {
		t.Errorf("list: asked %s, got %+v, error %v", got, apps, err)
	}
	err = c.SubscribeApp(t.Context(), account, nil)
	if got := <-asked; err != nil || got != "POST "+path+" " {
		t.Errorf("subscribe: asked %s, error %v", got, err)
	}
	err = c.SubscribeApp(t.Context(), account, &CallbackOverride{URL: "https://desk.example/webhooks/whatsapp/rimini", VerifyToken: "v"})
	if got := <-asked; err != nil || got != "POST "+path+` {"override_callback_uri":"https://desk.example/webhooks/whatsapp/rimini","verify_token":"v"}` {
		t.Errorf("override: asked %s, error %v", got, err)
	}
	wantLimit(t, c.SubscribeApp(t.Context(), account, &CallbackOverride{URL: "https://" + strings.Repeat("x", 200)}), "override_callback_uri")
}

func TestTemplatesOverSeveralPages(t *testing.T) {
	pages := map[string]string{
		"": `{"data":[{"id":"1","name":"avviso","language":"it","status":"APPROVED","category":"UTILITY","parameter_format":"NAMED",
			"quality_score":{"score":"GREEN"},"components":[{"type":"BODY","text":"Ciao"}]}],
			"paging":{"cursors":{"after":"A"},"next":"https://evil.example/steal"}}`,
		"A": `{"data":[{"id":"2","name":"hello_world","language":"en_US","status":"PAUSED","category":"MARKETING","rejected_reason":"NONE"}],
			"paging":{"cursors":{"after":"B"}}}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v26.0/102200001/message_templates" {
			t.Errorf("asked %s", r.URL)
		}
		io.WriteString(w, pages[r.URL.Query().Get("after")])
	}))
	defer s.Close()
	got, err := clientFor(t, s.URL).Templates(t.Context(), account)
	want := []Template{
		{ID: "1", Name: "avviso", Language: "it", Status: "APPROVED", Category: "UTILITY", Quality: "GREEN", ParameterFormat: "NAMED",
			Components: []byte(`[{"type":"BODY","text":"Ciao"}]`)},
		{ID: "2", Name: "hello_world", Language: "en_US", Status: "PAUSED", Category: "MARKETING", RejectedReason: "NONE", ParameterFormat: "POSITIONAL"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
}

func TestTemplatesWithoutEnd(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		fmt.Fprintf(w, `{"data":[{"id":"%d"}],"paging":{"cursors":{"after":"%d"},"next":"x"}}`, n, n)
	}))
	defer s.Close()
	if _, err := clientFor(t, s.URL).Templates(t.Context(), account); !errors.Is(err, errEndless) {
		t.Errorf("got %v", err)
	}
	if n != maxTemplatePages {
		t.Errorf("asked %d pages", n)
	}
	c, _ := answering(t, 200, `{"data":[{"id":"1"}],"paging":{"cursors":{"after":"A"},"next":"x"}}`)
	if got, err := c.Templates(t.Context(), account); err != nil || len(got) != 2 {
		t.Errorf("the same cursor again: got %d templates, error %v", len(got), err)
	}
}
