// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. The parser needs time that grows with the square of depth
// and keys; within these bounds it is done in a moment.
const (
	maxFileSize = 1 << 20 // bytes
	maxTokens   = 40_000
	maxDepth    = 20
)

// position is a place in the file, both counted from 1.
type position struct{ line, column int }

// byteOrderMark may begin a file saved on Windows.
const byteOrderMark = "\ufeff"

// node is a value of the file with the place where it stands.
type node struct {
	position
	keyAt   position // of its key, where it has one
	value   any      // string, bool, json.Number, nil, []*node or *fields
	fromEnv bool     // holds something of the environment, so it is never printed
}

// fields are the keys of a mapping, in the order of the file.
type fields struct {
	names  []string
	values map[string]*node
}

// reader turns YAML into nodes and gathers what is wrong on the way.
type reader struct {
	file   string
	env    func(string) (string, bool)
	errors FileErrors
}

func (r *reader) refuse(at position, format string, args ...any) {
	r.errors = append(r.errors, FileError{File: r.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...)})
}

// An alias repeats what it names, and aliases of aliases multiply it.
const noAnchors = "anchors and aliases (& * <<) are not used here: write the value out"

// read gives the file's one document, or nil where it cannot be read at all.
func (r *reader) read(data []byte) *node {
	top := position{1, 1}
	switch {
	case len(data) > maxFileSize:
		r.refuse(top, "the file is larger than 1 MB: a municipality file has a few hundred lines")
		return nil
	case !utf8.Valid(data):
		r.refuse(top, "the file is not UTF-8 text: save it as UTF-8")
		return nil
	}
	if at, ok := controlCharacter(data); ok {
		r.refuse(at, "there is an invisible control character here: remove it")
		return nil
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), byteOrderMark))
	if at, problem := tooMuch(tokens); problem != "" {
		r.refuse(at, "%s", problem)
		return nil
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		r.refuseSyntax(err)
		return nil
	}
	return r.document(file)
}

func (r *reader) document(file *ast.File) *node {
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		r.refuse(position{1, 1}, "the file is empty: start from one of the examples")
		return nil
	case 1:
		return r.node(bodies[0])
	default:
		r.refuse(at(bodies[1].GetToken()), "a second document begins here: write one municipality per file")
		return nil
	}
}

func (r *reader) refuseSyntax(err error) {
	place, message := position{1, 1}, err.Error()
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		place, message = at(syntax.GetToken()), syntax.GetMessage()
	}
	r.refuse(place, "this is not YAML: %s", message)
}

