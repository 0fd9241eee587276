// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// concrete are the routes with the ids of a town's things.
func (d *desk) concrete(to *town) map[string]string {
	d.Helper()
	who := d.writes(to, "393471234567", "Buongiorno")
	d.metaKnows(to, "393471234567")
	d.joins(to, "393471234567", "PUBBLICAUTILITA")
	d.arrive(to, "not understood")
	item := d.get("/quarantine", bearer(to.token)).want(http.StatusOK).at("items", 0, "id").(string)
	ids := map[string]string{"/conversations": db.FormatID(who.conversation), "/messages": who.messages[0], "/contacts": db.FormatID(who.contact),
		"/quarantine": item, "/media": d.keep(to), "/broadcasts": d.broadcasts(to, "PUBBLICAUTILITA")}
	out := map[string]string{}
	for _, r := range routes {
		kind, _, _ := strings.Cut(r.path, "/{id}")
		out[r.method+" "+r.path] = strings.NewReplacer("{id}", ids[kind], "{keyword}", "PUBBLICAUTILITA").Replace(r.path)
	}
	out["get /contacts"] += "?address=393471234567"
	out["get /consents"] += "?contact=" + ids["/contacts"]
	return out
}

// bodies are what the routes take.
var bodies = map[string]string{
	"post /conversations/{id}/messages": `{"text":"Buongiorno"}`,
	"post /conversations/{id}/resolve":  `{"reason":"Doppione"}`,
	"post /broadcasts":                  newNotice("PUBBLICAUTILITA"),
	"post /contacts/{id}/block":         `{"reason":"spam"}`,
	"post /contacts/{id}/unblock":       `{}`,
	"post /media":                       fileForm("orari.txt", "Aperti dalle 8:30 alle 13."),
}

func TestNobodyIsLetInWithoutAToken(t *testing.T) {
	each(t, func(d *desk) {
		revoked, id := d.newToken(d.rimini.ID)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return staff.RevokeToken(ctx, tx, staff.System("cli"), d.rimini.ID, id)
		})
		paths := d.concrete(d.rimini)
		paths["get /nothing"] = "/nothing"
		paths["post /nothing"] = "/nothing"
		for route, path := range paths {
			method, _, _ := strings.Cut(route, " ")
			for name, authorization := range map[string]string{
				"none": "", "revoked": "Bearer " + revoked, "unknown": "Bearer fd_" + strings.Repeat("x", 43), "no token": "Bearer x",
				"empty": "Bearer ", "another scheme": "Basic " + d.rimini.token, "bare": d.rimini.token,
			} {
				t.Run(fmt.Sprint(route, " ", name), func(t *testing.T) {
					d := *d
					d.T = t
					a := d.ask(strings.ToUpper(method), path, bodies[route], header{"Authorization", authorization}).problem(http.StatusUnauthorized, "token")
					if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
						t.Errorf("WWW-Authenticate is %q", got)
					}
				})
			}
		}
	})
}

// What is another municipality's is not there, whatever is asked of it.
func TestMunicipalitiesNeverSeeEachOther(t *testing.T) {
	each(t, func(d *desk) {
		theirs := d.concrete(d.carpi)
		codes := map[string]string{"conversations": "conversation_not_found", "messages": "message_not_found", "contacts": "contact_not_found",
			"quarantine": "quarantine_not_found", "media": "media_not_found", "broadcasts": "broadcast_not_found"}
		for route, path := range theirs {
			method, pattern, _ := strings.Cut(route, " ")
			if !strings.Contains(pattern, "{id}") {
				continue
			}
			a := d.ask(strings.ToUpper(method), path, bodies[route])
			if strings.HasSuffix(pattern, "/approve") {
				a.problem(http.StatusForbidden, "approval_by_a_person")
				continue
			}
			a.problem(http.StatusNotFound, codes[strings.Split(pattern, "/")[1]])
		}
		for _, listing := range []string{"/conversations", "/conversations?state=resolved", "/contacts?address=3471234567", "/quarantine", "/lists/PUBBLICAUTILITA/subscribers", "/broadcasts"} {
			if ids := d.get(listing).want(http.StatusOK).all("id"); len(ids) != 0 {
				t.Errorf("%s shows %v", listing, ids)
			}
		}
		mine := d.writes(d.rimini, "393471234567", "Buongiorno")
		theirMessage := strings.TrimPrefix(theirs["get /messages/{id}"], "/messages/")
		theirFile := strings.TrimPrefix(theirs["get /media/{id}"], "/media/")
		d.post(mine.path("/messages"), `{"text":"a","reply_to":"`+theirMessage+`"}`).problem(http.StatusUnprocessableEntity, "quoted_not_found")
		d.post(mine.path("/messages"), `{"media_id":"`+theirFile+`"}`).problem(http.StatusUnprocessableEntity, "media_unknown")

		for route, path := range theirs { // and all of it is there for its own
			method, _, _ := strings.Cut(route, " ")
			if method == "get" {
				d.get(path, bearer(d.carpi.token)).want(http.StatusOK)
			}
		}
	})
}

