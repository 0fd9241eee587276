// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// A row that one test writes must not be there for the next.
func TestEachTestHasItsOwnDatabase(t *testing.T) {
	for range 2 {
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				var rows int
				if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM lease WHERE name = 'mine'").Scan(&rows); err != nil {
					return err
				}
				if rows != 0 {
					t.Errorf("the database holds %d rows of another test", rows)
				}
				_, err := tx.ExecContext(ctx, "INSERT INTO lease (name, owner, until) VALUES ('mine', 'me', $1)", tx.Now())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOptionsReachTheDatabase(t *testing.T) {
	want := time.Date(2015, 3, 2, 9, 0, 0, 0, time.UTC)
	clock := func(o *db.Options) { o.Now = func() time.Time { return want } }
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if got := d.Now(); !got.Equal(want) {
			t.Errorf("the clock of the database says %s, want %s", got, want)
		}
	}, clock)
}

func TestDSNsHaveNoSchema(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		d, err := db.Open(t.Context(), db.Options{DSN: dsn})
		if err != nil {
			t.Fatalf("%s: the database of a new installation does not open: %v", engine, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: %v", engine, err)
		}
	}
}

// What the environment says of a PostgreSQL service of the machine must not matter.
func TestClusterIsNotTheMachines(t *testing.T) {
	t.Setenv("PGHOST", "127.0.0.1")
	t.Setenv("PGPORT", "1")
	dbtest.Postgres(t)
}
