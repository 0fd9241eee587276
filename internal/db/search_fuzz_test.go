// SPDX-License-Identifier: AGPL-3.0-or-later

package db_test

import (
	"context"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// Whatever is written or looked for is a text to both engines and never a query; and what was written is found by its
// own words.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{"", "buche in via Roma", `") OR scope:m1 OR ("`, "a:* & !b", "x\x00y", "\xff", "però L'ACQUA", "scope:m1 NEAR(a b)", "٠٥ ½ ǅ ﬀ İ"} {
		f.Add(s)
	}
	desks := []*db.DB{dbtest.SQLite(f), dbtest.Postgres(f)}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range desks {
			err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if err := tx.Index(ctx, db.MessageSearch, 7, []db.Doc{{ID: 1, Text: text}}, true); err != nil {
					return err
				}
				ids, err := tx.Search(ctx, db.MessageSearch, 7, text, 10)
				if err != nil {
					return err
				}
				if others, err := tx.Search(ctx, db.MessageSearch, 8, text, 10); err != nil || len(others) > 0 {
					t.Errorf("%s: %q is found in another municipality: %v, %v", d.Engine, text, others, err)
				}
				if hasWord(text) && !slices.Equal(ids, []int64{1}) {
					t.Errorf("%s: %q does not find itself", d.Engine, text)
				}
				return nil
			})
			if err != nil {
				t.Fatalf("%s: %v", d.Engine, err)
			}
		}
	})
}

// hasWord tells of a plain word of the text: one that no folding takes away.
func hasWord(text string) bool {
	return slices.ContainsFunc([]rune(text), func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' })
}
