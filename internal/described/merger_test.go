// SPDX-License-Identifier: AGPL-3.0-or-later

package described

import (
	"encoding/json"
	"testing"
)

// The three rules of the merger must be able to refuse.
func TestMergedSchemasRefuse(t *testing.T) {
	d := object{"paths": object{}, "components": object{"responses": object{}, "schemas": object{
		"Base": object{"type": "object", "required": list{"type"}, "properties": object{"type": str, "to": str},
			"discriminator": object{"propertyName": "type", "mapping": object{"text": "#/components/schemas/Text", "place": "#/components/schemas/Place"}}},
		"Text": object{"allOf": list{object{"$ref": "#/components/schemas/Base"},
			object{"type": "object", "additionalProperties": false, "required": list{"body"}, "properties": object{"type": object{"enum": list{"text"}}, "body": str}}}},
		"Place": object{"allOf": list{object{"$ref": "#/components/schemas/Base"}, object{"required": list{"at"}, "properties": object{"at": object{
			"oneOf": list{object{"required": list{"id"}, "properties": object{"id": str}}, object{"required": list{"name"}, "properties": object{"name": str}}}}}}}},
	}}}
	checker, err := newChecker(merger{d}.schemas())
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{
		`{"type":"text","to":"a","body":"b"}`:                  true,
		`{"type":"text","to":"a"}`:                             false,
		`{"type":"text","to":"a","body":"b","more":1}`:         false,
		`{"type":"text","to":1,"body":"b"}`:                    false,
		`{"type":"text","at":{"id":"c"}}`:                      false,
		`{"type":"place","to":"a","at":{"id":"c"}}`:            true,
		`{"type":"place","to":"a","at":{"name":"c"}}`:          true,
		`{"type":"place","to":"a","at":{"id":"c","name":"c"}}`: false,
		`{"type":"place","to":"a","at":{"id":"c","more":1}}`:   false,
		`{"type":"place","to":"a","at":{"id":"c"},"more":1}`:   false,
		`{"type":"poll","to":"a"}`:                             false,
		`{"to":"a"}`:                                           false,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if err := checker.check(held{text, "#/components/schemas/Base", value}); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A correction that does not fit what is there is one of another version of the description.
func TestCorrectionsMustFit(t *testing.T) {
	for name, c := range map[string]correction{
		"nothing there":        {at: "#/a/0/b", change: is(1)},
		"not in the list":      {at: "#/list", change: without("c")},
		"described already":    {at: "#/object", change: has(object{"a": str})},
		"no such reference":    {at: "#/object", change: namesakes("_1", "Other")},
		"no object":            {at: "#/list", change: has(object{"a": str})},
		"not in a list so far": {at: "#/list/7/x", change: is(1)},
	} {
		d := object{"list": list{"a", "b"}, "object": object{"a": object{"$ref": "#/components/schemas/A"}}}
		if _, err := corrected(d, []correction{c}); err == nil {
			t.Errorf("%s: it is made all the same", name)
		}
	}
}
