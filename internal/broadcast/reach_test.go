// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// What the estimate says of days is what the limit does: a tenth of every day is kept for emergencies.
func TestDaysOfTheLimit(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.limit("TIER_10")
		o.crowd(28)
		for range 28 {
			o.subscribed(number, "EMERGENZE")
		}
		exercise := plan("EMERGENZE")
		exercise.Exercise, exercise.Parameters.List = true, []string{"ESERCITAZIONE"}
		for name, c := range map[string]struct {
			plan broadcast.Plan
			days int
		}{"a notice": {plan("AVVISI"), 4}, "an emergency": {plan("EMERGENZE"), 3}, "an exercise": {exercise, 4}} {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				e, err := broadcast.Look(ctx, tx, o.m, c.plan)
				if e.Days != c.days {
					t.Errorf("%s takes %d days, not %d", name, e.Days, c.days)
				}
				return err
			})
		}
		o.sent(plan("AVVISI"))
		days := 0
		for got := 0; got < 28 && days < 10; days++ {
			got += len(o.deliver())
			o.now = o.now.Add(25 * time.Hour)
		}
		if days != 4 {
			t.Errorf("the notice took %d days", days)
		}
	})
}

// Whom the second copy reached need not be told otherwise; the others do.
func TestASecondCopyReachesSomebody(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(6)
		b := o.sent(plan("AVVISI"))
		o.conduct()
		o.settle(number, o.claim(number, 10), conversation.Uncertain, 0)
		o.settle(second, o.claim(second, 10), conversation.Accepted, 0)
		o.conduct()
		o.now = o.now.Add(11 * time.Minute)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.ResendUncertain(ctx, tx, o.anna(), o.m, b.ID)
			return err
		})
		o.conduct()
		again := o.claim(number, 10)
		if len(again) != 3 {
			t.Fatalf("%d were sent again", len(again))
		}
		o.settle(number, again[:2], conversation.Accepted, 0)
		o.settle(number, again[2:], conversation.Failed, 131026)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.ApplyStatuses(ctx, tx, o.m.ID, []conversation.Change{{Number: number, MessageID: again[0].ID,
				ExternalID: "wamid." + db.FormatID(again[0].ID), Status: conversation.Read, At: o.now}})
			return err
		})
		listed := func(part broadcast.Part) (found map[int64]bool) {
			found = make(map[int64]bool)
			o.update(func(ctx context.Context, tx *db.Tx) error {
				for after := int64(0); ; {
					page, next, err := broadcast.Recipients(ctx, tx, o.m.ID, b.ID, part, after, 2)
					for _, r := range page {
						found[r.ID] = true
					}
					if after = next; err != nil || next == 0 {
						return err
					}
				}
			})
			return found
		}
		if found := listed(broadcast.NotReached); len(found) != 5 || found[again[0].ContactID] {
			t.Errorf("not reached are %v, though %d has it", found, again[0].ContactID)
		}
		if found := listed(broadcast.Everybody); len(found) != 6 {
			t.Errorf("all are %v", found)
		}
	})
}

// A search among subscribers that looks at too many citizens says so.
func TestASearchThatIsCut(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		first := o.subscribed(number, "AVVISI") // Maria Rossi, the oldest of all
		find := func(query string, limit int) (ids []int64, cut bool) {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				found, more, err := broadcast.FindSubscribers(ctx, tx, o.m.ID, "AVVISI", query, limit)
				ids, cut = nil, more
				for _, f := range found {
					ids = append(ids, f.ID)
				}
				return err
			})
			return ids, cut
		}
		known := func(n int) {
			o.update(func(ctx context.Context, tx *db.Tx) error {
				var people []contact.Person
				for range n {
					o.people++
					people = append(people, contact.Person{Phone: fmt.Sprintf("39333%07d", o.people), Name: "Luca Rossi", At: tx.Now()})
				}
				_, _, err := contact.Resolve(ctx, tx, o.m.ID, people)
				return err
			})
		}
		known(499)
		if ids, cut := find("rossi", 50); len(ids) != 1 || ids[0] != first || cut {
			t.Errorf("among 500 found %v, cut: %t", ids, cut)
		}
		known(1)
		if ids, cut := find("rossi", 50); len(ids) != 0 || !cut {
			t.Errorf("among 501 found %v, cut: %t", ids, cut)
		}
		if ids, cut := find("maria rossi", 50); len(ids) != 1 || cut {
			t.Errorf("by the whole name found %v, cut: %t", ids, cut)
		}
		o.subscribed(number, "AVVISI")
		if ids, cut := find("maria", 1); len(ids) != 1 || !cut {
			t.Errorf("of two, one at a time, found %v, cut: %t", ids, cut)
		}
	})
}

// A number that is not the municipality's is not called a list.
func TestAChangeByAnUnknownNumber(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.subscribed(number)
		for name, c := range map[string]struct {
			change broadcast.Change
			want   error
		}{
			"an unknown number": {broadcast.Change{Contact: id, Join: []string{"AVVISI"}, Number: "7", Channel: "counter", Reference: "1", Key: "a"}, broadcast.ErrNumber},
			"an unknown list":   {broadcast.Change{Contact: id, Join: []string{"SCUOLA"}, Number: number, Channel: "counter", Reference: "1", Key: "b"}, broadcast.ErrTopic},
		} {
			err := o.d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := broadcast.Apply(ctx, tx, staff.Actor{Kind: staff.OperatorKind, ID: 3, Name: "Olga", Role: staff.Operator, Municipality: o.m.ID}, o.m, c.change)
				return err
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%s gave %v", name, err)
			}
		}
	})
}

// A large broadcast is not counted for whoever looks at it, but by the conductor: while it is sent, and once more when
// it has ended.
func TestALargeBroadcastIsCountedByTheConductor(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		const people = 1100
		o.crowd(people)
		b := o.sent(plan("AVVISI"))
		shown := func() (r broadcast.Reach) {
			b := o.get(b.ID)
			o.update(func(ctx context.Context, tx *db.Tx) (err error) {
				r, err = broadcast.Reached(ctx, tx, o.m.ID, b)
				return err
			})
			return r
		}
		o.conduct()
		if r := shown(); r.Queued != people {
			t.Errorf("%+v, and nothing is sent", r)
		}
		o.settle(number, o.claim(number, 30), conversation.Failed, 131026)
		if r := shown(); r.Failed != 0 {
			t.Errorf("%+v was counted for whoever looks", r)
		}
		o.now = o.now.Add(3 * time.Second)
		o.conduct()
		if r := shown(); r.Failed != 30 || r.Failures[131026] != 30 || r.Queued != people-30 {
			t.Errorf("%+v, and 30 have failed", r)
		}
		o.deliver()
		o.now = o.now.Add(time.Minute)
		o.conduct()
		if r, b := shown(), o.get(b.ID); b.CompletedAt == nil || r.Accepted != people-30 || r.Queued != 0 {
			t.Errorf("%+v, and all is sent at %v", r, b.CompletedAt)
		}
	})
}
