// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"bytes"
	"encoding/json"
	"strings"
)

// clean keeps raw JSON that both engines store: PostgreSQL refuses a NUL in a text, and a number beyond its bounds.
func clean(raw json.RawMessage) json.RawMessage {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a long id is a number too, and none that a float holds
	if d.Decode(&v) != nil {
		return nil
	}
	b, err := json.Marshal(storable(v))
	if err != nil || len(b) > 64<<10 {
		return nil
	}
	return b
}

// longestNumber is beyond all that numbers tell, and within what PostgreSQL keeps as one.
const longestNumber = 1000

// storable is v with what no engine stores told otherwise: a NUL left out, a number that is none for them as its text.
func storable(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case json.Number:
		if f, err := v.Float64(); err != nil || f == 0 && strings.ContainsAny(v.String(), "eE") || len(v) > longestNumber {
			return v.String()
		}
	case []any:
		for i := range v {
			v[i] = storable(v[i])
		}
	case map[string]any:
		for k, e := range v {
			delete(v, k)
			v[strings.ReplaceAll(k, "\x00", "")] = storable(e)
		}
	}
	return v
}
