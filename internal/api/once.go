// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// once does the work of a POST in a transaction and returns what to answer with status. A request that
// carries the Idempotency-Key of one that was answered gets that answer, and the work is not done again.
//
// The key is kept in the transaction of the work: either both are there or neither is.
func once[T any](ctx context.Context, s *server, status int, work func(ctx context.Context, tx *db.Tx) (T, error)) (T, error) {
	c := callOf(ctx)
	var out T
	err := s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		if c.key == "" {
			out, err = work(ctx, tx)
			return err
		}
		before, err := staff.Begin(ctx, tx, c.actor, c.key, c.identity)
		if err != nil {
			return err
		}
		if before != nil {
			return answered(before, &out)
		}
		if out, err = work(ctx, tx); err != nil {
			return err
		}
		body, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("marshal %T: %w", out, err)
		}
		return staff.Finish(ctx, tx, c.actor, c.key, staff.Answer{Status: status, Body: body})
	})
	return out, err
}

// errAsked ends a transaction that only asked.
var errAsked = errors.New("nothing was done")

// replied is the answer that the request got when it came before with its Idempotency-Key, or nil: for work that is
// begun outside of a transaction.
func replied[T any](ctx context.Context, s *server) (out *T, err error) {
	c := callOf(ctx)
	if c.key == "" {
		return nil, nil
	}
	err = s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		out = nil
		before, err := staff.Begin(ctx, tx, c.actor, c.key, c.identity)
		if err != nil {
			return err
		}
		if before != nil {
			out = new(T)
			if err := answered(before, out); err != nil {
				return err
			}
		}
		return errAsked
	})
	if errors.Is(err, errAsked) {
		err = nil
	}
	return out, err
}

// answered reads the answer that was given before.
func answered[T any](earlier *staff.Answer, out *T) error {
	var again T
	if err := json.Unmarshal(earlier.Body, &again); err != nil {
		return fmt.Errorf("read an earlier answer as %T: %w", again, err)
	}
	*out = again
	return nil
}
