// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/filodiretto/filodiretto/internal/locale"
)

var towns = []string{"arezzo", "carpi", "montevarchi", "pistoia", "rimini"}

// example reads one of the examples with an environment that has everything.
func example(t testing.TB, town string) *File {
	t.Helper()
	f, err := ParseFile(town+".yaml", exampleText(t, town), demoEnv)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func exampleText(t testing.TB, town string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "examples", town+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func demoEnv(name string) (string, bool) {
	switch {
	case strings.HasSuffix(name, "_ID"):
		return fmt.Sprint(100000000000000 + len(name)), true
	case name == "MISSING":
		return "", false
	}
	return "top-secret-" + strings.ToLower(name), true
}

func TestTheExamplesAreTheFiveTowns(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) != len(towns) {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, town := range towns {
		if f := example(t, town); f.Slug != town {
			t.Errorf("%s.yaml has slug %q", town, f.Slug)
		}
	}
}

// A phone breaks the lines of a notice where it wants: where the file breaks them too, single words stand alone.
func TestTheNoticesOfTheExamplesFlow(t *testing.T) {
	for _, town := range towns {
		for paragraph := range strings.SplitSeq(strings.TrimSpace(example(t, town).Policy.Text), "\n\n") {
			if strings.Contains(paragraph, "\n") {
				t.Errorf("%s: the notice has a line of its own in %q", town, paragraph)
			}
		}
	}
}

func TestPhoneNumbersOfTheExamples(t *testing.T) {
	for town, want := range map[string]string{
		"carpi":  "+39059649213",  // CAR-01: a landline keeps its zero
		"rimini": "+393316432314", // RIM-01
		"arezzo": "+393427777361", // ARE-10
	} {
		if got := example(t, town).WhatsApp[0].E164; got != want {
			t.Errorf("%s: got %s, want %s", town, got, want)
		}
	}
	spaced, err := phone("331 6432314")
	joined, err2 := phone("3316432314")
	if err != nil || err2 != nil || spaced != joined {
		t.Errorf("RIM-01: %s, %s, %v, %v", spaced, joined, err, err2)
	}
}

// What each town announced, read from its own file.
func TestTheExamplesAreTrue(t *testing.T) {
	pistoia, rimini, arezzo, carpi := example(t, "pistoia"), example(t, "rimini"), example(t, "arezzo"), example(t, "carpi")
	if pistoia.Access != AccessRegistered || pistoia.Automation != AutomationNone || pistoia.Experimental.From != "2022-12-15" {
		t.Errorf("PIS-01, PIS-04, PIS-07: %+v", pistoia)
	}
	if carpi.Access != AccessOpen || len(carpi.Lists) != 0 {
		t.Errorf("CAR-02: %+v", carpi)
	}
	if s := rimini.Subscription; s.Plain != "all" || s.Confirm != "single" || len(rimini.Lists) != 2 {
		t.Errorf("RIM-06, RIM-07: %+v", rimini)
	}
	if s := arezzo.Subscription; !slices.Equal(s.Join, []string{"Iscrivimi"}) {
		t.Errorf("ARE-10: %+v", s)
	}
	hours := []struct {
		line, town, calendar, at string
		open                     bool
	}{
		{"CAR-10", "carpi", "whatsapp", "2026-07-07 15:30", true},
		{"CAR-10", "carpi", "whatsapp", "2026-07-08 10:00", false},
		{"CAR-10", "carpi", "whatsapp", "2026-08-11 15:30", false},
		{"CAR-10", "carpi", "whatsapp", "2026-08-08 09:30", true},
		{"CAR-10", "carpi", "whatsapp", "2026-08-14 10:00", false},
		{"PIS-02", "pistoia", "whatsapp", "2026-03-06 12:59", true},
		{"PIS-02", "pistoia", "whatsapp", "2026-03-06 13:00", false},
		{"PIS-03", "pistoia", "whatsapp", "2026-03-07 10:00", false},
		{"PIS-03", "pistoia", "counter", "2026-03-07 10:00", true},
		{"PIS-03", "pistoia", "counter", "2026-03-03 17:59", true},
		{"MON-13", "montevarchi", "whatsapp", "2026-03-07 13:29", true},
		{"MON-13", "montevarchi", "whatsapp", "2026-03-05 17:29", true},
		{"MON-13", "montevarchi", "whatsapp", "2026-03-04 15:30", false},
		{"RIM-04", "rimini", "whatsapp", "2026-03-07 12:59", true},
		{"RIM-04", "rimini", "whatsapp", "2026-03-07 13:00", false},
		{"RIM-04", "rimini", "whatsapp", "2026-03-03 16:59", true},
		{"RIM-04", "rimini", "whatsapp", "2025-05-01 10:00", false},
		{"RIM-04", "rimini", "whatsapp", "2026-04-06 10:00", false},
		{"RIM-04", "rimini", "whatsapp", "2026-10-14 10:00", false},
		{"RIM-04", "rimini", "whatsapp", "2027-10-04 10:00", false},
		{"patron", "carpi", "whatsapp", "2027-05-20 10:00", false},
		{"patron", "pistoia", "whatsapp", "2028-07-25 10:00", false},
		{"patron", "arezzo", "whatsapp", "2026-08-07 10:00", false},
		{"patron", "montevarchi", "whatsapp", "2026-08-10 10:00", false},
	}
	for _, h := range hours {
		c, err := example(t, h.town).Calendar(h.calendar)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", h.at, c.Zone())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.At(at).Open; got != h.open {
			t.Errorf("%s: %s of %s at %s: open is %v", h.line, h.calendar, h.town, h.at, got)
		}
	}
}

func TestDefaults(t *testing.T) {
	f, err := ParseFile("f.yaml", []byte(minimal), demoEnv)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s|%s|%s|%s|%v|%v|%v|%s|%s|%s|%s", f.Service, f.Locale, f.Timezone, f.WhatsApp[0].ID,
		f.Subscription.Join, f.Subscription.Leave, f.Subscription.Status, f.Subscription.Plain, f.Subscription.Confirm,
		f.Retention.Messages, f.Retention.Media)
	want := "Comune di Prova|it|Europe/Rome|main|[ISCRIZIONE ON ISCRIVIMI]|[ISCRIZIONE OFF CANCELLAMI]|[LISTE]|ask|double|24m|6m"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var kinds []string
	for _, k := range f.Kinds {
		kinds = append(kinds, k.Key+" "+k.LabelIn(locale.Italian)+" "+k.LabelIn(locale.English))
	}
	if want := []string{"i Informazione Information", "r Segnalazione Report", "a Assistenza Assistance", "o Altro Other"}; !slices.Equal(kinds, want) {
		t.Errorf("kinds: %q", kinds)
	}
}

