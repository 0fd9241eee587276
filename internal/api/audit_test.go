// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
)

// leaves is what each act of a token leaves in the audit trail. A new POST without an entry fails.
var leaves = map[string]string{
	"/conversations/{id}/messages": "message.queued",
	"/conversations/{id}/resolve":  "conversation.resolved",
	"/conversations/{id}/reopen":   "conversation.reopened",
	"/quarantine/{id}/replay":      "quarantine.replayed",
	"/broadcasts":                  "broadcast.submitted",
	"/media":                       "file.uploaded",
	"/contacts/{id}/block":         "contact.blocked",
	"/contacts/{id}/unblock":       "contact.unblocked",
	"/broadcasts/{id}/pause":       "broadcast.paused",
	"/broadcasts/{id}/resume":      "broadcast.resumed",
	"/broadcasts/{id}/cancel":      "broadcast.cancelled",
}

// Every act leaves its row, by the token and with no word of a person; reading leaves none.
func TestEveryActLeavesARow(t *testing.T) {
	each(t, func(d *desk) {
		for _, r := range routes {
			d.named(r.method+" "+r.path, func(d *desk) {
				path := d.concrete(d.rimini)[r.method+" "+r.path]
				if strings.HasSuffix(path, "/reopen") {
					d.post(strings.TrimSuffix(path, "/reopen")+"/resolve", `{"reason":"Doppione di Anna"}`).want(http.StatusOK)
				}
				if strings.HasSuffix(path, "/resume") {
					d.post(strings.TrimSuffix(path, "/resume")+"/pause", "").want(http.StatusOK)
				}
				before := d.trail()
				a := d.ask(strings.ToUpper(r.method), path, bodies[r.method+" "+r.path])
				if r.path == "/broadcasts/{id}/approve" { // no token's act
					a.problem(http.StatusForbidden, "approval_by_a_person")
					equal(d.T, "rows of what was refused", len(d.trail()), len(before))
					return
				}
				if a.status >= 400 {
					d.Fatalf("answered %d: %s", a.status, a.raw)
				}
				rows := d.trail()[len(before):]
				if r.method == "get" {
					if len(rows) > 0 {
						d.Errorf("reading left %q", rows)
					}
					return
				}
				want, listed := leaves[r.path]
				if !listed || !slices.ContainsFunc(rows, func(row string) bool {
					return strings.HasPrefix(row, fmt.Sprintf("%s token %d ", want, d.rimini.tokenID))
				}) {
					d.Errorf("the trail has %q, want %q by the token", rows, want)
				}
			})
		}
		for _, row := range d.trail() {
			for _, word := range []string{"Anna", "Bianchi", "39347", "Buongiorno", "Doppione", "gestionale", "+", "@"} {
				if strings.Contains(row, word) {
					t.Errorf("the trail says %q: %s", word, row)
				}
			}
		}
	})
}

// named runs f as a subtest over the same desk.
func (d *desk) named(name string, f func(d *desk)) {
	d.Helper()
	outer := d.T
	outer.Run(name, func(t *testing.T) {
		inner := *d
		inner.T = t
		f(&inner)
	})
}

// trail is the audit trail of rimini, the oldest row first.
func (d *desk) trail() (rows []string) {
	d.Helper()
	err := d.db.View(d.Context(), func(ctx context.Context, tx *db.Tx) error {
		list, err := tx.QueryContext(ctx, `SELECT action, actor_kind, actor_id, actor_name, object_kind, object_id, CAST(detail AS text)
			FROM audit WHERE municipality_id = $1 ORDER BY audit_id`, d.rimini.ID)
		if err != nil {
			return err
		}
		defer list.Close()
		for list.Next() {
			var action, kind, name, object, id, detail string
			var actor int64
			if err := list.Scan(&action, &kind, &actor, &name, &object, &id, &detail); err != nil {
				return err
			}
			rows = append(rows, fmt.Sprint(action, " ", kind, " ", actor, " ", name, " ", object, " ", id, " ", detail))
		}
		return list.Err()
	})
	if err != nil {
		d.Fatal(err)
	}
	return rows
}
