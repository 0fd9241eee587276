// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Figures are the numbers of lists and broadcasts over a period that ends today.
type Figures struct {
	Period      Period
	Subscribers int // of all lists: who is on two counts twice
	Joined      int
	Left        int
	Delivered   int // copies of broadcasts
	Growth      Chart
	Movement    Flow
	Ways        []Way
	WaysFile    string
	Broadcasts  []Reached
	More        bool // there are earlier ones in the period that are not listed
	File        string
	Costs       Costs
}

// Period is how far back the figures go.
type Period string

// The periods.
const (
	Month   Period = "month"
	Quarter Period = "quarter"
	Year    Period = "year"
)

// Periods lists the periods, the shortest first.
func Periods() []Period { return []Period{Month, Quarter, Year} }

func periodKey(p Period) locale.Key { return locale.Key("desk.figures.period_" + string(p)) }

// Way is by which way citizens joined and left.
type Way struct {
	Label        string
	Joined, Left int
}

// Reached is a broadcast with how far it came.
type Reached struct {
	ID            string
	At            time.Time
	Text          string
	Mark          string // exercise, emergency or all-clear, in a word; "" for none
	Recipients    int
	Delivered     float64 // share of the recipients, 0 to 1
	Read          float64
	P50, P90, P99 time.Duration // 0: not known
	Cost          string        // "" when it is not known
}

// Costs are what the broadcasts of the period cost, by Meta's category.
type Costs struct {
	Known bool
	Rows  []Cost
	Total string
}

// Cost is what the messages of a category cost.
type Cost struct {
	Category  string // utility, marketing
	Delivered int
	Each      string
	Total     string
}

func costKey(category string) locale.Key { return locale.Key("desk.figures.category_" + category) }

// lasted writes a time to reach so many; what is not known is a dash.
func lasted(ctx context.Context, d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d < time.Second:
		return t(ctx, "desk.figures.instant")
	default:
		return language(ctx).Duration(d)
	}
}

func percent(ctx context.Context, share float64) string { return language(ctx).Percent(share) }
