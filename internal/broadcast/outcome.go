// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"slices"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Count counts the recipients of a broadcast by what became of their message.
func Count(ctx context.Context, tx *db.Tx, municipality, id int64) (Outcomes, error) {
	n, err := conversation.CountCopies(ctx, tx, municipality, id)
	if err != nil {
		return Outcomes{}, err
	}
	return Outcomes{Queued: n[conversation.Queued], Sending: n[conversation.Sending], Uncertain: n[conversation.Uncertain],
		Accepted: n[conversation.Accepted], Held: n[conversation.Held], Sent: n[conversation.Sent], Failed: n[conversation.Failed],
		Delivered: n[conversation.Delivered], Read: n[conversation.Read] + n[conversation.Played],
		Cancelled: n[conversation.Cancelled], Skipped: n[conversation.Skipped]}, nil
}

// Failures counts the messages that did not arrive by Graph's code.
func Failures(ctx context.Context, tx *db.Tx, municipality, id int64) (map[int]int, error) {
	out := make(map[int]int)
	err := tx.Query(ctx, `SELECT error_code, count(*) FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 AND stage = 60 GROUP BY error_code
		UNION ALL SELECT error_code, count FROM copies_deleted WHERE municipality_id = $1 AND broadcast_id = $2 AND status = 60`,
		[][]any{{municipality, id}}, func(_ int, row db.Scanner) error {
			var code, n int
			err := row.Scan(&code, &n)
			out[code] += n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("count the failures of broadcast %d: %w", id, err)
	}
	return out, nil
}

// everybody are the states that a recipient's message may be in.
var everybody = []conversation.Status{conversation.Queued, conversation.Sending, conversation.Uncertain, conversation.Accepted, conversation.Held, conversation.Sent,
	conversation.Failed, conversation.Delivered, conversation.Read, conversation.Played, conversation.Cancelled, conversation.Skipped}

// arrived are the states in which a message is known to have reached the phone.
var arrived = []conversation.Status{conversation.Delivered, conversation.Read, conversation.Played}

// states are those of the recipients of the part; an unknown one has none.
func (p Part) states() []conversation.Status {
	switch p {
	case Everybody:
		return everybody
	case NotReached:
		return []conversation.Status{conversation.Queued, conversation.Sending, conversation.Uncertain, conversation.Accepted, conversation.Held, conversation.Sent, conversation.Failed, conversation.Cancelled, conversation.Skipped}
	}
	return slices.DeleteFunc(slices.Clone(everybody), func(s conversation.Status) bool {
		return s.String() != string(p) && (s != conversation.Played || string(p) != conversation.Read.String())
	})
}

// why is for which reason those who were skipped are of the part; "" is any.
func (p Part) why() string {
	if p == NotReached {
		return conversation.SkippedBlocked
	}
	return ""
}

// Recipients lists the recipients of a broadcast after a message, in the order of messages, and where the
// next page begins: 0 when there is none. A page may be shorter than limit: whom a second copy reached is
// left out of those not reached.
func Recipients(ctx context.Context, tx *db.Tx, municipality, id int64, part Part, after int64, limit int) ([]Recipient, int64, error) {
	copies, err := conversation.CopiesOf(ctx, tx, municipality, id, part.states(), part.why(), after, limit+1)
	if err != nil {
		return nil, 0, err
	}
	var next int64
	if len(copies) > limit {
		copies, next = copies[:limit], copies[limit-1].ID
	}
	people := make([]int64, len(copies))
	for i, c := range copies {
		people[i] = c.ContactID
	}
	contacts, err := contact.ByID(ctx, tx, municipality, people)
	if err != nil {
		return nil, 0, err
	}
	resent, err := conversation.ResentOf(ctx, tx, municipality, copies)
	if err != nil {
		return nil, 0, err
	}
	out := make([]Recipient, 0, len(copies))
	for _, c := range copies {
		r := Recipient{Contact: contacts[c.ContactID], Message: c}
		if again, ok := resent[c.ID]; ok {
			r.Resent = &again
		}
		if part != NotReached || r.Resent == nil || !slices.Contains(arrived, r.Resent.Status) {
			out = append(out, r)
		}
	}
	return out, next, nil
}

// Offered counts the messages of a broadcast of which nothing was heard for ten minutes, and that nobody has
// sent again: a supervisor decides.
func Offered(ctx context.Context, tx *db.Tx, municipality, id int64) (int, error) {
	return conversation.CountSilent(ctx, tx, municipality, id)
}

// ResendUncertain has those sent again, because a supervisor chose to, knowing that the first may have arrived.
// It returns how many they are; the conductor does it, in short steps.
func ResendUncertain(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, id int64) (int, error) {
	b, err := begin(ctx, tx, actor, staff.ManageBroadcasts, m, id, Sending, Paused, Completed)
	if err != nil {
		return 0, err
	}
	n, err := Offered(ctx, tx, m.ID, id)
	if err != nil || n == 0 {
		return 0, err
	}
	err = set(ctx, tx, m.ID, id, `resend_since = $4, resender_kind = $5, resender_id = $6, resender_name = $7, completed_at = NULL,
		state = CASE WHEN state = 'completed' THEN 'sending' ELSE state END`, tx.Now().Add(-conversation.StayQuiet), string(actor.Kind), actor.ID, actor.Name)
	if err != nil {
		return 0, err
	}
	return n, record(ctx, tx, actor, m, Resent, b)
}

// resend parks second copies for the next citizens, after a copy, whose first stayed uncertain and who still want it.
// It returns the last that got one: 0 when all have.
func (b *Broadcast) resend(ctx context.Context, tx *db.Tx, m *municipality.Municipality, after int64) (last int64, err error) {
	stay, args := b.stays("m", conversation.ResendArgs)
	last, err = conversation.ResendCopies(ctx, tx, m.ID, b.ID, *b.resendSince, b.resender, after, slice, stay, args)
	if err != nil || last > 0 {
		return last, err
	}
	return 0, set(ctx, tx, m.ID, b.ID, `resend_since = NULL`)
}
