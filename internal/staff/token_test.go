// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
)

func createToken(t *testing.T, d *db.DB, municipality int64) (raw string, tok Token) {
	t.Helper()
	update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		raw, tok, err = CreateToken(ctx, tx, System("cli"), municipality, "Portale del Comune", []string{"urp"})
		return err
	})
	return raw, tok
}

func TestToken(t *testing.T) {
	clock := newClock()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		raw, tok := createToken(t, d, rimini)
		if !strings.HasPrefix(raw, "fd_") || len(raw) != 3+43 || strings.ContainsAny(raw, " \n") {
			t.Errorf("the token is %q", raw)
		}
		actor, err := Authenticate(t.Context(), d, raw)
		if err != nil || actor.Kind != TokenKind || actor.ID != tok.ID || actor.Municipality != rimini || actor.Name != "Portale del Comune" || fmt.Sprint(actor.Offices) != "[urp]" {
			t.Fatalf("got %+v, %v", actor, err)
		}
		for _, wrong := range []string{"", "fd_", raw + "x", raw[:len(raw)-1], strings.ToUpper(raw), tok.Name, hashText(raw), "fd_\x00\xff"} {
			_, err := Authenticate(t.Context(), d, wrong)
			want(t, err, fault.Unauthenticated, "error.token")
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			want(t, RevokeToken(ctx, tx, System("cli"), carpi, tok.ID), fault.NotFound, "error.token_not_found")
			return RevokeToken(ctx, tx, System("cli"), rimini, tok.ID)
		})
		_, err = Authenticate(t.Context(), d, raw)
		want(t, err, fault.Unauthenticated, "error.token")
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			want(t, RevokeToken(ctx, tx, System("cli"), rimini, tok.ID), fault.NotFound, "error.token_not_found")
			others, err := Tokens(ctx, tx, carpi)
			if len(others) != 0 {
				t.Errorf("carpi sees %+v", others)
			}
			return err
		})
		if got := actions(trail(t, d, rimini)); got != "token.created token.revoked" {
			t.Errorf("the trail is %s", got)
		}
	}, clock.option)
}

func TestUseOfATokenIsNotedOnceAMinute(t *testing.T) {
	clock := newClock()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		raw, _ := createToken(t, d, rimini)
		first := clock.now()
		for _, c := range []struct{ pass, since time.Duration }{{0, 0}, {59 * time.Second, 0}, {time.Second, time.Minute}} {
			clock.advance(c.pass)
			if _, err := Authenticate(t.Context(), d, raw); err != nil {
				t.Fatal(err)
			}
			update(t, d, func(ctx context.Context, tx *db.Tx) error {
				list, err := Tokens(ctx, tx, rimini)
				if len(list) != 1 || list[0].UsedAt == nil || !list[0].UsedAt.Equal(first.Add(c.since)) {
					t.Errorf("after %s more: %+v", c.pass, list)
				}
				return err
			})
		}
	}, clock.option)
}

func TestIdempotency(t *testing.T) {
	clock := newClock()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		portale := Actor{Kind: TokenKind, ID: 7, Municipality: rimini}
		post := func(token Actor, key, request string) (answer *Answer, err error) {
			err = d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
				if answer, err = Begin(ctx, tx, token, key, []byte(request)); err != nil || answer != nil {
					return err
				}
				return Finish(ctx, tx, token, key, Answer{Status: 202, Body: []byte(request)})
			})
			return answer, err
		}
		expect := func(done bool, token Actor, key, request string) {
			t.Helper()
			answer, err := post(token, key, request)
			if err != nil || (answer != nil) != done {
				t.Fatalf("%s %s: %+v, %v", key, request, answer, err)
			}
			if done && (answer.Status != 202 || string(answer.Body) != request) {
				t.Errorf("the answer became %d %q", answer.Status, answer.Body)
			}
		}
		expect(false, portale, "k", "a")
		expect(true, portale, "k", "a")
		_, err := post(portale, "k", "b")
		want(t, err, fault.Invalid, "error.idempotency")
		expect(false, portale, "other key", "b")
		expect(false, Actor{Kind: TokenKind, ID: 8, Municipality: rimini}, "k", "b")
		expect(false, Actor{Kind: TokenKind, ID: 7, Municipality: carpi}, "k", "b")
		for _, bad := range []string{"", strings.Repeat("k", 256), "a\x00b", "\xff"} {
			_, err := post(portale, bad, "a")
			want(t, err, fault.Invalid, "error.idempotency_key")
		}
		clock.advance(KeyLife)
		expect(true, portale, "k", "a")
		clock.advance(time.Second)
		expect(false, portale, "k", "b")
	}, clock.option)
}

// Work that failed can be tried again with the same key.
func TestFailedWorkLeavesNoKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		portale := Actor{Kind: TokenKind, ID: 7, Municipality: rimini}
		for range 2 {
			err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if answer, err := Begin(ctx, tx, portale, "k", []byte("a")); answer != nil || err != nil {
					t.Errorf("got %+v, %v", answer, err)
				}
				return fault.New(fault.Conflict, "error.conflict")
			})
			want(t, err, fault.Conflict, "error.conflict")
		}
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return Finish(ctx, tx, portale, "k", Answer{Status: 200}) })
		if err == nil {
			t.Error("an answer was kept for what was never begun")
		}
	})
}

func TestTwinsDoTheWorkOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		portale := Actor{Kind: TokenKind, ID: 7, Municipality: rimini}
		var mu sync.Mutex
		worked, answered := 0, 0
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				var answer *Answer
				err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
					if answer, err = Begin(ctx, tx, portale, "k", []byte("a")); err != nil || answer != nil {
						return err
					}
					return Finish(ctx, tx, portale, "k", Answer{Status: 202, Body: []byte("done")})
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case answer == nil:
					worked++
				case answer.Status == 202 && string(answer.Body) == "done":
					answered++
				default:
					t.Errorf("got %+v", answer)
				}
			})
		}
		all.Wait()
		if worked != 1 || answered != 15 {
			t.Errorf("%d did the work and %d got its answer", worked, answered)
		}
	})
}
