// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/examples"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/outbound"
)

// listsFile is testFile with lists, joined as in Rimini.
var listsFile = strings.Replace(testFile, `policy: {`, `policy: {url: "https://comune.example/informativa", `, 1) + `
lists:
  - {keyword: EMERGENZE, name: Emergenze, kind: emergency}
  - {keyword: PUBBLICAUTILITA, name: Pubblica utilità, kind: notice}
subscription: {join: ["ISCRIZIONE ON"], leave: ["ISCRIZIONE OFF"], status: ["LISTE"], plain: all, confirm: single}
`

// installLists is an installation with lists, in which all shipped templates are approved.
func installLists(t *testing.T, address string) *installation {
	t.Helper()
	in := install(t, address)
	file := filepath.Join(in.data, "prova.yaml")
	if err := os.WriteFile(file, []byte(listsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	in.command("apply", file)
	in.command("templates", "submit", "--municipality", in.slug)
	in.start()
	shipped, err := examples.Templates()
	if err != nil {
		t.Fatal(err)
	}
	d := in.open()
	in.until("all templates are approved", func() bool {
		return in.count(d, `SELECT count(*) FROM template WHERE status = 'APPROVED' AND language = 'it'`) == len(shipped)+1 // and the simulator's own
	})
	return in
}

// notices are texts for the variables of templates that come with the product.
var notices = map[string]map[string]string{
	"lavori_pubblici":    {"luogo": "via Garibaldi", "periodo": "lunedì", "modifiche": "senso unico", "link": "https://comune.example/lavori"},
	"interruzione_acqua": {"zona": "Marina", "periodo": "lunedì", "motivo": "un guasto", "link": "https://comune.example/acqua"},
	"evento_in_citta":    {"evento": "Concerto", "quando": "sabato", "luogo": "piazza Cavour", "ingresso": "libero", "link": "https://comune.example/eventi"},
	"chiusura_strada":    {"strada": "via Roma", "periodo": "lunedì", "motivo": "lavori", "percorso": "via Mazzini", "link": "https://comune.example/strade"},
	"scadenza":           {"adempimento": "TARI", "data": "16 giugno", "come": "in banca", "link": "https://comune.example/tari"},
	"allerta_rossa":      {"evento": "piena", "zona": "tutto il comune", "periodo": "fino a domani", "link": "https://comune.example/allerta"},
}

// onPhone is a message as the phone shows it.
type onPhone struct {
	ID, Direction, Type, Text, Status string
	At                                time.Time
}

// phone is a citizen's chat, the oldest message first.
func (in *installation) phone(phone string) []onPhone {
	in.t.Helper()
	var chat struct{ Items []onPhone }
	in.control(http.MethodGet, "citizens/"+url.PathEscape(phone)+"/messages", nil, &chat)
	return chat.Items
}

// received are the texts that came to a phone.
func (in *installation) received(phone string) (texts []string) {
	in.t.Helper()
	for _, m := range in.phone(phone) {
		if m.Direction == "out" { // as the desk sees it
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// asks writes from a phone and returns what came back. WhatsApp tells the order of messages by the second, so a
// phone that has written waits for the next one.
func (in *installation) asks(phone, text string) (answer string) {
	in.t.Helper()
	chat := in.phone(phone)
	before := len(in.received(phone))
	if len(chat) > 0 {
		last := chat[len(chat)-1].At
		in.until("the second is over", func() bool { return time.Now().Unix() > last.Unix() })
	}
	in.control(http.MethodPost, "citizens/"+url.PathEscape(phone)+"/messages", map[string]any{"number": in.phoneNumberID, "text": text}, nil)
	var texts []string
	in.until(fmt.Sprintf("%q is answered", text), func() bool { texts = in.received(phone); return len(texts) > before })
	return texts[before]
}

// api calls the API, wants a status, and returns the answer.
func (in *installation) api(method, path string, body any, status int) (answer map[string]any) {
	in.t.Helper()
	got, raw := in.call(in.t.Context(), method, "/api/v1"+path, body, "")
	if got != status {
		in.t.Fatalf("%s %s is answered %d, want %d: %s", method, path, got, status, raw)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		in.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// broadcast sends a template to a list, with what else is said, and returns the id.
func (in *installation) broadcast(list, template string, more map[string]any) string {
	in.t.Helper()
	body := map[string]any{"lists": []string{list}, "template": map[string]any{"name": template, "language": "it", "parameters": notices[template]}}
	maps.Copy(body, more)
	return in.api(http.MethodPost, "/broadcasts", body, http.StatusCreated)["id"].(string)
}

// becomes waits until a broadcast is in a state, and returns it.
func (in *installation) becomes(id, state string) (b broadcastAnswer) {
	in.t.Helper()
	in.until("the broadcast is "+state, func() bool { b = in.look(id); return b.State == state })
	return b
}

type broadcastAnswer struct {
	State       string
	Text        string
	Counts      map[string]int
	Pause       *struct{ Code int }
	CompletedAt *time.Time `json:"completed_at"`
	StartedAt   *time.Time `json:"started_at"`
}

func (in *installation) look(id string) (b broadcastAnswer) {
	in.t.Helper()
	status, raw := in.call(in.t.Context(), http.MethodGet, "/api/v1/broadcasts/"+id, nil, "")
	if err := json.Unmarshal(raw, &b); status != http.StatusOK || err != nil {
		in.t.Fatalf("a broadcast is answered %d %s", status, raw)
	}
	return b
}

// addsUp holds that each recipient is in one outcome.
func (b broadcastAnswer) addsUp(t *testing.T) {
	t.Helper()
	sum := 0
	for outcome, n := range b.Counts {
		if outcome != "audience" {
			sum += n
		}
	}
	if sum != b.Counts["audience"] {
		t.Errorf("the outcomes do not add up: %v", b.Counts)
	}
}

// out is how many Meta took.
func (b broadcastAnswer) out() int {
	return b.Counts["accepted"] + b.Counts["sent"] + b.Counts["delivered"] + b.Counts["read"] + b.Counts["held"]
}

const (
	anna  = "+393331000001"
	bruno = "+393331000002"
	carla = "+393331000003"
	dario = "+393331000004"
	elena = "+393331000005"
	fabio = "+393331000006"
)

// RIM-06 to RIM-13, ALL-01, ARE-03, ARE-04: citizens join and leave by keyword, answered on the phone though
// this Comune chose no automation, and what is sent to a list reaches those who are on it, each once.
func TestListsByKeyword(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := installLists(t, address)
			for _, said := range []struct {
				phone, text string
				joins       bool // anew
			}{
				{anna, "ISCRIZIONE ON", true},
				{anna, "iscrizione on", false},
				{bruno, "Iscrizione on #emergenze.", true},
				{carla, "ISCRIZIONE ON  PUBBLICAUTILITÀ", true},
				{dario, "iscrizione ON #EMERGENZE #PubblicaUtilita'", true},
				{dario, "ISCRIZIONE OFF", false},
				{dario, "ISCRIZIONE OFF", false},
				{fabio, "ISCRIZIONE ON", true},
				{fabio, "ISCRIZIONE OFF #EMERGENZE", false},
			} {
				answer := in.asks(said.phone, said.text)
				if answer == "" || len([]rune(answer)) > 600 {
					t.Errorf("%q is answered %q", said.text, answer)
				}
				if said.joins && (!strings.Contains(answer, "https://comune.example/informativa") || !strings.Contains(answer, "ISCRIZIONE OFF")) {
					t.Errorf("who joins is not told of the policy and how to leave: %q", answer)
				}
			}
			in.control(http.MethodPost, "citizens/"+url.PathEscape(elena)+"/messages", map[string]any{"number": in.phoneNumberID, "text": "Vorrei sapere come funziona l’iscrizione on line all’asilo"}, nil)
			question := in.conversationOf(elena)

			var open struct{ Items []struct{ ID string } }
			if _, raw := in.call(t.Context(), http.MethodGet, "/api/v1/conversations", nil, ""); json.Unmarshal(raw, &open) != nil || len(open.Items) != 1 || open.Items[0].ID != question {
				t.Errorf("open conversations are %v, want only the question", open.Items)
			}
			if texts := in.received(elena); len(texts) != 0 {
				t.Errorf("a question was answered by itself: %q", texts)
			}
			in.members("EMERGENZE", anna, bruno)
			in.members("PUBBLICAUTILITA", anna, carla, fabio)
			if answer := in.asks(anna, "Liste"); !strings.Contains(answer, "Emergenze") || !strings.Contains(answer, "Pubblica utilità") {
				t.Errorf("LISTE is answered %q", answer)
			}
			in.proof(carla, "ISCRIZIONE ON  PUBBLICAUTILITÀ")
			in.sendsToMembersOnly()
			in.stop()
		})
	}
}

// members holds that a list has these subscribers and no other.
func (in *installation) members(list string, phones ...string) {
	in.t.Helper()
	var page struct {
		Items []struct{ Contact struct{ Phone string } }
	}
	if _, raw := in.call(in.t.Context(), http.MethodGet, "/api/v1/lists/"+list+"/subscribers", nil, ""); json.Unmarshal(raw, &page) != nil {
		in.t.Fatalf("subscribers are answered %s", raw)
	}
	var got []string
	for _, s := range page.Items {
		got = append(got, s.Contact.Phone)
	}
	slices.Sort(got)
	if !slices.Equal(got, phones) {
		in.t.Errorf("on %s are %q, want %q", list, got, phones)
	}
}

// proof holds that the register has what a citizen wrote, as they wrote it, and under which policy (RIM-11).
func (in *installation) proof(phone, words string) {
	in.t.Helper()
	found := in.api(http.MethodGet, "/contacts?address="+url.QueryEscape(phone), nil, http.StatusOK)["items"].([]any)
	id := found[0].(map[string]any)["id"].(string)
	var wamid string
	for _, m := range in.phone(phone) {
		if m.Text == words {
			wamid = m.ID
		}
	}
	for _, item := range in.api(http.MethodGet, "/consents?contact="+id, nil, http.StatusOK)["items"].([]any) {
		c := item.(map[string]any)
		if c["event"] == "given" && c["list"] == "PUBBLICAUTILITA" && c["words"] == words && c["external_id"] == wamid && c["policy"].(map[string]any)["version"] == "1" && wamid != "" {
			return
		}
	}
	in.t.Errorf("there is no proof of %q", words)
}

// sendsToMembersOnly sends a notice of each kind to a list: public works, a service that stops, an event.
func (in *installation) sendsToMembersOnly() {
	in.t.Helper()
	before := map[string]int{}
	for _, phone := range []string{anna, bruno, carla, dario, elena, fabio} {
		before[phone] = len(in.received(phone))
	}
	in.api(http.MethodPost, "/broadcasts", map[string]any{"lists": []string{"PUBBLICAUTILITA"}, "template": map[string]any{"name": "nessuno", "language": "it"}}, http.StatusUnprocessableEntity)
	var texts []string
	for _, template := range []string{"lavori_pubblici", "interruzione_acqua", "evento_in_citta"} {
		b := in.becomes(in.broadcast("PUBBLICAUTILITA", template, nil), "completed")
		if b.Counts["audience"] != 3 || b.out() != 3 {
			in.t.Errorf("%s came to %v", template, b.Counts)
		}
		b.addsUp(in.t)
		texts = append(texts, b.Text)
	}
	emergency := in.broadcast("EMERGENZE", "allerta_rossa", nil)
	if b := in.look(emergency); b.State != "awaiting_approval" {
		in.t.Errorf("an emergency is %s", b.State)
	}
	in.api(http.MethodPost, "/broadcasts/"+emergency+"/approve", nil, http.StatusForbidden)
	in.settleDown()
	for phone, n := range before {
		got := in.received(phone)[n:]
		same := func(whole, body string) bool { return strings.Contains(whole, body) } // the phone shows header and footer apart
		if member := slices.Contains([]string{anna, carla, fabio}, phone); member && !slices.EqualFunc(texts, got, same) {
			in.t.Errorf("%s received %q, want %q", phone, got, texts)
		} else if !member && len(got) > 0 {
			in.t.Errorf("%s is on no list and received %q", phone, got)
		}
	}
	in.oneRecipientEach()
	in.noGroups()
}

// noGroups holds that Meta was never asked for a group (RIM-12).
func (in *installation) noGroups() {
	in.t.Helper()
	var all struct{ Items []struct{ Path string } }
	in.control(http.MethodGet, "requests?path=/groups", nil, &all)
	if len(all.Items) != 0 {
		in.t.Errorf("Meta was asked for groups: %v", all.Items)
	}
}

// crowd puts n citizens on a list, from a file as an office has it, and returns their phones.
func (in *installation) crowd(list string, n int) (phones []string) {
	in.t.Helper()
	var rows strings.Builder
	rows.WriteString("phone,name,date,basis,reference\n")
	for i := range n {
		phones = append(phones, fmt.Sprintf("+39333%07d", 2_000_000+i))
		fmt.Fprintf(&rows, "%s,Cittadino %d,2025-03-01,Consenso scritto,prot. %d/2025\n", phones[i], i, i+1)
	}
	file := filepath.Join(in.data, list+".csv")
	if err := os.WriteFile(file, []byte(rows.String()), 0o600); err != nil {
		in.t.Fatal(err)
	}
	in.command("lists", "import", "--municipality", in.slug, "--list", list, file)
	return phones
}

// copies counts the sends of a broadcast that reached Meta, by the phone they went to.
func (in *installation) copies(text string) map[string]int {
	in.t.Helper()
	sent := map[string]int{}
	for _, raw := range in.sends() {
		var m struct {
			To       string
			Type     string
			Template struct{ Name string }
		}
		if json.Unmarshal(raw, &m) == nil && m.Type == "template" && m.Template.Name == text {
			sent["+"+strings.TrimPrefix(m.To, "+")]++
		}
	}
	return sent
}

// onceEach holds that each phone got a template once, and nobody else did.
func (in *installation) onceEach(template string, phones []string) {
	in.t.Helper()
	sent := in.copies(template)
	for _, phone := range phones {
		if sent[phone] != 1 {
			in.t.Errorf("%s was sent to %s %d times", template, phone, sent[phone])
		}
	}
	if len(sent) != len(phones) {
		in.t.Errorf("%s was sent to %d phones, want %d", template, len(sent), len(phones))
	}
}

// A broadcast stops at once and goes on where it stopped; what is cancelled stays unsent; what is scheduled waits.
func TestBroadcastStoppedInBetween(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := installLists(t, address)
			phones := in.crowd("PUBBLICAUTILITA", 300) // four seconds at the standard rate
			other := in
			if engine == "postgres" { // what one instance is told, the other does
				other = in.twin()
				other.start()
			}
			later := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second)
			scheduled := in.broadcast("PUBBLICAUTILITA", "scadenza", map[string]any{"schedule": later})
			if b := in.look(scheduled); b.State != "scheduled" || b.Counts["audience"] != 0 {
				t.Errorf("a scheduled broadcast is %s with %v", b.State, b.Counts)
			}
			if b := in.becomes(scheduled, "completed"); b.StartedAt == nil || b.StartedAt.Before(later) || b.out() != len(phones) {
				t.Errorf("it began at %v, was to at %v, and came to %v", b.StartedAt, later, b.Counts)
			}
			in.onceEach("scadenza", phones)

			paused := in.broadcast("PUBBLICAUTILITA", "lavori_pubblici", nil)
			in.until("some are sent", func() bool { return in.look(paused).out() > 20 })
			other.api(http.MethodPost, "/broadcasts/"+paused+"/pause", nil, http.StatusOK)
			in.until("nothing is in flight", func() bool { return in.look(paused).Counts["sending"] == 0 })
			stopped := len(in.copies("lavori_pubblici"))
			if b := in.look(paused); b.State != "paused" || stopped == len(phones) || b.Counts["queued"] != len(phones)-stopped {
				t.Errorf("a paused broadcast is %s with %v, after %d", b.State, b.Counts, stopped)
			}
			in.becomes(in.broadcast("PUBBLICAUTILITA", "chiusura_strada", nil), "completed") // others go on meanwhile
			if n := len(in.copies("lavori_pubblici")); n != stopped {
				t.Errorf("%d more were sent while it was paused", n-stopped)
			}
			in.asks(phones[len(phones)-1], "STOP") // who leaves meanwhile gets nothing
			other.api(http.MethodPost, "/broadcasts/"+paused+"/resume", nil, http.StatusOK)
			b := in.becomes(paused, "completed")
			if b.Counts["skipped"] != 1 || b.out() != len(phones)-1 {
				t.Errorf("a resumed broadcast came to %v", b.Counts)
			}
			in.onceEach("lavori_pubblici", phones[:len(phones)-1])

			cancelled := in.broadcast("PUBBLICAUTILITA", "interruzione_acqua", nil)
			in.until("some are sent", func() bool { return in.look(cancelled).out() > 20 })
			other.api(http.MethodPost, "/broadcasts/"+cancelled+"/cancel", nil, http.StatusOK)
			in.until("it has ended", func() bool { return in.look(cancelled).CompletedAt != nil })
			b = in.look(cancelled)
			b.addsUp(t)
			if sent := len(in.copies("interruzione_acqua")); b.State != "cancelled" || b.out() != sent || b.Counts["cancelled"] != len(phones)-1-sent || b.Counts["cancelled"] == 0 {
				t.Errorf("a cancelled broadcast is %s with %v, after %d", b.State, b.Counts, sent)
			}
			in.oneRecipientEach()
			if other != in {
				other.stop()
			}
			in.stop()
		})
	}
}

