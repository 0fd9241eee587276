// SPDX-License-Identifier: AGPL-3.0-or-later

package house

import (
	"go/parser"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/filodiretto/filodiretto/"

// layers is the map of the house. A package may import those of the layers above it in this list,
// and nothing of its own layer but what beside names.
var layers = [][]string{
	{"db", "examples", "fault", "locale", "secret", "whatsapp"},
	{"calendar", "contact", "journal", "media", "municipality", "staff"},
	{"conversation"},
	{"dialogue"},
	{"broadcast"},
	{"retention"},
	{"api", "inbound", "outbound", "web"},
	{"demo"},
	{"app"},
}

var beside = map[string][]string{
	"examples":     {"whatsapp"},          // the message templates are in the form that Meta takes
	"media":        {"municipality"},      // files are fetched with the token of the number they came to
	"municipality": {"calendar", "staff"}, // applying a file leaves its row in the audit trail
}

// alone import nothing of ours: the two ends of the wire must not share a mistake.
var alone = []string{"whatsapp", "simulator"}

// forTests serve tests only.
var forTests = []string{"dbtest", "browsertest", "metatest", "programtest", "towntest"}

func TestImportsPointDown(t *testing.T) {
	for _, f := range files(t, ".go") {
		if f.isTest() {
			continue
		}
		importer := packageOf(f.path)
		_, tree := f.parse(t, parser.ImportsOnly)
		for _, spec := range tree.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if inside, ok := strings.CutPrefix(imported, module); ok {
				if reason := forbidden(importer, packageOf(inside+"/")); reason != "" {
					t.Errorf("%s imports %s: %s", f.path, inside, reason)
				}
			}
		}
	}
}

// packageOf is the name on the map of the package that a path lies in: the folder under internal, or
// "app" for a command, which stands above everything.
func packageOf(name string) string {
	parts := strings.Split(path.Dir(name), "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

func forbidden(importer, imported string) (reason string) {
	switch {
	case importer == imported:
		return ""
	case slices.Contains(alone, importer):
		return importer + " imports none of ours"
	case slices.Contains(forTests, imported):
		return imported + " is for tests"
	case slices.Contains(forTests, importer):
		return ""
	case importer == "cmd":
		if imported == "app" {
			return ""
		}
		return "a command only calls app"
	case importer == "bench", importer == "app" && imported == "simulator", slices.Contains(beside[importer], imported):
		return ""
	}
	from, to := layer(importer), layer(imported)
	if from < 0 || to < 0 {
		return "one of them is not on the map: add it to layers"
	}
	if to >= from {
		return "imports point down only"
	}
	return ""
}

func layer(name string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, name) })
}

// The rule must be able to fail, in each of its parts.
func TestForbiddenImports(t *testing.T) {
	tests := []struct {
		importer, imported string
		allowed            bool
	}{
		{"app", "web", true},
		{"web", "conversation", true},
		{"conversation", "contact", true},
		{"municipality", "calendar", true},
		{"app", "simulator", true},
		{"cmd", "app", true},
		{"contact", "conversation", false},
		{"contact", "staff", false},
		{"calendar", "municipality", false},
		{"db", "fault", false},
		{"simulator", "whatsapp", false},
		{"whatsapp", "fault", false},
		{"web", "simulator", false},
		{"web", "dbtest", false},
		{"cmd", "db", false},
		{"web", "invented", false},
	}
	for _, test := range tests {
		if got := forbidden(test.importer, test.imported) == ""; got != test.allowed {
			t.Errorf("%s imports %s: allowed is %t, want %t", test.importer, test.imported, got, test.allowed)
		}
	}
}

// A package that is on no layer is bound by no rule.
func TestEveryPackageIsOnTheMap(t *testing.T) {
	found := map[string]bool{}
	for _, f := range files(t, ".go") {
		if rest, ok := strings.CutPrefix(f.path, "internal/"); ok && !f.isTest() {
			found[strings.SplitN(rest, "/", 2)[0]] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		known := layer(name) >= 0 || slices.Contains(alone, name) || slices.Contains(forTests, name)
		if !known {
			t.Errorf("internal/%s is not on the map: add it to layers", name)
		}
	}
}
