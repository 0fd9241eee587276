// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

const historyPath = "/v26.0/" + number + "/message_history"

// history is what the history says of a message: each status with the state of its webhook.
func (s *sim) history(id string) (events []string) {
	s.t.Helper()
	page := s.ok("GET", historyPath+"?fields=events{delivery_status,webhook_update_state}&message_id="+id, nil)
	for _, e := range page["data"].([]any)[0].(object)["events"].(object)["data"].([]any) {
		event := e.(object)
		events = append(events, fmt.Sprint(event["delivery_status"], " ", event["webhook_update_state"]))
	}
	return events
}

func TestMessageHistory(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick(), WebhookBatch: 1}), newDesk(t)
	is := func(what, id string, want ...string) {
		t.Helper()
		eventually(t, what+": "+fmt.Sprint(want), func() bool { return fmt.Sprint(s.history(id)) == fmt.Sprint(want) })
	}
	s.write(maria, object{"text": "Salve"})
	waiting := s.sent(text("Buongiorno"))
	is("without a callback", waiting, "SENT PENDING", "DELIVERED PENDING", "READ PENDING")

	d.setAnswer(func(int) int { return http.StatusInternalServerError })
	s.connect(d)
	is("while the desk fails", waiting, "SENT RETRYING", "DELIVERED RETRYING", "READ RETRYING")
	full := s.ok("GET", historyPath+"?fields=id,message_id,events{delivery_status,timestamp,webhook_update_state,application,webhook_uri,error_description}&message_id="+waiting, nil)
	first := full["data"].([]any)[0].(object)["events"].(object)["data"].([]any)[0].(object)
	if first["webhook_uri"] != d.URL || first["application"].(object)["id"] != "300000000000001" || first["error_description"] == nil || first["timestamp"] == nil {
		t.Errorf("an event is %v", first)
	}

	d.setAnswer(func(int) int { return http.StatusOK })
	s.connect(d)
	is("once the desk answers", waiting, "SENT DELIVERED", "DELIVERED DELIVERED", "READ DELIVERED")

	d.setAnswer(func(int) int { return http.StatusInternalServerError })
	lost := s.sent(text("A presto"))
	is("again", lost, "SENT RETRYING", "DELIVERED RETRYING", "READ RETRYING")
	eventually(t, "the webhooks to be given up", func() bool {
		s.advance("24h")
		return fmt.Sprint(s.history(lost)) == "[SENT FAILED DELIVERED FAILED READ FAILED]"
	})

	s.ok("DELETE", "/v26.0/"+waba+"/subscribed_apps", nil)
	s.write(maria, object{"text": "Ci siete?"})
	is("with nobody subscribed", s.sent(text("Sì")), "SENT <nil>", "DELIVERED <nil>", "READ <nil>")
}

func TestMessageHistoryIsPaged(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	in := s.write(maria, object{"text": "Salve"})
	s.sent(text("uno"))
	second := s.sent(text("due"))
	page := s.ok("GET", historyPath+"?limit=1", nil)
	newest := page["data"].([]any)[0].(object)
	if newest["message_id"] != second || newest["id"] == nil || newest["events"] != nil || page["paging"].(object)["next"] == nil {
		t.Errorf("the first page is %v", page)
	}
	after := page["paging"].(object)["cursors"].(object)["after"].(string)
	if rest := s.ok("GET", historyPath+"?after="+after, nil)["data"].([]any); len(rest) != 1 {
		t.Errorf("the second page is %v", rest)
	}
	for _, id := range []string{in, "wamid.X"} {
		if _, answer := s.call("GET", historyPath+"?message_id="+id, nil); code(answer) != 100 {
			t.Errorf("the history of %s is %v", id, answer)
		}
	}
}

func TestFieldsOfMedia(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	id := s.uploaded("image/jpeg", "foto.jpg", sampleOf(s, "image"))
	if got := s.ok("GET", "/v26.0/"+id, nil); len(got) != 6 || got["url"] == nil || got["messaging_product"] != "whatsapp" {
		t.Errorf("unasked it is %v", got)
	}
	if got := s.ok("GET", "/v26.0/"+id+"?fields=mime_type,file_size", nil); len(got) != 3 || got["id"] != id || got["mime_type"] != "image/jpeg" || got["file_size"] == nil {
		t.Errorf("two fields are %v", got)
	}
}

