// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// Whatever a broadcast needs is found by an index: with what PostgreSQL knew of its tables before there were
// many copies, and with what it knows afterwards.
func TestNoStatementScansAGrowingTable(t *testing.T) {
	var seen dbtest.Statements
	o := &office{}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		*o = office{t: t, d: d, now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
		o.open()
		o.limit("TIER_100K")
		o.past()
		ran := seen.During(o.walkABroadcast)
		if len(ran) < 40 {
			t.Fatalf("only %d statements were seen", len(ran))
		}
		o.explainAll("before there were many copies", ran)
		o.sent(plan("AVVISI"))
		o.conduct()
		o.explainAll("with many copies", ran)
	}, func(options *db.Options) {
		options.Now = func() time.Time { return o.now }
		options.Observe = seen.Observe
	})
}

// past makes a town with many messages, and lists of which one has many subscribers.
func (o *office) past() {
	o.t.Helper()
	o.crowd(3000)
	for range 20 {
		o.subscribed(number, "EVENTI", "CENTRO")
	}
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, status, at, created_at, next_at, external_id)
			SELECT s.municipality_id, s.contact_id + n.k, s.contact_id, s.number, 'out', 'text', 80, $1, $1, $1, 'wamid.old' || (s.contact_id + n.k)
			FROM subscription s, (SELECT 1000000000 AS k UNION ALL SELECT 2000000000 UNION ALL SELECT 3000000000 UNION ALL SELECT 4000000000) n WHERE s.topic = 'AVVISI'`, o.now.Add(-48*time.Hour))
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, `INSERT INTO subscriber (municipality_id, contact_id, at) SELECT DISTINCT municipality_id, contact_id, CAST($1 AS timestamptz) FROM subscription`, o.now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `ANALYZE`)
		return err
	})
}

// walkABroadcast does to broadcasts whatever can be done.
func (o *office) walkABroadcast() {
	p := plan("EVENTI", "AVVISI")
	p.Districts, p.Exclude, p.Free = []string{"CENTRO"}, []string{"EMERGENZE"}, "Ciao {name}, via Roma è chiusa."
	first := o.sent(p)
	p = plan("EVENTI")
	p.Exclude, p.Follows = []string{"AVVISI"}, first.ID
	o.deliver()
	second := o.sent(p)
	o.conduct()
	o.act(broadcast.Pause, second.ID)
	o.act(broadcast.Resume, second.ID)
	o.conduct()
	claimed := o.claim(number, 8)
	o.settle(number, claimed[:2], conversation.Uncertain, 0)
	o.settle(number, claimed[2:4], conversation.Queued, 132015)
	o.settle(number, claimed[4:5], conversation.Failed, 131026)
	o.settle(number, claimed[5:], conversation.Accepted, 0)
	o.act(broadcast.Resume, second.ID)
	o.conduct()
	var told []conversation.Change
	for _, m := range claimed[5:] {
		told = append(told, conversation.Change{Number: number, MessageID: m.ID, ExternalID: "wamid." + db.FormatID(m.ID), Status: conversation.Delivered, At: o.now})
	}
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.ApplyStatuses(ctx, tx, o.m.ID, told)
		return err
	})
	o.now = o.now.Add(11 * time.Minute)
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := broadcast.ResendUncertain(ctx, tx, o.anna(), o.m, second.ID)
		return err
	})
	o.conduct()
	o.act(broadcast.Cancel, second.ID)
	o.conduct()
	o.mergeInto(o.sent(plan("EVENTI")))
	o.update(func(ctx context.Context, tx *db.Tx) error {
		return conversation.FailQueued(ctx, tx, conversation.Outlet{Municipality: o.m.ID, Number: number})
	})
	o.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.MoveCopies(ctx, tx, o.m.ID, first.ID, number, number, 1)
		return err
	})
	o.look(second)
}

// mergeInto merges a subscriber into a contact that the preparation of b has passed.
func (o *office) mergeInto(b broadcast.Broadcast) {
	older, passed, younger := o.subscribed(number), o.subscribed(number, "EVENTI"), o.subscribed(number, "EVENTI")
	o.exec(`UPDATE broadcast SET cursor = $1 WHERE broadcast_id = $2`, passed, b.ID)
	o.merge(younger, older)
	o.conduct()
}

// look reads what the pages and the pumps read.
func (o *office) look(b broadcast.Broadcast) {
	for _, read := range []func(ctx context.Context, tx *db.Tx) error{
		func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.CountReach(ctx, tx, o.m.ID, b.ID)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Offered(ctx, tx, o.m.ID, b.ID)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Failures(ctx, tx, o.m.ID, b.ID)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, _, err := broadcast.Recipients(ctx, tx, o.m.ID, b.ID, broadcast.NotReached, 0, 50)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Sample(ctx, tx, o.anna(), o.m, plan("EVENTI"), 3)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, _, err := broadcast.Subscribers(ctx, tx, o.m.ID, "EVENTI", 0, 50)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Chain(ctx, tx, o.m.ID, b.ID)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.NextDue(ctx, tx, o.m.ID, number, conversation.Emergency, conversation.Reply, conversation.Automatic, conversation.Broadcast)
			return err
		},
		func(ctx context.Context, tx *db.Tx) error { _, _, err := conversation.Waiting(ctx, tx); return err },
		func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.WindowsClosed(ctx, tx, o.m.ID, []conversation.Message{{ID: 1, ContactID: 1, Number: number, BroadcastID: b.ID, Type: conversation.TypeText}})
			return err
		},
	} {
		o.update(read)
	}
}

func (o *office) explainAll(when string, ran map[string][]any) {
	o.t.Helper()
	for query, args := range ran {
		if strings.HasPrefix(query, "ANALYZE") || query == countAgain {
			continue
		}
		plan := dbtest.Plan(o.t, o.d, query, args)
		read := plan
		for _, page := range pages.FindAllStringSubmatch(plan, -1) {
			read = strings.ReplaceAll(read, "SCAN "+page[1]+"\n", "")
		}
		if scans.MatchString(read) {
			o.t.Errorf("%s: %s\n%s", when, query, plan)
		}
	}
}

// scans finds a plan that reads all of a table that grows.
var scans = regexp.MustCompile(`(?m)(Seq Scan on (message|subscription|subscriber|contact|contact_address|consent)( |$)|^SCAN (message|subscription|subscriber|contact|[msfieck])( |$))`)

// pages are what SQLite reads first and then walks through: they are as long as what is asked for.
var pages = regexp.MustCompile(`(?m)^CO-ROUTINE (\w+)$`)
