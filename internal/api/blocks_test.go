// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/metatest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/simulator"
)

// simulate is a Meta with the towns' accounts.
func simulate(t *testing.T) *metatest.Meta {
	t.Helper()
	return metatest.Start(t, simulator.Options{Accounts: []simulator.Account{
		{WABA: "200000000000001", PhoneNumberID: "100000000000001", DisplayNumber: "+39 331 6432314", VerifiedName: "Comune di Rimini", Token: "secret-RIMINI_TOKEN"},
		{WABA: "200000000000002", PhoneNumberID: "100000000000002", DisplayNumber: "+39 059 649111", VerifiedName: "Comune di Carpi", Token: "secret-CARPI_TOKEN"},
	}})
}

// metaKnows has the simulator take a message of a citizen's, as Meta has.
func (d *desk) metaKnows(to *town, phone string) {
	d.Helper()
	d.meta.Control(d.T, http.MethodPost, "citizens", map[string]string{"phone": "+" + phone, "name": "Anna Bianchi"}, nil)
	d.meta.Control(d.T, http.MethodPost, "citizens/+"+phone+"/messages", map[string]string{"number": to.number, "text": "Buongiorno"}, nil)
}

// blockedWith are the phones on Meta's list of rimini's number.
func (d *desk) blockedWith() (phones []string) {
	d.Helper()
	m, _ := d.directory.ByID(d.rimini.ID)
	people, err := d.meta.Client.Blocked(d.Context(), m.Numbers[0].Account())
	if err != nil {
		d.Fatal(err)
	}
	for _, p := range people {
		phones = append(phones, p.Phone)
	}
	return phones
}

func TestBlockingAndUnblocking(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		d.metaKnows(d.rimini, "393471234567")
		path := "/contacts/" + db.FormatID(anna.contact)
		equal(t, "blocked", len(d.get("/blocks").want(http.StatusOK).at("items").([]any)), 0)

		for _, body := range []string{`{}`, `{"reason":"dislike"}`, `{"reason":"spam","note":"x"}`} {
			d.post(path+"/block", body).problem(http.StatusUnprocessableEntity, "invalid")
		}
		d.post(path+"/block", `{"reason":"spam","number":"100000000000002"}`).problem(http.StatusUnprocessableEntity, "number_unknown")

		a := d.post(path+"/block", `{"reason":"spam"}`, key("b1")).want(http.StatusOK)
		equal(t, "number", a.at("number"), any(d.rimini.number))
		equal(t, "contact", a.at("contact", "id"), any(db.FormatID(anna.contact)))
		equal(t, "since", a.at("since"), any("2015-03-02T09:00:00Z"))
		equalLists(t, "Meta's blocked", d.blockedWith(), []string{"+393471234567"})
		equal(t, "the listing", d.get("/blocks").at("items", 0, "contact", "phone"), any("+393471234567"))
		d.post(anna.path("/messages"), `{"text":"Buongiorno"}`).problem(http.StatusConflict, "citizen_blocked")

		off := d.post(path+"/unblock", `{}`, key("u1")).want(http.StatusOK)
		equal(t, "since", off.at("since"), nil)
		equal(t, "Meta's blocked", len(d.blockedWith()), 0)
		again := d.post(path+"/block", `{"reason":"spam"}`, key("b1")).want(http.StatusOK) // a program that got no answer the first time
		equal(t, "the answer again", again.raw, a.raw)
		equal(t, "Meta's blocked after it was asked again", len(d.blockedWith()), 0)
		equal(t, "blocked", len(d.get("/blocks").at("items").([]any)), 0)
		d.post(path+"/block", `{"reason":"insults"}`, key("b1")).problem(http.StatusUnprocessableEntity, "idempotency")

		var told []string
		for _, row := range d.trail() {
			if strings.HasPrefix(row, "contact.") {
				told = append(told, strings.Fields(row)[0])
			}
		}
		equalLists(t, "rows of the trail", told, []string{"contact.blocked", "contact.unblocked"})
	})
}