// A template that Meta pauses stops the broadcast, which says why, and goes on without a second copy.
func TestBroadcastPausedByMeta(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := installLists(t, address)
			phones := in.crowd("PUBBLICAUTILITA", 300)
			id := in.broadcast("PUBBLICAUTILITA", "lavori_pubblici", nil)
			in.until("some are sent", func() bool { return in.look(id).out() > 20 })
			in.control(http.MethodPut, "templates", map[string]any{"name": "lavori_pubblici", "language": "it", "status": "PAUSED"}, nil)
			b := in.becomes(id, "paused")
			if b.Pause == nil || b.Pause.Code != 132015 {
				t.Errorf("it is paused for %+v", b.Pause)
			}
			in.until("nothing is in flight", func() bool { return in.look(id).Counts["sending"] == 0 })
			in.control(http.MethodPut, "templates", map[string]any{"name": "lavori_pubblici", "language": "it", "status": "APPROVED"}, nil)
			in.api(http.MethodPost, "/broadcasts/"+id+"/resume", nil, http.StatusOK)
			b = in.becomes(id, "completed")
			b.addsUp(t)
			if b.Counts["audience"] != len(phones) {
				t.Errorf("it came to %v", b.Counts)
			}
			for _, phone := range phones {
				if n := len(in.received(phone)); n > 1 {
					t.Errorf("%s received %d copies", phone, n)
				}
			}
			if arrived := b.out(); arrived+b.Counts["failed"] != len(phones) || b.Counts["failed"] > 20 {
				t.Errorf("after resuming it came to %v", b.Counts)
			}
			in.stop()
		})
	}
}

