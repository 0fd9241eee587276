// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// The administration in English and in the dark, on a desk's screen and on a phone: accessible, no wider than the
// screen, and no word of it left in Italian.
func TestTheAdministrationInEnglishAndInTheDark(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Ada Tre", staff.Administrator)
	luca := d.hire(d.rimini, "Luca Neri", staff.Operator)
	b := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Administrator))
	d.must(d.meta.Client.SetUsername(t.Context(), d.rimini.Numbers[0].Account(), "comune.rimini"))
	shortLinked(b, d.rimini)
	blocked(b, d.rimini)
	free := blockable(b, d.rimini).id
	talk := conversationPath(d.conversationOf(free), "")
	d.told(d.rimini, subject{"conversation", db.FormatID(d.conversationOf(free))}, subject{"contact", free}, subject{"contact", "77"}, subject{"list", "EMERGENZE"})
	p := d.enter("ada")
	p.Go(d.server.URL + "/desk/rimini/preferences")
	browsertest.Eval[int](p, `fetch("/desk/rimini/preferences", {method: "POST", body: new URLSearchParams({language: "en"})}).then(r => r.status)`)
	pages := map[string]string{"numbers": "/settings/numbers", "number": ours, "profile": ours + "/profile", "suggestions": ours + "/suggestions", "links": ours + "/links",
		"registration": "/settings/registration", "registered": "/settings/registration/100001", "blocked": "/settings/blocked", "staff": "/settings/staff", "member-new": "/settings/staff/new",
		"member": "/settings/staff/" + db.FormatID(luca.ID), "tokens": "/settings/tokens", "log": "/settings/log", "audit": "/settings/audit", "citizen": "/citizens/" + free, "thread": talk}
	for _, look := range []struct {
		name          string
		width, height int64
	}{{"wide", 1366, 768}, {"narrow", 360, 740}} {
		p.Viewport(look.width, look.height)
		browsertest.Eval[bool](p, `true`)
		p.Prefer("prefers-color-scheme", "dark")
		for name, path := range pages {
			p.Go(d.server.URL + "/desk/rimini" + path)
			p.WaitFor("main")
			if lang := browsertest.Eval[string](p, `document.documentElement.lang`); lang != "en" {
				t.Fatalf("%s is in %q", name, lang)
			}
			for _, v := range p.Violations() {
				t.Errorf("%s, %s: %s", name, look.name, v)
			}
			if wide := browsertest.Eval[int64](p, `document.documentElement.scrollWidth`); wide > look.width {
				t.Errorf("%s is %d pixels wide on a screen of %d", name, wide, look.width)
			}
			p.Screenshot("look-" + name + "-" + look.name)
			text := browsertest.Eval[string](p, `document.querySelector("main").innerText`)
			for _, word := range []string{" della ", " questo ", " numero ", "Salva", "Annulla", " il Comune "} {
				if strings.Contains(text, word) {
					t.Errorf("%s has the word %q: %s", name, word, text)
				}
			}
		}
		p.Go(d.server.URL + "/desk/rimini" + talk)
		p.WaitFor("#text")
		browsertest.Eval[bool](p, `[...document.querySelectorAll("details.menu-up.only-reply")].forEach(e => e.open = true) ?? true`)
		p.WaitFor("details.menu-up.only-reply [hx-get], details.menu-up.only-reply button, details.menu-up.only-reply a")
		for _, v := range p.Violations() {
			t.Errorf("what else may be sent, %s: %s", look.name, v)
		}
		p.Screenshot("look-offer-" + look.name)
		for _, kind := range []string{"buttons", "list", "link"} {
			p.Go(d.server.URL + "/desk/rimini" + talk + "/offer/" + kind)
			p.WaitFor("main form")
			for _, v := range p.Violations() {
				t.Errorf("the dialog of %s, %s: %s", kind, look.name, v)
			}
			p.Screenshot("look-offer-" + kind + "-" + look.name)
		}
	}
}
