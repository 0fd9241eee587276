// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// An operator asks with buttons; the citizen taps one on the phone, and the tap shows in the thread under its question.
func TestButtonsFromTheDeskToThePhone(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.start()
	in.writes(map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, map[string]any{"text": "Vorrei un appuntamento"})
	desk := in.signIn("anna@prova.example", "Anna Fabbri", "operator")
	desk.Click("#rows a")
	desk.WaitText("#messages", "Vorrei un appuntamento")
	desk.Click(".composer-tools .menu summary")
	desk.Click(".composer-tools .menu-list [hx-get$='/offer/buttons']")
	desk.WaitFor("#dialog[open] [name=choice]")
	desk.Axe()
	desk.Screenshot("offer-buttons")
	desk.Fill("#dialog [name=text]", "Le va bene giovedì?")
	desk.Click("#dialog .form-acts [type=submit]")
	desk.WaitFor("#dialog[open] [name=choice]:invalid") // a button is wanted
	desk.Fill("#dialog [name=choice]", "Sì, giovedì")
	desk.Click("#dialog .form-acts [type=submit]")
	desk.WaitGone("#dialog[open]")
	desk.WaitText("#messages .taps", "Sì, giovedì")
	desk.Screenshot("offer-sent")
	phone := browsertest.Open(t)
	phone.Go(in.simulator.URL + "/?citizen=" + url.QueryEscape(citizenPhone) + "&number=" + in.phoneNumberID)
	phone.WaitFor("#phone-messages[data-loaded]")
	phone.WaitText("#phone-messages", "Le va bene giovedì?")
	phone.Click("#phone-messages [data-action=button]")
	desk.WaitText("#messages .choice", "Sì, giovedì")
	desk.WaitText("#messages .bubble-in .quote", "Le va bene giovedì?")
	desk.Axe()
	desk.Screenshot("offer-thread")
	phone.Close()
	desk.Close()
	in.stop()
}

// Each dialog of the menu, and that of the templates with something above them, is accessible and fits a phone.
func TestDialogsOfWhatGoesOut(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.try("", "apply", in.file("prova.yaml", strings.Replace(testFile, "{id: urp, name: URP}", `{id: urp, name: URP, address: "Piazza Cavour 27", phones: ["0541 704704"], email: urp@prova.example}`, 1))).want(t, 0)
	in.approved("mappa_dei_lavori", "POSITIONAL", `[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}},{"type":"BODY","text":"Lavori in {{1}}: ecco la mappa della zona.","example":{"body_text":[["via Roma"]]}},{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Grazie"}]}]`)
	in.approved("punto_di_raccolta", "POSITIONAL", `[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"Il punto di raccolta è qui."}]`)
	in.start()
	in.knows(4)
	in.writes(map[string]any{"phone": citizenPhone, "name": "Maria Bianchi"}, map[string]any{"text": "Vorrei un appuntamento"})
	desk := in.signIn("anna@prova.example", "Anna Fabbri", "operator")
	desk.Click("#rows a")
	desk.WaitText("#messages", "Vorrei un appuntamento")
	for name, size := range map[string][2]int64{"wide": {1366, 768}, "narrow": {360, 740}} {
		desk.Viewport(size[0], size[1])
		desk.Click(".composer-tools .menu summary")
		desk.Screenshot("menu-" + name)
		desk.Click(".composer-tools .menu summary")
		for _, kind := range []string{"buttons", "list", "link", "location", "phone", "card"} {
			desk.Click(".composer-tools .menu summary")
			desk.Click(".composer-tools .menu-list [hx-get$='/offer/" + kind + "']")
			desk.WaitFor("#dialog[open] h2")
			desk.Axe()
			desk.Until("fit", `document.querySelector("#dialog").scrollWidth <= innerWidth`)
			desk.Screenshot("offer-" + kind + "-" + name)
			desk.Click("#dialog .dialog-head button")
			desk.WaitGone("#dialog[open]")
		}
		desk.Click(".composer-tools [hx-get$='/templates']")
		for _, template := range []string{"mappa_dei_lavori", "punto_di_raccolta"} {
			desk.WaitFor("#dialog[open] h2")
			desk.Click("#dialog details:has([name=template][value=" + template + "]) summary")
			desk.WaitFor("#dialog [name=template][value=" + template + "] ~ .form-acts")
			desk.Axe()
			desk.Screenshot("template-" + template + "-" + name)
		}
		desk.Click("#dialog .dialog-head button")
		desk.WaitGone("#dialog[open]")
	}
	desk.Close()
	in.stop()
}

// Who writes a broadcast is asked for the photo of its template, and sees it above the text once the draft is saved.
func TestPhotoAboveABroadcast(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["sqlite"])
	in.try("", "apply", in.file("prova.yaml", listsFile)).want(t, 0)
	in.approved("mappa", "POSITIONAL", `[{"type":"HEADER","format":"IMAGE","example":{"header_handle":["4::a"]}},{"type":"BODY","text":"Ecco la mappa dei lavori."}]`)
	in.start()
	in.knows(3)
	in.control(http.MethodPost, "citizens", map[string]any{"phone": anna, "name": "Anna"}, nil)
	in.asks(anna, "ISCRIZIONE ON PUBBLICAUTILITA")
	photo := filepath.Join(t.TempDir(), "mappa.jpg")
	if err := os.WriteFile(photo, mapPhoto(t), 0o600); err != nil {
		t.Fatal(err)
	}
	desk := in.signIn("sara@prova.example", "Sara Conti", "supervisor")
	desk.Go(in.url + "/desk/" + in.slug + "/broadcasts/new")
	desk.Click("[name=list][value=PUBBLICAUTILITA]")
	desk.Select("[name=template]", "mappa/it")
	desk.WaitText("#preview .phone-above", "Foto in testa")
	desk.Upload("#above", photo)
	desk.Axe()
	desk.Screenshot("compose-empty")
	desk.Click("#compose [name=act][value=save]")
	desk.WaitFor("#preview .phone-picture")
	desk.WaitText("#above-hint", "mappa.jpg")
	desk.Axe()
	desk.Screenshot("compose-wide")
	desk.Viewport(360, 740)
	desk.Until("fit", `document.documentElement.scrollWidth <= innerWidth`)
	desk.Screenshot("compose-narrow")
	desk.Close()
	in.stop()
}
