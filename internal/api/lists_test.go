// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// joins is a citizen, known by their phone, who joined topics at the counter.
func (d *desk) joins(to *town, phone string, topics ...string) (contactID int64) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		ids, _, err := contact.Resolve(ctx, tx, to.ID, []contact.Person{{Phone: phone, UserID: "IT." + phone, Name: "Anna Bianchi", At: tx.Now()}})
		if err != nil {
			return err
		}
		contactID = ids[0]
		return d.change(ctx, tx, to, broadcast.Change{Contact: contactID, Join: topics})
	})
	return contactID
}

// drops is that citizen leaving topics again.
func (d *desk) drops(to *town, contactID int64, topics ...string) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		return d.change(ctx, tx, to, broadcast.Change{Contact: contactID, Leave: topics})
	})
}

func (d *desk) change(ctx context.Context, tx *db.Tx, to *town, c broadcast.Change) error {
	c.Channel, c.Reference, c.Number, c.Language = "counter", "prot. 12/2015", to.number, "it"
	c.Key = db.FormatID(tx.NewID())
	_, err := broadcast.Apply(ctx, tx, staff.System("test").In(to.ID), to.Municipality, c)
	return err
}

func TestLists(t *testing.T) {
	each(t, func(d *desk) {
		d.joins(d.rimini, "393471234567", "EMERGENZE", "PUBBLICAUTILITA", "MARINA")
		dario := d.joins(d.rimini, "393477654321", "EMERGENZE", "CENTRO")
		d.joins(d.rimini, "393470000001", "EMERGENZE")
		d.joins(d.carpi, "393470000002", "EMERGENZE", "MARINA")
		a := d.get("/lists").want(http.StatusOK)
		equalLists(t, "keywords", a.all("keyword"), []string{"EMERGENZE", "PUBBLICAUTILITA"})
		equalLists(t, "names", a.all("name"), []string{"Emergenze", "Pubblica utilità"})
		equalLists(t, "kinds", a.all("kind"), []string{"emergency", "notice"})
		equalLists(t, "subscribers", a.all("subscribers"), []string{"3", "1"})
		equal(t, "next_cursor", a.at("next_cursor"), nil)

		a = d.get("/districts").want(http.StatusOK)
		equalLists(t, "districts", a.all("keyword"), []string{"MARINA", "CENTRO"})
		equalLists(t, "their names", a.all("name"), []string{"Marina", "Centro"})
		equalLists(t, "their subscribers", a.all("subscribers"), []string{"1", "1"})

		d.drops(d.rimini, dario, "EMERGENZE")
		equalLists(t, "subscribers after one left", d.get("/lists").want(http.StatusOK).all("subscribers"), []string{"2", "1"})
		equalLists(t, "carpi's own", d.get("/lists", bearer(d.carpi.token)).want(http.StatusOK).all("subscribers"), []string{"1", "0"})
	})
}

func TestSubscribers(t *testing.T) {
	each(t, func(d *desk) {
		want := map[string]bool{}
		for i := range 7 {
			phone := fmt.Sprint(393470000000 + i)
			d.joins(d.rimini, phone, "EMERGENZE")
			want["+"+phone] = true
		}
		gone := d.joins(d.rimini, "393479999999", "EMERGENZE")
		d.drops(d.rimini, gone, "EMERGENZE")
		d.joins(d.rimini, "393478888888", "PUBBLICAUTILITA")
		d.joins(d.carpi, "393477777777", "EMERGENZE")

		seen := map[string]bool{}
		d.pages("/lists/EMERGENZE/subscribers?limit=3", 3, func(item map[string]any) {
			who := item["contact"].(map[string]any)
			phone := fmt.Sprint(who["phone"])
			if seen[phone] || !want[phone] {
				t.Errorf("%s is listed, or listed twice", phone)
			}
			seen[phone] = true
			equal(t, "name", who["name"], any("Anna Bianchi"))
			equal(t, "user_id", who["user_id"], any("IT."+phone[1:]))
			equal(t, "since", item["since"], any("2015-03-02T09:00:00Z"))
			equal(t, "contact", d.get("/contacts/"+fmt.Sprint(who["id"])).want(http.StatusOK).at("phone"), any(phone))
		})
		equal(t, "listed", len(seen), len(want))
		equal(t, "on one page", len(d.get("/lists/EMERGENZE/subscribers").want(http.StatusOK).all("since")), 7)
		for _, keyword := range []string{"NESSUNA", "MARINA", "emergenze", "%00", "%ff", "EMERGENZE%20", "'"} {
			d.get("/lists/"+keyword+"/subscribers").problem(http.StatusNotFound, "list_not_found")
		}
	})
}

