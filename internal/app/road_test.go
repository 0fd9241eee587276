// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

const citizenPhone = "+393471234567"

// The whole road: a citizen writes on the phone page; an operator in another browser sees it come in,
// answers with a quote; the citizen reads it, and the operator sees that.
func TestTheWholeRoad(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address)
			in.start()
			desk := in.signIn("anna@prova.example", "Anna Fabbri", "operator")
			in.control("POST", "citizens", map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, nil)
			phone := browsertest.Open(t)
			phone.Go(in.simulator.URL + "/?citizen=" + url.QueryEscape(citizenPhone) + "&number=" + in.phoneNumberID)
			phone.WaitFor("#phone-messages[data-loaded]")

			phone.Type("#phone-text", "C’è una buca in via Garibaldi 12")
			phone.Click("#phone-send")
			desk.WaitText("#rows", "Maria Bianchi") // without a reload
			desk.Click("#rows a")
			desk.WaitText("#messages", "C’è una buca in via Garibaldi 12")

			attach(phone, "#attach-photo")
			desk.WaitFor("#messages img[src*='/media/']")
			desk.Until("show the photo", `[...document.querySelectorAll("#messages img")].some(i => i.complete && i.naturalWidth > 0)`)
			attach(phone, "#attach-voice")
			desk.WaitText("#messages .voice", "0:03")
			desk.Click("#messages .voice-play")
			desk.Until("play the voice note", `document.querySelector("#messages audio").currentTime > 0`)
			attach(phone, "#attach-place")
			phone.Click("#place-send")
			desk.WaitFor("#messages a[href^='https://www.openstreetmap.org']")
			desk.Axe()
			desk.Screenshot("road-desk")

			desk.Click("#messages .bubble-menu summary")
			desk.Click("#messages .bubble-menu[open] [data-quote]")
			desk.WaitFor("#quoting:not([hidden])")
			desk.Type("#text", "Grazie, mandiamo la squadra.")
			desk.Press(kb.Enter)
			phone.WaitText("#phone-messages", "Grazie, mandiamo la squadra.")
			phone.WaitFor("#phone-messages [data-direction=out] .quoted")
			phone.Screenshot("road-phone")
			desk.WaitText("#messages", "letto")
			desk.Axe()
			desk.Close() // before the server whose stream it holds
			in.stop()
		})
	}
}

func attach(phone *browsertest.Page, what string) {
	phone.Click("#phone-attach")
	phone.Click(what)
}

// signIn gives somebody an account, and a browser in which they have opened the inbox.
func (in *installation) signIn(email, name, role string) *browsertest.Page {
	in.t.Helper()
	const password = "una frase lunga da ricordare"
	in.commandWith(password+"\n", "staff", "add", "--municipality", in.slug, "--email", email, "--name", name, "--role", role)
	p := browsertest.Open(in.t)
	p.Go(in.url + "/desk/" + in.slug)
	p.Fill("[name=email]", email)
	p.Fill("[name=password]", password)
	p.Click("[type=submit]")
	p.WaitFor("#list")
	return p
}
