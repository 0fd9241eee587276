// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// enter signs somebody of rimini's desk in, in a browser of their own.
func (d *desk) enter(first string) *browsertest.Page {
	d.Helper()
	p := browsertest.Open(d.T)
	p.Prefer("prefers-reduced-motion", "reduce")
	p.Go(d.server.URL + "/desk/rimini")
	p.Fill("[name=email]", first+"@rimini.example")
	p.Fill("[name=password]", password)
	p.Click("[type=submit]")
	p.WaitFor("#list")
	return p
}

// talking is a desk where a citizen has written, and one of its operators in a browser.
func talking(t *testing.T, text string) (d *desk, luca staff.Actor, id int64, p *browsertest.Page) {
	t.Helper()
	d = newDesk(t, dbtest.SQLite(t))
	luca = d.hire(d.rimini, "Luca Neri", staff.Operator)
	id = d.writes(d.rimini, "Maria Bianchi", "393471234567", text)
	return d, luca, id, d.enter("luca")
}

func row(id int64) string { return "#row-" + db.FormatID(id) + " a" }

func TestTwoOperatorsAndALiveConversation(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Luca Neri", staff.Operator)
	d.hire(d.rimini, "Anna Fabbri", staff.Operator)
	luca, anna := d.enter("luca"), d.enter("anna")

	id := d.writes(d.rimini, "Maria Bianchi", "393471234567", "C’è una buca in via Garibaldi 12")
	for _, p := range []*browsertest.Page{luca, anna} {
		p.WaitText("#rows", "Maria Bianchi") // without a reload
		p.Axe()
		p.Click(row(id))
		p.WaitText("#messages", "C’è una buca in via Garibaldi 12")
		p.Until("put the focus on the conversation", `document.activeElement.id === "thread-title"`)
		p.Axe()
	}

	luca.Press("r")
	luca.Until("go to the text", `document.activeElement.id === "text"`)
	luca.Fill("#text", "Grazie, ci manda una foto?")
	luca.Press(kb.Enter)
	luca.WaitText("#messages", "in coda")
	luca.Until("empty the text", `document.getElementById("text").value === ""`)
	luca.Until("keep the focus in the text", `document.activeElement.id === "text"`)
	luca.WaitText("#thread-head", "la segui tu")
	if got := d.outgoing(id); !slices.Equal(got, []string{"Grazie, ci manda una foto?"}) {
		t.Errorf("sent %q", got)
	}

	anna.WaitText("#messages", "Grazie, ci manda una foto?")
	anna.WaitText("#composer-state", "La segue Luca Neri")
	if anna.Count(".composer-send:not([hidden])") > 0 && browsertest.Eval[bool](anna, `document.querySelector(".composer-send").offsetParent !== null`) {
		t.Error("a second operator can send")
	}
	anna.Axe()
	anna.Press("n")
	anna.Fill("#text", "Ho già avvisato la squadra")
	anna.Press(kb.Enter)
	luca.WaitText("#messages", "Ho già avvisato la squadra")

	d.settle(id, conversation.Read)
	luca.WaitText("#messages", "letto")
	luca.Screenshot("desk-conversation")
}

// settle moves all messages to the citizen of a conversation to a state, as webhooks would.
func (d *desk) settle(id int64, to conversation.Status) {
	d.Helper()
	c := d.get(id)
	d.update(func(ctx context.Context, tx *db.Tx) error {
		thread, err := conversation.LoadThread(ctx, tx, d.rimini.ID, c.ContactID, c.Number, conversation.Position{}, 100)
		if err != nil {
			return err
		}
		var changes []conversation.Change
		for _, m := range thread.Messages {
			if m.Direction == conversation.Out {
				changes = append(changes, conversation.Change{Number: c.Number, MessageID: m.ID, ExternalID: "wamid." + db.FormatID(m.ID), Status: to, At: tx.Now()})
			}
		}
		_, err = conversation.ApplyStatuses(ctx, tx, d.rimini.ID, changes)
		return err
	})
}

func TestADraftSurvivesTheTab(t *testing.T) {
	d, _, id, p := talking(t, "Buongiorno")
	p.Click(row(id))
	p.WaitFor("#text")
	p.Type("#text", "Gentile signora")
	p.WaitText("#draft-state", "bozza salvata")
	if typed := <-d.typed; typed == 0 {
		t.Error("the citizen is not shown that somebody writes")
	}

	d.writes(d.rimini, "Maria Bianchi", "393471234567", "Ci siete?")
	p.WaitText("#messages", "Ci siete?")
	if got := p.Value("#text"); got != "Gentile signora" {
		t.Errorf("a new message changed the text to %q", got)
	}
	if !p.Focused("#text") {
		t.Error("a new message took the focus")
	}
	p.Go(d.server.URL + "/desk/rimini" + conversationPath(id, ""))
	if got := p.Value("#text"); got != "Gentile signora" {
		t.Errorf("after opening the page again the text is %q", got)
	}
}

