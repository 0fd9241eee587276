// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// pauseByMeta pauses a broadcast because Meta refuses it as a whole: nothing of it goes until a person has
// acted and resumes it.
func pauseByMeta(ctx context.Context, tx *db.Tx, m *municipality.Municipality, id int64, code int) error {
	b, err := lock(ctx, tx, m.ID, id)
	if err != nil || b.State != Scheduled && b.State != Preparing && b.State != Sending {
		return err
	}
	return pause(ctx, tx, m, id, code, "")
}

// TemplateStopped pauses what is on its way, or to begin by itself, with a template that Meta no longer delivers; code
// is Graph's for why. A person resumes it, once the template can be sent again or another one stands in for it.
func TemplateStopped(ctx context.Context, tx *db.Tx, m *municipality.Municipality, name, language string, code int) error {
	open, err := read(ctx, tx, `WHERE municipality_id = $1 AND completed_at IS NULL AND state IN ('scheduled', 'preparing', 'sending') ORDER BY broadcast_id`, m.ID)
	if err != nil {
		return err
	}
	for _, b := range open {
		if b.Template.Name == name && b.Template.Language == language {
			if err := pauseByMeta(ctx, tx, m, b.ID, code); err != nil {
				return err
			}
		}
	}
	return nil
}

// RestoreSafe pauses the broadcasts of a restored database, in all municipalities, and returns how many:
// restoring never sends (invariant 15).
func RestoreSafe(ctx context.Context, tx *db.Tx) (int, error) {
	n, err := tx.Exec(ctx, `UPDATE broadcast SET state = 'paused', pause_code = 0, paused_name = '' WHERE state IN ('scheduled', 'preparing', 'sending')`, [][]any{{}})
	if err != nil {
		return 0, fmt.Errorf("pause the restored broadcasts: %w", err)
	}
	return int(n[0]), nil
}
