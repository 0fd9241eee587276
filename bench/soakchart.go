// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"encoding/csv"
	"fmt"
	"html"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The drawing of a soak: panels below each other over the same minutes.
const (
	soakWidth  = 1000
	soakLeft   = 70
	soakRight  = 150 // for the names of the lines
	soakHeight = 150 // of a panel
	soakGap    = 62
	soakTop    = 34
)

type panel struct {
	title string
	unit  string
	lines []soakLine
}

type soakLine struct {
	name   string
	column string
	scale  float64
	dash   string // beside its colour, a line is told by its dashes and its name
	colour string
}

const megabyte = 1e-6

var soakPanels = []panel{
	{"Memory of serve", "MB", []soakLine{{"memory", "memory_bytes", megabyte, "", "#0066cc"}}},
	{"Size on the disk", "MB", []soakLine{{"database", "database_bytes", megabyte, "", "#0066cc"}, {"in use", "used_bytes", megabyte, "7 4", "#008055"}, {"journal", "journal_bytes", megabyte, "2 3", "#a66300"}}},
	{"Latency, p99 of ten seconds", "ms", []soakLine{{"webhook", "intake_p99_ms", 1, "", "#0066cc"}, {"reply", "reply_p99_ms", 1, "7 4", "#008055"}, {"inbox page", "inbox_p99_ms", 1, "2 3", "#a66300"}}},
	{"Oldest webhook not yet conversation, at most", "ms", []soakLine{{"lag", "lag_max_ms", 1, "", "#0066cc"}}},
	{"Processes that want one of the cores", "over a minute", []soakLine{{"load", "load", 1, "", "#0066cc"}}},
	{"Old messages deleted so far", "thousands", []soakLine{{"deleted", "messages_deleted", 1e-3, "", "#0066cc"}}},
}

// drawSoak draws the samples in a file and writes the drawing beside it.
func drawSoak(file string) error {
	columns, err := readSoak(file)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(file, ".csv") + ".svg"
	if err := os.WriteFile(name, []byte(soakSVG(columns)), 0o644); err != nil {
		return fmt.Errorf("write the chart of the soak: %w", err)
	}
	return nil
}

func readSoak(file string) (map[string][]float64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the samples of the soak: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the samples of the soak: %w", err)
	}
	if len(rows) < 3 {
		return nil, fmt.Errorf("%s has no samples", file)
	}
	columns := make(map[string][]float64)
	for _, row := range rows[1:] {
		for i, cell := range row {
			n, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, fmt.Errorf("read the samples of the soak: %w", err)
			}
			columns[rows[0][i]] = append(columns[rows[0][i]], n)
		}
	}
	for _, name := range soakColumns {
		if len(columns[name]) == 0 {
			return nil, fmt.Errorf("%s has no column %s", file, name)
		}
	}
	return columns, nil
}

func soakSVG(columns map[string][]float64) string {
	seconds := columns["second"]
	last := seconds[len(seconds)-1]
	height := soakTop + len(soakPanels)*(soakHeight+soakGap)
	var b, told strings.Builder
	for i, p := range soakPanels {
		p.draw(&b, columns, seconds, last, soakTop+i*(soakHeight+soakGap))
		for _, l := range p.lines {
			all := l.of(columns)
			tenth := max(1, len(all)/10)
			fmt.Fprintf(&told, " %s, %s: %s %s in the first tenth of the time, %s in the last, %s at most.", p.title, l.name, figure(median(all[:tenth])), p.unit,
				figure(median(all[len(all)-tenth:])), figure(slices.Max(all)))
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc" font-family="'Titillium Web', system-ui, sans-serif" font-size="14">
<title id="title">%s minutes at a tenth of Meta's most</title>
<desc id="desc">%s</desc>
<style>text{fill:#17324d}.grid{stroke:#c5c7c9;stroke-width:1}.line{fill:none;stroke-width:2;stroke-linejoin:round}.name{font-weight:600}
@media(prefers-color-scheme:dark){svg{background:#101820}text{fill:#e8eef4}.grid{stroke:#3a4a5a}.line{filter:brightness(1.7)}}</style>
%s</svg>
`, soakWidth, height, figure(math.Round(last/60)), html.EscapeString(strings.TrimSpace(told.String())), b.String())
}

func (l soakLine) of(columns map[string][]float64) []float64 {
	out := make([]float64, len(columns[l.column]))
	for i, v := range columns[l.column] {
		out[i] = v * l.scale
	}
	return out
}

func (p panel) draw(b *strings.Builder, columns map[string][]float64, seconds []float64, last float64, top int) {
	highest := 0.0
	for _, l := range p.lines {
		highest = max(highest, slices.Max(l.of(columns)))
	}
	step := niceStep(highest)
	most := max(step, math.Ceil(highest/step)*step)
	x := func(second float64) float64 { return soakLeft + second/last*(soakWidth-soakLeft-soakRight) }
	y := func(v float64) float64 { return float64(top) + soakHeight*(1-v/most) }
	fmt.Fprintf(b, `<text class="name" x="%d" y="%d">%s, %s</text>`+"\n", soakLeft, top-12, html.EscapeString(p.title), p.unit)
	for v := 0.0; v <= most*1.001; v += step {
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			soakLeft, soakWidth-soakRight, y(v), y(v), soakLeft-8, y(v)+5, figure(v))
	}
	minutes := niceStep(last / 60)
	for m := 0.0; m <= last/60; m += minutes {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s min</text>`+"\n", x(m*60), top+soakHeight+19, figure(m))
	}
	names := make([]float64, len(p.lines))
	for i, l := range p.lines {
		values := l.of(columns)
		var points strings.Builder
		for k, v := range values {
			fmt.Fprintf(&points, "%.1f,%.1f ", x(seconds[k]), y(v))
		}
		fmt.Fprintf(b, `<polyline class="line" stroke="%s" stroke-dasharray="%s" points="%s"/>`+"\n", l.colour, l.dash, strings.TrimSpace(points.String()))
		names[i] = y(median(values[len(values)-max(1, len(values)/10):]))
	}
	apart(names, float64(top+soakHeight))
	for i, l := range p.lines {
		fmt.Fprintf(b, `<line class="line" stroke="%s" stroke-dasharray="%s" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f">%s</text>`+"\n",
			l.colour, l.dash, soakWidth-soakRight+6, soakWidth-soakRight+26, names[i], names[i], soakWidth-soakRight+32, names[i]+5, html.EscapeString(l.name))
	}
}

// apart moves the names of lines that end close together, none below the last grid line.
func apart(at []float64, below float64) {
	const apart = 19
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(at[a]*1000) - int(at[b]*1000) })
	for i := len(order) - 1; i >= 0; i-- {
		at[order[i]] = min(at[order[i]], below-apart*float64(len(order)-1-i))
	}
	for i := 1; i < len(order); i++ {
		at[order[i]] = max(at[order[i]], at[order[i-1]]+apart)
	}
}

// niceStep is 1, 2 or 5 times a power of ten, so that four fit in highest.
func niceStep(highest float64) float64 {
	if highest <= 0 {
		return 1
	}
	for unit := math.Pow(10, math.Floor(math.Log10(highest))-1); ; unit *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if n*unit*4 >= highest {
				return n * unit
			}
		}
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func figure(v float64) string {
	if v == math.Trunc(v) || v >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}
