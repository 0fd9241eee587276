// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

// migratedFiles are the files of a migrated, closed SQLite database, by the end of their names.
var migratedFiles = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "filodiretto-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := migrate("sqlite:" + filepath.Join(dir, "filodiretto.db")); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(names))
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(name)] = content
	}
	return files, nil
})

func migratedSQLite(t testing.TB) (dsn string) {
	t.Helper()
	files, err := migratedFiles()
	if err != nil {
		t.Fatalf("make the SQLite database that tests copy: %v", err)
	}
	dir := folder(t)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatalf("copy the SQLite database: %v", err)
		}
	}
	return "sqlite:" + filepath.Join(dir, "filodiretto.db")
}

// folder lasts as long as the test. Unlike t.TempDir it is not called after the test, whose name may
// hold characters that mean something in an address.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "filodiretto-sqlite-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the SQLite database: %v", err)
		}
	})
	return dir
}

// migrate brings the schema into the database at dsn and leaves it closed.
func migrate(dsn string) error {
	d, err := db.Open(context.Background(), db.Options{DSN: dsn})
	if err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return fmt.Errorf("close after migrating: %w", err)
	}
	return nil
}
