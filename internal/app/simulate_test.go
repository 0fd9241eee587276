// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// The simulator is there with its account, keeps what happened, and ends well when asked to.
func TestSimulateContinuesWhereItEnded(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	address := "http://" + in.listen
	get := func(path string) (status int, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer simulator")
		var out strings.Builder
		return in.do(req, &out), out.String()
	}
	run := func() {
		in.process = in.cmd(t.Context(), "simulate", "--simulator-listen", in.listen)
		in.process.Stdout, in.process.Stderr = in.log, in.log
		if err := in.process.Start(); err != nil {
			t.Fatal(err)
		}
		in.until("the simulator answers", func() bool { status, _ := get("/"); return status == http.StatusOK })
	}
	run()
	if status, body := get("/v26.0/100000000000001?fields=verified_name"); status != http.StatusOK || !strings.Contains(body, "Comune di Prova") {
		t.Errorf("the account is answered %d %s", status, body)
	}
	res, err := in.client.Post(address+"/simulator/citizens", "application/json", strings.NewReader(`{"phone": "+393331234567", "name": "Maria"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	in.stop()
	run()
	if _, body := get("/simulator/citizens"); !strings.Contains(body, "Maria") {
		t.Errorf("after a restart the citizens are %s", body)
	}
	in.stop()
	in.try("", "simulate", "--simulator-listen", "256.0.0.1:1").want(t, 1, "256.0.0.1:1")
}
