// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func filePath(contactID int64, rest string) string {
	return "/citizens/" + db.FormatID(contactID) + rest
}

func TestTheCounterEntersWhatWasSigned(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
		page := b.get(filePath(maria, "")).want(http.StatusOK).contains("Maria Bianchi", "+39 347 123 4567", "non iscritto", "Non ha ancora dato né tolto consensi")
		form := url.Values{"key": {page.find(`name="key" value="([^"]+)"`)}, "topic": {"EMERGENZE"}}

		b.post(filePath(maria, "/lists"), form).want(http.StatusUnprocessableEntity).contains("Scrivi il riferimento del modulo firmato", `value="EMERGENZE" checked`)
		b.post(filePath(maria, "/lists"), url.Values{"key": {"k"}, "reference": {"prot. 1"}}).want(http.StatusUnprocessableEntity).contains("non c’è niente da registrare")
		b.post(filePath(maria, "/lists"), url.Values{"key": {"k"}, "reference": {"prot. 1"}, "topic": {"ALTROVE"}}).want(http.StatusUnprocessableEntity)
		if got := d.joined(d.rimini, maria); len(got) != 0 || len(d.proofs(d.rimini, maria)) != 0 {
			t.Fatalf("on %v with %d proofs after forms that were refused", got, len(d.proofs(d.rimini, maria)))
		}

		form.Set("reference", "  prot. 4567/2026 ")
		for range 2 { // a double click
			to := b.post(filePath(maria, "/lists"), form).want(http.StatusSeeOther).header.Get("Location")
			b.get(to[len("/desk/rimini"):]).want(http.StatusOK).contains("Registrato: le liste sono aggiornate", "iscritto dal", "Consenso dato", "allo sportello",
				"modulo: prot. 4567/2026", "inserito da Luca Neri", "Iscrizione: Emergenze. Uscita: nessuna.", "informativa, versione 1")
		}
		given := slices.DeleteFunc(d.proofs(d.rimini, maria), func(c contact.Consent) bool { return c.Event != contact.ConsentGiven })
		if got := d.joined(d.rimini, maria); !slices.Equal(got, []string{"EMERGENZE"}) || len(given) != 1 {
			t.Fatalf("on %v with %d consents", got, len(given))
		}
		if all := d.proofs(d.rimini, maria); len(all) != 2 || all[0].Event != contact.ConsentNotice || !strings.Contains(all[0].Wording, broadcast.Notice(d.rimini.File)) {
			t.Errorf("the notice is acknowledged by %+v", all)
		}
		if c := given[0]; c.Channel != "counter" || c.Reference != "prot. 4567/2026" || c.Actor.Name != "Luca Neri" || c.Number != d.rimini.Numbers[0].PhoneNumberID {
			t.Errorf("the proof is %+v", c)
		}

		b.post(filePath(maria, "/lists"), url.Values{"key": {"off"}, "was": {"EMERGENZE"}}).want(http.StatusSeeOther) // to leave takes no paper
		if got := d.joined(d.rimini, maria); len(got) != 0 {
			t.Errorf("still on %v", got)
		}
		rows := b.get(filePath(maria, "/consents.csv")).table()
		if len(rows) != len(d.proofs(d.rimini, maria))+1 || rows[0][1] != "list" || rows[1][2] != "withdrawn" || rows[1][7] != "Lo ha chiesto allo sportello" || rows[1][13] != "" {
			t.Errorf("the file is %v", rows)
		}
	})
}

// What a citizen said since the page was shown is not undone by it.
func TestAnOldFormChangesOnlyWhatWasChangedOnIt(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
		d.subscribe(d.rimini, broadcast.Change{Contact: maria, Join: []string{"EMERGENZE"}})
		form := url.Values{"key": {"k"}, "was": {"EMERGENZE"}, "topic": {"EMERGENZE", "PUBBLICAUTILITA"}, "reference": {"prot. 1"}}
		d.subscribe(d.rimini, broadcast.Change{Contact: maria, LeaveAll: true}) // STOP, while the form is filled in
		b.post(filePath(maria, "/lists"), form).want(http.StatusSeeOther)
		if got := d.joined(d.rimini, maria); !slices.Equal(got, []string{"PUBBLICAUTILITA"}) {
			t.Errorf("on %v", got)
		}
	})
}

func TestThePaneNamesTheLists(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		chat := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		maria := d.get(chat).ContactID
		b.get(conversationPath(chat, "")).want(http.StatusOK).contains(`href="/desk/rimini/citizens/` + db.FormatID(maria) + `"`).lacks(`<span class="tag">Emergenze</span>`)
		d.subscribe(d.rimini, broadcast.Change{Contact: maria, Join: []string{"EMERGENZE"}})
		b.get(conversationPath(chat, "")).want(http.StatusOK).contains(`<span class="tag">Emergenze</span>`).lacks(`<span class="tag">Pubblica utilità</span>`)
		b.get(filePath(maria, "")).want(http.StatusOK).contains("1 conversazione", "Buongiorno")
	})
}

func TestMetasOptOutIsShown(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		maria := d.knows(d.rimini, "Maria Bianchi", "393471234567")
		b.get(filePath(maria, "")).want(http.StatusOK).lacks("ha bloccato su WhatsApp")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return broadcast.Prefer(ctx, tx, d.rimini, []broadcast.Preference{{Contact: maria, Stop: true, At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}})
		})
		b.get(filePath(maria, "")).want(http.StatusOK).contains("Dal 02/03/2026 ha bloccato su WhatsApp i messaggi promozionali", "Bloccati i messaggi promozionali")
	})
}