func (r *reader) node(n ast.Node) *node {
	out := &node{position: at(n.GetToken())}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.value = r.fields(n.Values)
		if len(n.Values) > 0 && !n.IsFlowStyle {
			out.position = at(n.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		out.value = r.fields([]*ast.MappingValueNode{n})
		out.position = at(n.Key.GetToken())
	case *ast.SequenceNode:
		items := make([]*node, 0, len(n.Values))
		for _, item := range n.Values {
			items = append(items, r.node(item))
		}
		out.value = items
	case *ast.StringNode:
		out.value, out.fromEnv = r.expand(n.Value, out.position)
	case *ast.LiteralNode:
		out.value, out.fromEnv = r.expand(n.Value.Value, out.position)
	case *ast.BoolNode:
		out.value = n.Value
	case *ast.IntegerNode:
		out.value = number(n.GetToken().Value)
	case *ast.FloatNode:
		out.value = number(n.GetToken().Value)
	case *ast.NullNode:
		out.value = nil
	case *ast.AnchorNode, *ast.AliasNode:
		r.refuse(out.position, noAnchors)
	case *ast.TagNode:
		r.refuse(out.position, "tags (!) are not used here: put a text between quotes")
	default:
		r.refuse(out.position, "%q is not a value this file can have: put a text between quotes", n.GetToken().Value)
	}
	return out
}

func (r *reader) fields(values []*ast.MappingValueNode) *fields {
	out := &fields{values: map[string]*node{}}
	for _, v := range values {
		keyAt := at(v.Key.GetToken())
		name, ok := key(v.Key)
		switch {
		case v.Key.Type() == ast.MergeKeyType:
			r.refuse(keyAt, noAnchors)
			continue
		case !ok:
			r.refuse(keyAt, "a key must be a plain word")
			continue
		case out.values[name] != nil:
			r.refuse(keyAt, "%s is here twice: keep one", name)
			continue
		}
		n := r.node(v.Value)
		n.keyAt = keyAt
		out.names = append(out.names, name)
		out.values[name] = n
	}
	return out
}

// key is the text of a key. What looks like a number is a word here.
func key(k ast.MapKeyNode) (string, bool) {
	switch k := k.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
		return k.GetToken().Value, true
	}
	return "", false
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}?`)
var variableName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// expand puts the environment's values at the places ${NAME} of a text. It
// tells whether there were any.
func (r *reader) expand(text string, place position) (string, bool) {
	if !strings.Contains(text, "${") {
		return text, false
	}
	return variable.ReplaceAllStringFunc(text, func(written string) string {
		name := variable.FindStringSubmatch(written)[1]
		if !strings.HasSuffix(written, "}") || !variableName.MatchString(name) {
			r.refuse(place, "a variable is written ${NAME}, in capital letters, digits and _")
			return written
		}
		value, ok := r.env(name)
		switch {
		case !ok || value == "":
			r.refuse(place, "%s is not set in the environment: set it and apply again", name)
			return written
		case !printable(value) || strings.Contains(value, "${"):
			r.refuse(place, "the value of %s in the environment has line breaks, control characters or another ${…}: correct it and apply again", name)
			return written
		}
		return value
	}), true
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// number keeps a number as JSON has it; what JSON has no way to write (0x10,
// .inf) becomes 0: no key of the file is a number, only its being one counts.
func number(text string) json.Number {
	if json.Valid([]byte(text)) {
		return json.Number(text)
	}
	return "0"
}

func at(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{max(1, t.Position.Line), max(1, t.Position.Column)}
}

func controlCharacter(data []byte) (position, bool) {
	line, column := 1, 0
	for _, c := range string(data) {
		column++
		switch {
		case c == '\n':
			line, column = line+1, 0
		case (c < ' ' && c != '\t' && c != '\r') || c == 0x7f || (c == 0xfeff && (line > 1 || column > 1)):
			return position{line, column}, true
		}
	}
	return position{}, false
}

// tooMuch refuses what would keep the parser busy: it looks at the tokens,
// which are found in one pass.
func tooMuch(tokens token.Tokens) (position, string) {
	if len(tokens) > maxTokens {
		return at(tokens[maxTokens]), "the file says too much: a municipality file has a few hundred lines"
	}
	brackets, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, dashes = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		case token.SequenceEntryType:
			dashes++
		case token.MappingKeyType:
			return at(t), "keys written with ? are not used here: write key: value"
		}
		if brackets > maxDepth || dashes > maxDepth || t.Position.IndentNum > 10*maxDepth {
			return at(t), "lists and keys are nested too deep here"
		}
	}
	return position{}, ""
}

// plain is the value without its places, as encoding/json would decode it.
func (n *node) plain() any {
	switch v := n.value.(type) {
	case *fields:
		out := make(map[string]any, len(v.names))
		for name, value := range v.values {
			out[name] = value.plain()
		}
		return out
	case []*node:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item.plain()
		}
		return out
	default:
		return v
	}
}

// find goes down a path as far as there is something.
func (n *node) find(path []string) *node {
	for _, step := range path {
		next := n.child(step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func (n *node) child(step string) *node {
	switch v := n.value.(type) {
	case *fields:
		return v.values[step]
	case []*node:
		if i, err := strconv.Atoi(step); err == nil && 0 <= i && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// written is a path as a person reads it: calendars.whatsapp.weekly[0].open.
func written(path []string) string {
	var out strings.Builder
	for i, step := range path {
		switch _, err := strconv.Atoi(step); {
		case err == nil && i > 0:
			out.WriteString("[" + step + "]")
		case i > 0:
			out.WriteString("." + step)
		default:
			out.WriteString(step)
		}
	}
	return out.String()
}

// under is a path one or more steps further down.
func under(path []string, more ...string) []string { return slices.Concat(path, more) }