func TestSubscribedAppsHaveFieldsAndPages(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick()}), newDesk(t)
	path := "/v26.0/" + waba + "/subscribed_apps"
	s.ok("POST", path, object{"override_callback_uri": d.URL, "verify_token": "segreto"})
	page := s.ok("GET", path, nil)
	entry := page["data"].([]any)[0].(object)
	if app := entry["whatsapp_business_api_data"].(object); len(app) != 3 || entry["override_callback_uri"] != d.URL || entry["id"] != nil {
		t.Errorf("unasked it is %v", entry)
	}
	after := page["paging"].(object)["cursors"].(object)["after"].(string)
	if rest := s.ok("GET", path+"?after="+after, nil)["data"].([]any); len(rest) != 0 {
		t.Errorf("after the last there is %v", rest)
	}
	for _, fields := range []string{"id,name", "whatsapp_business_api_data{id,name}"} {
		entry := s.ok("GET", path+"?fields="+fields, nil)["data"].([]any)[0].(object)
		if app := entry["whatsapp_business_api_data"].(object); len(app) != 2 || app["name"] == nil || entry["override_callback_uri"] != nil {
			t.Errorf("with %s it is %v", fields, entry)
		}
	}
	if entry := s.ok("GET", path+"?fields=override_callback_uri", nil)["data"].([]any)[0].(object); entry["override_callback_uri"] != d.URL {
		t.Errorf("the override alone is %v", entry)
	}
}

// The events of one message are asked for by the id of its entry, which no other account's token sees.
func TestEventsOfOneMessage(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick(), WebhookBatch: 1}), newDesk(t)
	s.connect(d)
	s.write(maria, object{"text": "Salve"})
	sent := s.sent(text("Buongiorno"))
	eventually(t, "the message to be read", func() bool { return len(s.history(sent)) == 3 })
	entry := s.ok("GET", historyPath+"?message_id="+sent, nil)["data"].([]any)[0].(object)["id"].(string)
	events := func(query string) (statuses []string, page object) {
		page = s.ok("GET", "/v26.0/"+entry+"/events"+query, nil)
		for _, e := range page["data"].([]any) {
			edge := e.(object)
			if edge["cursor"] == nil {
				t.Errorf("an edge is %v", edge)
			}
			statuses = append(statuses, edge["node"].(object)["delivery_status"].(string))
		}
		return statuses, page
	}
	if got, _ := events(""); fmt.Sprint(got) != "[SENT DELIVERED READ]" {
		t.Errorf("the events are %v", got)
	}
	if got, _ := events("?status_filter=READ"); fmt.Sprint(got) != "[READ]" {
		t.Errorf("those of reading are %v", got)
	}
	first, page := events("?limit=2&fields=cursor,node{id,delivery_status,occurrence_timestamp,application}")
	node := page["data"].([]any)[0].(object)["node"].(object)
	if len(first) != 2 || node["occurrence_timestamp"] == nil || node["application"].(object)["id"] != "300000000000001" || node["status_timestamp"] != nil {
		t.Errorf("the first page is %v", page)
	}
	after := page["paging"].(object)["cursors"].(object)["after"].(string)
	if rest, _ := events("?limit=2&after=" + after); fmt.Sprint(rest) != "[READ]" {
		t.Errorf("the second page is %v", rest)
	}
	s.ok("POST", "/simulator/accounts", object{"waba_id": "200000000000077", "phone_number_id": "100000000000077", "display_number": "+39 0541 770077", "token": "altro"})
	s.token = "altro"
	if status, answer := s.call("GET", "/v26.0/"+entry+"/events", nil); status != http.StatusBadRequest || code(answer) != 100 {
		t.Errorf("another account's token is answered %d %v", status, answer)
	}
}
