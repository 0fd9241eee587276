// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// broadcastsInFigures are listed one by one; beyond them only the sums count them.
const broadcastsInFigures = 50

// daysOf is how many days a period has.
var daysOf = map[page.Period]int{page.Month: 30, page.Quarter: 90, page.Year: 365}

// numbers are what the figures of a period are drawn from.
type numbers struct {
	period    page.Period
	days      []string
	topics    []topic
	count     map[string]int
	movements []broadcast.Movement
	sent      []broadcast.Broadcast
}

func periodOf(r *http.Request) page.Period {
	if p := page.Period(r.URL.Query().Get("period")); slices.Contains(page.Periods(), p) {
		return p
	}
	return page.Month
}

func (s *Server) loadNumbers(r *http.Request, v *visit) (n numbers, err error) {
	zone := v.municipality.Desk.Zone()
	n.period = periodOf(r)
	n.days = broadcast.Days(v.now.In(zone), daysOf[n.period])
	n.topics = topicsOf(v.municipality.File)
	first, err := time.ParseInLocation(time.DateOnly, n.days[0], zone)
	if err != nil {
		return n, err
	}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if n.count, err = broadcast.CountSubscribers(ctx, tx, v.municipality.ID); err != nil {
			return err
		}
		if n.movements, err = broadcast.Movements(ctx, tx, v.municipality.ID, n.days[0]); err != nil {
			return err
		}
		n.sent, err = broadcast.Started(ctx, tx, v.municipality.ID, first, broadcastsAtMost)
		return err
	})
	return n, err
}

// broadcastsAtMost bounds what a year's figures read: several a day.
const broadcastsAtMost = 2000

func (s *Server) figuresPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := s.loadNumbers(r, v)
	if err != nil {
		return err
	}
	return s.draw(w, r, http.StatusOK, page.FiguresPage(s.frame(v, page.SectionFigures, v.language.T("desk.figures.title")), figuresOf(v, n)))
}

func figuresOf(v *visit, n numbers) page.Figures {
	byWay := n.byWay(v.language)
	f := page.Figures{Period: n.period, Growth: growth(v, n), Movement: movement(v, n, byWay), Ways: ways(byWay),
		WaysFile: figuresFile(v, n.period, "movements"), File: figuresFile(v, n.period, "broadcasts"), Costs: costsOf(v, n.sent)}
	for _, t := range n.lists() {
		f.Subscribers += n.count[t.Keyword]
	}
	joined, left := broadcast.Flow(keywords(n.lists()), n.days, n.movements)
	f.Joined, f.Left = sum(joined), sum(left)
	for i, b := range n.sent {
		f.Delivered += b.Reach.Arrived()
		if i < broadcastsInFigures {
			f.Broadcasts = append(f.Broadcasts, reachedOf(v, b))
		}
	}
	f.More = len(n.sent) > broadcastsInFigures
	return f
}

// lists are the topics that somebody subscribes to: a district alone sends nothing.
func (n numbers) lists() (out []topic) {
	for _, t := range n.topics {
		if !t.district() {
			out = append(out, t)
		}
	}
	return out
}

func sum(values []int) (all int) {
	for _, v := range values {
		all += v
	}
	return all
}

func figuresFile(v *visit, p page.Period, table string) string {
	return "/desk/" + v.municipality.Slug + "/figures/" + table + ".csv?period=" + string(p)
}

// growth is the chart of subscribers by list and day, with a table of them, the newest day first.
func growth(v *visit, n numbers) page.Chart {
	l := v.language
	c := page.Chart{ID: "growth", Title: l.T("desk.figures.growth"), Table: page.Table{Columns: []string{l.T("desk.figures.day")}, File: figuresFile(v, n.period, "subscribers")}}
	var told []string
	for _, t := range n.lists() {
		values := broadcast.Curve(n.count[t.Keyword], t.Keyword, n.days, n.movements)
		c.Series = append(c.Series, page.Series{Label: t.Name, Values: values})
		c.Table.Columns = append(c.Table.Columns, t.Name)
		told = append(told, l.T("desk.figures.growth_of", "list", t.Name, "before", l.Number(int64(values[0])), "after", l.Number(int64(values[len(values)-1]))))
	}
	for _, day := range n.days {
		c.Days = append(c.Days, n.dayInWords(l, day))
	}
	for i := len(n.days) - 1; i >= 0; i-- {
		row := []string{c.Days[i]}
		for _, s := range c.Series {
			row = append(row, l.Number(int64(s.Values[i])))
		}
		c.Table.Rows = append(c.Table.Rows, row)
	}
	c.Summary = l.T("desk.figures.growth_summary", "from", c.Days[0], "to", c.Days[len(c.Days)-1], "lists", l.List(told))
	return c
}

