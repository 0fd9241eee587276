// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"slices"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
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
	for _, c := range past {
		tx.Notify(db.Notice{Topic: db.Conversation, Municipality: municipality, ID: c.ID})
	}
	return err
}
