// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// notice is an approved template with two variables.
var notice = approved("lavori", "POSITIONAL", `[{"type":"BODY","text":"Lavori in {{1}} fino a {{2}}."}]`)

// newNotice is the body of a broadcast of it, with what else is said.
func newNotice(list string, more ...string) string {
	return `{"lists":["` + list + `"],"template":{"name":"lavori","language":"it","parameters":["via Roma","lunedì"]}` + strings.Join(append([]string{""}, more...), ",") + `}`
}

// broadcasts is a town's broadcast to a list, by its token; the id is the API's.
func (d *desk) broadcasts(from *town, list string, more ...string) (id string) {
	d.Helper()
	t := notice
	t.WABA = from.waba
	d.templatesOf(from, t)
	return d.post("/broadcasts", newNotice(list, more...), bearer(from.token)).want(http.StatusCreated).at("id").(string)
}

// conduct brings all broadcasts as far as they come without a sender.
func (d *desk) conduct() {
	d.Helper()
	if err := broadcast.NewConductor(d.db, d.directory, newLogger(d.log)).Drain(d.Context()); err != nil {
		d.Fatal(err)
	}
}

func TestBroadcast(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(notice)
		for i := range 3 {
			d.joins(d.rimini, fmt.Sprint(393470000000+i), "PUBBLICAUTILITA")
		}
		a := d.post("/broadcasts", newNotice("PUBBLICAUTILITA"), key("k1")).want(http.StatusCreated)
		id := a.at("id").(string)
		path := "/broadcasts/" + id
		equal(t, "Location", a.header.Get("Location"), Prefix+path)
		for name, want := range map[string]any{"state": "preparing", "emergency": false, "exercise": false, "text": "Lavori in via Roma fino a lunedì.", "free": nil, "follows": nil,
			"ends": false, "approver": nil, "break_glass": nil, "schedule": nil, "created_at": "2015-03-02T09:00:00Z", "submitted_at": "2015-03-02T09:00:00Z",
			"approved_at": nil, "completed_at": nil, "pause": nil, "waits": nil} {
			equal(t, name, a.at(name), want)
		}
		equal(t, "lists", fmt.Sprint(a.at("lists")), "[PUBBLICAUTILITA]")
		equal(t, "districts", fmt.Sprint(a.at("districts")), "[]")
		equal(t, "exclude", fmt.Sprint(a.at("exclude")), "[]")
		equal(t, "template", fmt.Sprint(a.at("template")), "map[category:UTILITY language:it name:lavori parameters:[via Roma lunedì]]")
		equal(t, "author", fmt.Sprint(a.at("author")), fmt.Sprintf("map[id:%s kind:token name:gestionale]", db.FormatID(d.rimini.tokenID)))
		equal(t, "audience before preparing", a.at("counts", "audience"), any(0.0))
		equalLists(t, "listed", d.get("/broadcasts").want(http.StatusOK).all("id"), []string{id})

		again := d.post("/broadcasts", newNotice("PUBBLICAUTILITA"), key("k1")).want(http.StatusCreated)
		equal(t, "the same request again", again.raw, a.raw)
		d.post("/broadcasts", newNotice("EMERGENZE"), key("k1")).problem(http.StatusUnprocessableEntity, "idempotency")
		equal(t, "broadcasts", len(d.get("/broadcasts").want(http.StatusOK).all("id")), 1)

		d.conduct()
		a = d.get(path).want(http.StatusOK)
		equal(t, "state", a.at("state"), any("sending"))
		equal(t, "audience", a.at("counts", "audience"), any(3.0))
		equal(t, "queued", a.at("counts", "queued"), any(3.0))
		equal(t, "p50", a.at("reach", "p50"), nil)
		sum := 0.0
		for outcome, n := range a.at("counts").(map[string]any) {
			if outcome != "audience" {
				sum += n.(float64)
			}
		}
		equal(t, "the sum of the outcomes", sum, 3)
	})
}

