// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// toSQLite turns PostgreSQL's words into SQLite's; the rest of the schema is the same text.
var toSQLite = strings.NewReplacer(
	"bigint PRIMARY KEY", "INTEGER PRIMARY KEY",
	"timestamptz", "TIMESTAMP",
	"jsonb", "TEXT",
	"bytea", "BLOB",
)

// migrate brings the schema up to date, forward only. One process does it at a time.
func (d *DB) migrate(ctx context.Context) error {
	if d.Engine == SQLite {
		return d.migrateSQLite(ctx)
	}
	return d.migratePostgres(ctx)
}

func (d *DB) migrateSQLite(ctx context.Context) error {
	unlock, err := lockFile(strings.TrimPrefix(d.dsn, "sqlite:") + ".migrate.lock")
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.apply(ctx, d.main, false); err != nil {
		return err
	}
	if err := d.apply(ctx, d.journal, true); err != nil {
		return err
	}
	return d.migrateJobs(ctx)
}

func (d *DB) migratePostgres(ctx context.Context) (err error) {
	conn, err := d.main.Conn(ctx)
	if err != nil {
		return fmt.Errorf("reach PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	const key = 0x66696c6f // "filo"
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", key); err != nil {
		return fmt.Errorf("take the migration lock: %w", err)
	}
	defer func() {
		_, unlockErr := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", key)
		err = errors.Join(err, unlockErr)
	}()
	if err := d.apply(ctx, d.main, false); err != nil {
		return err
	}
	if err := d.apply(ctx, d.main, true); err != nil {
		return err
	}
	return d.migrateJobs(ctx)
}

// migrateJobs gives River its own tables.
func (d *DB) migrateJobs(ctx context.Context) error {
	m, err := rivermigrate.New(d.jobDriver(), &rivermigrate.Config{Logger: d.log})
	if err != nil {
		return fmt.Errorf("prepare the migrations of the jobs: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the jobs: %w", err)
	}
	return nil
}

// apply runs the files not yet recorded in pool, each in its own transaction.
func (d *DB) apply(ctx context.Context, pool *sql.DB, journal bool) error {
	const create = `CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL)`
	if _, err := pool.ExecContext(ctx, d.words(create)); err != nil {
		return fmt.Errorf("make the table of migrations: %w", err)
	}
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	for _, f := range files {
		name := path.Base(f)
		if strings.HasPrefix(name, "journal_") != journal || !d.speaks(name) {
			continue
		}
		if err := d.applyFile(ctx, pool, name); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

// speaks reports whether the file is for this engine: NAME.sql is for both.
func (d *DB) speaks(name string) bool {
	parts := strings.Split(name, ".")
	return len(parts) == 2 || parts[1] == d.Engine.String()
}

func (d *DB) words(ddl string) string {
	if d.Engine == SQLite {
		return toSQLite.Replace(ddl)
	}
	return ddl
}

func (d *DB) applyFile(ctx context.Context, pool *sql.DB, name string) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	var done int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM migration WHERE name = $1`, name).Scan(&done); err != nil {
		return err
	}
	if done > 0 {
		return nil
	}
	ddl, err := migrations.ReadFile("migrations/" + name)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, d.words(string(ddl))); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO migration (name, applied_at) VALUES ($1, $2)`, name, time.Now().UTC()); err != nil {
		return err
	}
	return tx.Commit()
}

// lockFile waits for an exclusive lock on file and returns what gives it back.
func lockFile(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock %s: %w", file, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}
