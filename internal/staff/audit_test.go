// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// write leaves n rows in the trail of municipality.
func write(t *testing.T, d *db.DB, municipality int64, n int) {
	t.Helper()
	update(t, d, func(ctx context.Context, tx *db.Tx) error {
		for i := range n {
			detail := map[string]any{"zeta": i, "alpha": "urp", "list": []string{"b", "a"}, "big": int64(9007199254740993)}
			if err := Record(ctx, tx, Actor{Kind: OperatorKind, ID: 5, Municipality: municipality}, "conversation.taken", "conversation", db.FormatID(int64(i)), detail); err != nil {
				return err
			}
		}
		return nil
	})
}

func seal(t *testing.T, d *db.DB) int {
	t.Helper()
	n, err := Seal(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func verify(t *testing.T, d *db.DB, municipality int64) (count int, broken int64) {
	t.Helper()
	err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		n, at, err := VerifyAudit(ctx, tx, municipality)
		count = n
		if at != nil {
			broken = *at
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return count, broken
}

func TestSealAndVerify(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if n, broken := verify(t, d, rimini); n != 0 || broken != 0 {
			t.Errorf("an empty trail: %d rows, broken at %d", n, broken)
		}
		write(t, d, rimini, sealBatch*2+3)
		write(t, d, carpi, 2)
		if n := seal(t, d); n != sealBatch*2+5 {
			t.Errorf("%d rows were sealed", n)
		}
		write(t, d, rimini, 1)
		if n, broken := verify(t, d, rimini); n != sealBatch*2+3 || broken != 0 {
			t.Errorf("rimini: %d rows, broken at %d", n, broken)
		}
		seal(t, d)
		if n := seal(t, d); n != 0 {
			t.Errorf("%d rows were sealed twice", n)
		}
		if n, broken := verify(t, d, rimini); n != sealBatch*2+4 || broken != 0 {
			t.Errorf("rimini: %d rows, broken at %d", n, broken)
		}
		if n, broken := verify(t, d, carpi); n != 2 || broken != 0 {
			t.Errorf("carpi: %d rows, broken at %d", n, broken)
		}
	})
}

// Whoever changes the trail behind our back is found out, and where.
func TestTamperingIsFound(t *testing.T) {
	cases := map[string]struct {
		sql    string
		count  int
		broken int64
	}{
		"nothing":          {"UPDATE audit SET action = action", 6, 0},
		"time":             {"UPDATE audit SET at = (SELECT min(at) FROM audit WHERE municipality_id = 22) WHERE municipality_id = 11 AND seq = 3", 2, 3},
		"actor":            {"UPDATE audit SET actor_id = 6 WHERE municipality_id = 11 AND seq = 3", 2, 3},
		"kind of actor":    {"UPDATE audit SET actor_kind = 'token' WHERE municipality_id = 11 AND seq = 3", 2, 3},
		"name of actor":    {"UPDATE audit SET actor_name = 'cli' WHERE municipality_id = 11 AND seq = 3", 2, 3},
		"action":           {"UPDATE audit SET action = 'x' WHERE municipality_id = 11 AND seq = 1", 0, 1},
		"kind of object":   {"UPDATE audit SET object_kind = 'x' WHERE municipality_id = 11 AND seq = 6", 5, 6},
		"object":           {"UPDATE audit SET object_id = '9' WHERE municipality_id = 11 AND seq = 4", 3, 4},
		"detail":           {`UPDATE audit SET detail = '{"zeta": 7}' WHERE municipality_id = 11 AND seq = 4`, 3, 4},
		"id":               {"UPDATE audit SET audit_id = audit_id + 1000000 WHERE municipality_id = 11 AND seq = 4", 3, 4},
		"removed":          {"DELETE FROM audit WHERE municipality_id = 11 AND seq = 3", 2, 3},
		"first removed":    {"DELETE FROM audit WHERE municipality_id = 11 AND seq = 1", 0, 1},
		"cut off":          {"DELETE FROM audit WHERE municipality_id = 11 AND seq > 4", 4, 5},
		"all gone":         {"DELETE FROM audit WHERE municipality_id = 11", 0, 1},
		"taken out":        {"UPDATE audit SET seq = 0 WHERE municipality_id = 11 AND seq = 3", 2, 3},
		"moved":            {"UPDATE audit SET seq = seq + 100 WHERE municipality_id = 11 AND seq = 6", 5, 6},
		"hash":             {"UPDATE audit SET hash = 'x' WHERE municipality_id = 11 AND seq = 6", 5, 6},
		"end of the chain": {"UPDATE audit_head SET hash = 'x' WHERE municipality_id = 11", 6, 7},
		"no end":           {"DELETE FROM audit_head WHERE municipality_id = 11", 0, 1},
		"another's trail":  {"UPDATE audit SET action = 'x' WHERE municipality_id = 22", 6, 0},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, rimini, 6)
		write(t, d, carpi, 1)
		seal(t, d)
		undo := errors.New("undo")
		for name, c := range cases {
			err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.ExecContext(ctx, c.sql); err != nil {
					return err
				}
				n, at, err := VerifyAudit(ctx, tx, rimini)
				if err != nil {
					return err
				}
				if at == nil {
					at = new(int64)
				}
				if n != c.count || *at != c.broken {
					t.Errorf("%s: %d rows, broken at %d; want %d and %d", name, n, *at, c.count, c.broken)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Several sealers, and writers meanwhile, make one chain with every row in it once.
func TestSealersAtOnce(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			var instances []*db.DB
			for range 2 {
				d, err := db.Open(t.Context(), db.Options{DSN: dsn})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				})
				instances = append(instances, d)
			}
			const writers, rows = 4, 60
			var writing, sealing sync.WaitGroup
			stop := make(chan struct{})
			for _, d := range instances {
				for range 3 {
					sealing.Go(func() {
						for {
							if _, err := Seal(t.Context(), d); err != nil {
								t.Error(err)
							}
							select {
							case <-stop:
								return
							default:
							}
						}
					})
				}
			}
			for w := range writers {
				writing.Go(func() {
					for range rows {
						write(t, instances[w%2], rimini, 1)
					}
				})
			}
			writing.Wait()
			close(stop)
			sealing.Wait()
			seal(t, instances[0])
			if n, broken := verify(t, instances[1], rimini); n != writers*rows || broken != 0 {
				t.Errorf("%d rows, broken at %d; want %d", n, broken, writers*rows)
			}
		})
	}
}

