// SPDX-License-Identifier: AGPL-3.0-or-later

package retention_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// Nothing that a run does walks through a table that grows: it would hold the database for longer every year.
func TestNoStatementScansAGrowingTable(t *testing.T) {
	var seen dbtest.Statements
	w := &town{}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w.open(t, d)
		w.past()
		ran := seen.During(func() {
			w.run()
			w.now = w.now.Add(2 * time.Hour)
			w.run()
		})
		if len(ran) < 30 {
			t.Fatalf("only %d statements were seen", len(ran))
		}
		for query, args := range ran {
			if plan := dbtest.Plan(t, d, query, args); scans(plan) {
				t.Errorf("%s\n%s", query, plan)
			}
		}
	}, func(o *db.Options) {
		o.Now = func() time.Time { return w.now }
		o.Observe = seen.Observe
	})
}

// past makes municipalities with many rows that stay, and a few of each kind that go.
func (w *town) past() {
	w.t.Helper()
	const many = 4000
	young := now.Add(-24 * time.Hour)
	err := w.d.Update(w.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		rows := make(map[string][][]any)
		for i := range many {
			m := int64(1 + i%4)
			id := db.FirstID(young) + int64(i)*1000
			external := fmt.Sprint("wamid.", id)
			rows[`INSERT INTO contact (municipality_id, contact_id, name, created_at, updated_at) VALUES ($1, $2, 'N', $3, $3)`] = append(rows[`INSERT INTO contact (municipality_id, contact_id, name, created_at, updated_at) VALUES ($1, $2, 'N', $3, $3)`], []any{m, id, young})
			for query, args := range map[string][]any{
				`INSERT INTO contact_address (municipality_id, kind, value, contact_id, since) VALUES ($1, 'phone', $2, $3, $4)`:                                                                              {m, external, id, young},
				`INSERT INTO conversation (municipality_id, conversation_id, number, contact_id, state, opened_at, last_message_at) VALUES ($1, $2, 'n', $2, 'resolved', $3, $3)`:                             {m, id, young},
				`INSERT INTO conversation_event (municipality_id, event_id, conversation_id, contact_id, number, at, kind, actor_kind, actor_id, actor_name) VALUES ($1, $2, $2, $2, 'n', $3, '', '', 0, '')`: {m, id, young},
				`INSERT INTO draft (municipality_id, conversation_id, staff_id, draft_key, mode, text, updated_at) VALUES ($1, $2, 1, 'd', 'reply', '', $3)`:                                                  {m, id, young},
				`INSERT INTO revision (municipality_id, external_id, target, contact_id, kind, text, same_text, at, place, applied) VALUES ($1, $2, $2, $3, 'edit', '', $4, $5, 0, $6)`:                       {m, external, id, false, young, i%50 != 0},
				`INSERT INTO media (municipality_id, media_id, direction, sha256, state, created_at) VALUES ($1, $2, 'in', $3, 'ready', $4)`:                                                                  {m, id, external, young},
				`INSERT INTO consent (municipality_id, consent_id, contact_id, topic, event, at, recorded_at, channel, policy_version, policy_hash, language, actor_kind, actor_id, actor_name, hash)
					VALUES ($1, $2, $2, 'A', 'given', $3, $3, 'page', '1', '', 'it', 'citizen', 0, '', '')`: {m, id, young},
				`INSERT INTO subscription (municipality_id, contact_id, topic, state, since, at) VALUES ($1, $2, 'A', 1, $3, $3)`: {m, id, young},
				`INSERT INTO subscriber (municipality_id, contact_id, at) VALUES ($1, $2, $3)`:                                    {m, id, young},
			} {
				rows[query] = append(rows[query], args)
			}
			for k := range int64(3) {
				query := `INSERT INTO message (municipality_id, message_id, conversation_id, contact_id, number, direction, type, external_id, status, media_id, broadcast_id, at, created_at, next_at)
					VALUES ($1, $2, $3, $3, 'n', 'out', 'text', $4, 80, $5, $6, $7, $7, $7)`
				rows[query] = append(rows[query], []any{m, id + k, id, fmt.Sprint(external, ".", k), id * (k % 2), k % 2, young})
			}
		}
		for query, all := range rows {
			if _, err := tx.Exec(ctx, query, all); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	old := now.AddDate(0, -25, 0)
	for i := range 3 {
		file, _ := w.file(ours, string(rune('a'+i)), old)
		who := w.citizen(ours, "Ada", old)
		w.says(ours, who, w.talk(ours, who, "resolved", old), old, message{text: "lampione", file: file})
		w.file(ours, string(rune('d'+i)), now.AddDate(0, -7, 0))
	}
	w.cast(old, true, message{status: conversation.Read})
	w.exec(`ANALYZE`)
}

// walked is a table that grows, read from end to end. What broadcasts said is a row a broadcast, and those that wait
// for a message that never came are few.
var walked = regexp.MustCompile(`(?m)(Seq Scan on |^SCAN )(message|conversation|conversation_event|contact|contact_address|media|consent|subscription|subscriber|audit|draft|revision|[a-z])( |$)`)

func scans(plan string) bool {
	for _, line := range walked.FindAllString(plan, -1) {
		if alias, ok := strings.CutPrefix(strings.TrimSpace(line), "SCAN "); !ok || !strings.Contains(plan, "CO-ROUTINE "+alias) { // a few that were taken before
			return true
		}
	}
	return false
}
