// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// What Meta told more than a year and a month ago goes, of this municipality alone.
func TestOldNewsAreDropped(t *testing.T) {
	const here, there = 1, 2
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for _, m := range []int64{here, there} {
				old := News{Key: "old", WABA: "1", Field: "account_update", At: tx.Now().Add(-keepNews - time.Hour)}
				recent := News{Key: "recent", WABA: "1", Field: "account_update", At: tx.Now().Add(-keepNews + time.Hour)}
				if _, err := AddNews(ctx, tx, m, []News{old, recent}); err != nil {
					return err
				}
			}
			if err := DropNews(ctx, tx, here); err != nil {
				return err
			}
			for m, want := range map[int64]int{here: 1, there: 2} {
				left, err := NewsPage(ctx, tx, m, tx.Now(), 0, 10)
				if err != nil {
					return err
				}
				if len(left) != want {
					t.Errorf("municipality %d has %d news, want %d", m, len(left), want)
				}
				for _, n := range left {
					at, there, err := GetNews(ctx, tx, m, n.ID)
					if err != nil || !there || !at.Equal(n.At) {
						t.Errorf("news %d are of %v, there %t, %v", n.ID, at, there, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