// Quoting starts a reply, but not with what was written for colleagues.
func TestANoteDoesNotBecomeAReply(t *testing.T) {
	_, _, id, p := talking(t, "Buongiorno")
	p.Click(row(id))
	p.WaitFor("#text")
	p.Press("n")
	p.Until("write a note", `document.querySelector('[name="mode"]:checked').value === "note"`)
	p.Type("#text", "È la solita.")
	browsertest.Eval[bool](p, `(document.querySelector("#messages [data-quote]").click(), true)`)
	p.WaitText("#draft-state", "aggiungi prima la nota")
	if mode := browsertest.Eval[string](p, `document.querySelector('[name="mode"]:checked').value`); mode != "note" {
		t.Errorf("the note became a %s", mode)
	}
}

func TestNothingMovesUnderAHand(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Luca Neri", staff.Operator)
	maria := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
	p := d.enter("luca")
	p.WaitFor(row(maria))
	p.Press("j")
	p.Until("put the focus in the list", `document.activeElement.closest("#list") !== null`)
	d.writes(d.rimini, "Luca Verdi", "393470000002", "Nuovo")
	p.WaitFor("#list-fresh")
	if p.Count("#rows .row") != 1 {
		t.Error("the list changed under the focus")
	}
	browsertest.Eval[bool](p, `(document.activeElement.blur(), true)`)
	p.WaitText("#rows", "Luca Verdi")
}

func TestReadingBackIsNotDisturbed(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Luca Neri", staff.Operator)
	var texts []string
	for range 60 {
		texts = append(texts, "Una riga fra molte")
	}
	id := d.writes(d.rimini, "Maria Bianchi", "393471234567", texts...)
	p := d.enter("luca")
	p.Click(row(id))
	p.WaitFor("#scroll")
	p.Until("begin at the newest message", `(s => s.scrollTop > 0 && s.scrollHeight - s.scrollTop - s.clientHeight < 2)(document.getElementById("scroll"))`)
	shown := p.Count("#messages .bubble")
	p.Click("[data-earlier]")
	p.Until("show earlier messages", `document.querySelectorAll("#messages .bubble").length > `+db.FormatID(int64(shown)))
	browsertest.Eval[bool](p, `(document.getElementById("scroll").scrollTop = 200, true)`)
	d.writes(d.rimini, "Maria Bianchi", "393471234567", "La più nuova")
	p.WaitText("#jump", "1 nuovo messaggio")
	if top := browsertest.Eval[float64](p, `document.getElementById("scroll").scrollTop`); top != 200 {
		t.Errorf("a new message moved what is read to %v", top)
	}
	p.Click("#jump")
	p.WaitGone("#jump")
}

func TestByKeyboardAlone(t *testing.T) {
	_, _, id, p := talking(t, "Grazie di tutto!")
	p.WaitFor(row(id))
	p.Press("j")
	p.Press(kb.Enter)
	p.WaitFor("#thread-title")
	p.Until("put the focus on the conversation", `document.activeElement.id === "thread-title"`)
	p.Press("t")
	p.WaitText("#thread-head", "la segui tu")
	p.Press("i")
	p.WaitFor("#dialog .kind")
	p.Axe()
	p.Press("r")
	p.WaitGone("#dialog")
	p.WaitText("#thread-head", "Segnalazione")
	p.Press("e")
	p.WaitText("#dialog", "Risolvi senza rispondere")
	p.Axe()
	p.Press(" ")
	p.Click("#dialog [type=submit].btn-primary")
	p.WaitGone("#dialog")
	p.WaitText("#thread-head", "risolta")
	p.Press("?")
	p.WaitFor("#help")
	p.Axe()
	p.Press(kb.Escape)
	p.WaitGone("#help")
	p.Press("/")
	p.Until("go to the search", `document.activeElement.id === "search"`)
	p.Fill("#search", "grazie")
	p.Press(kb.Enter)
	p.WaitText("main", "Risultati per «grazie»")
	p.Axe()
}

