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
	for n, label := range []string{"con una parola su WhatsApp", "dalla propria pagina", "allo sportello", "da un elenco importato", "dalle impostazioni di WhatsApp"} {
		way := FlowWay{Label: label}
		for i := range days {
			way.In = append(way.In, (i*7)%(23-4*n))
			way.Out = append(way.Out, (i*5)%(7-n))
		}
		flow.Ways = append(flow.Ways, way)
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
	f.Movement.Ways = []FlowWay{{Label: "da un elenco importato", In: make([]int, 53), Out: make([]int, 53)}}
	f.Movement.Ways[0].In[20], f.Movement.Ways[0].Out[21] = 123_456, 3
	f.Broadcasts[0].Text, f.Broadcasts[0].Recipients, f.More = strings.Repeat("Allerta", 60), 1_234_567, true
	return f
}

var sceneLists = []ListLine{
	{Keyword: "EMERGENZE", Name: "Emergenze", Kind: "emergency", Subscribers: 3412, Joined: 292, Left: 31, Words: "ISCRIZIONE ON EMERGENZE", Leave: "ISCRIZIONE OFF EMERGENZE", Link: "https://wa.me/393316432314?text=ISCRIZIONE%20ON%20EMERGENZE", Code: sceneCode},
	{Keyword: "PUBBLICAUTILITA", Name: "Pubblica utilità", Kind: "notice", Subscribers: 2304, Joined: 94, Left: 31, Words: "ISCRIZIONE ON PUBBLICAUTILITA", Leave: "ISCRIZIONE OFF PUBBLICAUTILITA", Link: "https://wa.me/393316432314?text=ISCRIZIONE%20ON%20PUBBLICAUTILITA", Code: sceneCode},
}

var sceneCode = Code{Size: 21, Path: "M0 0h7v1h-7zM0 1h1v1h-1zM6 1h1v1h-1zM0 6h7v1h-7zM10 10h3v3h-3zM14 0h7v7h-7z"}

func sceneSubscribers(n int) Subscribers {
	s := Subscribers{ListLine: sceneLists[0], First: true, Next: "9", File: "/desk/rimini/lists/EMERGENZE/subscribers.csv"}
	for i := range n {
		s.Rows = append(s.Rows, Subscriber{ID: itoa(i + 1), Name: rows[i%len(rows)].Name, Address: "+39 347 123 4567", Since: ago(time.Duration(i*31) * time.Hour)})
	}
	return s
}

func sceneFile(ctx context.Context) CitizenFile {
	return CitizenFile{
		ID: "7", Name: "Maria Bianchi", Since: ago(9000 * time.Hour), Note: "Preferisce essere chiamata dopo le 15.",
		Addresses: []Address{{Value: "+39 347 123 4567"}, {Value: "@maria.bianchi"}, {Value: "+39 333 987 6543", Earlier: true}},
		Lists:     []Joined{{Keyword: "EMERGENZE", Name: "Emergenze", On: true, Ticked: true, Since: ago(900 * time.Hour)}, {Keyword: "PUBBLICAUTILITA", Name: "Pubblica utilità", Suspended: true, Since: ago(30 * time.Hour), Number: "+39 331 643 2314"}, {Keyword: "EVENTI", Name: "Eventi"}},
		Districts: []Joined{{Keyword: "NORD", Name: "Rimini nord", On: true, Ticked: true, Since: ago(30 * time.Hour)}, {Keyword: "SUD", Name: "Rimini sud"}},
		Consents: []Consent{
			{At: ago(30 * time.Hour), Recorded: ago(30 * time.Hour), List: "Pubblica utilità", Event: "suspended", Channel: "dalle impostazioni di WhatsApp", Policy: "1", Hash: strings.Repeat("9f", 32)},
			{At: ago(500 * time.Hour), Recorded: ago(499 * time.Hour), List: "Pubblica utilità", Event: "given", Channel: "allo sportello", Words: "Iscrizione: Pubblica utilità. Uscita: nessuna.", Policy: "1", Reference: "prot. 4567/2026", Who: "Luca Neri", Hash: strings.Repeat("1c", 32)},
			{At: ago(900 * time.Hour), Recorded: ago(900 * time.Hour), List: "Emergenze", Event: "given", Channel: "con una parola su WhatsApp", Words: "iscrizione on  #emergenze 👍", Wording: "Iscrizione riuscita: da ora ricevi gli avvisi Emergenze del Comune di Rimini. Per smettere scrivi ISCRIZIONE OFF.", Policy: "1", Message: "wamid.HBgMMzkzNDcxMjM0NTY3FQIAEhggRDVDQjY3", Hash: strings.Repeat("a7", 32)},
			{At: ago(900 * time.Hour), Recorded: ago(900 * time.Hour), Event: "acknowledged", Channel: "con una parola su WhatsApp", Policy: "1", Hash: strings.Repeat("0b", 32)},
		},
		ConsentsFile: "/desk/rimini/citizens/7/consents.csv", Conversations: maria.Conversations, Counter: Counter{Key: "k"},
	}
}

