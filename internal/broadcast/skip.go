// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// skipLeft skips what waits in broadcasts for citizens who are no recipients any more: they have left all of its
// lists, or its district, or stopped marketing at Meta.
func skipLeft(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) error {
	waiting, err := conversation.WaitingCopies(ctx, tx, municipality, contacts)
	if err != nil {
		return err
	}
	byBroadcast := make(map[int64][]conversation.Message)
	for _, m := range waiting {
		byBroadcast[m.BroadcastID] = append(byBroadcast[m.BroadcastID], m)
	}
	for _, id := range slices.Sorted(maps.Keys(byBroadcast)) {
		b, err := Get(ctx, tx, municipality, id)
		if err != nil {
			return err
		}
		stay, err := b.stillThere(ctx, tx, municipality, byBroadcast[id])
		if err != nil {
			return err
		}
		var gone []int64
		for _, m := range byBroadcast[id] {
			if !slices.ContainsFunc(stay, func(s conversation.Message) bool { return s.ID == m.ID }) {
				gone = append(gone, m.ID)
			}
		}
		slices.Sort(gone)
		if err := conversation.SkipCopies(ctx, tx, municipality, gone, conversation.SkippedLeft); err != nil {
			return err
		}
		tx.Notify(db.Notice{Topic: db.Broadcast, Municipality: municipality, ID: id})
	}
	return nil
}

// stillThere keeps the messages of citizens who are recipients of b, as things are now.
func (b *Broadcast) stillThere(ctx context.Context, tx *db.Tx, municipality int64, copies []conversation.Message) ([]conversation.Message, error) {
	s := statement{offset: 2}
	s.WriteString(`SELECT 1 FROM contact c WHERE c.municipality_id = $1 AND c.contact_id = $2 AND `)
	b.holds(&s, "c.municipality_id", "c.contact_id")
	rows := make([][]any, len(copies))
	for i, m := range copies {
		rows[i] = append([]any{municipality, m.ContactID}, s.args...)
	}
	var stay []conversation.Message
	err := tx.Query(ctx, s.String(), rows, func(i int, row db.Scanner) error {
		var one int
		stay = append(stay, copies[i])
		return row.Scan(&one)
	})
	if err != nil {
		return nil, fmt.Errorf("look who still is a recipient of broadcast %d: %w", b.ID, err)
	}
	return stay, nil
}

// skipTwice leaves a citizen who turned out to have two contacts one copy of each broadcast. Call it once the
// messages have moved.
func skipTwice(ctx context.Context, tx *db.Tx, municipality int64, merges []contact.Merge) error {
	for _, merge := range merges {
		waiting, err := conversation.WaitingCopies(ctx, tx, municipality, []int64{merge.Into})
		if err != nil {
			return err
		}
		for _, m := range waiting {
			twice, err := conversation.HasOtherCopy(ctx, tx, municipality, m)
			if err != nil {
				return err
			}
			if !twice {
				continue
			}
			if err := conversation.SkipCopies(ctx, tx, municipality, []int64{m.ID}, conversation.SkippedTwice); err != nil {
				return err
			}
		}
	}
	return nil
}

// NoteFailures acts on messages that WhatsApp told to have failed: who stopped marketing at Meta is noted, and
// a broadcast that would fail for everybody is paused.
func NoteFailures(ctx context.Context, tx *db.Tx, m *municipality.Municipality, failed []conversation.Failure) error {
	var refused []Preference
	for _, f := range failed {
		advice := whatsapp.Classify(f.Code)
		if advice.Class == whatsapp.OptOut {
			refused = append(refused, Preference{Contact: f.ContactID, Stop: true, At: f.At})
		}
		if f.BroadcastID != 0 && advice.StopsBroadcast {
			if err := pauseByMeta(ctx, tx, m, f.BroadcastID, f.Code); err != nil {
				return err
			}
		}
	}
	return Prefer(ctx, tx, m, refused)
}

// Settled acts on how attempts to send copies ended: what came back to the queue of a broadcast that has been
// paused or cancelled meanwhile is parked with the rest, or skipped where its citizen has left meanwhile; and what
// Meta refuses as a whole pauses it.
func Settled(ctx context.Context, tx *db.Tx, m *municipality.Municipality, outcomes []conversation.Outcome) error {
	var failed []conversation.Failure
	back := make(map[int64]bool)
	var people []int64
	for _, o := range outcomes {
		if o.ErrorCode != 0 {
			failed = append(failed, conversation.Failure{MessageID: o.MessageID, ContactID: o.ContactID, BroadcastID: o.BroadcastID, Code: o.ErrorCode, At: tx.Now()})
		}
		if o.BroadcastID != 0 && o.Status == conversation.Queued {
			back[o.BroadcastID] = true
			people = append(people, o.ContactID)
		}
	}
	if err := NoteFailures(ctx, tx, m, failed); err != nil {
		return err
	}
	if err := skipBack(ctx, tx, m.ID, people); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(back)) {
		b, err := lock(ctx, tx, m.ID, id)
		if err != nil {
			return err
		}
		if b.State == Paused || b.State == Cancelled {
			if err := conversation.ParkCopies(ctx, tx, m.ID, id, numbersOf(m)); err != nil {
				return err
			}
		}
	}
	return nil
}

// skipBack skips what came back to the queue for citizens who left, or were blocked, while it was in flight. On PostgreSQL a word that
// is processed at this very moment comes before or after: it finds the copy in the queue, or is found here.
func skipBack(ctx context.Context, tx *db.Tx, municipality int64, people []int64) error {
	if len(people) == 0 {
		return nil
	}
	slices.Sort(people)
	people = slices.Compact(people)
	if tx.Engine == db.PostgreSQL {
		rows := make([][]any, len(people))
		for i, id := range people {
			rows[i] = []any{municipality, id}
		}
		if _, err := tx.Exec(ctx, `SELECT 1 FROM subscriber WHERE municipality_id = $1 AND contact_id = $2 FOR SHARE`, rows); err != nil {
			return fmt.Errorf("lock the subscribers of copies that came back: %w", err)
		}
	}
	if err := conversation.SkipBlocked(ctx, tx, municipality, people); err != nil {
		return err
	}
	return skipLeft(ctx, tx, municipality, people)
}
