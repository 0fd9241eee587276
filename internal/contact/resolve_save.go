// SPDX-License-Identifier: AGPL-3.0-or-later

package contact

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/filodiretto/filodiretto/internal/contact/store"
	"github.com/filodiretto/filodiretto/internal/db"
)

func (r *resolver) save(ctx context.Context, tx *db.Tx, municipality int64) error {
	if err := r.saveMerges(ctx, tx, municipality); err != nil {
		return fmt.Errorf("merge contacts: %w", err)
	}
	if err := r.saveAddresses(ctx, tx, municipality); err != nil {
		return fmt.Errorf("save addresses: %w", err)
	}
	return r.saveProfiles(ctx, tx, municipality)
}

func (r *resolver) saveMerges(ctx context.Context, tx *db.Tx, municipality int64) error {
	q := store.New(tx)
	for _, m := range r.merges {
		younger, err := q.Contact(ctx, store.ContactParams{MunicipalityID: municipality, ContactID: m.From})
		if err != nil {
			return err
		}
		if err := q.MoveAddresses(ctx, store.MoveAddressesParams{MunicipalityID: municipality, ContactID: m.From, Target: m.Into}); err != nil {
			return err
		}
		if err := moveBlocks(ctx, tx, municipality, m); err != nil {
			return err
		}
		if err := q.MarkMerged(ctx, store.MarkMergedParams{MunicipalityID: municipality, ContactID: m.From, Target: m.Into, UpdatedAt: tx.Now()}); err != nil {
			return err
		}
		if err := q.MoveMerged(ctx, store.MoveMergedParams{MunicipalityID: municipality, ContactID: m.From, Target: m.Into, UpdatedAt: tx.Now()}); err != nil {
			return err
		}
		if err := q.KeepWhatWasKnown(ctx, store.KeepWhatWasKnownParams{Name: younger.Name, NameAt: younger.NameAt, NamedByStaff: younger.NamedByStaff,
			Username: younger.Username, UsernameAt: younger.UsernameAt, Phone: younger.Phone, PhoneAt: younger.PhoneAt, UserID: younger.UserID, UserIDAt: younger.UserIDAt, Note: younger.Note, NewLine: "\n", UpdatedAt: tx.Now(), MunicipalityID: municipality, ContactID: m.Into}); err != nil {
			return err
		}
	}
	return nil
}

// saveAddresses writes the addresses first made here. If another instance made one of them in the
// meantime this waits for it and gives way, so that two first messages make one contact.
func (r *resolver) saveAddresses(ctx context.Context, tx *db.Tx, municipality int64) error {
	var fresh, moved, earlier [][]any
	for _, k := range sortedKeys(r.known) {
		a := r.known[k]
		switch row := []any{municipality, string(k.Kind), k.Value, r.final(a.contact), a.since, a.until}; {
		case a.fresh:
			fresh = append(fresh, row)
		case a.moved:
			moved = append(moved, row)
		case a.earlier:
			earlier = append(earlier, []any{municipality, string(k.Kind), k.Value, a.since})
		}
	}
	n, err := tx.Exec(ctx, `INSERT INTO contact_address (municipality_id, kind, value, contact_id, since, until)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`, fresh)
	if err != nil {
		return err
	}
	if slices.Contains(n, 0) {
		return db.ErrAgain
	}
	if _, err := tx.Exec(ctx, `UPDATE contact_address SET contact_id = $4, since = $5, until = $6
		WHERE municipality_id = $1 AND kind = $2 AND value = $3`, moved); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE contact_address SET since = $4 WHERE municipality_id = $1 AND kind = $2 AND value = $3 AND since > $4`, earlier)
	return err
}

func (r *resolver) saveProfiles(ctx context.Context, tx *db.Tx, municipality int64) error {
	var fresh, known [][]any
	var docs []int64
	for _, id := range slices.Sorted(maps.Keys(r.touched)) {
		if r.final(id) != id {
			continue
		}
		p := r.touched[id]
		row := slices.Concat([]any{municipality, id}, p.columns(), []any{tx.Now()})
		if p.fresh {
			fresh = append(fresh, row)
			docs = append(docs, id)
		} else {
			known = append(known, row)
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO contact (municipality_id, contact_id, name, name_at, username, username_at,
		phone, phone_at, user_id, user_id_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`, fresh); err != nil {
		return fmt.Errorf("add contacts: %w", err)
	}
	changed, err := tx.Exec(ctx, updateProfile, known)
	if err != nil {
		return fmt.Errorf("update contacts: %w", err)
	}
	var same [][]any
	for i, n := range changed {
		if n > 0 {
			docs = append(docs, known[i][1].(int64))
		} else {
			same = append(same, known[i])
		}
	}
	if _, err := tx.Exec(ctx, confirmProfile, same); err != nil {
		return fmt.Errorf("note when contacts were last named: %w", err)
	}
	for _, m := range r.merges {
		docs = append(docs, m.From, m.Into)
	}
	slices.Sort(docs)
	return reindex(ctx, tx, municipality, slices.Compact(docs))
}

func (p *profile) columns() []any {
	return []any{p.name.value, p.name.told(), p.username.value, p.username.told(), p.phone.value, p.phone.told(), p.userID.value, p.userID.told()}
}

// What is told later holds, and of two things told at once the greater, whatever is processed last. updateProfile writes
// what that changes. confirmProfile writes when the same was told again: of "A", "B", "A" the middle one, coming last, is
// the older.
const (
	updateProfile = setProfile + `(` + newName + ` AND name <> CAST($3 AS text) OR ` + newUsername + ` AND username <> CAST($5 AS text)
		OR ` + newPhone + ` AND phone <> CAST($7 AS text) OR ` + newUserID + ` AND user_id <> CAST($9 AS text))`
	confirmProfile = setProfile + `(` + newName + ` OR ` + newUsername + ` OR ` + newPhone + ` OR ` + newUserID + `)`

	setProfile = `UPDATE contact SET
		name = CASE WHEN ` + newName + ` THEN CAST($3 AS text) ELSE name END, name_at = CASE WHEN ` + newName + ` THEN $4 ELSE name_at END,
		username = CASE WHEN ` + newUsername + ` THEN CAST($5 AS text) ELSE username END, username_at = CASE WHEN ` + newUsername + ` THEN $6 ELSE username_at END,
		phone = CASE WHEN ` + newPhone + ` THEN CAST($7 AS text) ELSE phone END, phone_at = CASE WHEN ` + newPhone + ` THEN $8 ELSE phone_at END,
		user_id = CASE WHEN ` + newUserID + ` THEN CAST($9 AS text) ELSE user_id END, user_id_at = CASE WHEN ` + newUserID + ` THEN $10 ELSE user_id_at END,
		updated_at = $11
		WHERE municipality_id = $1 AND contact_id = $2 AND `

	newName = `(NOT named_by_staff AND CAST($3 AS text) <> ''
		AND (name_at IS NULL OR name_at < $4 OR (name_at = $4 AND name < CAST($3 AS text))))`
	newUsername = `(CAST($5 AS text) <> ''
		AND (username_at IS NULL OR username_at < $6 OR (username_at = $6 AND username < CAST($5 AS text))))`
	newPhone = `(CAST($7 AS text) <> ''
		AND (phone_at IS NULL OR phone_at < $8 OR (phone_at = $8 AND phone < CAST($7 AS text))))`
	newUserID = `(CAST($9 AS text) <> ''
		AND (user_id_at IS NULL OR user_id_at < $10 OR (user_id_at = $10 AND user_id < CAST($9 AS text))))`
)
