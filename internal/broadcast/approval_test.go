// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// step is something that a person does to a broadcast.
type step func(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (broadcast.Broadcast, error)

func edit(p broadcast.Plan) step {
	return func(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (broadcast.Broadcast, error) {
		return broadcast.Edit(ctx, tx, actor, m, id, p)
	}
}

func (o *office) carla() staff.Actor { return o.person(5, "Carla", staff.Supervisor) }

// by takes a step as somebody; it may fail.
func (o *office) by(actor staff.Actor, do step, id int64) error {
	return o.d.Update(o.t.Context(), func(ctx context.Context, tx *db.Tx) error { _, err := do(ctx, tx, actor, o.m, id); return err })
}

func (o *office) must(actor staff.Actor, do step, id int64) {
	o.t.Helper()
	if err := o.by(actor, do, id); err != nil {
		o.t.Fatal(err)
	}
}

// draft is an emergency that Anna has begun to write.
func (o *office) draft(p broadcast.Plan) (b broadcast.Broadcast) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) (err error) {
		b, err = broadcast.Create(ctx, tx, o.anna(), o.m, p)
		return err
	})
	return b
}

// Whoever began a draft, neither who wrote it last nor who asked for approval is a second person.
func TestASecondPersonHasNeitherWrittenNorAsked(t *testing.T) {
	type act struct {
		who int // 0 Anna, 1 Bruno, 2 Carla
		do  step
	}
	rewrite := edit(plan("EMERGENZE"))
	for name, c := range map[string]struct {
		acts []act
		may  [3]bool
	}{
		"one does it all":             {[]act{{0, broadcast.Submit}}, [3]bool{false, true, true}},
		"another edits and asks":      {[]act{{1, rewrite}, {1, broadcast.Submit}}, [3]bool{true, false, true}},
		"another asks":                {[]act{{1, broadcast.Submit}}, [3]bool{false, false, true}},
		"another edits, she asks":     {[]act{{1, rewrite}, {0, broadcast.Submit}}, [3]bool{false, false, true}},
		"another returns it":          {[]act{{0, broadcast.Submit}, {1, broadcast.Return}, {0, broadcast.Submit}}, [3]bool{false, true, true}},
		"another edits what waits":    {[]act{{0, broadcast.Submit}, {1, rewrite}, {1, broadcast.Submit}}, [3]bool{true, false, true}},
		"another asked before":        {[]act{{1, broadcast.Submit}, {2, broadcast.Return}, {0, broadcast.Submit}}, [3]bool{false, true, true}},
		"another edited before":       {[]act{{1, rewrite}, {0, rewrite}, {0, broadcast.Submit}}, [3]bool{false, true, true}},
		"two had a hand in the text":  {[]act{{1, rewrite}, {2, broadcast.Submit}}, [3]bool{true, false, false}},
		"two had a hand, one returns": {[]act{{1, rewrite}, {2, broadcast.Submit}, {2, broadcast.Return}, {1, broadcast.Submit}}, [3]bool{true, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				people := []staff.Actor{o.anna(), o.bruno(), o.carla()}
				b := o.draft(plan("EMERGENZE"))
				for _, a := range c.acts {
					o.must(people[a.who], a.do, b.ID)
				}
				now := o.get(b.ID)
				for i, who := range people {
					if now.Second(who) != c.may[i] {
						t.Errorf("%s is told %t", who.Name, !c.may[i])
					}
					if err := o.by(who, broadcast.Approve, b.ID); !c.may[i] && !errors.Is(err, broadcast.ErrSecond) {
						t.Errorf("approval by %s gave %v", who.Name, err)
					} else if c.may[i] {
						if err != nil {
							t.Errorf("approval by %s gave %v", who.Name, err)
						}
						return // it is released
					}
				}
			})
		})
	}
}

// What cannot be sent any more goes back to its author all the same, as it was.
func TestReturningTakesNothingAway(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		p := plan("EMERGENZE")
		p.Schedule = new(o.now.Add(time.Hour))
		b := o.sent(p)
		o.now = o.now.Add(2 * time.Hour)
		o.templates()
		o.must(o.bruno(), broadcast.Return, b.ID)
		got := o.get(b.ID)
		if got.State != broadcast.Draft || got.SubmittedAt != nil || got.Submitter.ID != 0 || got.Reads != b.Reads || got.Author != b.Author || !got.Schedule.Equal(*b.Schedule) {
			t.Errorf("it is %+v", got)
		}
		if err := o.by(o.bruno(), broadcast.Return, b.ID); !errors.Is(err, broadcast.ErrState) {
			t.Errorf("returning a draft gave %v", err)
		}
	})
}

// templates makes these all that Meta lists.
func (o *office) templates(listed ...municipality.Template) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		return municipality.SaveTemplates(ctx, tx, o.m.ID, "200000000000001", listed)
	})
}

