// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// ofWhatsApp is what WhatsApp adds to the answers to a form for its own use.
var ofWhatsApp = []string{"flow_token", "wa_flow_response_params"}

// readable writes the answers to a form, a line for each that has one: its name and what was answered. The names are
// those of whoever made the form.
func readable(answers json.RawMessage) string {
	var lines []string
	var write func(name string, v gjson.Result)
	write = func(name string, v gjson.Result) {
		switch {
		case v.IsObject():
			v.ForEach(func(key, v gjson.Result) bool {
				if !slices.Contains(ofWhatsApp, key.Str) {
					write(strings.ReplaceAll(key.Str, "_", " "), v)
				}
				return true
			})
		case v.IsArray() && slices.ContainsFunc(v.Array(), func(e gjson.Result) bool { return e.IsObject() || e.IsArray() }):
			for _, e := range v.Array() {
				write(name, e)
			}
		case v.IsArray():
			words := make([]string, len(v.Array()))
			for i, e := range v.Array() {
				words[i] = written(e)
			}
			lines = append(lines, joined(": ", name, joined(", ", words...)))
		case v.Type != gjson.Null:
			lines = append(lines, joined(": ", name, written(v)))
		}
	}
	write("", gjson.ParseBytes(answers))
	return strings.ReplaceAll(joined("\n", lines...), "\x00", "")
}

// written is a value as a person reads it; a number as it was written, however large.
func written(v gjson.Result) string {
	if v.Type == gjson.Number {
		return v.Raw
	}
	return v.String()
}
