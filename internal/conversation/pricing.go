// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
)

// Pricing is how Meta counts a message: category and type with a colon between, such as utility:regular.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/pricing
type Pricing string

// PricingOf makes one of Meta's words. Those of before July 2025 have no type: then billable decides. Categories are
// written with hyphens or underscores.
func PricingOf(category, kind string, billable bool) Pricing {
	if category == "" && kind == "" {
		return ""
	}
	free := map[bool]string{true: "regular", false: "free"}[billable]
	word := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "_", ":", "_").Replace(s)) }
	return Pricing(cmp.Or(word(category), "unknown") + ":" + cmp.Or(word(kind), free))
}

// Category is Meta's: service, utility, marketing, authentication…
func (p Pricing) Category() string {
	category, _, _ := strings.Cut(string(p), ":")
	return category
}

// Type is Meta's: regular is charged, all that begin with free are not, of others the price is unknown.
func (p Pricing) Type() string {
	_, kind, _ := strings.Cut(string(p), ":")
	return kind
}

// costs begins the names of the tallies of delivered messages by how Meta counts them.
const costs = "cost:"

func (p Pricing) tally(c Change) Tally {
	return Tally{Day: c.At.UTC().Format(time.DateOnly), Number: c.Number, Name: costs + string(p)}
}

// priceLate keeps the pricing of changes that moved no message: it may come with the status that arrives last.
func priceLate(ctx context.Context, tx *db.Tx, municipality int64, which string, changes []Change, moved []bool, tallies map[Tally]int64) error {
	var rows [][]any
	var late []Change
	for i, c := range changes {
		if c.Pricing != "" && !moved[i] {
			rows, late = append(rows, []any{municipality, c.ExternalID, c.MessageID, c.Number, string(c.Pricing)}), append(late, c)
		}
	}
	err := tx.Query(ctx, `UPDATE message SET pricing = CAST($5 AS text), priced = CASE WHEN status >= 70 AND status < 100 AND priced < 2 THEN priced + 1 ELSE priced END
		WHERE municipality_id = $1 AND number = $4 AND direction = 'out' AND pricing = '' AND status < 100`+which+` RETURNING priced`, rows, func(i int, row db.Scanner) error {
		var priced int
		err := row.Scan(&priced)
		if priced == 1 {
			tallies[late[i].Pricing.tally(late[i])]++
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("keep pricing: %w", err)
	}
	return nil
}

// Cost is how many messages of one kind were delivered.
type Cost struct {
	Pricing Pricing
	Count   int64
}

// MonthCosts counts what was delivered in the month of at, by number, the most first.
func MonthCosts(ctx context.Context, tx *db.Tx, municipality int64, at time.Time) (map[string][]Cost, error) {
	month := at.UTC().Format("2006-01")
	out := make(map[string][]Cost)
	err := tx.Query(ctx, `SELECT number, name, CAST(sum(count) AS bigint) FROM tally WHERE municipality_id = $1 AND day >= $2 AND day <= $3 AND name >= $4 AND name < $5 GROUP BY number, name`,
		[][]any{{municipality, month + "-01", month + "-31", costs, "cost;"}}, func(_ int, row db.Scanner) error {
			var number, name string
			var c Cost
			err := row.Scan(&number, &name, &c.Count)
			c.Pricing = Pricing(strings.TrimPrefix(name, costs))
			out[number] = append(out[number], c)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("sum the costs of municipality %d: %w", municipality, err)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b Cost) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Pricing, b.Pricing)) })
	}
	return out, nil
}
