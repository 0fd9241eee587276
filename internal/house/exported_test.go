// SPDX-License-Identifier: AGPL-3.0-or-later

package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// An exported name is a promise to another package; its comment says what is promised.
func TestExportedNamesAreExplained(t *testing.T) {
	for _, f := range files(t, ".go") {
		if f.isTest() || f.generated() {
			continue
		}
		set, tree := f.parse(t, parser.ParseComments|parser.SkipObjectResolution)
		for _, d := range tree.Decls {
			for _, name := range unexplained(d) {
				t.Errorf("%s: %s has no doc comment", set.Position(name.Pos()), name.Name)
			}
		}
	}
}

// unexplained are the exported names that a declaration makes without a comment on them or on their group.
func unexplained(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && !wellKnown(d) && onExported(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil && (d.Tok != token.TYPE || len(d.Specs) == 1) {
			return nil
		}
		var names []*ast.Ident
		for _, s := range d.Specs {
			names = append(names, unexplainedSpec(s)...)
		}
		return names
	}
	return nil
}

func unexplainedSpec(s ast.Spec) []*ast.Ident {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
			return []*ast.Ident{s.Name}
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil {
			var names []*ast.Ident
			for _, n := range s.Names {
				if n.IsExported() {
					names = append(names, n)
				}
			}
			return names
		}
	}
	return nil
}

// wellKnown reports whether a method is explained by the interface it implements.
func wellKnown(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return false
	}
	switch d.Name.Name {
	case "String", "GoString", "Error", "Unwrap", "Is", "Format", "LogValue", "Kind",
		"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "MarshalYAML", "UnmarshalYAML",
		"Value", "Scan", "ServeHTTP", "Read", "Write", "Close", "Len", "Less", "Swap":
		return true
	}
	return false
}

// onExported reports whether a function is none of an unexported type, which no other package can name.
func onExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return !ok || name.IsExported()
}
