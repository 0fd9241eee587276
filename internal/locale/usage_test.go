// SPDX-License-Identifier: AGPL-3.0-or-later

package locale

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// usage is what the source asks of the catalogue.
type usage struct {
	keys     map[string]string // key, and where
	prefixes []string          // "kind.", to which the source adds the rest
	calls    []call
}

// call is a text asked for with arguments: T("key", "name", value).
type call struct {
	at, function, key string
	names             []string
	whole             bool // all arguments are there to see
	alone             bool // one argument, for the text's one place
}

func TestEveryKeyAskedForExists(t *testing.T) {
	for key, where := range source(t).keys {
		if !Has(Key(key)) && !Has(Key(key+".other")) {
			t.Errorf("%s: %s has no text", where, key)
		}
	}
}

func TestEveryTextIsAskedFor(t *testing.T) {
	used := source(t)
	for key := range catalogue()[Italian] {
		k := string(key)
		stem := strings.TrimSuffix(strings.TrimSuffix(k, ".one"), ".other")
		byPrefix := slices.ContainsFunc(used.prefixes, func(p string) bool { return strings.HasPrefix(k, p) })
		if used.keys[k] == "" && used.keys[stem] == "" && !byPrefix {
			t.Errorf("nothing asks for %s: remove it from it.yaml and en.yaml", k)
		}
	}
}

func TestArgumentsFitThePlaces(t *testing.T) {
	for _, c := range source(t).calls {
		text, ok := catalogue()[Italian][Key(c.key)]
		if !ok {
			if text, ok = catalogue()[Italian][Key(c.key+".other")]; !ok {
				continue // told by another test
			}
		}
		want := places(text)
		if c.alone {
			if len(want) != 1 {
				t.Errorf("%s: %s has not one place but %v", c.at, c.key, want)
			}
			continue
		}
		for _, name := range c.names {
			if name == "n" && (c.function == "N" || c.function == "n") {
				continue
			}
			if !slices.Contains(want, "{"+name+"}") {
				t.Errorf("%s: %s has no place {%s}", c.at, c.key, name)
			}
		}
		for _, p := range want {
			name := strings.Trim(p, "{}")
			if name == "code" && c.function == "New" {
				continue // the edge that tells a failure adds what the request is known by
			}
			if c.whole && !slices.Contains(c.names, name) {
				t.Errorf("%s: %s is asked for without {%s}", c.at, c.key, name)
			}
		}
	}
}

// source reads the program's own files, generated ones too, as templates are
// compiled into them.
func source(t *testing.T) usage {
	t.Helper()
	found := usage{keys: map[string]string{}}
	looksLikeAKey := keyPattern()
	positions := token.NewFileSet()
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(positions, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ImportSpec:
					return false
				case *ast.BasicLit:
					found.literal(n, positions, looksLikeAKey)
				case *ast.CallExpr:
					found.call(n, positions, looksLikeAKey)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// keyPattern is a text that begins with one of the catalogue's sections.
func keyPattern() *regexp.Regexp {
	var sections []string
	for key := range catalogue()[Italian] {
		section, _, _ := strings.Cut(string(key), ".")
		sections = append(sections, section)
	}
	slices.Sort(sections)
	return regexp.MustCompile(`^(` + strings.Join(slices.Compact(sections), "|") + `)\.[a-z0-9_.]*$`)
}

func (u *usage) literal(lit *ast.BasicLit, positions *token.FileSet, pattern *regexp.Regexp) {
	text, ok := stringOf(lit)
	switch {
	case !ok || !pattern.MatchString(text) || slices.Contains([]string{".templ", ".css", ".js"}, filepath.Ext(text)):
	case strings.HasSuffix(text, ".") || strings.HasSuffix(text, "_"):
		u.prefixes = append(u.prefixes, text)
	default:
		u.keys[text] = positions.Position(lit.Pos()).String()
	}
}

func (u *usage) call(n *ast.CallExpr, positions *token.FileSet, pattern *regexp.Regexp) {
	i := slices.IndexFunc(n.Args, func(a ast.Expr) bool {
		text, ok := stringOf(a)
		return ok && pattern.MatchString(text) && !strings.HasSuffix(text, ".")
	})
	if i < 0 {
		return
	}
	key, _ := stringOf(n.Args[i])
	c := call{at: positions.Position(n.Pos()).String(), function: nameOf(n.Fun), key: key}
	if !slices.Contains([]string{"T", "t", "N", "n", "New"}, c.function) {
		return
	}
	counted := c.function == "N" || c.function == "n"
	if counted {
		c.names = append(c.names, "n")
	}
	rest := n.Args[i+1:]
	if counted && len(rest) > 0 {
		rest = rest[1:] // the count
	}
	c.whole = !n.Ellipsis.IsValid()
	c.alone = len(rest) == 1 && !n.Ellipsis.IsValid()
	for j := 0; j+1 < len(rest); j += 2 {
		if name, ok := stringOf(rest[j]); ok {
			c.names = append(c.names, name)
		}
	}
	u.calls = append(u.calls, c)
}

func nameOf(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

func stringOf(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}
