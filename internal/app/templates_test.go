// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/dbtest"
)

func TestTemplatesAreSubmittedOnce(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.try("", "templates", "list", "--municipality", "prova").want(t, 0, "allerta_rossa", "fine_allerta", "not submitted")
	in.try("", "templates", "submit", "--municipality", "prova", "allerta_rossa", "evento_in_citta").want(t, 0,
		"allerta_rossa: PENDING, UTILITY", "evento_in_citta: PENDING, MARKETING")
	in.control(http.MethodPut, "templates", map[string]any{"name": "allerta_rossa", "language": "it", "status": "APPROVED", "category": "MARKETING"}, nil)
	again := in.try("", "templates", "submit", "--municipality", "prova")
	again.want(t, 0, "allerta_rossa: is there already: APPROVED, MARKETING (Meta's choice, not UTILITY)", "fine_allerta: PENDING, UTILITY")
	if n := strings.Count(again.out, "already"); n != 2 {
		t.Errorf("%d are there already:\n%s", n, again.out)
	}
	in.try("", "templates", "submit", "--municipality", "prova", "allerta_viola").want(t, 1, `there is no template "allerta_viola"`, "allerta_rossa")
	in.try("", "templates", "submit", "--municipality", "altrove").want(t, 1, `there is no municipality "altrove"`)
}

// What Meta refuses is told with its reason, the others go on, and the exit code says that something is missing.
func TestTemplatesThatMetaRefuses(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	for i := range 98 { // Meta takes 100 an hour
		in.createTemplate(i)
	}
	r := in.try("", "templates", "submit", "--municipality", "prova", "allerta_gialla", "allerta_rossa", "scadenza")
	r.want(t, 1, "allerta_gialla: PENDING", "allerta_rossa: PENDING", "scadenza: refused by Meta", "80007", "1 of 3 templates were not submitted")
}

// createTemplate hands a template in past the command.
func (in *installation) createTemplate(n int) {
	in.t.Helper()
	body := fmt.Sprintf(`{"name":"altro_%d","language":"it","category":"MARKETING","components":[{"type":"BODY","text":"Testo."}]}`, n)
	req, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, in.simulator.URL+"/v26.0/"+in.waba+"/message_templates", strings.NewReader(body))
	if err != nil {
		in.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer simulator")
	res, err := in.client.Do(req)
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		in.t.Fatalf("template %d: %s", n, res.Status)
	}
}