// movement is the chart of who joined and left all lists, by way and day or, over a year, by week.
func movement(v *visit, n numbers, byWay map[string][]broadcast.Movement) page.Flow {
	l := v.language
	days, title, column := n.days, l.T("desk.figures.movement"), l.T("desk.figures.day")
	if n.period == page.Year {
		title, column = l.T("desk.figures.movement_week"), l.T("desk.figures.week")
	}
	f := page.Flow{InWord: l.T("desk.figures.joined"), OutWord: l.T("desk.figures.left"),
		Chart: page.Chart{ID: "movement", Title: title, Table: page.Table{Columns: []string{column, l.T("desk.figures.joined"), l.T("desk.figures.left")}}}}
	for _, way := range ways(byWay) {
		in, out := broadcast.Flow(keywords(n.lists()), n.days, byWay[way.Label])
		if n.period == page.Year {
			days, in, out = byWeek(n.days, in, out)
		}
		f.Ways = append(f.Ways, page.FlowWay{Label: way.Label, In: in, Out: out})
		f.Table.Columns = append(f.Table.Columns, way.Label)
	}
	for _, day := range days {
		f.Days = append(f.Days, n.dayInWords(l, day))
	}
	joined, left := 0, 0
	for i := len(f.Days) - 1; i >= 0; i-- {
		row, in, out := flowRow(l, f.Ways, i)
		f.Table.Rows = append(f.Table.Rows, append([]string{f.Days[i], l.Number(int64(in)), l.Number(int64(out))}, row...))
		joined, left = joined+in, left+out
	}
	f.Table.File = figuresFile(v, n.period, "movements")
	f.Summary = l.T("desk.figures.movement_summary", "from", n.dayInWords(l, n.days[0]), "to", n.dayInWords(l, n.days[len(n.days)-1]),
		"joined", l.Number(int64(joined)), "left", l.Number(int64(left)))
	return f
}

// flowRow is a day of each way, "+3 −1", and of all together.
func flowRow(l locale.Language, ways []page.FlowWay, day int) (cells []string, in, out int) {
	for _, w := range ways {
		var parts []string
		if w.In[day] > 0 {
			parts = append(parts, "+"+l.Number(int64(w.In[day])))
		}
		if w.Out[day] > 0 {
			parts = append(parts, "−"+l.Number(int64(w.Out[day])))
		}
		cells = append(cells, cmp.Or(strings.Join(parts, " "), "–"))
		in, out = in+w.In[day], out+w.Out[day]
	}
	return cells, in, out
}

// byWeek adds up weeks that end with the last day.
func byWeek(days []string, in, out []int) (weeks []string, weekIn, weekOut []int) {
	for end := len(days); end > 0; end -= 7 {
		begin := max(0, end-7)
		weeks = append(weeks, days[begin])
		weekIn, weekOut = append(weekIn, sum(in[begin:end])), append(weekOut, sum(out[begin:end]))
	}
	slices.Reverse(weeks)
	slices.Reverse(weekIn)
	slices.Reverse(weekOut)
	return weeks, weekIn, weekOut
}

// dayInWords writes "2026-03-02" as "lun 2 mar", over a year as "02/03/2026".
func (n numbers) dayInWords(l locale.Language, day string) string {
	t, err := time.Parse(time.DateOnly, day)
	switch {
	case err != nil:
		return day
	case n.period == page.Year:
		return l.Date(t)
	default:
		return l.ShortDay(t)
	}
}

// byWay are the movements of lists by the way that citizens joined and left them, in words.
func (n numbers) byWay(l locale.Language) map[string][]broadcast.Movement {
	lists, words, out := keywords(n.lists()), map[string]string{}, map[string][]broadcast.Movement{}
	for _, m := range n.movements {
		if !slices.Contains(lists, m.Topic) {
			continue
		}
		if words[m.Channel] == "" {
			words[m.Channel] = wayInWords(l, m.Channel)
		}
		out[words[m.Channel]] = append(out[words[m.Channel]], m)
	}
	return out
}

// ways sums up by which way citizens joined and left the lists, the most used first.
func ways(byWay map[string][]broadcast.Movement) []page.Way {
	var out []page.Way
	for label, movements := range byWay {
		way := page.Way{Label: label}
		for _, m := range movements {
			way.Joined += m.Joined
			way.Left += m.Left
		}
		out = append(out, way)
	}
	slices.SortFunc(out, func(a, b page.Way) int {
		return cmp.Or(cmp.Compare(b.Joined+b.Left, a.Joined+a.Left), cmp.Compare(a.Label, b.Label))
	})
	return out
}

// wayInWords says by which way a citizen said something.
func wayInWords(l locale.Language, channel string) string {
	if key := locale.Key("desk.figures.way_" + channel); locale.Has(key) {
		return l.T(key)
	}
	return l.T("desk.figures.way_other")
}

