// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// statement is SQL with its arguments, numbered from one after offset.
type statement struct {
	strings.Builder
	args   []any
	offset int
}

// put appends an argument and returns its place.
func (s *statement) put(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(s.offset+len(s.args))
}

func (s *statement) puts(all []string) string {
	places := make([]string, len(all))
	for i, v := range all {
		places[i] = s.put(v)
	}
	return strings.Join(places, ", ")
}

// recipients writes the query of the contacts that get b, each once, with the number it comes from: walking
// the subscriptions by contact, so that a page costs what it holds.
func (b *Broadcast) recipients(s *statement, m *municipality.Municipality, after int64) {
	id := s.put(m.ID)
	numbers := make([]string, len(m.Numbers))
	for i, n := range m.Numbers {
		numbers[i] = n.PhoneNumberID
	}
	fmt.Fprintf(s, `SELECT s.contact_id, min(CASE WHEN s.number IN (%s) THEN s.number ELSE %s END) AS number
		FROM subscription s WHERE s.municipality_id = %s AND s.contact_id > %s AND s.state = 1 AND s.topic IN (%s)`,
		s.puts(numbers), s.put(numbers[0]), id, s.put(after), s.puts(b.Lists))
	b.narrow(s, "s.municipality_id", "s.contact_id")
	s.WriteString(` GROUP BY s.contact_id`)
}

// marketing is Meta's category of what citizens may stop at Meta.
const marketing = "MARKETING"

// narrow writes what beside being on a list makes somebody a recipient of b. These are no EXISTS: PostgreSQL would
// gather all subscriptions to look up those of a few.
func (b *Broadcast) narrow(s *statement, municipality, contact string) {
	if len(b.Districts) > 0 {
		s.WriteString(` AND ` + onOneOf(s, municipality, contact, b.Districts) + ` IS NOT NULL`)
	}
	if len(b.Exclude) > 0 {
		s.WriteString(` AND ` + onOneOf(s, municipality, contact, b.Exclude) + ` IS NULL`)
	}
	if b.Category == marketing {
		fmt.Fprintf(s, ` AND (SELECT 1 FROM subscriber k WHERE k.municipality_id = %s AND k.contact_id = %s AND k.marketing_stopped_at IS NOT NULL) IS NULL`, municipality, contact)
	}
}

// onOneOf is not null for a contact who is on one of topics.
func onOneOf(s *statement, municipality, contact string, topics []string) string {
	return fmt.Sprintf(`(SELECT 1 FROM subscription o WHERE o.municipality_id = %s AND o.contact_id = %s AND o.state = 1 AND o.topic IN (%s) LIMIT 1)`, municipality, contact, s.puts(topics))
}

// holds writes the condition that a contact is a recipient of b.
func (b *Broadcast) holds(s *statement, municipality, contact string) {
	s.WriteString(onOneOf(s, municipality, contact, b.Lists) + ` IS NOT NULL`)
	b.narrow(s, municipality, contact)
}

// page is recipients, the first limit of them.
func (b *Broadcast) page(s *statement, m *municipality.Municipality, after int64, limit int) {
	b.recipients(s, m, after)
	s.WriteString(` ORDER BY s.contact_id LIMIT ` + s.put(limit))
}

// stays is the condition that the contact of a copy, a row of table, still is a recipient of b, and not blocked on its
// number.
func (b *Broadcast) stays(table string, offset int) (string, []any) {
	s := statement{offset: offset}
	b.holds(&s, table+".municipality_id", table+".contact_id")
	s.WriteString(` AND ` + conversation.NotBlocked(table))
	return s.String(), s.args
}

// planned is a broadcast that is only looked at; what its author has not filled in yet is left out.
func planned(ctx context.Context, tx *db.Tx, m *municipality.Municipality, p Plan) (Broadcast, error) {
	b := Broadcast{Plan: p}
	if err := b.checkAudience(m); err != nil {
		return b, err
	}
	return b, b.fill(ctx, tx, m, false)
}

