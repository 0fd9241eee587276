// SPDX-License-Identifier: AGPL-3.0-or-later

package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

func TestATransactionInsideAnotherFailsFast(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		nothing := func(context.Context, *db.Tx) error { return nil }
		for name, open := range map[string]func(ctx context.Context) error{
			"update":  func(ctx context.Context) error { return d.Update(ctx, nothing) },
			"view":    func(ctx context.Context) error { return d.View(ctx, nothing) },
			"journal": func(ctx context.Context) error { return d.UpdateJournal(ctx, nothing) },
		} {
			err := d.Update(t.Context(), func(ctx context.Context, _ *db.Tx) error { return open(ctx) })
			if err == nil {
				t.Errorf("%s was opened inside an update", name)
			}
		}
	})
}

func TestNoticesAreSentAfterCommitOnly(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		news := d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Outbox })
		defer news.Close()
		notify := func(key string, err error) {
			got := d.Update(t.Context(), func(_ context.Context, tx *db.Tx) error {
				tx.Notify(db.Notice{Topic: db.Outbox, Key: key})
				return err
			})
			if !errors.Is(got, err) {
				t.Fatal(got)
			}
		}
		notify("rolled back", errors.New("no"))
		notify("committed", nil)
		if n := next(t, news); n.Key != "committed" {
			t.Errorf("heard of %q", n.Key)
		}
	})
}

func next(t *testing.T, s *db.Subscription) db.Notice {
	t.Helper()
	for {
		select {
		case n := <-s.C:
			if n.Topic != db.Refresh {
				return n
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no notice came")
		}
	}
}

func TestInstancesHearEachOther(t *testing.T) {
	address := dbtest.DSNs(t)["postgres"]
	var instances []*db.DB
	for range 2 {
		d, err := db.Open(t.Context(), db.Options{DSN: address})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		instances = append(instances, d)
	}
	news := instances[1].Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Conversation })
	defer news.Close()
	if n := <-news.C; n.Topic != db.Refresh { // the listener is up
		t.Fatalf("first heard of %v", n)
	}
	sent := db.Notice{Topic: db.Conversation, Municipality: 7, ID: 9}
	if err := instances[0].Update(t.Context(), func(_ context.Context, tx *db.Tx) error { tx.Notify(sent); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := next(t, news); got != sent {
		t.Errorf("heard of %v", got)
	}
}

func TestIDsNeverRepeatNorGoBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const makers, each = 8, 5000
		made := make([][]int64, makers)
		var together sync.WaitGroup
		for i := range makers {
			together.Go(func() {
				for range each {
					made[i] = append(made[i], d.IDs.New())
				}
			})
		}
		together.Wait()
		var all []int64
		for _, ids := range made {
			if !slices.IsSorted(ids) {
				t.Error("the ids of one maker went backwards")
			}
			all = append(all, ids...)
		}
		slices.Sort(all)
		if n := len(slices.Compact(slices.Clone(all))); n != makers*each {
			t.Errorf("%d different ids of %d", n, makers*each)
		}
	})
}

func TestTheClockGoingBackMakesNoOldID(t *testing.T) {
	now := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	d := dbtest.SQLite(t, func(o *db.Options) { o.Now = func() time.Time { return now } })
	first := d.IDs.New()
	now = now.Add(-time.Hour)
	if second := d.IDs.New(); second <= first {
		t.Errorf("%d came after %d", second, first)
	}
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	if first < db.FirstID(at) || first >= db.FirstID(at.Add(time.Millisecond)) {
		t.Errorf("the id %d does not tell its time", first)
	}
}

func TestTwoProcessesHaveDifferentInstances(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			now := func() time.Time { return time.UnixMilli(1764000000000) } // one instant for both
			ids := make(map[int64]bool)
			for range 3 {
				d, err := db.Open(t.Context(), db.Options{DSN: address, Now: now})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = d.Close() }()
				ids[d.IDs.New()] = true
			}
			if len(ids) != 3 {
				t.Errorf("three processes made %d different ids in one instant", len(ids))
			}
		})
	}
}

