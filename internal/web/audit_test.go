// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// told writes rows into a municipality's trail, about things of kinds and ids.
func (d *desk) told(m *municipality.Municipality, about ...subject) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		for _, o := range about {
			if err := staff.Record(ctx, tx, staff.System("cli").In(m.ID), "message.cancelled", o.kind, o.id, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

var subjectCell = regexp.MustCompile(`(?s)<td class="subject">\s*(?:<a href="([^"]*)">)?<bdi>([^<]*)</bdi>(?:</a>)?\s*(?:<span class="quiet audit-id">([^<]*)</span>)?\s*</td>`)

// shownSubjects are the cells of the trail's page that say what its rows are about, the oldest first.
func shownSubjects(a answer) (out []string) {
	a.Helper()
	for _, cell := range subjectCell.FindAllStringSubmatch(a.body, -1) {
		one := cell[2]
		if cell[1] != "" {
			one += " → " + cell[1]
		}
		if cell[3] != "" {
			one += " #" + cell[3]
		}
		out = append([]string{html.UnescapeString(one)}, out...)
	}
	return out
}

// Each row of the trail names what it is about and leads there; an auditor reads no citizen's name, another
// municipality's things have none, and what is gone says so.
func TestTheTrailNamesWhatItIsAbout(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.hire(d.rimini, "Ada Tre", staff.Administrator)
		admin := d.signedIn(d.rimini, ada)
		auditor := d.signedIn(d.rimini, d.hire(d.rimini, "Aldo Revisore", staff.Auditor))
		talk := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		theirs := d.writes(d.pistoia, "Piero Segreto", "393470000001", "Buongiorno")
		chat, who := db.FormatID(talk), ""
		var said string
		var token staff.Token
		d.update(func(ctx context.Context, tx *db.Tx) error {
			c, err := conversation.Get(ctx, tx, d.rimini.ID, talk)
			if err != nil {
				return err
			}
			who = db.FormatID(c.ContactID)
			m, _, err := conversation.Messages(ctx, tx, d.rimini.ID, c, conversation.Position{}, 1)
			if err != nil {
				return err
			}
			said = db.FormatID(m[0].ID)
			_, token, err = staff.CreateToken(ctx, tx, staff.System("cli"), d.rimini.ID, "gestionale", nil)
			return err
		})
		notice := draft(admin, d.rimini).id
		const nobody = "1234567890"
		about := []subject{{"conversation", chat}, {"message", said}, {"contact", who}, {"staff", db.FormatID(ada.ID)}, {"token", db.FormatID(token.ID)},
			{"broadcast", notice}, {"list", "EMERGENZE"}, {"number", "100001"}, {"quarantine", "77"}, {"municipality", db.FormatID(d.rimini.ID)}, {"account", "200001"},
			{"conversation", db.FormatID(theirs)}, {"contact", nobody}, {"list", "TOLTA"}, {"number", "100002"}}
		d.told(d.rimini, about...)
		last := func(a answer) []string {
			t.Helper()
			all := shownSubjects(a.want(http.StatusOK))
			if len(all) < len(about) {
				t.Fatalf("only %d rows are shown: %q", len(all), all)
			}
			return all[len(all)-len(about):]
		}
		same := func(whose string, got, want []string) {
			t.Helper()
			for i := range want {
				if !strings.HasPrefix(got[i], want[i]) || (strings.Contains(want[i], "#") || strings.Contains(want[i], "→")) && got[i] != want[i] {
					t.Errorf("%s reads %q of %v, want %q", whose, got[i], about[i], want[i])
				}
			}
		}
		at := " → /desk/rimini/"
		gone := []string{"conversazione cancellata #" + db.FormatID(theirs), "cittadino cancellato #" + nobody, "lista tolta dal file del Comune #TOLTA", "numero tolto dal file del Comune #100002"}
		page := admin.get("/settings/audit")
		same("the administrator", last(page), append([]string{"conversazione con Maria Bianchi" + at + "conversations/" + chat, "messaggio per Maria Bianchi" + at + "conversations/" + chat,
			"Maria Bianchi" + at + "citizens/" + who, "Ada Tre" + at + "settings/staff/" + db.FormatID(ada.ID), "programma gestionale" + at + "settings/tokens",
			"avviso «", "lista Emergenze" + at + "lists/EMERGENZE", "numero +39 331 6432314" + at + "settings/numbers/100001", "una voce in quarantena" + at + "settings/quarantine",
			d.rimini.Name, "account WhatsApp 200001"}, gone...))
		page.lacks("Piero", "Segreto")
		page = auditor.get("/settings/audit")
		same("the auditor", last(page), append([]string{"una conversazione #" + chat, "un messaggio #" + said, "un cittadino #" + who, "Ada Tre", "programma gestionale",
			"avviso «", "lista Emergenze", "numero +39 331 6432314", "una voce in quarantena #77", d.rimini.Name, "account WhatsApp 200001"}, gone...))
		page.lacks("Maria", "Bianchi", "Piero", "desk.audit.")
	})
}

// However many rows a page has, what they are about is asked a kind at a time.
func TestThePageOfTheTrailAsksAKindAtATime(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]bool{}
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		d := newDesk(t, database)
		admin := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		count := func() int {
			mu.Lock()
			clear(asked)
			mu.Unlock()
			admin.get("/settings/audit").want(http.StatusOK)
			mu.Lock()
			defer mu.Unlock()
			return len(asked)
		}
		d.told(d.rimini, subject{"conversation", db.FormatID(d.writes(d.rimini, "Maria", "393471234560", "Buongiorno"))})
		few := count()
		for i := range 9 {
			d.told(d.rimini, subject{"conversation", db.FormatID(d.writes(d.rimini, "Maria", "39347123456"+string(rune('1'+i)), "Buongiorno"))})
		}
		if many := count(); few == 0 || many != few {
			t.Errorf("%d statements for ten rows, %d for one", many, few)
		}
	}, func(o *db.Options) {
		o.Observe = func(query string, _ []any) {
			mu.Lock()
			defer mu.Unlock()
			asked[query] = true
		}
	})
}
