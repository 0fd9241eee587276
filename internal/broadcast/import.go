// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// ListImported stands in the audit trail for a list that was taken over from elsewhere.
const ListImported staff.Action = "subscription.imported"

// ImportRow is somebody on a list that is taken over.
type ImportRow struct {
	Line      int // in the file
	Phone     string
	Basis     string    // why they may be written to: nobody is subscribed without one
	Date      time.Time // when they consented, or since when the basis holds
	Reference string    // of the paper, the file, the act
	Name      string
}

// ImportReport tells what became of the rows.
type ImportReport struct {
	Subscribed int
	Already    int         // left alone
	Left       []ImportRow // had left on their own, or changed number and not confirmed: not subscribed again
}

// BadRows is the failure for a file that can't be imported, by line.
type BadRows map[int]string

func (b BadRows) Error() string {
	out := []string{"nothing was imported"}
	for _, line := range slices.Sorted(maps.Keys(b)) {
		out = append(out, fmt.Sprintf("line %d: %s", line, b[line]))
	}
	return strings.Join(out, "\n")
}

// importColumns are the columns of a file; name is optional.
var importColumns = []string{"phone", "basis", "date", "reference"}

// ReadImport reads a CSV file with the columns phone, basis, date (2026-03-02), reference and, if there is one, name,
// separated by commas or semicolons (RFC 4180). A file with a bad row is refused as a whole, with BadRows.
func ReadImport(r io.Reader, now time.Time) ([]ImportRow, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	head, _, _ := strings.Cut(text, "\n")
	in := csv.NewReader(strings.NewReader(text))
	if strings.Count(head, ";") > strings.Count(head, ",") {
		in.Comma = ';'
	}
	in.FieldsPerRecord = -1
	columns, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("read the names of the columns: %w", err)
	}
	at, err := columnsOf(columns)
	if err != nil {
		return nil, err
	}
	var rows []ImportRow
	bad, phones := BadRows{}, map[string]int{}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			bad[wrong.StartLine] = wrong.Err.Error()
			break // what follows can't be told apart
		}
		if err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		line, _ := in.FieldPos(0)
		row, trouble := importRow(record, at, now)
		if first := phones[row.Phone]; first != 0 && trouble == "" {
			trouble = fmt.Sprintf("the phone is in line %d already", first)
		}
		if trouble != "" {
			bad[line] = trouble
			continue
		}
		row.Line, phones[row.Phone] = line, line
		rows = append(rows, row)
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return rows, nil
}

func columnsOf(names []string) (map[string]int, error) {
	at := make(map[string]int)
	for i, name := range names {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range importColumns {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("the file has no column %q: it needs %s and may have name", name, strings.Join(importColumns, ", "))
		}
	}
	return at, nil
}

// oldest is the first year of consents: what lies before is a slip, or the zero that means no date.
const oldest = 1900

// importRow reads a row, and tells what is wrong with it.
func importRow(record []string, at map[string]int, now time.Time) (row ImportRow, trouble string) {
	field := func(name string) string {
		if i, ok := at[name]; ok && i < len(record) {
			return strings.TrimSpace(db.Text(record[i]))
		}
		return ""
	}
	row = ImportRow{Phone: contact.Digits(field("phone")), Basis: field("basis"), Reference: field("reference"), Name: field("name")}
	date, err := time.Parse(time.DateOnly, field("date"))
	row.Date = date
	switch {
	case row.Phone == "":
		return row, "the phone is none: write it as +39 347 1234567"
	case row.Basis == "":
		return row, "it states no basis: why may this person be written to?"
	case err != nil || date.Year() < oldest:
		return row, "the date is none: write it as 2026-03-02"
	case date.After(now):
		return row, "the date is in the future"
	case row.Reference == "":
		return row, "it has no reference: where is the proof kept?"
	}
	return row, ""
}

// Import puts people on a list that was kept elsewhere, each on the basis that their row states, with its own proof.
// Who is on it already is left alone; who had left on their own is not subscribed again.
func Import(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, list string, rows []ImportRow) (ImportReport, error) {
	if err := actor.Require(staff.ManageBroadcasts, m.ID); err != nil {
		return ImportReport{}, err
	}
	if !isTopic(m.File, list) {
		return ImportReport{}, ErrTopic
	}
	people := make([]contact.Person, len(rows))
	for i, r := range rows {
		if r.Basis == "" || r.Date.IsZero() {
			return ImportReport{}, BadRows{r.Line: "it states no basis, or no date"}
		}
		people[i] = contact.Person{Phone: r.Phone, Name: r.Name, At: r.Date}
	}
	contacts, _, err := contact.Resolve(ctx, tx, m.ID, people)
	if err != nil {
		return ImportReport{}, err
	}
	all, err := standings(ctx, tx, m.ID, contacts, true)
	if err != nil {
		return ImportReport{}, err
	}
	var report ImportReport
	var consents []contact.Consent
	number := m.File.WhatsApp[0].PhoneNumberID
	for i, r := range rows {
		s := all[contacts[i]]
		t, date := s.topics[list], order{at: r.Date, source: "import"}
		switch {
		case t != nil && t.state == On:
			report.Already++
		case t != nil, s.left.stored() != nil, date.before(s.moved), !s.join(list, number, date):
			report.Left = append(report.Left, r)
		default:
			report.Subscribed++
			consents = append(consents, contact.Consent{ContactID: s.contact, Topic: list, Event: contact.ConsentImported, At: r.Date, Channel: "import",
				Number: number, Actor: contact.ConsentActor{Kind: string(actor.Kind), ID: actor.ID, Name: actor.Name}, Reference: r.Basis + " · " + r.Reference})
		}
	}
	if err := settle(ctx, tx, m, all, "import"); err != nil {
		return ImportReport{}, err
	}
	if err := prove(ctx, tx, m, contact.Policy{}, consents); err != nil {
		return ImportReport{}, err
	}
	return report, staff.Record(ctx, tx, actor.In(m.ID), ListImported, "list", list, map[string]any{"subscribed": report.Subscribed, "already": report.Already, "left": len(report.Left)})
}
