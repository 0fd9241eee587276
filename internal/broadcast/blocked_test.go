// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// blocks puts a citizen on a number's block list, or takes them off.
func (o *office) blocks(number string, contact int64, on bool) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		return conversation.NoteBlocked(ctx, tx, o.m.ID, number, contact, on)
	})
}

// listed are the recipients of a part, with why those skipped were.
func (o *office) listed(id int64, part broadcast.Part) map[int64]string {
	o.t.Helper()
	out := make(map[int64]string)
	o.update(func(ctx context.Context, tx *db.Tx) error {
		clear(out)
		found, _, err := broadcast.Recipients(ctx, tx, o.m.ID, id, part, 0, 100)
		for _, r := range found {
			out[r.Contact.ID] = r.Message.Status.String() + " " + r.Message.ErrorDetail
		}
		return err
	})
	return out
}

// Who is blocked on the number of their copy is skipped, an emergency's too, whenever the block came: Meta would refuse
// it. They are among those to be told otherwise; who left is not.
func TestWhoIsBlockedIsSkipped(t *testing.T) {
	for name, list := range map[string]string{"a notice": "AVVISI", "an emergency": "EMERGENZE"} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				stays := o.subscribed(number, list)
				before := o.subscribed(number, list)
				elsewhere := o.subscribed(number, list)
				forgiven := o.subscribed(number, list)
				released := o.subscribed(second, list)
				leaver := o.subscribed(second, list)
				o.blocks(number, before, true)
				o.blocks(second, elsewhere, true)
				o.blocks(number, forgiven, true)
				o.blocks(number, forgiven, false)

				b := o.sentTo(list)
				o.conduct()
				o.blocks(second, released, true)
				o.leaves(leaver, list)
				got := make(map[int64]bool)
				for _, from := range []string{number, second} {
					claimed := o.claim(from, 100)
					for _, m := range claimed {
						got[m.ContactID] = true
					}
					o.settle(from, claimed, conversation.Accepted, 0)
				}
				o.conduct()
				if len(got) != 3 || !got[stays] || !got[elsewhere] || !got[forgiven] {
					t.Errorf("it went to %v", got)
				}
				if b = o.get(b.ID); b.State != broadcast.Completed {
					t.Errorf("the broadcast is %s", b.State)
				}
				if out := o.outcomes(b.ID); out.Accepted != 3 || out.Skipped != 3 || out.Failed != 0 || out.Audience() != 6 {
					t.Errorf("outcomes are %+v", out)
				}
				missed := o.listed(b.ID, broadcast.NotReached)
				for _, id := range []int64{before, released} {
					if missed[id] != "skipped blocked" {
						t.Errorf("%d is %q among those not reached", id, missed[id])
					}
				}
				if _, told := missed[leaver]; told {
					t.Error("who left is to be told otherwise")
				}
			})
		})
	}
}

// sentTo sends a broadcast to a list; a second person approves an emergency.
func (o *office) sentTo(list string) broadcast.Broadcast {
	o.t.Helper()
	b := o.sent(plan(list))
	if b.State == broadcast.AwaitingApproval {
		o.must(o.bruno(), broadcast.Approve, b.ID)
	}
	return b
}

// Those who wait for Meta's daily limit are skipped when they are prepared, and looked at once more before they go.
func TestBlockedWhileTheLimitHoldsItBack(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.limit("TIER_10")
		var people []int64
		for range 12 {
			people = append(people, o.subscribed(number, "AVVISI"))
		}
		o.blocks(number, people[11], true)
		b := o.sent(plan("AVVISI"))
		if got := o.deliver(); len(got) != 9 {
			t.Fatalf("%d got it within the limit", len(got))
		}
		if got := o.listed(b.ID, broadcast.Part("skipped")); len(got) != 1 || got[people[11]] != "skipped blocked" {
			t.Errorf("after the preparation %v are skipped", got)
		}
		o.exec(`INSERT INTO blocked (municipality_id, number, contact_id, at) VALUES ($1, $2, $3, $4)`, o.m.ID, number, people[10], o.now) // as another instance does at this moment
		o.now = o.now.Add(25 * time.Hour)
		if got := o.deliver(); len(got) != 1 || len(got[people[9]]) != 1 {
			t.Errorf("a day later it went to %v", got)
		}
		if got := o.listed(b.ID, broadcast.NotReached); got[people[10]] != "skipped blocked" {
			t.Errorf("%v are not reached", got)
		}
	})
}

// One that was in flight when its citizen was blocked and comes back to the queue does not go out again.
func TestWhatComesBackForABlockedCitizen(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		who := o.subscribed(number, "AVVISI")
		b := o.sent(plan("AVVISI"))
		o.conduct()
		claimed := o.claim(number, 10)
		o.blocks(number, who, true)
		o.settle(number, claimed, conversation.Queued, 0)
		o.now = o.now.Add(time.Hour)
		if again := o.claim(number, 10); len(again) != 0 {
			t.Errorf("%d go out again", len(again))
		}
		if got := o.listed(b.ID, broadcast.Everybody); got[who] != "skipped blocked" {
			t.Errorf("the copy is %q", got[who])
		}
	})
}

// The estimate leaves out who would be skipped, and says how many they are.
func TestTheEstimateKnowsWhoIsBlocked(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.subscribed(number, "AVVISI", "CENTRO")
		here := o.subscribed(number, "AVVISI", "CENTRO")
		elsewhere := o.subscribed(number, "AVVISI")
		other := o.subscribed(number, "EVENTI")
		o.blocks(number, here, true)
		o.blocks(second, elsewhere, true)
		o.blocks(number, other, true)
		look := func(p broadcast.Plan) (e broadcast.Estimate) {
			o.update(func(ctx context.Context, tx *db.Tx) (err error) {
				e, err = broadcast.Look(ctx, tx, o.m, p)
				return err
			})
			return e
		}
		if e := look(plan("AVVISI")); e.Recipients != 2 || e.Blocked != 1 || e.ByNumber[number] != 2 {
			t.Errorf("the estimate is %+v", e)
		}
		p := plan("AVVISI")
		p.Districts = []string{"CENTRO"}
		if e := look(p); e.Recipients != 1 || e.Blocked != 1 || e.NoDistrict != 1 {
			t.Errorf("the district's estimate is %+v", e)
		}
		p = plan("AVVISI")
		p.Free = "Ciao"
		if e := look(p); e.Recipients != 2 || e.Free != 0 || e.Blocked != 1 {
			t.Errorf("the estimate with free text is %+v", e)
		}
		if e := look(plan("EVENTI")); e.Recipients != 0 || e.Blocked != 1 {
			t.Errorf("the estimate of a list whose only subscriber is blocked is %+v", e)
		}
	})
}
