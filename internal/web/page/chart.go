// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"math"
	"strconv"
	"strings"
)

// Drawings have this many units; the browser stretches them to the room there is. What is written beside
// them is HTML, so that it keeps its size on a phone.
const (
	chartWidth  = 1000
	chartHeight = 240
)

// Chart is a drawing of numbers by day, with the numbers themselves in a table below it.
type Chart struct {
	ID      string   // unique in the page
	Title   string   // what is counted
	Summary string   // what the drawing shows, for those who don't see it
	Days    []string // the points of the horizontal axis, in words
	Series  []Series // lines, each with a value a day
	Table   Table
}

// Series is a line of a chart.
type Series struct {
	Label  string
	Values []int
}

// Last is the value of the last day.
func (s Series) Last() int {
	if len(s.Values) == 0 {
		return 0
	}
	return s.Values[len(s.Values)-1]
}

// Flow is a chart of what came, upwards, and what went, downwards, each by its way.
type Flow struct {
	Chart
	Ways    []FlowWay
	InWord  string
	OutWord string
}

// FlowWay is what came and went by one way.
type FlowWay struct {
	Label   string
	In, Out []int // a value for each of Days
}

// Table is the numbers of a chart. The first cell of a row says what the row is.
type Table struct {
	Columns []string
	Rows    [][]string
	File    string // address of the same as CSV
}

// step is the distance between two lines of the grid: 1, 2 or 5 times a power of ten, so that at most four fit in highest.
func step(highest int) int {
	if highest <= 4 {
		return 1
	}
	for unit := 1; ; unit *= 10 {
		for _, n := range []int{1, 2, 5} {
			if n*unit*4 >= highest {
				return n * unit
			}
		}
	}
}

// scale is a vertical axis from below to above, in steps; zero lies on one of them.
type scale struct{ step, above, below int }

func newScale(highest, lowest int) scale {
	s := scale{step: step(max(highest, lowest))}
	s.above = max(1, stepsFor(highest, s.step))
	s.below = stepsFor(lowest, s.step)
	return s
}

func stepsFor(value, step int) int { return int(math.Ceil(float64(value) / float64(step))) }

// marks are the values beside the grid, from above; below zero they count what went.
func (s scale) marks() []int {
	var out []int
	for n := s.above; n >= -s.below; n-- {
		out = append(out, max(n, -n)*s.step)
	}
	return out
}

// y is where a value lies in the drawing.
func (s scale) y(value int) float64 {
	share := float64(s.above*s.step-value) / float64((s.above+s.below)*s.step)
	return share * chartHeight
}

// grid is where the lines of the grid lie.
func (s scale) grid() []float64 {
	var out []float64
	for n := s.above; n >= -s.below; n-- {
		out = append(out, s.y(n*s.step))
	}
	return out
}

func (c Chart) scale() scale {
	highest := 0
	for _, s := range c.Series {
		for _, v := range s.Values {
			highest = max(highest, v)
		}
	}
	return newScale(highest, 0)
}

// line is the path of a series.
func (c Chart) line(s Series) string {
	var b strings.Builder
	y := c.scale()
	for i, v := range s.Values {
		b.WriteString(pick(i == 0, "M", "L"))
		b.WriteString(unit(x(i, len(s.Values))) + " " + unit(y.y(v)))
	}
	if len(s.Values) == 1 {
		b.WriteString("H" + unit(chartWidth)) // a single day is a level
	}
	return b.String()
}

func x(i, of int) float64 {
	if of < 2 {
		return 0
	}
	return float64(i) / float64(of-1) * chartWidth
}

func (f Flow) scale() scale {
	highest, lowest := 0, 0
	for i := range f.Days {
		in, out := 0, 0
		for _, w := range f.Ways {
			in, out = in+w.In[i], out+w.Out[i]
		}
		highest, lowest = max(highest, in), max(lowest, out)
	}
	return newScale(highest, lowest)
}

// block is a rectangle of a flow: how many came or went by a way on a day.
type block struct {
	class, title             string
	left, top, width, height float64
}

// least is how high a block is that stands for anything: one of three beside thousands is still to be seen.
const least = 1.5

// blocks piles up the ways of each day, from zero upwards and downwards.
func (f Flow) blocks(ctx context.Context) (out []block) {
	s := f.scale()
	room := chartWidth / float64(len(f.Days))
	height := func(value int) float64 { return max(least, s.y(0)-s.y(value)) }
	for i, day := range f.Days {
		above, below := s.y(0), s.y(0)
		for n, w := range f.Ways {
			b := block{class: fillClass(n), left: float64(i)*room + room*0.15, width: room * 0.7}
			if w.In[i] > 0 {
				b.height = height(w.In[i])
				above -= b.height
				b.top, b.title = above, day+": "+f.InWord+" "+number(ctx, w.In[i])+", "+w.Label
				out = append(out, b)
			}
			if w.Out[i] > 0 {
				b.height = height(w.Out[i])
				b.top, b.title = below, day+": "+f.OutWord+" "+number(ctx, w.Out[i])+", "+w.Label
				below += b.height
				out = append(out, b)
			}
		}
	}
	return out
}

// ends are the days written below the drawing: the first, one in the middle and the last.
func (c Chart) ends() []string {
	switch n := len(c.Days); {
	case n == 0:
		return nil
	case n < 3:
		return c.Days
	default:
		return []string{c.Days[0], c.Days[n/2], c.Days[n-1]}
	}
}

// empty tells that there is nothing to draw.
func (c Chart) empty() bool {
	for _, s := range c.Series {
		for _, v := range s.Values {
			if v != 0 {
				return false
			}
		}
	}
	return true
}

func (f Flow) empty() bool { return len(f.Ways) == 0 }

// looks is how many lines can be told apart; one more begins anew.
const looks = 6

func lineClass(i int) string { return "chart-" + strconv.Itoa(i%looks+1) }

func fillClass(i int) string { return "chart-fill-" + strconv.Itoa(i%looks+1) }

// signed writes how many came or went; nobody has no sign.
func signed(ctx context.Context, sign string, count int) string {
	if count == 0 {
		return number(ctx, 0)
	}
	return sign + number(ctx, count)
}

// unit writes a place in a drawing.
func unit(x float64) string { return strconv.FormatFloat(x, 'f', -1, 32) }

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
