// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

// usage calls a path and returns the code of the answer's error, the share of the hour's calls and the minutes to wait.
func (s *sim) usage(path string) (refused int, share, wait float64) {
	s.t.Helper()
	resp, err := http.Get(s.url + path + "?access_token=simulator")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer object
	var told map[string][]struct {
		Share float64 `json:"call_count"`
		Wait  float64 `json:"estimated_time_to_regain_access"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(resp.Header.Get("X-Business-Use-Case-Usage")), &told); err != nil || len(told[waba]) != 1 {
		s.t.Fatalf("usage %q: %v", resp.Header, err)
	}
	return code(answer), told[waba][0].Share, told[waba][0].Wait
}

func TestManagementCallsAreLimited(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.stillClock()
	s.ok("PUT", "/simulator/numbers/"+number, object{"call_limit": 4})
	for i, path := range []string{waba, number, waba + "/message_templates", waba + "/subscribed_apps"} {
		if refused, share, _ := s.usage("/v26.0/" + path); refused != 0 || share != float64(25*(i+1)) {
			t.Errorf("call %d gets %d and is told %v of a hundred", i+1, refused, share)
		}
		s.advance("10m")
	}
	if refused, share, wait := s.usage("/v26.0/" + waba); refused != 80007 || share != 100 || wait != 20 {
		t.Errorf("the fifth call gets %d, %v of a hundred, %v minutes", refused, share, wait)
	}
	s.write(maria, object{"text": "Salve"})
	if got := s.sendCode(text("Buongiorno")); got != 0 {
		t.Errorf("a send gets %d", got)
	}
	s.advance("20m")
	if refused, share, _ := s.usage("/v26.0/" + waba); refused != 0 || share != 100 {
		t.Errorf("after an hour a call gets %d and %v of a hundred", refused, share)
	}
	s.ok("PUT", "/simulator/numbers/"+number, object{"call_limit": 0})
	if refused, share, _ := s.usage("/v26.0/" + waba); refused != 0 || share != 0 {
		t.Errorf("without a limit a call gets %d and %v of a hundred", refused, share)
	}
}

func TestAccountsWithoutANumberMayCallLess(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	s.stillClock()
	if _, share, _ := s.usage("/v26.0/" + waba); share != 0 { // 1 of 5,000
		t.Errorf("the first call is %v of a hundred", share)
	}
	s.ok("PUT", "/simulator/numbers/"+number, object{"status": "PENDING"})
	if _, share, _ := s.usage("/v26.0/" + waba); share != 1 { // 2 of 200
		t.Errorf("the second call of an account without a number is %v of a hundred", share)
	}
}