// pages walks a listing to its end, page by page, and calls f for each item. Each page but the last is full.
func (d *desk) pages(path string, limit int, f func(item map[string]any)) {
	d.Helper()
	cursor := ""
	for range 20 {
		a := d.get(path + cursor).want(http.StatusOK)
		items := a.at("items").([]any)
		for _, item := range items {
			f(item.(map[string]any))
		}
		next, more := a.at("next_cursor").(string)
		if !more {
			return
		}
		equal(d.T, "items on a page", len(items), limit)
		cursor = "&cursor=" + next
	}
	d.Fatalf("%s has no end", path)
}

// Lists, and what is sent to them, are of the whole municipality: who sees some offices sees none of it.
func TestTokensOfOfficesHaveNoLists(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(notice)
		id := d.broadcasts(d.rimini, "PUBBLICAUTILITA")
		token, _ := d.newToken(d.rimini.ID, "urp")
		for _, path := range []string{"/lists", "/districts", "/lists/EMERGENZE/subscribers", "/broadcasts", "/broadcasts/" + id, "/broadcasts/" + id + "/recipients"} {
			d.get(path, bearer(token)).problem(http.StatusForbidden, "offices")
		}
		d.post("/broadcasts", newNotice("PUBBLICAUTILITA"), bearer(token)).problem(http.StatusForbidden, "offices")
		for _, step := range []string{"pause", "resume", "cancel"} {
			d.post("/broadcasts/"+id+"/"+step, "", bearer(token)).problem(http.StatusForbidden, "offices")
		}
		d.post("/broadcasts/"+id+"/approve", "", bearer(token)).problem(http.StatusForbidden, "approval_by_a_person")
	})
}

// A contact tells the lists it is on and the districts that are its own.
func TestSubscriptionsOfAContact(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.joins(d.rimini, "393471234567", "EMERGENZE", "MARINA")
		path := "/contacts/" + db.FormatID(anna)
		a := d.get(path).want(http.StatusOK)
		equal(t, "lists", len(a.at("subscriptions").([]any)), 1)
		equal(t, "list", a.at("subscriptions", 0, "list"), any("EMERGENZE"))
		equal(t, "state", a.at("subscriptions", 0, "state"), any("on"))
		equal(t, "number", a.at("subscriptions", 0, "number"), any(d.rimini.number))
		equal(t, "since", a.at("subscriptions", 0, "since"), any("2015-03-02T09:00:00Z"))
		equal(t, "districts", len(a.at("districts").([]any)), 1)
		equal(t, "district", a.at("districts", 0, "district"), any("MARINA"))
		equal(t, "found by address", d.get("/contacts?address=3471234567").want(http.StatusOK).at("items", 0, "subscriptions", 0, "list"), any("EMERGENZE"))

		d.clock.advance(time.Hour)
		d.drops(d.rimini, anna, "EMERGENZE", "MARINA")
		a = d.get(path).want(http.StatusOK)
		equal(t, "lists after leaving", len(a.at("subscriptions").([]any)), 0)
		equal(t, "districts after leaving", len(a.at("districts").([]any)), 0)
	})
}
