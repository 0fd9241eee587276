// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/calendar"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// act is something that happens to a citizen's subscriptions.
type act struct {
	kind  int // 0 joins A, 1 joins B, 2 leaves A, 3 leaves everything, 4 changes number
	order order
}

func (a act) on(s *standing) {
	s.note(a.order)
	switch a.kind {
	case 0, 1:
		s.join([]string{"A", "B"}[a.kind], "n"+a.order.source, a.order)
	case 2:
		s.leave("A", a.order)
	case 3:
		s.leaveAll(a.order)
	case 4:
		s.move(a.order)
	}
}

// seen is what matters of a standing.
func (s *standing) seen() string {
	out := fmt.Sprint(s.last, s.left, s.moved)
	for _, topic := range []string{"A", "B"} {
		if t := s.topics[topic]; t != nil && t.state != Off {
			out += fmt.Sprint(" ", topic, t.state, t.number, t.word)
		}
	}
	return out
}

func (s *standing) on() int { return len(s.in(On)) }

func acts(random *rand.Rand, n int) []act {
	out := make([]act, n)
	start := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for i := range out {
		// Some fall into the same second, some into the same place of it.
		out[i] = act{random.IntN(5), order{start.Add(time.Duration(i/3) * time.Second), i % 3 / 2, fmt.Sprint("wamid.", i)}}
	}
	return out
}

func empty(id int64) *standing { return &standing{contact: id, topics: make(map[string]*subscribed)} }

// The end does not depend on the order in which things are processed, nor on which of two contacts of one citizen they
// were told of; and the counts of who joined and left add up to who is there (invariant 13).
func TestStandingsInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		all := acts(random, 1+random.IntN(9))
		want := empty(1)
		for _, a := range all {
			a.on(want)
		}
		one, younger := empty(1), empty(2)
		split := random.IntN(2) == 0
		for _, i := range random.Perm(len(all)) {
			if s := one; split && random.IntN(2) == 0 {
				all[i].on(younger)
			} else {
				all[i].on(s)
			}
		}
		apart := one.on() + younger.on()
		if counted := len(one.joins) - len(one.departures) + len(younger.joins) - len(younger.departures); counted != apart {
			t.Fatalf("%v: %d are on a list, and %d are counted", all, apart, counted)
		}
		before := len(one.joins) - len(one.departures)
		if split {
			one.absorb(younger)
		}
		if got := one.seen(); got != want.seen() {
			t.Fatalf("%v: gives\n%s\nwant\n%s", all, got, want.seen())
		}
		if change := len(one.joins) - len(one.departures) - before; apart+change != one.on() {
			t.Fatalf("%v: merging makes %d of %d, and counts %d", all, one.on(), apart, change)
		}
	}
}

// What is saved is what is read again.
func TestStandingsAreKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		random := rand.New(rand.NewPCG(3, 4))
		for id := int64(1); id < 30; id++ {
			want := empty(id)
			for _, a := range acts(random, 6) {
				a.on(want)
			}
			if err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				all, err := standings(ctx, tx, 5, []int64{id, id + 100}, true)
				if err != nil {
					return err
				}
				all[id].topics, all[id].last, all[id].left, all[id].moved, all[id].dirty = want.topics, want.last, want.left, want.moved, true
				if err := save(ctx, tx, 5, all); err != nil {
					return err
				}
				again, err := standings(ctx, tx, 5, []int64{id}, false)
				if err == nil && again[id].seen() != want.seen() {
					t.Errorf("saved\n%s\nread\n%s", want.seen(), again[id].seen())
				}
				other, err2 := standings(ctx, tx, 6, []int64{id}, false)
				if err2 == nil && len(other[id].topics) != 0 {
					t.Error("another municipality reads it")
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Merging gives the older contact everything and leaves the younger nothing, Meta's opt-out too.
func TestMergeLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		desk, err := calendar.New(calendar.Spec{}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		m := &municipality.Municipality{ID: 5, Desk: desk, File: &municipality.File{Locale: "it", Policy: municipality.Policy{Version: "1", Text: "Informativa."}}}
		now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
		if err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			all, err := standings(ctx, tx, 5, []int64{1, 2}, true)
			if err != nil {
				return err
			}
			all[2].note(order{now, 0, "w"})
			all[2].join("A", "n", order{now, 0, "w"})
			if err := save(ctx, tx, 5, all); err != nil {
				return err
			}
			if err := Prefer(ctx, tx, m, []Preference{{Contact: 2, Stop: true, At: now}, {Contact: 1, Stop: true, At: now.Add(-time.Hour)}, {Contact: 1, At: now.Add(-time.Minute)}}); err != nil {
				return err
			}
			return Merge(ctx, tx, m, []contact.Merge{{From: 2, Into: 1}})
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			older, err := SubscriptionsOf(ctx, tx, 5, 1)
			if err != nil || len(older) != 1 || !older[0].Since.Equal(now) {
				t.Errorf("the older has %+v, %v", older, err)
			}
			younger, err := SubscriptionsOf(ctx, tx, 5, 2)
			if err != nil || len(younger) != 0 {
				t.Errorf("the younger has %+v, %v", younger, err)
			}
			stopped, err := MarketingStopped(ctx, tx, 5, 1)
			if err != nil || stopped == nil || !stopped.Equal(now) {
				t.Errorf("marketing was stopped %v, %v", stopped, err)
			}
			rows, err := contact.AllConsents(ctx, tx, 5, 0, 10)
			if len(rows) != 3 || !slices.ContainsFunc(rows, func(c contact.Consent) bool { return c.Event == contact.ConsentResumed }) {
				t.Errorf("proof: %+v", rows)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}
