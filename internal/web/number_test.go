// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/browsertest"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// photoField marks a form of the rules that is sent with a photo instead.
const photoField = "@photo"

// ---- the things that rules are about

func inUseNumber(_ *browser, m *municipality.Municipality) things {
	return things{m.Numbers[0].PhoneNumberID}
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func pictured(b *browser, m *municipality.Municipality) things {
	b.Helper()
	acc, file := m.Numbers[0].Account(), photo(b.T)
	handle, err := b.meta.Client.Upload(b.Context(), acc, "stemma.jpg", "image/jpeg", int64(len(file)), bytes.NewReader(file))
	b.must(err)
	b.must(b.meta.Client.SetProfilePicture(b.Context(), acc, handle))
	return inUseNumber(b, m)
}

// shortLinked is a number with a link of it.
func shortLinked(b *browser, m *municipality.Municipality) things {
	b.Helper()
	l, err := b.meta.Client.SaveLink(b.Context(), m.Numbers[0].Account(), "", "LISTE")
	b.must(err)
	return things{m.Numbers[0].PhoneNumberID + "/links/" + l.Code}
}

// added is a number that is new in the account.
func added(b *browser, m *municipality.Municipality) things {
	b.Helper()
	id, err := b.meta.Client.AddNumber(b.Context(), m.Numbers[0].Account(), "39", "0541"+db.FormatID(int64(100000+b.desk.db.IDs.New()%899999)), m.Name)
	b.must(err)
	return things{id}
}

func (b *browser) newNumber(m *municipality.Municipality, id string) whatsapp.Account {
	acc := m.Numbers[0].Account()
	acc.PhoneNumberID = id
	return acc
}

func asked(b *browser, m *municipality.Municipality) things {
	b.Helper()
	made := added(b, m)
	b.must(b.meta.Client.RequestCode(b.Context(), b.newNumber(m, made.id), whatsapp.ByVoice, "it"))
	return made
}

func verified(b *browser, m *municipality.Municipality) things {
	b.Helper()
	made := asked(b, m)
	b.must(b.meta.Client.VerifyCode(b.Context(), b.newNumber(m, made.id), "123456"))
	return made
}

// ---- the pages

func (d *desk) administrator() *browser {
	d.Helper()
	return d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
}

const ours = "/settings/numbers/100001"

func TestProfileOfANumber(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.administrator()
		office := d.rimini.File.Offices[0]
		ada.get("/settings/numbers").want(http.StatusOK).contains("Gestisci il numero", "Registra un numero")
		ada.get(ours+"/profile").want(http.StatusOK).contains("compilati con i dati del file", office.Email, "Comune di Rimini")
		ada.post(ours+"/profile", url.Values{"about": {strings.Repeat("è", 140)}, "email": {"urp@comune.example"}}).want(http.StatusUnprocessableEntity).contains("al massimo 139 caratteri", "urp@comune.example")
		ada.post(ours+"/profile", url.Values{"about": {"Sportello"}, "website": {"www.comune.example"}}).want(http.StatusUnprocessableEntity).contains("con https:// davanti")
		ada.post(ours+"/profile", url.Values{"about": {"Sportello"}, "email": {"urp@comune.example"}, "website": {"https://www.comune.example", ""}, "vertical": {"GOVT"}}).want(http.StatusSeeOther)
		p, err := d.meta.Client.BusinessProfile(d.Context(), d.rimini.Numbers[0].Account())
		if err != nil || p.About != "Sportello" || p.Vertical != "GOVT" || len(p.Websites) != 1 || p.Address != "" {
			t.Errorf("Meta has %+v, error %v", p, err)
		}
		ada.get(ours+"/profile?saved=1").want(http.StatusOK).contains("Fatto", "https://www.comune.example")

		ada.upload(ours+"/picture", nil, map[string][]byte{"x.jpg": []byte("nessuna immagine")}).want(http.StatusUnprocessableEntity).contains("JPEG o PNG")
		ada.upload(ours+"/picture", nil, map[string][]byte{"x.jpg": make([]byte, 6<<20)}).want(http.StatusRequestEntityTooLarge)
		ada.upload(ours+"/picture", nil, map[string][]byte{"stemma.jpg": photo(t)}).want(http.StatusSeeOther)
		if a := ada.get(ours + "/picture").want(http.StatusOK); a.header.Get("Content-Type") != "image/jpeg" || a.body != string(photo(t)) {
			t.Errorf("the picture is %s of %d bytes", a.header.Get("Content-Type"), len(a.body))
		}
	})
}

