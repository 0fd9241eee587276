// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// routes are those of the contract, and what they need besides.
var routes = []struct{ method, path string }{
	{"get", "/conversations"},
	{"get", "/conversations/{id}"},
	{"get", "/conversations/{id}/messages"},
	{"post", "/conversations/{id}/messages"},
	{"post", "/conversations/{id}/resolve"},
	{"post", "/conversations/{id}/reopen"},
	{"get", "/messages/{id}"},
	{"get", "/media/{id}"},
	{"post", "/media"},
	{"get", "/blocks"},
	{"post", "/contacts/{id}/block"},
	{"post", "/contacts/{id}/unblock"},
	{"get", "/contacts"},
	{"get", "/contacts/{id}"},
	{"get", "/lists"},
	{"get", "/lists/{keyword}/subscribers"},
	{"get", "/districts"},
	{"get", "/consents"},
	{"get", "/broadcasts"},
	{"post", "/broadcasts"},
	{"get", "/broadcasts/{id}"},
	{"get", "/broadcasts/{id}/recipients"},
	{"post", "/broadcasts/{id}/approve"},
	{"post", "/broadcasts/{id}/pause"},
	{"post", "/broadcasts/{id}/resume"},
	{"post", "/broadcasts/{id}/cancel"},
	{"get", "/quarantine"},
	{"post", "/quarantine/{id}/replay"},
}

func TestTheDocumentHasEveryRoute(t *testing.T) {
	each(t, func(d *desk) {
		a := d.get("/openapi.json", header{"Authorization", ""}).want(http.StatusOK)
		if v, _ := a.at("openapi").(string); !strings.HasPrefix(v, "3.1.") {
			t.Errorf("openapi is %q", v)
		}
		equal(t, "version", a.at("info", "version"), any("1.2.3"))
		equal(t, "server", a.at("servers", 0, "url"), any("https://filodiretto.example/api/v1"))
		equal(t, "scheme", a.at("components", "securitySchemes", "token", "scheme"), any("bearer"))
		found := 0
		for path, v := range a.at("paths").(map[string]any) {
			for method := range v.(map[string]any) {
				found++
				if !slices.Contains(routes, struct{ method, path string }{method, path}) {
					t.Errorf("%s %s is not in the list of routes", method, path)
				}
			}
		}
		equal(t, "operations", found, len(routes))
		ids := map[any]bool{}
		for _, r := range routes {
			operation := func(path ...any) any { return a.at(append([]any{"paths", r.path, r.method}, path...)...) }
			name := r.method + " " + r.path
			if operation("summary") == nil || operation("operationId") == nil || ids[operation("operationId")] {
				t.Errorf("%s has no summary or no operationId of its own", name)
			}
			ids[operation("operationId")] = true
			for _, status := range []string{"401", "500", "503"} {
				if ref := operation("responses", status, "content", problemType, "schema", "$ref"); ref != "#/components/schemas/Problem" {
					t.Errorf("%s tells a %s as %v", name, status, ref)
				}
			}
			if operation("responses", "default") != nil {
				t.Errorf("%s has failures of another kind", name)
			}
			if operation("security", 0, "token") == nil {
				t.Errorf("%s takes no token", name)
			}
			if r.method == "post" && !takesKey(operation("parameters")) {
				t.Errorf("%s takes no Idempotency-Key", name)
			}
			if !regexp.MustCompile(`^(/([a-z]+(-[a-z]+)*|\{(id|keyword)\}))+$`).MatchString(r.path) {
				t.Errorf("%s is not in kebab case", name)
			}
		}
		for name := range a.at("components", "schemas").(map[string]any) {
			if strings.HasPrefix(name, "Error") {
				t.Errorf("the document has the schema %s, which nothing answers", name)
			}
		}
		equal(t, "unknown fields of requests", a.at("components", "schemas", "NewMessage", "additionalProperties"), any(false))
		equal(t, "unknown fields of answers", a.at("components", "schemas", "Message", "additionalProperties"), any(true))
		d.get("/docs").problem(http.StatusNotFound, "not_found")
	})
}

func takesKey(parameters any) bool {
	list, _ := parameters.([]any)
	return slices.ContainsFunc(list, func(p any) bool { return p.(map[string]any)["name"] == "Idempotency-Key" })
}
