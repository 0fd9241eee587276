// SPDX-License-Identifier: AGPL-3.0-or-later

// Package dbtest gives every test a fresh database, on both engines.
//
// A schema is made once and copied: SQLite's files once per test binary, PostgreSQL's template once
// per cluster. The cluster is the throw-away one whose address is in FILODIRETTO_TEST_POSTGRES, as
// make test starts it for all packages; without it the test binary starts its own, which ends with it.
// No PostgreSQL service of the machine is ever used.
//
// Every statement that the program runs on such a database is explained when its test ends, and fails the
// test if it reads through a table that grows, on either engine: see judge.
package dbtest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Option changes how the database of a test is opened, for example its clock.
type Option func(*db.Options)

// Each runs f once on SQLite and once on PostgreSQL, as subtests of these names, each with a fresh,
// migrated database that is closed and removed at the end.
func Each(t *testing.T, f func(t *testing.T, d *db.DB), options ...Option) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t, options...)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t, options...)) })
}

// SQLite opens a fresh, migrated SQLite database that lasts as long as the test.
func SQLite(t testing.TB, options ...Option) *db.DB {
	t.Helper()
	return open(t, migratedSQLite(t), options)
}

// Postgres opens a fresh, migrated PostgreSQL database that lasts as long as the test.
func Postgres(t testing.TB, options ...Option) *db.DB {
	t.Helper()
	return open(t, createPostgres(t, template(t)), options)
}

// DSNs are the addresses of two databases without any schema, as a new installation finds them, by
// engine: "sqlite" and "postgres". They are for tests that start the program itself, or open one
// database several times.
func DSNs(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(folder(t), "filodiretto.db"),
		"postgres": createPostgres(t, "template1"),
	}
}

func open(t testing.TB, dsn string, options []Option) *db.DB {
	t.Helper()
	o := db.Options{DSN: dsn}
	for _, change := range options {
		change(&o)
	}
	seen, engine, observe := &watcher{}, db.SQLite, o.Observe
	if strings.HasPrefix(dsn, "postgres") {
		engine = db.PostgreSQL
	}
	o.Observe = func(query string, args []any) {
		seen.observe(engine, query, args)
		if observe != nil {
			observe(query, args)
		}
	}
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open the database of the test: %v", err)
	}
	t.Cleanup(func() {
		seen.explainAll(t, d)
		if err := d.Close(); err != nil {
			t.Errorf("close the database of the test: %v", err)
		}
	})
	return d
}
