// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// Token lets a program of one municipality use the API. Its name is the author of what it writes.
type Token struct {
	ID        int64
	Name      string
	Offices   []string
	CreatedAt time.Time
	UsedAt    *time.Time // to the minute; nil is never
	RevokedAt *time.Time // nil while it works
}

const (
	tokenPrefix  = "fd_"       // so that scanners of repositories can recognise a leaked one
	touchEvery   = time.Minute // a token used 100 times a second must not write 100 times a second
	notePatience = time.Second // that a use waits to be noted
)

// ErrToken is the failure of a token that is unknown or revoked.
var ErrToken = fault.New(fault.Unauthenticated, "error.token")

// CreateToken makes a token for municipality. raw is what the program sends; it can't be shown again,
// because only its hash is stored.
func CreateToken(ctx context.Context, tx *db.Tx, actor Actor, municipality int64, name string, offices []string) (raw string, t Token, err error) {
	if err := actor.Require(ManageTokens, municipality); err != nil {
		return "", Token{}, err
	}
	if name, err = parseName(name); err != nil {
		return "", Token{}, err
	}
	raw, hash := secretText(tokenPrefix)
	t = Token{ID: tx.NewID(), Name: name, Offices: offices, CreatedAt: tx.Now()}
	q := store.New(tx)
	err = q.AddToken(ctx, store.AddTokenParams{MunicipalityID: municipality, TokenID: t.ID, Name: name, Hash: hash, CreatedAt: t.CreatedAt})
	if err != nil {
		return "", Token{}, fmt.Errorf("create a token in municipality %d: %w", municipality, err)
	}
	for _, o := range offices {
		if err := q.AddTokenOffice(ctx, store.AddTokenOfficeParams{MunicipalityID: municipality, TokenID: t.ID, Office: o}); err != nil {
			return "", Token{}, fmt.Errorf("add office %s to token %d: %w", o, t.ID, err)
		}
	}
	return raw, t, tokenChanged(ctx, tx, actor, municipality, TokenCreated, t.ID)
}

// RevokeToken ends a token at once, for good.
func RevokeToken(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) error {
	if err := actor.Require(ManageTokens, municipality); err != nil {
		return err
	}
	n, err := store.New(tx).RevokeToken(ctx, store.RevokeTokenParams{RevokedAt: new(tx.Now()), MunicipalityID: municipality, TokenID: id})
	if err != nil {
		return fmt.Errorf("revoke token %d: %w", id, err)
	}
	if n == 0 {
		return fault.New(fault.NotFound, "error.token_not_found")
	}
	return tokenChanged(ctx, tx, actor, municipality, TokenRevoked, id)
}

func tokenChanged(ctx context.Context, tx *db.Tx, actor Actor, municipality int64, action Action, id int64) error {
	tx.Notify(db.Notice{Topic: db.Config, Municipality: municipality, ID: id})
	return Record(ctx, tx, actor.In(municipality), action, "token", db.FormatID(id), nil)
}

// Tokens lists the tokens of municipality, the oldest first, revoked ones too.
func Tokens(ctx context.Context, tx *db.Tx, municipality int64) ([]Token, error) {
	q := store.New(tx)
	rows, err := q.Tokens(ctx, municipality)
	if err != nil {
		return nil, fmt.Errorf("tokens of municipality %d: %w", municipality, err)
	}
	ties, err := q.TokenOffices(ctx, municipality)
	if err != nil {
		return nil, fmt.Errorf("offices of the tokens of municipality %d: %w", municipality, err)
	}
	offices := map[int64][]string{}
	for _, t := range ties {
		offices[t.TokenID] = append(offices[t.TokenID], t.Office)
	}
	out := make([]Token, len(rows))
	for i, r := range rows {
		out[i] = Token{ID: r.TokenID, Name: r.Name, Offices: offices[r.TokenID], CreatedAt: r.CreatedAt.UTC(), UsedAt: r.UsedAt, RevokedAt: r.RevokedAt}
	}
	return out, nil
}

// Authenticate returns the actor of the token raw, in the one municipality it belongs to, or ErrToken.
// It opens its own transactions: nearly always it only reads.
func Authenticate(ctx context.Context, d *db.DB, raw string) (Actor, error) {
	if !strings.HasPrefix(raw, tokenPrefix) {
		return Actor{}, ErrToken
	}
	var actor Actor
	var due bool
	err := d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		q := store.New(tx)
		row, err := q.TokenByHash(ctx, hashText(raw))
		if err != nil {
			return err
		}
		offices, err := q.OfficesOfToken(ctx, store.OfficesOfTokenParams{MunicipalityID: row.MunicipalityID, TokenID: row.TokenID})
		if err != nil {
			return err
		}
		actor = Actor{Kind: TokenKind, ID: row.TokenID, Name: row.Name, Offices: offices, Municipality: row.MunicipalityID}
		due = row.UsedAt == nil || tx.Now().Sub(*row.UsedAt) >= touchEvery
		return nil
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Actor{}, ErrToken
	}
	if err != nil {
		return Actor{}, fmt.Errorf("look up a token: %w", err)
	}
	if due {
		err = noteUse(ctx, d, actor)
	}
	if err != nil {
		return Actor{}, fmt.Errorf("note the use of token %d: %w", actor.ID, err)
	}
	return actor, nil
}

// noteUse writes when a token was last used. It is a note only: while the database can't be written, it
// keeps nobody from reading, and the next use is noted.
func noteUse(ctx context.Context, d *db.DB, actor Actor) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notePatience)
	noted := make(chan error, 1)
	go func() { // SQLite can't be called back from waiting for a lock
		defer cancel()
		noted <- d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			return store.New(tx).TouchToken(ctx, store.TouchTokenParams{UsedAt: new(tx.Now()), MunicipalityID: actor.Municipality, TokenID: actor.ID})
		})
	}()
	select {
	case err := <-noted:
		if db.Unavailable(err) {
			return nil
		}
		return err
	case <-time.After(notePatience):
		return nil
	}
}