// Look tells what is known of a broadcast before it is sent. It fails where it could not be sent as it is.
func Look(ctx context.Context, tx *db.Tx, m *municipality.Municipality, p Plan) (Estimate, error) {
	b, err := planned(ctx, tx, m, p)
	if err != nil {
		return Estimate{}, err
	}
	e := Estimate{ByNumber: make(map[string]int)}
	if err := b.count(ctx, tx, m, &e); err != nil {
		return Estimate{}, err
	}
	if e.NoDistrict, err = b.leftOut(ctx, tx, m, func(o *Broadcast) { o.Districts = nil }, e.Recipients); err != nil {
		return Estimate{}, err
	}
	if e.Refused, err = b.leftOut(ctx, tx, m, func(o *Broadcast) { o.Category = "" }, e.Recipients); err != nil {
		return Estimate{}, err
	}
	if err := b.leaveBlocked(ctx, tx, m, &e); err != nil {
		return Estimate{}, err
	}
	if e.Limit, err = reachable(ctx, tx, m, b.urgent()); err != nil {
		return Estimate{}, err
	}
	e.Duration, e.Days = b.duration(m, e), 1
	if a := daily(m, b.urgent()); a > 0 && e.Recipients-e.Free > e.Limit {
		e.Days += (e.Recipients - e.Free - e.Limit + a - 1) / a
	}
	e.Price = b.price(m, e)
	return e, nil
}

// count counts the recipients by number, and those whose window is open.
func (b *Broadcast) count(ctx context.Context, tx *db.Tx, m *municipality.Municipality, e *Estimate) error {
	if b.wholeList() && len(m.Numbers) == 1 {
		n, err := CountSubscribers(ctx, tx, m.ID)
		if n := n[b.Lists[0]]; n > 0 {
			e.Recipients, e.ByNumber[m.Numbers[0].PhoneNumberID] = n, n
		}
		return err
	}
	s := statement{}
	s.WriteString(`SELECT r.number, count(*), `)
	free := `0`
	if b.Free != "" {
		free = `sum(CASE WHEN EXISTS (SELECT 1 FROM message i WHERE i.municipality_id = ` + s.put(m.ID) + ` AND i.contact_id = r.contact_id AND i.number = r.number
			AND i.at > ` + s.put(tx.Now().Add(-conversation.Window)) + ` AND i.direction = 'in' AND i.type <> 'system') THEN 1 ELSE 0 END)`
	}
	s.WriteString(free + ` FROM (`)
	b.recipients(&s, m, 0)
	s.WriteString(`) r GROUP BY r.number`)
	err := tx.Query(ctx, s.String(), [][]any{s.args}, func(_ int, row db.Scanner) error {
		var number string
		var n, free int
		err := row.Scan(&number, &n, &free)
		e.ByNumber[number] = n
		e.Recipients += n
		e.Free += free
		return err
	})
	if err != nil {
		return fmt.Errorf("count the recipients: %w", err)
	}
	return nil
}

// leaveBlocked takes the citizens out of the estimate who are blocked on the number they would get it from.
func (b *Broadcast) leaveBlocked(ctx context.Context, tx *db.Tx, m *municipality.Municipality, e *Estimate) error {
	numbers := make([]string, len(m.Numbers))
	for i, n := range m.Numbers {
		numbers[i] = n.PhoneNumberID
	}
	s := statement{}
	free := `0`
	if b.Free != "" {
		free = `CASE WHEN EXISTS (SELECT 1 FROM message i WHERE i.municipality_id = k.municipality_id AND i.contact_id = k.contact_id AND i.number = k.number
			AND i.at > ` + s.put(tx.Now().Add(-conversation.Window)) + ` AND i.direction = 'in' AND i.type <> 'system') THEN 1 ELSE 0 END`
	}
	fmt.Fprintf(&s, `SELECT k.number, %s FROM blocked k WHERE k.municipality_id = %s AND k.number = (
		SELECT min(CASE WHEN s.number IN (%s) THEN s.number ELSE %s END) FROM subscription s
		WHERE s.municipality_id = k.municipality_id AND s.contact_id = k.contact_id AND s.state = 1 AND s.topic IN (%s))`,
		free, s.put(m.ID), s.puts(numbers), s.put(numbers[0]), s.puts(b.Lists))
	b.narrow(&s, "k.municipality_id", "k.contact_id")
	err := tx.Query(ctx, s.String(), [][]any{s.args}, func(_ int, row db.Scanner) error {
		var number string
		var free int
		err := row.Scan(&number, &free)
		e.Blocked++
		e.Recipients--
		e.ByNumber[number]--
		e.Free -= free
		return err
	})
	if err != nil {
		return fmt.Errorf("count the recipients who are blocked: %w", err)
	}
	return nil
}