func TestOnAPhone(t *testing.T) {
	_, _, id, p := talking(t, "Buongiorno")
	p.Viewport(360, 740)
	p.Axe()
	p.Click(row(id))
	p.WaitText("#messages", "Buongiorno")
	if wide := browsertest.Eval[float64](p, `document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("the page is %v pixels wide", wide)
	}
	p.Axe()
	p.Click("#thread-menu summary")
	p.Click("#thread-menu [data-toggle=citizen]")
	p.WaitText("#citizen", "+39 347 123 4567")
	p.Axe()
	p.Click(".citizen-close")
	p.Click(".back")
	p.WaitFor(row(id))
}

// An outage is told, and what is on the page afterwards is what is committed.
func TestOfflineAndBack(t *testing.T) {
	d, _, id, p := talking(t, "Buongiorno")
	p.AllowConsole("ERR_INTERNET_DISCONNECTED", "htmx:sendError", "htmx:afterRequest")
	p.Click(row(id))
	p.WaitFor("#text")
	p.Offline(true)
	p.WaitFor("#offline")
	d.writes(d.rimini, "Maria Bianchi", "393471234567", "Mentre eri via")
	p.Offline(false)
	p.WaitGone("#offline")
	p.WaitText("#messages", "Mentre eri via")
}

// A session that ends while somebody writes costs no word.
func TestAnEndedSessionCostsNoWord(t *testing.T) {
	d, luca, id, p := talking(t, "Buongiorno")
	p.AllowConsole("401", "htmx:", "[object Event]")
	p.Click(row(id))
	p.WaitFor("#text")
	d.update(func(ctx context.Context, tx *db.Tx) error { // which ends what is open
		if err := staff.Disable(ctx, tx, staff.System("cli"), d.rimini.ID, luca.ID); err != nil {
			return err
		}
		return staff.Enable(ctx, tx, staff.System("cli"), d.rimini.ID, luca.ID)
	})
	p.Fill("#text", "Una risposta lunga e curata")
	p.WaitText("#alerts", "La sessione è scaduta")
	again := p.Tab()
	again.Go(d.server.URL + "/desk/rimini/sign-in")
	again.Fill("[name=email]", "luca@rimini.example")
	again.Fill("[name=password]", password)
	again.Click("[type=submit]")
	again.WaitFor("#list")
	if got := p.Value("#text"); got != "Una risposta lunga e curata" {
		t.Errorf("the text is %q", got)
	}
	p.Click(".composer-send")
	p.WaitText("#messages", "Una risposta lunga e curata")
}

// A first visit, fonts and scripts included, is light, and the next page lighter.
func TestWeightOfPages(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	for i := range 50 {
		d.writes(d.rimini, "Maria Bianchi", "39347"+db.FormatID(int64(1000000+i)), "C’è una buca in via Garibaldi 12, davanti alla scuola: chi la ripara?")
	}
	b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
	page := len(b.get("/inbox", header{"Accept-Encoding", "gzip"}).want(http.StatusOK).body)
	if page > 30_000 {
		t.Errorf("a page is %d bytes, more than 30 KB", page)
	}
	whole := page
	for _, address := range d.pages.assets.addresses {
		whole += len(b.get("/"+address, header{"Accept-Encoding", "gzip"}).want(http.StatusOK).body)
	}
	if page == 0 || whole == page {
		t.Fatalf("a page of %d bytes, %d with what it loads: the test looks in the wrong place", page, whole)
	}
	if whole > 200_000 {
		t.Errorf("a first page is %d bytes, more than 200 KB", whole)
	}
	t.Logf("first page %d bytes, later pages %d", whole, page)
}

// When a message went out under the composer's id, what is written gets another one and nothing of it is lost.
func TestAUsedDraftGetsAFreshId(t *testing.T) {
	d, luca, id, p := talking(t, "Buongiorno")
	p.AllowConsole("409", "htmx:", "[object Event]")
	p.Click(row(id))
	p.WaitFor("#text")
	p.Type("#text", "Arriviamo")
	p.WaitText("#draft-state", "bozza salvata")
	used := ""
	d.update(func(ctx context.Context, tx *db.Tx) error { // its answer never came back
		draft, err := conversation.GetDraft(ctx, tx, luca, id)
		if err != nil {
			return err
		}
		used = draft.Key
		_, err = conversation.Send(ctx, tx, luca, id, conversation.Outgoing{Type: conversation.TypeText, Text: draft.Text, ClientKey: draft.Key})
		return err
	})
	p.Type("#text", " alle nove")
	p.Until("a fresh id", `document.querySelector('#composer [name="draft"]').value !== "`+used+`"`)
	p.WaitText("#draft-state", "bozza salvata")
	p.Click(".composer-send")
	p.Until("an empty composer", `document.getElementById("text").value === ""`)
	if got := d.outgoing(id); len(got) != 2 || got[1] != "Arriviamo alle nove" {
		t.Errorf("sent %q", got)
	}
}