// While an emergency waits, its time may pass, its template may go or say something else: nobody releases
// what can't be sent, or what nobody has read.
func TestWhatWaitedIsCheckedAgain(t *testing.T) {
	glass := func(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (broadcast.Broadcast, error) {
		return broadcast.BreakGlass(ctx, tx, actor, m, id, "nessuno risponde al telefono")
	}
	for name, c := range map[string]struct {
		meanwhile func(o *office)
		want      error
	}{
		"its time has passed":      {func(o *office) { o.now = o.now.Add(2 * time.Hour) }, broadcast.ErrSchedule},
		"its template is gone":     {func(o *office) { o.templates() }, broadcast.ErrNoTemplate},
		"its template was changed": {func(o *office) { o.templates(template("avviso", "UTILITY", "Attenzione: {{1}}.")) }, broadcast.ErrChanged},
		"nothing":                  {func(o *office) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for act, release := range map[string]step{"approving": broadcast.Approve, "breaking the glass": glass} {
				t.Run(act, func(t *testing.T) {
					each(t, func(t *testing.T, o *office) {
						p := plan("EMERGENZE")
						p.Schedule = new(o.now.Add(time.Hour))
						b := o.sent(p)
						c.meanwhile(o)
						want := broadcast.AwaitingApproval
						if c.want == nil {
							want = broadcast.Scheduled
						}
						if err := o.by(o.bruno(), release, b.ID); !errors.Is(err, c.want) {
							t.Errorf("got %v, want %v", err, c.want)
						}
						if got := o.get(b.ID); got.State != want {
							t.Errorf("it is %s", got.State)
						}
					})
				})
			}
		})
	}
}

// A draft whose template was changed is read again before it is sent: what it says is what was confirmed.
func TestADraftOfAChangedTemplate(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.draft(plan("AVVISI"))
		o.templates(template("avviso", "MARKETING", "Attenzione: {{1}}."))
		if err := o.by(o.anna(), broadcast.Submit, b.ID); !errors.Is(err, broadcast.ErrChanged) {
			t.Errorf("got %v", err)
		}
		o.must(o.anna(), edit(plan("AVVISI")), b.ID)
		o.must(o.anna(), broadcast.Submit, b.ID)
		if got := o.get(b.ID); got.Reads != "Attenzione: via Roma è chiusa." || got.Category != "MARKETING" {
			t.Errorf("it is %+v", got)
		}
	})
}

// A list that became one for emergencies after the draft was written takes a second person, and stays so.
func TestAListBecomesOneForEmergencies(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.draft(plan("AVVISI"))
		for i := range o.m.File.Lists {
			o.m.File.Lists[i].Kind = municipality.ListEmergency
		}
		o.must(o.anna(), broadcast.Submit, b.ID)
		if got := o.get(b.ID); got.State != broadcast.AwaitingApproval || !got.Emergency {
			t.Errorf("it is %s, an emergency: %t", got.State, got.Emergency)
		}
	})
}

// The State's alarm is not imitated, however it is spelt; in English the two words may stand in a sentence.
func TestTheStatesAlarm(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		english := template("avviso", "UTILITY", "The town informs you: {{1}}.")
		english.Language = "en_US"
		o.templates(template("avviso", "UTILITY", "Il Comune informa: {{1}}."), english)
		for _, c := range []struct {
			text             string
			italian, english bool // refused
		}{
			{"IT-alert", true, true}, {"it-alert", true, true}, {"ITALERT", true, true}, {"IT_ALERT", true, true}, {"IT Alert", true, true},
			{"IT\u2011ALERT", true, true}, {"IT\u2013alert", true, true}, {"it\u2013alert", true, true}, {"IT\u2212alert", true, true}, {"IT \u2014 Alert", true, true},
			{"IT\u00a0alert", true, true}, {"IT\u00ad\u200balert", true, true}, {"messaggio it alert di prova", true, false},
			{"make it alert people", true, false}, {"we send it: alert your neighbours", false, false}, {"Read it. Alert your family", false, false},
			{"credit alert", false, false}, {"IT alertness", false, false}, {"bit-alert", false, false},
		} {
			for language, refused := range map[string]bool{"it": c.italian, "en_US": c.english} {
				p := plan("AVVISI")
				p.Template.Language, p.Free = language, c.text
				err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					_, err := broadcast.Create(ctx, tx, o.anna(), o.m, p)
					return err
				})
				if errors.Is(err, broadcast.ErrImitation) != refused || err != nil && !refused {
					t.Errorf("%q in %s gave %v", c.text, language, err)
				}
			}
		}
	})
}

// Every page of the desk asks what was released alone and what waits for approval: however many broadcasts there were,
// an index knows.
func TestEveryPageAsksByAnIndex(t *testing.T) {
	var seen dbtest.Statements
	alone(t, dbtest.SQLite, func(o *office) { // PostgreSQL reads a few broadcasts as a whole
		ran := seen.During(func() {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				if _, err := broadcast.AwaitingSecond(ctx, tx, o.m.ID); err != nil {
					return err
				}
				_, err := broadcast.GlassBroken(ctx, tx, o.m.ID, o.now)
				return err
			})
		})
		used := ""
		for query, args := range ran {
			used += dbtest.Plan(t, o.d, query, args)
		}
		for _, index := range []string{"broadcast_awaits", "broadcast_glass"} {
			if !strings.Contains(used, index) {
				t.Errorf("%s is not used: %s", index, used)
			}
		}
	}, func(options *db.Options) { options.Observe = seen.Observe })
}
