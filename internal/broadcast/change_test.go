// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// apply changes the lists of a citizen a minute later, and returns what they are on.
func (o *office) apply(actor staff.Actor, c broadcast.Change) (string, error) {
	o.t.Helper()
	o.now = o.now.Add(time.Minute)
	var topics []string
	err := o.d.Update(o.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		all, err := broadcast.Apply(ctx, tx, actor, o.m, c)
		topics = nil
		for _, s := range all {
			topics = append(topics, s.Topic)
		}
		return err
	})
	return strings.Join(topics, " "), err
}

func (o *office) proof(id int64) (rows []contact.Consent) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		rows, err = contact.Consents(ctx, tx, o.m.ID, id)
		return err
	})
	return rows
}

func TestEnteringAtTheCounter(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.subscribed(number)
		join := broadcast.Change{Contact: id, Join: []string{"AVVISI", "CENTRO"}, Number: second, Channel: "counter", Words: "modulo firmato",
			Wording: "Voglio ricevere gli avvisi. Informativa.", Reference: "prot. 12/2026", Key: "a"}
		if got, err := o.apply(o.anna(), join); got != "AVVISI CENTRO" || err != nil {
			t.Fatalf("joining gives %q, %v", got, err)
		}
		rows := o.proof(id)
		if len(rows) != 3 || rows[0].Event != contact.ConsentNotice {
			t.Fatalf("proof: %+v", rows)
		}
		for _, r := range rows {
			if r.Channel != "counter" || r.Actor.Name != "Anna" || r.Actor.ID != 1 || r.Reference != "prot. 12/2026" || r.Words != "modulo firmato" || r.Number != second {
				t.Errorf("proof: %+v", r)
			}
		}
		if got, err := o.apply(o.anna(), broadcast.Change{Contact: id, Leave: []string{"AVVISI"}, Channel: "counter", Key: "b"}); got != "CENTRO" || err != nil {
			t.Errorf("leaving gives %q, %v", got, err)
		}
		if got, err := o.apply(o.anna(), join); got != "CENTRO" || err != nil {
			t.Errorf("the same form again gives %q, %v", got, err)
		}
		for name, c := range map[string]struct {
			actor  staff.Actor
			change func(*broadcast.Change)
			kind   fault.Kind
		}{
			"no paper":          {o.anna(), func(c *broadcast.Change) { c.Reference = "" }, fault.Invalid},
			"no such list":      {o.anna(), func(c *broadcast.Change) { c.Join = []string{"ALTRO"} }, fault.Invalid},
			"not our number":    {o.anna(), func(c *broadcast.Change) { c.Number = "3" }, fault.Invalid},
			"no key":            {o.anna(), func(c *broadcast.Change) { c.Key = "" }, fault.Invalid},
			"an auditor":        {o.person(3, "Carla", staff.Auditor), func(*broadcast.Change) {}, fault.Forbidden},
			"of another town":   {staff.Actor{Kind: staff.OperatorKind, ID: 1, Role: staff.Supervisor, Municipality: o.m.ID + 1}, func(*broadcast.Change) {}, fault.Forbidden},
			"no such citizen":   {o.anna(), func(c *broadcast.Change) { c.Contact++ }, fault.NotFound},
			"a citizen":         {staff.Citizen(o.m.ID, id), func(*broadcast.Change) {}, fault.Forbidden},
			"another's page":    {staff.Citizen(o.m.ID, id+1), func(c *broadcast.Change) { c.Channel = "page" }, fault.Forbidden},
			"a page by a clerk": {o.anna(), func(c *broadcast.Change) { c.Channel = "page" }, fault.Forbidden},
		} {
			change := join
			change.Key = name
			c.change(&change)
			if _, err := o.apply(c.actor, change); fault.KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(o.proof(id)); n != 4 {
			t.Errorf("%d rows of proof", n)
		}
	})
}