func TestBlocksByRight(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		d.metaKnows(d.rimini, "393471234567")
		path := "/contacts/" + db.FormatID(anna.contact)
		urp, _ := d.newToken(d.rimini.ID, "urp")
		d.get("/blocks", bearer(urp)).problem(http.StatusForbidden, "offices")
		d.post(path+"/block", `{"reason":"spam"}`, bearer(urp)).problem(http.StatusForbidden, "offices")
		d.post(path+"/unblock", `{}`, bearer(urp)).problem(http.StatusForbidden, "offices")
		d.post(path+"/block", `{"reason":"spam"}`, bearer(d.carpi.token)).problem(http.StatusNotFound, "contact_not_found")
		d.post(path+"/unblock", `{}`, bearer(d.carpi.token)).problem(http.StatusNotFound, "contact_not_found")
		equal(t, "Meta's blocked", len(d.blockedWith()), 0)
		d.post(path+"/block", `{"reason":"spam"}`).want(http.StatusOK)
		equal(t, "blocked at Carpi", len(d.get("/blocks", bearer(d.carpi.token)).want(http.StatusOK).at("items").([]any)), 0)
	})
}

// Whom Meta does not block is not noted as blocked; where it gave no clear answer the trail says so.
func TestWhomMetaDoesNotBlock(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		path := "/contacts/" + db.FormatID(anna.contact) + "/block"
		d.post(path, `{"reason":"spam"}`, key("b1")).problem(http.StatusUnprocessableEntity, "block_window") // Meta knows nothing of it
		before := len(d.trail())
		d.metaKnows(d.rimini, "393471234567")
		d.meta.Control(t, http.MethodPut, "faults", map[string]any{"broken": []any{map[string]any{"kind": "garbage", "path": "block_users"}}}, nil)
		d.post(path, `{"reason":"spam"}`, key("b1")).problem(http.StatusServiceUnavailable, "meta_silent")
		if rows := d.trail()[before:]; len(rows) != 1 || !strings.Contains(rows[0], `"unknown"`) {
			t.Errorf("the trail says %q", rows)
		}
		equal(t, "blocked", len(d.get("/blocks").at("items").([]any)), 0)
		d.meta.Control(t, http.MethodPut, "faults", map[string]any{}, nil)
		d.post(path, `{"reason":"spam"}`, key("b1")).want(http.StatusOK)

		d.clock.advance(25 * time.Hour)
		d.post(path, `{"reason":"spam"}`).problem(http.StatusUnprocessableEntity, "block_window")
	})
}

// The listing goes on where a page ended, also where many were blocked in one moment, and on several numbers.
func TestBlocksPageByPage(t *testing.T) {
	each(t, func(d *desk) {
		var want []string
		d.update(func(ctx context.Context, tx *db.Tx) error {
			want = nil
			for i := range 5 {
				who, _, err := contact.Resolve(ctx, tx, d.rimini.ID, []contact.Person{{Phone: "39347000000" + string(rune('0'+i)), At: tx.Now()}})
				if err != nil {
					return err
				}
				for _, number := range []string{"1", "2"} {
					if err := contact.SetBlocked(ctx, tx, d.rimini.ID, number, who[0], true); err != nil {
						return err
					}
					want = append(want, db.FormatID(who[0])+" "+number)
				}
			}
			return nil
		})
		var got []string
		cursor := ""
		for {
			a := d.get("/blocks?limit=3&cursor=" + cursor).want(http.StatusOK)
			for i := range a.at("items").([]any) {
				got = append(got, a.at("items", i, "contact", "id").(string)+" "+a.at("items", i, "number").(string))
			}
			next, more := a.at("next_cursor").(string)
			if !more {
				break
			}
			cursor = next
		}
		slices.Sort(got)
		slices.Sort(want)
		equalLists(t, "the pages together", got, want)
	})
}

// A municipality of several numbers must say which.
func TestTheNumberMustBeNamedWhereThereAreSeveral(t *testing.T) {
	one := municipality.Number{PhoneNumberID: "1"}
	for name, c := range map[string]struct {
		numbers []municipality.Number
		id      string
		want    string
	}{
		"the only one":      {[]municipality.Number{one}, "", "1"},
		"none of two named": {[]municipality.Number{one, {PhoneNumberID: "2"}}, "", ""},
		"one of two":        {[]municipality.Number{one, {PhoneNumberID: "2"}}, "2", "2"},
		"another's":         {[]municipality.Number{one}, "2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := pick(c.numbers, c.id)
			if n.PhoneNumberID != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q, %v; want %q", n.PhoneNumberID, err, c.want)
			}
		})
	}
}
