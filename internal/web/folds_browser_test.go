// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

const danger = "#main .btn-danger"

// tabTo goes on by the keyboard until the focus is on selector; no button that destroys may be met before.
func tabTo(p *browsertest.Page, t *testing.T, selector string, most int) {
	t.Helper()
	for range most {
		if p.Focused(selector) {
			return
		}
		if selector != danger && p.Focused(danger) {
			t.Fatalf("a button that destroys is met before %s", selector)
		}
		p.Press(kb.Tab)
	}
	t.Fatalf("%d tabs do not lead to %s", most, selector)
}

// What can't be undone is behind a fold: its button is neither seen nor met by the keyboard before somebody opens that,
// and then it is.
func TestFoldsBeforeWhatDestroys(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Ada Tre", staff.Administrator)
	luca := d.hire(d.rimini, "Luca Neri", staff.Operator)
	b := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Administrator))
	d.update(func(ctx context.Context, tx *db.Tx) error {
		_, _, err := staff.CreateToken(ctx, tx, staff.System("cli"), d.rimini.ID, "gestionale", nil)
		return err
	})
	d.must(d.meta.Client.SetUsername(t.Context(), d.rimini.Numbers[0].Account(), "comune.rimini"))
	link := shortLinked(b, d.rimini).id
	p := d.enter("ada")
	for name, path := range map[string]string{
		"somebody of the staff": "/settings/staff/" + db.FormatID(luca.ID),
		"a token":               "/settings/tokens",
		"the user name":         ours,
		"a short link":          "/settings/numbers/" + strings.Split(link, "/")[0] + "/links",
		"a number":              "/settings/registration/100001",
		"a citizen":             "/citizens/" + blockable(b, d.rimini).id,
	} {
		t.Run(name, func(t *testing.T) {
			p.Go(d.server.URL + "/desk/rimini" + path)
			p.WaitFor("#main details.fold:has(.btn-danger) > summary")
			if n := browsertest.Eval[int](p, `[...document.querySelectorAll("`+danger+`")].filter(e => e.checkVisibility({visibilityProperty: true})).length`); n > 0 {
				t.Errorf("%d buttons that destroy are seen at once", n)
			}
			p.Axe()
			tabTo(p, t, "#main details.fold:has(.btn-danger) > summary", 150)
			p.Press(kb.Enter)
			p.WaitFor(danger)
			tabTo(p, t, danger, 20)
			p.Axe()
			p.Screenshot("fold-" + strings.ReplaceAll(name, " ", "-"))
		})
	}
}

// The link from a number's page leads to the fold that ends its registration, open.
func TestTheLinkToTheEndOfARegistration(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Ada Tre", staff.Administrator)
	p := d.enter("ada")
	p.Go(d.server.URL + "/desk/rimini" + ours)
	p.Click(`#main a[href$="#undo"]`)
	p.WaitFor("#undo .btn-danger")
	p.Axe()
	p.Click("#undo .btn-danger") // the browser asks for the confirmation first
	p.Until("stay on the page", `location.hash === "#undo" && document.querySelector("#undo :invalid") !== null`)
	p.Click(`#undo [name="sure"]`)
	p.Click("#undo .btn-danger")
	p.WaitGone("#undo")
	p.Axe()
}

// A refusal takes the focus, and says beside the form what to do; what was written stays.
func TestRefusalsTakeTheFocus(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Ada Tre", staff.Administrator)
	b := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Administrator))
	stranger := citizen(b, d.rimini).id // who never wrote, as far as Meta knows
	p := d.enter("ada")
	p.AllowConsole("status of 422")

	p.Go(d.server.URL + "/desk/rimini/citizens/" + stranger)
	p.Click("#block summary")
	p.Click(`#block [name="reason"][value="insults"]`)
	p.Fill(`#block [name="note"]`, "Ancora lui")
	p.Click("#block .btn-danger")
	p.WaitText("#block [role=alert]", "solo chi ha scritto")
	p.Until("focus the refusal", `document.activeElement.matches("#block [role=alert]")`)
	if note := p.Value(`#block [name="note"]`); note != "Ancora lui" {
		t.Errorf("the note is %q", note)
	}
	p.Axe()
	p.Screenshot("refusal-block")

	p.Go(d.server.URL + "/desk/rimini/settings/staff/new")
	p.Fill(`[name="name"]`, "Nina Quattro")
	p.Fill(`[name="email"]`, "nina")
	browsertest.Eval[bool](p, `(document.querySelector('#main [name="email"]').form.noValidate = true)`)
	p.Press(kb.Enter)
	p.Until("focus the refusal", `document.activeElement.matches("#main [role=alert]")`)
	p.Axe()
}

// A citizen is blocked and let in again, by the form of their file.
func TestBlockingInABrowser(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Sara Due", staff.Supervisor)
	b := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
	id := blockable(b, d.rimini).id
	p := d.enter("sara")
	p.Go(d.server.URL + "/desk/rimini/citizens/" + id)
	tabTo(p, t, "#block summary", 150)
	p.Press(kb.Enter)
	p.WaitFor("#block .btn-danger")
	p.Click("#block .btn-danger") // without a reason the browser asks for one
	p.Until("ask for the reason", `document.activeElement.matches('#block [name="reason"]')`)
	if on := d.blockedNumbers(id); len(on) > 0 {
		t.Fatalf("blocked on %v without a reason", on)
	}
	p.Press(" ")
	tabTo(p, t, `#block [name="note"]`, 5)
	p.Type(`#block [name="note"]`, "Insulti ripetuti")
	tabTo(p, t, danger, 5)
	p.Press(kb.Enter)
	p.WaitText("#block .notice-warn", "Non può scrivere al numero")
	p.Axe()
	p.Screenshot("blocked")
	if on := d.blockedNumbers(id); len(on) != 1 {
		t.Errorf("blocked on %v", on)
	}
	p.Go(d.server.URL + "/desk/rimini/settings/blocked")
	p.WaitText("#main table", secretName)
	p.Axe()
	p.Click("#main table [type=submit]")
	p.WaitText("#main", "Nessuno è bloccato")
	p.Axe()
	if on := d.blockedNumbers(id); len(on) != 0 {
		t.Errorf("still blocked on %v", on)
	}
}

// blockedNumbers are the numbers that a citizen is blocked on, with Meta's word for it.
func (d *desk) blockedNumbers(id string) (numbers []string) {
	d.Helper()
	n, _ := db.ParseID(id)
	d.update(func(ctx context.Context, tx *db.Tx) error {
		numbers = nil
		on, err := contact.BlockedOn(ctx, tx, d.rimini.ID, n)
		for number := range on {
			numbers = append(numbers, number)
		}
		return err
	})
	people, err := d.meta.Client.Blocked(d.Context(), d.rimini.Numbers[0].Account())
	if err != nil || len(people) != len(numbers) {
		d.Errorf("Meta's list has %d, ours %d (%v)", len(people), len(numbers), err)
	}
	return numbers
}
