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

const (
	rimini int64 = 11
	carpi  int64 = 22

	goodPassword = "quattro gatti sul tetto"
)

// clock is a time that tests move on.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2015, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) option(o *db.Options) { o.Now = c.now }

func update(t *testing.T, d *db.DB, f func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func hash(t *testing.T, plain string) Password {
	t.Helper()
	p, err := NewPassword(t.Context(), plain, "nobody@example.it", "Nobody")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// member adds somebody to municipality by the command line.
func member(t *testing.T, d *db.DB, municipality int64, email string, role Role, password Password) Account {
	t.Helper()
	var a Account
	update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		a, _, err = Add(ctx, tx, System("cli"), municipality, New{Email: email, Name: "Anna Verdi", Role: role, Password: password})
		return err
	})
	return a
}

func actorOf(t *testing.T, d *db.DB, municipality int64, a Account) Actor {
	t.Helper()
	var actor Actor
	update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		actor, err = Membership(ctx, tx, municipality, a.ID)
		return err
	})
	return actor
}

// want fails unless err is a failure of kind k told by key.
func want(t *testing.T, err error, k fault.Kind, key string) {
	t.Helper()
	if !fault.Is(err, k, key) {
		t.Errorf("got %v, want %s", err, key)
	}
}

func trail(t *testing.T, d *db.DB, municipality int64) []Entry {
	t.Helper()
	var entries []Entry
	update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
		entries, err = AuditPage(ctx, tx, municipality, 0, 100)
		return err
	})
	return entries
}

func actions(entries []Entry) string {
	var out []string
	for _, e := range entries {
		out = append([]string{string(e.Action)}, out...)
	}
	return strings.Join(out, " ")
}

// The table is written out in full: whoever gives a role a right must do it here too.
func TestRights(t *testing.T) {
	rights := []Right{Converse, ReleaseOthers, ManageBroadcasts, ApproveBroadcasts, ManageStaff, ManageTokens, ManageNumbers,
		SeeQuarantine, ReplayQuarantine, SeeAudit, SeeFigures}
	actors := map[string]Actor{
		"operator": {Kind: OperatorKind, Role: Operator}, "supervisor": {Kind: OperatorKind, Role: Supervisor},
		"administrator": {Kind: OperatorKind, Role: Administrator}, "auditor": {Kind: OperatorKind, Role: Auditor},
		"unknown role": {Kind: OperatorKind, Role: "mayor"}, "no role": {Kind: OperatorKind},
		"token": {Kind: TokenKind}, "token with a role": {Kind: TokenKind, Role: Administrator},
		"system": System("cli"), "citizen": {Kind: CitizenKind, Role: Administrator}, "nobody": {},
	}
	for name, may := range map[string]string{
		"operator":          "x..........",
		"supervisor":        "xxxx......x",
		"administrator":     "xxxxxxxxxxx",
		"auditor":           ".........xx",
		"unknown role":      "...........",
		"no role":           "...........",
		"token":             "xxx...xxxxx",
		"token with a role": "xxx...xxxxx",
		"system":            "xxxxxxxxxxx",
		"citizen":           "...........",
		"nobody":            "...........",
	} {
		for i, right := range rights {
			if got := actors[name].May(right); got != (may[i] == 'x') {
				t.Errorf("%s may %s: %t", name, right, got)
			}
		}
	}
	if (Actor{Kind: OperatorKind, Role: Administrator}).May("fly") {
		t.Error("an administrator may do what nobody has heard of")
	}
}

func TestRightsEndAtTheMunicipality(t *testing.T) {
	anna := Actor{Kind: OperatorKind, ID: 1, Role: Administrator, Municipality: rimini}
	if err := anna.Require(ManageStaff, rimini); err != nil {
		t.Error(err)
	}
	want(t, anna.Require(ManageStaff, carpi), fault.Forbidden, "error.forbidden")
	want(t, anna.In(carpi).Require(ManageStaff, carpi), fault.Forbidden, "error.forbidden")
	want(t, Actor{Kind: OperatorKind, Role: Operator, Municipality: rimini}.Require(ManageStaff, rimini), fault.Forbidden, "error.forbidden")
	if err := System("cli").Require(ManageStaff, carpi); err != nil {
		t.Error(err)
	}
}