func TestBounds(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno", "Sono Anna")
		d.writes(d.rimini, "393477654321", "Buongiorno")
		d.arrive(d.rimini, "one", "two")
		d.joins(d.rimini, "393471234567", "PUBBLICAUTILITA", "EMERGENZE")
		d.joins(d.rimini, "393477654321", "PUBBLICAUTILITA")
		d.broadcasts(d.rimini, "PUBBLICAUTILITA")
		recipients := "/broadcasts/" + d.broadcasts(d.rimini, "PUBBLICAUTILITA") + "/recipients?"
		d.conduct()
		kinds := map[string]listing{"/conversations?": inConversations, anna.path("/messages?"): inMessages, "/quarantine?": inQuarantine,
			"/lists/PUBBLICAUTILITA/subscribers?": inSubscribers, "/consents?contact=" + db.FormatID(anna.contact) + "&": inConsents, "/broadcasts?": inBroadcasts, recipients: inRecipients}
		cursors := map[string]string{}
		for l, kind := range kinds {
			for _, limit := range []string{"0", "101", "-1", "x", "1.5", "99999999999999999999"} {
				d.get(l+"limit="+limit).problem(http.StatusUnprocessableEntity, "invalid")
			}
			d.get(l + "limit=100").want(http.StatusOK)
			cursors[l] = d.get(l + "limit=1").want(http.StatusOK).at("next_cursor").(string)
			for _, cursor := range []string{"x", "e30", "bm90IGpzb24", "eyJpIjoiYyIsImQiOi0xfQ", "%00", "%ff",
				position{In: inConversations, ID: 1, At: -1 << 60}.cursor(), position{In: inMessages, ID: 1, Place: 1 << 40}.cursor(), cursors[l] + "A"} {
				d.get(l+"cursor="+cursor).problem(http.StatusUnprocessableEntity, "cursor")
			}
			d.get(l+"cursor="+strings.Repeat("A", 201)).problem(http.StatusUnprocessableEntity, "invalid")
			far := position{In: kind, ID: 1<<63 - 1, At: 1<<63 - 1, Place: 1<<31 - 1}
			d.get(l + "cursor=" + far.cursor()).want(http.StatusOK)
		}
		for l, own := range cursors {
			for other, cursor := range cursors {
				a := d.get(l + "cursor=" + cursor)
				if l == other || cursor == own {
					a.want(http.StatusOK)
				} else {
					a.problem(http.StatusUnprocessableEntity, "cursor")
				}
			}
		}
		d.get("/conversations?state=all").problem(http.StatusUnprocessableEntity, "invalid")
		for _, id := range []string{"x", "0", "-1", "99999999999999999999", "1%00", "%ff", "1'"} {
			d.get("/conversations/"+id).problem(http.StatusNotFound, "conversation_not_found")
			d.get("/conversations/"+id+"/messages").problem(http.StatusNotFound, "conversation_not_found")
			d.get("/messages/"+id).problem(http.StatusNotFound, "message_not_found")
			d.get("/contacts/"+id).problem(http.StatusNotFound, "contact_not_found")
			d.get("/media/"+id).problem(http.StatusNotFound, "media_not_found")
			d.get("/broadcasts/"+id).problem(http.StatusNotFound, "broadcast_not_found")
			d.get("/broadcasts/"+id+"/recipients").problem(http.StatusNotFound, "broadcast_not_found")
			d.post("/broadcasts/"+id+"/pause", "").problem(http.StatusNotFound, "broadcast_not_found")
		}
	})
}

