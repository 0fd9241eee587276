// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/filodiretto/filodiretto/internal/calendar"
)

// published is the schema as the documentation has it.
func published(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../../docs/municipality.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, schemaText) {
		t.Fatal("docs/municipality.schema.json is not schema.json: run go generate ./internal/municipality")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// As an editor does it: the file as written, variables and all.
func TestExamplesSatisfyThePublishedSchema(t *testing.T) {
	schema := published(t)
	for _, town := range towns {
		var doc any
		if err := yaml.Unmarshal(exampleText(t, town), &doc); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", town, err)
		}
	}
}

// Every change to the minimal file, what the parser says to it, and whether
// the schema alone sees it.
const (
	good    = iota
	bad     // the schema refuses it, and so does the parser
	beyond  // only the parser can tell
	notYAML // the schema never gets to see it
)

func TestSchemaAndParserAgree(t *testing.T) {
	cases := []struct {
		name, old, new string
		verdict        int
		want           string // part of what is said, with line and column
	}{
		{"as it is", "", "", good, ""},
		{"a list of numbers", "whatsapp:\n  display", "whatsapp:\n- id: urp\n  office: urp\n  display", good, ""},
		{"a number without id", "whatsapp:\n  display", "whatsapp:\n- display", bad, `f.yaml:4:3: whatsapp[0]: id is missing`},
		{"no numbers", "whatsapp:\n", "whatsapp: []\nx:\n", bad, "f.yaml:3:11: whatsapp: must have at least 1"},
		{"number is a word", "whatsapp:\n", "whatsapp: si\nx:\n", bad, "f.yaml:3:11: whatsapp: must be keys with values"},

		{"slug", "slug: prova", "slug: castel-del-piano-2", good, ""},
		{"slug in capitals", "slug: prova", "slug: Prova", bad, `f.yaml:1:7: slug: must be the municipality's word in addresses`},
		{"slug too short", "slug: prova", "slug: p", bad, "f.yaml:1:7: slug: must have at least 2 characters"},
		{"slug too long", "slug: prova", "slug: " + strings.Repeat("a", 41), bad, "at most 40 characters, and has 41"},
		{"slug with two hyphens", "slug: prova", "slug: a--b", bad, "f.yaml:1:7: slug: must be"},
		{"slug is a path", "slug: prova", "slug: .well-known", bad, "f.yaml:1:7: slug: must be"},
		{"slug is reserved", "slug: prova", "slug: desk", bad, `f.yaml:1:7: slug: "desk" is a word of the product's own addresses`},
		{"slug is reserved for hooks", "slug: prova", "slug: webhooks", bad, `"webhooks" is a word`},
		{"slug is missing", "slug: prova\n", "", bad, "f.yaml:1:1: slug is missing: the municipality's word"},
		{"slug is a number", "slug: prova", "slug: 12", bad, "f.yaml:1:7: slug: must be a text: put it between quotes"},
		{"slug is empty", "slug: prova", "slug:", bad, "slug: is empty: write a value or remove the key"},

		{"unknown key", "access: open", "acces: open", bad, "f.yaml:10:1: unknown key acces: did you mean access?"},
		{"unknown key of an office", "{id: urp, name: URP}", "{id: urp, name: URP, fax: x}", bad, "f.yaml:13:26: unknown key fax: the keys here are address, calendar, email, id, name, phones"},
		{"access", "access: open", "access: registered", good, ""},
		{"access unknown", "access: open", "access: closed", bad, `f.yaml:10:9: access: must be open or registered, not "closed"`},
		{"automation", "automation: none", "automation: keywords", good, ""},
		{"automation is yes", "automation: none", "automation: true", bad, "f.yaml:11:13: automation: must be none, keywords or full"},
		{"locale", "access: open", "access: open\nlocale: en", good, ""},
		{"locale unknown", "access: open", "access: open\nlocale: de", bad, `locale: must be it or en, not "de"`},
		{"time zone", "access: open", "access: open\ntimezone: Europe/Berlin", good, ""},
		{"time zone unknown", "access: open", "access: open\ntimezone: Europe/Rimini", beyond, "there is no such time zone"},
		{"time zone of the machine", "access: open", "access: open\ntimezone: Local", beyond, "there is no such time zone"},

		{"landline", `"+39 0541 123456"`, `"059 649213"`, good, ""},
		{"toll-free", `{id: urp, name: URP}`, `{id: urp, name: URP, phones: ["800 012146", "0541/704704"]}`, good, ""},
		{"no such number", `"+39 0541 123456"`, `"+39 12345"`, beyond, "f.yaml:4:19: whatsapp.display_number: \"+39 12345\" is not a phone number in use"},
		{"number is a word", `"+39 0541 123456"`, `casa`, bad, "whatsapp.display_number: must be a phone number"},
		{"number of an office", `{id: urp, name: URP}`, `{id: urp, name: URP, phones: ["000"]}`, beyond, `offices[0].phones[0]: "000" is not a phone number`},
		{"phone_number_id with letters", `phone_number_id: "1"`, `phone_number_id: "x1"`, bad, "phone_number_id: must be an id of digits only"},
		{"phone_number_id unquoted", `phone_number_id: "1"`, `phone_number_id: 1`, bad, "f.yaml:5:20: whatsapp.phone_number_id: must be a text: put it between quotes"},
		{"office of a number", `waba_id: "2"`, `waba_id: "2"` + "\n  office: urp", good, ""},
		{"no such office", `waba_id: "2"`, `waba_id: "2"` + "\n  office: due", beyond, `whatsapp.office: there is no office "due"`},

		{"experimental", "access: open", "access: open\nexperimental: {from: 2026-03-02, until: 2026-03-02}", good, ""},
		{"experimental backwards", "access: open", "access: open\nexperimental: {from: 2026-03-02, until: 2026-03-01}", beyond, "experimental.until: ends on 2026-03-01, before"},
		{"experimental on no day", "access: open", "access: open\nexperimental: {from: 2026-02-30}", beyond, `experimental.from: "2026-02-30" is not a day`},
		{"experimental in Italian", "access: open", "access: open\nexperimental: {from: 2/3/2026}", bad, "experimental.from: must be a day, such as 2026-03-02"},
		{"experimental without from", "access: open", "access: open\nexperimental: {}", bad, "experimental: from is missing: a day"},

		{"offices none", "offices:\n  - {id: urp, name: URP}", "offices: []", bad, "offices: must have at least 1"},
		{"offices twice", "- {id: urp, name: URP}", "- {id: urp, name: URP}\n  - {id: urp, name: Due}", beyond, "f.yaml:14:10: offices[1].id: another office has this id"},
		{"office e-mail", "{id: urp, name: URP}", "{id: urp, name: URP, email: urp}", bad, "offices[0].email: must be an e-mail address"},

		{"kinds", "access: open", "access: open\nkinds: [{id: report}, {id: tax, label: Tributi, key: x}]", good, ""},
		{"kind without label", "access: open", "access: open\nkinds: [{id: tax}]", beyond, "kinds[0]: label is missing"},
		{"kind twice", "access: open", "access: open\nkinds: [{id: report}, {id: report}]", beyond, "another kind has this id"},
		{"key twice", "access: open", "access: open\nkinds: [{id: report, key: x}, {id: other, key: x}]", beyond, "another kind has this key"},
		{"key of two letters", "access: open", "access: open\nkinds: [{id: report, key: xy}]", bad, "kinds[0].key: must be the key that chooses it"},

		{"hours at noon", `"13:00"}`, `"24:00"}`, good, ""},
		{"hours unquoted", `open: "09:00"`, `open: 09:00`, good, ""},
		{"hours of one digit", `open: "09:00"`, `open: "9:00"`, bad, `calendars.whatsapp.weekly[0].open: must be a time of day, such as 09:00; 24:00 is the end of the day, not "9:00"`},
		{"hours of the afternoon", `"13:00"}`, `"25:00"}`, bad, "close: must be a time of day"},
		{"hours backwards", `"13:00"}`, `"08:00"}`, beyond, "close: closes at 08:00, not after it opens at 09:00"},
		{"hours overlap", `close: "13:00"}`, `close: "13:00"}` + "\n" + `      - {days: [mon], open: "12:59", close: "15:00"}`, beyond, "weekly[1]: mon 12:59–15:00 overlaps"},
		{"day in Italian", "days: [mon]", "days: [lun]", bad, `days[0]: must be mon, tue, wed, thu, fri, sat or sun, not "lun"`},
		{"day twice", "days: [mon]", "days: [mon, mon]", bad, "days[1]: is the same as an earlier one"},
		{"no whatsapp hours", "  whatsapp:\n    weekly", "  counter:\n    weekly", bad, "calendars: whatsapp is missing"},
		{"calendar's name", "calendars:\n", "calendars:\n  Sportello URP: {weekly: []}\n", bad, "Sportello URP cannot be a key here"},
		{"holidays", "policy:", "    holidays: {national: false, patron: 10-14, extra: [easter+1, {day: 2026-12-24, name: Vigilia}, easter]}\npolicy:", good, ""},
		{"patron with a name", "policy:", "    holidays: {patron: {day: 10-14, name: San Gaudenzo}}\npolicy:", good, ""},
		{"patron the wrong way round", "policy:", "    holidays: {patron: 14-10}\npolicy:", bad, "holidays.patron: must be a day, such as 10-14"},
		{"patron on no day", "policy:", "    holidays: {patron: 02-30}\npolicy:", beyond, `holidays.patron: "02-30" is not a day of the year`},
		{"national is a word", "policy:", "    holidays: {national: si}\npolicy:", bad, "holidays.national: must be true or false"},
		{"seasons", "policy:", "    seasons: [{from: 12-20, to: 01-10, weekly: []}]\npolicy:", good, ""},
		{"season half of a year", "policy:", "    seasons: [{from: 12-20, to: 2027-01-10, weekly: []}]\npolicy:", beyond, "seasons[0].to: from and to must both be"},
		{"closures", "policy:", "    closures: [{date: 2026-08-14, reason: Ferie}, {from: 2026-08-17, to: 2026-08-19, reason: Ferie}, {date: 2026-08-20, reason: Mezza, open: \"09:00\", close: \"10:00\"}]\npolicy:", good, ""},
		{"closure without days", "policy:", "    closures: [{reason: Ferie}]\npolicy:", bad, "closures[0]: must be a day (date) or several"},
		{"closure with both", "policy:", "    closures: [{date: 2026-08-14, from: 2026-08-14, to: 2026-08-15, reason: Ferie}]\npolicy:", bad, "closures[0]: must be a day (date) or several"},
		{"closure without end", "policy:", "    closures: [{from: 2026-08-14, reason: Ferie}]\npolicy:", bad, "closures[0]: from needs to beside it"},
		{"closure that opens", "policy:", "    closures: [{date: 2026-08-14, reason: Ferie, open: \"09:00\"}]\npolicy:", bad, "closures[0]: open needs close beside it"},
		{"closure backwards", "policy:", "    closures: [{from: 2026-08-14, to: 2026-08-13, reason: Ferie}]\npolicy:", beyond, "closures[0].to: ends on 2026-08-13, before"},

		{"channels", "access: open", "access: open\nchannels: [{kind: phone, label: URP, value: 0541 704704, calendar: whatsapp}, {kind: x, label: X, value: '@comune'}]", good, ""},
		{"channel unknown", "access: open", "access: open\nchannels: [{kind: fax, label: URP, value: x}]", bad, "channels[0].kind: must be phone, email"},
		{"channel's number", "access: open", "access: open\nchannels: [{kind: phone, label: URP, value: URP}]", beyond, "channels[0].value:"},
		{"channel's e-mail", "access: open", "access: open\nchannels: [{kind: email, label: URP, value: URP}]", beyond, "channels[0].value: must be an e-mail address"},
		{"channel's script", "access: open", "access: open\nchannels: [{kind: web, label: URP, value: 'javascript:alert(1)'}]", beyond, "channels[0].value: must be a web address"},
		{"channel's hours", "access: open", "access: open\nchannels: [{kind: counter, label: URP, value: x, calendar: due}]", beyond, `there is no calendar "due"`},

		{"policy by address", "text: Informativa", "url: https://www.comune.prova.it/privacy", good, ""},
		{"policy by neither", ", text: Informativa", "", bad, "policy: must be the privacy notice: its version, and where it is or what it says"},
		{"policy by script", "text: Informativa", "url: 'javascript:alert(1)'", bad, "policy.url: must be a web address"},
		{"policy with a password", "text: Informativa", "url: https://a:b@example.org/", bad, "policy.url: must be a web address"},
		{"policy of a number", `version: "1"`, "version: 1", bad, "policy.version: must be a text: put it between quotes"},

		{"lists", "access: open", "access: open\nlists: [{keyword: EMERGENZE, name: Emergenze, kind: emergency}]\ndistricts: [{keyword: Nord, name: Zona nord}]", good, ""},
		{"keyword of two words", "access: open", "access: open\nlists: [{keyword: LE EMERGENZE, name: Emergenze, kind: emergency}]", bad, "lists[0].keyword: must be a word"},
		{"keyword STOP", "access: open", "access: open\nlists: [{keyword: Stop, name: Emergenze, kind: emergency}]", beyond, "Stop already means something else"},
		{"keyword yes", "access: open", "access: open\nlists: [{keyword: SÌ, name: Emergenze, kind: emergency}]", beyond, "SÌ already means something else"},
		{"keyword OK", "access: open", "access: open\nlists: [{keyword: Ok, name: Emergenze, kind: emergency}]", beyond, "Ok already means something else"},
		{"keyword is a phrase", "access: open", "access: open\nlists: [{keyword: Avvisi, name: Emergenze, kind: emergency}]\nsubscription: {join: ['AVVISI!']}", beyond, "lists[0].keyword: Avvisi already means something else"},
		{"keyword is a phrase that was not written", "access: open", "access: open\ndistricts: [{keyword: Liste, name: Lìste}]", beyond, "districts[0].keyword: Liste already means something else"},
		{"keyword twice", "access: open", "access: open\nlists: [{keyword: CITTA, name: A, kind: notice}]\ndistricts: [{keyword: Città, name: B}]", beyond, "districts[0].keyword: Città already means something else"},
		{"list of no kind", "access: open", "access: open\nlists: [{keyword: A, name: A, kind: news}]", bad, "lists[0].kind: must be emergency or notice"},
		{"subscription", "access: open", "access: open\nsubscription: {join: [ATTIVA {name}, '{list} ON'], leave: [STOP, OFF], status: [], plain: all, confirm: single}", notYAML, "this is not YAML"},
		{"phrases", "access: open", "access: open\nsubscription: {join: ['ATTIVA {name}', '{list} ON'], leave: [STOP, 'OFF'], status: [], plain: all, confirm: single}", good, ""},
		{"phrase of nothing", "access: open", "access: open\nsubscription: {join: ['!']}", bad, "subscription.join[0]: must be a phrase with at least one letter"},
		{"phrase with a place", "access: open", "access: open\nsubscription: {join: ['ON {lista}']}", beyond, "{lista} is not a place in a phrase"},
		{"phrase that is any name", "access: open", "access: open\nsubscription: {join: ['{name}!']}", beyond, "subscription.join[0]: every name would be this phrase"},
		{"phrase that is any list", "access: open", "access: open\nsubscription: {join: ['{list}']}", good, ""},
		{"phrase for two things", "access: open", "access: open\nsubscription: {join: [Avvisi], leave: ['avvisi.']}", beyond, "subscription.leave[0]: this phrase already means something else"},
		{"phrase to join by STOP", "access: open", "access: open\nsubscription: {join: [stop]}", beyond, "subscription.join[0]: this phrase already means"},
		{"plain", "access: open", "access: open\nsubscription: {plain: some}", bad, "subscription.plain: must be all or ask"},

		{"texts", "access: open", "access: open\ntexts: {absence: 'Chiuso, riapre {day} alle {clock}'}", good, ""},
		{"text unknown", "access: open", "access: open\ntexts: {absnce: Chiuso}", beyond, "f.yaml:11:9: there is no citizen text absnce"},
		{"text with a place", "access: open", "access: open\ntexts: {absence: 'Chiuso fino a {giorno}'}", beyond, "texts.absence: {giorno} is not a place in this text, which has {day} {clock}"},
		{"text of nothing", "access: open", "access: open\ntexts: {absence: ''}", bad, "texts.absence: must have at least 1 characters"},
		{"texts by no name", "access: open", "access: open\ntexts: {Assenza!: x}", bad, "Assenza! cannot be a key here"},
		{"retention", "access: open", "access: open\nretention: {messages: 2y, media: 30d}", good, ""},
		{"retention of weeks", "access: open", "access: open\nretention: {messages: 3w}", bad, "retention.messages: must be a length of time"},
		{"retention of nothing", "access: open", "access: open\nretention: {messages: 0d}", bad, "retention.messages: must be a length of time"},
		{"prices", "access: open", "access: open\nprices: {currency: EUR, utility: 0.0248, marketing: 0.0572, service: 0}", good, ""},
		{"prices without one", "access: open", "access: open\nprices: {currency: EUR, utility: 0.0248, marketing: 0.0572}", bad, "prices: service is missing: the price of one delivered message"},
		{"price in words", "access: open", "access: open\nprices: {currency: EUR, utility: \"0,0248\", marketing: 0.0572, service: 0}", bad, "prices.utility: must be a number"},
		{"price below nothing", "access: open", "access: open\nprices: {currency: EUR, utility: -1, marketing: 0.0572, service: 0}", bad, "prices.utility: must be the price of one delivered message, such as 0.0248, from 0 to 100"},
		{"price in cents of a thousand", "access: open", "access: open\nprices: {currency: EUR, utility: 2480, marketing: 0.0572, service: 0}", bad, "prices.utility: must be the price of one delivered message"},
		{"price of no currency", "access: open", "access: open\nprices: {currency: €, utility: 1, marketing: 1, service: 1}", bad, "prices.currency: must be a currency by its three letters"},
		{"an empty group", "access: open", "access: open\ntexts:", bad, "texts: is empty: write a value or remove the key"},

		{"variable", "app_secret: b", "app_secret: ${SECRET}", good, ""},
		{"variable within", "app_secret: b", "app_secret: x-${SECRET}-y", good, ""},
		{"variable in an id", `waba_id: "2"`, `waba_id: "${WABA_ID}"`, good, ""},
		{"variable missing", "app_secret: b", "app_secret: ${MISSING}", beyond, "f.yaml:8:15: MISSING is not set in the environment: set it and apply again"},
		{"variable misspelt", "app_secret: b", "app_secret: ${secret}", beyond, "f.yaml:8:15: a variable is written ${NAME}"},
		{"variable left open", "app_secret: b", "app_secret: ${SECRET", beyond, "a variable is written ${NAME}"},
		{"secret with a space", "app_secret: b", "app_secret: b c", bad, "f.yaml:8:15: whatsapp.app_secret: must be a secret without spaces"},

		{"twice", "access: open", "access: open\naccess: open", notYAML, `f.yaml:11:1: this is not YAML: mapping key "access" already defined`},
		{"alias", "app_secret: b", "app_secret: &x b", notYAML, "anchors and aliases"},
		{"tag", "app_secret: b", "app_secret: !!str b", notYAML, "tags (!) are not used here"},
		{"merge", "policy:", "<<: {a: b}\npolicy:", notYAML, "anchors and aliases"},
		{"tab", "access: open", "\taccess: open", notYAML, "this is not YAML"},
		{"second document", "access: open", "access: open\n---\nslug: x", notYAML, "a second document begins here"},
		{"control character", "Comune", "Com\x00une", notYAML, "f.yaml:2:10: there is an invisible control character here"},
		{"not UTF-8", "Comune", "Com\xffune", notYAML, "the file is not UTF-8 text"},
		{"Windows line ends", "\n", "\r\n", good, ""},
		{"byte order mark", "slug", "\ufeffslug", good, ""},
		{"two lines in a name", "name: Comune di Prova", `name: "Comune\ndi Prova"`, bad, "name: must be"},
	}
	schema := published(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.old != "" && !strings.Contains(minimal, c.old) {
				t.Fatalf("%q is not in the minimal file", c.old)
			}
			times := 1
			if c.old == "\n" {
				times = -1
			}
			text := strings.Replace(minimal, c.old, c.new, times)
			_, err := ParseFile("f.yaml", []byte(text), demoEnv)
			switch {
			case c.verdict == good && err != nil:
				t.Errorf("refused: %v", err)
			case c.verdict != good && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("said %v\nwant %s", err, c.want)
			}
			var doc any
			if c.verdict == notYAML || yaml.Unmarshal([]byte(strings.TrimPrefix(text, byteOrderMark)), &doc) != nil {
				return
			}
			if err := schema.Validate(doc); (err != nil) != (c.verdict == bad) {
				t.Errorf("the schema says %v", err)
			}
		})
	}
}