// Who changes number gets nothing more until they say so themselves (invariant 5); who leaves after that stays away.
func TestSubscriptionsAfterAChangeOfNumber(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := installLists(t, address)
			in.asks(anna, "ISCRIZIONE ON")
			in.asks(bruno, "ISCRIZIONE ON")
			const moved = carla
			in.control(http.MethodPost, "citizens/"+url.PathEscape(bruno)+"/change_number", map[string]any{"phone": moved}, nil)
			in.until("his lists are suspended", func() bool {
				return slices.Equal(in.subscriptions(moved), []string{"EMERGENZE suspended", "PUBBLICAUTILITA suspended"})
			})
			in.members("PUBBLICAUTILITA", anna)
			in.becomes(in.broadcast("PUBBLICAUTILITA", "lavori_pubblici", nil), "completed")
			in.onceEach("lavori_pubblici", []string{anna})

			in.asks(moved, "ISCRIZIONE ON #PUBBLICAUTILITA")
			if got := in.subscriptions(moved); !slices.Contains(got, "PUBBLICAUTILITA on") {
				t.Errorf("after joining anew he is on %q", got)
			}
			in.becomes(in.broadcast("PUBBLICAUTILITA", "scadenza", nil), "completed")
			in.onceEach("scadenza", []string{anna, moved})

			in.asks(moved, "STOP")
			if got := in.subscriptions(moved); len(got) != 0 {
				t.Errorf("after STOP he is on %q", got)
			}
			in.becomes(in.broadcast("PUBBLICAUTILITA", "chiusura_strada", nil), "completed")
			in.onceEach("chiusura_strada", []string{anna})
			in.stop()
		})
	}
}

