// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// resending is one wish to send again what stayed uncertain. The conductor remembers the last copy that got its
// second, so as not to walk past all before it each time; after a restart it does once.
type resending struct{ broadcast, since int64 }

// send releases what the numbers can take, and ends the broadcast when nothing is left.
func (c *Conductor) send(ctx context.Context, m *municipality.Municipality, w work) (goesOn bool, err error) {
	may, err := c.allowed(ctx, m, w)
	if err != nil {
		return false, err
	}
	var again resending
	var last int64
	err = c.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) error {
		goesOn, again = false, resending{}
		b, ok, err := take(ctx, tx, w)
		if err != nil || !ok {
			return err
		}
		if b.resendSince != nil {
			goesOn, again = true, resending{b.ID, b.resendSince.UnixMicro()}
			last, err = b.resend(ctx, tx, m, c.resent[again])
			return err
		}
		if may, err = b.exactly(ctx, tx, m, may); err != nil {
			return err
		}
		goesOn, err = release(ctx, tx, m, b, may)
		return err
	})
	switch {
	case err != nil || again == resending{}:
	case last == 0:
		delete(c.resent, again)
	default:
		c.resent[again] = last
	}
	return goesOn, err
}

// urgent broadcasts overtake everything and may use what is kept of the limit; an exercise does neither.
func (b *Broadcast) urgent() bool { return b.Emergency && !b.Exercise }

func (b *Broadcast) lane() conversation.Lane {
	if b.urgent() {
		return conversation.Emergency
	}
	return conversation.Broadcast
}

func release(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast, may int) (bool, error) {
	moved, err := b.leaveRetired(ctx, tx, m)
	if err != nil {
		return false, err
	}
	goesOn, full := moved > 0, false
	for _, n := range m.Numbers {
		number := n.PhoneNumberID
		most := int(m.Health(number).Rate() * ahead.Seconds())
		depth, err := conversation.LaneDepth(ctx, tx, m.ID, number, b.lane(), most)
		if err != nil {
			return false, err
		}
		room := min(most-depth, slice)
		if may >= 0 {
			room = min(room, may)
		}
		if room <= 0 {
			full = true
			continue
		}
		released, skipped, err := b.releaseOn(ctx, tx, m.ID, number, room)
		if err != nil {
			return false, err
		}
		if may >= 0 {
			may -= released
		}
		moved += released + skipped
		goesOn = goesOn || released+skipped == slice
	}
	if err := b.waiting(ctx, tx, m.ID, may == 0 && moved == 0 && full); err != nil || moved > 0 || full && may != 0 {
		return goesOn, err
	}
	return false, complete(ctx, tx, m, b)
}

// leaveRetired moves what is parked on numbers no longer in use to one that is, and returns how many.
func (b *Broadcast) leaveRetired(ctx context.Context, tx *db.Tx, m *municipality.Municipality) (moved int, err error) {
	for _, retired := range m.Retired {
		for _, id := range []int64{b.ID, conversation.Again(b.ID)} {
			n, err := conversation.MoveCopies(ctx, tx, m.ID, id, retired.PhoneNumberID, m.Numbers[0].PhoneNumberID, slice)
			if err != nil {
				return 0, err
			}
			moved += n
		}
	}
	return moved, nil
}

// releaseOn releases on a number, what is sent again first.
func (b *Broadcast) releaseOn(ctx context.Context, tx *db.Tx, municipality int64, number string, room int) (released, skipped int, err error) {
	stay, args := b.stays("message", 5)
	for _, id := range []int64{conversation.Again(b.ID), b.ID} {
		if room -= released + skipped; room <= 0 {
			break
		}
		more, left, err := conversation.ReleaseCopies(ctx, tx, municipality, conversation.CopyRelease{Broadcast: id, Number: number, Lane: b.lane(), Limit: room,
			Free: b.Free != "", Stay: stay, StayArgs: args})
		if err != nil {
			return 0, 0, err
		}
		released, skipped = released+more, skipped+left
	}
	return released, skipped, nil
}

// waitsLimit says that Meta's daily limit holds a broadcast back.
const waitsLimit = "limit"

func (b *Broadcast) waiting(ctx context.Context, tx *db.Tx, municipality int64, limited bool) error {
	waits := ""
	if limited {
		waits = waitsLimit
	}
	if waits == b.Waits {
		return nil
	}
	return set(ctx, tx, municipality, b.ID, `waits = $4`, waits)
}

// complete ends a broadcast of which nothing is queued or in flight.
func complete(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast) error {
	open, err := conversation.CopiesOpen(ctx, tx, m.ID, b.ID)
	if err != nil || open {
		return err
	}
	return set(ctx, tx, m.ID, b.ID, `state = 'completed', completed_at = $3, waits = ''`)
}

// wind ends a cancelled broadcast.
func wind(ctx context.Context, tx *db.Tx, m *municipality.Municipality, b Broadcast) (goesOn bool, err error) {
	for _, number := range numbersOf(m) {
		for _, id := range []int64{b.ID, conversation.Again(b.ID)} {
			n, err := conversation.CancelCopies(ctx, tx, m.ID, id, number, slice)
			if err != nil || n > 0 {
				return n > 0, err
			}
		}
	}
	open, err := conversation.CopiesOpen(ctx, tx, m.ID, b.ID)
	if err != nil || open {
		return false, err
	}
	return false, set(ctx, tx, m.ID, b.ID, `completed_at = $3`)
}