// wholeList reports whether the recipients are all who are on one list, whose number is known.
func (b *Broadcast) wholeList() bool {
	return len(b.Lists) == 1 && len(b.Districts) == 0 && len(b.Exclude) == 0 && b.Category != marketing && b.Free == ""
}

// leftOut is how many more there would be if one condition were not.
func (b *Broadcast) leftOut(ctx context.Context, tx *db.Tx, m *municipality.Municipality, without func(*Broadcast), have int) (int, error) {
	other := *b
	without(&other)
	if len(other.Districts) == len(b.Districts) && other.Category == b.Category || b.Category != marketing && len(b.Districts) == 0 {
		return 0, nil
	}
	other.Free = ""
	e := Estimate{ByNumber: make(map[string]int)}
	err := other.count(ctx, tx, m, &e)
	return max(0, e.Recipients-have), err
}

// share is what broadcasts get of a number's rate, as measured: sends keep below it, and leave room to replies.
const share = 0.86

func (b *Broadcast) duration(m *municipality.Municipality, e Estimate) (longest time.Duration) {
	for number, n := range e.ByNumber {
		took := time.Duration(float64(n) / (share * m.Health(number).Rate()) * float64(time.Second))
		longest = max(longest, took)
	}
	return longest
}

// price is by the municipality's own list; free-form text costs what Meta calls a service message.
func (b *Broadcast) price(m *municipality.Municipality, e Estimate) Price {
	list := m.File.Prices
	if list == nil {
		return Price{}
	}
	each := list.Utility
	if b.Category == marketing {
		each = list.Marketing
	}
	return Price{Known: true, Currency: list.Currency, Each: each, Total: float64(e.Recipients-e.Free)*each + float64(e.Free)*list.Service}
}

// Preview is what one recipient will read.
type Preview struct {
	Contact contact.Contact
	Free    bool // as plain text: their window is open
	Text    string
}

// Sample shows what up to n real recipients will read. With nobody on the lists yet it is one without a
// contact.
func Sample(ctx context.Context, tx *db.Tx, actor staff.Actor, m *municipality.Municipality, p Plan, n int) ([]Preview, error) {
	if err := actor.Require(staff.ManageBroadcasts, m.ID); err != nil {
		return nil, err
	}
	b, err := planned(ctx, tx, m, p)
	if err != nil {
		return nil, err
	}
	ids, free, err := b.sample(ctx, tx, m, n)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return []Preview{{Text: conversation.Personal(b.Reads, "", b.Template.Language)}}, nil
	}
	contacts, err := contact.ByID(ctx, tx, m.ID, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Preview, len(ids))
	for i, id := range ids {
		text := b.Reads
		if free[i] {
			text = b.Free
		}
		out[i] = Preview{Contact: contacts[id], Free: free[i], Text: conversation.Personal(text, contacts[id].Name, b.Template.Language)}
	}
	return out, nil
}

func (b *Broadcast) sample(ctx context.Context, tx *db.Tx, m *municipality.Municipality, n int) (ids []int64, free []bool, err error) {
	s := statement{}
	fmt.Fprintf(&s, `SELECT r.contact_id, EXISTS (SELECT 1 FROM message i WHERE i.municipality_id = %s AND i.contact_id = r.contact_id AND i.number = r.number
		AND i.at > %s AND i.direction = 'in' AND i.type <> 'system') FROM (`, s.put(m.ID), s.put(tx.Now().Add(-conversation.Window)))
	b.page(&s, m, 0, n)
	s.WriteString(`) r`)
	err = tx.Query(ctx, s.String(), [][]any{s.args}, func(_ int, row db.Scanner) error {
		var id int64
		var open bool
		err := row.Scan(&id, &open)
		ids, free = append(ids, id), append(free, open && b.Free != "")
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("look for sample recipients: %w", err)
	}
	return ids, free, nil
}
