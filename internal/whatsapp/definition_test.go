// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// closure is a good definition; tests change one thing about it.
const closure = `{"name":"strada_chiusa","language":"it","category":"UTILITY","parameter_format":"NAMED","message_send_ttl_seconds":43200,"components":[
	{"type":"HEADER","format":"TEXT","text":"Strada chiusa"},
	{"type":"BODY","text":"Chiusa {{via}} fino alle {{ora}} per motivi di sicurezza.",
	 "example":{"body_text_named_params":[{"param_name":"via","example":"via Po"},{"param_name":"ora","example":"18"}]}},
	{"type":"FOOTER","text":"Per non ricevere più avvisi scrivi STOP"},
	{"type":"BUTTONS","buttons":[{"type":"URL","text":"Dettagli","url":"https://comune.example/a/{{1}}","example":["42"]},{"type":"QUICK_REPLY","text":"STOP"}]}]}`

func TestParseTemplateDefinition(t *testing.T) {
	positional := strings.NewReplacer("{{via}}", "{{1}}", "{{ora}}", "{{2}}", `"NAMED"`, `"POSITIONAL"`,
		`"body_text_named_params":[{"param_name":"via","example":"via Po"},{"param_name":"ora","example":"18"}]`, `"body_text":[["via Po","18"]]`)
	tests := []struct {
		name, old, new string
		refused        string // the field of the *LimitError; "" for none
	}{
		{"as it is", "", "", ""},
		{"capital letters", "strada_chiusa", "Strada", "name"},
		{"language by its name", `"it"`, `"italiano"`, "language"},
		{"no category", `"UTILITY"`, `"NEWS"`, "category"},
		{"authentication", `"UTILITY"`, `"AUTHENTICATION"`, "category"},
		{"format", `"NAMED"`, `"MIXED"`, "parameter_format"},
		{"time to live of a day", "43200", "86400", "message_send_ttl_seconds"},
		{"time to live of marketing", `"UTILITY"`, `"MARKETING"`, "message_send_ttl_seconds"},
		{"time to live of 30 days", "43200", "-1", ""},
		{"no body", `"BODY"`, `"FOOTER"`, "FOOTER"},
		{"unknown component", `"FOOTER"`, `"CAROUSEL"`, "type"},
		{"header of a picture", `"TEXT"`, `"IMAGE"`, "HEADER"},
		{"header too long", "Strada chiusa", strings.Repeat("x", 61), "HEADER"},
		{"header empty", "Strada chiusa", "", "HEADER"},
		{"body too long", "sicurezza.", strings.Repeat("x", 1024), "BODY"},
		{"variable first", "Chiusa {{via}}", "{{via}} chiusa", "BODY"},
		{"nothing but a mark before the first", "Chiusa {{via}}", "«{{via}}» chiusa", "BODY"},
		{"variable last", "{{ora}} per motivi di sicurezza.", "{{ora}}.", "BODY"},
		{"variables side by side", "{{via}} fino alle {{ora}}", "fino alle {{via}} {{ora}}", "BODY"},
		{"a mark between variables", "{{via}} fino alle {{ora}}", "fino alle {{via}}, {{ora}}", "BODY"},
		{"too many variables", "per motivi di sicurezza.", "sempre.", "BODY"},
		{"variable in capitals", "{{via}}", "{{Via}}", "BODY"},
		{"variable half open", "{{via}}", "{{via}", "BODY"},
		{"variable with a space in it", "{{via}}", "{{la via}}", "BODY"},
		{"no example", `{"param_name":"ora","example":"18"}`, `{"param_name":"fine","example":"18"}`, "BODY"},
		{"an example too many", `{"param_name":"ora","example":"18"}`, `{"param_name":"ora","example":"18"},{"param_name":"x","example":"y"}`, "BODY"},
		{"an empty example", `"18"`, `""`, "BODY"},
		{"long gap", "per motivi", `per\n\n\nmotivi`, "BODY"},
		{"variable in the footer", "avvisi scrivi", "{{avvisi}} scrivi", "FOOTER"},
		{"footer too long", "avvisi", strings.Repeat("avvisi", 10), "FOOTER"},
		{"button to http", "https://comune", "http://comune", "BUTTONS"},
		{"button with the variable within", "/a/{{1}}", "/{{1}}/a", "BUTTONS"},
		{"button without example", `,"example":["42"]`, "", "BUTTONS"},
		{"label too long", "Dettagli", strings.Repeat("x", 26), "BUTTONS"},
		{"button of a form", `"QUICK_REPLY"`, `"FLOW"`, "BUTTONS"},
		{"a link after the replies", `{"type":"QUICK_REPLY","text":"STOP"}`, `{"type":"QUICK_REPLY","text":"STOP"},{"type":"URL","text":"Apri","url":"https://a.example"}`, "BUTTONS"},
		{"two replies", `{"type":"QUICK_REPLY","text":"STOP"}`, `{"type":"QUICK_REPLY","text":"STOP"},{"type":"QUICK_REPLY","text":"Sì"}`, ""},
		{"replies on both sides", `"buttons":[`, `"buttons":[{"type":"QUICK_REPLY","text":"Sì"},`, "BUTTONS"},
	}
	for _, write := range []func(string) string{strings.Clone, positional.Replace} {
		if _, err := ParseTemplateDefinition([]byte(write(closure))); err != nil {
			t.Fatalf("%s: %v", write(closure), err)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.old != "" && !strings.Contains(closure, test.old) {
				t.Fatalf("there is no %q", test.old)
			}
			d, err := ParseTemplateDefinition([]byte(strings.Replace(closure, test.old, test.new, 1)))
			refused, ok := errors.AsType[*LimitError](err)
			if test.refused == "" && err != nil || test.refused != "" && (!ok || refused.Field != test.refused) {
				t.Errorf("%s: got %v, want %q", d.Name, err, test.refused)
			}
		})
	}
	for _, wrong := range []string{"", "[]", `{"nome":"x"}`, closure[:40]} {
		if _, err := ParseTemplateDefinition([]byte(wrong)); err == nil {
			t.Errorf("%.20q is a definition", wrong)
		}
	}
	swapped := strings.NewReplacer("{{1}} fino alle {{2}}", "{{2}} fino alle {{3}}").Replace(positional.Replace(closure))
	if _, err := ParseTemplateDefinition([]byte(swapped)); err == nil {
		t.Error("variables numbered from 2 are accepted")
	}
}

