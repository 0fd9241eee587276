// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// blockable is a citizen who wrote just now, as Meta knows too.
func blockable(b *browser, m *municipality.Municipality) things {
	b.Helper()
	made := citizen(b, m)
	b.meta.Control(b.T, http.MethodPost, "citizens/"+b.contact(m, made.id).Phone+"/messages", map[string]string{"number": m.Numbers[0].PhoneNumberID, "text": secretText}, nil)
	return made
}

// blocked is one who is on the block list.
func blocked(b *browser, m *municipality.Municipality) things {
	b.Helper()
	made := blockable(b, m)
	c := b.contact(m, made.id)
	if err := b.meta.Client.Block(b.Context(), m.Numbers[0].Account(), whatsapp.Person{Phone: c.Phone}); err != nil {
		b.Fatal(err)
	}
	b.update(func(ctx context.Context, tx *db.Tx) error {
		return contact.SetBlocked(ctx, tx, m.ID, m.Numbers[0].PhoneNumberID, c.ID, true)
	})
	return made
}

func (d *desk) contact(m *municipality.Municipality, id string) (c contact.Contact) {
	d.Helper()
	n, _ := db.ParseID(id)
	d.update(func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = contact.Get(ctx, tx, m.ID, n)
		return err
	})
	return c
}

func TestBlockingACitizen(t *testing.T) {
	each(t, func(d *desk) {
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		luca := d.signedIn(d.rimini, d.hire(d.rimini, "Luca Neri", staff.Operator))
		id := blockable(sara, d.rimini).id
		chat := db.FormatID(d.conversationOf(id))
		file := "/citizens/" + id

		sara.get(file).want(http.StatusOK).contains("Blocca questa persona")
		luca.get(file).want(http.StatusOK).lacks("Blocca questa persona")
		sara.get("/settings/blocked").want(http.StatusOK).contains("Nessuno è bloccato")
		sara.post(file+"/block", url.Values{"number": {"100001"}}).want(http.StatusUnprocessableEntity).contains("Scegli perché")
		sara.post(file+"/block", url.Values{"number": {"100002"}, "reason": {"insults"}}).want(http.StatusNotFound)
		sara.post(file+"/block", url.Values{"number": {"100001"}, "reason": {"insults"}, "note": {"Ha insultato la collega"}}).want(http.StatusSeeOther)

		luca.get(file).want(http.StatusOK).contains("Non può scrivere al numero").lacks("Sblocca")
		sara.get("/settings/blocked").want(http.StatusOK).contains(secretName, "Sblocca")
		luca.get("/conversations/"+chat).want(http.StatusOK).contains(secretName+" è sulla lista dei bloccati", "Ha insultato la collega")
		luca.post("/conversations/"+chat+"/messages", url.Values{"draft": {"d1"}, "mode": {"reply"}, "text": {"Buongiorno"}}, byScript).
			want(http.StatusConflict).contains("Questa persona è bloccata")
		if sent := d.outgoing(d.conversationOf(id)); len(sent) > 0 {
			t.Errorf("%q was queued to a blocked citizen", sent)
		}
		if people, err := d.meta.Client.Blocked(d.Context(), d.rimini.Numbers[0].Account()); err != nil || len(people) != 1 {
			t.Errorf("Meta's list is %v, error %v", people, err)
		}

		sara.post(file+"/unblock", url.Values{"number": {"100001"}}).want(http.StatusSeeOther)
		sara.get("/settings/blocked").contains("Nessuno è bloccato")
		luca.post("/conversations/"+chat+"/messages", url.Values{"draft": {"d1"}, "mode": {"reply"}, "text": {"Buongiorno"}}, byScript).want(http.StatusOK)

		reasons := ""
		for _, w := range d.trail(d.rimini) {
			reasons += w.all + "\n"
		}
		if !strings.Contains(reasons, `"reason"`) || !strings.Contains(reasons, "insults") || strings.Contains(reasons, "collega") {
			t.Errorf("the trail has %s", reasons)
		}
	})
}

// conversationOf is the latest conversation of a citizen at Rimini.
func (d *desk) conversationOf(id string) (found int64) {
	d.Helper()
	n, _ := db.ParseID(id)
	d.update(func(ctx context.Context, tx *db.Tx) error {
		past, err := conversation.OfContact(ctx, tx, d.rimini.ID, n, 1)
		if len(past) > 0 {
			found = past[0].ID
		}
		return err
	})
	return found
}

// Meta knows nothing of this citizen's last message, or has no answer: nobody is blocked, and the page says so.
func TestWhomMetaDoesNotBlock(t *testing.T) {
	each(t, func(d *desk) {
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		id := citizen(sara, d.rimini).id
		form := url.Values{"reason": {"spam"}, "note": {"Ancora lui"}}
		before := len(d.trail(d.rimini))
		sara.post("/citizens/"+id+"/block", form).want(http.StatusUnprocessableEntity).contains("solo chi ha scritto", "Ancora lui")
		if len(d.trail(d.rimini)) != before {
			t.Error("what was refused left a row")
		}
		d.meta.Control(d.T, http.MethodPut, "faults", map[string]any{"broken": []any{map[string]any{"kind": "garbage", "path": "block_users"}}}, nil)
		sara.post("/citizens/"+id+"/block", form).want(http.StatusUnprocessableEntity).contains("non ha dato una risposta chiara")
		sara.post("/settings/blocked", nil).want(http.StatusServiceUnavailable).contains("non ha dato una risposta chiara")
		if on := d.trail(d.rimini)[before:]; len(on) != 1 || !strings.Contains(on[0].all, unknownOutcome) {
			t.Errorf("the trail says %v", on)
		}
		sara.get("/citizens/" + id).lacks("Non può scrivere")
	})
}

// Who was blocked elsewhere is found by asking Meta.
func TestTheBlockListIsReadFromMeta(t *testing.T) {
	each(t, func(d *desk) {
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		c := d.contact(d.rimini, blockable(sara, d.rimini).id)
		if err := d.meta.Client.Block(d.Context(), d.rimini.Numbers[0].Account(), whatsapp.Person{Phone: c.Phone}); err != nil {
			t.Fatal(err)
		}
		sara.post("/settings/blocked", nil).want(http.StatusSeeOther)
		sara.get("/settings/blocked").contains(secretName)
		if err := d.meta.Client.Unblock(d.Context(), d.rimini.Numbers[0].Account(), whatsapp.Person{Phone: c.Phone}); err != nil {
			t.Fatal(err)
		}
		sara.post("/settings/blocked", nil).want(http.StatusSeeOther)
		sara.get("/settings/blocked").lacks(secretName)
	})
}
