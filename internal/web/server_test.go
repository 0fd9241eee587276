// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func TestSigningIn(t *testing.T) {
	each(t, func(d *desk) {
		luca := d.hire(d.rimini, "Luca Neri", staff.Operator)
		d.hire(d.pistoia, "Piera Verdi", staff.Administrator)
		b := d.browser(d.rimini)

		to := b.get("/inbox?view=mine").want(http.StatusSeeOther).header.Get("Location")
		if to != "/desk/rimini/sign-in?next="+url.QueryEscape("/desk/rimini/inbox?view=mine") {
			t.Errorf("sent to %q", to)
		}
		wrong := b.post("/sign-in", url.Values{"email": {"luca@rimini.example"}, "password": {"un’altra frase"}}).want(http.StatusUnauthorized)
		nobody := b.post("/sign-in", url.Values{"email": {"nessuno@rimini.example"}, "password": {password}}).want(http.StatusUnauthorized)
		elsewhere := b.post("/sign-in", url.Values{"email": {"piera@pistoia.example"}, "password": {password}}).want(http.StatusUnauthorized)
		for _, a := range []answer{wrong, nobody, elsewhere} {
			a.contains("Indirizzo o password non corretti")
		}

		in := b.post("/sign-in", url.Values{"email": {"Luca@Rimini.example"}, "password": {password}, "next": {"/desk/rimini/inbox?view=mine"}})
		if to := in.want(http.StatusSeeOther).header.Get("Location"); to != "/desk/rimini/inbox?view=mine" {
			t.Errorf("sent to %q after signing in", to)
		}
		b.get("/inbox").want(http.StatusOK).contains("Luca")

		for _, next := range []string{"https://evil.example/", "//evil.example", "/desk/rimini@evil.example", "/desk/pistoia/inbox", `/desk/rimini/\evil`} {
			in := d.browser(d.rimini).post("/sign-in", url.Values{"email": {"luca@rimini.example"}, "password": {password}, "next": {next}})
			if to := in.header.Get("Location"); to != "/desk/rimini" {
				t.Errorf("next %q sent to %q", next, to)
			}
		}

		d.update(func(ctx context.Context, tx *db.Tx) error {
			return staff.Disable(ctx, tx, staff.System("cli"), d.rimini.ID, luca.ID)
		})
		b.get("/inbox").want(http.StatusSeeOther)
	})
}

func TestSigningOut(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post("/sign-out", nil).want(http.StatusSeeOther)
		b.get("/inbox").want(http.StatusSeeOther)
		told := b.get("/inbox", byScript).want(http.StatusUnauthorized).contains("La sessione è scaduta")
		if told.header.Get("HX-Retarget") != "#alerts" {
			t.Error("the page with the text would be gone")
		}
	})
}

func TestAnInvitationSetsThePasswordOnce(t *testing.T) {
	each(t, func(d *desk) {
		var token string
		d.update(func(ctx context.Context, tx *db.Tx) error {
			account, _, err := staff.Add(ctx, tx, staff.System("cli"), d.rimini.ID, staff.New{Email: "nuova@rimini.example", Name: "Nuova Persona", Role: staff.Operator})
			if err != nil {
				return err
			}
			token, err = staff.Invite(ctx, tx, staff.System("cli"), d.rimini.ID, account.ID)
			return err
		})
		b := d.browser(d.rimini)
		b.get("/invitation/" + token).want(http.StatusOK).contains("nuova@rimini.example")
		b.post("/invitation/"+token, url.Values{"password": {"corta"}}).want(http.StatusUnprocessableEntity)
		b.post("/invitation/"+token, url.Values{"password": {password}}).want(http.StatusSeeOther)
		b.get("/inbox").want(http.StatusOK)
		b.get("/invitation/" + token).want(http.StatusNotFound)
	})
}