func TestSwitchesOfANumber(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.administrator()
		ada.get(ours).want(http.StatusOK).contains("collegato", "Comune di Rimini", "80 messaggi al secondo", "senza limite", "Germania", "comune.di.rimini")
		ada.post(ours+"/identity", url.Values{"on": {"true"}}).want(http.StatusSeeOther)
		ada.get(ours).contains("Disattiva")
		ada.post(ours+"/pin", url.Values{"pin": {"12345"}}).want(http.StatusUnprocessableEntity).contains("Il PIN ha sei cifre")
		ada.post(ours+"/pin", url.Values{"pin": {"135790"}}).want(http.StatusSeeOther)
		ada.get(ours).contains("impostato").lacks("135790")
		ada.post(ours+"/username", url.Values{"username": {"comune.it"}}).want(http.StatusUnprocessableEntity).contains("come un indirizzo web", `value="comune.it"`)
		ada.post(ours+"/username", url.Values{"username": {"@Comune.Rimini"}}).want(http.StatusSeeOther)
		ada.get(ours).contains("@comune.rimini", "Lascia il nome")
		piera := d.signedIn(d.pistoia, d.hire(d.pistoia, "Piera Verdi", staff.Administrator))
		piera.post("/settings/numbers/100002/username", url.Values{"username": {"comune.rimini"}}).want(http.StatusUnprocessableEntity).contains("non è disponibile (errore 147001)")
		ada.post(ours+"/username", url.Values{"do": {"give_up"}}).want(http.StatusSeeOther)
		ada.get(ours).lacks("@comune.rimini")
		for _, w := range append(d.trail(d.rimini), d.trail(d.pistoia)...) {
			if strings.Contains(w.all, "135790") {
				t.Errorf("the trail has the PIN: %s", w.all)
			}
		}
		if strings.Contains(d.log.String(), "135790") {
			t.Error("the log has the PIN")
		}
	})
}

// What is proposed is understood when it comes back as a message.
func TestSuggestionsAreUnderstood(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.administrator()
		ada.get(ours+"/suggestions").want(http.StatusOK).contains("ISCRIZIONE ON EMERGENZE", "proposte fatte dalle liste")
		grammar := broadcast.NewGrammar(d.rimini.File)
		proposed := proposedSuggestions(&visit{municipality: d.rimini})
		for _, p := range proposed.Prompts {
			if _, ok := grammar.Parse(p); !ok {
				t.Errorf("the question %q is not understood", p)
			}
		}
		for _, c := range proposed.Commands {
			if _, ok := grammar.Parse("/" + c.Name); !ok {
				t.Errorf("the command /%s is not understood", c.Name)
			}
		}
		if what, which := proposed.Problem(); what != "" || len(proposed.Prompts) < 2 || len(proposed.Commands) < 1 {
			t.Errorf("%+v: %s %s", proposed, what, which)
		}
		ada.post(ours+"/suggestions", url.Values{"prompt": {strings.Repeat("x", 81)}}).want(http.StatusUnprocessableEntity).contains("80 caratteri al massimo")
		ada.post(ours+"/suggestions", url.Values{"command": {"le liste"}, "hint": {"x"}}).want(http.StatusUnprocessableEntity).contains("una parola sola")
		ada.post(ours+"/suggestions", url.Values{"prompt": {"LISTE", ""}, "command": {"/Liste", ""}, "hint": {"Le mie iscrizioni", ""}}).want(http.StatusSeeOther)
		s, err := d.meta.Client.Suggestions(d.Context(), d.rimini.Numbers[0].Account())
		if err != nil || len(s.Prompts) != 1 || len(s.Commands) != 1 || s.Commands[0] != (whatsapp.Command{Name: "liste", Hint: "Le mie iscrizioni"}) {
			t.Errorf("Meta has %+v, error %v", s, err)
		}
	})
}

