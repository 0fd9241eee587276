// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// A list in groups is written on a phone: the titles are asked for where they are wanted, and each stands over the rows
// after it, also in the conversation.
func TestAListInGroups(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Luca Neri", staff.Operator)
	id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "A quale ufficio devo rivolgermi?")
	p := d.enter("luca")
	p.Viewport(360, 740)
	p.Go(d.server.URL + "/desk/rimini" + conversationPath(id, ""))
	p.Click("details.menu-up.only-reply > summary")
	p.Click(`[hx-get$="/offer/list"]`)
	p.WaitFor("#dialog [name=button]")
	if seen := browsertest.Eval[int](p, sectionFields); seen != 0 {
		t.Errorf("%d titles are asked for before anybody wants groups", seen)
	}
	p.Fill("#dialog [name=text]", "Quale ufficio le serve?")
	p.Fill("#dialog [name=button]", "Scegli")
	p.Click("#dialog [name=sections]")
	if seen := browsertest.Eval[int](p, sectionFields); seen != 3 {
		t.Errorf("%d titles are asked for, beside three rows", seen)
	}
	p.Axe()
	for i, row := range [][2]string{{"Piano terra", "Anagrafe"}, {"", "Tributi"}, {"Primo piano", "Scuola"}} {
		at := "#dialog .offer-row:nth-of-type(" + db.FormatID(int64(i+1)) + ") "
		if row[0] != "" {
			p.Fill(at+"[name=section]", row[0])
		}
		p.Fill(at+"[name=choice]", row[1])
	}
	p.Screenshot("list-in-groups")
	p.Press(kb.Enter)
	p.WaitText("#messages .taps-part", "Primo piano")
	p.Click("#messages details.taps > summary")
	p.Axe()
	if got := browsertest.Eval[[]string](p, `[...document.querySelectorAll("#messages .taps :is(.taps-part, li)")].map(e => e.innerText)`); !slices.Equal(got, []string{"Piano terra", "Anagrafe", "Tributi", "Primo piano", "Scuola"}) {
		t.Errorf("the conversation shows %q", got)
	}
}

// A dialog opened from a menu gives the focus back to the menu, which has closed meanwhile: what was chosen in it is hidden.
func TestTheFocusComesBackToTheMenu(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Luca Neri", staff.Operator)
	id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
	p := d.enter("luca")
	p.Go(d.server.URL + "/desk/rimini" + conversationPath(id, ""))
	p.WaitFor("#text")
	const menu = "details.menu-up.only-reply > summary"
	browsertest.Eval[bool](p, `(document.querySelector("`+menu+`").focus(), true)`)
	p.Press(kb.Enter)
	p.WaitFor(`[hx-get$="/place"]`)
	p.Press(kb.Tab)
	p.Press(kb.Enter)
	p.WaitFor("#dialog form")
	p.Press(kb.Escape)
	p.WaitGone("#dialog")
	p.Until("give the focus back to the menu", `document.activeElement.matches("`+menu+`")`)
	if p.Count("details.menu[open]") > 0 {
		t.Error("the menu is still open")
	}
}

const sectionFields = `[...document.querySelectorAll("#dialog [name=section]")].filter(e => e.checkVisibility({contentVisibilityAuto: true})).length`

func TestTheGroupsOfAList(t *testing.T) {
	each(t, func(d *desk) {
		id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "A quale ufficio devo rivolgermi?")
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		form := url.Values{"mode": {"offer"}, "kind": {"list"}, "text": {"Quale?"}, "button": {"Scegli"}, "choice": {"Anagrafe", "", "Scuola"}, "description": {"", "", ""}}
		send := func(draft string, sections ...string) answer {
			form.Set("draft", draft)
			form["section"] = sections
			return b.post(conversationPath(id, "/messages"), form, byScript)
		}
		under := func() (out []string) {
			for _, c := range b.message(d.rimini, db.FormatID(id), conversation.Out).Detail.Interactive.Choices {
				out = append(out, c.Section)
			}
			return out
		}
		send("d1", "Piano terra", "Primo piano", "").want(http.StatusOK)
		if got := under(); !slices.Equal(got, []string{"", ""}) {
			t.Errorf("nobody wanted groups, and the rows are under %q", got)
		}
		form.Set("sections", "on")
		send("d2", "", "", "Primo piano").want(http.StatusUnprocessableEntity).contains("titolo di un gruppo")
		send("d3", "Piano terra", "Primo piano", "").want(http.StatusOK)
		if got := under(); !slices.Equal(got, []string{"Piano terra", "Primo piano"}) {
			t.Errorf("the rows are under %q", got)
		}
	})
}
