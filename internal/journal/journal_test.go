// SPDX-License-Identifier: AGPL-3.0-or-later

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/journal"
)

const comune = int64(7)

// running starts a journal that ends with the test.
func running(t *testing.T, d *db.DB) *journal.Journal {
	t.Helper()
	j := journal.New(d, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { j.Run(ctx) })
	t.Cleanup(func() { stop(); done.Wait() })
	return j
}

func appendAll(t *testing.T, j *journal.Journal, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := j.Append(t.Context(), comune, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
}

func bodies(entries []journal.Entry) (out []string) {
	for _, e := range entries {
		out = append(out, string(e.Body))
	}
	return out
}

func TestManyAppendAtOnceAndNothingIsLost(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		j := running(t, d)
		const writers, each = 16, 50
		var together sync.WaitGroup
		for w := range writers {
			together.Go(func() {
				for i := range each {
					if err := j.Append(t.Context(), comune, fmt.Appendf(nil, "%d-%d", w, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		together.Wait()
		seen := make(map[string]int)
		for {
			n, err := j.Process(t.Context(), 100, func(_ context.Context, _ *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
				for _, b := range bodies(entries) {
					seen[b]++
				}
				return nil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if len(seen) != writers*each {
			t.Errorf("%d of %d entries came", len(seen), writers*each)
		}
	})
}

// A poisonous entry goes to quarantine alone, and its neighbours go on.
func TestOneBadEntryHoldsBackNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, fail := range map[string]func(){"error": nil, "panic": func() { panic("nobody thought of this") }} {
			j := running(t, d)
			appendAll(t, j, "a", "poison "+name, "b")
			var good []string
			work := func(_ context.Context, _ *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
				for _, b := range bodies(entries) {
					if strings.HasPrefix(b, "poison") {
						if fail != nil {
							fail()
						}
						return nil, errors.New("poisoned")
					}
				}
				good = append(good, bodies(entries)...)
				return nil, nil
			}
			for range 3 {
				if _, err := j.Process(t.Context(), 10, work); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(good, []string{"a", "b"}) {
				t.Errorf("%s: processed %v", name, good)
			}
		}
		items := unsolved(t, d)
		if len(items) != 2 || items[0].Reason != "failed" || !strings.HasPrefix(items[0].Body, "poison") {
			t.Errorf("quarantine %+v", items)
		}
	})
}

func unsolved(t *testing.T, d *db.DB) (items []journal.Item) {
	t.Helper()
	err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		items, err = journal.Unsolved(ctx, tx, comune, 0, 50)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func TestQuarantineIsReplayed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		j := running(t, d)
		appendAll(t, j, "strange \x00\xff body")
		understood := false
		work := func(_ context.Context, _ *db.Tx, entries []journal.Entry) (bad []journal.Bad, err error) {
			for _, e := range entries {
				if !understood {
					bad = append(bad, journal.Bad{Municipality: e.Municipality, Entry: e.ID, Place: "change/0", Reason: "foreign_number", Detail: "why", Body: e.Body})
				}
			}
			return bad, nil
		}
		process := func() {
			t.Helper()
			if _, err := j.Process(t.Context(), 10, work); err != nil {
				t.Fatal(err)
			}
		}
		replay := func(item journal.Item) {
			t.Helper()
			if err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return journal.AskReplay(ctx, tx, comune, item.ID) }); err != nil {
				t.Fatal(err)
			}
			if err := j.Replay(t.Context(), comune, item); err != nil {
				t.Fatal(err)
			}
			process()
		}
		process()
		items := unsolved(t, d)
		if len(items) != 1 || items[0].Place != "change/0" {
			t.Fatalf("quarantine %+v", items)
		}
		replay(items[0])
		if again := unsolved(t, d); len(again) != 1 || again[0].ID != items[0].ID || again[0].ReplayedAt != nil {
			t.Fatalf("a replay that changed nothing left %+v", again)
		}
		understood = true
		replay(items[0])
		if left := unsolved(t, d); len(left) != 0 {
			t.Errorf("solved, and still there: %+v", left)
		}
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return journal.AskReplay(ctx, tx, comune+1, items[0].ID) })
		if !errors.Is(err, journal.ErrNoItem) {
			t.Errorf("another municipality replayed it: %v", err)
		}
	})
}

func TestOldEntriesAreDropped(t *testing.T) {
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
		j := running(t, d)
		appendAll(t, j, "done", "quarantined", "waiting")
		for range 2 {
			if _, err := j.Process(t.Context(), 1, func(_ context.Context, _ *db.Tx, entries []journal.Entry) (bad []journal.Bad, err error) {
				for _, e := range entries {
					if string(e.Body) == "quarantined" {
						bad = append(bad, journal.Bad{Municipality: comune, Entry: e.ID, Reason: "x", Body: e.Body})
					}
				}
				return bad, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		dropped := func(after time.Duration) int64 {
			t.Helper()
			now = now.Add(after)
			n, err := j.Drop(t.Context(), comune)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := dropped(6 * 24 * time.Hour); n != 0 {
			t.Errorf("after six days %d were dropped", n)
		}
		if n := dropped(2 * 24 * time.Hour); n != 1 {
			t.Errorf("after eight days %d were dropped, not the done one", n)
		}
		if n := dropped(90 * 24 * time.Hour); n != 1 {
			t.Errorf("after ninety-eight days %d were dropped, not the quarantined one", n)
		}
		lag, err := j.Lag(t.Context())
		if err != nil || lag < 90*24*time.Hour {
			t.Errorf("what waits was dropped: lag %v, %v", lag, err)
		}
	}, func(o *db.Options) { o.Now = func() time.Time { return now } })
}

// Large entries come a few at a time, in their order, so that a batch bounds memory too.
func TestABatchIsBoundedInBytes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		j := running(t, d)
		large := strings.Repeat("x", 400<<10)
		appendAll(t, j, "1"+large, "2"+large, "3"+large, "4", strings.Repeat("5", 3<<20), "6")
		var batches []string
		for {
			n, err := j.Process(t.Context(), 400, func(_ context.Context, _ *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
				names := ""
				for _, b := range bodies(entries) {
					names += b[:1]
				}
				batches = append(batches, names)
				return nil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if want := []string{"12", "34", "5", "6"}; !slices.Equal(batches, want) {
			t.Errorf("batches %v, not %v", batches, want)
		}
	})
}

// A backup is only restored where nothing has arrived yet.
func TestAnyEntryIsFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anything := func() (yes bool) {
			t.Helper()
			err := d.ViewJournal(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
				yes, err = journal.Anything(ctx, tx)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		if anything() {
			t.Error("a new journal holds something")
		}
		appendAll(t, running(t, d), "one")
		if !anything() {
			t.Error("a journal with an entry holds nothing")
		}
	})
}
