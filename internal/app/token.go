// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// TokenCreate makes a token for a program of the municipality and prints it as the last word, this once:
// only its hash is kept.
func TokenCreate(ctx context.Context, s Settings, slug, name string, onlyOffices []string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, slug)
		if err != nil {
			return err
		}
		if err := checkOffices(m, onlyOffices); err != nil {
			return err
		}
		var raw string
		var t staff.Token
		err = g.d.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			raw, t, err = staff.CreateToken(ctx, tx, commandLine, m.ID, name, onlyOffices)
			return err
		})
		if err != nil {
			return err
		}
		say(out, "The token %q of %s, which is shown only now: %s", t.Name, m.Name, raw)
		return nil
	})
}

// TokenRevoke ends the token that name, or id, tells.
func TokenRevoke(ctx context.Context, s Settings, slug, name string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, slug)
		if err != nil {
			return err
		}
		var t staff.Token
		err = g.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			all, err := staff.Tokens(ctx, tx, m.ID)
			if err != nil {
				return err
			}
			if t, err = theToken(all, m.Slug, name); err != nil {
				return err
			}
			return staff.RevokeToken(ctx, tx, commandLine, m.ID, t.ID)
		})
		if err != nil {
			return err
		}
		say(out, "The token %q of %s is revoked.", t.Name, m.Name)
		return nil
	})
}

// theToken is the one working token with this name or id. Of two with one name neither is guessed.
func theToken(all []staff.Token, slug, name string) (staff.Token, error) {
	var found []staff.Token
	for _, t := range all {
		if t.RevokedAt == nil && (t.Name == name || db.FormatID(t.ID) == name) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return staff.Token{}, fmt.Errorf("%s has no working token %q: see token list --municipality %s", slug, name, slug)
	}
	return staff.Token{}, fmt.Errorf("%s has %d working tokens called %q: give the id of one, from token list --municipality %s", slug, len(found), name, slug)
}

// TokenList prints the tokens, of one municipality or, with an empty slug, of all.
func TokenList(ctx context.Context, s Settings, slug string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		places, err := g.municipalities(ctx, slug)
		if err != nil {
			return err
		}
		table := newTable(out, "MUNICIPALITY", "ID", "NAME", "OFFICES", "CREATED", "LAST USED", "STATE")
		for _, m := range places {
			var tokens []staff.Token
			err := g.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				tokens, err = staff.Tokens(ctx, tx, m.ID)
				return err
			})
			if err != nil {
				return err
			}
			for _, t := range tokens {
				table.row(m.Slug, db.FormatID(t.ID), t.Name, offices(t.Offices), day(&t.CreatedAt), day(t.UsedAt), tokenState(t))
			}
		}
		return table.Flush()
	})
}

func tokenState(t staff.Token) string {
	if t.RevokedAt != nil {
		return "revoked " + day(t.RevokedAt)
	}
	return "works"
}
