// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// A run that deletes what is old is killed with -9 in the middle, again and again. What it had deleted is gone and
// counted, nothing else is, and a later run comes to the end.
func TestDeletingWhatIsOldIsKilled(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address)
			d := in.open()
			const old, young = 4000, 50
			town := in.municipalityID(d)
			in.writeMessages(d, town, old, time.Now().AddDate(-3, 0, 0))
			in.writeMessages(d, town, young, time.Now().Add(-time.Hour))
			left := func() int { return in.count(d, `SELECT count(*) FROM message`) }
			const kills = 3
			for killed := 1; killed <= kills; killed++ {
				goal := old + young - killed*old/5
				in.start()
				in.until("some of it is deleted", func() bool { return left() <= goal })
				in.kill()
				if n := left(); n <= young {
					t.Fatalf("%d messages are left: it was not killed in the middle", n)
				}
				in.hoursPass(d, killed == kills)
			}
			in.start()
			in.until("a run comes to its end", func() bool { return in.count(d, `SELECT count(*) FROM retention_run WHERE ran_at IS NOT NULL`) == 1 })
			in.stop()
			if n := left(); n != young {
				t.Errorf("%d messages are left, want %d", n, young)
			}
			told := in.count(d, `SELECT coalesce(sum(messages), 0) FROM retention_run`)
			for _, detail := range in.texts(d, `SELECT CAST(detail AS text) FROM audit WHERE action = 'retention.deleted'`) {
				var n int
				_, after, _ := strings.Cut(strings.ReplaceAll(detail, " ", ""), `"messages":`)
				if _, err := fmt.Sscan(strings.TrimRight(strings.FieldsFunc(after, func(r rune) bool { return r == ',' || r == '}' })[0], "}"), &n); err != nil {
					t.Fatalf("the trail says %s: %v", detail, err)
				}
				told += n
			}
			if told != old {
				t.Errorf("%d deleted messages are counted, want %d", told, old)
			}
		})
	}
}

// writeMessages puts messages of a moment into the database that hang on nothing.
func (in *installation) writeMessages(d *db.DB, town int64, n int, at time.Time) {
	in.t.Helper()
	err := d.Update(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		rows := make([][]any, n)
		for i := range rows {
			id := db.FirstID(at) + int64(i)
			rows[i] = []any{town, id, in.phoneNumberID, fmt.Sprint("wamid.old.", id), at}
		}
		_, err := tx.Exec(ctx, `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, text, external_id, status, lane, at, created_at, next_at)
			VALUES ($1, $2, 1, $3, 'in', 'text', 'Buongiorno', $4, 0, 1, $5, $5, $5)`, rows)
		return err
	})
	if err != nil {
		in.t.Fatal(err)
	}
}

// hoursPass lets the job of a process that was killed count as abandoned, as it does after hours: it is found, which
// takes the next process a while, or has been found already.
func (in *installation) hoursPass(d *db.DB, findIt bool) {
	in.t.Helper()
	err := d.Update(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		if !findIt {
			_, err := tx.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'`)
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE river_job SET attempted_at = $1 WHERE state = 'running'`, time.Now().Add(-5*time.Hour).UTC())
		return err
	})
	if err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) texts(d *db.DB, query string) (out []string) {
	in.t.Helper()
	err := d.View(in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		out = nil
		return tx.Query(ctx, query, [][]any{{}}, func(_ int, row db.Scanner) error {
			var text string
			err := row.Scan(&text)
			out = append(out, text)
			return err
		})
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return out
}
