// SPDX-License-Identifier: AGPL-3.0-or-later

package retention

import (
	"context"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// A slice has so many rows that it holds the writer for a few milliseconds.
const (
	firstSlice = 20
	mostRows   = 500
	shortest   = 3 * time.Millisecond
	longest    = 6 * time.Millisecond
)

// sized is how many rows the next slice has when one of so many took so long.
func sized(slice int, took time.Duration) int {
	switch {
	case took > longest:
		return max(1, slice/2)
	case took < shortest:
		return min(mostRows, slice+slice/4+1)
	}
	return slice
}

// walk takes slices of what pick finds after the last one, reading only, and has each deleted by a short transaction
// that also counts.
func walk[Key any](ctx context.Context, r *run, after Key, pick func(ctx context.Context, tx *db.Tx, after Key, limit int) ([]Key, error),
	drop func(ctx context.Context, tx *db.Tx, keys []Key) (counts, error)) error {
	for {
		var keys []Key
		err := r.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			keys, err = pick(ctx, tx, after, r.slice)
			return err
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		var began time.Time
		err = r.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
			began = time.Now()
			n, err := drop(ctx, tx, keys)
			if err != nil {
				return err
			}
			return n.add(ctx, tx, r.municipality)
		})
		if err != nil {
			return err
		}
		took := time.Since(began)
		full := len(keys) == r.slice
		r.slice = sized(r.slice, took)
		if !full {
			return nil
		}
		after = keys[len(keys)-1]
		if err := r.rest(ctx, took); err != nil {
			return err
		}
	}
}

// Between two slices the writer is free for four times as long as one took; and while what came in waits for longer
// than that, nothing is deleted.
const (
	restFactor = 4
	leastRest  = 5 * time.Millisecond
	tooFar     = 200 * time.Millisecond
	waits      = 250 * time.Millisecond
)

func (r *run) rest(ctx context.Context, took time.Duration) error {
	if err := pause(ctx, max(leastRest, restFactor*took)); err != nil {
		return err
	}
	for {
		lag, err := r.behind(ctx)
		if err != nil || lag < tooFar {
			return err
		}
		if err := pause(ctx, waits); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, how time.Duration) error {
	select {
	case <-time.After(how):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
