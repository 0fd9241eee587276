// SPDX-License-Identifier: AGPL-3.0-or-later

package locale

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var line = regexp.MustCompile(`^[a-z_]+(\.[a-z0-9_]+)+: "(?:[^"\\]|\\["n\\])+"$`)

// One quoted text a line is what lets two people add texts at once and git
// merge them, and what keeps a {place} from being read as a YAML mapping.
func TestEveryLineIsAKeyAndAQuotedText(t *testing.T) {
	for _, l := range Languages() {
		data, err := files.ReadFile(string(l) + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
			if len(text) > 0 && text[0] != '#' && !line.Match(text) {
				t.Errorf("%s.yaml:%d: want `section.key: \"text\"`, got %s", l, i+1, text)
			}
		}
	}
}

func TestBothLanguagesHaveTheSameKeysAndPlaces(t *testing.T) {
	italian, english := catalogue()[Italian], catalogue()[English]
	for key, text := range italian {
		if _, ok := english[key]; !ok {
			t.Errorf("%s is missing in en.yaml", key)
			continue
		}
		if it, en := places(text), places(english[key]); !slices.Equal(it, en) {
			t.Errorf("%s has %v in Italian and %v in English", key, it, en)
		}
	}
	for key := range english {
		if _, ok := italian[key]; !ok {
			t.Errorf("%s is missing in it.yaml", key)
		}
	}
}

func TestPluralsComeInPairs(t *testing.T) {
	for key := range catalogue()[Italian] {
		if stem, ok := strings.CutSuffix(string(key), ".one"); ok && !Has(Key(stem+".other")) {
			t.Errorf("%s has no .other", key)
		}
		if stem, ok := strings.CutSuffix(string(key), ".other"); ok && strings.Contains(catalogue()[Italian][key], "{n}") && !Has(Key(stem+".one")) {
			t.Errorf("%s has no .one", key)
		}
	}
}

func places(text string) []string {
	found := place.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}
