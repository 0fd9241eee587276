// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/fault"
)

func TestPasswords(t *testing.T) {
	for plain, key := range map[string]string{
		"quattro gatti sul tetto":   "",
		"corto":                     "error.password_short",
		"perché12345":               "error.password_short", // 11 characters, 12 bytes
		"perché123456":              "",
		"aaaaaaaaaaaaaaaa":          "error.password_guessable",
		"abababababababab":          "error.password_guessable",
		"annaverdi2026!":            "error.password_guessable",
		"A.Verdi-Rimini":            "error.password_guessable",
		"anna ha quattro gatti":     "", // the name is there, and enough beside it
		strings.Repeat("ab1 ", 300): "error.password_long",
	} {
		_, err := NewPassword(t.Context(), plain, "a.verdi@comune.rimini.it", "Anna Verdi")
		if key == "" && err != nil || key != "" && !fault.Is(err, fault.Invalid, key) {
			t.Errorf("%.20q: got %v, want %q", plain, err, key)
		}
	}
}

func TestPasswordMatches(t *testing.T) {
	p := hash(t, "perché no, signora?")
	for plain, match := range map[string]bool{
		"perché no, signora?":              true,
		"perche\u0301 no, signora?":        true, // as some keyboards write the accent
		"perché no, signora":               false,
		"":                                 false,
		strings.Repeat("x", maxPassword+1): false,
	} {
		if got, err := p.matches(t.Context(), plain); err != nil || got != match {
			t.Errorf("%.20q: got %t, %v", plain, got, err)
		}
	}
	for _, stored := range []string{"", "x", "$argon2id$v=19$m=19456,t=2,p=1$$", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA",
		"$argon2id$v=19$m=4194304,t=100,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		for _, plain := range []string{"", "x"} {
			if got, err := (Password{stored}).matches(t.Context(), plain); err != nil || got {
				t.Errorf("%q opens what is stored as %q (%v)", plain, stored, err)
			}
		}
	}
	if a, b := hash(t, goodPassword), hash(t, goodPassword); a.phc == b.phc {
		t.Error("the same password is hashed the same way twice")
	}
}

func TestPasswordIsNeverPrinted(t *testing.T) {
	p := hash(t, goodPassword)
	n := New{Email: "a@b.it", Password: p}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", p, "new", n)
	asJSON, _ := json.Marshal(n)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s %x", p, n, n, p, p), log.String(), string(asJSON)} {
		if strings.Contains(printed, "argon2id") || strings.Contains(printed, fmt.Sprintf("%x", p.phc)) {
			t.Errorf("printed: %s", printed)
		}
	}
}

func TestSignIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		a, err := SignIn(t.Context(), d, " ANNA@example.it ", goodPassword, "192.0.2.1:50000")
		if err != nil || a.ID != anna.ID || a.SeenAt == nil {
			t.Fatalf("got %+v, %v", a, err)
		}
		if got := actions(trail(t, d, rimini)); got != "staff.added staff.signed_in" {
			t.Errorf("the trail is %s", got)
		}
	})
}

// Whatever is wrong, the answer is the same: it names no account.
func TestSignInFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		gone := member(t, d, rimini, "gone@example.it", Operator, hash(t, goodPassword))
		member(t, d, rimini, "invited@example.it", Operator, Password{})
		update(t, d, func(ctx context.Context, tx *db.Tx) error { return Disable(ctx, tx, System("cli"), rimini, gone.ID) })
		for name, c := range map[string][2]string{
			"wrong password":         {"anna@example.it", "quattro gatti sul tavolo"},
			"no password":            {"anna@example.it", ""},
			"unknown":                {"nobody@example.it", goodPassword},
			"disabled":               {"gone@example.it", goodPassword},
			"no password yet":        {"invited@example.it", ""},
			"no e-mail":              {"", goodPassword},
			"bytes that are no text": {"anna\x00\xff@example.com", goodPassword},
			"a book for a password":  {"anna@example.it", strings.Repeat(goodPassword, 1000)},
		} {
			a, err := SignIn(t.Context(), d, c[0], c[1], "192.0.2.1")
			if !fault.Is(err, fault.Unauthenticated, "error.credentials") || err.Error() != ErrCredentials.Error() || a != (Account{}) {
				t.Errorf("%s: got %+v, %v", name, a, err)
			}
		}
		failed := 0
		for _, e := range trail(t, d, rimini) {
			if e.Action == SignInFailed {
				failed++
			}
			if text := fmt.Sprint(e); strings.Contains(text, "@") {
				t.Errorf("the trail names an e-mail: %s", text)
			}
		}
		if failed != 5 {
			t.Errorf("the trail has %d failures, want 5: those on accounts that exist", failed)
		}
	})
}

