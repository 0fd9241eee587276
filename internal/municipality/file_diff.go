// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Change is one difference between two versions of a municipality file: the
// place, as calendars.whatsapp.weekly[0].open, and what stood and stands there.
// A secret has neither.
type Change struct {
	Path     string
	Old, New string // empty where the place was not there, or is no more
	Secret   bool
}

// String is the line that apply prints.
func (c Change) String() string {
	switch {
	case c.Secret:
		return "~ " + c.Path + " changed"
	case c.Old == "":
		return "+ " + c.Path + ": " + short(c.New)
	case c.New == "":
		return "- " + c.Path + ": " + short(c.Old)
	default:
		return "~ " + c.Path + ": " + short(c.Old) + " → " + short(c.New)
	}
}

func short(text string) string {
	const limit = 60
	if r := []rune(text); len(r) > limit {
		text = string(r[:limit]) + "…"
	}
	return strconv.Quote(text)
}

// Diff lists what changed since old, in the order of the file; everything
// where old is nil. Things with an id or keyword are compared by it, so that
// moving one is no change.
func (f *File) Diff(old *File) []Change {
	before, after := flatten(old), flatten(f)
	var changes []Change
	for _, l := range after.leaves {
		if was, ok := before.find(l.path); !ok || was.text != l.text {
			changes = append(changes, change(l.path, was, l))
		}
	}
	for _, l := range before.leaves {
		if _, ok := after.find(l.path); !ok {
			changes = append(changes, change(l.path, l, leaf{}))
		}
	}
	return changes
}

func change(path string, was, is leaf) Change {
	if was.secret || is.secret {
		return Change{Path: path, Secret: true}
	}
	return Change{Path: path, Old: was.text, New: is.text}
}

// leaf is one value of a file, by its place.
type leaf struct {
	path, text string
	secret     bool
}

type flat struct {
	leaves []leaf
	index  map[string]int
}

func flatten(f *File) flat {
	out := flat{index: map[string]int{}}
	if f != nil {
		out.walk(reflect.ValueOf(*f), "")
	}
	return out
}

func (f *flat) find(path string) (leaf, bool) {
	i, ok := f.index[path]
	if !ok {
		return leaf{}, false
	}
	return f.leaves[i], true
}

func (f *flat) add(l leaf) {
	if l.text == "" {
		return // not written is the same as not there
	}
	f.index[l.path] = len(f.leaves)
	f.leaves = append(f.leaves, l)
}

func (f *flat) walk(v reflect.Value, path string) {
	if secret, ok := v.Interface().(Secret); ok {
		f.add(leaf{path: path, text: secret.Reveal(), secret: true})
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			f.walk(v.Elem(), path)
		}
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(v.Type()) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "-" {
				f.walk(v.FieldByIndex(field.Index), strings.TrimPrefix(path+"."+name, "."))
			}
		}
	case reflect.Map:
		for _, key := range slices.Sorted(maps.Keys(names(v))) {
			f.walk(v.MapIndex(reflect.ValueOf(key)), path+"."+key)
		}
	case reflect.Slice:
		known := seen{}
		for i := range v.Len() {
			name := identity(v.Index(i))
			if name == "" || known.again(name) {
				name = strconv.Itoa(i)
			}
			f.walk(v.Index(i), path+"["+name+"]")
		}
	default:
		f.add(leaf{path: path, text: fmt.Sprint(v.Interface())})
	}
}

func names(v reflect.Value) map[string]bool {
	out := map[string]bool{}
	for _, key := range v.MapKeys() {
		out[key.String()] = true
	}
	return out
}

// identity is what an element of a list goes by: its id or keyword, a word
// itself, or nothing.
func identity(v reflect.Value) string {
	switch e := v.Interface().(type) {
	case string:
		return e
	case Number:
		return e.ID
	case Office:
		return e.ID
	case Kind:
		return e.ID
	case Channel:
		return e.Kind + " " + e.Label
	case List:
		return e.Keyword
	case District:
		return e.Keyword
	}
	return ""
}
