// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/simulator"
)

// secretToken is a token that stands nowhere else.
const secretToken = "EAAGsegretissimo"

// passed lists the traffic.
func (s *sim) passed(query string) []object {
	s.t.Helper()
	var lines []object
	for _, item := range s.ok("GET", "/simulator/traffic"+query, nil)["items"].([]any) {
		lines = append(lines, item.(object))
	}
	return lines
}

// exchanged runs a short talk that leaves requests and webhooks.
func (s *sim) exchanged(d *desk) {
	s.ok("POST", "/simulator/accounts", object{"waba_id": waba, "phone_number_id": number, "display_number": "+39 0541 123456", "token": secretToken})
	s.token = secretToken
	s.connect(d)
	s.write(maria, object{"text": "Perché?"})
	s.sent(text("Buongiorno"))
	s.send(text(""))
	s.call("GET", "/v26.0/"+number+"?fields=id&access_token="+secretToken, nil)
	eventually(s.t, "the statuses", func() bool { return len(d.items(s.t, "statuses")) == 3 && len(s.passed("?kind=webhook")) >= 4 })
}

func TestTrafficIsKeptWithoutTokens(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick(), WebhookBatch: 1}), newDesk(t)
	s.exchanged(d)
	for query, want := range map[string]int{"": 7, "?kind=request": 3, "?kind=webhook": 4, "?text=delivered": 1, "?text=buongiorno": 1, "?kind=request&text=400": 1, "?limit=2": 2, "?text=niente": 0} {
		if got := len(s.passed(query)); got != want {
			t.Errorf("traffic%s has %d, want %d", query, got, want)
		}
	}
	first := s.passed("?kind=webhook")[0]
	if first["what"] != "text" || first["status"] != 200.0 || first["url"] != d.URL {
		t.Errorf("the first webhook is %v", first)
	}
	for _, line := range s.passed("") {
		_, raw := s.raw("GET", fmt.Sprint("/simulator/traffic/", line["seq"]), nil)
		if bytes.Contains(raw, []byte(secretToken)) {
			t.Errorf("the token is shown: %s", raw)
		}
	}
	if _, raw := s.raw("GET", "/simulator/requests", nil); bytes.Contains(raw, []byte(secretToken)) {
		t.Errorf("the token is recorded: %s", raw)
	}
	sent := s.ok("GET", fmt.Sprint("/simulator/traffic/", s.passed("?text=buongiorno")[0]["seq"]), nil)
	if !strings.Contains(sent["body"].(string), "Buongiorno") || !strings.Contains(sent["answer"].(string), "wamid.") ||
		!strings.Contains(fmt.Sprint(sent["headers"]), "Content-Type") || !strings.Contains(fmt.Sprint(sent["answer_headers"]), "X-Fb-Trace-Id") {
		t.Errorf("the send is %v", sent)
	}
	for query, want := range map[string]int{"?kind=x": 400, "?limit=0": 400, "?since=x": 400, "/x": 400, "/999": 404} {
		if status, _ := s.call("GET", "/simulator/traffic"+query, nil); status != want {
			t.Errorf("traffic%s is answered %d, want %d", query, status, want)
		}
	}
}

func TestTrafficIsRepeated(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick(), WebhookBatch: 1}), newDesk(t)
	s.exchanged(d)
	hook, before := s.passed("?kind=webhook")[0], len(d.all())
	s.ok("POST", fmt.Sprintf("/simulator/traffic/%v/replay", hook["seq"]), nil)
	posts := d.all()
	if len(posts) != before+1 || !bytes.Equal(posts[before].body, posts[0].body) || posts[before].signature != posts[0].signature {
		t.Errorf("the repeated webhook is not the one that was: %d posts", len(posts))
	}
	chat := func() int { return len(s.ok("GET", "/simulator/citizens/"+maria+"/messages", nil)["items"].([]any)) }
	was := chat()
	s.ok("POST", fmt.Sprintf("/simulator/traffic/%v/replay", s.passed("?text=buongiorno")[0]["seq"]), nil)
	if chat() != was+1 {
		t.Errorf("the repeated send left %d messages, want %d", chat(), was+1)
	}
	lines := s.passed("?text=buongiorno")
	if last := lines[len(lines)-1]; len(lines) != 2 || last["again"] != true || last["status"] != 200.0 {
		t.Errorf("the repetition is %v", lines)
	}
	long := text(strings.Repeat("x", 300<<10))
	s.send(long)
	lines = s.passed("?kind=request")
	if status, answer := s.call("POST", fmt.Sprintf("/simulator/traffic/%v/replay", lines[len(lines)-1]["seq"]), nil); status != 400 || !strings.Contains(fmt.Sprint(answer["error"]), "bytes") {
		t.Errorf("one that was not kept whole: %d %v", status, answer)
	}
	d.Close()
	s.ok("POST", fmt.Sprintf("/simulator/traffic/%v/replay", hook["seq"]), nil)
	lines = s.passed("?kind=webhook")
	if last := lines[len(lines)-1]; last["status"] != 0.0 || last["problem"] == nil {
		t.Errorf("a webhook nobody takes is %v", last)
	}
}

