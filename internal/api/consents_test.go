// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

func TestConsents(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.joins(d.rimini, "393471234567", "EMERGENZE")
		d.clock.advance(time.Hour)
		d.drops(d.rimini, anna, "EMERGENZE")
		a := d.get("/consents?contact=" + db.FormatID(anna)).want(http.StatusOK)
		equal(t, "the newest", a.at("items", 0, "event"), any("withdrawn"))
		equal(t, "its list", a.at("items", 0, "list"), any("EMERGENZE"))
		equal(t, "its time", a.at("items", 0, "at"), any("2015-03-02T10:00:00Z"))
		given := 0
		for i, event := range a.all("event") {
			if event != "given" {
				continue
			}
			given++
			item := func(path ...any) any { return a.at(append([]any{"items", i}, path...)...) }
			equal(t, "contact_id", item("contact_id"), any(db.FormatID(anna)))
			equal(t, "list", item("list"), any("EMERGENZE"))
			equal(t, "at", item("at"), any("2015-03-02T09:00:00Z"))
			equal(t, "recorded_at", item("recorded_at"), any("2015-03-02T09:00:00Z"))
			equal(t, "channel", item("channel"), any("counter"))
			equal(t, "reference", item("reference"), any("prot. 12/2015"))
			equal(t, "author kind", item("author", "kind"), any("system"))
			equal(t, "language", item("language"), any("it"))
			equal(t, "policy version", item("policy", "version"), any(d.rimini.File.Policy.Version))
			for _, hash := range []any{item("hash"), item("policy", "hash")} {
				if text, _ := hash.(string); len(text) != 64 {
					t.Errorf("a hash is %v", hash)
				}
			}
			equal(t, "message_id", item("message_id"), nil)
		}
		equal(t, "consents given", given, 1)

		all := a.all("id")
		var paged []string
		d.pages("/consents?contact="+db.FormatID(anna)+"&limit=1", 1, func(item map[string]any) { paged = append(paged, fmt.Sprint(item["id"])) })
		equalLists(t, "page by page", paged, all)

		for _, id := range []string{"x", "0", "-1", "1", "%00", "%ff"} {
			d.get("/consents?contact="+id).problem(http.StatusNotFound, "contact_not_found")
		}
		d.get("/consents").problem(http.StatusUnprocessableEntity, "invalid")
		theirs := d.joins(d.carpi, "393471234567", "EMERGENZE")
		d.get("/consents?contact="+db.FormatID(theirs)).problem(http.StatusNotFound, "contact_not_found")
		nobody := d.writes(d.rimini, "393477654321", "Buongiorno")
		equalLists(t, "of somebody who only wrote", d.get("/consents?contact="+db.FormatID(nobody.contact)).want(http.StatusOK).all("id"), nil)
	})
}

// A token of some offices sees the proof of those whose conversations it sees.
func TestConsentsOfOffices(t *testing.T) {
	each(t, func(d *desk) {
		anna := d.writes(d.rimini, "393471234567", "Buongiorno")
		d.joins(d.rimini, "393471234567", "EMERGENZE")
		token, _ := d.newToken(d.rimini.ID, "urp")
		path := "/consents?contact=" + db.FormatID(anna.contact)
		d.get(path, bearer(token)).problem(http.StatusNotFound, "contact_not_found")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.HandOverToOffice(ctx, tx, d.rimini.operator, anna.conversation, "urp")
		})
		if ids := d.get(path, bearer(token)).want(http.StatusOK).all("id"); len(ids) == 0 {
			t.Error("nothing is seen of a citizen whose conversation the office has")
		}
	})
}
