// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What can be read is measured, or it is said why not.
func TestEveryAddressIsMeasured(t *testing.T) {
	var measured []string
	for _, p := range slices.Concat(pages, files) {
		measured = append(measured, p.route)
	}
	for route, why := range unmeasured {
		if why == "" || slices.Contains(measured, route) {
			t.Errorf("%s is listed as unmeasured, and it is measured or nobody says why", route)
		}
		measured = append(measured, route)
	}
	known := readable(t)
	if len(known) < 60 {
		t.Fatalf("only %d addresses found: the test looks in the wrong place", len(known))
	}
	for _, route := range known {
		if !slices.Contains(measured, route) {
			t.Errorf("%s can be read and is not measured: give it a row in pages", route)
		}
	}
	for _, route := range measured {
		if !slices.Contains(known, route) {
			t.Errorf("%s is measured, but the program has no such address", route)
		}
	}
}

// readable are the patterns that begin with GET in the routes of the pages and of the API.
func readable(t *testing.T) (out []string) {
	t.Helper()
	files, err := filepath.Glob("../internal/api/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "../internal/web/routes.go", "../internal/app/serve.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		constants := map[string]string{"Prefix": "/api/v1"}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Names) == 1 && len(n.Values) == 1 {
					if text, ok := textOf(n.Values[0], constants); ok {
						constants[n.Names[0].Name] = text
					}
				}
			case *ast.CallExpr:
				if len(n.Args) > 0 {
					if text, ok := textOf(n.Args[0], constants); ok && strings.HasPrefix(text, "GET /") {
						out = append(out, text)
					}
				}
			case *ast.CompositeLit:
				if path, ok := operation(n); ok {
					out = append(out, "GET /api/v1"+path)
				}
			}
			return true
		})
	}
	return out
}

// operation is the path of an operation of the API that reads.
func operation(n *ast.CompositeLit) (path string, reads bool) {
	for _, e := range n.Elts {
		field, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, ok := field.Key.(*ast.Ident)
		if !ok {
			continue
		}
		switch key.Name {
		case "Path":
			path, _ = textOf(field.Value, nil)
		case "Method":
			method, ok := field.Value.(*ast.SelectorExpr)
			reads = ok && method.Sel.Name == "MethodGet"
		}
	}
	return path, reads && path != ""
}

// textOf is a string made of literals and constants.
func textOf(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.Ident:
		text, ok := constants[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		left, ok := textOf(e.X, constants)
		right, also := textOf(e.Y, constants)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}
