// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

const about = `What programs of a municipality may read and do at its WhatsApp desk.

* **Token.** Send ` + "`Authorization: Bearer fd_…`" + `. A token belongs to one municipality and sees nothing of another; its name is the author of what it writes. A token of some offices sees only the conversations handed to these, and neither lists nor broadcasts. No token approves a broadcast: that takes a person.
* **Listings** are ` + "`{\"items\": […], \"next_cursor\": \"…\"}`" + `. Give ` + "`next_cursor`" + ` back as ` + "`cursor`" + ` for the next page; it is null on the last one.
* **Idempotency-Key.** Every POST takes this header. The same key with the same request, within 24 hours, returns the first answer and does nothing more; with another request it is refused. A request that failed leaves no key behind.
* **Problems** are ` + "`application/problem+json`" + ` (RFC 9457). Programs go by ` + "`code`" + `, which never changes; ` + "`detail`" + ` is a sentence for people, in the language of Accept-Language.
* Ids are strings. Times are RFC 3339 in UTC. Phones are E.164 with +. What is unknown or absent is null.`

func description(publicURL, version string, registry huma.Registry) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Filodiretto", Version: version, Description: about,
			Contact:    &huma.Contact{Name: "Filodiretto", URL: publicURL},
			License:    &huma.License{Name: "AGPL-3.0-or-later", Identifier: "AGPL-3.0-or-later"},
			Extensions: map[string]any{"x-summary": "The WhatsApp desk of a municipality"},
		},
		Servers: []*huma.Server{{URL: publicURL + Prefix}},
		Tags: []*huma.Tag{
			{Name: "conversations", Description: "What citizens and the office write to each other."},
			{Name: "messages", Description: "Single messages, what became of them, and their files."},
			{Name: "contacts", Description: "Citizens and the addresses they are known by."},
			{Name: "lists", Description: "Lists that citizens join, and who is on them."},
			{Name: "broadcasts", Description: "Messages to all who are on a list, one by one: nobody sees another."},
			{Name: "quarantine", Description: "What arrived and was not understood."},
		},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", Description: "A token of one municipality: `filodiretto token create --municipality SLUG --name NAME`."},
			},
		},
	}
}

func addProblem(api huma.API, op *huma.Operation, status int) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	answer := &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{problemType: {Schema: schema}}}
	if status == http.StatusUnauthorized {
		answer.Headers = map[string]*huma.Header{"WWW-Authenticate": {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	op.Responses[strconv.Itoa(status)] = answer
}
