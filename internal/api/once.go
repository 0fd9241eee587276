// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"encoding/json"
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
		earlier, err := staff.Begin(ctx, tx, c.actor, c.key, c.identity)
		if err != nil {
			return err
		}
		if earlier != nil {
			return answered(earlier, &out)
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

// answered reads the answer that was given before.
func answered[T any](earlier *staff.Answer, out *T) error {
	var again T
	if err := json.Unmarshal(earlier.Body, &again); err != nil {
		return fmt.Errorf("read an earlier answer as %T: %w", again, err)
	}
	*out = again
	return nil
}
