// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// FileError is one thing wrong in a municipality file. Line and column count
// from 1.
type FileError struct {
	File         string
	Line, Column int
	Message      string
}

func (e FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// FileErrors is everything wrong in a municipality file, in its order.
type FileErrors []FileError

func (e FileErrors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// ParseFile reads a municipality file: strict YAML 1.2 of at most 1 MB,
// ${NAME} taken from env, checked by the schema and by what a schema cannot
// say. The name is the one errors carry. The error is [FileErrors], with
// everything that is wrong; it never holds a value taken from env.
func ParseFile(name string, data []byte, env func(string) (string, bool)) (*File, error) {
	r := &reader{file: name, env: env}
	root := r.read(data)
	if root == nil {
		return nil, r.errors
	}
	problems := validate(root)
	for _, p := range problems {
		if p.useless {
			root.find(p.path).value = nil // so that the rest can be decoded and checked
		}
	}
	f, err := decode(root)
	if err == nil {
		problems = append(problems, quiet(root, unless(problems, check(root, f)))...)
	}
	for _, p := range problems {
		r.place(root, p)
	}
	if len(r.errors) > 0 {
		return nil, r.errors.inOrder()
	}
	if err != nil {
		// The schema let through what the types refuse: a fault of ours, which
		// a test looks for; the file is refused all the same.
		return nil, FileErrors{{File: name, Line: 1, Column: 1, Message: "the file cannot be read: " + err.Error()}}
	}
	return f, nil
}

// decode goes through JSON, so that a file and what the database keeps of it
// are read by the same rules.
func decode(root *node) (*File, error) {
	data, err := json.Marshal(root.plain())
	if err != nil {
		return nil, fmt.Errorf("writing the file as JSON: %w", err)
	}
	var f File
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("reading the file as JSON: %w", err)
	}
	return &f, nil
}

// unless drops findings about a value the schema has already refused.
func unless(refused, found []problem) []problem {
	return slices.DeleteFunc(found, func(p problem) bool {
		return slices.ContainsFunc(refused, func(q problem) bool { return related(p.path, q.path) })
	})
}

func related(a, b []string) bool {
	n := min(len(a), len(b))
	return n > 0 && slices.Equal(a[:n], b[:n]) && (len(a) == len(b) || n > 1)
}

// quiet keeps what the environment holds out of the findings.
func quiet(root *node, found []problem) []problem {
	for i, p := range found {
		if root.find(p.path).fromEnv {
			found[i].message = "what the environment gives is not right here: look at the variable's value"
		}
	}
	return found
}

// place gives a problem its line. Where the environment lacks a value that has
// been said, and what follows from it is not.
func (r *reader) place(root *node, p problem) {
	n := root.find(p.path)
	at := n.position
	if p.onKey {
		at = n.keyAt
	}
	here := func(e FileError) bool { return e.Line == at.line && e.Column == at.column }
	if n.fromEnv && slices.ContainsFunc(r.errors, here) {
		return
	}
	where := written(p.path)
	if p.onKey || where == "" {
		r.refuse(at, "%s", p.message)
		return
	}
	r.refuse(at, "%s: %s", where, p.message)
}

func (e FileErrors) inOrder() FileErrors {
	slices.SortFunc(e, func(a, b FileError) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(e)
}
