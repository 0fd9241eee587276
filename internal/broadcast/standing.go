// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// order is where a word stands among all words of a citizen, whenever each is processed (invariant 13).
type order struct {
	at     time.Time
	place  int
	source string
}

func (o order) before(p order) bool {
	return cmp.Or(o.at.Compare(p.at), cmp.Compare(o.place, p.place), cmp.Compare(o.source, p.source)) < 0
}

// stored is the time for a column that may be null: of no word there is none.
func (o order) stored() *time.Time {
	if o.at.IsZero() {
		return nil
	}
	return &o.at
}

// standing is all that is known of one citizen as a subscriber. This is the one place where subscriptions
// change: of each topic the latest word decides, plain leaving is a word about every topic, and what was
// joined before the last change of number is suspended.
type standing struct {
	contact    int64
	last       order // the last word applied
	left       order // the last that left everything
	moved      order // the last change of number
	topics     map[string]*subscribed
	dirty      bool
	joins      []movement // what changed since it was read
	departures []movement
}

type subscribed struct {
	state  SubscriptionState
	was    SubscriptionState // as it is stored
	number string
	since  time.Time
	word   order // the one that decided
	dirty  bool
}

// movement is a topic that began or ceased to reach the citizen, and why, if it was by no word or form.
type movement struct{ topic, number, reason string }

// The reasons.
const (
	numberChanged = "number"
	contactMerged = "merge" // one subscriber instead of two
)

func (s *standing) state(topic string) SubscriptionState {
	if t := s.topics[topic]; t != nil {
		return t.state
	}
	return Off
}

// in lists the topics in a state, in no order.
func (s *standing) in(states ...SubscriptionState) []string {
	var out []string
	for topic, t := range s.topics {
		if slices.Contains(states, t.state) {
			out = append(out, topic)
		}
	}
	return out
}

// note remembers the last word applied, and tells whether w is to be answered: WhatsApp's times are whole seconds, and
// of two words in one the answer to either may be the one that the citizen waits for.
func (s *standing) note(w order) bool {
	if s.last.before(w) {
		s.last, s.dirty = w, true
	}
	return !w.at.Before(s.last.at)
}

// join puts the citizen on topic by the word w, and tells whether anything reaches them by that which did not before.
func (s *standing) join(topic, number string, w order) bool {
	t := s.topics[topic]
	if t == nil {
		t = &subscribed{}
		s.topics[topic] = t
	}
	if !t.word.before(w) || w.before(s.left) {
		return false
	}
	was := t.state
	t.word, t.number, t.dirty = w, number, true
	switch {
	case w.before(s.moved):
		t.set(Suspended, w.at)
	case was == On: // nothing changes but the word, and from where they get it
	default:
		t.set(On, w.at)
		s.joins = append(s.joins, movement{topic: topic, number: number})
		return true
	}
	return false
}

// leave takes the citizen off topic by the word w, and tells whether they were on it.
func (s *standing) leave(topic string, w order) bool {
	t := s.topics[topic]
	if t == nil { // remembered: an earlier word may yet be processed
		t = &subscribed{}
		s.topics[topic] = t
	}
	if !t.word.before(w) {
		return false
	}
	was := t.state
	t.word, t.dirty = w, true
	if was == On {
		s.departures = append(s.departures, movement{topic: topic, number: t.number})
	}
	if was != Off {
		t.set(Off, w.at)
	}
	return was != Off
}

// leaveAll takes the citizen off everything they joined before w, and returns what they were on.
func (s *standing) leaveAll(w order) []string {
	if s.left.before(w) {
		s.left, s.dirty = w, true
	}
	var out []string
	for _, topic := range slices.Sorted(maps.Keys(s.topics)) {
		if s.leave(topic, w) {
			out = append(out, topic)
		}
	}
	return out
}

// move suspends what the citizen joined before their number changed, and returns what that is.
func (s *standing) move(w order) []string {
	if s.moved.before(w) {
		s.moved, s.dirty = w, true
	}
	var out []string
	for _, topic := range slices.Sorted(maps.Keys(s.topics)) {
		if t := s.topics[topic]; t.state == On && t.word.before(w) {
			t.dirty = true
			t.set(Suspended, w.at)
			s.departures = append(s.departures, movement{topic, t.number, numberChanged})
			out = append(out, topic)
		}
	}
	return out
}

func (t *subscribed) set(state SubscriptionState, at time.Time) {
	if t.state != state {
		t.state, t.since = state, at
	}
}

// absorb is what s is once from has turned out to be the same citizen: of each topic the later word holds.
func (s *standing) absorb(from *standing) {
	for topic, t := range from.topics {
		have := s.topics[topic]
		if have != nil && have.state == On && t.state == On {
			s.departures = append(s.departures, movement{topic, t.number, contactMerged})
		}
		switch {
		case have == nil || have.word.before(t.word):
			if have != nil && have.state == On && t.state != On {
				s.departures = append(s.departures, movement{topic, have.number, contactMerged})
			}
			moved := *t
			moved.dirty, moved.was = true, Off
			if have != nil {
				moved.was = have.was
			}
			s.topics[topic] = &moved
		case t.state == On && have.state != On:
			s.departures = append(s.departures, movement{topic, t.number, contactMerged})
		}
	}
	s.last, s.dirty = later(s.last, from.last), true
	s.moved = later(s.moved, from.moved)
	s.left = later(s.left, from.left)
	s.leaveAll(s.left)
	s.move(s.moved)
}

