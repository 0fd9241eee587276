// SPDX-License-Identifier: AGPL-3.0-or-later

package staff

import (
	"context"
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
