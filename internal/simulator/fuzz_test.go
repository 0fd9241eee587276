// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

const form = "multipart/form-data; boundary=x"

// Whatever a client sends gets an answer in Meta's shape: JSON, and where it is refused, an error with code, message,
// type and trace.
func FuzzGraph(f *testing.F) {
	type seed struct{ method, path, body string }
	for _, s := range []seed{
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"a","preview_url":true},"context":{"message_id":"wamid.x"}}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":"+393471234567","type":"template","template":{"name":"avviso","language":{"code":"it"},"components":[{"type":"body","parameters":[{"type":"text","text":"a"}]}]}}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":393471234567,"type":"interactive","interactive":{"type":"list","body":{"text":"a"},"action":{"button":"b","sections":[{"title":"c","rows":[{"id":"1","title":"d"}]}]}}}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":"+393471234567","type":"contacts","contacts":[{"name":{"formatted_name":"A"},"phones":[{"phone":"+39"}]}]}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":"+393471234567","type":"location","location":{"latitude":"0","longitude":1}}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":"+393471234567","type":"image","image":{"link":"https://comune.example/a.png","caption":"x"}}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.x","typing_indicator":{"type":"text"}}`},
		{"POST", number + "/settings", `{"user_identity_change":{"enable_identity_key_check":true}}`},
		{"POST", number + "/block_users", `{"messaging_product":"whatsapp","block_users":[{"user":"+393471234567"},{"user_id":"IT.1"}]}`},
		{"POST", number + "/message_qrdls", `{"prefilled_message":"Ciao","generate_qr_image":"SVG"}`},
		{"POST", number + "/whatsapp_business_profile", `{"messaging_product":"whatsapp","about":"a","websites":["https://comune.example"],"vertical":"GOVT"}`},
		{"POST", number + "/conversational_automation", `{"prompts":["Orari"],"commands":[{"command_name":"liste","command_description":"Elenco"}]}`},
		{"POST", number + "/request_code", `{"code_method":"VOICE","language":"it"}`},
		{"POST", number + "/register", `{"messaging_product":"whatsapp","pin":"123456"}`},
		{"POST", waba + "/message_templates", `{"name":"a","language":"it","category":"UTILITY","components":[{"type":"BODY","text":"Ciao {{1}} qui","example":{"body_text":[["a"]]}},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"No"}]}]}`},
		{"GET", waba + "/message_templates?limit=1&fields=id,name&after=x", ""},
		{"GET", number + "?fields=id,health_status,throughput{level}", ""},
		{"DELETE", waba + "/message_templates?name=avviso", ""},
		{"POST", waba + "/subscribed_apps", ""},
		{"POST", "oauth/access_token", `{"client_id":300000000000001,"client_secret":"simulator","code":"simulator"}`},
		{"GET", "oauth/access_token?grant_type=fb_exchange_token&client_id=300000000000001&client_secret=simulator&fb_exchange_token=x", ""},
		{"GET", "debug_token?input_token=simulator", ""},
		{"GET", "me?fields=id,businesses{id,owned_whatsapp_business_accounts.limit(1){id,phone_numbers{id}}}", ""},
		{"GET", "400000000000001/owned_whatsapp_business_accounts?fields=name&limit=1", ""},
		{"GET", number + "/message_qrdls?fields=code,qr_image_url.format(PNG)", ""},
		{"POST", number + "/whatsapp_business_encryption", `{"business_public_key":"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"}`},
		{"POST", number, `{"new_display_name":"Comune","webhook_configuration":{"override_callback_uri":""}}`},
		{"POST", number + "/messages", `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":"{\"body\":\"a\"}"}`},
		{"POST", waba + "/phone_numbers", `{"cc":"39","phone_number":"0541704704","verified_name":"Comune"}`},
	} {
		f.Add(s.method, s.path, s.body)
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		answer := served(t, method, "/v26.0/"+path, "application/json", []byte(body))
		if answer != nil {
			checkAnswer(t, answer)
		}
	})
}

// An upload that is cut, empty or of another making is refused in Meta's shape.
func FuzzUpload(f *testing.F) {
	part := func(head, content string) string {
		return "--x\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + content + "\r\n"
	}
	file := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nciao\r\n"
	f.Add([]byte(part(`name="messaging_product"`, "whatsapp") + part(`name="type"`, "text/plain") + file + "--x--\r\n"))
	f.Add([]byte(file + part(`name="messaging_product"`, "whatsapp") + "--x--"))
	f.Add([]byte(file))
	f.Add([]byte(part(`name="file"`, "") + "--x--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		checkAnswer(t, served(t, http.MethodPost, "/v26.0/"+number+"/media", form, body))
	})
}

// What a citizen is made to write is taken, or refused with a sentence.
func FuzzWritten(f *testing.F) {
	for _, body := range []string{
		`{"text":"ciao"}`, `{"text":{"body":"ciao"},"reply_to":"wamid.x"}`, `{"image":true}`, `{"voice":{"data":"T2dnUw==","mime":"audio/ogg"}}`,
		`{"location":{"latitude":0,"longitude":12}}`, `{"contacts":[{"name":{"formatted_name":"A"}}]}`, `{"reaction":{"message_id":"x","emoji":"👍"}}`,
		`{"raw":{"type":"edit","edit":{}}}`, `{"raw":{"type":7}}`, `{"button_reply":{"id":"a","title":"b"}}`, `{"list_reply":{"id":"a"}}`, `{"button":{"payload":"a","text":"b"}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := served(t, http.MethodPost, "/simulator/citizens/"+maria+"/messages", "application/json", body)
		if answer.Code >= 500 || answer.Code >= 400 && !bytes.Contains(answer.Body.Bytes(), []byte(`"error"`)) {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	})
}

// served is the answer of a simulator of its own; nil where what is asked is no request.
func served(t *testing.T, method, address, contentType string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://simulator.example"+address, bytes.NewReader(body))
	if err != nil || req.URL.Host != "simulator.example" {
		return nil
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer simulator")
	s, err := simulator.New(simulator.Options{Delays: quick(), Recorded: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, req)
	return answer
}

func checkAnswer(t *testing.T, answer *httptest.ResponseRecorder) {
	t.Helper()
	if answer.Code/100 == 3 {
		return // the mux tidies a path
	}
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Error *struct {
			Message *string `json:"message"`
			Type    *string `json:"type"`
			Code    *int    `json:"code"`
			Trace   *string `json:"fbtrace_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatalf("%d %q is not JSON: %v", answer.Code, raw, err)
	}
	e := body.Error
	if whole := e != nil && e.Message != nil && e.Type != nil && e.Code != nil && e.Trace != nil; answer.Code != http.StatusOK && !whole {
		t.Errorf("%d %s", answer.Code, raw)
	}
	if answer.Code == http.StatusInternalServerError {
		t.Errorf("a fault of our own: %s", raw)
	}
}
