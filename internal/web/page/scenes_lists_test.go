// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// daysUntilNow are the days of a chart in words.
func daysUntilNow(ctx context.Context, n int) (out []string) {
	for i := range n {
		out = append(out, language(ctx).ShortDay(now.AddDate(0, 0, i-n+1)))
	}
	return out
}

// wave is a curve that grows.
func wave(n, from, to int) (out []int) {
	for i := range n {
		share := float64(i) / float64(n-1)
		out = append(out, from+int(float64(to-from)*share+12*math.Sin(float64(i))))
	}
	return out
}

func sceneFigures(ctx context.Context) Figures {
	days := daysUntilNow(ctx, 30)
	table := Table{Columns: []string{"Giorno", "Emergenze", "Pubblica utilità", "Eventi"}, File: "/desk/rimini/figures/subscribers.csv"}
	series := []Series{{"Emergenze", wave(30, 3120, 3412)}, {"Pubblica utilità", wave(30, 2210, 2304)}, {"Eventi", wave(30, 340, 611)}}
	for i := range days {
		row := []string{days[29-i]}
		for _, s := range series {
			row = append(row, number(ctx, s.Values[29-i]))
		}
		table.Rows = append(table.Rows, row)
	}
	flow := Flow{Chart: Chart{ID: "movement", Title: t(ctx, "desk.figures.movement"), Summary: "Dal 1 al 30: 411 iscrizioni e 62 uscite.", Days: days, Table: table},
		InWord: t(ctx, "desk.figures.joined"), OutWord: t(ctx, "desk.figures.left")}
	for i := range days {
		flow.In = append(flow.In, (i*7)%23)
		flow.Out = append(flow.Out, (i*5)%7)
	}
	return Figures{
		Period: Month, Subscribers: 6327, Joined: 411, Left: 62, Delivered: 20184,
		Growth:   Chart{ID: "growth", Title: t(ctx, "desk.figures.growth"), Summary: "Da lun 1 feb a lun 2 mar: Emergenze da 3.120 a 3.412.", Days: days, Series: series, Table: table},
		Movement: flow,
		Ways:     []Way{{"con una parola su WhatsApp", 371, 51}, {"dalla propria pagina", 22, 9}, {"allo sportello", 18, 0}, {"dalle impostazioni di WhatsApp", 0, 2}},
		WaysFile: "/desk/rimini/figures/movements.csv", File: "/desk/rimini/figures/broadcasts.csv",
		Broadcasts: []Reached{
			{ID: "1", At: ago(20 * time.Hour), Text: "COMUNE DI RIMINI – PROTEZIONE CIVILE. Allerta arancione per temporali in tutto il territorio, dalle 18:00 alle 24:00.", Mark: "emergenza", Recipients: 3412, Delivered: 0.978, Read: 0.811, P50: 4 * time.Second, P90: 19 * time.Second, P99: 6 * time.Minute, Cost: "83,42 €"},
			{ID: "2", At: ago(100 * time.Hour), Text: "Dal 3 al 6 marzo via Garibaldi è chiusa per lavori.", Recipients: 2304, Delivered: 1, Read: 0.05, P50: 700 * time.Millisecond, P90: 9 * time.Second, P99: 3 * time.Hour, Cost: "57,14 €"},
			{ID: "3", At: ago(400 * time.Hour), Text: "ESERCITAZIONE. Questa è una prova del sistema di avvisi.", Mark: "esercitazione · emergenza", Recipients: 0, Cost: "0,00 €"},
		},
		Costs: Costs{Known: true, Total: "140,56 €", Rows: []Cost{{"utility", 5668, "0,0248 €", "140,56 €"}, {"marketing", 0, "0,0572 €", "0,00 €"}}},
	}
}

// extremeFigures have many lists with long names, and a single day on which anybody came.
func extremeFigures(ctx context.Context) Figures {
	f := sceneFigures(ctx)
	f.Period, f.Subscribers, f.Growth.Series = Year, 1_234_567, nil
	f.Growth.Days = daysUntilNow(ctx, 365)
	for i := range 9 {
		f.Growth.Series = append(f.Growth.Series, Series{strings.Repeat("Avvisi per il quartiere ", 1+i%3), wave(365, 100*i, 90_000*(9-i))})
	}
	f.Movement.Days = daysUntilNow(ctx, 53)
	f.Movement.In, f.Movement.Out = make([]int, 53), make([]int, 53)
	f.Movement.In[20], f.Movement.Out[21] = 123_456, 3
	f.Broadcasts[0].Text, f.Broadcasts[0].Recipients, f.More = strings.Repeat("Allerta", 60), 1_234_567, true
	return f
}

func listScenes(ctx context.Context) map[string]templ.Component {
	figures := frame(SectionFigures, t(ctx, "desk.section.figures"))
	empty := Figures{Period: Month, Growth: Chart{ID: "growth", Title: t(ctx, "desk.figures.growth")}, Movement: Flow{Chart: Chart{ID: "movement", Title: t(ctx, "desk.figures.movement")}}}
	return map[string]templ.Component{
		"figures":         FiguresPage(figures, sceneFigures(ctx)),
		"figures-extreme": FiguresPage(figures, extremeFigures(ctx)),
		"figures-empty":   FiguresPage(figures, empty),
	}
}
