// SPDX-License-Identifier: AGPL-3.0-or-later

package contact

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Block is a citizen on the block list of one of our numbers: they can't write to it, nor get anything from it.
type Block struct {
	Contact
	Number string // phone number id
	At     time.Time
}

// SetBlocked notes that a citizen is on a number's block list with Meta, or no longer is.
func SetBlocked(ctx context.Context, tx *db.Tx, municipality int64, number string, id int64, on bool) error {
	statement := `DELETE FROM blocked WHERE municipality_id = $1 AND number = $2 AND contact_id = $3`
	args := []any{municipality, number, id}
	if on {
		statement = `INSERT INTO blocked (municipality_id, number, contact_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
		args = append(args, tx.Now())
	}
	if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("note the block of contact %d on %s: %w", id, number, err)
	}
	return nil
}

// BlockedOn maps the numbers that a citizen is blocked on to since when.
func BlockedOn(ctx context.Context, tx *db.Tx, municipality, id int64) (map[string]time.Time, error) {
	on := map[string]time.Time{}
	err := tx.Query(ctx, `SELECT number, at FROM blocked WHERE municipality_id = $1 AND contact_id = $2`, [][]any{{municipality, id}},
		func(_ int, row db.Scanner) error {
			var number string
			var at time.Time
			err := row.Scan(&number, &at)
			on[number] = at.UTC()
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for blocks of contact %d: %w", id, err)
	}
	return on, nil
}

// BlockedBetween are the contacts after one, up to another, who are blocked on any number.
func BlockedBetween(ctx context.Context, tx *db.Tx, municipality, after, last int64) (ids []int64, err error) {
	err = tx.Query(ctx, `SELECT DISTINCT contact_id FROM blocked WHERE municipality_id = $1 AND contact_id > $2 AND contact_id <= $3 ORDER BY contact_id`,
		[][]any{{municipality, after, last}}, func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for who is blocked: %w", err)
	}
	return ids, nil
}

// Blocks lists who is blocked, the latest first, up to limit, after one of them; the zero Block is before all.
func Blocks(ctx context.Context, tx *db.Tx, municipality int64, after Block, limit int) (list []Block, err error) {
	if after.At.IsZero() {
		after.At = tx.Now().Add(time.Hour) // another instance's clock may be ahead
	}
	err = tx.Query(ctx, `SELECT c.contact_id, c.name, c.username, c.phone, c.user_id, b.number, b.at
		FROM blocked b JOIN contact c ON c.municipality_id = b.municipality_id AND c.contact_id = b.contact_id
		WHERE b.municipality_id = $1 AND b.at <= $2 AND (b.at < $2 OR (b.contact_id, b.number) > (CAST($3 AS bigint), CAST($4 AS text)))
		ORDER BY b.at DESC, b.contact_id, b.number LIMIT $5`, [][]any{{municipality, after.At, after.ID, after.Number, limit}},
		func(_ int, row db.Scanner) error {
			var b Block
			err := row.Scan(&b.ID, &b.Name, &b.Username, &b.Phone, &b.UserID, &b.Number, &b.At)
			b.Phone, b.At = withPlus(b.Phone), b.At.UTC()
			list = append(list, b)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list who is blocked: %w", err)
	}
	return list, nil
}

// ReplaceBlocked brings a number's block list to the one that Meta gave, and returns who is on it anew. Who is not known
// here is left out; what was blocked since the list was asked for is left alone.
func ReplaceBlocked(ctx context.Context, tx *db.Tx, municipality int64, number string, people []whatsapp.Person, asked time.Time) (added []int64, err error) {
	known, err := knownAmong(ctx, tx, municipality, people)
	if err != nil {
		return nil, err
	}
	var ended [][]any
	err = tx.Query(ctx, `SELECT contact_id FROM blocked WHERE municipality_id = $1 AND number = $2 AND at < $3`, [][]any{{municipality, number, asked}},
		func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			if !known[id] {
				ended = append(ended, []any{municipality, number, id})
			}
			delete(known, id)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for who is blocked on %s: %w", number, err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM blocked WHERE municipality_id = $1 AND number = $2 AND contact_id = $3`, ended); err != nil {
		return nil, fmt.Errorf("unblock on %s: %w", number, err)
	}
	for id := range known {
		if err := SetBlocked(ctx, tx, municipality, number, id, true); err != nil {
			return nil, err
		}
		added = append(added, id)
	}
	slices.Sort(added)
	return added, nil
}

// knownAmong finds the contacts of people by either of their addresses.
func knownAmong(ctx context.Context, tx *db.Tx, municipality int64, people []whatsapp.Person) (map[int64]bool, error) {
	var keys [][]any
	for _, p := range people {
		if p.Phone != "" {
			keys = append(keys, []any{municipality, string(Phone), Digits(p.Phone)})
		}
		if p.UserID != "" {
			keys = append(keys, []any{municipality, string(BSUID), p.UserID})
		}
	}
	known := map[int64]bool{}
	err := tx.Query(ctx, `SELECT contact_id FROM contact_address WHERE municipality_id = $1 AND kind = $2 AND value = $3`, keys,
		func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			known[id] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("find who is blocked: %w", err)
	}
	return known, nil
}

// moveBlocks gives what the younger of two merged contacts is blocked on to the older.
func moveBlocks(ctx context.Context, tx *db.Tx, municipality int64, m Merge) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO blocked (municipality_id, number, contact_id, at)
		SELECT municipality_id, number, CAST($3 AS bigint), at FROM blocked WHERE municipality_id = $1 AND contact_id = $2
		ON CONFLICT DO NOTHING`, municipality, m.From, m.Into)
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM blocked WHERE municipality_id = $1 AND contact_id = $2`, municipality, m.From)
	}
	if err != nil {
		return fmt.Errorf("move the blocks of contact %d: %w", m.From, err)
	}
	return nil
}
