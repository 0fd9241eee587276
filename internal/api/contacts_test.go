// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
)

func TestContacts(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		id := db.FormatID(anna.contact)
		a := d.get("/contacts/" + id).want(http.StatusOK)
		equal(t, "id", a.at("id"), any(id))
		equal(t, "name", a.at("name"), any("Anna Bianchi"))
		equal(t, "phone", a.at("phone"), any("+393471234567"))
		equal(t, "user_id", a.at("user_id"), any("IT.393471234567"))
		equal(t, "username", a.at("username"), nil)
		if list, ok := a.at("subscriptions").([]any); !ok || len(list) != 0 {
			t.Errorf("subscriptions are %v, want an empty list", a.at("subscriptions"))
		}
		values := map[any]any{}
		for _, v := range a.at("addresses").([]any) {
			address := v.(map[string]any)
			values[address["kind"]] = address["value"]
			equal(t, "until", address["until"], nil)
		}
		equal(t, "phone address", values["phone"], any("+393471234567"))
		equal(t, "BSUID address", values["bsuid"], any("IT.393471234567"))

		for _, address := range []string{"+393471234567", "+39 347 123 4567", "347 1234567", "0039 347-1234567", "IT.393471234567"} {
			found := d.get("/contacts?address=" + url.QueryEscape(address)).want(http.StatusOK)
			equalLists(t, address, found.all("id"), []string{id})
			equal(t, "next_cursor", found.at("next_cursor"), nil)
		}
		for _, address := range []string{"+39 347 765 4321", "ufficio", "IT.1", "IT.\x00", "IT.\xff", "%"} {
			equalLists(t, address, d.get("/contacts?address="+url.QueryEscape(address)).want(http.StatusOK).all("id"), nil)
		}
		d.get("/contacts").problem(http.StatusUnprocessableEntity, "invalid")
		d.get("/contacts?address=").problem(http.StatusUnprocessableEntity, "invalid")
	})
}

// A contact that turned out to be another is answered with that one, and an earlier phone says until when.
func TestContactsThatBecameOne(t *testing.T) {
	each(t, func(d *desk) {
		older := d.writes(d.rimini, "393471234567", "Buongiorno")
		d.clock.advance(time.Hour)
		var younger int64
		d.update(func(ctx context.Context, tx *db.Tx) error {
			ids, _, err := contact.Resolve(ctx, tx, d.rimini.ID, []contact.Person{{Phone: "393477654321", Name: "Anna", At: tx.Now()}})
			if err != nil {
				return err
			}
			younger = ids[0]
			_, _, err = contact.Resolve(ctx, tx, d.rimini.ID, []contact.Person{{Phone: "393477654321", UserID: "IT.393471234567", At: tx.Now(),
				Was: []contact.Key{{Kind: contact.Phone, Value: "393471234567"}}}})
			return err
		})
		a := d.get("/contacts/" + db.FormatID(younger)).want(http.StatusOK)
		equal(t, "id", a.at("id"), any(db.FormatID(older.contact)))
		until := map[any]any{}
		for _, v := range a.at("addresses").([]any) {
			until[v.(map[string]any)["value"]] = v.(map[string]any)["until"]
		}
		equal(t, "until of the earlier phone", until["+393471234567"], any("2015-03-02T10:00:00Z"))
		equal(t, "until of the phone of now", until["+393477654321"], nil)
	})
}
