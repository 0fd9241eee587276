// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/filodiretto/filodiretto/examples"
	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// knows makes a citizen, without a word from them.
func (d *desk) knows(m *municipality.Municipality, name, phone string) (id int64) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		who, _, err := contact.Resolve(ctx, tx, m.ID, []contact.Person{{Phone: phone, Name: name, At: tx.Now()}})
		if err == nil {
			id = who[0]
		}
		return err
	})
	return id
}

// subscribe does a change in a citizen's name, as their page would.
func (d *desk) subscribe(m *municipality.Municipality, change broadcast.Change) {
	d.Helper()
	change.Channel = channelPage
	d.update(func(ctx context.Context, tx *db.Tx) error {
		change.Key = db.FormatID(tx.NewID())
		_, err := broadcast.Apply(ctx, tx, staff.Citizen(m.ID, change.Contact), m, change)
		return err
	})
}

// joined are the topics that a citizen is on.
func (d *desk) joined(m *municipality.Municipality, contactID int64) (topics []string) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		list, err := broadcast.SubscriptionsOf(ctx, tx, m.ID, contactID)
		topics = nil
		for _, s := range list {
			topics = append(topics, s.Topic)
		}
		return err
	})
	return topics
}

// proofs are the rows of a citizen in the consent register.
func (d *desk) proofs(m *municipality.Municipality, contactID int64) (list []contact.Consent) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = contact.Consents(ctx, tx, m.ID, contactID)
		return err
	})
	return list
}

// find is the first group of the first match.
func (a answer) find(pattern string) string {
	a.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(a.body)
	if m == nil {
		a.Fatalf("%s is not in %s", pattern, a.body)
	}
	return m[1]
}

// table reads a CSV file as a spreadsheet does.
func (a answer) table() [][]string {
	a.Helper()
	text, ok := strings.CutPrefix(a.want(http.StatusOK).body, "\ufeff")
	if !ok {
		a.Error("the file has no mark at its beginning")
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		a.Fatal(err)
	}
	return rows
}

// Whatever a notice tells citizens to write is understood, in every municipality of the examples.
func TestNoticesTellWordsThatWork(t *testing.T) {
	files, err := examples.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, entry := range files {
		if !strings.HasSuffix(entry.Name(), ".yaml") {
			continue
		}
		data, err := examples.Files.ReadFile(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		f, err := municipality.ParseFile(entry.Name(), data, func(string) (string, bool) { return "1", true })
		if err != nil {
			t.Fatal(err)
		}
		m := &municipality.Municipality{File: f, Numbers: f.WhatsApp}
		g := broadcast.NewGrammar(f)
		for _, topic := range topicsOf(f) {
			line, err := lineOf(m, g, topic)
			if err != nil {
				t.Fatal(err)
			}
			for words, verb := range map[string]broadcast.Verb{line.Words: broadcast.Join, line.Leave: broadcast.Leave} {
				tried++
				if c, ok := g.Parse(words); !ok || c.Verb != verb || !slices.Equal(c.Topics, []string{topic.Keyword}) {
					t.Errorf("%s: %q means %v", f.Name, words, c)
				}
			}
			address, err := url.Parse(line.Link)
			if err != nil || address.Query().Get("text") != line.Words || strings.Contains(line.Link, "+") || address.Host != "wa.me" {
				t.Errorf("%s: the link %s does not say %q", f.Name, line.Link, line.Words)
			}
			if line.Code.Size < 21 || !strings.HasPrefix(line.Code.Path, "M0 0h7v1h-7z") {
				t.Errorf("%s: the code of %s does not begin with its corner: %.40s", f.Name, topic.Keyword, line.Code.Path)
			}
		}
	}
	if tried == 0 {
		t.Fatal("no list found in the examples")
	}
}

func TestListsWithTheirFigures(t *testing.T) {
	each(t, func(d *desk) {
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		b.get("/lists").want(http.StatusOK).contains("Emergenze", "ISCRIZIONE ON EMERGENZE", "https://wa.me/393316432314?text=ISCRIZIONE%20ON%20EMERGENZE", `class="code"`)
		b.get("/lists/EMERGENZE").want(http.StatusOK).contains("Ancora nessun iscritto")
		for i := range 60 {
			d.subscribe(d.rimini, broadcast.Change{Contact: d.knows(d.rimini, fmt.Sprintf("Citta Dina%02d", i), fmt.Sprintf("3934700000%02d", i)), Join: []string{"EMERGENZE"}})
		}
		gone := d.knows(d.rimini, "Via Gia", "393479999999")
		d.subscribe(d.rimini, broadcast.Change{Contact: gone, Join: []string{"EMERGENZE"}})
		d.subscribe(d.rimini, broadcast.Change{Contact: gone, Leave: []string{"EMERGENZE"}})
		formula := d.knows(d.rimini, "=HYPERLINK(0)", "393478888888")
		d.subscribe(d.rimini, broadcast.Change{Contact: formula, Join: []string{"EMERGENZE"}})

		b.get("/lists").want(http.StatusOK).contains("<strong>61</strong>", "<strong>+62</strong>", "<strong>−1</strong>")
		first := b.get("/lists/EMERGENZE").want(http.StatusOK).contains("61 iscritti", "Dina00", "+39 347 000 0000").lacks("Via Gia", "Dina55")
		cursor := first.find(`cursor=([0-9a-z]+)`)
		b.get("/lists/EMERGENZE?cursor="+cursor).want(http.StatusOK).contains("Dina55", "Torna all’inizio").lacks("Dina00", "Mostra i successivi")
		b.get("/lists/EMERGENZE?q=dina42").want(http.StatusOK).contains("Dina42").lacks("Dina41")
		b.get("/lists/EMERGENZE?q=" + url.QueryEscape("347 9999999")).want(http.StatusOK).contains("Nessun iscritto con questo nome").lacks("Via Gia")
		b.get("/lists/PUBBLICAUTILITA").want(http.StatusOK).lacks("Dina")
		b.get("/lists/NESSUNA").want(http.StatusNotFound)
		b.get("/lists/NESSUNA/subscribers.csv").want(http.StatusNotFound)
		b.get("/lists/NESSUNA/code.svg").want(http.StatusNotFound)

		rows := b.get("/lists/EMERGENZE/subscribers.csv").table()
		if len(rows) != 62 {
			t.Errorf("the file has %d rows", len(rows))
		}
		for _, row := range rows {
			if strings.HasPrefix(row[0], "=") {
				t.Errorf("%q runs as a formula", row[0])
			}
		}
		if !slices.ContainsFunc(rows, func(r []string) bool { return r[0] == "'=HYPERLINK(0)" && r[1] == "+39 347 888 8888" }) {
			t.Errorf("a citizen is missing in %v", rows[len(rows)-1])
		}
		code := b.get("/lists/EMERGENZE/code.svg").want(http.StatusOK).contains("<svg xmlns")
		if code.header.Get("Content-Type") != "image/svg+xml" {
			t.Errorf("a code is %s", code.header.Get("Content-Type"))
		}
	})
}
