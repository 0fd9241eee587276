// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

func (o *office) stopped(id int64) (at *time.Time) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		at, err = broadcast.MarketingStopped(ctx, tx, o.m.ID, id)
		return err
	})
	return at
}

// What a citizen told Meta last holds, in whatever order it is processed; what a refused message tells is dated by
// when it was refused.
func TestPreferencesInAnyOrder(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		prefer := func(id int64, stop bool, minute int) {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				return broadcast.Prefer(ctx, tx, o.m, []broadcast.Preference{{Contact: id, Stop: stop, At: o.now.Add(time.Duration(minute) * time.Minute)}})
			})
		}
		refused := func(id int64, minute int) {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				return broadcast.NoteFailures(ctx, tx, o.m, []conversation.Failure{{ContactID: id, Code: 131050, At: o.now.Add(time.Duration(minute) * time.Minute)}})
			})
		}
		a := o.subscribed(number, "AVVISI")
		prefer(a, false, -10)
		prefer(a, true, -20)
		if at := o.stopped(a); at != nil {
			t.Errorf("resumed last, yet stopped at %s", at)
		}
		prefer(a, true, -5)
		prefer(a, true, -1)
		prefer(a, false, -3)
		if o.stopped(a) == nil {
			t.Error("stopped last, yet not stopped")
		}
		b := o.subscribed(number, "AVVISI")
		prefer(b, false, -10)
		refused(b, -20)
		if at := o.stopped(b); at != nil {
			t.Errorf("refused before it was resumed, yet stopped at %s", at)
		}
		refused(b, -5)
		if o.stopped(b) == nil {
			t.Error("refused, yet not stopped")
		}
	})
}

// A consent from before the number changed subscribes nobody, and suspends nobody without proof.
func TestImportFromBeforeTheNumberChanged(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.subscribed(number)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO subscriber (municipality_id, contact_id, at, moved_at) VALUES ($1, $2, $3, $3)`, o.m.ID, id, o.now.Add(-time.Hour)); err != nil {
				return err
			}
			report, err := broadcast.Import(ctx, tx, staff.System("cli"), o.m, "AVVISI",
				[]broadcast.ImportRow{{Line: 2, Phone: "393330000001", Basis: "modulo", Date: o.now.AddDate(0, 0, -2), Reference: "prot. 1"}})
			if len(report.Left) != 1 || report.Subscribed != 0 {
				t.Errorf("the report is %+v", report)
			}
			if err != nil {
				return err
			}
			all, err := broadcast.SubscriptionsOf(ctx, tx, o.m.ID, id)
			if len(all) != 0 {
				t.Errorf("without proof they are %+v", all)
			}
			return err
		})
	})
}

// A form's proof is in the language that the form was in, and acknowledges the notice only where all of it was shown.
func TestProofOfAForm(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		for shown, rows := range map[string]int{"My lists": 1, "My lists. " + broadcast.Notice(o.m.File): 2} {
			id := o.subscribed(number)
			if _, err := o.apply(staff.Citizen(o.m.ID, id), broadcast.Change{Contact: id, Join: []string{"AVVISI"}, Channel: "page", Wording: shown, Language: "en", Key: "k"}); err != nil {
				t.Fatal(err)
			}
			proof := o.proof(id)
			if len(proof) != rows || rows == 2 && proof[0].Event != contact.ConsentNotice {
				t.Errorf("%q is proven by %+v", shown, proof)
			}
			for _, c := range proof {
				if c.Language != "en" || !c.At.Equal(o.now) {
					t.Errorf("the proof is %+v", c)
				}
			}
		}
	})
}

// What plainly means to leave, or to ask, is no work for a person.
func TestWaysToLeave(t *testing.T) {
	g := broadcast.NewGrammar(towntest.Parse(t, town+"subscription: {join: [ISCRIZIONE ON], leave: [ISCRIZIONE OFF], status: [LISTE]}\n"))
	for text, want := range map[string]broadcast.Command{
		"Liste?": {Verb: broadcast.Status}, "le liste?": {Verb: broadcast.Status},
		"rimuovimi": {Verb: broadcast.Leave}, "Rimuovetemi dalla lista": {Verb: broadcast.Leave}, "eliminatemi": {Verb: broadcast.Leave}, "mi cancello": {Verb: broadcast.Leave},
		"toglietemi dalla lista": {Verb: broadcast.Leave}, "toglimi": {Verb: broadcast.Leave, Soft: true}, "Non voglio più essere iscritta, grazie": {Verb: broadcast.Leave},
		"Rimuovetemi le auto sotto casa": {}, "eliminatemi il debito": {}, "mi cancello dal nido": {}, "toglimi un dubbio": {}, "che liste ci sono?": {}, "ISCRIZIONE ON?": {},
	} {
		got, ok := g.Parse(text)
		if got.Verb != want.Verb || got.Soft != want.Soft || len(got.Topics) != 0 || ok != (want.Verb != broadcast.None) {
			t.Errorf("%q is %+v, %v; want %+v", text, got, ok, want)
		}
	}
}
