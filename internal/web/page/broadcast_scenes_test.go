// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"
)

const (
	alert   = "🔴 ALLERTA ROSSA per temporali a Rimini, dalle 18:00 alle 06:00 di martedì.\n\nEvita gli spostamenti, resta lontano da sottopassi e argini, non scendere in cantina. Aggiornamenti: https://www.comune.rimini.it/allerta\n\nComune di Rimini · scrivi ISCRIZIONE OFF per non ricevere altri avvisi"
	roadway = "Via Garibaldi chiusa al traffico da mercoledì 4 a venerdì 6 marzo per lavori all’acquedotto. Percorso alternativo: via Roma."
)

var sent = Outcomes{Delivered: 2410, Read: 1392, Sent: 61, Accepted: 20, Failed: 38, Uncertain: 4, Skipped: 27, Cancelled: 2}

func cast(id, text string, state Phase) BroadcastRow {
	return BroadcastRow{ID: id, Text: text, Lists: []string{"Emergenze"}, Emergency: true, State: state, Author: "Anna Fabbri", At: ago(40 * time.Minute)}
}

func castRows() []BroadcastRow {
	sending := cast("10", alert, PhaseSending)
	sending.Recipients, sending.Outcomes = 3954, Outcomes{Queued: 1802, Sending: 100, Accepted: 200, Sent: 300, Delivered: 1200, Read: 352}
	awaits := cast("11", "Cessato allarme: la piena del Marecchia è passata, i sottopassi riaprono alle 14.", PhaseAwaits)
	awaits.Ends, awaits.Update = true, true
	notice := cast("12", roadway, PhaseCompleted)
	notice.Emergency, notice.Lists, notice.Districts, notice.Outcomes, notice.Recipients = false, []string{"Pubblica utilità", "Viabilità"}, []string{"Viserba", "Torre Pedrera"}, sent, 3954
	notice.Author, notice.At = "Luca Neri", ago(26*time.Hour)
	exercise := cast("13", "ESERCITAZIONE di protezione civile: questo è un messaggio di prova, non fare nulla.", PhaseScheduled)
	exercise.Exercise, exercise.Schedule = true, now.Add(50*time.Hour)
	paused := cast("14", "Mercato di mercoledì spostato in piazza Cavour", PhasePaused)
	paused.Emergency, paused.Lists, paused.Excluded, paused.Recipients, paused.Outcomes = false, []string{"Pubblica utilità"}, []string{"Emergenze"}, 812, Outcomes{Queued: 700, Delivered: 112}
	draft := cast("15", "Iscrizioni ai nidi: domande fino al 31 marzo", PhaseDraft)
	draft.Emergency, draft.Lists = false, []string{"Scuola e famiglie"}
	long := cast("16", strings.Repeat("Avviso molto lungo che racconta ogni cosa nei minimi dettagli. ", 12), PhaseCancelled)
	long.Lists = []string{"Emergenze", "Pubblica utilità", "Scuola e famiglie", "Viabilità e trasporti", "Cultura, sport e tempo libero"}
	return []BroadcastRow{sending, awaits, notice, exercise, paused, draft, long}
}

var samples = []Sample{
	{Name: "Maria Bianchi", Text: "Gentile Maria Bianchi, via Garibaldi è chiusa al traffico da mercoledì 4 a venerdì 6 marzo per lavori all’acquedotto.\n\nhttps://www.comune.rimini.it/viabilita", Buttons: []string{"Dettagli sul sito", "Ho letto"}, Replies: []string{"Ho letto"}},
	{Name: "مريم الحسن", Text: "Gentile مريم الحسن, via Garibaldi è chiusa al traffico da mercoledì 4 a venerdì 6 marzo per lavori all’acquedotto.\n\nhttps://www.comune.rimini.it/viabilita", Again: true},
	{Name: "@paolo.gatti", Text: "Ciao! Da mercoledì a venerdì via Garibaldi è chiusa per lavori.", Free: true},
}