// What each recipient got, page by page, and what became of it.
func TestRecipients(t *testing.T) {
	each(t, func(d *desk) {
		want := map[string]bool{}
		for i := range 5 {
			phone := fmt.Sprint(393470000000 + i)
			d.joins(d.rimini, phone, "PUBBLICAUTILITA")
			want["+"+phone] = true
		}
		d.joins(d.rimini, "393478888888", "EMERGENZE")
		d.joins(d.carpi, "393477777777", "PUBBLICAUTILITA")
		id := d.broadcasts(d.rimini, "PUBBLICAUTILITA")
		d.conduct()
		path := "/broadcasts/" + id
		var messages []string
		d.pages(path+"/recipients?limit=2", 2, func(item map[string]any) {
			phone := fmt.Sprint(item["contact"].(map[string]any)["phone"])
			if !want[phone] {
				t.Errorf("%s is a recipient, or is one twice", phone)
			}
			delete(want, phone)
			equal(t, "status", item["status"], any("queued"))
			equal(t, "error", item["error"], nil)
			equal(t, "skipped", item["skipped"], nil)
			equal(t, "sent_at", item["sent_at"], nil)
			equal(t, "at", item["at"], any("2015-03-02T09:00:00Z"))
			messages = append(messages, item["message_id"].(string))
		})
		equal(t, "who are missing", len(want), 0)
		text := d.get("/messages/" + messages[0]).want(http.StatusOK)
		equal(t, "what it says", text.at("text"), any("Lavori in via Roma fino a lunedì."))
		equal(t, "its conversation", text.at("conversation_id"), nil)
		equal(t, "its broadcast", text.at("broadcast_id"), any(id))

		d.clock.advance(time.Minute)
		d.settle(d.rimini, messages[0], conversation.Delivered, 0)
		d.settle(d.rimini, messages[1], conversation.Failed, 131026)
		a := d.get(path).want(http.StatusOK)
		for outcome, n := range map[string]float64{"audience": 5, "queued": 3, "delivered": 1, "failed": 1, "read": 0} {
			equal(t, outcome, a.at("counts", outcome), any(n))
		}
		equal(t, "reached", a.at("reach", "reached"), any(1.0))
		equal(t, "p50 before it was counted", a.at("reach", "p50"), nil)
		d.conduct()
		for _, share := range []string{"p50", "p90", "p99"} {
			equal(t, share, d.get(path).want(http.StatusOK).at("reach", share), any(60.0))
		}
		equal(t, "p50 in the listing", d.get("/broadcasts").want(http.StatusOK).at("items", 0, "reach", "p50"), any(60.0))
		failed := d.get(path + "/recipients?outcome=not_reached").want(http.StatusOK)
		for _, item := range failed.at("items").([]any) {
			r := item.(map[string]any)
			if r["message_id"] == messages[0] {
				t.Error("somebody who got it is not reached")
			}
			if r["message_id"] == messages[1] {
				equal(t, "code", r["error"].(map[string]any)["code"], any(131026.0))
			}
		}
		if ids := failed.all("message_id"); !strings.Contains(fmt.Sprint(ids), messages[1]) {
			t.Errorf("who was not reached is not among %v", ids)
		}
		for outcome, n := range a.at("counts").(map[string]any) {
			if outcome != "audience" {
				equal(t, "listed "+outcome, float64(len(d.get(path+"/recipients?outcome="+outcome).want(http.StatusOK).all("message_id"))), n.(float64))
			}
		}
		equalLists(t, "delivered", d.get(path+"/recipients?outcome=delivered").want(http.StatusOK).all("message_id"), messages[:1])
		d.get(path+"/recipients?outcome=all").problem(http.StatusUnprocessableEntity, "invalid")
		for _, limit := range []string{"0", "101", "x"} {
			d.get(path+"/recipients?limit="+limit).problem(http.StatusUnprocessableEntity, "invalid")
		}
	})
}

