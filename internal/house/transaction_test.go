// SPDX-License-Identifier: AGPL-3.0-or-later

package house

import (
	"go/ast"
	"go/parser"
	"slices"
	"strings"
	"testing"
)

// outOfBounds is what may not be called where a transaction is open: the network, which would hold the
// writer for as long as a stranger likes; the machine's clock, as time comes from the transaction; and
// another transaction, which would wait for its own.
var outOfBounds = []string{
	"http.", "net.", "time.Now", "time.Since", "time.Until", "exec.",
	".client.", ".Client.", ".Sender.", ".DB.", ".d.Update", ".d.View",
}

// realTime are the files whose transactions may read the machine's clock, and why.
var realTime = map[string]string{
	"internal/db/ids.go":          "leases are of real time, whatever clock tests set",
	"internal/inbound/process.go": "how long a batch holds the writer is measured",
	"internal/outbound/parcel.go": "Meta's rates are of real time",
	"internal/retention/slice.go": "how long a slice holds the writer is measured",
}

// Nothing that runs inside a transaction reaches out of it: no function with a Tx in its hands, declared
// or given to Update and View.
func TestTransactionsStayAmongThemselves(t *testing.T) {
	checked := 0
	for _, f := range files(t, ".go") {
		if f.isTest() || f.generated() || strings.HasPrefix(f.path, "internal/dbtest/") {
			continue
		}
		set, tree := f.parse(t, parser.SkipObjectResolution)
		ast.Inspect(tree, func(n ast.Node) bool {
			body := inTransaction(n)
			if body == nil {
				return true
			}
			checked++
			ast.Inspect(body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if word := forbiddenCall(call); word != "" && (realTime[f.path] == "" || !strings.HasPrefix(word, "time.")) {
						t.Errorf("%s: %s inside a transaction", set.Position(call.Pos()), word)
					}
				}
				return true
			})
			return false
		})
	}
	if checked < 100 {
		t.Errorf("only %d functions with a transaction found: the test looks in the wrong place", checked)
	}
}

// inTransaction is the body of a function that is given a Tx; nil is none.
func inTransaction(n ast.Node) *ast.BlockStmt {
	var kind *ast.FuncType
	var body *ast.BlockStmt
	switch n := n.(type) {
	case *ast.FuncDecl:
		kind, body = n.Type, n.Body
	case *ast.FuncLit:
		kind, body = n.Type, n.Body
	default:
		return nil
	}
	for _, parameter := range kind.Params.List {
		if slices.Contains([]string{"*db.Tx", "*Tx"}, source(parameter.Type)) {
			return body
		}
	}
	return nil
}

// forbiddenCall is what a call calls, if it is out of bounds.
func forbiddenCall(call *ast.CallExpr) string {
	name := source(call.Fun)
	for _, word := range outOfBounds {
		if strings.HasPrefix(name, word) || strings.HasPrefix(word, ".") && strings.Contains(name, word) {
			return name
		}
	}
	return ""
}

// source is an expression of names, dots and stars as it is written; what else there is in it is left out.
func source(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + source(e.X)
	case *ast.SelectorExpr:
		return source(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return source(e.Fun) + "()"
	}
	return ""
}

// The rule must be able to fail.
func TestForbiddenCalls(t *testing.T) {
	for text, forbidden := range map[string]bool{
		`http.Get("x")`: true, `s.client.Send(ctx)`: true, `time.Now()`: true, `s.DB.Update(ctx, nil)`: true, `w.s.d.View(ctx, nil)`: true,
		`tx.Now()`: false, `conversation.Get(ctx, tx)`: false, `netip.ParseAddr("x")`: false, `time.Unix(0, 0)`: false,
	} {
		e, err := parser.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := forbiddenCall(e.(*ast.CallExpr)) != ""; got != forbidden {
			t.Errorf("%s is forbidden: %t", text, got)
		}
	}
}
