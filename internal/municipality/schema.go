// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:generate cp schema.json ../../docs/municipality.schema.json

// schemaText is the JSON Schema of a municipality file (draft 2020-12), as
// published in docs/municipality.schema.json. The parser checks by it, so that
// the two cannot disagree on what a file may say.
//
//go:embed schema.json
var schemaText []byte

const schemaAddress = "municipality.schema.json"

// rules are the schema compiled, and as it is written: the sentences told are
// the descriptions in it.
var rules = sync.OnceValues(func() (*jsonschema.Schema, any) {
	written, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		panic(fmt.Errorf("reading the schema of municipality files: %w", err))
	}
	delete(written.(map[string]any), "$id") // so that its own address is the short one
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(schemaAddress, written); err != nil {
		panic(fmt.Errorf("reading the schema of municipality files: %w", err))
	}
	compiled, err := compiler.Compile(schemaAddress)
	if err != nil {
		panic(fmt.Errorf("reading the schema of municipality files: %w", err))
	}
	return compiled, written
})

// problem is one thing wrong, where in the file and in a sentence.
type problem struct {
	path    []string
	message string
	onKey   bool // the key itself is wrong, not its value
	useless bool // the value is of another type than it must be
}

// validate checks a file against the schema.
func validate(root *node) []problem {
	schema, _ := rules()
	err := schema.Validate(root.plain())
	if err == nil {
		return nil
	}
	failed, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []problem{{message: err.Error()}}
	}
	var problems []problem
	for _, leaf := range leaves(failed) {
		problems = append(problems, sentences(root, leaf)...)
	}
	return problems
}

// leaves are the failures a person can mend. Where one of several forms was
// needed, that is said once, not form by form.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

func sentences(root *node, e *jsonschema.ValidationError) []problem {
	path := e.InstanceLocation
	one := func(format string, args ...any) []problem {
		return []problem{{path: path, message: fmt.Sprintf(format, args...)}}
	}
	rule := schemaAt(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var all []problem
		for _, name := range k.Properties {
			all = append(all, problem{path: under(path, name), message: unknownKey(name, rule), onKey: true})
		}
		return all
	case *kind.Required:
		var all []problem
		for _, name := range k.Missing {
			all = append(all, problem{path: path, message: missingKey(name, rule)})
		}
		return all
	case *kind.DependentRequired:
		return one("%s needs %s beside it", k.Prop, strings.Join(k.Missing, " and "))
	case *kind.Type:
		return []problem{{path: path, message: wrongType(k), useless: true}}
	case *kind.Enum:
		return one("must be %s%s", choices(k.Want), got(root, path))
	case *kind.Pattern, *kind.Format:
		return one("must be %s%s", description(rule), got(root, path))
	case *kind.Not:
		return one("%s%s", got(root, path, "is"), description(rule["not"]))
	case *kind.AnyOf, *kind.OneOf:
		return one("must be %s", description(rule))
	case *kind.MinLength:
		return one("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return one("must have at most %d characters, and has %d", k.Want, k.Got)
	case *kind.MinItems:
		return one("must have at least %d, and has %d", k.Want, k.Got)
	case *kind.MaxItems:
		return one("must have at most %d, and has %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return one("must have at most %d keys, and has %d", k.Want, k.Got)
	case *kind.Minimum, *kind.Maximum:
		return one("must be %s, from %v to %v", description(rule), rule["minimum"], rule["maximum"])
	case *kind.UniqueItems:
		return []problem{{path: under(path, fmt.Sprint(k.Duplicates[1])), message: "is the same as an earlier one: keep one"}}
	}
	return one("%s", e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// schemaAt is the part of the schema that an address points at (RFC 6901).
func schemaAt(address string) map[string]any {
	_, part := rules()
	_, pointer, _ := strings.Cut(address, "#")
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch p := part.(type) {
		case map[string]any:
			if step != "" {
				part = p[step]
			}
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i < 0 || i >= len(p) {
				return nil
			}
			part = p[i]
		}
	}
	found, _ := part.(map[string]any)
	return found
}

func description(rule any) string {
	m, _ := rule.(map[string]any)
	if text, ok := m["description"].(string); ok {
		return text
	}
	return "something else"
}

// missingKey says what is missing and what it is.
func missingKey(name string, rule map[string]any) string {
	properties, _ := rule["properties"].(map[string]any)
	if property, ok := properties[name].(map[string]any); ok {
		if property["description"] == nil {
			if ref, ok := property["$ref"].(string); ok {
				property = schemaAt(ref)
			}
		}
		if text, ok := property["description"].(string); ok {
			return name + " is missing: " + text
		}
	}
	return name + " is missing"
}

// unknownKey names the key that was probably meant, or all there are.
func unknownKey(name string, rule map[string]any) string {
	if rule["patternProperties"] != nil {
		return fmt.Sprintf("%s cannot be a key here: these are %s", name, description(rule))
	}
	properties, _ := rule["properties"].(map[string]any)
	known := slices.Sorted(maps.Keys(properties))
	for _, k := range known {
		if distance(name, k) <= 2 {
			return fmt.Sprintf("unknown key %s: did you mean %s?", name, k)
		}
	}
	return fmt.Sprintf("unknown key %s: the keys here are %s", name, strings.Join(known, ", "))
}

func wrongType(k *kind.Type) string {
	switch want := k.Want[0]; {
	case k.Got == "null":
		return "is empty: write a value or remove the key"
	case want == "string" && (k.Got == "number" || k.Got == "boolean" || k.Got == "integer"):
		return "must be a text: put it between quotes"
	case want == "string":
		return "must be a text"
	case want == "array":
		return "must be a list"
	case want == "object":
		return "must be keys with values"
	case want == "boolean":
		return "must be true or false"
	default:
		return "must be a " + want
	}
}

func choices(want []any) string {
	words := make([]string, len(want))
	for i, w := range want {
		words[i] = fmt.Sprint(w)
	}
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// got quotes a short value, never one that came from the environment.
func got(root *node, path []string, before ...string) string {
	n := root.find(path)
	text, ok := n.value.(string)
	secret := n.fromEnv || len(path) > 0 && secretKeys[path[len(path)-1]]
	if secret || !ok || len(text) > 60 {
		return ""
	}
	if len(before) > 0 {
		return fmt.Sprintf("%q ", text)
	}
	return fmt.Sprintf(", not %q", text)
}

var secretKeys = map[string]bool{"access_token": true, "app_secret": true, "verify_token": true}

// distance counts the letters to change, add or drop between two words
// (Levenshtein), up to a length beyond any key.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 40
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