func TestEverythingWrongIsToldAtOnceInOrder(t *testing.T) {
	text := strings.NewReplacer("slug: prova", "slug: Desk", "access: open", "acces: open", "name: URP", "nome: URP",
		`open: "09:00"`, `open: "9"`, "app_secret: b", "app_secret: ${MISSING}", "[mon]", "[lun]").Replace(minimal)
	_, err := ParseFile("f.yaml", []byte(text), demoEnv)
	var all FileErrors
	if !errors.As(err, &all) {
		t.Fatalf("got %v", err)
	}
	var places []string
	for _, e := range all {
		places = append(places, fmt.Sprintf("%d:%d", e.Line, e.Column))
	}
	// A missing key is told where its mapping begins.
	want := []string{"1:1", "1:7", "8:15", "10:1", "13:5", "13:15", "17:17", "17:29"}
	if !slices.Equal(places, want) {
		t.Errorf("got %v, want %v:\n%v", places, want, err)
	}
}

// What the environment holds is in no error, wherever it is put.
func TestErrorsDoNotTellWhatTheEnvironmentHolds(t *testing.T) {
	env := func(string) (string, bool) { return "hunter2 -", true }
	for line := range strings.SplitSeq(minimal, "\n") {
		name, _, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		text := strings.Replace(minimal, line, name+`: "${SECRET}"`, 1)
		if _, err := ParseFile("f.yaml", []byte(text), env); err == nil || strings.Contains(err.Error(), "hunter2") {
			if err != nil || !strings.Contains(line, "name") {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	for _, extra := range []string{
		"channels: [{kind: phone, label: x, value: '${S}'}]", "channels: [{kind: x, label: x, value: x, calendar: '${S}'}]",
		"experimental: {from: '${S}'}", "texts: {absence: '${S} {x}'}", "timezone: '${S}'",
		"lists: [{keyword: '${S}', name: x, kind: notice}]", "subscription: {join: ['${S} {x}']}", "locale: '${S}'",
	} {
		for _, value := range []string{"hunter2", "hunter2 -", "hunter2\n"} {
			env := func(string) (string, bool) { return value, true }
			if _, err := ParseFile("f.yaml", []byte(minimal+extra+"\n"), env); err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", extra, err)
			}
		}
	}
}

func TestHugeFilesAreRefusedQuickly(t *testing.T) {
	cases := map[string]string{
		"larger than 1 MB":   strings.Repeat("#", maxFileSize+1),
		"brackets":           "a: " + strings.Repeat("[", 100_000),
		"braces":             "a: " + strings.Repeat("{a: ", 100_000),
		"dashes":             strings.Repeat("- ", 100_000) + "a",
		"explicit keys":      strings.Repeat("? ", 100_000) + "a",
		"many keys":          strings.Repeat("a: b\n", 100_000),
		"deep":               deep(1_000),
		"a line of text":     "slug: " + strings.Repeat("a", 1_000_000),
		"many empty lines":   strings.Repeat("\n", 1_000_000),
		"a text that begins": "slug: \"" + strings.Repeat("a\n", 300_000),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				_, err := ParseFile("f.yaml", []byte(text), demoEnv)
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil {
					t.Error("taken")
				}
			case <-time.After(10 * time.Second):
				t.Fatal("still reading")
			}
		})
	}
}

