// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// arrive puts bodies that nobody understands through the journal, one after another.
func (d *desk) arrive(to *town, bodies ...string) {
	d.Helper()
	ctx, stop := context.WithCancel(d.Context())
	done := make(chan struct{})
	go func() {
		d.journal.Run(ctx)
		close(done)
	}()
	for _, body := range bodies {
		if err := d.journal.Append(ctx, to.ID, []byte(body)); err != nil {
			d.Error(err)
		}
	}
	stop()
	<-done
	d.process(true)
}

// process takes what waits in the journal, understood or not, and returns how many bodies there were.
func (d *desk) process(bad bool) int {
	d.Helper()
	n, err := d.journal.Process(d.Context(), 100, func(_ context.Context, _ *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
		var found []journal.Bad
		for _, e := range entries {
			if bad {
				found = append(found, journal.Bad{Municipality: e.Municipality, Entry: e.ID, Reason: "not_a_webhook", Detail: "It is no JSON.", Body: e.Body})
			}
		}
		return found, nil
	})
	if err != nil {
		d.Fatal(err)
	}
	return n
}

func TestQuarantine(t *testing.T) {
	each(t, func(d *desk) {
		d.arrive(d.carpi, "of carpi")
		d.arrive(d.rimini, "one", "two", strings.Repeat("è", shownBody))
		a := d.get("/quarantine?limit=2").want(http.StatusOK)
		long := a.at("items", 0, "body").(string)
		if len(long) > shownBody || len(long) < shownBody-2 || a.at("items", 0, "truncated") != true {
			t.Errorf("%d bytes of a long body are shown, truncated is %v", len(long), a.at("items", 0, "truncated"))
		}
		equal(t, "body", a.at("items", 1, "body"), any("two"))
		equal(t, "truncated", a.at("items", 1, "truncated"), any(false))
		equal(t, "reason", a.at("items", 1, "reason"), any("not_a_webhook"))
		equal(t, "replayed_at", a.at("items", 1, "replayed_at"), nil)
		a = d.get("/quarantine?limit=2&cursor=" + a.at("next_cursor").(string)).want(http.StatusOK)
		equalLists(t, "bodies of the second page", a.all("body"), []string{"one"})
		equal(t, "next_cursor", a.at("next_cursor"), nil)
	})
}

func TestReplaying(t *testing.T) {
	each(t, func(d *desk) {
		d.arrive(d.rimini, "one", "two")
		id := d.get("/quarantine").want(http.StatusOK).at("items", 0, "id").(string)
		d.clock.advance(time.Minute)
		first := d.post("/quarantine/"+id+"/replay", "", key("k1")).want(http.StatusAccepted)
		equal(t, "id", first.at("id"), any(id))
		equal(t, "replayed_at", first.at("replayed_at"), any("2015-03-02T09:01:00Z"))
		equal(t, "the second answer", d.post("/quarantine/"+id+"/replay", "", key("k1")).want(http.StatusAccepted).raw, first.raw)
		equal(t, "bodies that come again", d.process(false), 1)
		equalLists(t, "bodies still in quarantine", d.get("/quarantine").want(http.StatusOK).all("body"), []string{"one"})
		d.post("/quarantine/"+id+"/replay", "", key("k1")).want(http.StatusAccepted)
		equal(t, "bodies that come again once solved", d.process(false), 0)
		d.post("/quarantine/"+id+"/replay", "").problem(http.StatusNotFound, "quarantine_not_found")
		d.post("/quarantine/x/replay", "").problem(http.StatusNotFound, "quarantine_not_found")

		var trail []staff.Entry
		err := d.db.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			trail, err = staff.AuditPage(ctx, tx, d.rimini.ID, 0, 100)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, e := range trail {
			if e.Action == replayed && e.ObjectID == id && e.Actor.Kind == staff.TokenKind && e.Actor.ID == d.rimini.tokenID {
				asked++
			}
		}
		equal(t, "rows of the audit trail", asked, 1)
	})
}
