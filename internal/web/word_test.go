// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// action finds where an action of the audit trail is named.
var action = regexp.MustCompile(`(?:Action\s*=\s*|\bstaff\.Action\()"([a-z_-]+\.[a-z_-]+)"`)

// Whatever the audit trail holds is told in words: a person reads the register, not a programmer.
func TestEveryActionHasItsWords(t *testing.T) {
	found := 0
	source := os.DirFS("..")
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(source, path)
		for _, m := range action.FindAllSubmatch(text, -1) {
			found++
			if key := locale.Key("desk.act_word." + strings.ReplaceAll(string(m[1]), "-", "_")); !locale.Has(key) {
				t.Errorf("%s: there is no %s", path, key)
			}
		}
		return err
	})
	if err != nil || found < 30 {
		t.Errorf("%d actions were found, %v", found, err)
	}
}