var sceneTown = Town{
	Municipality: "Comune di Rimini", Service: "WhatsUrp", Hours: "aperto fino alle 13:00",
	Policy:   Policy{URL: "https://www.comune.rimini.it/privacy", Text: "Il Comune di Rimini, titolare del trattamento, usa il tuo numero e quello che ci scrivi solo per risponderti e, se ti iscrivi, per inviarti gli avvisi delle liste che scegli."},
	Contacts: []Contact{{Label: "URP", Value: "0541 704704", Address: "tel:+390541704704"}, {Label: "URP", Value: "urp@comune.rimini.it", Address: "mailto:urp@comune.rimini.it"}, {Label: "Segnalazioni", Value: "segnala.comune.rimini.it", Address: "https://segnala.comune.rimini.it/"}},
}

func listScenes(ctx context.Context) map[string]templ.Component {
	figures, lists, file := frame(SectionFigures, t(ctx, "desk.section.figures")), frame(SectionLists, t(ctx, "desk.section.lists")), frame(SectionInbox, "Maria Bianchi")
	empty := Figures{Period: Month, Growth: Chart{ID: "growth", Title: t(ctx, "desk.figures.growth")}, Movement: Flow{Chart: Chart{ID: "movement", Title: t(ctx, "desk.figures.movement")}}}
	found := sceneSubscribers(0)
	found.Query, found.Next = "Mario", ""
	nobody := Subscribers{ListLine: sceneLists[1], First: true}
	nobody.Subscribers = 0
	wrong, stopped := sceneFile(ctx), CitizenFile{ID: "8", Name: "+39 347 000 0000", Stopped: ago(50 * time.Hour), Lists: []Joined{{Keyword: "EMERGENZE", Name: "Emergenze"}}}
	wrong.Counter.Problem, stopped.Counter.Done = t(ctx, "desk.file.no_reference"), true
	own := OwnLists{Town: sceneTown, Key: "k", Leave: "STOP", Now: t(ctx, "page.lists.now", "lists", "Emergenze"),
		Lists:     []OwnList{{Keyword: "EMERGENZE", Name: "Emergenze", About: t(ctx, "page.lists.about_emergency"), On: true}, {Keyword: "PUBBLICAUTILITA", Name: "Pubblica utilità", Suspended: true}, {Keyword: "EVENTI", Name: "Eventi in città"}},
		Districts: []OwnList{{Keyword: "NORD", Name: "Rimini nord"}, {Keyword: "SUD", Name: "Rimini sud", On: true}}}
	saved := own
	saved.Saved, saved.Lists, saved.Districts, saved.Now = true, []OwnList{own.Lists[2]}, nil, t(ctx, "page.lists.now_none")
	return map[string]templ.Component{
		"figures":          FiguresPage(figures, sceneFigures(ctx)),
		"figures-extreme":  FiguresPage(figures, extremeFigures(ctx)),
		"figures-empty":    FiguresPage(figures, empty),
		"lists":            ListsPage(lists, "+39 331 643 2314", sceneLists, []ListLine{{Keyword: "NORD", Name: "Rimini nord", Kind: "district", Subscribers: 120, Words: "ISCRIZIONE ON NORD", Leave: "ISCRIZIONE OFF NORD"}}),
		"lists-none":       ListsPage(lists, "", nil, nil),
		"subscribers":      SubscribersPage(lists, sceneSubscribers(50)),
		"subscribers-none": SubscribersPage(lists, nobody),
		"subscribers-lost": SubscribersPage(lists, found),
		"file":             CitizenFilePage(file, sceneFile(ctx)),
		"file-wrong":       CitizenFilePage(file, wrong),
		"file-stopped":     CitizenFilePage(file, stopped),
		"own":              OwnListsPage(own),
		"own-saved":        OwnListsPage(saved),
		"own-over":         LinkOverPage(LinkOver{Town: sceneTown, Word: "LISTE", Number: "+39 331 643 2314", Link: "https://wa.me/393316432314?text=LISTE"}),
	}
}
