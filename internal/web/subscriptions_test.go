// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// link is a citizen's page as the chat sends it, from the server's root.
func (d *desk) link(m *municipality.Municipality, contactID int64, lasts time.Duration) string {
	return "//" + m.Slug + "/lists/" + broadcast.LinkToken(d.key, m.ID, contactID, d.db.Now().Add(lasts))
}

func TestTheOwnPageShowsAndChanges(t *testing.T) {
	each(t, func(d *desk) {
		b := d.browser(d.rimini)
		maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
		d.subscribe(d.rimini, broadcast.Change{Contact: maria, Join: []string{"EMERGENZE"}})
		mine := d.link(d.rimini, maria, time.Hour)

		before := len(d.proofs(d.rimini, maria))
		shown := b.get(mine).want(http.StatusOK).contains("Comune di Rimini", "Ora ricevi su WhatsApp: Emergenze.", `value="EMERGENZE" checked`, "Lascia tutto", "titolare del trattamento", "noindex").
			lacks("Maria", "347", `value="PUBBLICAUTILITA" checked`, "<script")
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"} {
			if got := shown.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		b.get(mine + "?do=leave&topic=PUBBLICAUTILITA&key=x&saved=1").want(http.StatusOK)
		if got := d.joined(d.rimini, maria); !slices.Equal(got, []string{"EMERGENZE"}) || len(d.proofs(d.rimini, maria)) != before {
			t.Fatalf("looking changed the lists to %v", got)
		}

		form := url.Values{"key": {shown.find(`name="key" value="([^"]+)"`)}, "do": {"save"}, "was": {"EMERGENZE"}, "topic": {"EMERGENZE", "PUBBLICAUTILITA"}}
		for range 2 { // sent again after a lost connection
			to := b.post(mine, form).want(http.StatusSeeOther).header.Get("Location")
			b.get("/"+to).want(http.StatusOK).contains("Fatto.", "Ora ricevi su WhatsApp: Emergenze e Pubblica utilità.")
		}
		given := slices.DeleteFunc(d.proofs(d.rimini, maria), func(c contact.Consent) bool { return c.Topic != "PUBBLICAUTILITA" })
		if len(given) != 1 {
			t.Fatalf("%d proofs of one consent", len(given))
		}
		if last := d.proofs(d.rimini, maria)[0]; last.Event != contact.ConsentNotice || !strings.Contains(last.Wording, broadcast.Notice(d.rimini.File)) {
			t.Errorf("the notice is acknowledged by %+v", last)
		}
		c := given[0]
		if c.Event != contact.ConsentGiven || c.Channel != "page" || c.Actor.Kind != "citizen" || c.Words != "Salva, con spuntato: Emergenze, Pubblica utilità" ||
			!strings.Contains(c.Wording, "Con «Salva» dai il consenso") {
			t.Errorf("the proof is %+v", c)
		}

		b.post(mine, url.Values{"key": {"same"}, "do": {"save"}, "was": {"EMERGENZE", "PUBBLICAUTILITA"}, "topic": {"EMERGENZE", "PUBBLICAUTILITA"}}).want(http.StatusSeeOther)
		if now := d.proofs(d.rimini, maria); len(now) != before+2 {
			t.Errorf("saving without a change proved %+v", now[0])
		}
		b.post(mine, url.Values{"key": {"x"}, "do": {"save"}, "topic": {"ALTROVE"}}).want(http.StatusUnprocessableEntity)
		to := b.post(mine, url.Values{"key": {"all"}, "do": {"leave"}}).want(http.StatusSeeOther).header.Get("Location")
		b.get("/" + to).want(http.StatusOK).contains("Ora non ricevi nessun avviso").lacks("Lascia tutto")
		if got := d.joined(d.rimini, maria); len(got) != 0 {
			t.Errorf("still on %v", got)
		}
	})
}

// A link too old, of somebody else's making or of another municipality shows nothing and does nothing.
func TestOnlyALinkOfOursOpensThePage(t *testing.T) {
	each(t, func(d *desk) {
		b := d.browser(d.rimini)
		maria, piera := d.knows(d.rimini, "Maria Bianchi", "393471234567"), d.knows(d.pistoia, "Piera Verdi", "393470000009")
		d.subscribe(d.rimini, broadcast.Change{Contact: maria, Join: []string{"EMERGENZE"}})
		mine := d.link(d.rimini, maria, time.Hour)
		_, token, _ := strings.Cut(mine, "/lists/")
		leave := url.Values{"key": {"all"}, "do": {"leave"}}
		for name, address := range map[string]string{
			"too old":                         d.link(d.rimini, maria, -time.Second),
			"another municipality's at ours":  strings.Replace(d.link(d.pistoia, piera, time.Hour), "pistoia", "rimini", 1),
			"ours at another municipality's":  "//pistoia/lists/" + token,
			"an id of another municipality's": "//rimini/lists/" + broadcast.LinkToken(d.key, d.rimini.ID, piera, d.db.Now().Add(time.Hour)),
			"altered":                         mine[:len(mine)-2] + "xx",
			"made up":                         "//rimini/lists/" + db.FormatID(maria),
			"much too long":                   "//rimini/lists/" + strings.Repeat("a", 5000),
		} {
			d.named(name, func(d *desk) {
				b := b.of(d)
				b.get(address).want(http.StatusNotFound).contains("Questo link non vale più", "LISTE").lacks("Maria", "Piera", `type="checkbox"`)
				b.post(address, leave).want(http.StatusNotFound)
			})
		}
		b.get("//altrove/lists/" + token).want(http.StatusNotFound).lacks("checkbox")
		b.get("//desk/lists/" + token).want(http.StatusNotFound)
		if got := d.joined(d.rimini, maria); !slices.Equal(got, []string{"EMERGENZE"}) {
			t.Errorf("on %v", got)
		}
		b.get("//rimini/lists/x").want(http.StatusNotFound).contains("331 6432314", "https://wa.me/393316432314?text=LISTE")
		b.get("//pistoia/lists/x").want(http.StatusNotFound).lacks("0573 123456", "wa.me") // for the registered only
	})
}

// A browser that keeps the address to itself sends no origin either, and an older one says nothing else.
func TestAnOldBrowserCanSave(t *testing.T) {
	each(t, func(d *desk) {
		b := d.browser(d.rimini)
		maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
		b.post(d.link(d.rimini, maria, time.Hour), url.Values{"key": {"k"}, "do": {"save"}, "topic": {"EMERGENZE"}}, header{"Sec-Fetch-Site", ""}, header{"Origin", "null"}).want(http.StatusSeeOther)
		if got := d.joined(d.rimini, maria); !slices.Equal(got, []string{"EMERGENZE"}) {
			t.Errorf("on %v", got)
		}
		b.post("/sign-in", nil, header{"Sec-Fetch-Site", ""}, header{"Origin", "null"}).want(http.StatusForbidden)
	})
}