// subscriptions are the lists of whoever has a phone, each with its state.
func (in *installation) subscriptions(phone string) (lists []string) {
	in.t.Helper()
	var found struct {
		Items []struct {
			Subscriptions []struct{ List, State string }
		}
	}
	_, raw := in.call(in.t.Context(), http.MethodGet, "/api/v1/contacts?address="+url.QueryEscape(phone), nil, "")
	if err := json.Unmarshal(raw, &found); err != nil {
		in.t.Fatalf("a contact is answered %s", raw)
	}
	for _, c := range found.Items {
		for _, s := range c.Subscriptions {
			lists = append(lists, s.List+" "+s.State)
		}
	}
	return lists
}

// Who wrote in the last 24 hours gets a text, the others the template; an update quotes, on each phone, what it updates.
func TestFreeTextAndUpdates(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := installLists(t, address)
			phones := in.crowd("PUBBLICAUTILITA", 2)
			in.control(http.MethodPost, "citizens", map[string]any{"phone": anna, "name": "Anna Bianchi"}, nil)
			in.asks(anna, "ISCRIZIONE ON")
			free := map[string]any{"free": "Gentile {name}, lunedì via Garibaldi è a senso unico."}
			first := in.becomes(in.broadcast("PUBBLICAUTILITA", "lavori_pubblici", free), "completed")
			if first.out() != 3 {
				t.Errorf("it came to %v", first.Counts)
			}
			in.onceEach("lavori_pubblici", phones)
			texts := in.received(anna)
			if last := texts[len(texts)-1]; last != "Gentile Anna Bianchi, lunedì via Garibaldi è a senso unico." {
				t.Errorf("who wrote before received %q", last)
			}
			copies := map[string]string{} // of the first, by phone
			for _, phone := range append(phones, anna) {
				chat := in.phone(phone)
				copies[phone] = chat[len(chat)-1].ID
			}

			var listed struct{ Items []struct{ ID string } }
			if _, raw := in.call(t.Context(), http.MethodGet, "/api/v1/broadcasts", nil, ""); json.Unmarshal(raw, &listed) != nil || len(listed.Items) != 1 {
				t.Fatalf("broadcasts are listed as %v", listed)
			}
			in.becomes(in.broadcast("PUBBLICAUTILITA", "chiusura_strada", map[string]any{"follows": listed.Items[0].ID}), "completed")
			in.onceEach("chiusura_strada", append(phones, anna))
			for phone, quoted := range in.quotes("chiusura_strada") {
				if quoted != copies[phone] {
					t.Errorf("the update to %s quotes %q, want %q", phone, quoted, copies[phone])
				}
			}
			in.oneRecipientEach()
			in.stop()
		})
	}
}