func reachedOf(v *visit, b broadcast.Broadcast) page.Reached {
	r := page.Reached{ID: db.FormatID(b.ID), At: *b.StartedAt, Text: shortened(conversation.Personal(b.Reads, "", b.Template.Language), lettersInList), Mark: markOf(v.language, b), Recipients: b.Recipients,
		P50: seconds(b.Reach.P50), P90: seconds(b.Reach.P90), P99: seconds(b.Reach.P99)}
	r.Delivered, r.Read = shareOf(b.Reach.Arrived(), b.Recipients), shareOf(b.Reach.Read, b.Recipients)
	if price := broadcast.Cost(v.municipality.File.Prices, b.Category, b.Reach.Arrived()); price.Known {
		r.Cost = money(v.language, price.Total, price.Currency, 2)
	}
	return r
}

func markOf(l locale.Language, b broadcast.Broadcast) string {
	var marks []string
	if b.Exercise {
		marks = append(marks, l.T("desk.figures.mark_exercise"))
	}
	switch {
	case b.Ends:
		marks = append(marks, l.T("desk.figures.mark_ends"))
	case b.Emergency:
		marks = append(marks, l.T("desk.figures.mark_emergency"))
	}
	return strings.Join(marks, " · ")
}

func shareOf(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func costsOf(v *visit, sent []broadcast.Broadcast) page.Costs {
	prices, l := v.municipality.File.Prices, v.language
	if prices == nil {
		return page.Costs{}
	}
	delivered := map[string]int{}
	for _, b := range sent {
		delivered[strings.ToLower(b.Category)] += b.Reach.Arrived()
	}
	c, all := page.Costs{Known: true}, 0.0
	for _, category := range []string{"utility", "marketing"} {
		price := broadcast.Cost(prices, category, delivered[category])
		all += price.Total
		c.Rows = append(c.Rows, page.Cost{Category: category, Delivered: delivered[category],
			Each: money(l, price.Each, price.Currency, 4), Total: money(l, price.Total, price.Currency, 2)})
	}
	c.Total = money(l, all, prices.Currency, 2)
	return c
}

// money writes an amount with its currency behind, as both languages do in Italy: "12,30 €".
func money(l locale.Language, amount float64, currency string, places int) string {
	if currency == "EUR" {
		currency = "€"
	}
	return l.Decimal(amount, places) + " " + currency
}

// figuresTable is a table of the figures as CSV: days as 2026-03-02, numbers with a point, keywords of the lists.
func (s *Server) figuresTable(w http.ResponseWriter, r *http.Request, v *visit) error {
	table, isTable := strings.CutSuffix(r.PathValue("table"), ".csv")
	write, known := map[string]func(*csvFile, *visit, numbers){
		"subscribers": writeGrowth, "movements": writeMovements, "broadcasts": writeReached,
	}[table]
	if !isTable || !known {
		return errNotFound
	}
	n, err := s.loadNumbers(r, v)
	if err != nil {
		return err
	}
	file := newCSV(w, v.municipality.Slug+"-"+table+"-"+n.days[0]+"-"+n.days[len(n.days)-1])
	write(file, v, n)
	return file.end()
}

func writeGrowth(file *csvFile, _ *visit, n numbers) {
	file.row(append([]string{"day"}, keywords(n.topics)...)...)
	var curves [][]int
	for _, t := range n.topics {
		curves = append(curves, broadcast.Curve(n.count[t.Keyword], t.Keyword, n.days, n.movements))
	}
	for i, day := range n.days {
		row := []string{day}
		for _, c := range curves {
			row = append(row, strconv.Itoa(c[i]))
		}
		file.row(row...)
	}
}

func writeMovements(file *csvFile, _ *visit, n numbers) {
	file.row("day", "list", "way", "joined", "left")
	for _, m := range n.movements {
		file.row(m.Day, m.Topic, m.Channel, strconv.Itoa(m.Joined), strconv.Itoa(m.Left))
	}
}

func writeReached(file *csvFile, v *visit, n numbers) {
	file.row("id", "started", "text", "category", "emergency", "exercise", "recipients", "delivered", "read", "failed", "seconds_50", "seconds_90", "seconds_99", "cost", "currency")
	for _, b := range n.sent {
		price := broadcast.Cost(v.municipality.File.Prices, b.Category, b.Reach.Arrived())
		cost := ""
		if price.Known {
			cost = decimal(price.Total, 4)
		}
		file.row(db.FormatID(b.ID), b.StartedAt.UTC().Format(time.RFC3339), b.Reads, strings.ToLower(b.Category), strconv.FormatBool(b.Emergency), strconv.FormatBool(b.Exercise),
			strconv.Itoa(b.Recipients), strconv.Itoa(b.Reach.Arrived()), strconv.Itoa(b.Reach.Read), strconv.Itoa(b.Reach.Failed),
			decimal(b.Reach.P50, 1), decimal(b.Reach.P90, 1), decimal(b.Reach.P99, 1), cost, price.Currency)
	}
}

func decimal(x float64, places int) string { return strconv.FormatFloat(x, 'f', places, 64) }