func TestSignInIsThrottled(t *testing.T) {
	clock := newClock()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		fail := func(email, addr string) error {
			_, err := SignIn(t.Context(), d, email, "wrong", addr)
			return err
		}
		for i := range perEmail.free {
			want(t, fail("anna@example.it", fmt.Sprintf("192.0.2.%d", i)), fault.Unauthenticated, "error.credentials")
		}
		for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
			clock.advance(wait - time.Second)
			_, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "192.0.2.100") // not even the right one
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Throttled || fmt.Sprint(f.Args) != "[minutes 1]" {
				t.Fatalf("a second before %s are over: got %v", wait, err)
			}
			want(t, fail("other@example.it", "192.0.2.101"), fault.Unauthenticated, "error.credentials")
			update(t, d, func(ctx context.Context, tx *db.Tx) error { // the other one's count is not what is tested
				_, err := tx.ExecContext(ctx, "DELETE FROM signin_attempt WHERE subject = $1", emailSubject("other@example.it"))
				return err
			})
			clock.advance(time.Second)
			want(t, fail("anna@example.it", "192.0.2.102"), fault.Unauthenticated, "error.credentials")
		}
		clock.advance(15 * time.Minute)
		if _, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "192.0.2.100"); err != nil {
			t.Fatalf("after the wait the right password must do: %v", err)
		}
		for range perEmail.free { // and all is forgotten
			want(t, fail("anna@example.it", "192.0.2.103"), fault.Unauthenticated, "error.credentials")
		}
		clock.advance(perEmail.forget + time.Second)
		for range perEmail.free {
			want(t, fail("anna@example.it", "192.0.2.104"), fault.Unauthenticated, "error.credentials")
		}
	}, clock.option)
}

func TestAddressesAreThrottled(t *testing.T) {
	clock := newClock()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		for i := range perAddress.free { // each on another account, with the owner's own sign-in between
			_, err := SignIn(t.Context(), d, fmt.Sprintf("x%d@example.it", i), "wrong", fmt.Sprintf("[2001:db8::%x]:443", i))
			want(t, err, fault.Unauthenticated, "error.credentials")
			if i == 3 {
				if _, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "2001:db8::1"); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "2001:db8::ffff")
		want(t, err, fault.Throttled, "error.signin_throttled")
		if _, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "2001:db8:1::1"); err != nil {
			t.Errorf("another network is delayed too: %v", err)
		}
		clock.advance(time.Minute)
		if _, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "2001:db8::1"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	}, clock.option)
}

// Guesses that come at the same instant must not all be let through.
func TestGuessesAtOnceAreThrottled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		var tried, refused atomic.Int32
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				_, err := SignIn(t.Context(), d, "anna@example.it", "wrong", fmt.Sprintf("198.51.100.%d", i))
				switch fault.KindOf(err) {
				case fault.Unauthenticated:
					tried.Add(1)
				case fault.Throttled:
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if tried.Load() != int32(perEmail.free) {
			t.Errorf("%d guesses were let through and %d refused, want %d", tried.Load(), refused.Load(), perEmail.free)
		}
	})
}

func TestAddressSubject(t *testing.T) {
	for _, same := range [][2]string{
		{"192.0.2.1", "192.0.2.1:8080"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "[2001:db8::ffff:1]:443"},
		{"fe80::1%eth0", "fe80::2"},
	} {
		if addressSubject(same[0]) != addressSubject(same[1]) {
			t.Errorf("%s and %s are counted apart", same[0], same[1])
		}
	}
	for _, apart := range [][2]string{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8:0:1::1"}, {"", "192.0.2.1"}, {"nonsense", ""}} {
		if addressSubject(apart[0]) == addressSubject(apart[1]) {
			t.Errorf("%q and %q are counted together", apart[0], apart[1])
		}
	}
}

func TestInvitation(t *testing.T) {
	clock := newClock()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Operator, Password{})
		invite := func() (token string) {
			update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
				token, err = Invite(ctx, tx, System("cli"), rimini, anna.ID)
				return err
			})
			return token
		}
		use := func(token string) error {
			return d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := UseInvitation(ctx, tx, token, hash1)
				return err
			})
		}
		first, second := invite(), invite()
		want(t, use(first), fault.NotFound, "error.invitation")
		want(t, use(""), fault.NotFound, "error.invitation")
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			a, err := Invitation(ctx, tx, second)
			if a.ID != anna.ID {
				t.Errorf("it invites %+v", a)
			}
			var stored int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM invitation WHERE token = $1", second).Scan(&stored); err != nil || stored != 0 {
				t.Errorf("the secret of the link itself is stored (%v)", err)
			}
			return err
		})
		if err := use(second); err != nil {
			t.Fatal(err)
		}
		want(t, use(second), fault.NotFound, "error.invitation")

		third := invite()
		clock.advance(InvitationLife)
		want(t, use(third), fault.NotFound, "error.invitation")
		fourth := invite()
		update(t, d, func(ctx context.Context, tx *db.Tx) error { return Disable(ctx, tx, System("cli"), rimini, anna.ID) })
		want(t, use(fourth), fault.NotFound, "error.invitation")
		if got := actions(trail(t, d, rimini)); got != "staff.added staff.invited staff.invited staff.invitation_used staff.invited staff.invited staff.disabled" {
			t.Errorf("the trail is %s", got)
		}
	}, clock.option)
}

