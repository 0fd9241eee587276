// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidwall/gjson"
)

// A definition that is taken can be filled: every variable has a name of its own place, and a value for each is enough.
func FuzzTemplateDefinition(f *testing.F) {
	files, err := filepath.Glob("../../examples/templates/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d definitions, %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte(`{"name":"avviso","language":"it","category":"UTILITY","components":[{"type":"HEADER","format":"TEXT","text":"Avviso {{1}} qui","example":{"header_text":["a"]}},
		{"type":"BODY","text":"Chiusa {{1}} fino alle {{2}} per lavori in corso oggi","example":{"body_text":[["via Po","18"]]}},{"type":"FOOTER","text":"Comune"},
		{"type":"BUTTONS","buttons":[{"type":"URL","text":"Apri","url":"https://comune.example/{{1}}","example":["a"]},{"type":"QUICK_REPLY","text":"Stop"},{"type":"PHONE_NUMBER","text":"Chiama","phone_number":"+390541704704"}]}]}`))
	f.Add([]byte(`{"name":"a","language":"en_US","category":"MARKETING","parameter_format":"NAMED","components":[{"type":"BODY","text":"Closed {{street}} until tomorrow","example":{"body_text_named_params":[{"param_name":"street","example":"Po"}]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseTemplateDefinition(data)
		if err != nil {
			return
		}
		template := d.Template()
		values := map[string]string{}
		for _, v := range template.Variables() {
			values[v.Name] = "x"
		}
		params := TemplateParameters{Named: values, Header: &OutgoingMedia{ID: "1"}, Location: &Location{}}
		components, err := TemplateComponents(template, params)
		if err != nil {
			t.Fatalf("taken, but can't be filled: %v\n%s", err, data)
		}
		m := OutgoingMessage{To: "+393331234567", Type: KindTemplate, Template: &OutgoingTemplate{Name: d.Name, Language: d.Language, Components: components}}
		if _, err := m.MarshalJSON(); err != nil {
			t.Fatalf("filled, but can't be sent: %v\n%s", err, components)
		}
	})
}

// Whatever comes back instead of an answer is a refusal in Meta's words, a success with an id, or nothing known.
func FuzzAnswer(f *testing.F) {
	for status, body := range map[int]string{
		200: `{"messaging_product":"whatsapp","contacts":[{"input":"+393331234567","wa_id":"393331234567"}],"messages":[{"id":"wamid.1","message_status":"accepted"}]}`,
		400: `{"error":{"message":"(#131047) Re-engagement message","type":"OAuthException","code":131047,"error_subcode":2494055,"fbtrace_id":"A","error_data":{"details":"24 hours"}}}`,
		500: `{"error":{"code":"2","error_data":"plain","is_transient":true}}`,
		502: `<html>Bad gateway</html>`,
		201: `{"data":[{"id":"1","name":"avviso","language":"it","status":"APPROVED","category":"UTILITY","components":[{"type":"BODY","text":"{{1}}"}],"quality_score":{"score":"GREEN"}}],"paging":{"next":"x","cursors":{"after":"y"}}}`,
		207: `{"id":"1","health_status":{"can_send_message":"BLOCKED","entities":[{"errors":[{"error_code":1}]}]}}`,
	} {
		f.Add(status, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"7"}}, Body: io.NopCloser(bytes.NewReader(body))}
		a, err := readAnswer(resp)
		if err != nil {
			t.Fatal(err)
		}
		if e := a.graphError(); e != nil && (e.HTTPStatus != status || e.Advice().Reason == "") {
			t.Errorf("refused without reason: %+v", e)
		}
		if sent, ok := accepted(a); ok && (!usableID(sent.ID) || !a.ok()) {
			t.Errorf("accepted with %+v", sent)
		}
		readHealth(a.body.Get("health_status"))
		for _, v := range append(a.body.Get("data").Array(), gjson.Result{}, a.body) {
			template := readTemplate(v)
			template.Unfilled()
			_, err := TemplateComponents(template, TemplateParameters{})
			if limit := new(LimitError); err != nil && !errors.As(err, &limit) {
				t.Errorf("fill what came: %v", err)
			}
		}
	})
}

// Only Meta's signature opens, and what has no form of one is told without reading the body.
func FuzzVerifySignature(f *testing.F) {
	const appSecret = "simulator"
	body := []byte(`{"object":"whatsapp_business_account"}`)
	f.Add(body, Sign(appSecret, body))
	f.Add(body, Sign("another", body))
	f.Add([]byte{}, "sha256=")
	f.Add([]byte{}, "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		if !VerifySignature(appSecret, body, Sign(appSecret, body)) {
			t.Error("a good signature does not open")
		}
		if VerifySignature(appSecret, body, header) && !IsSignature(header) {
			t.Errorf("%q opens and has not the form", header)
		}
		if VerifySignature("", body, header) {
			t.Error("a signature without a secret opens")
		}
	})
}
