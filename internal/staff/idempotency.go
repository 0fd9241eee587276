// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// KeyLife is how long the answer to an Idempotency-Key is kept, per token.
const KeyLife = 24 * time.Hour

const maxKey = 255 // bytes

// Answer is what a request was answered.
type Answer struct {
	Status int // HTTP
	Body   []byte
}

// Begin is the first thing a POST with an Idempotency-Key does in its transaction, and Finish the last;
// between them, in the same transaction, is the work. request is all that makes the request what it is:
// method, path and body.
//
// A nil Answer means: go on. Otherwise the work was done before, and the Answer is the one it got. The
// same key with another request is refused as Invalid. A twin at the same time waits for the first one's
// transaction to end; work that fails leaves no key behind, so it can be tried again.
func Begin(ctx context.Context, tx *db.Tx, token Actor, key string, request []byte) (*Answer, error) {
	if key == "" || len(key) > maxKey || !writable(key) {
		return nil, fault.New(fault.Invalid, "error.idempotency_key", "max", maxKey)
	}
	q, hash := store.New(tx), hashText(string(request))
	err := q.ForgetKey(ctx, store.ForgetKeyParams{MunicipalityID: token.Municipality, TokenID: token.ID, Key: key, Before: tx.Now().Add(-KeyLife)})
	if err != nil {
		return nil, fmt.Errorf("forget an old idempotency key of token %d: %w", token.ID, err)
	}
	begun, err := q.BeginKey(ctx, store.BeginKeyParams{MunicipalityID: token.Municipality, TokenID: token.ID, Key: key, BodyHash: hash,
		Response: []byte{}, CreatedAt: tx.Now()})
	if err != nil {
		return nil, fmt.Errorf("keep an idempotency key of token %d: %w", token.ID, err)
	}
	if begun > 0 {
		return nil, nil
	}
	earlier, err := q.FindKey(ctx, store.FindKeyParams{MunicipalityID: token.Municipality, TokenID: token.ID, Key: key})
	if err != nil {
		return nil, fmt.Errorf("find an idempotency key of token %d: %w", token.ID, err)
	}
	if earlier.BodyHash != hash {
		return nil, fault.New(fault.Invalid, "error.idempotency")
	}
	return &Answer{Status: int(earlier.Status), Body: earlier.Response}, nil
}

// Finish keeps the answer to the request that Begin let go on.
func Finish(ctx context.Context, tx *db.Tx, token Actor, key string, a Answer) error {
	if a.Body == nil {
		a.Body = []byte{}
	}
	n, err := store.New(tx).FinishKey(ctx, store.FinishKeyParams{Status: int32(a.Status), Response: a.Body,
		MunicipalityID: token.Municipality, TokenID: token.ID, Key: key})
	if err != nil {
		return fmt.Errorf("keep the answer to an idempotency key of token %d: %w", token.ID, err)
	}
	if n != 1 {
		return fmt.Errorf("keep the answer to an idempotency key of token %d: it was not begun", token.ID)
	}
	return nil
}