// settle is Meta's word on a message.
func (d *desk) settle(t *town, message string, status conversation.Status, code int) {
	d.Helper()
	id, _ := db.ParseID(message)
	d.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.ApplyStatuses(ctx, tx, t.ID, []conversation.Change{{Number: t.number, MessageID: id, ExternalID: "wamid.out." + message,
			Status: status, At: tx.Now(), ErrorCode: code}})
		return err
	})
}

func TestPauseResumeCancel(t *testing.T) {
	each(t, func(d *desk) {
		d.joins(d.rimini, "393471234567", "PUBBLICAUTILITA")
		path := "/broadcasts/" + d.broadcasts(d.rimini, "PUBBLICAUTILITA")
		d.conduct()
		d.post(path+"/resume", "").problem(http.StatusConflict, "broadcast_state")
		a := d.post(path+"/pause", "", key("p")).want(http.StatusOK)
		equal(t, "state", a.at("state"), any("paused"))
		equal(t, "by", a.at("pause", "by"), any("gestionale"))
		equal(t, "code", a.at("pause", "code"), any(0.0))
		equal(t, "queued", a.at("counts", "queued"), any(1.0))
		equal(t, "pause again with the key", d.post(path+"/pause", "", key("p")).want(http.StatusOK).raw, a.raw)
		d.post(path+"/pause", "").problem(http.StatusConflict, "broadcast_state")
		d.post(path+"/resume", "", key("p")).problem(http.StatusUnprocessableEntity, "idempotency")

		a = d.post(path+"/resume", "").want(http.StatusOK)
		equal(t, "state after resuming", a.at("state"), any("sending"))
		equal(t, "pause after resuming", a.at("pause"), nil)
		equal(t, "state after cancelling", d.post(path+"/cancel", "").want(http.StatusOK).at("state"), any("cancelled"))
		d.conduct()
		a = d.get(path).want(http.StatusOK)
		equal(t, "cancelled", a.at("counts", "cancelled"), any(1.0))
		if a.at("completed_at") == nil {
			t.Error("a cancelled broadcast never ended")
		}
		for _, step := range []string{"pause", "resume", "cancel"} {
			d.post(path+"/"+step, "").problem(http.StatusConflict, "broadcast_state")
		}
	})
}

// A pause by Meta says which error it was and what to do.
func TestPauseByMeta(t *testing.T) {
	b := broadcast.Broadcast{State: broadcast.Paused, PauseCode: 132015}
	p := newPause(b, "it")
	if p.Code != 132015 || p.Detail == nil || strings.Contains(*p.Detail, "{") {
		t.Errorf("the pause is told as %+v", p)
	}
}

// An emergency waits for a person, whoever wrote it, and no token is one.
func TestTokensNeverApprove(t *testing.T) {
	each(t, func(d *desk) {
		d.joins(d.rimini, "393471234567", "EMERGENZE", "PUBBLICAUTILITA")
		id := d.broadcasts(d.rimini, "EMERGENZE")
		path := "/broadcasts/" + id
		a := d.get(path).want(http.StatusOK)
		equal(t, "state", a.at("state"), any("awaiting_approval"))
		equal(t, "emergency", a.at("emergency"), any(true))
		equal(t, "submitter", a.at("submitter", "kind"), any("token"))
		other, _ := d.newToken(d.rimini.ID)
		for _, token := range []string{d.rimini.token, other, d.carpi.token} {
			d.post(path+"/approve", "", bearer(token)).problem(http.StatusForbidden, "approval_by_a_person")
		}
		d.post(path+"/pause", "").problem(http.StatusConflict, "broadcast_state")
		d.conduct()
		equal(t, "recipients before approval", d.get(path).want(http.StatusOK).at("counts", "audience"), any(0.0))

		number, _ := db.ParseID(id)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			account, _, err := staff.Add(ctx, tx, staff.System("cli"), d.rimini.ID, staff.New{Email: "capo@rimini.example", Name: "Carla Neri", Role: staff.Supervisor})
			if err != nil {
				return err
			}
			actor, err := staff.Membership(ctx, tx, d.rimini.ID, account.ID)
			if err != nil {
				return err
			}
			_, err = broadcast.Approve(ctx, tx, actor, d.rimini.Municipality, number)
			return err
		})
		a = d.get(path).want(http.StatusOK)
		equal(t, "approver", a.at("approver", "name"), any("Carla Neri"))
		equal(t, "approver kind", a.at("approver", "kind"), any("operator"))
		equal(t, "approved_at", a.at("approved_at"), any("2015-03-02T09:00:00Z"))
	})
}

