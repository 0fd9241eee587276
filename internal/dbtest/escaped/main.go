// SPDX-License-Identifier: AGPL-3.0-or-later

// Command escaped tells which SQL of the program no test has run, so that nobody has read its plan. It is given the
// folder in which the tests left the statements that they have seen, as dbtest.StatementsVariable says.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// apart are the files whose SQL does not run while people work, and why.
var apart = map[string]string{
	"internal/db/copy.go":     "backing up and restoring read everything there is",
	"internal/db/ids.go":      "the leases, one row at a time and by no Tx",
	"internal/db/migrate.go":  "migrating, once",
	"internal/db/notice.go":   "asks for no rows",
	"internal/app/restore.go": "restoring looks at everything there is, once",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: escaped FOLDER")
		os.Exit(2)
	}
	problems, err := escaped(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(problems) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(problems, "\n"))
		os.Exit(1)
	}
}

// escaped are the pieces of SQL in the source that are in none of the statements seen, and the excuses that none needs.
func escaped(folder string) (problems []string, err error) {
	all, err := seen(folder)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("the tests have left no statement")
	}
	joined := strings.Join(all, "\n")
	err = filepath.WalkDir("internal", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "internal/dbtest/") || strings.HasPrefix(path, "internal/towntest/") || apart[path] != "" {
			return err
		}
		pieces, err := piecesOf(path, nil)
		for _, p := range pieces {
			if !strings.Contains(joined, p.text) {
				problems = append(problems, fmt.Sprintf("%s: no test runs this on a database of dbtest: %s", p.at, p.text))
			}
		}
		return err
	})
	for _, words := range dbtest.Excused() {
		if !strings.Contains(joined, words) {
			problems = append(problems, "no statement needs the excuse of judge.go for "+words)
		}
	}
	return problems, err
}

// seen are the statements that the tests have left, in the form of plain.
func seen(folder string) (all []string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var query string
			if err := json.Unmarshal(lines.Bytes(), &query); err != nil {
				return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
			}
			all = append(all, plain(query))
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

type piece struct {
	at   token.Position
	text string
}

var (
	spaces = regexp.MustCompile(`\s+`)
	verbs  = regexp.MustCompile(`%[a-z]`)
	// keywords tell SQL from other texts; prose has no such words in capitals.
	keywords = regexp.MustCompile(`\b(SELECT|INSERT INTO|DELETE FROM|UPDATE|WHERE|JOIN|ORDER BY|GROUP BY|LIMIT|RETURNING|ON CONFLICT|FOR UPDATE|UNION|IS NULL|IS NOT NULL|AND|CASE)\b`)
)

const shortest = 8 // characters; what is shorter is everywhere

func plain(sql string) string { return strings.TrimSpace(spaces.ReplaceAllString(sql, " ")) }

// piecesOf are the SQL texts of a Go file, cut where something is put in.
func piecesOf(path string, src any) (pieces []piece, err error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil || !keywords.MatchString(text) {
			return true
		}
		for _, part := range verbs.Split(text, -1) {
			if part = plain(part); len(part) >= shortest {
				pieces = append(pieces, piece{set.Position(lit.Pos()), part})
			}
		}
		return true
	})
	return pieces, nil
}
