// SPDX-License-Identifier: AGPL-3.0-or-later

// Package described holds both ends of the wire, the client and the simulator, against Meta's own description of the
// API: an OpenAPI document that may lie beside the project. It consists of tests only.
package described

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// metasDescription is version 23 of github.com/facebook/openapi, business-messaging-api.
const metasDescription = "../../../shared/reference/meta-business-messaging-api-v23.yaml"

// object and list are JSON.
type (
	object = map[string]any
	list   = []any
)

// document reads Meta's description. Where it is not, the test says so and ends.
func document(t *testing.T) object {
	t.Helper()
	raw, err := os.ReadFile(metasDescription)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = yaml.YAMLToJSON(raw); err != nil {
		t.Fatal(err)
	}
	var d object
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// copied is v without anything shared.
func copied(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for key, value := range v {
			out[key] = copied(value)
		}
		return out
	case list:
		out := make(list, len(v))
		for i, value := range v {
			out[i] = copied(value)
		}
		return out
	}
	return v
}

// at finds what a pointer (RFC 6901, after "#") points to, and the container that holds it.
func at(d object, pointer string) (holder any, key string, value any, err error) {
	value = d
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "#/"), "/") {
		holder, key = value, strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch h := holder.(type) {
		case object:
			value = h[key]
		case list:
			i, convErr := strconv.Atoi(key)
			if convErr != nil || i < 0 || i >= len(h) {
				return nil, "", nil, fmt.Errorf("%s: there is no %q", pointer, key)
			}
			value = h[i]
		default:
			return nil, "", nil, fmt.Errorf("%s: %q is in nothing", pointer, key)
		}
	}
	return holder, key, value, nil
}

// merger turns the description's schemas into ones that can be held against, by three rules:
//
//   - allOf becomes one schema. As it is written, each part forbids what the others ask for.
//   - A discriminator chooses the one schema that counts, which plain JSON Schema would not do.
//   - What is not described is not there: an object with described properties has no others.
type merger struct{ d object }

// schemas are all of them, merged.
func (m merger) schemas() object {
	out := copied(m.d).(object)
	components := out["components"].(object)["schemas"].(object)
	for name, schema := range components {
		components[name] = m.schema(schema, false)
	}
	m.within(out["paths"])
	m.within(out["components"].(object)["responses"])
	return out
}

// within merges the schemas that stand in operations and answers themselves.
func (m merger) within(v any) {
	switch v := v.(type) {
	case object:
		for key, value := range v {
			if key == "schema" {
				v[key] = m.schema(value, false)
			} else {
				m.within(value)
			}
		}
	case list:
		for _, value := range v {
			m.within(value)
		}
	}
}