func TestScheduledBroadcast(t *testing.T) {
	each(t, func(d *desk) {
		id := d.broadcasts(d.rimini, "PUBBLICAUTILITA", `"schedule":"2015-03-03T08:00:00+01:00"`)
		a := d.get("/broadcasts/" + id).want(http.StatusOK)
		equal(t, "state", a.at("state"), any("scheduled"))
		equal(t, "schedule", a.at("schedule"), any("2015-03-03T07:00:00Z"))
		equal(t, "state after cancelling", d.post("/broadcasts/"+id+"/cancel", "").want(http.StatusOK).at("state"), any("cancelled"))
	})
}

func TestWhatIsNotBroadcast(t *testing.T) {
	each(t, func(d *desk) {
		theirs := d.broadcasts(d.carpi, "PUBBLICAUTILITA")
		d.templates(notice,
			approved("mappa", "POSITIONAL", `[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"Siamo qui."}]`),
			approved("allarme", "POSITIONAL", `[{"type":"BODY","text":"IT-alert: {{1}}"}]`),
			municipality.Template{WABA: d.rimini.waba, Template: whatsapp.Template{Name: "sospeso", Language: "it", Status: "PAUSED", Components: []byte(`[{"type":"BODY","text":"Ciao"}]`)}})
		template := func(t string) string { return `{"lists":["PUBBLICAUTILITA"],"template":` + t + `}` }
		for _, test := range []struct{ name, body, code string }{
			{"nothing", `{}`, "invalid"},
			{"no list", `{"lists":[],"template":{"name":"lavori","language":"it"}}`, "invalid"},
			{"null as lists", `{"lists":null,"template":{"name":"lavori","language":"it"}}`, "invalid"},
			{"no template", `{"lists":["PUBBLICAUTILITA"]}`, "invalid"},
			{"an unknown field", newNotice("PUBBLICAUTILITA", `"colour":"red"`), "invalid"},
			{"a schedule that is no time", newNotice("PUBBLICAUTILITA", `"schedule":"domani"`), "invalid"},
			{"a number as list", `{"lists":[1],"template":{"name":"lavori","language":"it"}}`, "invalid"},
			{"101 lists", newNotice(strings.Repeat(`PUBBLICAUTILITA","`, 100) + "EMERGENZE"), "invalid"},
			{"an unknown list", newNotice("NESSUNA"), "broadcast_nobody"},
			{"a list in another spelling", newNotice("pubblicautilita"), "broadcast_nobody"},
			{"null bytes", newNotice(`PUBBLICAUTILITA\u0000`), "broadcast_nobody"},
			{"a district as list", newNotice("MARINA"), "broadcast_nobody"},
			{"an unknown district", newNotice("PUBBLICAUTILITA", `"districts":["NESSUNO"]`), "broadcast_nobody"},
			{"an unknown exclusion", newNotice("PUBBLICAUTILITA", `"exclude":["NESSUNA"]`), "broadcast_nobody"},
			{"an unknown template", template(`{"name":"nessuno","language":"it"}`), "broadcast_template"},
			{"another language", template(`{"name":"lavori","language":"en"}`), "broadcast_template"},
			{"a template with null bytes", template(`{"name":"lavori\u0000","language":"it\u0000","parameters":["a"]}`), "template_parameters"},
			{"a paused template", template(`{"name":"sospeso","language":"it"}`), "broadcast_template"},
			{"a template without its place", template(`{"name":"mappa","language":"it"}`), "template_header_location"},
			{"one parameter too few", template(`{"name":"lavori","language":"it","parameters":["a"]}`), "template_parameters"},
			{"an empty parameter", template(`{"name":"lavori","language":"it","parameters":["a"," "]}`), "template_parameter"},
			{"what looks like IT-alert", template(`{"name":"allarme","language":"it","parameters":["allerta"]}`), "broadcast_imitation"},
			{"an exercise that does not say so", newNotice("PUBBLICAUTILITA", `"exercise":true`), "broadcast_exercise"},
			{"a schedule in the past", newNotice("PUBBLICAUTILITA", `"schedule":"2015-03-01T09:00:00Z"`), "broadcast_schedule"},
			{"a schedule in two years", newNotice("PUBBLICAUTILITA", `"schedule":"2017-03-01T09:00:00Z"`), "broadcast_schedule"},
			{"following nothing", newNotice("PUBBLICAUTILITA", `"follows":"1"`), "broadcast_follows"},
			{"following what is no id", newNotice("PUBBLICAUTILITA", `"follows":"x"`), "broadcast_follows"},
			{"following another municipality's", newNotice("PUBBLICAUTILITA", `"follows":"`+theirs+`"`), "broadcast_follows"},
			{"4,097 characters", newNotice("PUBBLICAUTILITA", `"free":"`+strings.Repeat("è", 4097)+`"`), "broadcast_free"},
		} {
			d.named(test.name, func(d *desk) { d.post("/broadcasts", test.body).problem(http.StatusUnprocessableEntity, test.code) })
		}
		d.post("/broadcasts", `{"lists":`).problem(http.StatusBadRequest, "malformed")
		equalLists(t, "broadcasts", d.get("/broadcasts").want(http.StatusOK).all("id"), nil)

		first := d.broadcasts(d.rimini, "PUBBLICAUTILITA")
		d.conduct()
		second := d.post("/broadcasts", newNotice("PUBBLICAUTILITA", `"follows":"`+first+`"`, `"ends":true`, `"free":"Lavori in corso"`, `"districts":["MARINA"]`, `"exclude":["EMERGENZE"]`)).want(http.StatusCreated)
		equal(t, "follows", second.at("follows"), any(first))
		equal(t, "ends", second.at("ends"), any(true))
		equal(t, "free", second.at("free"), any("Lavori in corso"))
		equal(t, "districts", fmt.Sprint(second.at("districts")), "[MARINA]")
		equal(t, "exclude", fmt.Sprint(second.at("exclude")), "[EMERGENZE]")
		exercise := d.post("/broadcasts", `{"lists":["PUBBLICAUTILITA"],"exercise":true,"template":{"name":"lavori","language":"it","parameters":["ESERCITAZIONE via Roma","lunedì"]}}`).want(http.StatusCreated)
		equal(t, "exercise", exercise.at("exercise"), any(true))
	})
}