func TestShortLinks(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.administrator()
		ada.get(ours + "/links").want(http.StatusOK).contains("Emergenze: ISCRIZIONE ON EMERGENZE")
		ada.post(ours+"/links", url.Values{}).want(http.StatusUnprocessableEntity).contains("da 1 a 140 caratteri")
		ada.post(ours+"/links", url.Values{"list": {"ISCRIZIONE ON EMERGENZE"}}).want(http.StatusSeeOther)
		links, err := d.meta.Client.Links(d.Context(), d.rimini.Numbers[0].Account())
		if err != nil || len(links) != 1 {
			t.Fatalf("links %v, error %v", links, err)
		}
		code := links[0].Code
		ada.get(ours+"/links").contains(links[0].Address, `class="code"`)
		ada.get(ours + "/links/" + code + "/code.svg").want(http.StatusOK).contains("<svg")
		ada.get(ours + "/links/NONE/code.svg").want(http.StatusNotFound)
		ada.post(ours+"/links", url.Values{"code": {code}, "text": {"LISTE"}}).want(http.StatusSeeOther)
		ada.get(ours + "/links").contains("LISTE")
		ada.post(ours+"/links", url.Values{"code": {code}, "do": {"delete"}}).want(http.StatusSeeOther)
		ada.get(ours + "/links").lacks(links[0].Address)
	})
}

// A token that Meta no longer takes is told on every page, with what to do.
func TestPagesOfANumberWithoutMeta(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.administrator()
		d.meta.Control(d.T, http.MethodPut, "faults", map[string]any{"broken": []any{map[string]any{"kind": "garbage", "path": "*"}}}, nil)
		for _, page := range []string{ours, ours + "/links"} {
			ada.get(page).want(http.StatusOK).contains("non ha dato una risposta chiara")
		}
		for _, page := range []string{ours + "/profile", ours + "/suggestions"} {
			ada.get(page).want(http.StatusServiceUnavailable).contains("non ha dato una risposta chiara")
		}
		ada.get("/settings/registration").want(http.StatusOK).contains("non ha dato una risposta chiara")
	})
}

