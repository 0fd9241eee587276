// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestApplyTellsWhatChanged(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		first := in.file("prova.yaml", testFile)
		in.try("", "apply", first).want(t, 0, "prova: no change")
		renamed := in.file("renamed.yaml", strings.Replace(testFile, "Comune di Prova", "Città di Prova", 1))
		r := in.try("", "apply", renamed, in.file("seconda.yaml", second))
		r.want(t, 0, "prova: updated", `~ name: "Comune di Prova" → "Città di Prova"`, "seconda: created", `+ slug: "seconda"`)
		in.try("", "apply", renamed).want(t, 0, "prova: no change")
	})
}

// Whatever is wrong, in whichever file, is told with its place, and nothing is applied.
func TestApplyRefusesWithFileAndLine(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		good := in.file("seconda.yaml", second)
		unknown := in.file("unknown.yaml", testFile+"colour: blue\n")
		missing := in.file("missing.yaml", strings.Replace(testFile, `"simulator"`, `"${NO_SUCH_TOKEN}"`, 1))
		r := in.try("", "apply", good, unknown, missing)
		r.want(t, 1, fmt.Sprintf("%s:%d:1: ", unknown, strings.Count(testFile, "\n")+1), "colour", missing+":9:17: ", "NO_SUCH_TOKEN", "nothing was applied")
		if r.out != "" {
			t.Errorf("it says that it did something: %s", r.out)
		}
		in.try("", "apply", good).want(t, 0, "seconda: created")
	})
}

// What fails only in the database undoes the whole invocation too.
func TestApplyIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		good := in.file("seconda.yaml", second)
		thief := in.file("terza.yaml", strings.Replace(testFile, "slug: prova", "slug: terza", 1))
		in.try("", "apply", good, thief).want(t, 1, "terza", "100000000000001", "already belongs to another municipality")
		in.try("", "apply", good, good).want(t, 1, "as "+good+" does")
		in.try("", "apply", good).want(t, 0, "seconda: created")
	})
}

// A running desk sees what was applied, and what a token may no longer.
func TestApplyBesideARunningDesk(t *testing.T) {
	each(t, func(t *testing.T, in *installation) {
		in.start()
		in.try("", "apply", in.file("seconda.yaml", second)).want(t, 0, "seconda: created")
		verify := in.url + "/webhooks/whatsapp/seconda?hub.mode=subscribe&hub.verify_token=simulator&hub.challenge=1234"
		in.until("the webhook of the new municipality answers", func() bool {
			res, err := in.client.Get(verify)
			if err != nil {
				return false
			}
			_ = res.Body.Close()
			return res.StatusCode == http.StatusOK
		})
		ask := func() int {
			status, _ := in.call(t.Context(), http.MethodGet, "/api/v1/conversations", nil, "")
			return status
		}
		if got := ask(); got != http.StatusOK {
			t.Fatalf("a working token is answered %d", got)
		}
		in.try("", "token", "revoke", "--municipality", "prova", "--name", "prova").want(t, 0, "revoked")
		in.until("the revoked token is refused", func() bool { return ask() == http.StatusUnauthorized })
		in.stop()
	})
}