func TestCreateTemplate(t *testing.T) {
	d, err := ParseTemplateDefinition([]byte(closure))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent, want any
		body, err := io.ReadAll(r.Body)
		if err := errors.Join(err, json.Unmarshal(body, &sent), json.Unmarshal([]byte(closure), &want)); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/v26.0/102200001/message_templates" || r.Header.Get("Authorization") == "" || !reflect.DeepEqual(sent, want) {
			t.Errorf("%s %s: %s", r.Method, r.URL, body)
		}
		io.WriteString(w, `{"id":"7","status":"PENDING","category":"MARKETING"}`)
	}))
	defer s.Close()
	made, err := clientFor(t, s.URL).CreateTemplate(t.Context(), account, d)
	if err != nil || made != (CreatedTemplate{ID: "7", Status: "PENDING", Category: "MARKETING"}) {
		t.Errorf("got %+v, %v", made, err)
	}
}

func TestCreateTemplateThatExists(t *testing.T) {
	d, err := ParseTemplateDefinition([]byte(closure))
	if err != nil {
		t.Fatal(err)
	}
	for body, exists := range map[string]bool{
		`{"error":{"code":100,"error_subcode":2388024,"message":"Invalid parameter"}}`: true,
		`{"error":{"code":100,"error_subcode":2388023,"message":"Invalid parameter"}}`: true,
		`{"error":{"code":100,"message":"Invalid parameter"}}`:                         false,
	} {
		c, _ := answering(t, 400, body)
		_, err := c.CreateTemplate(t.Context(), account, d)
		if refused, ok := errors.AsType[*GraphError](err); !ok || refused.TemplateExists() != exists {
			t.Errorf("%s: got %v", body, err)
		}
	}
	d.Name = "Maiuscolo"
	c, requests := answering(t, 200, `{}`)
	if _, err := c.CreateTemplate(t.Context(), account, d); err == nil || requests.Load() != 0 {
		t.Errorf("a wrong definition was sent: %v", err)
	}
}
