// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

func TestWhoJoinedAndLeft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		add := func(municipality int64, counts map[conversation.Tally]int64) {
			t.Helper()
			if err := d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
				return conversation.AddTallies(ctx, tx, municipality, counts)
			}); err != nil {
				t.Fatal(err)
			}
		}
		add(1, map[conversation.Tally]int64{
			{Day: "2026-03-01", Number: "n1", Name: "joined:EMERGENZE:whatsapp"}: 9, // before what is asked for
			{Day: "2026-03-02", Number: "n1", Name: "joined:EMERGENZE:whatsapp"}: 4,
			{Day: "2026-03-02", Number: "n2", Name: "joined:EMERGENZE:whatsapp"}: 1,
			{Day: "2026-03-02", Number: "n1", Name: "left:EMERGENZE:whatsapp"}:   2,
			{Day: "2026-03-02", Number: "", Name: "joined:EVENTI:counter"}:       7,
			{Day: "2026-03-03", Number: "n1", Name: "left:EMERGENZE:page"}:       1,
			{Day: "2026-03-03", Number: "n1", Name: "free_delivered"}:            50,
		})
		add(2, map[conversation.Tally]int64{{Day: "2026-03-02", Number: "n9", Name: "joined:EMERGENZE:whatsapp"}: 1000})
		var got []Movement
		if err := d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			got, err = Movements(ctx, tx, 1, "2026-03-02")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := []Movement{
			{Day: "2026-03-02", Topic: "EMERGENZE", Channel: "whatsapp", Joined: 5, Left: 2},
			{Day: "2026-03-02", Topic: "EVENTI", Channel: "counter", Joined: 7},
			{Day: "2026-03-03", Topic: "EMERGENZE", Channel: "page", Left: 1},
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestDaysEndToday(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	// Half past midnight in Rome is still the day before in UTC, and the night has 25 hours.
	got := Days(time.Date(2026, 10, 26, 0, 30, 0, 0, rome), 3)
	if want := []string{"2026-10-24", "2026-10-25", "2026-10-26"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCurveWalksBack(t *testing.T) {
	days := []string{"2026-03-01", "2026-03-02", "2026-03-03"}
	movements := []Movement{
		{Day: "2026-03-02", Topic: "A", Channel: "whatsapp", Joined: 5, Left: 2},
		{Day: "2026-03-02", Topic: "A", Channel: "page", Joined: 1},
		{Day: "2026-03-02", Topic: "B", Joined: 100},
		{Day: "2026-03-03", Topic: "A", Left: 1},
	}
	for _, test := range []struct {
		now  int
		want []int
	}{
		{10, []int{7, 11, 10}},
		{0, []int{0, 1, 0}}, // more joined than there ever were: a citizen was removed since
	} {
		if got := Curve(test.now, "A", days, movements); !slices.Equal(got, test.want) {
			t.Errorf("%d now: got %v, want %v", test.now, got, test.want)
		}
	}
	joined, left := Flow([]string{"A"}, days, movements)
	if !slices.Equal(joined, []int{0, 6, 0}) || !slices.Equal(left, []int{0, 2, 1}) {
		t.Errorf("joined %v, left %v", joined, left)
	}
}

func TestWhatWasSentAndWhatItCost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		began := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
		insert := func(ctx context.Context, tx *db.Tx, municipality, id int64, started any) error {
			_, err := tx.Exec(ctx, `INSERT INTO broadcast (municipality_id, broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads,
				category, free, author_kind, author_id, author_name, created_at, written_at, updated_at, started_at, recipients, reach)
				VALUES ($1, $2, 'completed', true, false, '[]', '[]', '[]', '{}', 'Allerta', 'UTILITY', '', 'operator', 1, 'Anna', $3, $3, $3, $4, 10, $5)`,
				[][]any{{municipality, id, began, started, db.JSON(`{"delivered": 3, "read": 5, "failed": 2, "p50": 1.5, "p99": 9}`)}})
			return err
		}
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for id, started := range map[int64]any{1: began, 2: began.Add(time.Hour), 3: began.AddDate(0, 0, -40), 4: nil} {
				if err := insert(ctx, tx, 1, id, started); err != nil {
					return err
				}
			}
			return insert(ctx, tx, 2, 5, began)
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []Broadcast
		if err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			got, err = Started(ctx, tx, 1, began.AddDate(0, 0, -30), 10)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].ID != 2 || got[1].ID != 1 {
			t.Fatalf("got %v", got)
		}
		b := got[1]
		if !b.StartedAt.Equal(began) || b.Reach.Arrived() != 8 || b.Reach.P50 != 1.5 || !b.Emergency || b.Reads != "Allerta" {
			t.Errorf("got %+v", b)
		}
		price := Cost(&municipality.Prices{Currency: "EUR", Utility: 0.025, Marketing: 0.057}, b.Category, b.Reach.Arrived())
		if want := (Price{Known: true, Currency: "EUR", Total: 0.2, Each: 0.025}); price != want {
			t.Errorf("it costs %v, want %v", price, want)
		}
		if price := Cost(nil, b.Category, 8); price.Known {
			t.Error("a cost without a price list")
		}
	})
}
