// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality/store"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Applied is the action in the audit trail of a file that changed something.
const Applied staff.Action = "municipality.applied"

// Apply makes the municipality of f, or brings it to what f says, and returns what changed. Nothing
// changed means nothing is written. Numbers that f no longer names are retired, never deleted. It fails
// with Conflict if a number is another municipality's.
func Apply(ctx context.Context, tx *db.Tx, key *secret.Key, f *File) (*Municipality, []Change, error) {
	old, err := current(ctx, tx, key, f.Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("apply %s: %w", f.Slug, err)
	}
	changes := f.Diff(old.File)
	if len(changes) == 0 {
		return old, nil, nil
	}
	if err := save(ctx, tx, key, f, old); err != nil {
		return nil, nil, fmt.Errorf("apply %s: %w", f.Slug, err)
	}
	now, err := current(ctx, tx, key, f.Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("read back %s: %w", f.Slug, err)
	}
	tx.Notify(db.Notice{Topic: db.Config, Municipality: now.ID})
	err = staff.Record(ctx, tx, staff.System("cli").In(now.ID), Applied, "municipality", db.FormatID(now.ID), map[string]any{"changes": len(changes)})
	return now, changes, err
}

// current is the municipality as it is in the database, or one with nothing but no file. Secrets that
// can't be opened are taken as changed: applying the file again is the way back from a lost key.
func current(ctx context.Context, tx *db.Tx, key *secret.Key, slug string) (*Municipality, error) {
	id, err := store.New(tx).BySlug(ctx, slug)
	if errors.Is(err, sql.ErrNoRows) {
		return &Municipality{}, nil
	}
	if err != nil {
		return nil, err
	}
	loaded, err := load(ctx, tx, key, []int64{id})
	if m := loaded[id]; m != nil {
		return m, nil
	}
	return nil, err
}

func save(ctx context.Context, tx *db.Tx, key *secret.Key, f *File, old *Municipality) error {
	column, err := db.ToJSON(f) // secrets write themselves as dots
	if err != nil {
		return err
	}
	q, id := store.New(tx), old.ID
	var written int64
	if id == 0 {
		id = tx.NewID()
		written, err = q.Add(ctx, store.AddParams{MunicipalityID: id, Slug: f.Slug, Name: f.Name, File: column, Now: tx.Now()})
	} else {
		written, err = q.Update(ctx, store.UpdateParams{Name: f.Name, File: column, UpdatedAt: tx.Now(), MunicipalityID: id, Was: old.version})
	}
	if err != nil {
		return err
	}
	if written == 0 { // another apply was first
		return db.ErrAgain
	}
	for i, n := range f.WhatsApp {
		if err := saveNumber(ctx, q, key, id, i, n); err != nil {
			return err
		}
	}
	return retire(ctx, q, id, old.Numbers, f.WhatsApp)
}

func saveNumber(ctx context.Context, q *store.Queries, key *secret.Key, municipality int64, position int, n Number) error {
	written, err := q.SaveNumber(ctx, store.SaveNumberParams{
		MunicipalityID: municipality, PhoneNumberID: n.PhoneNumberID, WabaID: n.WABAID, Office: n.Office,
		Display: n.Display, E164: n.E164, Position: int32(position),
		AccessToken: key.Seal(n.AccessToken.Reveal(), sealedIn(municipality, n.PhoneNumberID, "access_token")),
		AppSecret:   key.Seal(n.AppSecret.Reveal(), sealedIn(municipality, n.PhoneNumberID, "app_secret")),
		VerifyToken: key.Seal(n.VerifyToken.Reveal(), sealedIn(municipality, n.PhoneNumberID, "verify_token")),
	})
	if err != nil {
		return fmt.Errorf("save number %s: %w", n.PhoneNumberID, err)
	}
	if written == 0 {
		return fault.New(fault.Conflict, "error.number_taken", "number", n.PhoneNumberID)
	}
	return nil
}

// sealedIn names where a secret is kept, and so binds it to its column: moved elsewhere it does not open.
func sealedIn(municipality int64, phoneNumberID, column string) string {
	return fmt.Sprintf("number/%d/%s/%s", municipality, phoneNumberID, column)
}

func retire(ctx context.Context, q *store.Queries, municipality int64, old, now []Number) error {
	for _, n := range old {
		if slices.ContainsFunc(now, func(still Number) bool { return still.PhoneNumberID == n.PhoneNumberID }) {
			continue
		}
		if err := q.RetireNumber(ctx, store.RetireNumberParams{Nothing: []byte{}, MunicipalityID: municipality, PhoneNumberID: n.PhoneNumberID}); err != nil {
			return fmt.Errorf("retire number %s: %w", n.PhoneNumberID, err)
		}
	}
	return nil
}