func deep(levels int) string {
	var out strings.Builder
	for i := range levels {
		out.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return out.String()
}

// A field without its word in the schema could never be written; a word
// without its field would be lost without notice.
func TestTypesAndSchemaHaveTheSameKeys(t *testing.T) {
	for _, c := range []struct {
		of      any
		pointer string
	}{
		{File{}, "#"},
		{Number{}, "#/$defs/number"},
		{Experimental{}, "#/properties/experimental"},
		{Office{}, "#/properties/offices/items"},
		{Kind{}, "#/properties/kinds/items"},
		{Channel{}, "#/properties/channels/items"},
		{Policy{}, "#/properties/policy"},
		{List{}, "#/properties/lists/items"},
		{District{}, "#/properties/districts/items"},
		{Subscription{}, "#/properties/subscription"},
		{Retention{}, "#/properties/retention"},
		{Prices{}, "#/properties/prices"},
		{calendar.Spec{}, "#/$defs/calendar"},
		{calendar.Hours{}, "#/$defs/hours/items"},
		{calendar.Holidays{}, "#/$defs/calendar/properties/holidays"},
		{calendar.Holiday{}, "#/$defs/holiday/then"},
		{calendar.Season{}, "#/$defs/calendar/properties/seasons/items"},
		{calendar.Closure{}, "#/$defs/calendar/properties/closures/items"},
	} {
		var ours, theirs []string
		for _, field := range reflect.VisibleFields(reflect.TypeOf(c.of)) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" {
				ours = append(ours, name)
			}
		}
		properties, _ := schemaAt(c.pointer)["properties"].(map[string]any)
		for name := range properties {
			theirs = append(theirs, name)
		}
		slices.Sort(ours)
		slices.Sort(theirs)
		if !slices.Equal(ours, theirs) {
			t.Errorf("%T has %v, the schema %v", c.of, ours, theirs)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(minimal))
	for _, town := range towns {
		f.Add(exampleText(f, town))
	}
	env := func(name string) (string, bool) { return "hunter2", name != "MISSING" }
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseFile("f.yaml", data, env)
		if err == nil {
			for name := range file.Calendars {
				if _, err := file.Calendar(name); err != nil {
					t.Errorf("taken, but: %v", err)
				}
			}
			if file.Slug == "" || file.WhatsApp[0].E164 == "" {
				t.Errorf("taken with holes: %+v", file)
			}
			return
		}
		var all FileErrors
		if !errors.As(err, &all) || len(all) == 0 || file != nil {
			t.Fatalf("refused by %v with %v", err, file)
		}
		lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 1 // YAML ends lines with either
		for _, e := range all {
			if e.Line < 1 || e.Line > lines || e.Column < 1 || e.Message == "" || strings.Contains(e.Message, "cannot be read") {
				t.Errorf("of %d lines: %v", lines, e)
			}
		}
		if strings.Contains(err.Error(), "hunter2") && !bytes.Contains(data, []byte("hunter2")) {
			t.Errorf("tells what the environment holds: %v", err)
		}
	})
}
