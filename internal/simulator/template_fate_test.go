// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func TestRedTemplatesArePausedThenDisabled(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	rate := func(quality string) string {
		t.Helper()
		return s.ok("PUT", "/simulator/templates", object{"name": "avviso", "language": "it", "quality": quality})["status"].(string)
	}
	for i, hours := range []int{3, 6} {
		if got := rate("RED"); got != "PAUSED" {
			t.Fatalf("time %d the template is %s", i+1, got)
		}
		s.advance(fmt.Sprintf("%dm", hours*60-1))
		if _, answer := s.send(named1("avviso")); code(answer) != 132015 {
			t.Errorf("just before %d hours a send gets %v", hours, answer)
		}
		s.advance("2m")
		if _, answer := s.send(named1("avviso")); code(answer) != 0 {
			t.Errorf("after %d hours a send gets %v", hours, answer)
		}
		if got := rate("GREEN"); got != "APPROVED" {
			t.Errorf("a green template is %s", got)
		}
	}
	if got := rate("RED"); got != "DISABLED" {
		t.Errorf("the third time the template is %s", got)
	}
	v := d.change(t, 1, "new_quality_score")
	if v["previous_quality_score"] != "UNKNOWN" || v["new_quality_score"] != "RED" || v["message_template_name"] != "avviso" {
		t.Errorf("told by %v", v)
	}
	if v := d.change(t, 2, "other_info"); v["other_info"].(object)["title"] != "SECOND_PAUSE" {
		t.Errorf("the second pause is told by %v", v)
	}
}

func named1(name string) object {
	return template(name, "it", object{"type": "body", "parameters": list(object{"type": "text", "text": "x"})})
}

func TestCategoryIsAnnouncedADayBefore(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	s.connect(d)
	s.stillClock()
	if got := s.ok("PUT", "/simulator/templates", object{"name": "avviso", "language": "it", "category": "MARKETING", "announce": true})["category"]; got != "UTILITY" {
		t.Errorf("the category is %v already", got)
	}
	v := d.change(t, 1, "correct_category")
	if v["correct_category"] != "MARKETING" || v["new_category"] != "UTILITY" || v["category_update_timestamp"] != float64(monday.Unix()+86400) {
		t.Errorf("announced by %v", v)
	}
	s.advance("25h")
	if v := d.change(t, 1, "previous_category"); v["previous_category"] != "UTILITY" || v["new_category"] != "MARKETING" {
		t.Errorf("done by %v", v)
	}
}

func TestLinksArePaged(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	path := "/v26.0/" + number + "/message_qrdls"
	for i := range 3 {
		s.ok("POST", path, object{"prefilled_message": fmt.Sprint("Testo ", i)})
	}
	first := s.ok("GET", path+"?limit=2&fields=code", nil)
	after := first["paging"].(object)["cursors"].(object)["after"].(string)
	rest := s.ok("GET", path+"?limit=2&after="+after, nil)["data"].([]any)
	if len(first["data"].([]any)) != 2 || len(rest) != 1 || rest[0].(object)["prefilled_message"] != "Testo 2" {
		t.Errorf("pages %v and %v", first, rest)
	}
	resp, err := http.Get(s.url + path + "?access_token=simulator")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get("X-Business-Use-Case-Usage") == "" || resp.Header.Get("X-App-Usage") == "" {
		t.Errorf("headers %v", resp.Header)
	}
}
