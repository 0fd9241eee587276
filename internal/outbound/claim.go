// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// rests is how many times as long as the last claim of notices took the next one waits: where the database answers
// slowly, people wait for it too, and notices leave them most of it. Emergencies don't.
const rests = 8

func isNotice(x parcel) bool { return x.message.Lane == conversation.Broadcast }

// claim takes up to n messages in one short transaction, ready to be sent, and says which files must be
// uploaded first. It also tells when the next message is due.
func (p *pump) claim(ctx context.Context, n int) (parcels []parcel, uploads []upload, next time.Duration, err error) {
	// A stop in the very moment of the commit must not hide that it took effect: what is claimed is sent.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	now := time.Now()
	broadcasts, notices, wait := p.many(now, n)
	err = p.s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		claimed, err := p.claimLanes(ctx, tx, n, broadcasts, notices)
		if err != nil {
			return err
		}
		parcels, uploads, err = p.pack(ctx, tx, claimed)
		if err != nil || len(claimed) == n {
			return err
		}
		if next = wait; wait > 0 {
			return nil
		}
		due, waiting, err := conversation.NextDue(ctx, tx, p.municipality, p.number)
		next = idle
		if waiting {
			next = max(busy, due.Sub(tx.Now()))
		}
		return err
	})
	if slices.ContainsFunc(parcels, isNotice) {
		next = max(next, p.rest(time.Since(now)))
	}
	return parcels, uploads, next, err
}

// many is how many of n messages may be such as go to many, how many of these notices, and how long nothing more of
// them may go: a reply that wakes the pump doesn't wait until a broadcast's next rows are claimed with it.
func (p *pump) many(now time.Time, n int) (all, notices int, wait time.Duration) {
	if wait = busy - now.Sub(p.toMany); wait <= 0 {
		p.toMany, all = now, min(n, p.room(now, true))
	}
	if rest := p.rested.Sub(now); rest > 0 {
		return all, 0, max(wait, rest)
	}
	return all, all, wait
}

// rest lets no notice go for a while after some were claimed, which took so long.
func (p *pump) rest(took time.Duration) time.Duration {
	p.rested = time.Now().Add(rests * took)
	return rests * took
}

// claimLanes claims emergencies before everything, replies before broadcasts, n messages in all. What goes to
// many, be it an emergency, takes no more than its room: a tenth of the rate is always left to replies. A notice
// takes less of it while the desk is behind, and has a part of it at most.
func (p *pump) claimLanes(ctx context.Context, tx *db.Tx, n, room, notices int) (claimed []conversation.Message, err error) {
	for _, turn := range []struct {
		first, last conversation.Lane
		toMany      bool
	}{{conversation.Emergency, conversation.Emergency, true}, {conversation.Reply, conversation.Automatic, false}, {conversation.Broadcast, conversation.Broadcast, true}} {
		limit := n - len(claimed)
		if turn.toMany {
			limit = min(limit, room)
		}
		if turn.first == conversation.Broadcast {
			limit = min(limit, notices, p.s.gentle(room))
		}
		if limit <= 0 {
			continue
		}
		more, err := conversation.Claim(ctx, tx, p.municipality, p.number, turn.first, turn.last, limit)
		if err != nil {
			return nil, err
		}
		if turn.toMany {
			room -= len(more)
		}
		claimed = append(claimed, more...)
	}
	return claimed, nil
}
