// SPDX-License-Identifier: AGPL-3.0-or-later

package house

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a newcomer follows must lead somewhere.
func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
	for _, f := range files(t, ".md") {
		for _, m := range link.FindAllStringSubmatch(f.text, -1) {
			if strings.Contains(m[1], ":") {
				continue // elsewhere on the network
			}
			target := path.Join(path.Dir(f.path), m[1])
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(target))); err != nil {
				t.Errorf("%s: nothing is at %s", f.path, m[1])
			}
		}
	}
}

// The two commands of the README are the promise of the project.
func TestReadmesNameTheTwoCommands(t *testing.T) {
	for _, f := range files(t, "README.md", "README.it.md") {
		for _, command := range []string{"\nmake run\n", "\nmake test\n", "security@filodiretto.it", "AGPL-3.0-or-later"} {
			if !strings.Contains(f.text, command) {
				t.Errorf("%s does not hold %q", f.path, strings.TrimSpace(command))
			}
		}
	}
}

func TestLicenceIsTheFullText(t *testing.T) {
	for _, f := range files(t, "LICENSE") {
		if f.path != "LICENSE" {
			continue
		}
		for _, part := range []string{"GNU AFFERO GENERAL PUBLIC LICENSE", "13. Remote Network Interaction", "END OF TERMS AND CONDITIONS"} {
			if !strings.Contains(f.text, part) {
				t.Errorf("LICENSE does not hold %q", part)
			}
		}
	}
}

// A setting that is not in the guide is found by nobody.
func TestSettingsAreInTheGuide(t *testing.T) {
	setting := regexp.MustCompile(`env:"(FILODIRETTO_\w+)"`)
	guide, err := os.ReadFile(filepath.Join(root, "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files(t, ".go") {
		if f.isTest() || !strings.HasPrefix(f.path, "internal/app/") {
			continue
		}
		for _, m := range setting.FindAllStringSubmatch(f.text, -1) {
			found++
			if !strings.Contains(string(guide), "`"+m[1]+"`") {
				t.Errorf("docs/install.md does not explain %s", m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no setting found: the test looks in the wrong place")
	}
}

// The manual says what stands on the screen: a button that was renamed is renamed there too.
func TestTheManualQuotesTheScreen(t *testing.T) {
	texts, err := os.ReadFile(filepath.Join(root, "internal", "locale", "it.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile(filepath.Join(root, "docs", "manuale.md"))
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`«([^»]+)»`).FindAllStringSubmatch(string(manual), -1)
	if len(quoted) == 0 {
		t.Fatal("the manual quotes nothing: the test looks in the wrong place")
	}
	for _, m := range quoted {
		label := strings.Join(strings.Fields(m[1]), " ")
		label = strings.ReplaceAll(label, "'", "’")
		if !strings.Contains(string(texts), `: "`+label+`"`) {
			t.Errorf("docs/manuale.md quotes «%s», which stands nowhere on the screen", label)
		}
	}
}

// The map is read by whoever comes anew: it names every package, and none that is gone.
func TestTheMapNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\ninternal/\n")
	drawn, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("ARCHITECTURE.md has no map of internal/")
	}
	onMap := map[string]bool{}
	for line := range strings.Lines(drawn) {
		if names, inside := strings.CutPrefix(line, "  "); inside {
			for _, m := range regexp.MustCompile(`(\w+)/ `).FindAllStringSubmatch(names, -1) {
				onMap[m[1]] = true
			}
		}
	}
	packages := map[string]bool{}
	for _, f := range files(t, ".go") {
		if inside, ok := strings.CutPrefix(f.path, "internal/"); ok {
			name, _, _ := strings.Cut(inside, "/")
			packages[name] = true
		}
	}
	for name := range packages {
		if !onMap[name] {
			t.Errorf("internal/%s is not on the map", name)
		}
	}
	for name := range onMap {
		if !packages[name] {
			t.Errorf("the map has internal/%s, which is not there", name)
		}
	}
}
