// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// NewStaff describes somebody to give a place at the desk of a municipality.
type NewStaff struct {
	Municipality string // slug
	Email        string
	Name         string
	Role         string
	Offices      []string // ids; none means all
	Password     string   // empty: a one-time link is printed, by which they choose one
}

// StaffAdd gives n a place at a desk. An account that another municipality has already is added to this
// one too; its name and password stay.
func StaffAdd(ctx context.Context, s Settings, n NewStaff, out io.Writer, log *slog.Logger) error {
	password, err := hash(ctx, n.Password, n.Email, n.Name)
	if err != nil {
		return err
	}
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, n.Municipality)
		if err != nil {
			return err
		}
		if err := checkOffices(m, n.Offices); err != nil {
			return err
		}
		var a staff.Account
		var isNew bool
		var link string
		err = g.d.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			a, isNew, err = staff.Add(ctx, tx, commandLine, m.ID,
				staff.New{Email: n.Email, Name: n.Name, Role: staff.Role(n.Role), Offices: n.Offices, Password: password})
			if err != nil || a.Active {
				return err
			}
			link, err = g.invite(ctx, tx, m, a.ID)
			return err
		})
		if err != nil {
			return err
		}
		say(out, "%s (%s) is now %s at the desk of %s: %s/desk/%s", a.Name, a.Email, n.Role, m.Name, g.Public(), m.Slug)
		if !isNew {
			say(out, "The account was there already: its name and password stay as they are.")
		}
		sayLink(out, link)
		return nil
	})
}

// StaffReset gives the account with this e-mail a new password. Without one it prints a link by which
// the person chooses it; until then the earlier one works.
func StaffReset(ctx context.Context, s Settings, email, plain string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		a, m, err := g.account(ctx, email)
		if err != nil {
			return err
		}
		password, err := hash(ctx, plain, a.Email, a.Name)
		if err != nil {
			return err
		}
		var link string
		err = g.d.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			if plain != "" {
				return staff.Reset(ctx, tx, commandLine, m.ID, a.ID, password)
			}
			link, err = g.invite(ctx, tx, m, a.ID)
			return err
		})
		if err != nil {
			return err
		}
		if plain != "" {
			say(out, "%s (%s) has the new password; whoever was signed in with the earlier one no longer is.", a.Name, a.Email)
		}
		sayLink(out, link)
		return nil
	})
}

// hash turns a password into what is kept of it; none stays none.
func hash(ctx context.Context, plain, email, name string) (staff.Password, error) {
	if plain == "" {
		return staff.Password{}, nil
	}
	return staff.NewPassword(ctx, plain, email, name)
}

// account finds an account and a municipality where it works: what is done to it is in the trail there.
func (g *ground) account(ctx context.Context, email string) (a staff.Account, m *municipality.Municipality, err error) {
	var places []int64
	err = g.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if a, err = staff.ByEmail(ctx, tx, email); err != nil {
			return err
		}
		places, err = staff.Municipalities(ctx, tx, a.ID)
		return err
	})
	if err != nil {
		return a, nil, err
	}
	all, err := g.municipalities(ctx, "")
	if err != nil {
		return a, nil, err
	}
	for _, m := range all {
		if len(places) > 0 && m.ID == places[0] {
			return a, m, nil
		}
	}
	return a, nil, fmt.Errorf("%s works at no desk: use staff add", a.Email)
}

func (g *ground) invite(ctx context.Context, tx *db.Tx, m *municipality.Municipality, id int64) (link string, err error) {
	token, err := staff.Invite(ctx, tx, commandLine, m.ID, id)
	return fmt.Sprintf("%s/desk/%s/invitation/%s", g.Public(), m.Slug, token), err
}

func sayLink(out io.Writer, link string) {
	if link != "" {
		say(out, "One-time link for choosing a password, good for %.0f hours: %s", staff.InvitationLife.Hours(), link)
	}
}

// StaffList prints who works at the desks, of one municipality or, with an empty slug, of all.
func StaffList(ctx context.Context, s Settings, slug string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		places, err := g.municipalities(ctx, slug)
		if err != nil {
			return err
		}
		table := newTable(out, "MUNICIPALITY", "E-MAIL", "NAME", "ROLE", "OFFICES", "STATE", "LAST SIGN-IN")
		for _, m := range places {
			var members []staff.Member
			err := g.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				members, err = staff.List(ctx, tx, m.ID)
				return err
			})
			if err != nil {
				return err
			}
			for _, p := range members {
				table.row(m.Slug, p.Email, p.Name, string(p.Role), offices(p.Offices), accountState(p.Account), day(p.SeenAt))
			}
		}
		return table.Flush()
	})
}

func accountState(a staff.Account) string {
	switch {
	case a.Disabled:
		return "disabled"
	case a.Active:
		return "active"
	}
	return "invited"
}

func offices(ids []string) string {
	if len(ids) == 0 {
		return "all"
	}
	return strings.Join(ids, ",")
}

func day(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format(time.DateOnly)
}
