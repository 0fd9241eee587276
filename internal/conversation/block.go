// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"slices"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// The actions of whoever blocks and unblocks citizens.
const (
	CitizenBlocked   staff.Action = "contact.blocked"
	CitizenUnblocked staff.Action = "contact.unblocked"
)

// BlockReasons are why somebody may be blocked; the trail keeps the word.
func BlockReasons() []string { return []string{"insults", "threats", "spam", "other"} }

const lastTalks = 50

// WroteTo tells whether a citizen wrote to a number in the last 24 hours: Meta lets nobody else be blocked.
func WroteTo(ctx context.Context, tx *db.Tx, municipality int64, number string, contactID int64) (bool, error) {
	past, err := OfContact(ctx, tx, municipality, contactID, lastTalks)
	now := tx.Now()
	return slices.ContainsFunc(past, func(c Conversation) bool { return c.Number == number && c.WindowOpen(now) }), err
}

// NoteBlocked notes that a citizen is on a number's block list with Meta, or no longer is, and has the desks that show
// them draw them anew.
func NoteBlocked(ctx context.Context, tx *db.Tx, municipality int64, number string, contactID int64, on bool) error {
	if err := contact.SetBlocked(ctx, tx, municipality, number, contactID, on); err != nil {
		return err
	}
	past, err := OfContact(ctx, tx, municipality, contactID, lastTalks)
	if err != nil {
		return err
	}
	for _, c := range past {
		tx.Notify(db.Notice{Topic: db.Conversation, Municipality: municipality, ID: c.ID})
	}
	if !on {
		return nil
	}
	return SkipBlocked(ctx, tx, municipality, []int64{contactID})
}

// RefreshBlocked reads a number's block list from Meta and brings ours to it: somebody may have been blocked elsewhere,
// or an answer of Meta's never have come. Who is not known here is left out.
func RefreshBlocked(ctx context.Context, d *db.DB, client *whatsapp.Client, municipality int64, account whatsapp.Account) error {
	asked := d.Now()
	people, err := client.Blocked(ctx, account)
	if err != nil {
		return err
	}
	return d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		blocked, err := contact.ReplaceBlocked(ctx, tx, municipality, account.PhoneNumberID, people, asked)
		if err != nil {
			return err
		}
		return SkipBlocked(ctx, tx, municipality, blocked)
	})
}

// NotBlocked is the condition that the contact of a row of table is not on the block list of its number.
func NotBlocked(table string) string {
	return `(SELECT 1 FROM blocked k WHERE k.municipality_id = ` + table + `.municipality_id AND k.number = ` + table + `.number AND k.contact_id = ` + table + `.contact_id) IS NULL`
}

// SkipBlocked skips what waits in broadcasts for those of contacts who are blocked on its number: Meta would refuse it.
func SkipBlocked(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) error {
	waiting, err := WaitingCopies(ctx, tx, municipality, contacts)
	if err != nil || len(waiting) == 0 {
		return err
	}
	rows := make([][]any, len(waiting))
	for i, m := range waiting {
		rows[i] = []any{municipality, m.Number, m.ContactID}
	}
	var skip []int64
	told := make(map[int64]bool)
	err = tx.Query(ctx, `SELECT 1 FROM blocked WHERE municipality_id = $1 AND number = $2 AND contact_id = $3`, rows, func(i int, row db.Scanner) error {
		var one int
		skip = append(skip, waiting[i].ID)
		told[max(waiting[i].BroadcastID, -waiting[i].BroadcastID)] = true
		return row.Scan(&one)
	})
	if err != nil {
		return fmt.Errorf("look who of %d contacts is blocked: %w", len(contacts), err)
	}
	slices.Sort(skip)
	for id := range told {
		tx.Notify(db.Notice{Topic: db.Broadcast, Municipality: municipality, ID: id})
	}
	return SkipCopies(ctx, tx, municipality, skip, SkippedBlocked)
}
