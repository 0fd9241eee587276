// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

// StatementsVariable names a folder in which every test binary leaves the statements it has seen, one JSON
// string a line. The test of package house that no statement escapes reads them.
const StatementsVariable = "FILODIRETTO_TEST_STATEMENTS"

// watcher sees every statement that the program, not a test, runs through a Tx of one database.
type watcher struct {
	mu  sync.Mutex
	new map[string][]any // not yet explained in this process; the arguments are some it ran with
}

// explained are the statements whose plan was read in this process, by engine.
var explained sync.Map

func (w *watcher) observe(engine db.Engine, query string, args []any) {
	if _, known := explained.Load(engine.String() + query); known || !reads(query) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.new[query]; known || !ours() {
		return
	}
	if w.new == nil {
		w.new = make(map[string][]any)
	}
	w.new[query] = args
}

var statement = regexp.MustCompile(`(?is)^\s*(--[^\n]*\n\s*)*(SELECT|WITH|INSERT|UPDATE|DELETE)\b`)

// reads reports whether query has a plan.
func reads(query string) bool { return statement.MatchString(query) }

// ours reports whether the statement that is just being run is the program's: tests look at whole tables.
func ours() bool {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	for {
		f, more := frames.Next()
		within := strings.Contains(f.File, "/internal/db/") || strings.Contains(f.File, "/internal/dbtest/") || strings.Contains(f.File, "/store/") ||
			strings.HasPrefix(f.Function, "database/sql")
		if !within || strings.HasSuffix(f.File, "_test.go") {
			return strings.Contains(f.File, "/internal/") && !strings.Contains(f.File, "/internal/towntest/") && !strings.HasSuffix(f.File, "_test.go")
		}
		if !more {
			return false
		}
	}
}

// explainAll reads the plans of the statements that d has run and this process had not seen before, and
// complains of each that reads through a table that grows.
func (w *watcher) explainAll(t testing.TB, d *db.DB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for query, args := range w.new {
		if _, known := explained.LoadOrStore(d.Engine.String()+query, true); known {
			continue
		}
		plan, err := explain(t.Context(), d, query, args)
		if err != nil {
			t.Errorf("explain %s\n%v", query, err)
			continue
		}
		if problem := judge(d.Engine, query, plan); problem != "" {
			t.Errorf("%s: %s\n%s\n%s", d.Engine, problem, query, plan)
		}
		if err := remember(query); err != nil {
			t.Error(err)
		}
	}
	w.new = nil
}

var memory sync.Mutex

// remember leaves query where StatementsVariable says.
func remember(query string) (err error) {
	dir := os.Getenv(StatementsVariable)
	if dir == "" {
		return nil
	}
	line, err := json.Marshal(query)
	if err != nil {
		return err
	}
	memory.Lock()
	defer memory.Unlock()
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%d.jsonl", os.Getpid())), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("remember a statement: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// explain is the plan of query. SQLite, which keeps no statistics here, plans as for large tables, so the
// test's own database will do; PostgreSQL plans by what is in the tables, and is asked where much is.
func explain(ctx context.Context, d *db.DB, query string, args []any) (string, error) {
	ctx = context.WithoutCancel(ctx)
	if d.Engine == db.PostgreSQL {
		large, err := largeDatabase()
		if err != nil {
			return "", err
		}
		rows, err := large.QueryContext(ctx, "EXPLAIN "+query, args...)
		if err != nil {
			return "", err
		}
		return lines(rows, 1)
	}
	plan, err := planIn(ctx, d.View, d.Engine, query, args)
	if err != nil && strings.Contains(err.Error(), "no such table: journal") {
		return planIn(ctx, d.ViewJournal, d.Engine, query, args)
	}
	return plan, err
}

// Plan is how the engine would run a statement with what it knows of the tables of d now, a line a step.
func Plan(t testing.TB, d *db.DB, query string, args []any) string {
	t.Helper()
	plan, err := planIn(t.Context(), d.View, d.Engine, query, args)
	if err != nil {
		t.Errorf("explain %s: %v", query, err)
	}
	return plan
}

func planIn(ctx context.Context, view func(context.Context, func(context.Context, *db.Tx) error) error, engine db.Engine, query string, args []any) (plan string, err error) {
	prefix, columns := "EXPLAIN ", 1
	if engine == db.SQLite {
		prefix, columns = "EXPLAIN QUERY PLAN ", 4
	}
	err = view(ctx, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.QueryContext(ctx, prefix+query, args...)
		if err != nil {
			return err
		}
		plan, err = lines(rows, columns)
		return err
	})
	return plan, err
}

// lines are the last columns of rows.
func lines(rows *sql.Rows, columns int) (string, error) {
	var out []string
	var err error
	for err == nil && rows.Next() {
		var skip [3]int
		var line string
		into := []any{&skip[0], &skip[1], &skip[2], &line}
		err = rows.Scan(into[len(into)-columns:]...)
		out = append(out, line)
	}
	return strings.Join(out, "\n"), errors.Join(err, rows.Err(), rows.Close())
}
