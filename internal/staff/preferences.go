// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/staff/store"
)

// Preferences are how an account likes the desk to be.
type Preferences struct {
	Language   locale.Language `json:"language,omitempty"` // "" follows the browser
	Shortcuts  bool            `json:"shortcuts"`          // single keys act (j, k, r, …)
	EnterSends bool            `json:"enter_sends"`        // otherwise Control and Enter
}

// DefaultPreferences are those of somebody who has chosen none.
func DefaultPreferences() Preferences { return Preferences{Shortcuts: true, EnterSends: true} }

// PreferencesOf returns what the account has chosen, and the defaults for the rest.
func PreferencesOf(ctx context.Context, tx *db.Tx, id int64) (Preferences, error) {
	row, err := store.New(tx).Account(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Preferences{}, ErrNotFound
	}
	if err != nil {
		return Preferences{}, fmt.Errorf("preferences of account %d: %w", id, err)
	}
	p := DefaultPreferences()
	return p, row.Preferences.Into(&p)
}

// SetPreferences replaces what the account has chosen.
func SetPreferences(ctx context.Context, tx *db.Tx, id int64, p Preferences) error {
	if p.Language != "" && !p.Language.Known() {
		return fault.New(fault.Invalid, "error.invalid")
	}
	column, err := db.ToJSON(p)
	if err != nil {
		return err
	}
	n, err := store.New(tx).SetPreferences(ctx, store.SetPreferencesParams{Preferences: column, StaffID: id})
	if err != nil {
		return fmt.Errorf("set the preferences of account %d: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}
