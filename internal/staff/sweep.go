// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

const sweepEvery = 10 * time.Minute

// RunSweeper removes what has expired until ctx ends. Any number of instances may run it.
func RunSweeper(ctx context.Context, d *db.DB, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := d.UpdateLater(ctx, Sweep); err != nil && ctx.Err() == nil && !db.Unavailable(err) {
			log.Error("expired sessions and keys could not be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep removes expired sessions, one-time links, counts of failed sign-ins and idempotency keys.
func Sweep(ctx context.Context, tx *db.Tx) error {
	q, now := store.New(tx), tx.Now()
	err := errors.Join(
		q.SweepSessions(ctx, machineTime()),
		q.SweepInvitations(ctx, now),
		q.SweepAttempts(ctx, now.Add(-max(perEmail.forget, perAddress.forget))),
		q.SweepKeys(ctx, now.Add(-KeyLife)),
	)
	if err != nil {
		return fmt.Errorf("sweep what has expired: %w", err)
	}
	return nil
}
