// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var (
	notice = Template{Name: "avviso_emergenza", ParameterFormat: "NAMED", Components: json.RawMessage(`[
		{"type":"HEADER","format":"TEXT","text":"Avviso del Comune"},
		{"type":"BODY","text":"Chiusura di {{zona}} fino alle {{ fino_a }}. {{zona}} resta chiusa.",
		 "example":{"body_text_named_params":[{"param_name":"zona","example":"Via Po"},{"param_name":"fino_a","example":"18:00"}]}},
		{"type":"FOOTER","text":"Comune di Esempio"},
		{"type":"BUTTONS","buttons":[
			{"type":"URL","text":"Dettagli","url":"https://comune.example/a/{{1}}","example":["avviso-42"]},
			{"type":"URL","text":"Sito","url":"https://comune.example/"},
			{"type":"QUICK_REPLY","text":"Cancellami"}]}]`)}
	positional = Template{Name: "appuntamento", ParameterFormat: "POSITIONAL", Components: json.RawMessage(`[
		{"type":"HEADER","format":"TEXT","text":"Per {{1}}","example":{"header_text":["Anna"]}},
		{"type":"BODY","text":"Il {{2}} alle {{1}}.","example":{"body_text":[["9:00","3 marzo"]]}},
		{"type":"BUTTONS","buttons":[{"type":"COPY_CODE","text":"Copia","example":"ABC"}]}]`)}
	pictured = Template{Name: "mappa", ParameterFormat: "POSITIONAL", Components: json.RawMessage(`[
		{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Ecco la mappa."}]`)}
	located = Template{Name: "luogo", Components: json.RawMessage(`[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"Qui."}]`)}
	plain   = Template{Name: "hello_world", Components: json.RawMessage(`[{"type":"BODY","text":"Ciao"}]`)}
	wordy   = Template{Name: "lungo", Components: json.RawMessage(`[{"type":"BODY","text":"{{1}}"}]`)}
	broken  = Template{Name: "rotto", Components: json.RawMessage(`[{`)}
)