func composed() BroadcastForm {
	topics := []Topic{{"EMERGENZE", "Emergenze", 3954, true, false}, {"PUBBLICAUTILITA", "Pubblica utilità", 3811, false, true}, {"SCUOLA", "Scuola e famiglie", 1, false, false}}
	excluded := []Topic{{"EMERGENZE", "Emergenze", 3954, true, false}}
	return BroadcastForm{
		Lists: topics, Excluded: excluded, Districts: []Topic{{"VISERBA", "Viserba", 512, false, true}, {"CENTRO", "Centro storico", 903, false, false}},
		Offers: []Offer{{"chiusura_strada/it", "chiusura_strada", "it", "UTILITY", false}, {"evento/it", "evento", "it", "MARKETING", true}}, Paused: []string{"allerta_meteo", "promemoria"},
		Template: "chiusura_strada/it", Body: "Gentile {{1}}, {{2}} è chiusa al traffico {{3}}.",
		Blanks: []Blank{{Name: "1", Value: "{name}"}, {Name: "strada", Example: "via Roma", Value: "via Garibaldi"}, {Name: "quando", Value: "da mercoledì 4 a venerdì 6 marzo"}},
		Recent: []Choice{{ID: "10", Label: "oggi 10:05 · ALLERTA ROSSA per temporali"}}, Zone: "Europe/Rome",
		Preview: BroadcastPreview{Samples: samples, Estimate: &Estimate{Recipients: 3954, Numbers: []Share{{"+39 331 643 2314", 3000}, {"+39 0541 704704", 954}}, Free: 128, NoDistrict: 412, Refused: 3, Duration: 50 * time.Second, Limit: 10000, Days: 1, Price: "98,06 €", Each: "0,0248 €"}},
	}
}

func broken() BroadcastForm {
	f := composed()
	f.ID, f.Saved = "15", false
	f.Lists[1].Chosen = false
	f.Excluded[0].Chosen = true
	f.Blanks[1].Value, f.Blanks[1].Problem = "", "Il valore strada è vuoto: compilalo."
	f.Free, f.Exercise, f.Follows, f.Ends, f.Later, f.Date, f.Time = "Testo libero", true, "10", true, true, "2026-03-01", "09:00"
	f.Problems = map[string]string{"lists": "Scegli almeno una lista.", "exercise": "Scrivi ESERCITAZIONE nel testo.", "schedule": "L’ora scelta è passata.", "free": "Troppo lungo.", "follows": "Non c’è più.", "template": "Non è più approvato.", "exclude": "Non c’è.", "districts": "Non c’è."}
	f.Preview = BroadcastPreview{Missing: "Scegli almeno una lista per vedere chi riceve l’avviso."}
	return f
}

func one(b Broadcast) Broadcast {
	b.Template, b.Category, b.CreatedAt, b.WrittenAt = "allerta_meteo", "UTILITY", ago(time.Hour), ago(50*time.Minute)
	b.Chain = []Link{{ID: "9", Text: "Allerta gialla per temporali", State: PhaseCompleted, At: ago(20 * time.Hour)}, {ID: b.ID, Text: b.Text, Update: true, State: b.State, At: ago(time.Hour), Current: true}}
	return b
}

