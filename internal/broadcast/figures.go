// SPDX-License-Identifier: AGPL-3.0-or-later

package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Movement is how many joined and left a list or a district on a day, by the way they took.
type Movement struct {
	Day          string // 2026-11-24
	Topic        string
	Channel      string // whatsapp, page, counter, import; of those who left also number (it changed) and merge (one citizen, not two)
	Joined, Left int
}

// Movements are those from the day from on, by day, topic and channel.
func Movements(ctx context.Context, tx *db.Tx, municipality int64, from string) ([]Movement, error) {
	var out []Movement
	at := map[[3]string]int{}
	err := tx.Query(ctx, `SELECT day, name, count FROM tally WHERE municipality_id = $1 AND day >= $2 AND (name LIKE 'joined:%' OR name LIKE 'left:%')`,
		[][]any{{municipality, from}}, func(_ int, row db.Scanner) error {
			var day, name string
			var count int
			if err := row.Scan(&day, &name, &count); err != nil {
				return err
			}
			verb, rest, _ := strings.Cut(name, ":")
			topic, channel, _ := strings.Cut(rest, ":")
			key := [3]string{day, topic, channel}
			if _, ok := at[key]; !ok {
				at[key] = len(out)
				out = append(out, Movement{Day: day, Topic: topic, Channel: channel})
			}
			if m := &out[at[key]]; verb == "joined" {
				m.Joined += count
			} else {
				m.Left += count
			}
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read who joined and left since %s: %w", from, err)
	}
	slices.SortFunc(out, func(a, b Movement) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Channel, b.Channel))
	})
	return out, nil
}

// Days are the n days that end with the one of now, in its time zone.
func Days(now time.Time, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = time.Date(now.Year(), now.Month(), now.Day()-n+1+i, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	return out
}

// Curve is how many subscribers a topic had at the end of each day, walked back from how many it has now:
// the daily counts outlive the citizens they count. Where they don't add up nobody is below zero.
func Curve(now int, topic string, days []string, movements []Movement) []int {
	change := map[string]int{}
	for _, m := range movements {
		if m.Topic == topic {
			change[m.Day] += m.Joined - m.Left
		}
	}
	out := make([]int, len(days))
	for i, count := len(days)-1, now; i >= 0; i-- {
		out[i] = max(count, 0)
		count -= change[days[i]]
	}
	return out
}

// Flow sums up the movements of topics by day.
func Flow(topics, days []string, movements []Movement) (joined, left []int) {
	at := make(map[string]int, len(days))
	for i, day := range days {
		at[day] = i
	}
	joined, left = make([]int, len(days)), make([]int, len(days))
	for _, m := range movements {
		if i, ok := at[m.Day]; ok && slices.Contains(topics, m.Topic) {
			joined[i] += m.Joined
			left[i] += m.Left
		}
	}
	return joined, left
}

// Started are the broadcasts that began to be sent since then, newest first, with their reach as last counted.
func Started(ctx context.Context, tx *db.Tx, municipality int64, since time.Time, limit int) ([]Broadcast, error) {
	var out []Broadcast
	err := tx.Query(ctx, `SELECT broadcast_id, state, emergency, exercise, ends, reads, category, free, started_at, recipients, reach FROM broadcast
		WHERE municipality_id = $1 AND started_at >= $2 ORDER BY started_at DESC, broadcast_id DESC LIMIT CAST($3 AS integer)`,
		[][]any{{municipality, since, limit}}, func(_ int, row db.Scanner) error {
			var b Broadcast
			var started time.Time
			var reach db.JSON
			if err := row.Scan(&b.ID, &b.State, &b.Emergency, &b.Exercise, &b.Ends, &b.Reads, &b.Category, &b.Free, &started, &b.Recipients, &reach); err != nil {
				return err
			}
			started = started.UTC()
			b.StartedAt = &started
			out = append(out, b)
			return reach.Into(&out[len(out)-1].Reach)
		})
	if err != nil {
		return nil, fmt.Errorf("read the broadcasts since %s: %w", since.Format(time.RFC3339), err)
	}
	return out, nil
}

// Cost is what Meta asks for a broadcast's delivered messages by a price list, as if all were templates: plain
// texts to open windows cost the service's price, which is the same or less. Without a list it is not known.
func Cost(prices *municipality.Prices, category string, delivered int) Price {
	each, known := prices.Of(category)
	if !known {
		return Price{}
	}
	return Price{Known: true, Currency: prices.Currency, Each: each, Total: each * float64(delivered)}
}
