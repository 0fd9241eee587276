// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// merge makes one citizen of two contacts, as a webhook does that ties their addresses.
func (o *office) merge(from, into int64) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE contact SET merged_into = $3 WHERE municipality_id = $1 AND contact_id = $2`, o.m.ID, from, into); err != nil {
			return err
		}
		merges := []contact.Merge{{From: from, Into: into}}
		if err := conversation.Merge(ctx, tx, o.m.ID, merges); err != nil {
			return err
		}
		return broadcast.Merge(ctx, tx, o.m, merges)
	})
}

func (o *office) exec(statement string, args ...any) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// The preparation walks through contacts: a subscriber who turns out to be a contact that it has passed gets their
// copy all the same, once, also while the broadcast is paused.
func TestASubscriberMergedBehindThePreparation(t *testing.T) {
	for name, paused := range map[string]bool{"preparing": false, "paused": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				older, passed, younger := o.subscribed(number), o.subscribed(number, "AVVISI"), o.subscribed(second, "AVVISI")
				b := o.sent(plan("AVVISI"))
				o.exec(`UPDATE broadcast SET cursor = $1 WHERE broadcast_id = $2`, passed, b.ID)
				if paused {
					o.act(broadcast.Pause, b.ID)
				}
				o.merge(younger, older)
				o.merge(younger, older) // a webhook that comes twice
				if paused {
					o.act(broadcast.Resume, b.ID)
				}
				if got := o.deliver(); len(got) != 1 || len(got[older]) != 1 {
					t.Errorf("got %v", got)
				}
				if b = o.get(b.ID); b.Recipients != 1 {
					t.Errorf("%d recipients", b.Recipients)
				}
			})
		})
	}
}

// Who joins once the preparation has passed them is no recipient, and a merge doesn't make them one twice.
func TestAMergeGivesNoSecondCopy(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		older, younger := o.subscribed(number, "AVVISI"), o.subscribed(second, "AVVISI")
		b := o.sent(plan("AVVISI"))
		o.conduct()
		o.exec(`UPDATE broadcast SET state = 'preparing', prepared = false`) // it has passed both, and not ended
		o.merge(younger, older)
		if got := o.deliver(); len(got) != 1 || len(got[older]) != 1 {
			t.Errorf("got %v", got)
		}
		if out := o.outcomes(b.ID); out.Skipped != 1 || out.Accepted != 1 {
			t.Errorf("outcomes are %+v", out)
		}
	})
}

// A copy that was prepared in the very moment of a merge stands under the contact that is no more: it goes to the one
// that is, unless they have their own.
func TestACopyFollowsTheMergedContact(t *testing.T) {
	for name, own := range map[string]bool{"without a copy": false, "with a copy": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				older, younger := o.subscribed(number), o.subscribed(number, "AVVISI")
				if own {
					o.exec(`INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at) VALUES ($1, $2, 'AVVISI', 1, $3, $4, $4)`, o.m.ID, older, number, o.now)
					o.exec(countAgain)
				}
				b := o.sent(plan("AVVISI"))
				o.conduct()
				o.act(broadcast.Pause, b.ID)
				o.merge(younger, older)
				o.exec(`UPDATE message SET contact_id = $1, status = 10 WHERE client_key = $2`, younger, fmt.Sprintf("copy:%d:%d", b.ID, younger))
				o.act(broadcast.Resume, b.ID)
				if got := o.deliver(); len(got) != 1 || len(got[older]) != 1 {
					t.Errorf("got %v", got)
				}
				if out := o.outcomes(b.ID); out.Accepted != 1 {
					t.Errorf("outcomes are %+v", out)
				}
			})
		})
	}
}

// A page of recipients who all have their copies already is not the end.
func TestAPageThatIsThereAlready(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(5000) // a page of the larger kind
		b := o.sent(plan("AVVISI"))
		o.conduct()
		last := o.subscribed(number, "AVVISI")
		o.exec(`UPDATE broadcast SET state = 'preparing', prepared = false, cursor = 0`)
		o.conduct()
		var n int
		o.update(func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRowContext(ctx, `SELECT count(*) FROM message WHERE contact_id = $1`, last).Scan(&n)
		})
		if n != 1 || o.get(b.ID).Recipients != 5001 {
			t.Errorf("the last has %d copies, there are %d recipients", n, o.get(b.ID).Recipients)
		}
	})
}

// When a number leaves the municipality's file, what waits on it goes from one that is left, also what was released.
func TestARetiredNumbersShareGoesFromAnother(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.crowd(20)
		b := o.sent(plan("AVVISI"))
		o.conduct()
		kept, _, _ := strings.Cut(town, "  - {id: second")
		_, rest, _ := strings.Cut(town, "access: open")
		towntest.Apply(t, o.d, o.key, kept+"access: open"+rest)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			return conversation.FailQueued(ctx, tx, conversation.Outlet{Municipality: o.m.ID, Number: second})
		})
		o.refresh()
		for n := 1; n > 0; {
			o.conduct()
			claimed := o.claim(number, 100)
			o.settle(number, claimed, conversation.Accepted, 0)
			n = len(claimed)
		}
		if out := o.outcomes(b.ID); out.Accepted != 20 || o.get(b.ID).State != broadcast.Completed {
			t.Errorf("outcomes are %+v", out)
		}
	})
}

// Two instances that release two broadcasts at once stay within Meta's daily limit together.
func TestTwoInstancesKeepTheDailyLimit(t *testing.T) {
	alone(t, dbtest.Postgres, func(o *office) {
		o.limit("TIER_250")
		o.crowd(300)
		for range 2 {
			b := o.sent(plan("AVVISI"))
			o.conduct() // prepared; what was released is taken back, as if nothing had gone yet
			o.update(func(ctx context.Context, tx *db.Tx) error {
				_, err := broadcast.Pause(ctx, tx, o.anna(), o.m, b.ID)
				return err
			})
		}
		for range 10 {
			o.exec(`UPDATE message SET lane = -1`)
			o.exec(`UPDATE broadcast SET state = 'sending'`)
			var both sync.WaitGroup
			for range 2 {
				conductor := broadcast.NewConductor(o.d, o.directory, slog.New(slog.DiscardHandler))
				both.Go(func() {
					if err := conductor.Drain(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			var people int
			o.update(func(ctx context.Context, tx *db.Tx) error {
				return tx.QueryRowContext(ctx, `SELECT count(DISTINCT contact_id) FROM message WHERE lane >= 0`).Scan(&people)
			})
			if people > 225 {
				t.Fatalf("%d people of a limit of 250, of which a tenth is kept", people)
			}
		}
	})
}

// What stayed uncertain of a large broadcast is sent again in several steps: each once, but for those who left.
func TestManyUncertainAreSentAgainOnce(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		const people = 1207
		o.crowd(people)
		left := o.subscribed(number, "AVVISI")
		b := o.sent(plan("AVVISI"))
		o.conduct()
		o.exec(`UPDATE message SET status = 30, sending_at = $1 WHERE broadcast_id = $2`, o.now, b.ID)
		o.exec(`UPDATE subscription SET state = 0 WHERE contact_id = $1`, left)
		o.exec(countAgain)
		o.now = o.now.Add(11 * time.Minute)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			n, err := broadcast.ResendUncertain(ctx, tx, o.anna(), o.m, b.ID)
			if n != people+1 {
				t.Errorf("%d are offered", n)
			}
			return err
		})
		got := o.deliver()
		for id, texts := range got {
			if len(texts) != 1 {
				t.Errorf("contact %d got %d", id, len(texts))
			}
		}
		if len(got) != people || got[left] != nil {
			t.Errorf("%d got it again", len(got))
		}
		if b = o.get(b.ID); b.State != broadcast.Completed {
			t.Errorf("it is %s", b.State)
		}
	})
}
