// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is one line of the table.
type result struct {
	row, engine string
	figure      string
	limit       string // what the same machine does in the same run, "" where there is none
	ratio       string
	target      string // "" where the figure is only told
	met         bool
}

func (r result) verdict() string {
	switch {
	case r.target == "":
		return ""
	case r.met:
		return "ok"
	}
	return "MISS"
}

var headings = []string{"what", "database", "figure", "limit", "ratio", "target", ""}

func (r result) cells() []string {
	return []string{r.row, r.engine, r.figure, r.limit, r.ratio, r.target, r.verdict()}
}

// printPlain writes the results as a table for a terminal.
func printPlain(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(t, strings.Join(headings, "\t")); err != nil {
		return err
	}
	for _, r := range results {
		if _, err := fmt.Fprintln(t, strings.Join(r.cells(), "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// printMarkdown writes the results as docs/performance.md has them.
func printMarkdown(w io.Writer, results []result) error {
	rows := [][]string{headings, slices.Repeat([]string{"---"}, len(headings))}
	for _, r := range results {
		rows = append(rows, r.cells())
	}
	for _, cells := range rows {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
			return err
		}
	}
	return nil
}

// times are the latencies of many requests.
type times []time.Duration

// at is the latency that the share q of the requests does not exceed. It sorts t.
func (t times) at(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	slices.Sort(t)
	return t[min(len(t)-1, int(q*float64(len(t))))]
}

func (t times) p50() time.Duration { return t.at(.50) }
func (t times) p99() time.Duration { return t.at(.99) }
func (t times) max() time.Duration { return t.at(1) }

func (t times) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, max %s ms", ms(t.p50()), ms(t.p99()), ms(t.max()))
}

// ms writes d in milliseconds, with two significant digits below ten.
func ms(d time.Duration) string {
	n := float64(d) / float64(time.Millisecond)
	if n < 10 {
		return fmt.Sprintf("%.2g", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// rates are what several rounds of one measurement gave, in events a second.
type rates []float64

func (r rates) median() float64 {
	if len(r) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r))
	return sorted[(len(sorted)-1)/2]
}

// String is the median with the spread of the rounds.
func (r rates) String() string {
	if len(r) == 0 {
		return "none"
	}
	if len(r) == 1 {
		return perSecond(r[0])
	}
	return fmt.Sprintf("%s (%s–%s)", perSecond(r.median()), thousands(slices.Min(r)), thousands(slices.Max(r)))
}

func perSecond(n float64) string { return thousands(n) + "/s" }

func thousands(n float64) string {
	whole := int(n + .5)
	if whole < 1000 {
		return fmt.Sprint(whole)
	}
	return thousands(float64(whole/1000)) + fmt.Sprintf(",%03d", whole%1000)
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
