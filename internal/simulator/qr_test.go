// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

func TestLinks(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	path := "/v26.0/" + number + "/message_qrdls"
	made := s.ok("POST", path, object{"prefilled_message": "ISCRIZIONE ON #EMERGENZE", "generate_qr_image": "SVG"})
	id := made["code"].(string)
	if made["deep_link_url"] != "https://wa.me/message/"+id || len(id) != 14 {
		t.Errorf("made %v", made)
	}
	s.ok("POST", path, object{"code": id, "prefilled_message": "Iscrivimi"})
	s.ok("POST", path, object{"prefilled_message": "LISTE"})
	if got := s.ok("GET", path+"/"+id, nil)["data"].([]any); len(got) != 1 || got[0].(object)["prefilled_message"] != "Iscrivimi" {
		t.Errorf("one: %v", got)
	}
	s.ok("DELETE", path+"/"+id, nil)
	if got := s.ok("GET", path, nil)["data"].([]any); len(got) != 1 || got[0].(object)["prefilled_message"] != "LISTE" {
		t.Errorf("all: %v", got)
	}
	for name, wrong := range map[string]object{
		"no text": {}, "text too long": {"prefilled_message": strings.Repeat("è", 141)},
		"picture": {"prefilled_message": "x", "generate_qr_image": "GIF"}, "unknown code": {"prefilled_message": "x", "code": id},
	} {
		if _, answer := s.call("POST", path, wrong); code(answer) != 100 {
			t.Errorf("%s: %v", name, answer)
		}
	}
}
