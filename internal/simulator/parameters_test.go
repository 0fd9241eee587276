// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// foreign is a request as clients make it that are not ours.
type foreign struct {
	method, path, query string
	contentType, body   string
	tokenless           bool // without the header: the token is a parameter
}

func (s *sim) foreign(f foreign) (int, object) {
	s.t.Helper()
	address := s.url + f.path
	if f.query != "" {
		address += "?" + f.query
	}
	if f.method == "" {
		f.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(s.t.Context(), f.method, address, strings.NewReader(f.body))
	if err != nil {
		s.t.Fatal(err)
	}
	if !f.tokenless {
		req.Header.Set("Authorization", "Bearer simulator")
	}
	if f.contentType != "" {
		req.Header.Set("Content-Type", f.contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var answer object
	if err := json.Unmarshal(raw, &answer); err != nil {
		s.t.Fatalf("%s %s answered %q: %v", f.method, f.path, raw, err)
	}
	return resp.StatusCode, answer
}

const (
	asForm = "application/x-www-form-urlencoded"
	asJSON = "application/json"
)

// parameters is a body of parameters, in pairs of name and value.
func parameters(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

// Other clients say the same in other ways; the simulator takes what Meta takes.
func TestForeignClients(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.write(maria, object{"text": "Buongiorno"})
	messages, links, profile := "/v26.0/"+number+"/messages", "/v26.0/"+number+"/message_qrdls", "/v26.0/"+number+"/whatsapp_business_profile"
	for name, f := range map[string]foreign{
		"form":                       {path: messages, contentType: asForm, body: parameters("messaging_product", "whatsapp", "to", maria, "type", "text", "text", `{"body":"Buongiorno"}`)},
		"form with a charset":        {path: messages, contentType: asForm + "; charset=UTF-8", body: parameters("messaging_product", "whatsapp", "to", maria, "type", "text", "text", `{"body":"Buongiorno"}`)},
		"token in the form":          {path: messages, contentType: asForm, tokenless: true, body: parameters("access_token", "simulator", "messaging_product", "whatsapp", "to", maria, "text", `{"body":"Buongiorno"}`)},
		"token in the query":         {path: messages, query: "access_token=simulator", tokenless: true, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"x"}}`},
		"query and body":             {path: messages, query: parameters("messaging_product", "whatsapp", "to", maria), contentType: asJSON, body: `{"type":"text","text":{"body":"x"}}`},
		"all in the query":           {path: messages, query: parameters("messaging_product", "whatsapp", "to", maria, "type", "text", "text", `{"body":"x"}`)},
		"the body wins":              {path: messages, query: "messaging_product=sms", contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"x"}}`},
		"phone as a number":          {path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":393471234567,"type":"text","text":{"body":"x"}}`},
		"nested as PHP does":         {path: messages, contentType: asForm, body: parameters("messaging_product", "whatsapp", "to", maria, "type", "text", "text[body]", "Buongiorno", "text[preview_url]", "true")},
		"lists as PHP does":          {path: messages, contentType: asForm, body: parameters("messaging_product", "whatsapp", "to", maria, "type", "template", "template[name]", "avviso", "template[language][code]", "it", "template[components][0][type]", "body", "template[components][0][parameters][0][type]", "text", "template[components][0][parameters][0][text]", "domani")},
		"nested in the query":        {path: messages, query: parameters("messaging_product", "whatsapp", "to", maria, "type", "text", "text[body]", "x")},
		"token in JSON":              {path: messages, contentType: asJSON, tokenless: true, body: `{"access_token":"simulator","messaging_product":"whatsapp","to":"+393471234567","text":{"body":"x"}}`},
		"token in JSON with a query": {path: messages, query: "messaging_product=whatsapp", contentType: asJSON, tokenless: true, body: `{"access_token":"simulator","to":"+393471234567","text":{"body":"x"}}`},
		"contents as texts in JSON":  {path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"contacts","contacts":"[{\"name\":{\"formatted_name\":\"URP\",\"first_name\":\"URP\"},\"phones\":[{\"phone\":\"+390541\"}]}]"}`},
		"no type":                    {path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","text":{"body":"x"}}`},
		"no type of content":         {path: messages, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"x"}}`},
		"slash at the end":           {path: messages + "/", contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"x"}}`},
		"no version":                 {path: "/" + number + "/messages", contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"x"}}`},
		"language with its policy":   {path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"template","template":{"name":"hello_world","language":{"policy":"deterministic","code":"en_US"}}}`},
		"template with a namespace":  {path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"template","template":{"namespace":"sim_1","name":"hello_world","language":{"code":"en_US"}}}`},
		"read, by form":              {path: messages, contentType: asForm, body: parameters("messaging_product", "whatsapp", "status", "read", "message_id", s.write(maria, object{"text": "Ancora"}))},
		"link by query":              {path: links, query: parameters("prefilled_message", "LISTE", "generate_qr_image", "SVG")},
		"link by query, token too":   {path: links, query: parameters("prefilled_message", "ORARI", "access_token", "simulator"), tokenless: true},
		"profile by form":            {path: profile, contentType: asForm, body: parameters("messaging_product", "whatsapp", "about", "Il Comune", "websites", `["https://comune.example"]`)},
		"suggestions by form":        {path: "/v26.0/" + number + "/conversational_automation", contentType: asForm, body: parameters("enable_welcome_message", "true", "prompts", `["Orari"]`)},
		"pin as a number":            {path: "/v26.0/" + number, contentType: asJSON, body: `{"pin":123456}`},
		"upload opened by form":      {path: "/v26.0/300000000000001/uploads", contentType: asForm, body: parameters("file_length", "3", "file_type", "image/jpeg", "file_name", "a.jpg")},
		"upload opened by JSON":      {path: "/v26.0/300000000000001/uploads", contentType: asJSON, body: `{"file_length":3,"file_type":"image/jpeg"}`},
		"subscription without words": {path: "/v26.0/" + waba + "/subscribed_apps"},
	} {
		if status, answer := s.foreign(f); status != http.StatusOK {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	shown := s.ok("GET", profile+"?fields=about,websites", nil)["data"].([]any)[0].(object)
	if shown["about"] != "Il Comune" || len(shown["websites"].([]any)) != 1 {
		t.Errorf("the profile is %v", shown)
	}
	automation := s.ok("GET", "/v26.0/"+number+"?fields=conversational_automation", nil)["conversational_automation"].(object)
	if automation["enable_welcome_message"] != true || automation["access_token"] != nil {
		t.Errorf("suggestions are %v", automation)
	}
}

// A link is changed by its code in the address as in the body.
func TestLinksAreChangedAtTheirAddress(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	links := "/v26.0/" + number + "/message_qrdls"
	_, made := s.foreign(foreign{path: links, query: "prefilled_message=LISTE"})
	id, _ := made["code"].(string)
	if _, changed := s.foreign(foreign{path: links + "/" + id, query: "prefilled_message=ORARI"}); changed["code"] != id || changed["prefilled_message"] != "ORARI" {
		t.Errorf("changed: %v", changed)
	}
	if all := s.ok("GET", links, nil)["data"].([]any); len(all) != 1 {
		t.Errorf("there are %v", all)
	}
}

// What Meta refuses in requests of other clients is refused here too, by the same codes.
func TestForeignMistakes(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.write(maria, object{"text": "Buongiorno"})
	messages := "/v26.0/" + number + "/messages"
	for name, c := range map[string]struct {
		foreign
		code int
	}{
		"language as text":          {foreign{path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"template","template":{"name":"hello_world","language":"en_US"}}`}, 100},
		"text without its object":   {foreign{path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":"Buongiorno"}`}, 100},
		"JSON said to be a form":    {foreign{path: messages, contentType: asForm, body: `{"messaging_product":"whatsapp","to":"+393471234567","type":"text","text":{"body":"x"}}`}, 100},
		"no product":                {foreign{path: messages, contentType: asJSON, body: `{"to":"+393471234567","type":"text","text":{"body":"x"}}`}, 100},
		"a list":                    {foreign{path: messages, contentType: asJSON, body: `[]`}, 100},
		"a list beside a query":     {foreign{path: messages, query: "messaging_product=whatsapp", contentType: asJSON, body: `[]`}, 100},
		"nothing":                   {foreign{path: messages}, 100},
		"no type and no text":       {foreign{path: messages, contentType: asJSON, body: `{"messaging_product":"whatsapp","to":"+393471234567","image":{"link":"https://comune.example/a.jpg"}}`}, 131008},
		"a form that is none":       {foreign{path: messages, contentType: asForm, body: "a=%zz"}, 100},
		"a token that is none":      {foreign{path: messages, query: "access_token=another", tokenless: true, contentType: asJSON, body: `{}`}, 190},
		"no token":                  {foreign{path: messages, tokenless: true, contentType: asJSON, body: `{}`}, 0},
		"a token only in the JSON":  {foreign{path: messages, tokenless: true, contentType: asJSON, body: `{"access_token":"another"}`}, 190},
		"link to an unknown code":   {foreign{path: "/v26.0/" + number + "/message_qrdls/NIENTE", query: "prefilled_message=x"}, 100},
		"version that is not there": {foreign{path: "/v99.0/" + number + "/messages", contentType: asJSON, body: `{}`}, 2500},
	} {
		status, answer := s.foreign(c.foreign)
		if status < 400 || answer["error"] == nil || code(answer) != c.code {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

// The parts of an upload may come in any order.
func TestUploadsInAnyOrder(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	picture := sampleOf(s, "image")
	for name, order := range map[string][]string{
		"file first":  {"file", "type", "messaging_product"},
		"file last":   {"messaging_product", "type", "file"},
		"file within": {"type", "file", "messaging_product"},
		"no type":     {"file", "messaging_product"},
		"more":        {"messaging_product", "unheard_of", "file"},
		"in query":    {"file"},
	} {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, part := range order {
			if part != "file" {
				_ = w.WriteField(part, map[string]string{"messaging_product": "whatsapp", "type": "image/jpeg", "unheard_of": "1"}[part])
				continue
			}
			file, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="a.jpg"`}, "Content-Type": {"image/jpeg"}})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = file.Write(picture)
		}
		_ = w.Close()
		if status, answer := s.foreign(foreign{path: "/v26.0/" + number + "/media", query: map[string]string{"in query": "messaging_product=whatsapp"}[name], contentType: w.FormDataContentType(), body: body.String()}); status != http.StatusOK || answer["id"] == nil {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

// What the simulator keeps of requests has no tokens, wherever they stood.
func TestTokensInFormsAreNotKept(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.foreign(foreign{path: "/v26.0/" + number + "/messages", contentType: asForm, tokenless: true, body: parameters("access_token", "segretissimo", "messaging_product", "whatsapp")})
	secrets := parameters("client_id", appNumber, "client_secret", "segretissimo", "code", "segretissimo", "fb_exchange_token", "segretissimo")
	s.foreign(foreign{path: "/oauth/access_token", contentType: asForm, tokenless: true, body: secrets})
	s.foreign(foreign{path: "/oauth/access_token", query: secrets, tokenless: true})
	s.foreign(foreign{path: "/oauth/access_token", contentType: asJSON, tokenless: true, body: `{"client_secret":"segretissimo","code":"segretissimo","fb_exchange_token":"segretissimo"}`})
	for _, path := range []string{"/simulator/requests", "/simulator/traffic"} {
		if _, kept := s.raw("GET", path, nil); strings.Contains(string(kept), "segretissimo") {
			t.Errorf("%s keeps the token: %s", path, kept)
		}
	}
	items := s.ok("GET", "/simulator/traffic", nil)["items"].([]any)
	if total := s.ok("GET", "/simulator/requests", nil)["total"]; len(items) == 0 || total == 0.0 {
		t.Errorf("%d exchanges and %v requests are kept", len(items), total)
	}
	for _, item := range items {
		if _, kept := s.raw("GET", "/simulator/traffic/"+numberText(item.(object)["seq"]), nil); strings.Contains(string(kept), "segretissimo") {
			t.Errorf("an exchange keeps the token: %s", kept)
		}
	}
}

func numberText(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}
