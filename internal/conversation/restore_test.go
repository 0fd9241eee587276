// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// What waited becomes uncertain, what is settled stays; a person gets to decide after a while, and what
// WhatsApp still tells counts.
func TestRestoreSafeLeavesNothingToSend(t *testing.T) {
	each(t, func(t *testing.T, k *desk) {
		var sent []conversation.Message
		for i := range 3 {
			id := k.writes(fmt.Sprintf("39333123456%d", i), fmt.Sprintf("wamid.in.%d", i), "Buongiorno").Conversation
			m, err := k.send(anna(), id, fmt.Sprint("key-", i), "Buongiorno a lei")
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, m)
		}
		k.must(func(ctx context.Context, tx *db.Tx) error { // the first is settled, the second sending, the third queued
			claimed, err := conversation.Claim(ctx, tx, comune, number, conversation.Emergency, conversation.Broadcast, 2)
			if err != nil {
				return err
			}
			return conversation.Settle(ctx, tx, comune, number, []conversation.Outcome{{MessageID: claimed[0].ID, Status: conversation.Accepted, ExternalID: "wamid.out.0"}})
		})
		k.must(func(ctx context.Context, tx *db.Tx) error {
			counts, err := conversation.RestoreSafe(ctx, tx)
			if len(counts) != 1 || counts[comune] != 2 {
				t.Errorf("it counts %v", counts)
			}
			return err
		})
		for i, want := range []conversation.Status{conversation.Accepted, conversation.Uncertain, conversation.Uncertain} {
			m := k.message(sent[i].ID)
			if m.Status != want {
				t.Errorf("message %d is %v, want %v", i, m.Status, want)
			}
			if m.OfferResend(k.now) {
				t.Errorf("message %d is offered before its status could come", i)
			}
			if late := k.now.Add(conversation.StayQuiet + time.Second); m.OfferResend(late) != (want == conversation.Uncertain) {
				t.Errorf("message %d, %v, is offered after a while: %t", i, m.Status, m.OfferResend(late))
			}
		}
		k.must(func(ctx context.Context, tx *db.Tx) error {
			claimed, err := conversation.Claim(ctx, tx, comune, number, conversation.Emergency, conversation.Broadcast, 10)
			if len(claimed) != 0 {
				t.Errorf("%d messages would be sent", len(claimed))
			}
			return err
		})
		k.must(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.ApplyStatuses(ctx, tx, comune, []conversation.Change{{Number: number, ExternalID: "wamid.out.2", MessageID: sent[2].ID,
				Status: conversation.Delivered, At: k.now}})
			return err
		})
		if got := k.message(sent[2].ID).Status; got != conversation.Delivered {
			t.Errorf("it went out after all, and is %v", got)
		}
		if _, err := k.resend(sent[1].ID); err != nil {
			t.Errorf("a person can't send it again: %v", err)
		}
	})
}

func (k *desk) resend(id int64) (m conversation.Message, err error) {
	err = k.update(func(ctx context.Context, tx *db.Tx) (err error) {
		m, err = conversation.Resend(ctx, tx, anna(), id)
		return err
	})
	return m, err
}