func later(a, b order) order {
	if a.before(b) {
		return b
	}
	return a
}

// standings reads what is known of contacts. To change them, hold is true: on PostgreSQL other instances wait then,
// each in the order of contacts, so that the words of a citizen are applied one after another.
func standings(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64, hold bool) (map[int64]*standing, error) {
	contacts = slices.Compact(slices.Sorted(slices.Values(contacts)))
	rows := make([][]any, len(contacts))
	out := make(map[int64]*standing, len(contacts))
	for i, id := range contacts {
		rows[i] = []any{municipality, id}
		out[id] = &standing{contact: id, topics: make(map[string]*subscribed)}
	}
	query := `SELECT at, place, source, left_at, left_place, left_source, moved_at, moved_place, moved_source FROM subscriber WHERE municipality_id = $1 AND contact_id = $2`
	if hold {
		_, err := tx.Exec(ctx, `INSERT INTO subscriber (municipality_id, contact_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, with(rows, time.Unix(0, 0).UTC()))
		if err != nil {
			return nil, fmt.Errorf("make subscribers: %w", err)
		}
		if tx.Engine == db.PostgreSQL {
			query += ` FOR UPDATE`
		}
	}
	err := tx.Query(ctx, query, rows, func(i int, row db.Scanner) error {
		s := out[contacts[i]]
		var left, moved *time.Time
		err := row.Scan(&s.last.at, &s.last.place, &s.last.source, &left, &s.left.place, &s.left.source, &moved, &s.moved.place, &s.moved.source)
		s.last.at = s.last.at.UTC()
		s.left.at, s.moved.at = timeOf(left), timeOf(moved)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read subscribers: %w", err)
	}
	err = tx.Query(ctx, `SELECT topic, state, number, since, at, place, source FROM subscription WHERE municipality_id = $1 AND contact_id = $2`, rows, func(i int, row db.Scanner) error {
		t, topic := &subscribed{}, ""
		err := row.Scan(&topic, &t.state, &t.number, &t.since, &t.word.at, &t.word.place, &t.word.source)
		t.was, t.since, t.word.at = t.state, t.since.UTC(), t.word.at.UTC()
		out[contacts[i]].topics[topic] = t
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	return out, nil
}

// Hold makes other instances wait for all that a transaction is going to change of contacts, in one pass in their
// order: one pass for merges, another for what Meta was told and a third for words would wait for each other.
func Hold(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) error {
	if tx.Engine != db.PostgreSQL {
		return nil
	}
	var rows [][]any
	for _, id := range slices.Compact(slices.Sorted(slices.Values(contacts))) {
		rows = append(rows, []any{municipality, id})
	}
	if _, err := tx.Exec(ctx, `SELECT 1 FROM subscriber WHERE municipality_id = $1 AND contact_id = $2 FOR UPDATE`, rows); err != nil {
		return fmt.Errorf("hold subscribers: %w", err)
	}
	return nil
}

func with(rows [][]any, more ...any) [][]any {
	out := make([][]any, len(rows))
	for i, r := range rows {
		out[i] = append(slices.Clone(r), more...)
	}
	return out
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// save writes what changed.
func save(ctx context.Context, tx *db.Tx, municipality int64, all map[int64]*standing) error {
	var people, lists [][]any
	more := make(map[string]int64)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		s := all[id]
		if s.dirty {
			people = append(people, []any{municipality, id, s.last.at, s.last.place, s.last.source, s.left.stored(), s.left.place, s.left.source,
				s.moved.stored(), s.moved.place, s.moved.source})
		}
		for _, topic := range slices.Sorted(maps.Keys(s.topics)) {
			if t := s.topics[topic]; t.dirty {
				since := t.since
				if since.IsZero() {
					since = t.word.at
				}
				more[topic] += counts(t.state) - counts(t.was)
				t.was = t.state
				lists = append(lists, []any{municipality, id, topic, int16(t.state), t.number, since, t.word.at, t.word.place, t.word.source})
			}
		}
	}
	_, err := tx.Exec(ctx, `UPDATE subscriber SET at = $3, place = $4, source = $5, left_at = $6, left_place = $7, left_source = $8,
		moved_at = $9, moved_place = $10, moved_source = $11 WHERE municipality_id = $1 AND contact_id = $2`, people)
	if err != nil {
		return fmt.Errorf("save subscribers: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at, place, source) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (municipality_id, contact_id, topic) DO UPDATE SET state = excluded.state, number = excluded.number, since = excluded.since,
		at = excluded.at, place = excluded.place, source = excluded.source`, lists)
	if err != nil {
		return fmt.Errorf("save subscriptions: %w", err)
	}
	return countMore(ctx, tx, municipality, more)
}

// countMore keeps how many subscribers there are when so many more are on each list, or fewer.
func countMore(ctx context.Context, tx *db.Tx, municipality int64, more map[string]int64) error {
	var changed [][]any
	for _, topic := range slices.Sorted(maps.Keys(more)) {
		if more[topic] != 0 {
			changed = append(changed, []any{municipality, topic, more[topic]})
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO subscribers (municipality_id, topic, count) VALUES ($1, $2, $3)
		ON CONFLICT (municipality_id, topic) DO UPDATE SET count = subscribers.count + excluded.count`, changed)
	if err != nil {
		return fmt.Errorf("count subscribers: %w", err)
	}
	return nil
}

// counts is what somebody in this state adds to the number of subscribers.
func counts(s SubscriptionState) int64 {
	if s == On {
		return 1
	}
	return 0
}
