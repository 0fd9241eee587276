// SPDX-License-Identifier: AGPL-3.0-or-later

package municipality

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/secret"
)

const (
	selectMunicipality = `SELECT municipality_id, slug, name, file, version, updated_at FROM municipality WHERE municipality_id = $1`
	selectNumbers      = `SELECT municipality_id, phone_number_id, waba_id, office, display, e164, retired, access_token, app_secret, verify_token,
		throughput, quality, messaging_limit, checked_at FROM number WHERE municipality_id = $1 ORDER BY position, phone_number_id`
)

// load reads the municipalities with these ids. Whatever is wrong with one of them is in the error, and
// the others are there all the same; one with secrets that don't open is there without these secrets.
func load(ctx context.Context, tx *db.Tx, key *secret.Key, ids []int64) (map[int64]*Municipality, error) {
	args := make([][]any, len(ids))
	for i, id := range ids {
		args[i] = []any{id}
	}
	found := make(map[int64]*Municipality, len(ids))
	var failures []error
	err := tx.Query(ctx, selectMunicipality, args, func(_ int, row db.Scanner) error {
		m := &Municipality{File: &File{}, health: map[string]Health{}}
		var file db.JSON
		if err := row.Scan(&m.ID, &m.Slug, &m.Name, &file, &m.version, &m.UpdatedAt); err != nil {
			return err
		}
		if err := m.read(file); err != nil {
			failures = append(failures, err)
			return nil
		}
		found[m.ID] = m
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load municipalities: %w", err)
	}
	err = tx.Query(ctx, selectNumbers, args, func(_ int, row db.Scanner) error {
		var n numberRow
		var id int64
		if err := row.Scan(&id, &n.PhoneNumberID, &n.WABAID, &n.Office, &n.Display, &n.E164, &n.retired,
			&n.accessToken, &n.appSecret, &n.verifyToken, &n.health.Throughput, &n.health.Quality, &n.health.MessagingLimit, &n.health.CheckedAt); err != nil {
			return err
		}
		if m := found[id]; m != nil {
			failures = append(failures, m.take(key, n))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load numbers: %w", err)
	}
	return found, errors.Join(failures...)
}

func (m *Municipality) read(file db.JSON) (err error) {
	if err := file.Into(m.File); err != nil {
		return fmt.Errorf("municipality %s: %w", m.Slug, err)
	}
	m.Numbers, m.UpdatedAt = m.File.WhatsApp, m.UpdatedAt.UTC()
	m.Desk, err = m.File.Calendar("whatsapp")
	return err
}

// numberRow is a number as its table has it, secrets still sealed.
type numberRow struct {
	Number
	retired                             bool
	accessToken, appSecret, verifyToken []byte
	health                              Health
}

// take adds to the municipality what the table of numbers has beside the file.
func (m *Municipality) take(key *secret.Key, row numberRow) error {
	m.health[row.PhoneNumberID] = row.health
	if row.retired {
		m.Retired = append(m.Retired, row.Number)
		return nil
	}
	i := slices.IndexFunc(m.Numbers, func(n Number) bool { return n.PhoneNumberID == row.PhoneNumberID })
	if i < 0 {
		return fmt.Errorf("municipality %s: the number %s is not in its file", m.Slug, row.PhoneNumberID)
	}
	var failures []error
	for column, s := range map[string]struct {
		sealed []byte
		to     *Secret
	}{
		"access_token": {row.accessToken, &m.Numbers[i].AccessToken},
		"app_secret":   {row.appSecret, &m.Numbers[i].AppSecret},
		"verify_token": {row.verifyToken, &m.Numbers[i].VerifyToken},
	} {
		plain, err := key.Open(s.sealed, sealedIn(m.ID, row.PhoneNumberID, column))
		if err != nil {
			failures = append(failures, fmt.Errorf("municipality %s: %w", m.Slug, err))
		}
		*s.to = Secret(plain)
	}
	return errors.Join(failures...)
}
