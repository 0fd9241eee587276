// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

var (
	emergency = Template{WABA: "1", Template: whatsapp.Template{Name: "avviso_emergenza", Language: "it", ID: "9", Status: "APPROVED", Category: "UTILITY", ParameterFormat: "NAMED",
		Components: json.RawMessage(`[
			{"type":"HEADER","format":"TEXT","text":"Avviso del Comune"},
			{"type":"BODY","text":"Chiusura di {{zona}} fino alle {{fino_a}}. Evitate {{zona}}.","example":{"body_text_named_params":[{"param_name":"zona","example":"Via Po"}]}},
			{"type":"FOOTER","text":"Comune di Esempio"},
			{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Cancellami"},{"type":"URL","text":"Dettagli","url":"https://comune.example/a/{{1}}"}]}]`)}}
	positional = Template{WABA: "1", Template: whatsapp.Template{Name: "avviso", Language: "it", ID: "8", Status: "APPROVED", Category: "UTILITY", ParameterFormat: "POSITIONAL",
		Components: json.RawMessage(`[{"type":"BODY","text":"{{2}} scade il {{1}}."},{"type":"header","format":"text","text":"Avviso {{1}}"}]`)}}
)

func keys(t Template) string {
	var out []string
	for _, v := range t.Variables() {
		out = append(out, v.Place+":"+v.Name)
	}
	return strings.Join(out, " ")
}

func TestVariables(t *testing.T) {
	for _, c := range []struct {
		template Template
		want     string
	}{
		{emergency, "body:zona body:fino_a button:button1"},
		{positional, "header:header body:1 body:2"},
		{Template{Template: whatsapp.Template{Components: json.RawMessage(`[{"type":"BODY","text":"ciao"}]`)}}, ""},
		{Template{Template: whatsapp.Template{Components: json.RawMessage(`[{"type":"BODY","text":"{{10}} {{2}} {{1}}{{ 3 }} {x} {{}} {{ä}}"}]`)}}, "body:1 body:2 body:3 body:10"},
		{Template{Template: whatsapp.Template{Components: json.RawMessage(`nonsense`)}}, ""},
		{Template{}, ""},
	} {
		if got := keys(c.template); got != c.want {
			t.Errorf("%s: got %s, want %s", c.template.Name, got, c.want)
		}
	}
}