func TestRunSealer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { RunSealer(ctx, d, slog.New(slog.DiscardHandler)) })
		write(t, d, rimini, 3)
		deadline := time.After(20 * time.Second)
		poll := time.NewTicker(10 * time.Millisecond)
		defer poll.Stop()
		for {
			if n, _ := verify(t, d, rimini); n == 3 {
				break
			}
			select {
			case <-deadline:
				t.Fatal("nobody sealed the trail")
			case <-poll.C:
			}
		}
		stop()
		running.Wait()
	})
}

// Invariant 10: the trail holds no personal text.
func TestTheTrailRefusesPersonalText(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		record := func(objectID string, detail map[string]any) error {
			return d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				return Record(ctx, tx, System("cli").In(rimini), "x.y", "x", objectID, detail)
			})
		}
		for _, fine := range []any{1, int64(2), true, "urp", "wamid.HBgMMzkzMzE=", Operator, []string{"urp", "tributi"}, []int64{1}, ""} {
			if err := record("1", map[string]any{"k": fine}); err != nil {
				t.Errorf("%v: %v", fine, err)
			}
		}
		for _, bad := range []any{"Maria Bianchi", "maria@example.it", "+393331234567", "riga\nriga", strings.Repeat("x", 201), 1.5, nil,
			[]string{"urp", "Maria Bianchi"}, map[string]any{"name": "x"}, []byte("Maria"), time.Now(), []any{"Maria Bianchi"}} {
			if err := record("1", map[string]any{"k": bad}); err == nil {
				t.Errorf("%v was recorded", bad)
			}
		}
		if err := record("maria@example.it", nil); err == nil {
			t.Error("an e-mail was recorded as the object")
		}
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return Record(ctx, tx, System("cli"), "x.y", "x", "1", nil)
		})
		if err == nil {
			t.Error("a row of no municipality was recorded")
		}
	})
}

func TestAuditPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Operator, Password{})
		_, tok := createToken(t, d, rimini)
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			for i, actor := range []Actor{{Kind: OperatorKind, ID: anna.ID, Municipality: rimini}, {Kind: TokenKind, ID: tok.ID, Municipality: rimini}, Citizen(rimini, 9), Citizen(carpi, 9)} {
				if err := Record(ctx, tx, actor, "x.y", "x", db.FormatID(int64(i)), nil); err != nil {
					return err
				}
			}
			return nil
		})
		var seen []string
		before := int64(0)
		for {
			var page []Entry
			update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
				page, err = AuditPage(ctx, tx, rimini, before, 2)
				return err
			})
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				seen = append(seen, string(e.Actor.Kind)+":"+e.Actor.Name)
				before = e.ID
			}
		}
		if got := strings.Join(seen, " "); got != "citizen: token:Portale del Comune operator:Anna Verdi system:cli system:cli" {
			t.Errorf("the pages show %s", got)
		}
	})
}