// The pages of the desk, looked at by each role, by nobody and by another municipality; what is done on them, and each
// new one, is in rights_test.go.
func TestWhoSeesThePages(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		open := []string{"/inbox", "/inbox/list", "/search?q=x", conversationPath(id, ""), conversationPath(id, "/live"),
			conversationPath(id, "/kind"), conversationPath(id, "/hand-over"), conversationPath(id, "/templates")}
		admin := []string{"/settings/staff", "/settings/numbers", "/settings/quarantine"}
		people := map[staff.Role]*browser{}
		for role, name := range map[staff.Role]string{staff.Operator: "Olga Uno", staff.Supervisor: "Sara Due", staff.Administrator: "Ada Tre", staff.Auditor: "Ugo Quattro"} {
			people[role] = d.signedIn(d.rimini, d.hire(d.rimini, name, role))
		}
		foreign := d.signedIn(d.pistoia, d.hire(d.pistoia, "Piera Verdi", staff.Administrator))
		foreign.slug = d.rimini.Slug
		for _, path := range open {
			people[staff.Operator].get(path).want(http.StatusOK)
			people[staff.Administrator].get(path).want(http.StatusOK)
			people[staff.Auditor].get(path).want(http.StatusForbidden).lacks("Maria")
		}
		for _, path := range admin {
			people[staff.Operator].get(path).want(http.StatusForbidden)
			people[staff.Supervisor].get(path).want(http.StatusForbidden)
			people[staff.Auditor].get(path).want(http.StatusForbidden)
			people[staff.Administrator].get(path).want(http.StatusOK)
		}
		people[staff.Operator].get("/settings/audit").want(http.StatusForbidden)
		people[staff.Auditor].get("/settings/audit").want(http.StatusOK).contains("per 24 mesi", "per 6 mesi", "prima cancellazione")
		for _, path := range append(open, admin...) {
			d.browser(d.rimini).get(path).want(http.StatusSeeOther).lacks("Maria")
			if a := foreign.get(path); a.status == http.StatusOK || strings.Contains(a.body, "Maria") {
				t.Errorf("%s answers another municipality's administrator: %d", path, a.status)
			}
		}
	})
}

func TestAnotherMunicipalitysConversationDoesNotExist(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.pistoia, "Carla Gialli", "393470000001", "Segreto")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Administrator))
		b.get(conversationPath(id, "")).want(http.StatusNotFound).lacks("Segreto", "Carla")
		b.get(conversationPath(id, "/live"), byScript).want(http.StatusNotFound).lacks("Segreto")
		b.post(conversationPath(id, "/take"), nil).want(http.StatusNotFound)
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"x"}, "text": {"ciao"}}).want(http.StatusNotFound)
		b.get("/search?q=segreto").want(http.StatusOK).lacks("Carla")
	})
}

func TestAnotherSitesPageCannotAct(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post(conversationPath(id, "/take"), nil, header{"Sec-Fetch-Site", "cross-site"}, header{"Origin", "https://evil.example"}).want(http.StatusForbidden)
		if d.get(id).HolderID != 0 {
			t.Error("the conversation was taken")
		}
	})
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		for _, path := range []string{"/inbox", "/sign-in", "/nothing", "//nowhere", "//assets/nothing.js"} {
			h := b.get(path).header
			if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
				t.Errorf("%s: policy %q", path, h.Get("Content-Security-Policy"))
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", path, h)
			}
		}
	})
}

func TestAReplyIsSentOnceAndTakesTheConversation(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "C’è una buca in via Garibaldi")
		luca := d.hire(d.rimini, "Luca Neri", staff.Operator)
		b := d.signedIn(d.rimini, luca)
		form := url.Values{"draft": {"d1"}, "mode": {"reply"}, "text": {"Grazie, <b>provvediamo</b>"}}
		first := b.post(conversationPath(id, "/messages"), form, byScript).want(http.StatusOK)
		first.contains("Grazie, &lt;b&gt;provvediamo&lt;/b&gt;", "in coda")
		if trigger := first.header.Get("HX-Trigger-After-Swap"); !strings.Contains(trigger, `"sent":"d1"`) {
			t.Errorf("the composer is not told: %q", trigger)
		}
		b.post(conversationPath(id, "/messages"), form, byScript).want(http.StatusOK)
		if got := d.outgoing(id); len(got) != 1 {
			t.Errorf("sent %q", got)
		}
		if c := d.get(id); c.HolderID != luca.ID {
			t.Errorf("held by %q", c.HolderName)
		}
	})
}