func TestKindsGetAFreeKey(t *testing.T) {
	f := example(t, "montevarchi")
	var keys string
	for _, k := range f.Kinds {
		keys += k.Key
	}
	if keys != "irapto" {
		t.Errorf("got %q", keys)
	}
}

// A file survives the database as it was, but for its secrets.
func TestAFileAsJSON(t *testing.T) {
	for _, town := range towns {
		f := example(t, town)
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("top-secret")) {
			t.Fatalf("%s: a secret is in %s", town, data)
		}
		var back File
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if back.WhatsApp[0].AccessToken != "" || back.WhatsApp[0].E164 != f.WhatsApp[0].E164 {
			t.Errorf("%s: read back %+v", town, back.WhatsApp[0])
		}
		for _, c := range back.Diff(f) {
			if !c.Secret {
				t.Errorf("%s: %s", town, c)
			}
		}
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	n := Number{AccessToken: "top-secret", AppSecret: "top-secret", VerifyToken: "top-secret"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a", "token", n.AccessToken, "number", n)
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "token", n.AccessToken, "number", n)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
		fmt.Fprintf(&log, verb+" "+verb+"\n", n.AccessToken, n)
	}
	fmt.Fprint(&log, n, &n, []Secret{"top-secret"}, map[string]Secret{"k": "top-secret"}, fmt.Errorf("x %w %v", errors.New("y"), n.AppSecret))
	asJSON, err := json.Marshal(map[string]any{"k": n.AccessToken, "n": n})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(asJSON)
	log.Write(asYAML)
	if text := log.String(); strings.Contains(text, "top") || strings.Contains(text, "746f70") || strings.Contains(text, "746F70") || !strings.Contains(text, dots) {
		t.Errorf("printed: %s", text)
	}
	if n.AccessToken.Reveal() != "top-secret" {
		t.Error("Reveal does not give the value")
	}
}