func broadcastScenes(ctx context.Context) map[string]templ.Component {
	desk := frame(SectionBroadcasts, language(ctx).T("desk.section.broadcasts"))
	desk.Person.Broadcasts, desk.Person.Figures = true, true
	reader := desk
	reader.Person.Broadcasts, reader.Person.Converses, reader.Person.Role = false, false, "auditor"
	warned := desk
	warned.Banners = []Banner{
		{ID: "1", Who: "Anna Fabbri", At: ago(20 * time.Minute), Text: alert, Reason: "Il dirigente non risponde e l’acqua sale: il sottopasso di via Roma è già pieno", Address: "/desk/rimini/broadcasts/10"},
		{ID: "2", Who: "Luca Neri", At: ago(2 * time.Minute), Text: "Cessato allarme: la piena del Marecchia è passata", Address: "/desk/rimini/broadcasts/11"},
	}
	rows := castRows()
	box := frame(SectionInbox, language(ctx).T("desk.section.inbox"))
	box.Banners = []Banner{{ID: "1", Who: "Massimiliano Bartolomeo Quondamatteo", At: ago(20 * time.Minute), Text: alert, Reason: "Il dirigente non risponde e l’acqua sale"}}
	talk := thread(everyday...)

	estimate := composed().Preview.Estimate
	dear := *estimate
	dear.Price, dear.Limit, dear.Days, dear.Duration = "", 250, 16, 3*time.Hour+20*time.Minute

	draft := one(Broadcast{BroadcastRow: rows[5], Rights: BroadcastRights{Edit: true, Submit: true, Cancel: true}, Mine: true, Preview: &BroadcastPreview{Samples: samples, Estimate: estimate}})
	draft.Chain = nil
	awaits := one(Broadcast{BroadcastRow: rows[1], Submitter: rows[1].Author, SubmittedAt: ago(5 * time.Minute), Mine: true, Rights: BroadcastRights{Edit: true, Cancel: true, Glass: true, Return: true}, Preview: &BroadcastPreview{Samples: samples[:1], Estimate: &dear}})
	approve := awaits
	approve.Mine, approve.Rights = false, BroadcastRights{Approve: true, Return: true, Cancel: true}
	scheduled := one(Broadcast{BroadcastRow: rows[3], SubmittedAt: ago(5 * time.Minute), Rights: BroadcastRights{Cancel: true}, Preview: &BroadcastPreview{Estimate: estimate}})
	sending := one(Broadcast{BroadcastRow: rows[0], StartedAt: ago(30 * time.Second), Rate: 79.4, Left: 24 * time.Second, P50: 3 * time.Second, P90: 9 * time.Second, P99: 22 * time.Second, Approver: "Luca Neri", ApprovedAt: ago(time.Minute), Rights: BroadcastRights{Pause: true, Cancel: true, Recipients: true}})
	waits := sending
	waits.WaitsLimit, waits.Outcomes.Held, waits.Rate = true, 212, 0
	paused := one(Broadcast{BroadcastRow: rows[4], StartedAt: ago(time.Hour), PauseReason: language(ctx).T("graph.token_invalid"), Rights: BroadcastRights{Resume: true, Cancel: true, Recipients: true}})
	done := one(Broadcast{BroadcastRow: rows[2], StartedAt: ago(26 * time.Hour), CompletedAt: ago(26*time.Hour - 52*time.Second), P50: 4 * time.Second, P90: 31 * time.Second, P99: 6*time.Minute + 12*time.Second,
		Glass: "Il dirigente non risponde e l’acqua sale", Approver: "Anna Fabbri", ApprovedAt: ago(26 * time.Hour), Free: "Ciao! Via Garibaldi è chiusa.", Offered: 4,
		Failures: []FailureRow{{language(ctx).T("graph.not_reachable"), 36}, {language(ctx).T("graph.marketing_limited"), 2}},
		Rights:   BroadcastRights{Follow: true, Resend: true, Recipients: true}})
	read := done
	read.Rights = BroadcastRights{}
	later := rows[5]
	later.Schedule = now.Add(50 * time.Hour)
	unsendable := draft
	unsendable.Schedule = later.Schedule
	unsendable.Preview = &BroadcastPreview{Missing: language(ctx).T("error.broadcast_template")}
	var people []RecipientRow
	for i := range 50 {
		people = append(people, RecipientRow{Name: fmt.Sprintf("%s %d", strings.Repeat("Massimiliana ", 1+i%4), i), Address: "+39 347 123 4567", Status: []Status{Read, Delivered, Sent, Queued, Skipped}[i%5], At: ago(time.Duration(i) * time.Hour)})
	}
	people[1] = RecipientRow{Name: "Luca Neri", Address: "+39 333 111 2222", Status: Failed, Reason: language(ctx).T("graph.not_reachable"), At: ago(time.Hour)}
	people[2] = RecipientRow{Name: "مريم الحسن", Address: "@maryam", Status: Uncertain, Resent: Delivered, At: ago(time.Hour)}

	return map[string]templ.Component{
		"broadcasts":            BroadcastsPage(warned, rows, "y", "x"),
		"broadcasts-read":       BroadcastsPage(reader, rows[:3], "", ""),
		"broadcasts-none":       BroadcastsPage(desk, nil, "", ""),
		"broadcast-new":         ComposePage(desk, composed()),
		"broadcast-problems":    ComposePage(desk, broken()),
		"broadcast-no-template": ComposePage(desk, BroadcastForm{Lists: composed().Lists}),
		"broadcast-no-list":     ComposePage(desk, BroadcastForm{}),
		"broadcast-draft":       BroadcastPage(desk, draft),
		"broadcast-awaits":      BroadcastPage(desk, awaits),
		"broadcast-approve":     BroadcastPage(warned, approve),
		"broadcast-scheduled":   BroadcastPage(desk, scheduled),
		"broadcast-sending":     BroadcastPage(desk, sending),
		"broadcast-waits":       BroadcastPage(desk, waits),
		"broadcast-paused":      BroadcastPage(desk, paused),
		"broadcast-done":        BroadcastPage(desk, done),
		"broadcast-read":        BroadcastPage(reader, read),
		"broadcast-confirm":     DialogPage(desk, ConfirmDialog(Confirmation{Broadcast: rows[0], Act: "submit", People: 3954})),
		"broadcast-schedule":    DialogPage(desk, ConfirmDialog(Confirmation{Broadcast: later, Act: "submit", People: 812})),
		"broadcast-unsendable":  BroadcastPage(desk, unsendable),
		"broadcast-glass":       DialogPage(desk, ConfirmDialog(Confirmation{Broadcast: rows[0], Act: "glass", People: 3954, Reason: "presto", Problem: "Serve un motivo di almeno 10 caratteri."})),
		"broadcast-resend":      DialogPage(desk, ConfirmDialog(Confirmation{Broadcast: rows[2], Act: "resend", People: 1})),
		"recipients":            RecipientsPage(desk, Recipients{Broadcast: rows[2], Rows: people, Next: "x"}),
		"recipients-none":       RecipientsPage(desk, Recipients{Broadcast: rows[2], Part: RecipientsNotReached, First: true}),
		"inbox-warned":          InboxPage(box, inbox("1"), &talk, &maria),
	}
}