func TestTemplateVariables(t *testing.T) {
	tests := []struct {
		template Template
		want     []Variable
	}{
		{notice, []Variable{
			{Place: "body", Name: "zona", Example: "Via Po", token: "zona"},
			{Place: "body", Name: "fino_a", Example: "18:00", token: "fino_a"},
			{Place: "button", Button: 0, Name: "button0", Example: "avviso-42", token: "1"}}},
		{positional, []Variable{
			{Place: "header", Name: "header", Example: "Anna", token: "1"},
			{Place: "body", Name: "1", Example: "9:00", token: "1"},
			{Place: "body", Name: "2", Example: "3 marzo", token: "2"},
			{Place: "button", Button: 0, Name: "button0", Example: "ABC"}}},
		{pictured, nil}, {plain, nil}, {broken, nil}, {Template{}, nil},
	}
	for _, test := range tests {
		t.Run(test.template.Name, func(t *testing.T) {
			if got := test.template.Variables(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTemplateHeaderFormat(t *testing.T) {
	for format, template := range map[string]Template{"TEXT": notice, "IMAGE": pictured, "LOCATION": located, "": plain} {
		if got := template.HeaderFormat(); got != format {
			t.Errorf("%s: got %q", template.Name, got)
		}
	}
}

func TestTemplateComponents(t *testing.T) {
	const noticeWant = `[{"parameters":[{"parameter_name":"zona","text":"Via Po","type":"text"},{"parameter_name":"fino_a","text":"18","type":"text"}],"type":"body"},` +
		`{"index":"0","parameters":[{"text":"a-1","type":"text"}],"sub_type":"url","type":"button"}`
	const positionalWant = `[{"parameters":[{"text":"Anna","type":"text"}],"type":"header"},` +
		`{"parameters":[{"text":"9","type":"text"},{"text":"3/3","type":"text"}],"type":"body"},` +
		`{"index":"0","parameters":[{"coupon_code":"XYZ","type":"coupon_code"}],"sub_type":"copy_code","type":"button"}]`
	tests := []struct {
		name     string
		template Template
		params   TemplateParameters
		want     string
	}{
		{"named by name", notice, TemplateParameters{Named: map[string]string{"zona": "Via Po", "fino_a": "18", "button0": "a-1"}}, noticeWant + "]"},
		{"named by position", notice, TemplateParameters{Positional: []string{"Via Po", "18", "a-1"}}, noticeWant + "]"},
		{"with a payload", notice, TemplateParameters{Positional: []string{"Via Po", "18", "a-1"}, Payloads: map[int]string{2: "unsub"}},
			noticeWant + `,{"index":"2","parameters":[{"payload":"unsub","type":"payload"}],"sub_type":"quick_reply","type":"button"}]`},
		{"positional by position", positional, TemplateParameters{Positional: []string{"Anna", "9", "3/3", "XYZ"}}, positionalWant},
		{"positional by name", positional, TemplateParameters{Named: map[string]string{"header": "Anna", "1": "9", "2": "3/3", "button0": "XYZ"}}, positionalWant},
		{"picture", pictured, TemplateParameters{Header: &OutgoingMedia{ID: "900010"}},
			`[{"parameters":[{"image":{"id":"900010"},"type":"image"}],"type":"header"}]`},
		{"place", located, TemplateParameters{Location: &Location{Latitude: 44, Longitude: 12, Name: "Municipio"}},
			`[{"parameters":[{"location":{"latitude":"44","longitude":"12","name":"Municipio"},"type":"location"}],"type":"header"}]`},
		{"no variables", plain, TemplateParameters{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := TemplateComponents(test.template, test.params)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTemplateComponentsRefusesWrongValues(t *testing.T) {
	one := func(value string) TemplateParameters { return TemplateParameters{Positional: []string{value}} }
	tests := []struct {
		name     string
		template Template
		params   TemplateParameters
		field    string
	}{
		{"too few", positional, TemplateParameters{Positional: []string{"a", "b", "c"}}, "template parameters"},
		{"too many", plain, one("a"), "template parameters"},
		{"none given", notice, TemplateParameters{}, "template parameters"},
		{"name missing", notice, TemplateParameters{Named: map[string]string{"zona": "a", "button0": "b"}}, `template parameter "fino_a"`},
		{"name of nothing", notice, TemplateParameters{Named: map[string]string{"zone": "a", "zona": "a", "fino_a": "b", "button0": "c"}}, `template parameter "zone"`},
		{"empty", wordy, one(""), `template parameter "1"`},
		{"blank", wordy, one("  "), `template parameter "1"`},
		{"line break", wordy, one("a\nb"), `template parameter "1"`},
		{"tab", wordy, one("a\tb"), `template parameter "1"`},
		{"five blanks", wordy, one("a     b"), `template parameter "1"`},
		{"too long when filled", wordy, one(strings.Repeat("à", 1025)), "template body"},
		{"picture missing", pictured, TemplateParameters{}, "template header"},
		{"picture both ways", pictured, TemplateParameters{Header: &OutgoingMedia{ID: "1", Link: "https://x"}}, "template header"},
		{"place missing", located, TemplateParameters{}, "template header"},
		{"place beyond", located, TemplateParameters{Location: &Location{Latitude: 91}}, "location"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := TemplateComponents(test.template, test.params)
			wantLimit(t, err, test.field)
		})
	}
	for _, good := range []string{"a    b", strings.Repeat("à", 1024)} {
		if _, err := TemplateComponents(wordy, one(good)); err != nil {
			t.Errorf("%.10q: %v", good, err)
		}
	}
}

func TestRenderTemplate(t *testing.T) {
	got, err := RenderTemplate(notice, TemplateParameters{Positional: []string{"Via {{1}}", "18", "a-1"}})
	want := RenderedTemplate{
		Header: "Avviso del Comune", Body: "Chiusura di Via {{1}} fino alle 18. Via {{1}} resta chiusa.",
		Footer: "Comune di Esempio", Buttons: []string{"Dettagli", "Sito", "Cancellami"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
	got, err = RenderTemplate(positional, TemplateParameters{Positional: []string{"Anna", "9", "3/3", "X"}})
	if err != nil || got.Header != "Per Anna" || got.Body != "Il 3/3 alle 9." {
		t.Errorf("got %+v, error %v", got, err)
	}
}