// Whoever leaves on their page gets nothing more of what is being sent, unless another of its lists still has them.
func TestLeavingOnThePageSkipsWhatWaits(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		gone, stays := o.subscribed(number, "AVVISI"), o.subscribed(number, "AVVISI", "EVENTI")
		b := o.sent(plan("AVVISI", "EVENTI"))
		o.conduct()
		for _, id := range []int64{gone, stays} {
			got, err := o.apply(staff.Citizen(o.m.ID, id), broadcast.Change{Contact: id, Leave: []string{"AVVISI"}, Channel: "page", Wording: "Le tue liste", Key: db.FormatID(id)})
			if err != nil {
				t.Fatal(err)
			}
			if id == stays && got != "EVENTI" || id == gone && got != "" {
				t.Errorf("the lists are %q", got)
			}
		}
		if out := o.outcomes(b.ID); out.Skipped != 1 || out.Audience() != 2 {
			t.Errorf("the outcomes are %+v", out)
		}
	})
}

func TestImportLeavesThoseWhoLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		on, left := o.subscribed(number, "AVVISI"), o.subscribed(number, "AVVISI")
		if _, err := o.apply(staff.Citizen(o.m.ID, left), broadcast.Change{Contact: left, LeaveAll: true, Channel: "page", Key: "x"}); err != nil {
			t.Fatal(err)
		}
		before := len(o.proof(on))
		row := func(line int, phone string) broadcast.ImportRow {
			return broadcast.ImportRow{Line: line, Phone: phone, Basis: "consenso scritto", Date: o.now.AddDate(-1, 0, 0), Reference: "prot. 1"}
		}
		var report broadcast.ImportReport
		o.update(func(ctx context.Context, tx *db.Tx) (err error) {
			report, err = broadcast.Import(ctx, tx, staff.System("cli"), o.m, "AVVISI", []broadcast.ImportRow{row(2, "393330000001"), row(3, "393330000002"), row(4, "393331112223")})
			return err
		})
		if report.Subscribed != 1 || report.Already != 1 || len(report.Left) != 1 || report.Left[0].Line != 3 {
			t.Errorf("the report is %+v", report)
		}
		if n := len(o.proof(on)); n != before {
			t.Error("who was on the list got a row of proof")
		}
		var fresh contact.Contact
		o.update(func(ctx context.Context, tx *db.Tx) (err error) {
			fresh, err = contact.ByAddress(ctx, tx, o.m.ID, "+393331112223")
			return err
		})
		if rows := o.proof(fresh.ID); len(rows) != 1 || rows[0].Event != contact.ConsentImported || rows[0].Reference != "consenso scritto · prot. 1" || rows[0].PolicyHash != "" {
			t.Errorf("proof: %+v", rows)
		}
		err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			bad := row(2, "393331112224")
			bad.Basis = ""
			_, err := broadcast.Import(ctx, tx, staff.System("cli"), o.m, "AVVISI", []broadcast.ImportRow{row(1, "393331112225"), bad})
			return err
		})
		var rows broadcast.BadRows
		if !errors.As(err, &rows) {
			t.Errorf("a row without a basis gives %v", err)
		}
	})
}

func TestLinks(t *testing.T) {
	key, other := towntest.Key(t), towntest.Key(t)
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	token := broadcast.LinkToken(key, 7, 3797402938376193, now.Add(time.Hour))
	if id, err := broadcast.OpenLink(key, 7, token, now); id != 3797402938376193 || err != nil {
		t.Errorf("it opens as %d, %v", id, err)
	}
	changed := []byte(token)
	changed[len(changed)/2] ^= 1
	for name, open := range map[string]func() (int64, error){
		"later":        func() (int64, error) { return broadcast.OpenLink(key, 7, token, now.Add(time.Hour)) },
		"another town": func() (int64, error) { return broadcast.OpenLink(key, 8, token, now) },
		"another key":  func() (int64, error) { return broadcast.OpenLink(other, 7, token, now) },
		"changed":      func() (int64, error) { return broadcast.OpenLink(key, 7, string(changed), now) },
		"nothing":      func() (int64, error) { return broadcast.OpenLink(key, 7, "", now) },
		"endless":      func() (int64, error) { return broadcast.OpenLink(key, 7, strings.Repeat("A", 1<<20), now) },
	} {
		if id, err := open(); id != 0 || !errors.Is(err, broadcast.ErrLink) {
			t.Errorf("%s: it opens as %d, %v", name, id, err)
		}
	}
	if strings.Contains(token, "3797402938376193") {
		t.Error("the token tells whose it is")
	}
}
