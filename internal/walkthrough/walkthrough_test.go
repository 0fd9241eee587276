// SPDX-License-Identifier: AGPL-3.0-or-later

// Package walkthrough does what the README tells a newcomer to do, with the program as it is built and a
// real browser, so that the README stays true. Its pictures are those of the README (scripts/screenshots.sh).
package walkthrough

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
)

func TestReadme(t *testing.T) {
	demo := startDemo(t)

	maria := browsertest.Open(t)
	maria.Go(demo.phones)
	maria.Click("#new-citizen")
	maria.Fill("#new-phone", "+39 347 555 0142")
	maria.Fill("#new-name", "Maria Bianchi")
	maria.Click("#new-save")
	maria.WaitText("#mine", "Maria Bianchi")
	maria.Select("#number", demo.number(t, maria, "Rimini"))
	maria.WaitFor("#phone-messages[data-loaded]")
	maria.Fill("#phone-text", "C'è una buca in via Garibaldi 12")
	maria.Click("#phone-send")
	maria.WaitText(`#phone-messages [data-direction="in"]`, "C'è una buca in via Garibaldi 12")
	maria.Click("#phone-attach")
	maria.Click("#attach-photo")
	maria.WaitFor(`#phone-messages [data-type="image"] img`)
	maria.Axe()

	anna := browsertest.Open(t)
	anna.Go(demo.desk)
	anna.Fill(`input[name="email"]`, demo.operator.email)
	anna.Fill(`input[name="password"]`, demo.operator.password)
	anna.Click(`button[type="submit"]`)
	anna.WaitText("#rows li:first-child", "Maria Bianchi")
	anna.Click("#rows li:first-child .row-link")
	anna.WaitText("#messages", "C'è una buca in via Garibaldi 12")
	anna.WaitFor("#messages img")
	anna.Axe()
	anna.Click(`[data-act="take"]`)
	anna.WaitText("#thread-head", "la segui tu")
	anna.WaitText(`[data-act="resolve"]`, "Risolvi")
	anna.WaitText("#rows li:first-child", "tua")
	anna.Screenshot("desk")
	maria.WaitText(`#phone-messages [data-type="image"]`, "letto dal Comune")
	maria.Screenshot("phone")

	answer := "Grazie Maria, la squadra passa domani mattina."
	anna.Fill("#text", answer)
	anna.Click(".composer-send")
	maria.WaitText(`#phone-messages [data-direction="out"]`, answer)
	anna.WaitText("#messages .group-out:last-of-type", "letto")
	anna.Screenshot("answered")

	maria.Viewport(360, 740)
	maria.Axe()
	anna.Viewport(360, 740)
	anna.Axe()
}
