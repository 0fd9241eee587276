// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

func TestFiguresOfListsAndBroadcasts(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Ugo Quattro", staff.Auditor))
		b.get("/figures").want(http.StatusOK).contains("non c’è ancora nulla da disegnare", "non è partito nessun avviso")

		maria, luca := d.knows(d.rimini, "Maria Bianchi", "393471234567"), d.knows(d.rimini, "Luca Neri", "393471234568")
		d.subscribe(d.rimini, broadcast.Change{Contact: maria, Join: []string{"EMERGENZE", "PUBBLICAUTILITA"}})
		d.subscribe(d.rimini, broadcast.Change{Contact: luca, Join: []string{"EMERGENZE"}})
		d.subscribe(d.rimini, broadcast.Change{Contact: luca, LeaveAll: true})
		today := d.db.Now().In(d.rimini.Desk.Zone())
		longAgo := broadcast.Days(today, 60)[0]
		d.update(func(ctx context.Context, tx *db.Tx) error {
			if err := conversation.AddTallies(ctx, tx, d.rimini.ID, map[conversation.Tally]int64{{Day: longAgo, Name: "joined:EMERGENZE:import"}: 40, {Day: broadcast.Days(today, 40)[0], Name: "left:EMERGENZE:whatsapp"}: 40}); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO broadcast (municipality_id, broadcast_id, state, emergency, exercise, lists, districts, exclude, template, reads,
				category, free, author_kind, author_id, author_name, created_at, written_at, updated_at, started_at, recipients, reach)
				VALUES ($1, $2, 'completed', true, false, '[]', '[]', '[]', '{}', 'Allerta arancione', 'UTILITY', '', 'operator', 1, 'Anna', $3, $3, $3, $3, 200, $4)`,
				[][]any{{d.rimini.ID, tx.NewID(), tx.Now().Add(-time.Hour), db.JSON(`{"delivered": 60, "read": 100, "failed": 40, "p50": 3, "p90": 61, "p99": 7200}`)}})
			return err
		})

		b.get("/figures").want(http.StatusOK).contains("Allerta arancione", "80 %", "50 %", "3 s", "1 min", "2 h", "3,97 €", "dalla propria pagina").lacks("da un elenco importato")
		b.get("/figures?period=quarter").want(http.StatusOK).contains("da un elenco importato", "con una parola su WhatsApp")
		b.get("/figures?period=century").want(http.StatusOK).contains("30 giorni")

		rows := b.get("/figures/subscribers.csv?period=quarter").table()
		if !slices.Equal(rows[0], []string{"day", "EMERGENZE", "PUBBLICAUTILITA"}) || len(rows) != 91 {
			t.Errorf("the file has %d rows under %v", len(rows), rows[0])
		}
		for back, want := range map[int]string{1: "1", 2: "0", 41: "40", 60: "40", 61: "0"} {
			if got := rows[len(rows)-back]; got[1] != want {
				t.Errorf("%s had %s subscribers, want %s", got[0], got[1], want)
			}
		}
		rows = b.get("/figures/movements.csv").table()
		if !slices.ContainsFunc(rows, func(r []string) bool { return slices.Equal(r[1:], []string{"EMERGENZE", "page", "2", "1"}) }) {
			t.Errorf("the movements are %v", rows)
		}
		rows = b.get("/figures/broadcasts.csv").table()
		if len(rows) != 2 || !slices.Equal(rows[1][6:14], []string{"200", "160", "100", "40", "3.0", "61.0", "7200.0", "3.9680"}) {
			t.Errorf("the broadcasts are %v", rows)
		}
		b.get("/figures/subscribers").want(http.StatusNotFound)
		b.get("/figures/secrets.csv").want(http.StatusNotFound)
	})
}
