// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"context"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Upgraded is the database of dsn as an older program left it, brought up to date. The statements asBefore, which
// undo migrations, run by update: (*db.DB).Update, or UpdateJournal for what stands there.
func Upgraded(t testing.TB, dsn string, update func(*db.DB, context.Context, func(context.Context, *db.Tx) error) error, asBefore []string) *db.DB {
	t.Helper()
	older, err := db.Open(t.Context(), db.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range asBefore {
		err := update(older, t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := older.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), db.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
