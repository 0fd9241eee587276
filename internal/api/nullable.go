// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// nullable is a T or null; huma has no other way to say it of an object.
type nullable[T any] struct{ value *T }

func some[T any](v T) nullable[T] { return nullable[T]{value: &v} }

// MarshalJSON writes the value or null.
func (n nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.value) }

// UnmarshalJSON reads the value or null.
func (n *nullable[T]) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &n.value) }

// Schema says so in the document.
func (nullable[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}

// known is s, or nil if nothing is known.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