// Newest first, page by page.
func TestListingBroadcasts(t *testing.T) {
	each(t, func(d *desk) {
		var want []string
		for range 5 {
			want = append([]string{d.broadcasts(d.rimini, "PUBBLICAUTILITA")}, want...)
			d.clock.advance(time.Minute)
		}
		d.broadcasts(d.carpi, "PUBBLICAUTILITA")
		var got []string
		d.pages("/broadcasts?limit=2", 2, func(item map[string]any) { got = append(got, fmt.Sprint(item["id"])) })
		equalLists(t, "broadcasts", got, want)
	})
}

// Twins at the same instant: one of them is sent, both get its answer.
func TestTwinsBroadcastOnce(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(notice)
		answers := make(chan string)
		for range 6 {
			go func() {
				status, id := d.quietly("/broadcasts", newNotice("PUBBLICAUTILITA"), key("k1"))
				answers <- fmt.Sprint(status, " ", id)
			}()
		}
		seen := map[string]int{}
		for range 6 {
			seen[<-answers]++
		}
		if len(seen) != 1 || !strings.HasPrefix(fmt.Sprint(seen), "map[201 ") {
			t.Errorf("the twins were answered %v", seen)
		}
		equal(t, "broadcasts", len(d.get("/broadcasts").want(http.StatusOK).all("id")), 1)
	})
}