func TestASecondOperatorIsStopped(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		luca, anna := d.hire(d.rimini, "Luca Neri", staff.Operator), d.hire(d.rimini, "Anna Fabbri", staff.Operator)
		d.signedIn(d.rimini, luca).post(conversationPath(id, "/take"), nil).want(http.StatusSeeOther)
		b := d.signedIn(d.rimini, anna)
		b.get(conversationPath(id, "")).want(http.StatusOK).contains("La segue Luca Neri")
		put := b.ask(http.MethodPut, conversationPath(id, "/draft"), url.Values{"draft": {"d2"}, "mode": {"reply"}, "text": {"La mia bozza"}})
		put.want(http.StatusNoContent)
		stopped := b.post(conversationPath(id, "/messages"), url.Values{"draft": {"d2"}, "mode": {"reply"}, "text": {"La mia bozza"}}, byScript)
		stopped.want(http.StatusConflict).contains("Luca Neri")
		if stopped.header.Get("HX-Retarget") != "#alerts" {
			t.Error("the failure is not told beside the composer")
		}
		b.get(conversationPath(id, "")).contains("La mia bozza")
		b.post(conversationPath(id, "/messages"), url.Values{"draft": {"n1"}, "mode": {"note"}, "text": {"Lo conosco io"}}, byScript).want(http.StatusOK)
		if got := d.outgoing(id); len(got) != 0 {
			t.Errorf("sent %q", got)
		}
	})
}

func TestResolvingAsksForAReasonWithoutAReply(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Grazie!")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.post(conversationPath(id, "/resolve"), nil, byScript).want(http.StatusOK).contains("Risolvi senza rispondere")
		b.post(conversationPath(id, "/resolve"), url.Values{"reason": {""}, "other": {""}}, byScript).want(http.StatusOK).contains("role=\"alert\"")
		b.post(conversationPath(id, "/resolve"), url.Values{"reason": {""}, "other": {"Solo un saluto"}}, byScript).want(http.StatusOK).contains("Solo un saluto")
		if c := d.get(id); c.State != conversation.Closed {
			t.Errorf("state %q", c.State)
		}
		b.post(conversationPath(id, "/reopen"), nil).want(http.StatusSeeOther)
		if c := d.get(id); c.State != conversation.Open {
			t.Errorf("state %q after reopening", c.State)
		}
	})
}

func TestHandingOver(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		luca, anna := d.hire(d.rimini, "Luca Neri", staff.Operator), d.hire(d.rimini, "Anna Fabbri", staff.Operator)
		b := d.signedIn(d.rimini, luca)
		b.get(conversationPath(id, "/hand-over"), byScript).want(http.StatusOK).contains("Anna Fabbri").lacks("Luca Neri")
		b.post(conversationPath(id, "/hand-over"), url.Values{"to": {"person:" + db.FormatID(anna.ID)}, "note": {"Tocca a te"}}).want(http.StatusSeeOther)
		if c := d.get(id); c.HolderID != anna.ID {
			t.Errorf("held by %q", c.HolderName)
		}
		d.signedIn(d.rimini, anna).get(conversationPath(id, "")).contains("Tocca a te", "ha passato la conversazione a Anna Fabbri")
		b.post(conversationPath(id, "/hand-over"), url.Values{"to": {"office:nonesiste"}}).want(http.StatusNotFound)
	})
}

func TestSearchShowsTheWordsAround(t *testing.T) {
	each(t, func(d *desk) {
		d.writes(d.rimini, "Maria Bianchi", "393471234567", "Quali carte servono in città?")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.get("/search?q=carta").want(http.StatusOK).contains("<mark>carte</mark>", "Maria Bianchi")
		b.get("/search?q=citta").contains("<mark>città</mark>")
		b.get("/search?q=bianchi").contains("Maria Bianchi", "+39 347 123 4567")
		b.get("/search?q=unicorno").contains("Nessun risultato")
	})
}

func TestAFailureTellsNothingOfTheInside(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.get("/conversations/x").want(http.StatusNotFound).contains("Torna alla posta")
		b.get("/conversations/99").want(http.StatusNotFound).lacks("sql", "conversation 99")
		b.post("/conversations/99/take", nil, byScript).want(http.StatusNotFound).contains("alert-item")
	})
}

func TestPreferencesAreKept(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		b.get("/inbox").contains("data-enter-sends", "data-single-keys", `lang="it"`)
		b.post("/preferences", url.Values{"language": {"en"}, "theme": {"dark"}}).want(http.StatusSeeOther)
		b.get("/inbox").contains(`lang="en"`, `data-theme="dark"`, "No open conversation").lacks("data-enter-sends", "data-single-keys")
		b.post("/preferences", url.Values{"language": {"xx"}}).want(http.StatusUnprocessableEntity)
	})
}