func TestBodies(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		messages := anna.path("/messages")
		for _, body := range []string{`{`, `{"text":`, `text`, "\x00", `{"text":"a"} b`} {
			d.post(messages, body).problem(http.StatusBadRequest, "malformed")
		}
		d.post(messages, strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000)).problem(http.StatusBadRequest, "malformed")
		d.post(messages, "").problem(http.StatusBadRequest, "malformed")
		d.post(messages, `{"text":"a"}`, header{"Content-Type", "text/plain"}).problem(http.StatusUnsupportedMediaType, "media_type")
		d.post(messages, "text=a", header{"Content-Type", "application/x-www-form-urlencoded"}).problem(http.StatusUnsupportedMediaType, "media_type")
		for _, path := range []string{messages, anna.path("/resolve"), anna.path("/reopen"), "/quarantine/1/replay", "/broadcasts", "/broadcasts/1/pause", "/nothing"} {
			d.post(path, strings.Repeat(" ", maxBody+1)).problem(http.StatusRequestEntityTooLarge, "body_too_large")
		}
		full := `{"text":"a"}`
		d.post(messages, full+strings.Repeat(" ", maxBody-len(full))).want(http.StatusAccepted)
		d.post(messages, `{"text":"`+"\xff"+`"}`).want(http.StatusAccepted) // what is no UTF-8 is read as U+FFFD
		equal(t, "messages", len(d.get(messages).all("id")), 3)
	})
}

func TestWhatHasNoRoute(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		for _, path := range []string{"/", "/nothing", "/conversations/", "/conversations/1/nothing", "/schemas/Message.json", "/openapi.yaml"} {
			d.get(path).problem(http.StatusNotFound, "not_found")
		}
		a := d.ask(http.MethodDelete, anna.path(), "").problem(http.StatusMethodNotAllowed, "method")
		if allow := a.header.Get("Allow"); !strings.Contains(allow, "GET") {
			t.Errorf("Allow is %q", allow)
		}
		d.post("/conversations", `{}`).problem(http.StatusMethodNotAllowed, "method")
		d.ask(http.MethodOptions, "/conversations", "").problem(http.StatusMethodNotAllowed, "method")
	})
}

func TestEveryAnswerIsSafeToShow(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "<script>alert(1)</script>")
		for _, path := range []string{anna.path("/messages"), "/nothing", "/openapi.json"} {
			a := d.get(path, header{"Accept", "text/html"})
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
				equal(t, path+" "+name, a.header.Get(name), want)
			}
			if got := a.header.Get("Content-Type"); got != "application/json" && got != problemType {
				t.Errorf("%s: Content-Type is %q", path, got)
			}
			if len(a.header.Get("X-Request-Id")) != 10 {
				t.Errorf("%s: X-Request-Id is %q", path, a.header.Get("X-Request-Id"))
			}
		}
	})
}

// What goes wrong with us is logged under the request's id, and no caller sees it.
func TestInternalFailuresAreLoggedAndNotTold(t *testing.T) {
	log := &lines{}
	s := &server{Options: Options{Log: newLogger(log)}}
	failing := func(err error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, s.failed(r.Context(), "test", err)) }
	}
	for name, handle := range map[string]http.HandlerFunc{
		"error":          failing(errors.New("secret of the house")),
		"internal fault": failing(fault.New(fault.Internal, "secret of the house")),
		"panic":          func(http.ResponseWriter, *http.Request) { panic("secret of the house") },
	} {
		w := httptest.NewRecorder()
		s.receive(handle).ServeHTTP(w, httptest.NewRequest(http.MethodGet, Prefix+"/x", nil))
		id := w.Header().Get("X-Request-Id")
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), id) {
			t.Errorf("%s is answered %d %s", name, w.Code, w.Body)
		}
		if l := log.String(); !strings.Contains(l, "request="+id) || !strings.Contains(l, "secret of the house") {
			t.Errorf("%s is not in the log: %s", name, l)
		}
	}
}

// A database that can't be reached is nobody's fault, and is told with when to come back.
func TestDatabaseAway(t *testing.T) {
	p := problemOf(t.Context(), fmt.Errorf("list: %w", context.DeadlineExceeded))
	equal(t, "status", p.Status, http.StatusServiceUnavailable)
	equal(t, "code", p.Code, "unavailable")
	equal(t, "Retry-After", p.GetHeaders().Get("Retry-After"), "5")
}

func TestEveryKindOfFailureHasAStatus(t *testing.T) {
	for kind := fault.Internal; kind <= fault.Unavailable; kind++ {
		if http.StatusText(kind.Status()) == "" {
			t.Errorf("failures of kind %d have no status", kind)
		}
	}
}

// Nothing of what citizens wrote or are called gets into the log.
func TestTheLogHoldsNoPersonalData(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "parola segreta")
		d.get("/contacts?address=3471234567").want(http.StatusOK)
		d.post(anna.path("/messages"), `{"text":"risposta segreta`).want(http.StatusBadRequest)
		d.post(anna.path("/messages"), `{"text":"risposta segreta"}`).want(http.StatusAccepted)
		for _, secret := range []string{"3471234567", "segreta", "Anna", d.rimini.token} {
			if log := d.log.String(); strings.Contains(log, secret) {
				t.Errorf("the log holds %q: %s", secret, log)
			}
		}
	})
}