func TestDiff(t *testing.T) {
	old, f := example(t, "rimini"), example(t, "rimini")
	if changes := f.Diff(old); len(changes) != 0 {
		t.Fatalf("the same file differs: %v", changes)
	}
	slices.Reverse(f.Offices)
	if changes := f.Diff(old); len(changes) != 0 {
		t.Errorf("another order differs: %v", changes)
	}
	f.Name = "Città di Rimini"
	f.WhatsApp[0].AccessToken = "another"
	f.Calendars["whatsapp"].Weekly[0].Close = "14:00"
	f.Lists = append(f.Lists, List{Keyword: "SPORT", Name: "Sport", Kind: ListNotice})
	f.Channels = f.Channels[1:]
	f.Experimental = nil
	var got []string
	for _, c := range f.Diff(old) {
		got = append(got, c.String())
	}
	want := []string{
		`~ name: "Comune di Rimini" → "Città di Rimini"`,
		`~ whatsapp[main].access_token changed`,
		`~ calendars.whatsapp.weekly[0].close: "13:00" → "14:00"`,
		`+ lists[SPORT].keyword: "SPORT"`,
		`+ lists[SPORT].name: "Sport"`,
		`+ lists[SPORT].kind: "notice"`,
		`- experimental.from: "2026-03-02"`,
		`- channels[phone URP].kind: "phone"`,
		`- channels[phone URP].label: "URP"`,
		`- channels[phone URP].value: "0541 704704"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if changes := f.Diff(nil); len(changes) < 30 {
		t.Errorf("a new file has %d changes", len(changes))
	}
}

func TestText(t *testing.T) {
	f := example(t, "arezzo")
	if got := f.Text(locale.Italian, "subscribed", "municipality", f.Name, "lists", "Eventi", "policy", "P", "leave", "STOP"); !strings.HasPrefix(got, "Benvenuto in Unico Online del Comune di Arezzo: da ora ricevi Eventi.") {
		t.Errorf("own words: %s", got)
	}
	if got := f.Text(locale.English, "subscribed"); !strings.HasPrefix(got, "Done:") {
		t.Errorf("another language: %s", got)
	}
}

func TestPeriod(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for p, want := range map[Period]string{"30d": "2026-10-23", "24m": "2024-11-22", "5y": "2021-11-22"} {
		got, err := p.Before(now)
		if err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	for _, p := range []Period{"", "m", "0m", "-1d", "3w", "x"} {
		if _, err := p.Before(now); err == nil {
			t.Errorf("%q is taken", p)
		}
	}
}

const minimal = `slug: prova
name: Comune di Prova
whatsapp:
  display_number: "+39 0541 123456"
  phone_number_id: "1"
  waba_id: "2"
  access_token: "${TOKEN}"
  app_secret: b
  verify_token: c
access: open
automation: none
offices:
  - {id: urp, name: URP}
calendars:
  whatsapp:
    weekly:
      - {days: [mon], open: "09:00", close: "13:00"}
policy: {version: "1", text: Informativa}
`