func TestTrafficForgetsTheOldest(t *testing.T) {
	s := start(t, simulator.Options{Delays: quick()})
	for range 1005 {
		s.raw("GET", "/v26.0/"+number, nil)
	}
	lines := s.passed("")
	if len(lines) != 1000 || lines[0]["seq"] != 6.0 {
		t.Errorf("%d are kept, from %v on", len(lines), lines[0]["seq"])
	}
	s.ok("POST", "/simulator/reset", nil)
	if left := s.passed(""); len(left) != 0 {
		t.Errorf("after a reset %d are left", len(left))
	}
}

func TestTrafficPage(t *testing.T) {
	s, d := start(t, simulator.Options{Delays: quick(), WebhookBatch: 1}), newDesk(t)
	s.exchanged(d)
	p := browsertest.Open(t)
	p.Go(s.url + "/")
	p.Click(".bar a[href='/traffic']")
	p.WaitFor("#traffic[data-loaded] [data-seq]")
	p.Axe()
	p.Until("everything is listed", `document.querySelectorAll('#traffic [data-seq]').length === 7`)
	p.Select("#filter-kind", "webhook")
	p.Until("webhooks only", `document.querySelectorAll('#traffic [data-kind=webhook]').length === 4 && !document.querySelector('#traffic [data-kind=request]')`)
	p.Select("#filter-kind", "")
	p.Fill("#filter-text", "buongiorno")
	p.Until("the send only", `document.querySelectorAll('#traffic [data-seq]').length === 1`)
	p.Click("#traffic [data-seq]")
	p.WaitFor("#detail[data-seq]")
	p.Until("the body is laid out", `document.querySelector('#body').textContent.includes('\n    "body": "Buongiorno"')`)
	if strings.Contains(p.Text("#detail"), secretToken) {
		t.Error("the token is shown")
	}
	p.Axe()
	p.Click("#replay")
	p.WaitText("#replayed", "Ripetuto")
	p.Until("have the focus on the button again", `document.activeElement.id === "replay" && !document.activeElement.disabled`)
	p.Axe()
	p.Until("the repetition is listed as it comes", `document.querySelectorAll('#traffic [data-seq]').length === 2`)
	p.Fill("#filter-text", "")
	p.Click("#hold")
	s.write(maria, object{"text": "Sono qui"})
	p.Until("what comes meanwhile is counted", `/\d/.test(document.querySelector('#news').textContent)`)
	p.Click("#hold")
	p.Until("and then listed", `document.querySelector('#news').textContent === ''`)
	p.Fill("#filter-text", "Perch")
	p.Until("the citizen's webhook", `document.querySelectorAll('#traffic [data-kind=webhook]').length === 1`)
	p.Click("#traffic [data-kind=webhook]")
	p.Until("readable", `document.querySelector('#body').textContent.includes('Perché?')`)
	p.Click("#as-sent")
	p.Until("as it was sent", `document.querySelector('#body').textContent.includes('Perch\\u00e9?')`)
	for _, scheme := range []string{"light", "dark"} {
		p.Prefer("prefers-color-scheme", scheme)
		p.Viewport(1366, 768)
		p.Go(s.url + "/traffic")
		p.WaitFor("#traffic [data-seq]")
		p.Click("#traffic [data-kind=request]")
		p.WaitFor("#detail[data-seq]")
		p.Axe()
		p.Screenshot("traffic-" + scheme + "-wide")
		p.Viewport(360, 740)
		p.Go(s.url + "/traffic")
		p.WaitFor("#traffic [data-seq]")
		p.Axe()
		p.Until("nothing is wider than the screen", `document.documentElement.scrollWidth <= 360`)
		p.Screenshot("traffic-" + scheme + "-narrow")
		p.Click("#traffic [data-kind=request]")
		p.WaitFor(".showing-detail #detail[data-seq]")
		p.Axe()
		p.Until("nothing is wider than the screen", `document.documentElement.scrollWidth <= 360`)
		p.Screenshot("traffic-" + scheme + "-detail")
		p.Click("#back")
		p.WaitGone(".showing-detail")
	}
}