func TestRegisteringALandline(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.administrator()
		add := url.Values{"account": {"200001"}, "phone": {"05 41"}, "name": {"Comune di Rimini"}}
		ada.post("/settings/registration", add).want(http.StatusUnprocessableEntity).contains("non è un numero di telefono in uso", "05 41")
		add.Set("account", "200002") // Pistoia's
		ada.post("/settings/registration", add).want(http.StatusNotFound)
		add.Set("account", "200001")
		add.Set("phone", "0541 704704")
		to := ada.post("/settings/registration", add).want(http.StatusSeeOther).header.Get("Location")
		step := strings.TrimPrefix(to, "/desk/rimini")
		ada.get(step).want(http.StatusOK).contains("Chiamata vocale", "+39 0541 704704")
		add.Set("phone", "+39 0541 70 47 04")
		ada.post("/settings/registration", add).want(http.StatusConflict).contains("è già nell’account 200001", "+39 0541 70 47 04", step)
		add.Set("phone", "0573 371500") // of an account that Rimini doesn't see
		ada.post("/settings/registration", add).want(http.StatusUnprocessableEntity).contains("errore 100", "già usato altrove").lacks("200002")
		ada.post(step+"/register", url.Values{"pin": {"246810"}}).want(http.StatusUnprocessableEntity).contains("errore 133006")
		ada.post(step+"/code", url.Values{"method": {"voice"}}).want(http.StatusSeeOther)
		ada.get(step + "?asked=voice").contains("Meta chiama adesso +39 0541 704704")
		ada.get(step).contains("Ho già il codice") // left and come back
		ada.post(step+"/verify", url.Values{"code": {"12"}, "asked": {"voice"}}).want(http.StatusUnprocessableEntity).contains("Il codice ha sei cifre")
		ada.post(step+"/verify", url.Values{"code": {"000000"}, "asked": {"voice"}}).want(http.StatusUnprocessableEntity).contains("errore 136024", `name="code"`)
		ada.post(step+"/verify", url.Values{"code": {"123 456"}}).want(http.StatusSeeOther)
		ada.get(step).contains("Scegli il PIN", "Solo in Germania")
		ada.post(step+"/register", url.Values{"pin": {"2468"}}).want(http.StatusUnprocessableEntity).contains("Il PIN ha sei cifre")
		ada.post(step+"/register", url.Values{"pin": {"246810"}, "storage": {"DE"}}).want(http.StatusSeeOther)
		id := step[strings.LastIndex(step, "/")+1:]
		ada.get(step).contains("collegato a WhatsApp", id, "waba_id")
		acc := ada.newNumber(d.rimini, id)
		if s, err := d.meta.Client.NumberSettings(d.Context(), acc); err != nil || s.StorageRegion != "DE" {
			t.Errorf("settings %+v, error %v", s, err)
		}
		ada.post(step+"/deregister", url.Values{}).want(http.StatusUnprocessableEntity).contains("Spunta la conferma")
		ada.post(step+"/deregister", url.Values{"sure": {"yes"}}).want(http.StatusSeeOther)
		ada.get(step).contains("Questo numero ha già un PIN")
		ada.post(step+"/register", url.Values{"pin": {"111111"}}).want(http.StatusUnprocessableEntity).contains("errore 133005")
		ada.get("/settings/registration/100002").want(http.StatusNotFound)

		all := d.log.String()
		for _, w := range d.trail(d.rimini) {
			all += w.all
		}
		for _, secret := range []string{"246810", "123456", "111111"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s is in the trail or in the log", secret)
			}
		}
	})
}

// The whole way in a browser, as somebody who sits by the telephone goes it.
func TestRegisteringALandlineInABrowser(t *testing.T) {
	d := newDesk(t, dbtest.SQLite(t))
	d.hire(d.rimini, "Ada Tre", staff.Administrator)
	p := d.enter("ada")
	p.Go(d.server.URL + "/desk/rimini/settings/numbers")
	p.Axe()
	p.Click(`.page-acts a`)
	p.WaitFor(`[name="phone"]`)
	p.Axe()
	p.Screenshot("registration-start")
	p.Fill(`[name="phone"]`, "0541 704704")
	p.Click(`.narrow-form [type="submit"]`)
	p.WaitText(".step-now", "Chiamata vocale")
	p.Axe()
	p.Screenshot("registration-ask")
	p.Click(`.step-now [type="submit"]`)
	p.WaitText(".step-now", "Meta chiama adesso")
	p.Axe()
	p.Fill(`[name="code"]`, "123456")
	p.Click(`.step-now [type="submit"]`)
	p.WaitFor(`[name="pin"]`)
	p.Axe()
	p.Screenshot("registration-pin")
	p.Fill(`[name="pin"]`, "246810")
	p.Click(`.step-now [type="submit"]`)
	p.WaitText(".step-now", "collegato a WhatsApp")
	p.Axe()
	p.Screenshot("registration-done")
	for _, path := range []string{"", "/profile", "/suggestions", "/links"} {
		p.Go(d.server.URL + "/desk/rimini" + ours + path)
		p.WaitFor(".sub-tabs")
		p.Axe()
		p.Screenshot("number" + strings.ReplaceAll(path, "/", "-"))
	}
	p.Viewport(360, 740)
	for name, path := range map[string]string{"registration": "/settings/registration", "number": ours, "suggestions": ours + "/suggestions"} {
		p.Go(d.server.URL + "/desk/rimini" + path)
		p.WaitFor(".line-head")
		p.Axe()
		p.Screenshot("narrow-" + name)
	}
	if wide := browsertest.Eval[bool](p, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Error("the page is wider than the window")
	}
}
