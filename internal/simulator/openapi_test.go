// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"net/http"
	"os"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// metasDescription is Meta's own description of the API, where a copy lies beside the checkout.
const metasDescription = "../../../shared/reference/meta-business-messaging-api-v23.yaml"

// answersOf points to the schema of an operation's answer.
func answersOf(path, method, status string) string {
	return "#/paths/" + path + "/" + method + "/responses/" + status + "/content/application~1json/schema"
}

func TestAnswersFitMetasDescription(t *testing.T) {
	raw, err := os.ReadFile(metasDescription)
	if os.IsNotExist(err) {
		t.Log("Meta's description is not here: the answers are not held against it")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	schemas := compiler(t, raw)
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"image": true})
	media := s.uploaded("image/jpeg", "foto.jpg", sampleOf(s, "image"))
	created := s.ok("POST", templatesPath, emergency())
	_, sent := s.send(text("Buongiorno"))
	_, refused := s.send(text(""))
	eventually(t, "the webhooks", func() bool { return len(d.items(t, "statuses")) == 3 })
	get := func(path string) object { return s.ok(http.MethodGet, "/v23.0/"+path, nil) }
	tests := []held{
		{answersOf("~1{Version}~1{Phone-Number-ID}~1messages", "post", "200"), sent},
		{"#/components/schemas/GraphAPIError", refused},
		{answersOf("~1{Version}~1{Media-ID}", "get", "200"), get(media)},
		{answersOf("~1{Version}~1{Phone-Number-ID}", "get", "200"), get(number)},
		{answersOf("~1{Version}~1{WABA-ID}", "get", "200"), get(waba)},
		{answersOf("~1{Version}~1{WABA-ID}~1subscribed_apps", "get", "200"), get(waba + "/subscribed_apps")},
		{answersOf("~1{Version}~1{WABA-ID}~1subscribed_apps", "post", "200"), s.ok("POST", "/v23.0/"+waba+"/subscribed_apps", nil)},
		{answersOf("~1{Version}~1{WABA-ID}~1message_templates", "get", "200"), get(waba + "/message_templates")},
		{answersOf("~1{Version}~1{WABA-ID}~1message_templates", "post", "200"), created},
		{answersOf("~1{Version}~1{TEMPLATE_ID}", "get", "200"), get(created["id"].(string))},
		{answersOf("~1{Version}~1{Phone-Number-ID}~1whatsapp_business_profile", "get", "200"), get(number + "/whatsapp_business_profile?fields=about")},
	}
	// Left out, because the description contradicts the API it describes: messages that come in (it asks them for what only
	// a send has), the listing of numbers (no number may be CONNECTED) and the settings (all of calling is required).
	for _, value := range d.values(t) {
		if value["statuses"] != nil {
			tests = append(tests, held{"#/components/schemas/StatusMessageValue", value})
		}
	}
	for _, test := range tests {
		schema, err := schemas.Compile("meta.json" + test.schema)
		if err != nil {
			t.Errorf("compile %s: %v", test.schema, err)
			continue
		}
		if err := schema.Validate(map[string]any(test.answer)); err != nil {
			t.Errorf("%s: %v\n%v", test.schema, err, test.answer)
		}
	}
}

// held is an answer with the schema it is held against.
type held struct {
	schema string
	answer object
}

func compiler(t *testing.T, raw []byte) *jsonschema.Compiler {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("meta.json", document); err != nil {
		t.Fatal(err)
	}
	return c
}