// schema merges one, and those within it. A branch of several leaves it to the whole to be closed.
func (m merger) schema(v any, branch bool) any {
	s, ok := v.(object)
	if !ok {
		return v
	}
	s = m.flat(s)
	if _, refers := s["$ref"]; refers {
		return object{"$ref": s["$ref"]}
	}
	if properties, ok := s["properties"].(object); ok {
		for name, property := range properties {
			properties[name] = m.schema(property, false)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, ok := s[key]; ok {
			s[key] = m.schema(inner, false)
		}
	}
	if m.chosen(s) {
		return s
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		branches, _ := s[key].(list)
		for i := range branches {
			branches[i] = m.schema(branches[i], true)
		}
	}
	_, described := s["properties"]
	_, alternatives := s["oneOf"]
	_, open := s["additionalProperties"]
	if (described || alternatives) && !open && !branch {
		s["unevaluatedProperties"] = false
	}
	return s
}

// flat is a schema without allOf: what its parts say, later ones over earlier ones.
func (m merger) flat(s object) object {
	parts, ok := s["allOf"].(list)
	if !ok {
		return s
	}
	out := object{}
	for _, part := range parts {
		merge(out, m.flat(m.resolved(part.(object))))
	}
	delete(s, "allOf")
	merge(out, s)
	return out
}

// resolved follows references. What a part of allOf chooses between is chosen already.
func (m merger) resolved(s object) object {
	ref, ok := s["$ref"].(string)
	if !ok {
		return s
	}
	_, _, target, err := at(m.d, ref)
	if err != nil {
		panic(err)
	}
	base := copied(target).(object)
	delete(base, "discriminator")
	return m.resolved(base)
}

func merge(into, from object) {
	for key, value := range from {
		switch old := into[key].(type) {
		case object:
			if added, ok := value.(object); ok {
				merge(old, added)
				continue
			}
		case list:
			if key == "required" {
				into[key] = union(old, value.(list))
				continue
			}
		}
		into[key] = value
	}
	if _, refers := from["$ref"]; refers { // another schema altogether
		maps.DeleteFunc(into, func(key string, _ any) bool { return key != "$ref" })
	}
}

func union(a, b list) list {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

// chosen makes a discriminator count: the property must have one of its values, and that one's schema holds.
func (m merger) chosen(s object) bool {
	d, ok := s["discriminator"].(object)
	mapping, _ := d["mapping"].(object)
	if !ok || len(mapping) == 0 {
		return false
	}
	name := d["propertyName"].(string)
	var cases, values list
	for _, value := range slices.Sorted(maps.Keys(mapping)) {
		values = append(values, value)
		is := object{"properties": object{name: object{"const": value}}, "required": list{name}}
		cases = append(cases, object{"if": is, "then": object{"$ref": mapping[value]}})
	}
	clear(s)
	s["type"], s["required"], s["properties"], s["allOf"] = "object", list{name}, object{name: object{"enum": values}}, cases
	return true
}

// held is something that went over the wire, and the schema it is held against.
type held struct {
	what   string
	schema string // pointer into the description
	value  any
}

// checker compiles each schema once.
type checker struct {
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

func newChecker(schemas object) (*checker, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	raw, err := json.Marshal(schemas)
	if err != nil {
		return nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if err := c.AddResource("meta.json", whole); err != nil {
		return nil, err
	}
	return &checker{c, map[string]*jsonschema.Schema{}}, nil
}

func (c *checker) check(h held) error {
	schema, ok := c.compiled[h.schema]
	if !ok {
		var err error
		if schema, err = c.compiler.Compile("meta.json" + h.schema); err != nil {
			return fmt.Errorf("%s: %w", h.what, err)
		}
		c.compiled[h.schema] = schema
	}
	if err := schema.Validate(h.value); err != nil {
		raw, _ := json.Marshal(h.value)
		return fmt.Errorf("%s\n%w\n%s", h.what, err, raw)
	}
	return nil
}

// corrected is the description with corrections made.
func corrected(d object, corrections []correction) (object, error) {
	d = copied(d).(object)
	for _, c := range corrections {
		if err := c.apply(d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// needed is the description without the operations that were not used, and the schemas that only these refer to:
// trying each correction takes long with all of them.
func needed(d object, operations map[string]bool, corrections []correction) (object, error) {
	d = copied(d).(object)
	maps.DeleteFunc(d["paths"].(object), func(path string, _ any) bool { return !operations[path] })
	whole, err := corrected(d, corrections)
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, c := range corrections {
		kept[strings.Join(strings.SplitN(c.at, "/", 5)[:min(4, strings.Count(c.at, "/")+1)], "/")] = true
	}
	reach(whole, d["paths"], kept)
	reach(whole, whole["paths"], kept)
	for pointer := range maps.Clone(kept) {
		if _, _, v, err := at(whole, pointer); err == nil && strings.Count(pointer, "/") == 3 {
			reach(whole, v, kept)
		}
	}
	for _, kind := range []string{"schemas", "responses"} {
		maps.DeleteFunc(d["components"].(object)[kind].(object), func(name string, _ any) bool { return !kept["#/components/"+kind+"/"+name] })
	}
	return d, nil
}

// reach follows the references in v.
func reach(d object, v any, kept map[string]bool) {
	switch v := v.(type) {
	case object:
		for _, value := range v {
			reach(d, value, kept)
		}
	case list:
		for _, value := range v {
			reach(d, value, kept)
		}
	case string:
		if strings.HasPrefix(v, "#/components/") && !kept[v] {
			kept[v] = true
			if _, _, target, err := at(d, v); err == nil {
				reach(d, target, kept)
			}
		}
	}
}