// quotes are the messages that the copies of a template quote, by phone.
func (in *installation) quotes(template string) map[string]string {
	in.t.Helper()
	quoted := map[string]string{}
	for _, raw := range in.sends() {
		var m struct {
			To       string
			Template struct{ Name string }
			Context  struct {
				MessageID string `json:"message_id"`
			}
		}
		if json.Unmarshal(raw, &m) == nil && m.Template.Name == template {
			quoted["+"+strings.TrimPrefix(m.To, "+")] = m.Context.MessageID
		}
	}
	return quoted
}

// RIM-16: ten times the subscribers of 2024, all imported, all reached once.
func TestBroadcastToAllOfRimini(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			subscribers := 39_540
			if testing.Short() {
				subscribers = 3_954
			}
			in := installLists(t, address)
			in.control(http.MethodPut, "numbers/"+in.phoneNumberID, map[string]any{"throughput": "UNLIMITED"}, nil)
			d := in.open()
			in.work(d, outbound.SyncArgs{Municipality: in.municipalityID(d)}) // the number's new rate
			in.crowd("PUBBLICAUTILITA", subscribers)
			id := in.broadcast("PUBBLICAUTILITA", "lavori_pubblici", nil)
			var b broadcastAnswer
			var asked time.Time
			look := func() broadcastAnswer { // counting many, all the time, would be what takes the time
				if time.Since(asked) > time.Second {
					asked, b = time.Now(), in.look(id)
				}
				return b
			}
			for tenths := 1; tenths < 10; tenths++ {
				in.until(fmt.Sprintf("%d tenths are sent", tenths), func() bool { return look().out() >= subscribers*tenths/10 })
			}
			in.until("it is completed", func() bool { return look().State == "completed" })
			b.addsUp(t)
			t.Logf("%d messages in %v", b.out(), b.CompletedAt.Sub(*b.StartedAt))
			if b.out() != subscribers {
				t.Errorf("it came to %v", b.Counts)
			}
			in.expect(d, `SELECT count(*) FROM message WHERE direction = 'out'`, subscribers)
			in.expect(d, `SELECT count(DISTINCT contact_id) FROM message WHERE direction = 'out'`, subscribers)
			in.expect(d, `SELECT count(*) FROM conversation`, 0)
			in.stop()
		})
	}
}