func TestAddAndList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			a, isNew, err := Add(ctx, tx, System("cli"), rimini, New{Email: " Anna.Verdi@Comune.Rimini.IT ", Name: "  Anna   Verdi ", Role: Supervisor, Offices: []string{"urp", "tributi", "urp"}})
			if err != nil || !isNew || a.Email != "anna.verdi@comune.rimini.it" || a.Name != "Anna Verdi" || a.Active {
				t.Errorf("got %+v, new %t, %v", a, isNew, err)
			}
			return err
		})
		member(t, d, carpi, "luca@comune.carpi.mo.it", Operator, hash(t, goodPassword))
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			list, err := List(ctx, tx, rimini)
			if err != nil || len(list) != 1 || list[0].Role != Supervisor || fmt.Sprint(list[0].Offices) != "[tributi urp]" {
				t.Errorf("got %+v, %v", list, err)
			}
			colleagues, err := Colleagues(ctx, tx, rimini)
			if err != nil || len(colleagues) != 0 {
				t.Errorf("who has no password yet is offered as a colleague: %+v, %v", colleagues, err)
			}
			colleagues, err = Colleagues(ctx, tx, carpi)
			if err != nil || len(colleagues) != 1 {
				t.Errorf("got %+v, %v", colleagues, err)
			}
			return nil
		})
		entries := trail(t, d, rimini)
		if len(entries) != 1 || entries[0].Action != MemberAdded || entries[0].Actor.Name != "cli" || entries[0].Detail["role"] != "supervisor" {
			t.Errorf("the trail is %+v", entries)
		}
	})
}

func TestAddRefuses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		member(t, d, rimini, "anna@comune.rimini.it", Operator, Password{})
		for name, c := range map[string]struct {
			n   New
			k   fault.Kind
			key string
		}{
			"no e-mail":       {New{Email: "anna", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
			"a display name":  {New{Email: "Anna <a@b.it>", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
			"two addresses":   {New{Email: "a@b.it, c@d.it", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
			"a line break":    {New{Email: "a@b.it\nBcc: c@d.it", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
			"too long":        {New{Email: strings.Repeat("a", 250) + "@b.it", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
			"no name":         {New{Email: "a@b.it", Name: " ", Role: Operator}, fault.Invalid, "error.staff_name"},
			"unknown role":    {New{Email: "a@b.it", Name: "A", Role: "mayor"}, fault.Invalid, "error.staff_role"},
			"no role":         {New{Email: "a@b.it", Name: "A"}, fault.Invalid, "error.staff_role"},
			"there already":   {New{Email: "ANNA@comune.rimini.it", Name: "A", Role: Operator}, fault.Conflict, "error.staff_here"},
			"a null byte":     {New{Email: "a\x00@b.it", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
			"null in name":    {New{Email: "a@b.it", Name: "A\x00", Role: Operator}, fault.Invalid, "error.staff_name"},
			"not UTF-8":       {New{Email: "a@b.it", Name: "A\xff", Role: Operator}, fault.Invalid, "error.staff_name"},
			"e-mail not UTF8": {New{Email: "a\xff@b.it", Name: "A", Role: Operator}, fault.Invalid, "error.staff_email"},
		} {
			err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, _, err := Add(ctx, tx, System("cli"), rimini, c.n)
				return err
			})
			if !fault.Is(err, c.k, c.key) {
				t.Errorf("%s: got %v, want %s", name, err, c.key)
			}
		}
		if n := len(trail(t, d, rimini)); n != 1 {
			t.Errorf("what was refused left %d rows in the trail", n-1)
		}
	})
}

// An account that two municipalities share is only whole in the hands of who runs the installation.
func TestSharedAccounts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Administrator, hash(t, goodPassword))
		bruno := member(t, d, carpi, "bruno@example.it", Administrator, Password{})
		member(t, d, carpi, "carla@example.it", Administrator, Password{})
		byBruno := actorOf(t, d, carpi, bruno)

		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, _, err := Add(ctx, tx, byBruno, carpi, New{Email: "anna@example.it", Name: "Anna", Role: Operator})
			return err
		})
		want(t, err, fault.Conflict, "error.staff_exists")

		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			a, isNew, err := Add(ctx, tx, System("cli"), carpi, New{Email: "anna@example.it", Name: "Another", Role: Operator, Password: Password{phc: "another"}})
			if a.ID != anna.ID || isNew || a.Name != anna.Name {
				t.Errorf("got %+v, new %t", a, isNew)
			}
			return err
		})
		if _, err := SignIn(t.Context(), d, "anna@example.it", goodPassword, "192.0.2.1"); err != nil {
			t.Errorf("joining another municipality changed the password: %v", err)
		}
		for name, act := range map[string]func(context.Context, *db.Tx) error{
			"reset":   func(ctx context.Context, tx *db.Tx) error { return Reset(ctx, tx, byBruno, carpi, anna.ID, Password{}) },
			"disable": func(ctx context.Context, tx *db.Tx) error { return Disable(ctx, tx, byBruno, carpi, anna.ID) },
			"invite": func(ctx context.Context, tx *db.Tx) error {
				_, err := Invite(ctx, tx, byBruno, carpi, anna.ID)
				return err
			},
		} {
			if err := d.Update(t.Context(), act); !fault.Is(err, fault.Forbidden, "error.staff_shared") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error { return Remove(ctx, tx, byBruno, carpi, anna.ID) })
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			_, err := Membership(ctx, tx, carpi, anna.ID)
			want(t, err, fault.Forbidden, "error.not_member")
			_, err = Membership(ctx, tx, rimini, anna.ID)
			return err
		})
	})
}

func TestOtherMunicipalitiesIDsAreRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := actorOf(t, d, rimini, member(t, d, rimini, "anna@example.it", Administrator, Password{}))
		luca := member(t, d, carpi, "luca@example.it", Operator, Password{})
		var token Token
		update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
			_, token, err = CreateToken(ctx, tx, System("cli"), carpi, "portale", nil)
			return err
		})
		for name, act := range map[string]func(context.Context, *db.Tx, int64) error{
			"set role": func(ctx context.Context, tx *db.Tx, m int64) error {
				return SetRole(ctx, tx, anna, m, luca.ID, Auditor, nil)
			},
			"remove":  func(ctx context.Context, tx *db.Tx, m int64) error { return Remove(ctx, tx, anna, m, luca.ID) },
			"disable": func(ctx context.Context, tx *db.Tx, m int64) error { return Disable(ctx, tx, anna, m, luca.ID) },
			"reset": func(ctx context.Context, tx *db.Tx, m int64) error {
				return Reset(ctx, tx, anna, m, luca.ID, Password{})
			},
			"invite": func(ctx context.Context, tx *db.Tx, m int64) error {
				_, err := Invite(ctx, tx, anna, m, luca.ID)
				return err
			},
			"revoke": func(ctx context.Context, tx *db.Tx, m int64) error { return RevokeToken(ctx, tx, anna, m, token.ID) },
		} {
			for m, kind := range map[int64]fault.Kind{carpi: fault.Forbidden, rimini: fault.NotFound} {
				err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error { return act(ctx, tx, m) })
				if fault.KindOf(err) != kind {
					t.Errorf("%s in municipality %d: got %v", name, m, err)
				}
			}
		}
		if got := actorOf(t, d, carpi, luca); got.Role != Operator {
			t.Errorf("the role became %s", got.Role)
		}
	})
}

func TestTheLastAdministratorStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Administrator, Password{})
		bea := member(t, d, rimini, "bea@example.it", Administrator, Password{})
		acts := map[Account]Actor{anna: actorOf(t, d, rimini, bea), bea: actorOf(t, d, rimini, anna)}
		var both sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for target, by := range acts { // each removes the other, at the same moment
			both.Go(func() {
				err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					return SetRole(ctx, tx, by, rimini, target.ID, Operator, nil)
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
				} else if !fault.Is(err, fault.Conflict, "error.staff_last_administrator") {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if done != 1 {
			t.Errorf("%d of the two went through, want 1", done)
		}
	})
}

func TestSetRoleAndPreferences(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anna := member(t, d, rimini, "anna@example.it", Operator, Password{})
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			return SetRole(ctx, tx, System("cli"), rimini, anna.ID, Auditor, []string{"urp"})
		})
		got := actorOf(t, d, rimini, anna)
		if got.Role != Auditor || fmt.Sprint(got.Offices) != "[urp]" || got.Name != "Anna Verdi" || got.Kind != OperatorKind {
			t.Errorf("got %+v", got)
		}
		update(t, d, func(ctx context.Context, tx *db.Tx) error {
			if a, err := Get(ctx, tx, anna.ID); err != nil || a.Preferences != DefaultPreferences() {
				t.Errorf("got %+v, %v", a.Preferences, err)
			}
			chosen := Preferences{Language: "en", EnterSends: false}
			if err := SetPreferences(ctx, tx, anna.ID, chosen); err != nil {
				return err
			}
			if a, err := Get(ctx, tx, anna.ID); err != nil || a.Preferences != chosen {
				t.Errorf("got %+v, %v", a.Preferences, err)
			}
			want(t, SetPreferences(ctx, tx, anna.ID, Preferences{Language: "xx"}), fault.Invalid, "error.invalid")
			want(t, SetPreferences(ctx, tx, 1, chosen), fault.NotFound, "error.staff_not_found")
			return nil
		})
	})
}

// A backup is only restored where nobody works yet.
func TestAnybodyIsFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		anybody := func() (yes bool) {
			t.Helper()
			update(t, d, func(ctx context.Context, tx *db.Tx) (err error) {
				yes, err = Anybody(ctx, tx)
				return err
			})
			return yes
		}
		if anybody() {
			t.Error("somebody works at a new installation")
		}
		member(t, d, rimini, "anna@comune.rimini.it", Operator, hash(t, goodPassword))
		if !anybody() {
			t.Error("nobody is found after the first account")
		}
	})
}
