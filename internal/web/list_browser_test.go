// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func TestACitizenChangesTheirListsByKeyboard(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
	d.subscribe(d.rimini, broadcast.Change{Contact: maria, Join: []string{"EMERGENZE"}})
	p := browsertest.Open(t)
	p.Viewport(360, 740)
	p.Prefer("prefers-color-scheme", "dark")
	p.Go(d.server.URL + d.link(d.rimini, maria, time.Hour)[1:])
	p.Axe()
	if wide := browsertest.Eval[int64](p, `document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("the page is %d pixels wide", wide)
	}
	for range 3 { // past the link to the content, to the second list
		p.Press(kb.Tab)
	}
	if !p.Focused(`[value="PUBBLICAUTILITA"][type="checkbox"]`) {
		t.Fatal("the second list is not the third stop")
	}
	p.Press(" ")
	p.Press(kb.Tab)
	p.Press(kb.Enter)
	p.WaitText("[role=status]", "Ora ricevi su WhatsApp: Emergenze e Pubblica utilità.")
	p.Axe()
	p.Click(`[value="leave"]`)
	p.WaitText("[role=status]", "Ora non ricevi nessun avviso")
	p.Axe()
	if got := d.joined(d.rimini, maria); len(got) != 0 {
		t.Errorf("still on %v", got)
	}
}

func TestListsFileAndFiguresOnTheScreen(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Sara Due", staff.Supervisor)
	d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
	maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
	p := d.enter("sara")

	p.Go(d.server.URL + "/desk/rimini/lists")
	p.Click(".list-line summary")
	p.Axe()
	p.Click("[data-copies]")
	p.WaitText("[data-copies]", "Link copiato")
	p.WaitText("#status", "Link copiato")

	p.Go(d.server.URL + "/desk/rimini/citizens/" + db.FormatID(maria))
	p.Click(`[value="EMERGENZE"][type="checkbox"]`)
	p.Fill("[name=reference]", "prot. 4567/2026")
	p.Press(kb.Enter)
	p.WaitText(".notice-ok", "Registrato")
	p.Click(".register-more summary")
	p.Axe()
	if got := d.joined(d.rimini, maria); !slices.Equal(got, []string{"EMERGENZE"}) {
		t.Errorf("on %v", got)
	}

	p.Go(d.server.URL + "/desk/rimini/figures")
	p.Click("#main details summary")
	p.Axe()
	p.Click(`.segments a:last-child`)
	p.WaitText(`.segments [aria-current]`, "Un anno")
	p.Axe()
}
