// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// ErrCredentials is the one answer to a sign-in that fails, whether or not there is such an account.
var ErrCredentials = fault.New(fault.Unauthenticated, "error.credentials")

// SignIn checks who signs in from remoteAddr (an IP address, with or without port) and returns their
// account. It fails with ErrCredentials, or with Throttled while there have been too many failures.
//
// It takes the same work whether or not the account exists. It opens its own transactions, because
// hashing takes too long to be done inside one.
func SignIn(ctx context.Context, d *db.DB, email, password, remoteAddr string) (Account, error) {
	email = fold(email)
	if err := countAttempt(ctx, d, email, remoteAddr); err != nil {
		return Account{}, err
	}
	var row store.Staff
	err := d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		row, err = store.New(tx).AccountByEmail(ctx, email)
		return err
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Account{}, fmt.Errorf("look up who signs in: %w", err)
	}
	right, err := Password{row.Password}.matches(ctx, password)
	if err != nil {
		return Account{}, err
	}
	if !right || row.Disabled {
		return Account{}, errors.Join(ErrCredentials, noteFailure(ctx, d, email, row.StaffID))
	}
	return noteSuccess(ctx, d, email, remoteAddr, row)
}

func noteFailure(ctx context.Context, d *db.DB, email string, id int64) error {
	err := d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		// Writing in either case: the time until the answer must not tell which accounts exist.
		if err := store.New(tx).MarkAttempt(ctx, store.MarkAttemptParams{Latest: tx.Now(), Subject: emailSubject(email)}); err != nil {
			return err
		}
		return recordEverywhere(ctx, tx, System("signin"), SignInFailed, id)
	})
	if err != nil {
		return fmt.Errorf("note a failed sign-in: %w", err)
	}
	return nil
}

func noteSuccess(ctx context.Context, d *db.DB, email, remoteAddr string, row store.Staff) (a Account, err error) {
	err = d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		q := store.New(tx)
		now, err := q.Account(ctx, row.StaffID)
		if err != nil {
			return err
		}
		if now.Disabled || now.Password != row.Password { // while the password was being hashed
			return ErrCredentials
		}
		if err := forgive(ctx, q, email, remoteAddr); err != nil {
			return err
		}
		if err := q.SetSeen(ctx, store.SetSeenParams{SeenAt: new(tx.Now()), StaffID: row.StaffID}); err != nil {
			return err
		}
		if a, err = Get(ctx, tx, row.StaffID); err != nil {
			return err
		}
		return recordEverywhere(ctx, tx, Actor{Kind: OperatorKind, ID: row.StaffID}, SignedIn, row.StaffID)
	})
	if err != nil {
		return Account{}, fmt.Errorf("note the sign-in of account %d: %w", row.StaffID, err)
	}
	return a, nil
}
