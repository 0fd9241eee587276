// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Schema names the migrations of the database, in order. Rows fit only where they were taken from the same.
func (d *DB) Schema() ([]string, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if name := path.Base(f); d.speaks(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// CopyFiles writes consistent copies of SQLite's two files into dir, under the names they have, while
// everybody else goes on. The journal is first: an entry that its copy holds as done is then surely in
// the copy of the conversations, and one that it holds as new is only looked at again.
func (d *DB) CopyFiles(ctx context.Context, dir string) (journal, main string, err error) {
	if d.Engine != SQLite {
		return "", "", errors.New("copy the database's files: only SQLite has some")
	}
	file := strings.TrimPrefix(d.dsn, "sqlite:")
	main = filepath.Join(dir, filepath.Base(file))
	journal = filepath.Join(dir, filepath.Base(JournalFile(file)))
	return journal, main, errors.Join(copyFile(ctx, JournalFile(file), journal), copyFile(ctx, file, main))
}

// copyFile copies by a connection of its own: those that read may not, and nobody who writes should wait for it.
func copyFile(ctx context.Context, from, to string) (err error) {
	pool := openFile(from, 1)
	defer func() { err = errors.Join(err, pool.Close()) }()
	if _, err := pool.ExecContext(ctx, "VACUUM INTO $1", to); err != nil {
		return fmt.Errorf("copy the database into %s: %w", to, err)
	}
	return nil
}

// Snapshot runs f in a read-only transaction that sees one moment of a PostgreSQL database throughout.
func (d *DB) Snapshot(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(inside{}) != nil {
		return errNested
	}
	return d.run(ctx, d.main, nil, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, f)
}

// Table is a table of PostgreSQL whose rows can be copied.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

var created = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// ofThisProcess are tables that only say who runs at the moment.
var ofThisProcess = []string{"lease"}

// jobs are the tables of River that hold work; its others say who runs.
var jobs = []string{"river_job", "river_queue"}

// Tables lists the tables of PostgreSQL that make up the installation, by name.
func (t *Tx) Tables(ctx context.Context) ([]Table, error) {
	schema, err := t.d.Schema()
	if err != nil {
		return nil, err
	}
	names := slices.Clone(jobs)
	for _, name := range schema {
		ddl, err := migrations.ReadFile("migrations/" + name)
		if err != nil {
			return nil, err
		}
		for _, m := range created.FindAllStringSubmatch(string(ddl), -1) {
			if !slices.Contains(ofThisProcess, m[1]) {
				names = append(names, m[1])
			}
		}
	}
	slices.Sort(names)
	args := make([][]any, len(names))
	tables := make([]Table, len(names))
	for i, name := range names {
		args[i], tables[i].Name = []any{name}, name
	}
	err = t.Query(ctx, `SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
		ORDER BY attnum`, args, func(i int, row Scanner) error {
		var column string
		err := row.Scan(&column)
		tables[i].Columns = append(tables[i].Columns, column)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the columns of the tables: %w", err)
	}
	return tables, nil
}

// CopyOut writes the rows of a table of PostgreSQL to w, in the text format of COPY, and returns how
// many there were.
func (t *Tx) CopyOut(ctx context.Context, table Table, w io.Writer) (rows int64, err error) {
	err = t.postgres(func(c *pgx.Conn) error {
		tag, err := c.PgConn().CopyTo(ctx, w, table.copies("TO STDOUT"))
		rows = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("copy the table %s: %w", table.Name, err)
	}
	return rows, nil
}

// CopyIn replaces the rows of a table of PostgreSQL by those that CopyOut wrote.
func (t *Tx) CopyIn(ctx context.Context, table Table, r io.Reader) (rows int64, err error) {
	name := pgx.Identifier{table.Name}.Sanitize()
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM `+name); err != nil {
		return 0, fmt.Errorf("empty the table %s: %w", table.Name, err)
	}
	err = t.postgres(func(c *pgx.Conn) error {
		tag, err := c.PgConn().CopyFrom(ctx, r, table.copies("FROM STDIN"))
		rows = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("fill the table %s: %w", table.Name, err)
	}
	if table.Name == "river_job" { // River's ids are the database's, ours are not
		_, err = t.tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence('river_job', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM river_job), false)`)
	}
	return rows, err
}

func (t Table) copies(direction string) string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	return "COPY " + pgx.Identifier{t.Name}.Sanitize() + " (" + strings.Join(columns, ", ") + ") " + direction
}

func (t *Tx) postgres(f func(*pgx.Conn) error) error {
	if t.Engine != PostgreSQL {
		return errors.New("only PostgreSQL copies tables")
	}
	return t.conn.Raw(func(dc any) error { return f(dc.(*stdlib.Conn).Conn()) })
}