func TestLeaseIsExclusiveUntilItEnds(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			open := func() *db.DB {
				d, err := db.Open(t.Context(), db.Options{DSN: address})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = d.Close() })
				return d
			}
			a, b := open(), open()
			take := func(d *db.DB, ttl time.Duration) bool {
				t.Helper()
				held, err := d.Lease(t.Context(), "number:1", ttl)
				if err != nil {
					t.Fatal(err)
				}
				return held
			}
			if !take(a, time.Hour) || take(b, time.Hour) || !take(a, -time.Second) || !take(b, time.Hour) || take(a, time.Hour) {
				t.Error("the lease was not exclusive, renewable and ended")
			}
			if err := b.Unlease(t.Context(), "number:1"); err != nil || !take(a, time.Hour) {
				t.Errorf("a lease given back was not free: %v", err)
			}
		})
	}
}

// The function of an update runs again when another transaction was first, and its effects show once.
func TestUpdateRunsAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		runs := 0
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			runs++
			if _, err := tx.ExecContext(ctx, `INSERT INTO lease (name, owner, until) VALUES ($1, $2, $3)`, "again", fmt.Sprint(runs), tx.Now()); err != nil {
				return err
			}
			if runs < 3 {
				return db.ErrAgain
			}
			return nil
		})
		if err != nil || runs != 3 {
			t.Fatalf("%d runs, %v", runs, err)
		}
		err = d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			var owner string
			if err := tx.QueryRowContext(ctx, `SELECT owner FROM lease WHERE name = 'again'`).Scan(&owner); err != nil || owner != "3" {
				t.Errorf("the row is %q, %v", owner, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Writers that can wait get their turn beside those that never stop.
func TestWhoCanWaitIsNotForgotten(t *testing.T) {
	d := dbtest.SQLite(t)
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for range 3 {
		busy.Go(func() {
			for ctx.Err() == nil {
				_ = d.Update(ctx, func(context.Context, *db.Tx) error { return nil })
			}
		})
	}
	for range 20 {
		if err := d.UpdateLater(t.Context(), func(context.Context, *db.Tx) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	stop()
	busy.Wait()
}

// On PostgreSQL batches take turns, but one that hangs keeps neither a person nor the others.
func TestABatchThatHangsKeepsNobody(t *testing.T) {
	d := dbtest.Postgres(t)
	inside, done := make(chan struct{}), make(chan struct{})
	var hanging sync.WaitGroup
	for range runtime.NumCPU() {
		hanging.Go(func() {
			err := d.UpdateLater(context.WithoutCancel(t.Context()), func(context.Context, *db.Tx) error {
				inside <- struct{}{}
				<-done
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-inside
	nothing := func(context.Context, *db.Tx) error { return nil }
	if err := d.Update(t.Context(), nothing); err != nil {
		t.Errorf("a person waits for a batch that hangs: %v", err)
	}
	for range runtime.NumCPU() - 1 { // those that waited for a place are in, too
		<-inside
	}
	if err := d.UpdateLater(t.Context(), nothing); err != nil {
		t.Errorf("a batch waits for one that hangs: %v", err)
	}
	close(done)
	hanging.Wait()
}

// A View can't write, whatever the address of the database asks of its servers.
func TestAViewOnlyReads(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			if engine == db.PostgreSQL.String() {
				dsn += "&target_session_attrs=read-write"
			}
			d, err := db.Open(t.Context(), db.Options{DSN: dsn})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			for name, view := range map[string]func(context.Context, func(context.Context, *db.Tx) error) error{"View": d.View, "ViewJournal": d.ViewJournal} {
				err = view(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					var one int
					if err := tx.QueryRowContext(ctx, `SELECT 1`).Scan(&one); err != nil {
						t.Errorf("%s can't read: %v", name, err)
					}
					_, err := tx.ExecContext(ctx, `DELETE FROM lease`)
					return err
				})
				if err == nil {
					t.Errorf("%s has written", name)
				}
			}
		})
	}
}

// Who missed notices is told to look at everything, also when nothing comes after the burst.
func TestMissedNoticesBecomeARefresh(t *testing.T) {
	d := dbtest.SQLite(t)
	news := d.Hub.Subscribe(func(db.Notice) bool { return true })
	defer news.Close()
	for i := range 300 {
		if err := d.Update(t.Context(), func(_ context.Context, tx *db.Tx) error {
			tx.Notify(db.Notice{Topic: db.Conversation, ID: int64(i)})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	refreshed := false
	for len(news.C) > 0 {
		refreshed = (<-news.C).Topic == db.Refresh || refreshed
	}
	if !refreshed {
		t.Error("44 notices were missed without a word")
	}
}

func TestBatchesKeepTheirOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const n = 1000
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			rows := make([][]any, n)
			for i := range rows {
				rows[i] = []any{fmt.Sprint("b", i%(n/2)), fmt.Sprint(i), tx.Now()}
			}
			affected, err := tx.Exec(ctx, `INSERT INTO lease (name, owner, until) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, rows)
			if err != nil {
				return err
			}
			for i, a := range affected {
				if want := int64(1 - i/(n/2)); a != want {
					t.Fatalf("row %d affected %d", i, a)
				}
			}
			return tx.Query(ctx, `SELECT owner FROM lease WHERE name = $1`, [][]any{{"b7"}, {"none"}, {"b8"}}, func(i int, row db.Scanner) error {
				var owner string
				if err := row.Scan(&owner); err != nil || owner != []string{"7", "", "8"}[i] {
					t.Errorf("query %d found %q, %v", i, owner, err)
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A folder may be called what it likes.
func TestAnyFolderHoldsADatabase(t *testing.T) {
	folder := t.TempDir() + "/Comune #1 100%?"
	d, err := db.Open(t.Context(), db.Options{DSN: "sqlite:" + folder + "/desk.db"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder + "/desk.db"); err != nil {
		t.Error(err)
	}
}

// Autovacuum counts a table's rows a minute later, and a connection keeps its plans until then.
func TestAPlanMadeForAnEmptyTableUsesItsIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if d.Engine != db.PostgreSQL {
			return // SQLite makes its plans without counting
		}
		var plan strings.Builder
		err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return tx.Query(ctx, `EXPLAIN SELECT message_id FROM message WHERE municipality_id = 1 AND external_id = 'wamid.1' AND external_id <> ''`,
				[][]any{{}}, func(_ int, row db.Scanner) error {
					var line string
					err := row.Scan(&line)
					plan.WriteString(line + "\n")
					return err
				})
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan.String(), "message_external") {
			t.Errorf("all of the table is read:\n%s", plan.String())
		}
	})
}

type errand struct{ kind string }

func (e errand) Kind() string { return e.kind }

// Restoring drops the jobs that would tell WhatsApp something, and no others.
func TestJobsOfAKindAreDropped(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var kept, dropped int
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := errors.Join(tx.Enqueue(ctx, errand{"dropped"}, nil), tx.Enqueue(ctx, errand{"kept"}, nil), tx.DropJobs(ctx, "dropped")); err != nil {
				return err
			}
			const count = `SELECT count(*) FROM river_job WHERE kind = $1`
			return errors.Join(tx.QueryRowContext(ctx, count, "dropped").Scan(&dropped), tx.QueryRowContext(ctx, count, "kept").Scan(&kept))
		})
		if err != nil {
			t.Fatal(err)
		}
		if dropped != 0 || kept != 1 {
			t.Errorf("%d jobs of the kind are left, and %d of the other", dropped, kept)
		}
	})
}
