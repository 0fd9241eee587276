// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// throttle slows down the guessing of passwords: after some failures each further one doubles the wait.
type throttle struct {
	free   int           // failures without a wait
	forget time.Duration // after the latest failure the count begins anew
}

// A whole town hall may share one address, and mistypes more than one person does.
var (
	perEmail   = throttle{free: 5, forget: 24 * time.Hour}
	perAddress = throttle{free: 30, forget: time.Hour}
)

const (
	firstWait = 30 * time.Second
	maxWait   = 15 * time.Minute
)

// wait is how long the next attempt must wait after so many failures.
func (t throttle) wait(failures int) time.Duration {
	over := failures - t.free
	if over < 0 {
		return 0
	}
	return min(firstWait<<min(over, 10), maxWait)
}

func emailSubject(email string) string { return hashText("e-mail " + email) }

// addressSubject takes the network of an IPv6 address: one subscriber has a whole /64 to choose from.
func addressSubject(remote string) string {
	ip, err := netip.ParseAddr(remote)
	if err != nil {
		if with, err := netip.ParseAddrPort(remote); err == nil {
			ip = with.Addr()
		}
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if net, err := ip.Prefix(64); err == nil {
			return hashText("address " + net.String())
		}
	}
	if ip.IsValid() {
		return hashText("address " + ip.String())
	}
	return hashText("address " + remote)
}

// countAttempt counts an attempt as failed before it is made, and fails itself while the e-mail or the
// address must wait. Counting afterwards, a thousand attempts at once would all be let through.
func countAttempt(ctx context.Context, d *db.DB, email, remote string) error {
	return d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		// Always in this order, or two attempts could wait for each other.
		if err := perAddress.count(ctx, tx, addressSubject(remote)); err != nil {
			return err
		}
		return perEmail.count(ctx, tx, emailSubject(email))
	})
}

func (t throttle) count(ctx context.Context, tx *db.Tx, subject string) error {
	q, now := store.New(tx), tx.Now()
	failures, err := q.CountAttempt(ctx, store.CountAttemptParams{Subject: subject, Now: now, Forget: now.Add(-t.forget)})
	if errors.Is(err, sql.ErrNoRows) {
		return mustWait(ctx, tx, subject)
	}
	if err != nil {
		return fmt.Errorf("count an attempt to sign in: %w", err)
	}
	if wait := t.wait(int(failures)); wait > 0 {
		if err := q.BlockAttempts(ctx, store.BlockAttemptsParams{BlockedUntil: now.Add(wait), Subject: subject}); err != nil {
			return fmt.Errorf("delay the next attempt to sign in: %w", err)
		}
	}
	return nil
}

func mustWait(ctx context.Context, tx *db.Tx, subject string) error {
	until, err := store.New(tx).BlockedUntil(ctx, subject)
	if errors.Is(err, sql.ErrNoRows) { // swept just now
		return db.ErrAgain
	}
	if err != nil {
		return fmt.Errorf("read when to sign in again: %w", err)
	}
	minutes := int((until.Sub(tx.Now()) + time.Minute - 1) / time.Minute)
	return fault.New(fault.Throttled, "error.signin_throttled", "minutes", max(minutes, 1))
}

// forgive undoes what countAttempt counted. Of the address only this attempt is forgiven, or whoever has
// an account could go on guessing others.
func forgive(ctx context.Context, q *store.Queries, email, remote string) error {
	if err := q.ForgiveAttempt(ctx, addressSubject(remote)); err != nil {
		return fmt.Errorf("forgive an attempt of the address: %w", err)
	}
	if err := q.ForgetAttempts(ctx, emailSubject(email)); err != nil {
		return fmt.Errorf("forget the attempts of the e-mail: %w", err)
	}
	return nil
}
