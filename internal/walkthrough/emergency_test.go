// SPDX-License-Identifier: AGPL-3.0-or-later

package walkthrough

import (
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
)

// From a keyword on three phones to an emergency by four eyes that arrives on each of them, and to the figures.
func TestAnEmergencyFromKeywordToFigures(t *testing.T) {
	demo := startDemo(t)
	phones := []*browsertest.Page{
		demo.phone(t, "+39 347 555 0201", "Rosa Galli", "ISCRIZIONE ON #EMERGENZE"),
		demo.phone(t, "+39 347 555 0202", "Ugo Serra", "iscrizione on emergenze."),
		demo.phone(t, "+39 347 555 0203", "Ines Poli", "Buongiorno, Iscrizione ON #Emergenze grazie 🙏"),
	}
	for _, p := range phones {
		p.WaitText(`#phone-messages [data-direction="out"]`, "Iscrizione riuscita")
	}
	phones[0].Screenshot("phone-subscribed")

	giulia, paolo := demo.signIn(t, "giulia"), demo.signIn(t, "paolo")
	giulia.Go(demo.desk + "/broadcasts")
	giulia.WaitText("#main", "Nuovo avviso")
	giulia.Axe()
	giulia.Screenshot("broadcasts")
	giulia.Go(demo.desk + "/broadcasts/new")
	giulia.Click(`[name=list][value=EMERGENZE]`)
	giulia.WaitText("#preview-count", "persone")
	giulia.Select("[name=template]", "allerta_arancione/it")
	giulia.WaitFor("#blank-evento")
	for id, text := range map[string]string{"#blank-evento": "temporali forti", "#blank-zona": "tutto il territorio", "#blank-periodo": "dalle 20 di oggi", "#blank-link": "https://www.comune.rimini.it/allerta"} {
		giulia.Type(id, text)
	}
	giulia.WaitText("#preview", "Allerta meteo arancione per temporali forti")
	giulia.Axe()
	giulia.Screenshot("compose")
	giulia.Click("[value=continue]")
	giulia.WaitText("#broadcast", "Chiedi approvazione")
	giulia.Click("#act-submit")
	giulia.WaitFor("#dialog .btn-primary")
	giulia.Click("#dialog .btn-primary")
	giulia.WaitText("#broadcast", "Hai scritto tu questa emergenza")

	paolo.WaitText("#banners", "Giulia Conti chiede di approvare un’emergenza")
	paolo.Go(giulia.URL())
	paolo.WaitText("#broadcast", "Giulia Conti chiede la tua approvazione")
	paolo.Screenshot("approve")
	paolo.Click("#act-approve")
	paolo.WaitFor("#dialog .btn-primary")
	paolo.Click("#dialog .btn-primary")

	for _, p := range phones {
		p.WaitText(`#phone-messages [data-direction="out"]:last-of-type`, "Allerta meteo arancione per temporali forti")
	}
	phones[2].Screenshot("phone-emergency")
	giulia.WaitText("#broadcast .cast-state", "concluso")
	giulia.Axe()
	giulia.Screenshot("broadcast")

	giulia.Go(demo.desk + "/figures")
	giulia.WaitText("#main", "Avvisi inviati")
	giulia.Axe()
	giulia.Screenshot("figures")
	giulia.Go(demo.desk + "/lists")
	giulia.WaitText("#main", "Emergenze")
	giulia.Axe()
	giulia.Screenshot("lists")

	phones[0].Type("#phone-text", "stop")
	phones[0].Click("#phone-send")
	phones[0].WaitText(`#phone-messages [data-direction="out"]:last-of-type`, "non ricevi più")
}

// phone is the telephone of a new citizen who writes to Rimini.
func (d *demo) phone(t *testing.T, number, name, text string) *browsertest.Page {
	t.Helper()
	p := browsertest.Open(t)
	p.Go(d.phones)
	p.Click("#new-citizen")
	p.Fill("#new-phone", number)
	p.Fill("#new-name", name)
	p.Click("#new-save")
	p.WaitText("#mine", name)
	p.Select("#number", d.number(t, p, "Rimini"))
	p.WaitFor("#phone-messages[data-loaded]")
	p.Fill("#phone-text", text)
	p.Click("#phone-send")
	return p
}

// signIn is the browser of a colleague of the operator that the demo named.
func (d *demo) signIn(t *testing.T, who string) *browsertest.Page {
	t.Helper()
	_, domain, _ := strings.Cut(d.operator.email, "@")
	p := browsertest.Open(t)
	p.Go(d.desk)
	p.Fill(`input[name="email"]`, who+"@"+domain)
	p.Fill(`input[name="password"]`, d.operator.password)
	p.Click(`button[type="submit"]`)
	p.WaitFor("#rows li")
	return p
}
