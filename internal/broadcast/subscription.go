// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// SubscriptionState is what a citizen is to a list.
type SubscriptionState int16

// The states of a subscription.
const (
	Off       SubscriptionState = iota
	On                          // they get it
	Suspended                   // their number changed: they get nothing until they confirm
)

// Subscription is a list, or a district, that a citizen joined.
type Subscription struct {
	Topic  string // its keyword
	State  SubscriptionState
	Number string    // phone number id from which they get it
	Since  time.Time // when the state began
}

// SubscriptionsOf are the citizen's, On and Suspended only, by topic.
func SubscriptionsOf(ctx context.Context, tx *db.Tx, municipality, contactID int64) ([]Subscription, error) {
	var out []Subscription
	err := tx.Query(ctx, `SELECT topic, state, number, since FROM subscription WHERE municipality_id = $1 AND contact_id = $2 AND state <> 0 ORDER BY topic`,
		[][]any{{municipality, contactID}}, func(_ int, row db.Scanner) error {
			var s Subscription
			err := row.Scan(&s.Topic, &s.State, &s.Number, &s.Since)
			s.Since = s.Since.UTC()
			out = append(out, s)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read the subscriptions of contact %d: %w", contactID, err)
	}
	return out, nil
}

// CountSubscribers tells how many there are by topic.
func CountSubscribers(ctx context.Context, tx *db.Tx, municipality int64) (map[string]int, error) {
	out := make(map[string]int)
	err := tx.Query(ctx, `SELECT topic, count FROM subscribers WHERE municipality_id = $1 AND count > 0`, [][]any{{municipality}},
		func(_ int, row db.Scanner) error {
			var topic string
			var n int
			err := row.Scan(&topic, &n)
			out[topic] = n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("count subscribers: %w", err)
	}
	return out, nil
}

// Subscriber is a citizen on a list.
type Subscriber struct {
	contact.Contact
	Since time.Time
}

// Subscribers is a page of those of topic, by contact; after is the last contact of the page before, 0 begins. next
// is where the next page begins, 0 when there is none.
func Subscribers(ctx context.Context, tx *db.Tx, municipality int64, topic string, after int64, limit int) (page []Subscriber, next int64, err error) {
	var ids []int64
	since := make(map[int64]time.Time)
	err = tx.Query(ctx, `SELECT contact_id, since FROM subscription WHERE municipality_id = $1 AND topic = $2 AND contact_id > $3 AND state = 1
		ORDER BY contact_id LIMIT $4`, [][]any{{municipality, topic, after, limit + 1}}, func(_ int, row db.Scanner) error {
		var id int64
		var at time.Time
		err := row.Scan(&id, &at)
		ids, since[id] = append(ids, id), at.UTC()
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the subscribers of %s: %w", topic, err)
	}
	if len(ids) > limit {
		ids = ids[:limit]
		next = ids[limit-1]
	}
	contacts, err := contact.ByID(ctx, tx, municipality, ids)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		page = append(page, Subscriber{Contact: contacts[id], Since: since[id]})
	}
	return page, next, nil
}

// topicNames are what the topics of a file are called, in its order: lists, then districts.
func topicNames(f *municipality.File, topics []string) []string {
	var out []string
	for _, l := range f.Lists {
		if slices.Contains(topics, l.Keyword) {
			out = append(out, l.Name)
		}
	}
	for _, d := range f.Districts {
		if slices.Contains(topics, d.Keyword) {
			out = append(out, d.Name)
		}
	}
	return out
}

// isTopic tells whether the file has a list or a district with this keyword.
func isTopic(f *municipality.File, keyword string) bool {
	return isList(f, keyword) || slices.ContainsFunc(f.Districts, func(d municipality.District) bool { return d.Keyword == keyword })
}

func isList(f *municipality.File, keyword string) bool {
	return slices.ContainsFunc(f.Lists, func(l municipality.List) bool { return l.Keyword == keyword })
}

func allLists(f *municipality.File) []string {
	out := make([]string, len(f.Lists))
	for i, l := range f.Lists {
		out[i] = l.Keyword
	}
	return out
}
