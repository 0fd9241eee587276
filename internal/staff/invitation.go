// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// InvitationLife is how long a one-time link works.
const InvitationLife = 72 * time.Hour

// ErrInvitation is the failure of a one-time link that was used, replaced, or is too old.
var ErrInvitation = fault.New(fault.NotFound, "error.invitation")

// Invite makes the secret of a one-time link by which the account chooses its password. It replaces any
// earlier one, and only its hash is stored.
func Invite(ctx context.Context, tx *db.Tx, actor Actor, municipality, id int64) (token string, err error) {
	if err := manageWhole(ctx, tx, actor, municipality, id); err != nil {
		return "", err
	}
	q := store.New(tx)
	if err := q.DropInvitations(ctx, id); err != nil {
		return "", fmt.Errorf("drop the invitations of account %d: %w", id, err)
	}
	token, hash := secretText("")
	if err := q.AddInvitation(ctx, store.AddInvitationParams{Token: hash, StaffID: id, ExpiresAt: tx.Now().Add(InvitationLife)}); err != nil {
		return "", fmt.Errorf("invite account %d: %w", id, err)
	}
	return token, changed(ctx, tx, actor, municipality, StaffInvited, id, nil)
}

// Invitation returns the account that token invites, without using it up.
func Invitation(ctx context.Context, tx *db.Tx, token string) (Account, error) {
	id, err := store.New(tx).Invitation(ctx, store.InvitationParams{Token: hashText(token), Now: tx.Now()})
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrInvitation
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up an invitation: %w", err)
	}
	a, err := Get(ctx, tx, id)
	if err == nil && a.Disabled {
		return Account{}, ErrInvitation
	}
	return a, err
}

// UseInvitation uses token up and sets the password of the account it invites.
func UseInvitation(ctx context.Context, tx *db.Tx, token string, password Password) (Account, error) {
	a, err := Invitation(ctx, tx, token)
	if err != nil {
		return Account{}, err
	}
	used, err := store.New(tx).UseInvitation(ctx, store.UseInvitationParams{Token: hashText(token), Now: tx.Now()})
	if err != nil {
		return Account{}, fmt.Errorf("use the invitation of account %d: %w", a.ID, err)
	}
	if used == 0 { // another request was first
		return Account{}, ErrInvitation
	}
	if err := setPassword(ctx, tx, a.ID, password); err != nil {
		return Account{}, err
	}
	a.Active = true
	return a, recordEverywhere(ctx, tx, Actor{Kind: OperatorKind, ID: a.ID}, InvitationUsed, a.ID)
}

// recordEverywhere records an act on an account in the trails of all its municipalities.
func recordEverywhere(ctx context.Context, tx *db.Tx, actor Actor, action Action, id int64) error {
	all, err := Municipalities(ctx, tx, id)
	if err != nil {
		return err
	}
	for _, m := range all {
		actor.Municipality = m
		if err := Record(ctx, tx, actor, action, "staff", db.FormatID(id), nil); err != nil {
			return err
		}
	}
	return nil
}