func TestBindAndRender(t *testing.T) {
	for name, c := range map[string]struct {
		template   Template
		parameters string
		key        string // of the failure
		reads      string
	}{
		"by name": {emergency, `{"zona":"Via Po","fino_a":"18:00","button1":"x"}`, "",
			"Avviso del Comune\n\nChiusura di Via Po fino alle 18:00. Evitate Via Po.\n\nComune di Esempio"},
		"by position":          {positional, `["7","15 marzo","La rata"]`, "", "Avviso 7\n\nLa rata scade il 15 marzo."},
		"positions by key":     {positional, `{"header":"7","1":"15 marzo","2":"La rata"}`, "", "Avviso 7\n\nLa rata scade il 15 marzo."},
		"names by position":    {emergency, `["Via Po","18:00","x"]`, "", "Avviso del Comune\n\nChiusura di Via Po fino alle 18:00. Evitate Via Po.\n\nComune di Esempio"},
		"one missing":          {positional, `["7","15 marzo"]`, "error.template_parameters", ""},
		"one too many":         {positional, `["7","15 marzo","La rata","x"]`, "error.template_parameters", ""},
		"one unknown":          {emergency, `{"zona":"Via Po","fino_a":"18:00","button0":"x"}`, "error.template_parameters", ""},
		"none":                 {positional, `[]`, "error.template_parameters", ""},
		"an empty one":         {positional, `["7"," ","La rata"]`, "error.template_parameter", ""},
		"a line break":         {positional, `["7","15\nmarzo","La rata"]`, "error.template_parameter", ""},
		"a tab":                {positional, `["7","15\tmarzo","La rata"]`, "error.template_parameter", ""},
		"five blanks":          {positional, `["7","15     marzo","La rata"]`, "error.template_parameter", ""},
		"four blanks":          {positional, `["7","15    marzo","La rata"]`, "", "Avviso 7\n\nLa rata scade il 15    marzo."},
		"braces in a value":    {positional, `["7","{{2}}","{{1}}"]`, "", "Avviso 7\n\n{{1}} scade il {{2}}."},
		"dollars in a value":   {positional, `["7","$1","${2}"]`, "", "Avviso 7\n\n${2} scade il $1."},
		"none for no variable": {Template{Template: whatsapp.Template{Components: json.RawMessage(`[{"type":"BODY","text":"ciao"}]`)}}, `[]`, "", "ciao"},
	} {
		var p Parameters
		if err := json.Unmarshal([]byte(c.parameters), &p); err != nil {
			t.Fatal(err)
		}
		texts, reads, err := c.template.Fill(p)
		if c.key == "" && err != nil || c.key != "" && !fault.Is(err, fault.Invalid, c.key) {
			t.Errorf("%s: got %v, want %q", name, err, c.key)
		}
		if c.key == "" && len(texts) != len(c.template.Variables()) {
			t.Errorf("%s: %d texts", name, len(texts))
		}
		if c.reads != reads {
			t.Errorf("%s: reads %q, want %q", name, reads, c.reads)
		}
		back, err := json.Marshal(p)
		if err != nil || !sameJSON(string(back), c.parameters) {
			t.Errorf("%s: written again as %s (%v)", name, back, err)
		}
	}
	if got, want := positional.Preview(), "Avviso {{1}}\n\n{{2}} scade il {{1}}."; got != want {
		t.Errorf("the preview is %q, want %q", got, want)
	}
	var p Parameters
	for _, bad := range []string{`7`, `"x"`, `[1]`, `{"a":1}`, `[["x"]]`} {
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%s was read as %+v", bad, p)
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

func TestHeadersOfTemplates(t *testing.T) {
	for _, test := range []struct {
		format, mime string
		place, want  bool
	}{
		{"", "", false, true}, {"", "image/png", false, false}, {"", "", true, false}, {"TEXT", "", false, true}, {"TEXT", "image/png", false, false},
		{"IMAGE", "image/jpeg", false, true}, {"IMAGE", "image/webp", false, false}, {"IMAGE", "", false, false}, {"IMAGE", "image/png", true, false},
		{"VIDEO", "video/mp4", false, true}, {"VIDEO", "image/png", false, false}, {"DOCUMENT", "application/pdf", false, true}, {"DOCUMENT", "image/png", false, false},
		{"LOCATION", "", true, true}, {"LOCATION", "", false, false}, {"LOCATION", "image/png", true, false},
	} {
		components := `[{"type":"BODY","text":"x"}]`
		if test.format != "" {
			components = `[{"type":"HEADER","format":"` + test.format + `"},{"type":"BODY","text":"x"}]`
		}
		err := (Template{Template: whatsapp.Template{Components: json.RawMessage(components)}}).CheckHeader(test.mime, test.place)
		if (err == nil) != test.want {
			t.Errorf("%s with %q and place %v: %v", test.format, test.mime, test.place, err)
		}
	}
}

func TestSupportedTemplates(t *testing.T) {
	for components, want := range map[string]bool{
		string(emergency.Components):                                                                     true,
		string(positional.Components):                                                                    true,
		`[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"x"}]`:                                true,
		`[{"type":"BODY","text":"x"},{"type":"BUTTONS","buttons":[{"type":"COPY_CODE","text":"x"}]}]`:    false,
		`[{"type":"BODY","text":"x"},{"type":"BUTTONS","buttons":[{"type":"FLOW","text":"x"}]}]`:         false,
		`[{"type":"BODY","text":"x"},{"type":"BUTTONS","buttons":[{"type":"PHONE_NUMBER","text":"x"}]}]`: true,
		`[{"type":"HEADER","format":"TEXT","text":"x"}]`:                                                 false,
		``: false,
	} {
		if got := (Template{Template: whatsapp.Template{Components: json.RawMessage(components)}}).Supported(); got != want {
			t.Errorf("%s: %t", components, got)
		}
	}
}

func TestSaveTemplates(t *testing.T) {
	const rimini, carpi int64 = 11, 22
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		update := func(f func(ctx context.Context, tx *db.Tx) error) {
			t.Helper()
			if err := d.Update(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		english := emergency
		english.Language = "en_US"
		other := positional
		other.WABA = "2"
		update(func(ctx context.Context, tx *db.Tx) error {
			if err := SaveTemplates(ctx, tx, rimini, "1", []Template{emergency, english, positional}); err != nil {
				return err
			}
			if err := SaveTemplates(ctx, tx, rimini, "2", []Template{other}); err != nil {
				return err
			}
			return SaveTemplates(ctx, tx, carpi, "1", []Template{positional})
		})
		synced := func() string {
			var out []string
			update(func(ctx context.Context, tx *db.Tx) error {
				rows, err := tx.QueryContext(ctx, "SELECT municipality_id, waba_id, name, language, status, synced_at FROM template ORDER BY municipality_id, waba_id, name, language")
				if err != nil {
					return err
				}
				for rows.Next() {
					var m int64
					var waba, name, language, status string
					var at any
					if err := rows.Scan(&m, &waba, &name, &language, &status, &at); err != nil {
						return err
					}
					out = append(out, fmt.Sprint(m, waba, name, language, status, at))
				}
				return rows.Err()
			})
			return strings.Join(out, "\n")
		}
		before := synced()
		update(func(ctx context.Context, tx *db.Tx) error {
			return SaveTemplates(ctx, tx, rimini, "1", []Template{positional, emergency, english, positional})
		})
		if after := synced(); after != before {
			t.Errorf("the same list was written again:\n%s\nwas\n%s", after, before)
		}
		paused := emergency
		paused.Status = "PAUSED"
		update(func(ctx context.Context, tx *db.Tx) error {
			return SaveTemplates(ctx, tx, rimini, "1", []Template{paused, positional})
		})
		update(func(ctx context.Context, tx *db.Tx) error {
			all, err := Templates(ctx, tx, rimini)
			if err != nil || len(all) != 3 {
				t.Errorf("got %+v, %v", all, err)
			}
			got, err := TemplateOf(ctx, tx, rimini, "1", "avviso_emergenza", "it")
			if err != nil || got.Approved() || got.Status != "PAUSED" || keys(got) != keys(emergency) {
				t.Errorf("got %+v, %v", got, err)
			}
			for _, c := range []struct {
				municipality         int64
				waba, name, language string
			}{{rimini, "1", "avviso_emergenza", "en_US"}, {rimini, "2", "avviso_emergenza", "it"}, {carpi, "1", "avviso_emergenza", "it"}, {33, "1", "avviso", "it"}} {
				if _, err := TemplateOf(ctx, tx, c.municipality, c.waba, c.name, c.language); !fault.Is(err, fault.NotFound, "error.template_not_found") {
					t.Errorf("%+v: got %v", c, err)
				}
			}
			kept, err := Templates(ctx, tx, carpi)
			if err != nil || len(kept) != 1 {
				t.Errorf("carpi: %+v, %v", kept, err)
			}
			return nil
		})
	})
}
