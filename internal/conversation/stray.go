// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

const (
	strayAfter = 10 * time.Minute   // WhatsApp delivers a message and its edit within moments, in whatever order
	neverAfter = 8 * 24 * time.Hour // and tries for seven days to deliver what we did not take
	strayBatch = 200
)

// ReceiveStrays lets be seen what citizens wrote by editing messages that we do not have, as messages of their own;
// should the message still come, it is revised too. What has waited for longer than Meta delivers waits no more.
func ReceiveStrays(ctx context.Context, tx *db.Tx, municipality int64) error {
	strays, err := strays(ctx, tx, municipality)
	if err != nil {
		return fmt.Errorf("look for edits without their messages: %w", err)
	}
	if _, err := Receive(ctx, tx, municipality, strays); err != nil {
		return fmt.Errorf("receive %d edits without their messages: %w", len(strays), err)
	}
	_, err = tx.ExecContext(ctx, `UPDATE revision SET applied = true WHERE municipality_id = $1 AND applied = false AND kept_at < $2`, municipality, tx.Now().Add(-neverAfter))
	if err != nil {
		return fmt.Errorf("give up revisions whose messages never came: %w", err)
	}
	return nil
}

// strays are the edits that have waited long enough, not seen yet, and not taken back since.
func strays(ctx context.Context, tx *db.Tx, municipality int64) (strays []Message, err error) {
	err = tx.Query(ctx, `SELECT r.external_id, r.contact_id, r.number, r.text, r.same_text, r.at, r.place FROM revision r
		WHERE r.municipality_id = $1 AND r.applied = false AND r.kind = 'edit' AND r.number <> '' AND r.kept_at < $2
		AND NOT EXISTS (SELECT 1 FROM message m WHERE m.municipality_id = $1 AND m.external_id = r.external_id AND m.external_id <> '')
		AND NOT EXISTS (SELECT 1 FROM revision t WHERE t.municipality_id = $1 AND t.target = r.target AND t.contact_id = r.contact_id AND t.kind = 'revoke')
		ORDER BY r.at, r.place, r.external_id LIMIT $3`, [][]any{{municipality, tx.Now().Add(-strayAfter), strayBatch}}, func(_ int, row db.Scanner) error {
		m := Message{ID: tx.NewID(), Type: TypeText, Detail: Detail{Corrects: true}}
		var untold bool
		err := row.Scan(&m.ExternalID, &m.ContactID, &m.Number, &m.Text, &untold, &m.At, &m.Place)
		if m.At = m.At.UTC(); untold || m.Text == "" {
			m.Type, m.Detail.Kind = TypeUnsupported, string(Edit)
		}
		strays = append(strays, m)
		return err
	})
	return strays, err
}