// hash1 stands for a hashed password where nobody signs in with it.
var hash1 = Password{"$argon2id$x"}

func session(t *testing.T, id int64) []byte {
	t.Helper()
	data, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{SessionStaff: id})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSessions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := NewSessions(d)
		anna := member(t, d, rimini, "anna@example.it", Operator, Password{})
		later := time.Now().Add(time.Hour)
		found := func(token string) bool {
			t.Helper()
			data, ok, err := s.Find(token)
			if err != nil || ok != (len(data) > 0) {
				t.Errorf("find %s: %d bytes, %t, %v", token, len(data), ok, err)
			}
			return ok
		}
		commit := func(token string, until time.Time) {
			t.Helper()
			if err := s.Commit(token, session(t, anna.ID), until); err != nil {
				t.Fatal(err)
			}
		}
		if found("unknown") {
			t.Error("a token nobody made has a session")
		}
		commit("one", later)
		commit("old", time.Now().Add(-time.Second))
		if !found("one") || found("old") {
			t.Error("a session lasts until it expires, and no longer")
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			var plain int
			if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM session WHERE token IN ('one', 'old')").Scan(&plain); err != nil || plain != 0 {
				t.Errorf("%d tokens are stored as they are (%v)", plain, err)
			}
			return nil
		})
		if err := s.Delete("one"); err != nil {
			t.Fatal(err)
		}
		commit("one", later) // by a request that was still in flight
		if found("one") {
			t.Error("a session came back after it was ended")
		}
		if err := s.Delete("unknown"); err != nil {
			t.Error(err)
		}
		if err := d.Update(t.Context(), Sweep); err != nil {
			t.Fatal(err)
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			var left int
			err := tx.QueryRowContext(ctx, "SELECT count(*) FROM session").Scan(&left)
			if left != 1 {
				t.Errorf("%d sessions are left, want the ended one until it would have expired", left)
			}
			return err
		})
		if err := s.Commit("bad", []byte("not a session"), later); err == nil {
			t.Error("data that is no session was stored")
		}
	})
}

func TestWhoIsShutOutHasNoSession(t *testing.T) {
	for name, act := range map[string]func(context.Context, *db.DB, int64) error{
		"disable": func(ctx context.Context, d *db.DB, id int64) error {
			return d.Update(ctx, func(ctx context.Context, tx *db.Tx) error { return Disable(ctx, tx, System("cli"), rimini, id) })
		},
		"reset": func(ctx context.Context, d *db.DB, id int64) error {
			return d.Update(ctx, func(ctx context.Context, tx *db.Tx) error { return Reset(ctx, tx, System("cli"), rimini, id, hash1) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				s := NewSessions(d)
				anna := member(t, d, rimini, "anna@example.it", Operator, Password{})
				luca := member(t, d, rimini, "luca@example.it", Operator, Password{})
				for token, a := range map[string]Account{"anna": anna, "luca": luca} {
					if err := s.Commit(token, session(t, a.ID), time.Now().Add(time.Hour)); err != nil {
						t.Fatal(err)
					}
				}
				if err := act(t.Context(), d, anna.ID); err != nil {
					t.Fatal(err)
				}
				if err := s.Commit("anna", session(t, anna.ID), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if _, ok, err := s.Find("anna"); ok || err != nil {
					t.Errorf("the session is still there (%v)", err)
				}
				if _, ok, err := s.Find("luca"); !ok || err != nil {
					t.Errorf("another's session is gone (%v)", err)
				}
			})
		})
	}
}

func TestDisabledAndBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		update(t, d, func(ctx context.Context, tx *db.Tx) error { return Disable(ctx, tx, System("cli"), rimini, anna.ID) })
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			_, err := Membership(ctx, tx, rimini, anna.ID)
			want(t, err, fault.Unauthenticated, "error.session_expired")
			return Enable(ctx, tx, System("cli"), rimini, anna.ID)
		})
		if _, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "192.0.2.1"); err != nil {
			t.Error(err)
		}
	})
}

// A forgotten password must not keep its owner out once it is reset.
func TestResetLiftsTheDelay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Operator, hash(t, goodPassword))
		for i := range perEmail.free + 1 {
			_, _ = SignIn(t.Context(), d, "anna@example.it", "wrong", fmt.Sprintf("192.0.2.%d", i))
		}
		_, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "192.0.2.50")
		want(t, err, fault.Throttled, "error.signin_throttled")
		next := hash(t, "cinque cani sotto il ponte")
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			return Reset(ctx, tx, System("cli"), rimini, anna.ID, next)
		})
		if _, err := SignIn(t.Context(), d, "anna@example.it", "cinque cani sotto il ponte", "192.0.2.50"); err != nil {
			t.Error(err)
		}
		_, err = SignIn(t.Context(), d, "anna@example.it", goodPassword, "192.0.2.50")
		want(t, err, fault.Unauthenticated, "error.credentials")
	})
}
