// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/locale"
)

func document(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/municipality-file.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheDocumentNamesEveryKey(t *testing.T) {
	text := document(t)
	for _, pointer := range []string{"#", "#/$defs/number", "#/properties/subscription"} {
		properties, _ := schemaAt(pointer)["properties"].(map[string]any)
		for key := range properties {
			if !strings.Contains(text, "`"+key+"`") {
				t.Errorf("%s of %s is not in docs/municipality-file.md", key, pointer)
			}
		}
	}
}

// The table of texts is the one place where a municipality finds their names
// and places.
func TestTheDocumentListsEveryCitizenText(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ((?:`\\{[a-z_]+\\}` ?)+|— )\\|$")
	listed := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(document(t), -1) {
		listed[m[1]] = m[2]
	}
	if len(listed) < 15 {
		t.Fatalf("the table was not found: %v", listed)
	}
	for name, cell := range listed {
		key := locale.Key("citizen." + name)
		if !locale.Has(key) {
			t.Errorf("%s is no citizen text", name)
			continue
		}
		want, got := places(locale.Italian.T(key)), places(cell)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, the document %v", name, want, got)
		}
	}
	for _, key := range locale.Keys("citizen.") {
		if name := strings.TrimPrefix(string(key), "citizen."); listed[name] == "" {
			t.Errorf("%s is not in docs/municipality-file.md", name)
		}
	}
}

func TestTheDocumentsHoursAreRight(t *testing.T) {
	_, block, _ := strings.Cut(document(t), "```yaml\ncalendars:")
	block, _, _ = strings.Cut(block, "```")
	before, after, _ := strings.Cut(minimal, "calendars:")
	_, after, _ = strings.Cut(after, "policy:")
	if _, err := ParseFile("f.yaml", []byte(before+"calendars:"+block+"policy:"+after), demoEnv); err != nil || block == "" {
		t.Errorf("%v", err)
	}
}

func TestTheDocumentsPhrasesAreRight(t *testing.T) {
	_, block, _ := strings.Cut(document(t), "```yaml\nsubscription:")
	block, _, _ = strings.Cut(block, "```")
	if _, err := ParseFile("f.yaml", []byte(minimal+"subscription:"+block), demoEnv); err != nil || block == "" {
		t.Errorf("%v", err)
	}
}

func places(text string) []string {
	found := textPlace.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
