// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

const (
	sealEvery = 500 * time.Millisecond
	sealBatch = 200 // rows a transaction, so that others get their turn
)

// RunSealer chains new audit rows until ctx ends. Any number of instances may run it.
//
// Rows are not chained as they are written, because then all writers of a municipality would wait for
// one another.
func RunSealer(ctx context.Context, d *db.DB, log *slog.Logger) {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		if _, err := Seal(ctx, d); err != nil && ctx.Err() == nil && !db.Unavailable(err) {
			log.Error("the audit trail could not be sealed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Seal chains all audit rows that wait for it, of every municipality, and returns how many.
func Seal(ctx context.Context, d *db.DB) (sealed int, err error) {
	var waiting []int64
	err = d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		waiting, err = store.New(tx).UnsealedMunicipalities(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look for audit rows to seal: %w", err)
	}
	var failures []error // the trouble of one municipality must not leave the others open
	for _, m := range waiting {
		n, err := sealMunicipality(ctx, d, m)
		sealed += n
		if err != nil {
			failures = append(failures, fmt.Errorf("seal the audit trail of municipality %d: %w", m, err))
		}
	}
	return sealed, errors.Join(failures...)
}

func sealMunicipality(ctx context.Context, d *db.DB, municipality int64) (sealed int, err error) {
	for {
		var n int
		err := d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			n, err = sealSome(ctx, tx, municipality)
			return err
		})
		if errors.Is(err, db.ErrAgain) {
			return sealed, nil // other instances are at it
		}
		if err != nil {
			return sealed, err
		}
		if sealed += n; n < sealBatch {
			return sealed, nil
		}
	}
}

func sealSome(ctx context.Context, tx *db.Tx, municipality int64) (int, error) {
	q := store.New(tx)
	head, err := chainHead(ctx, q, municipality)
	if err != nil {
		return 0, err
	}
	rows, err := q.Unsealed(ctx, store.UnsealedParams{MunicipalityID: municipality, Limit: sealBatch})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	seq, prev := head.Seq, head.Hash
	sealed := make([][]any, len(rows))
	for i, r := range rows {
		seq++
		hash, err := link(r, seq, prev)
		if err != nil {
			return 0, err
		}
		sealed[i] = []any{seq, prev, hash, municipality, r.AuditID}
		prev = hash
	}
	// Moving the head first makes another sealer wait here, and then start again from where this one got.
	moved, err := q.MoveHead(ctx, store.MoveHeadParams{Seq: seq, Hash: prev, MunicipalityID: municipality, Was: head.Seq})
	if err != nil {
		return 0, err
	}
	if moved == 0 {
		return 0, db.ErrAgain
	}
	const set = `UPDATE audit SET seq = $1, prev = $2, hash = $3 WHERE municipality_id = $4 AND audit_id = $5 AND seq = 0`
	affected, err := tx.Exec(ctx, set, sealed)
	if err != nil {
		return 0, err
	}
	for _, n := range affected {
		if n != 1 {
			return 0, db.ErrAgain
		}
	}
	return len(rows), nil
}

func chainHead(ctx context.Context, q *store.Queries, municipality int64) (store.AuditHeadRow, error) {
	head, err := q.AuditHead(ctx, municipality)
	if !errors.Is(err, sql.ErrNoRows) {
		return head, err
	}
	if err := q.StartChain(ctx, municipality); err != nil {
		return head, err
	}
	return q.AuditHead(ctx, municipality)
}

// link is the hash of a row in its place: SHA-256, in hexadecimal, of a JSON list of all its fields.
func link(r store.Audit, seq int64, prev string) (string, error) {
	// jsonb keeps neither order nor spaces: sorted keys are the same on both engines.
	var detail any
	dec := json.NewDecoder(bytes.NewReader(r.Detail))
	dec.UseNumber()
	if err := dec.Decode(&detail); err != nil {
		return "", fmt.Errorf("read the detail of audit row %d: %w", r.AuditID, err)
	}
	canonical, err := json.Marshal([]any{prev, seq, r.MunicipalityID, r.AuditID, r.At.UnixMicro(), r.ActorKind, r.ActorID, r.ActorName,
		r.Action, r.ObjectKind, r.ObjectID, detail})
	if err != nil {
		return "", fmt.Errorf("write audit row %d: %w", r.AuditID, err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// VerifyAudit follows the chain of a municipality from its first row. It returns how many rows are as
// they were sealed, and the place of the first that was changed, removed, moved or cut off; nil if none.
func VerifyAudit(ctx context.Context, tx *db.Tx, municipality int64) (count int, broken *int64, err error) {
	q := store.New(tx)
	// The head is read first: a sealer at work meanwhile only adds rows beyond it.
	head, err := q.AuditHead(ctx, municipality)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, nil, fmt.Errorf("read the end of the audit trail of municipality %d: %w", municipality, err)
	}
	missing := errors.Is(err, sql.ErrNoRows)
	const page = 1000
	seq, prev := int64(0), ""
	for {
		rows, err := q.Chain(ctx, store.ChainParams{MunicipalityID: municipality, Seq: seq, Limit: page})
		if err != nil {
			return count, nil, fmt.Errorf("read the audit trail of municipality %d: %w", municipality, err)
		}
		for _, r := range rows {
			if !missing && seq == head.Seq {
				break
			}
			seq++
			hash, err := link(r, r.Seq, r.Prev)
			if err != nil {
				return count, nil, err
			}
			if missing || r.Seq != seq || r.Prev != prev || r.Hash != hash {
				return count, &seq, nil
			}
			prev = hash
			count++
		}
		if len(rows) < page || seq == head.Seq {
			break
		}
	}
	if seq != head.Seq || prev != head.Hash {
		seq++
		return count, &seq, nil
	}
	return count, nil, nil
}
