// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// An emergency is written with its preview beside it, approved by a second person, and its figures move on
// both screens while it goes out.
func TestAnEmergencyOnTwoScreens(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.templates(d.rimini)
	d.hire(d.rimini, "Sara Due", staff.Supervisor)
	d.hire(d.rimini, "Ada Tre", staff.Administrator)
	d.joins(d.rimini, "Maria Bianchi", "393471234567", "EMERGENZE")
	d.joins(d.rimini, "Luca Verdi", "393470000002", "EMERGENZE")
	sara, ada := d.enter("sara"), d.enter("ada")

	sara.Go(d.server.URL + "/desk/rimini/broadcasts/new")
	sara.WaitText("#preview", "Scegli almeno una lista")
	sara.Click(`[name=list][value=EMERGENZE]`)
	sara.WaitText("#preview-count", "2 persone")
	choose := func(template string) {
		t.Helper()
		browsertest.Eval[bool](sara, `(s => (s.value = "`+template+`", s.dispatchEvent(new Event("change", {bubbles: true}))))(document.querySelector("[name=template]"))`)
	}
	choose("avviso/it")
	sara.WaitFor("#blank-1")
	sara.Type("#blank-1", "il Marecchia esce dagli argini")
	sara.WaitText("#preview", "Gentile Maria Bianchi, il Comune informa: il Marecchia esce dagli argini.")
	if !sara.Focused("#blank-1") {
		t.Error("the preview took the focus")
	}
	sara.WaitText("#preview", "deve approvarla una seconda persona")
	sara.Axe()

	choose("evento/it")
	sara.WaitFor("#blank-2")
	if got := sara.Value("#blank-1"); got != "il Marecchia esce dagli argini" {
		t.Errorf("another template's first text is %q", got)
	}
	choose("avviso/it")
	sara.WaitGone("#blank-2")

	sara.Click("[value=continue]")
	sara.WaitText("#broadcast", "Chiedi approvazione")
	sara.Axe()
	sara.Click("#act-submit")
	sara.WaitText("#dialog", "Dopo l’approvazione lo ricevono 2 persone.")
	sara.Axe()
	sara.Press(kb.Escape)
	sara.WaitGone("#dialog[open]")
	sara.Click("#act-submit")
	sara.WaitFor("#dialog .btn-primary")
	sara.Click("#dialog .btn-primary")
	sara.WaitText("#broadcast", "Hai scritto tu questa emergenza")

	ada.WaitText("#banners", "Sara Due chiede di approvare un’emergenza") // without a reload
	ada.Axe()
	ada.Click("#banners summary")
	ada.Click("#banners a")
	ada.WaitText("#broadcast", "Sara Due chiede la tua approvazione")
	ada.Click("#act-approve")
	ada.WaitText("#dialog", "La ricevono 2 persone.")
	ada.Click("#dialog .btn-primary")
	ada.WaitText("#broadcast", "in preparazione")
	sara.WaitText("#broadcast", "in preparazione")

	d.conduct()
	sara.WaitText("#broadcast", "0 di 2 inviati")
	browsertest.Eval[bool](sara, `(document.getElementById("act-pause").focus(), true)`)
	d.goOut(d.rimini, func(int) (conversation.Status, int) { return conversation.Accepted, 0 })
	d.conduct()
	for _, p := range []*browsertest.Page{sara, ada} {
		p.WaitText("#broadcast .cast-state", "concluso")
		p.WaitText("#broadcast", "0 di 2 consegnati")
		p.Axe()
	}
	sara.Screenshot("desk-broadcast")
}

// What goes out moves the figures, and neither the focus nor what somebody opened.
func TestFiguresMoveUnderTheFocus(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Sara Due", staff.Supervisor)
	for _, phone := range []string{"393470000001", "393470000002", "393470000003"} {
		d.joins(d.rimini, "Maria Bianchi", phone, "PUBBLICAUTILITA")
	}
	b := d.broadcast(d.rimini, "PUBBLICAUTILITA", broadcast.Submit)
	d.conduct()
	p := d.enter("sara")
	p.Viewport(360, 740)
	p.Go(d.server.URL + "/desk/rimini" + broadcastPath(b.ID, ""))
	p.WaitText("#broadcast", "0 di 3 inviati")
	p.Axe()
	browsertest.Eval[bool](p, `(document.getElementById("act-cancel").focus(), true)`)
	d.goOut(d.rimini, func(i int) (conversation.Status, int) {
		return []conversation.Status{conversation.Accepted, conversation.Uncertain, conversation.Failed}[i], []int{0, 0, 131026}[i]
	})
	p.WaitText("#broadcast", "Perché non sono arrivati")
	if !p.Focused("#act-cancel") {
		t.Error("the figures took the focus")
	}
	if wide := browsertest.Eval[float64](p, `document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("the page is %v pixels wide", wide)
	}
	p.Press(kb.Enter)
	p.WaitText("#dialog", "Annullare l’avviso?")
	p.Axe()
	p.Click("#dialog [data-close]")
	p.WaitGone("#dialog[open]")
	p.Until("give the focus back", `document.activeElement.id === "act-cancel"`)
}
