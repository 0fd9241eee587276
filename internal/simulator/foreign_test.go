// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

const (
	appNumber   = "300000000000001"
	appToken    = appNumber + "|simulator"
	businessRef = "400000000000001"
)

// field is what stands in an answer at a path of names and places, nil where nothing does.
func field(answer any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			in, _ := answer.(object)
			answer = in[step]
		case int:
			in, _ := answer.([]any)
			if step >= len(in) {
				return nil
			}
			answer = in[step]
		}
	}
	return answer
}

// A program that takes other organisations' accounts over asks for a token by a code, what it may do, which accounts it
// sees, and sets the number up.
func TestForeignSignup(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	secret := parameters("client_id", appNumber, "client_secret", "simulator", "code", "simulator")
	for name, f := range map[string]foreign{
		"query":                 {method: http.MethodGet, path: "/v22.0/oauth/access_token", query: secret, tokenless: true},
		"form":                  {path: "/v22.0/oauth/access_token", contentType: asForm, body: secret, tokenless: true},
		"JSON":                  {path: "/v22.0/oauth/access_token", contentType: asJSON, body: `{"client_id":"` + appNumber + `","client_secret":"simulator","code":"simulator","grant_type":"authorization_code"}`, tokenless: true},
		"JSON, id as a number":  {path: "/oauth/access_token", contentType: asJSON, body: `{"client_id":` + appNumber + `,"client_secret":"simulator","code":"simulator"}`, tokenless: true},
		"for a longer life":     {method: http.MethodGet, path: "/v22.0/oauth/access_token", query: parameters("grant_type", "fb_exchange_token", "client_id", appNumber, "client_secret", "simulator", "fb_exchange_token", "simulator"), tokenless: true},
		"of the app, by a form": {path: "/v19.0/oauth/access_token", contentType: asForm, body: parameters("grant_type", "client_credentials", "client_id", appNumber, "client_secret", "simulator"), tokenless: true},
	} {
		status, answer := s.foreign(f)
		if want := map[bool]string{true: appToken, false: "simulator"}[strings.HasPrefix(name, "of the app")]; status != http.StatusOK || answer["access_token"] != want || answer["token_type"] != "bearer" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	_, about := s.foreign(foreign{method: http.MethodGet, path: "/v22.0/debug_token", query: parameters("input_token", "simulator", "access_token", appToken), tokenless: true})
	if field(about, "data", "is_valid") != true || field(about, "data", "app_id") != appNumber || field(about, "data", "user_id") == nil || field(about, "data", "issued_at") == nil ||
		field(about, "data", "granular_scopes", 0, "target_ids", 0) != waba || !strings.Contains(numberText(field(about, "data", "scopes")), "business_management") {
		t.Errorf("the token is %v", about)
	}
	for path, want := range map[string]struct {
		at    []any
		value any
	}{
		"/v22.0/me":                              {[]any{"name"}, "Simulator"},
		"/v22.0/me/businesses":                   {[]any{"data", 0, "id"}, businessRef},
		"/v22.0/" + businessRef + "?fields=name": {[]any{"id"}, businessRef},
		"/v22.0/" + businessRef + "/owned_whatsapp_business_accounts?fields=id,name,phone_numbers{id,display_phone_number}": {[]any{"data", 0, "phone_numbers", "data", 0, "id"}, number},
		"/v22.0/me?fields=id,businesses{id,owned_whatsapp_business_accounts{id,phone_numbers.limit(5){id,status}}}":         {[]any{"businesses", "data", 0, "owned_whatsapp_business_accounts", "data", 0, "phone_numbers", "data", 0, "status"}, "CONNECTED"},
		"/v22.0/" + businessRef + "/client_whatsapp_business_accounts":                                                      {[]any{"data", 0}, nil},
		"/v22.0/" + number: {[]any{"code_verification_status"}, "VERIFIED"},
		"/v24.0/" + number + "?fields=id,quality_rating,whatsapp_business_manager_messaging_limit,status,account_mode,name_status,webhook_configuration,throughput,last_onboarded_time,is_on_biz_app,platform_type": {[]any{"is_on_biz_app"}, false},
	} {
		if answer := s.ok("GET", path, nil); field(answer, want.at...) != want.value {
			t.Errorf("%s: %v", path, answer)
		}
	}
	templates, _ := field(s.ok("GET", "/v22.0/"+waba+"?fields=name,message_templates{name}", nil), "message_templates", "data").([]any)
	if len(templates) != 2 || field(templates[0], "name") == nil {
		t.Errorf("templates as a field: %v", templates)
	}
	s.ok("POST", "/v22.0/"+number+"/register", object{"messaging_product": "whatsapp", "pin": "123456"})
	if answer := s.ok("POST", "/v22.0/"+waba+"/subscribed_apps", nil); answer["success"] != true {
		t.Errorf("subscribed: %v", answer)
	}
}

// Mistakes of signup and of reading have Meta's codes and shapes.
func TestForeignMistakesOfSignup(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	sum := hmac.New(sha256.New, []byte("simulator"))
	sum.Write([]byte("simulator"))
	proof := hex.EncodeToString(sum.Sum(nil))
	if status, answer := s.foreign(foreign{method: http.MethodGet, path: "/v26.0/" + number, query: "appsecret_proof=" + proof}); status != http.StatusOK {
		t.Errorf("a good proof: %v", answer)
	}
	token := "/v22.0/oauth/access_token"
	for name, c := range map[string]struct {
		foreign
		code, subcode int
	}{
		"a proof that is none":  {foreign{method: http.MethodGet, path: "/v26.0/" + number, query: "appsecret_proof=abc"}, 100, 0},
		"another app":           {foreign{method: http.MethodGet, path: token, query: parameters("client_id", "1", "client_secret", "simulator", "code", "simulator"), tokenless: true}, 101, 0},
		"another secret":        {foreign{method: http.MethodGet, path: token, query: parameters("client_id", appNumber, "client_secret", "x", "code", "simulator"), tokenless: true}, 1, 0},
		"a code that is none":   {foreign{method: http.MethodGet, path: token, query: parameters("client_id", appNumber, "client_secret", "simulator", "code", "x"), tokenless: true}, 100, 36009},
		"no code":               {foreign{method: http.MethodGet, path: token, query: parameters("client_id", appNumber, "client_secret", "simulator"), tokenless: true}, 100, 0},
		"a token that is none":  {foreign{method: http.MethodGet, path: token, query: parameters("grant_type", "fb_exchange_token", "client_id", appNumber, "client_secret", "simulator", "fb_exchange_token", "x"), tokenless: true}, 190, 0},
		"a field of no number":  {foreign{method: http.MethodGet, path: "/v26.0/" + number, query: "fields=id,qualty_rating"}, 100, 0},
		"a field of no account": {foreign{method: http.MethodGet, path: "/v26.0/" + waba, query: "fields=verified_name"}, 100, 0},
		"nothing at all":        {foreign{method: http.MethodGet, path: "/v13.0/"}, 100, 33},
		"a key that is none":    {foreign{path: "/v26.0/" + number + "/whatsapp_business_encryption", contentType: asForm, body: "business_public_key=abc"}, 100, 0},
		"a name that is there": {foreign{path: templatesPath, contentType: asJSON,
			body: `{"name":"hello_world","language":"en_US","category":"UTILITY","components":[{"type":"BODY","text":"Good morning"}]}`}, 100, 2388024},
		"the template of another": {foreign{method: http.MethodDelete, path: templatesPath, query: "name=altrui"}, 100, 2593002},
	} {
		status, answer := s.foreign(c.foreign)
		subcode, _ := field(answer, "error", "error_subcode").(float64)
		if status < 400 || code(answer) != c.code || int(subcode) != c.subcode || field(answer, "error", "fbtrace_id") == nil || field(answer, "error", "type") == nil {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	if _, answer := s.foreign(foreign{method: http.MethodGet, path: "/v13.0/"}); field(answer, "error", "type") != "GraphMethodException" {
		t.Errorf("a client that asks for nothing to try its token is told %v", answer)
	}
}

// Pictures of short links are drawn in both formats, for whoever has the address.
func TestPicturesOfLinks(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	links := "/v26.0/" + number + "/message_qrdls"
	_, made := s.foreign(foreign{path: links, query: parameters("generate_qr_image", "png", "prefilled_message", "LISTE")})
	id, _ := made["code"].(string)
	picture := func(answer any) (*http.Response, []byte) {
		address, _ := answer.(string)
		if _, err := url.Parse(address); err != nil || !strings.HasPrefix(address, s.url) {
			t.Fatalf("the picture is at %q", address)
		}
		res, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body bytes.Buffer
		if _, err := body.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		return res, body.Bytes()
	}
	if _, raw := picture(made["qr_image_url"]); raw != nil {
		if drawn, err := png.Decode(bytes.NewReader(raw)); err != nil || drawn.Bounds().Dx() < 200 {
			t.Errorf("the picture cannot be seen: %v", err)
		}
	}
	listed := s.ok("GET", links+"?fields=code,qr_image_url.format(SVG)", nil)
	res, raw := picture(field(listed, "data", 0, "qr_image_url"))
	if res.Header.Get("Content-Type") != "image/svg+xml" || !bytes.Contains(raw, []byte("<path")) {
		t.Errorf("%v: %.100s", res.Header, raw)
	}
	if one := s.ok("GET", links+"/"+id, nil); field(one, "data", 0, "qr_image_url") != nil || field(one, "data", 0, "code") != id {
		t.Errorf("a picture that was not asked for: %v", one)
	}
	s.ok("DELETE", links+"/"+id, nil)
	if res, _ := picture(made["qr_image_url"]); res.StatusCode != http.StatusNotFound {
		t.Errorf("the picture of a link that is no more: %d", res.StatusCode)
	}
}

// A key for forms is kept as it came, and a form may come in parts.
func TestEncryptionKey(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	path := "/v26.0/" + number + "/whatsapp_business_encryption"
	if none := s.ok("GET", path, nil); field(none, "data", 0) != nil {
		t.Errorf("a key is there: %v", none)
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	_ = parts.WriteField("business_public_key", public)
	_ = parts.Close()
	for name, f := range map[string]foreign{
		"in parts": {path: path, contentType: parts.FormDataContentType(), body: body.String()},
		"form":     {path: path, contentType: asForm, body: parameters("business_public_key", public)},
		"JSON":     {path: path, contentType: asJSON, body: numberText(object{"business_public_key": public})},
	} {
		if status, answer := s.foreign(f); status != http.StatusOK {
			t.Errorf("%s: %v", name, answer)
		}
		if kept := s.ok("GET", path, nil); field(kept, "data", 0, "business_public_key") != public || field(kept, "data", 0, "business_public_key_signature_status") != "VALID" {
			t.Errorf("%s: kept is %v", name, kept)
		}
	}
}

// A display name waits for its review, and the number has the old one until then.
func TestNewDisplayName(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	path := "/v26.0/" + number
	s.ok("POST", path, object{"messaging_product": "whatsapp", "new_display_name": "Comune di Rimini"})
	asked := s.ok("GET", path+"?fields=verified_name,new_display_name,new_name_status", nil)
	if asked["new_display_name"] != "Comune di Rimini" || asked["new_name_status"] != "PENDING_REVIEW" || asked["verified_name"] == "Comune di Rimini" {
		t.Errorf("asked for: %v", asked)
	}
	s.advance("2h")
	if settled := s.ok("GET", path+"?fields=verified_name,name_status,new_display_name", nil); settled["verified_name"] != "Comune di Rimini" || settled["name_status"] != "APPROVED" || settled["new_display_name"] != nil {
		t.Errorf("settled: %v", settled)
	}
	s.ok("POST", path, object{"new_display_name": "Reject me"})
	s.advance("2h")
	if refused := s.ok("GET", path+"?fields=verified_name,name_status", nil); refused["verified_name"] != "Comune di Rimini" || refused["name_status"] != "DECLINED" {
		t.Errorf("refused: %v", refused)
	}
}
