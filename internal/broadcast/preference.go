// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Preference is what a citizen told Meta about our marketing messages, or what Meta's refusing one tells of it.
type Preference struct {
	Contact int64
	Stop    bool // or resume
	At      time.Time
	Detail  string // in Meta's words
	Number  string // phone number id, "" if not known
}

// Prefer notes what citizens told Meta: the latest holds, whatever is processed last. No marketing template goes to
// those who stopped them; what a municipality must tell its citizens is not marketing.
func Prefer(ctx context.Context, tx *db.Tx, m *municipality.Municipality, preferences []Preference) error {
	preferences = slices.DeleteFunc(slices.Clone(preferences), func(p Preference) bool { return p.Contact == 0 })
	slices.SortStableFunc(preferences, func(a, b Preference) int { return cmp.Or(cmp.Compare(a.Contact, b.Contact), a.At.Compare(b.At)) })
	if len(preferences) == 0 {
		return nil
	}
	made, rows := make([][]any, len(preferences)), make([][]any, len(preferences))
	for i, p := range preferences {
		at := p.At.UTC().Truncate(time.Microsecond)
		made[i] = []any{m.ID, p.Contact, time.Unix(0, 0).UTC()}
		rows[i] = []any{m.ID, p.Contact, at, p.Stop}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO subscriber (municipality_id, contact_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, made); err != nil {
		return fmt.Errorf("make subscribers: %w", err)
	}
	changed, err := tx.Exec(ctx, `UPDATE subscriber SET marketing_at = $3, marketing_stopped_at = CASE WHEN CAST($4 AS boolean) THEN $3 ELSE NULL END
		WHERE municipality_id = $1 AND contact_id = $2 AND (marketing_at IS NULL OR marketing_at < $3)
		AND (marketing_stopped_at IS NOT NULL) <> CAST($4 AS boolean)`, rows)
	if err != nil {
		return fmt.Errorf("note what citizens told Meta: %w", err)
	}
	// Saying the same again changes nothing but when it was said: what was said between counts no more.
	for i := range rows {
		rows[i] = rows[i][:3]
	}
	if _, err := tx.Exec(ctx, `UPDATE subscriber SET marketing_at = $3 WHERE municipality_id = $1 AND contact_id = $2 AND (marketing_at IS NULL OR marketing_at < $3)`, rows); err != nil {
		return fmt.Errorf("note when citizens told Meta: %w", err)
	}
	var consents []contact.Consent
	var refused []int64
	for i, p := range preferences {
		if changed[i] == 0 {
			continue
		}
		c := contact.Consent{ContactID: p.Contact, Event: contact.ConsentResumed, At: p.At, Channel: "meta", Number: p.Number, Words: p.Detail,
			Actor: contact.ConsentActor{Kind: string(staff.CitizenKind), ID: p.Contact}}
		if p.Stop {
			c.Event = contact.ConsentRefused
			refused = append(refused, p.Contact)
		}
		consents = append(consents, c)
	}
	if err := skipLeft(ctx, tx, m.ID, refused); err != nil {
		return err
	}
	return prove(ctx, tx, m, policyOf(m.File), consents)
}
