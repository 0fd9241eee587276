// SPDX-License-Identifier: AGPL-3.0-or-later

// Package house holds the rules of the house that no compiler and no linter knows. Each test reads the
// repository as it lies on the disk, so a rule also covers files that nobody thought of when it was written.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// file is a file of the repository: its path from the root, with slashes, and its content.
type file struct {
	path string
	text string
}

// notOurs are folders that are fetched, built or left by a run.
var notOurs = []string{".git", "node_modules", "bin", "data", "internal/web/dist"}

var read = sync.OnceValues(func() ([]file, error) {
	var files []file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(path)
		switch ours := !slices.Contains(notOurs, path); {
		case d.IsDir() && ours, !d.IsDir() && !ours: // a working copy's .git is a file, its node_modules may be a link
			return nil
		case d.IsDir():
			return fs.SkipDir
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, file{path, string(text)})
		return nil
	})
	return files, err
})

// files are those whose names end in one of the suffixes.
func files(t *testing.T, suffixes ...string) []file {
	t.Helper()
	all, err := read()
	if err != nil {
		t.Fatal(err)
	}
	var some []file
	for _, f := range all {
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(f.path, s) }) {
			some = append(some, f)
		}
	}
	if len(some) == 0 {
		t.Fatalf("no file ends in %v: the test looks in the wrong place", suffixes)
	}
	return some
}

func (f file) generated() bool {
	head, _, _ := strings.Cut(f.text, "\npackage ")
	return strings.Contains(head, "DO NOT EDIT")
}

func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// parse reads a Go file.
func (f file) parse(t *testing.T, mode parser.Mode) (*token.FileSet, *ast.File) {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, f.path, f.text, mode)
	if err != nil {
		t.Fatal(err)
	}
	return set, tree
}

func TestSourceFilesNameTheirLicence(t *testing.T) {
	const line = "SPDX-License-Identifier: AGPL-3.0-or-later"
	for _, f := range files(t, ".go", ".templ", ".sql", ".sh", ".js", ".ts", ".css", ".yaml", ".yml", "Makefile", ".ci/run") {
		if f.generated() {
			continue
		}
		lines := strings.SplitN(f.text, "\n", 3)
		if strings.HasPrefix(lines[0], "#!") && len(lines) > 1 {
			lines = lines[1:]
		}
		if !strings.Contains(lines[0], line) {
			t.Errorf("%s: the first line must hold %q", f.path, line)
		}
	}
}

// A function that runs before main wires things where nobody looks for them.
func TestNothingRunsBeforeMain(t *testing.T) {
	for _, f := range files(t, ".go") {
		if f.generated() {
			continue
		}
		set, tree := f.parse(t, parser.SkipObjectResolution)
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: no init functions: wire it in package app", set.Position(fn.Pos()))
			}
		}
	}
}

// A test that sleeps is slow on a fast machine and wrong on a slow one. In a bubble of synctest nothing
// really sleeps: the clock there is a pretended one.
func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range files(t, "_test.go") {
		set, tree := f.parse(t, parser.SkipObjectResolution)
		ast.Inspect(tree, func(n ast.Node) bool {
			if isBubble(n) {
				return false
			}
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				t.Errorf("%s: wait for what must happen instead of sleeping", set.Position(s.Pos()))
			}
			return true
		})
	}
}

// isBubble reports whether n is a call of synctest.Test.
func isBubble(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Test" {
		return false
	}
	p, ok := s.X.(*ast.Ident)
	return ok && p.Name == "synctest"
}

// A skipped test is a hole that looks like a test.
func TestNoTestIsSkipped(t *testing.T) {
	for _, f := range files(t, "_test.go") {
		set, tree := f.parse(t, parser.SkipObjectResolution)
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
				t.Errorf("%s: tests are not skipped", set.Position(s.Pos()))
			}
			return true
		})
	}
}

// Addresses of package registries say where somebody built, not what is built.
func TestNoFileNamesARegistry(t *testing.T) {
	hosts := []string{"registry." + "npmjs", "proxy." + "golang.org", "registry." + "yarnpkg"}
	for _, f := range files(t, ".json", ".npmrc", ".go", ".sh", ".md", ".yml", ".yaml", "Makefile", ".ci/run") {
		for _, host := range hosts {
			if strings.Contains(f.text, host) {
				t.Errorf("%s names the registry %s", f.path, host)
			}
		}
	}
}
