// SPDX-License-Identifier: AGPL-3.0-or-later

package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const migrations = "internal/db/migrations/"

var (
	ownerLine   = regexp.MustCompile(`(?m)^-- Owner: (\w+)$`)
	createTable = regexp.MustCompile(`(?i)\bCREATE (?:VIRTUAL |UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)`)
	writeTable  = regexp.MustCompile(`(?i)\b(?:INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM|TRUNCATE|MERGE INTO|COPY) (\w+)`)
)

// owners tells which package writes each table: the one that the file which creates it names.
func owners(t *testing.T) map[string]string {
	t.Helper()
	owner := map[string]string{}
	for _, f := range files(t, ".sql") {
		if !strings.HasPrefix(f.path, migrations) {
			continue
		}
		line := ownerLine.FindStringSubmatch(f.text)
		if line == nil {
			t.Errorf("%s: a line \"-- Owner: PACKAGE\" must say who writes its tables", f.path)
			continue
		}
		for _, table := range createTable.FindAllStringSubmatch(f.text, -1) {
			if other, ok := owner[table[1]]; ok && other != line[1] {
				t.Errorf("%s: table %s already belongs to %s", f.path, table[1], other)
			}
			owner[table[1]] = line[1]
		}
	}
	if len(owner) == 0 {
		t.Fatal("no table found: the test looks in the wrong place")
	}
	return owner
}

// Whoever else writes a table breaks what its owner promises about it.
func TestTablesAreWrittenByTheirOwner(t *testing.T) {
	owner := owners(t)
	writes := 0
	for _, f := range files(t, ".sql", ".go") {
		if f.isTest() || f.generated() || strings.HasPrefix(f.path, migrations) {
			continue
		}
		for _, table := range written(t, f) {
			want, ours := owner[table]
			if !ours {
				continue // a word of prose, or a table of SQLite or River
			}
			writes++
			if got := packageOf(f.path); got != want && got != "bench" { // it measures bare rows as a limit
				t.Errorf("%s writes the table %s, which only %s may", f.path, table, want)
			}
		}
	}
	if writes == 0 {
		t.Error("no writing statement found: the test looks in the wrong place")
	}
}

// written are the tables that the statements in a file write. In Go, statements are string constants.
func written(t *testing.T, f file) []string {
	t.Helper()
	if strings.HasSuffix(f.path, ".sql") {
		return tablesIn(f.text)
	}
	var tables []string
	_, tree := f.parse(t, parser.SkipObjectResolution)
	ast.Inspect(tree, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			tables = append(tables, tablesIn(text)...)
		}
		return true
	})
	return tables
}

func tablesIn(sql string) []string {
	var tables []string
	for _, m := range writeTable.FindAllStringSubmatch(sql, -1) {
		tables = append(tables, strings.ToLower(m[1]))
	}
	return tables
}

// SQL stands with the noun that owns the table: an edge that asked the database by itself would have to know what
// only the owner does.
func TestEdgesAndWiringHoldNoSQL(t *testing.T) {
	statement := regexp.MustCompile(`^\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\s`)
	first := layer("api")
	looked := 0
	for _, f := range files(t, ".go") {
		if at := layer(packageOf(f.path)); f.isTest() || f.generated() || at < first && packageOf(f.path) != "dialogue" {
			continue
		}
		looked++
		_, tree := f.parse(t, parser.SkipObjectResolution)
		ast.Inspect(tree, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && statement.MatchString(text) {
				t.Errorf("%s holds SQL: it belongs in the package that owns the table", f.path)
			}
			return true
		})
	}
	if looked == 0 {
		t.Error("no file found: the test looks in the wrong place")
	}
}

// queues are tables in which all municipalities wait together: the oldest goes first, whosoever it is.
var queues = []string{"journal_waiting"}

// The primary key of every table of a municipality begins with it, so that rows can be found,
// distributed and kept apart by it.
func TestKeysBeginWithTheMunicipality(t *testing.T) {
	body := regexp.MustCompile(`(?is)\bCREATE TABLE (\w+) \((.*?)\n\)`)
	key := regexp.MustCompile(`(?i)PRIMARY KEY \(\s*municipality_id\b|\bmunicipality_id bigint PRIMARY KEY`)
	checked := 0
	for _, f := range files(t, ".sql") {
		if !strings.HasPrefix(f.path, migrations) {
			continue
		}
		for _, table := range body.FindAllStringSubmatch(f.text, -1) {
			if !strings.Contains(table[2], "municipality_id") {
				continue
			}
			checked++
			if !key.MatchString(table[2]) && !slices.Contains(queues, table[1]) {
				t.Errorf("%s: the primary key of %s does not begin with municipality_id", f.path, table[1])
			}
		}
	}
	if checked == 0 {
		t.Error("no table found: the test looks in the wrong place")
	}
}

// What no municipality owns is named here, so that a table without the municipality is a decision.
func TestOnlyTheInstallationsTablesAreShared(t *testing.T) {
	shared := []string{"lease", "staff", "session", "invitation", "signin_attempt"}
	body := regexp.MustCompile(`(?is)\bCREATE TABLE (\w+) \((.*?)\n\)`)
	for _, f := range files(t, ".sql") {
		for _, table := range body.FindAllStringSubmatch(f.text, -1) {
			if !strings.Contains(table[2], "municipality_id") && !slices.Contains(shared, table[1]) {
				t.Errorf("%s: the table %s belongs to no municipality", f.path, table[1])
			}
		}
	}
}
