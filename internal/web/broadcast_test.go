// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

var noticeForm = url.Values{"list": {"PUBBLICAUTILITA"}, "template": {"avviso/it"}, "variable.1": {"via Roma è chiusa"}, "when": {"now"}, "act": {"continue"}}

// with is a copy of a form with other values.
func with(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, values := range form {
		out[name] = values
	}
	for i := 0; i < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// templates gives a municipality what it can send broadcasts with.
func (d *desk) templates(m *municipality.Municipality) {
	d.Helper()
	refused := d.template(m, "rifiutato", "UTILITY", "Mai approvato.")
	refused.Status = "REJECTED"
	d.lists(m,
		d.template(m, "avviso", "UTILITY", "Gentile {name}, il Comune informa: {{1}}."),
		d.template(m, "evento", "MARKETING", "Vieni a {{1}}, {{2}}!"),
		d.template(m, "prova", "UTILITY", "ESERCITAZIONE: {{1}}"),
		refused,
	)
}

// template is an approved one with this body.
func (d *desk) template(m *municipality.Municipality, name, category, body string) municipality.Template {
	d.Helper()
	components, err := json.Marshal([]any{map[string]any{"type": "BODY", "text": body}})
	if err != nil {
		d.Fatal(err)
	}
	return municipality.Template{WABA: m.Numbers[0].WABAID, Template: whatsapp.Template{ID: name, Name: name, Language: "it", Status: "APPROVED",
		Category: category, ParameterFormat: "POSITIONAL", Components: components}}
}

// lists has Meta list these templates and no others.
func (d *desk) lists(m *municipality.Municipality, listed ...municipality.Template) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		return municipality.SaveTemplates(ctx, tx, m.ID, m.Numbers[0].WABAID, listed)
	})
}

// What citizens block or report is told where templates are chosen, before Meta stops it and after.
func TestTemplatesOfLowQuality(t *testing.T) {
	each(t, func(d *desk) {
		low, paused := d.template(d.rimini, "avviso", "UTILITY", "Informiamo: {{1}}."), d.template(d.rimini, "promemoria_visita", "UTILITY", "Ricordi: {{1}}.")
		low.Quality, paused.Quality, paused.Status = "RED", "RED", "PAUSED"
		good := d.template(d.rimini, "evento", "MARKETING", "Vieni a {{1}}!")
		good.Quality = "GREEN"
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Paola Due", staff.Supervisor))
		places := []string{conversationPath(d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno"), "/templates"), "/broadcasts/new"}
		d.lists(d.rimini, good)
		for _, place := range places {
			b.get(place).want(http.StatusOK).contains("evento").lacks("ualità bassa", "In pausa")
		}
		d.lists(d.rimini, good, low, paused)
		for _, place := range places {
			b.get(place).want(http.StatusOK).contains("qualità bassa", "Se puoi, usa un altro modello", "In pausa per decisione di Meta, per le reazioni dei cittadini: promemoria visita.").
				lacks(`value="promemoria_visita`)
		}
	})
}

// Under a template stand its buttons, as on the phone, and what arrives when one of them is tapped.
func TestTheButtonsOfATemplate(t *testing.T) {
	each(t, func(d *desk) {
		with := d.template(d.rimini, "avviso", "UTILITY", "Informiamo: {{1}}.")
		with.Components = []byte(`[{"type":"BODY","text":"Informiamo: {{1}}."},{"type":"BUTTONS","buttons":[{"type":"URL","text":"Apri il sito","url":"https://comune.example"},{"type":"QUICK_REPLY","text":"Ho letto"}]}]`)
		d.lists(d.rimini, with)
		citizen := d.writes(d.rimini, "Maria Bianchi", "393471234567", "Buongiorno")
		d.subscribe(d.rimini, broadcast.Change{Contact: d.knows(d.rimini, "Maria Bianchi", "393471234567"), Join: []string{"PUBBLICAUTILITA"}})
		b := d.signedIn(d.rimini, d.hire(d.rimini, "Paola Due", staff.Supervisor))
		b.get(conversationPath(citizen, "/templates")).want(http.StatusOK).contains("Informiamo: [Testo 1].", "Apri il sito", "Chi tocca «Ho letto» risponde con quelle parole: la risposta arriva in questa conversazione")
		written := url.Values{"list": {"PUBBLICAUTILITA"}, "template": {"avviso/it"}, "shown": {"avviso/it"}, "variable.1": {"via Roma è chiusa"}, "when": {"now"}}
		b.post("/broadcasts/preview", written, byScript).want(http.StatusOK).contains("via Roma è chiusa", "Apri il sito", "Chi tocca «Ho letto» risponde con quelle parole: ogni risposta arriva in Posta")

		written.Set("shown", "")
		b.post("/broadcasts/preview", written, byScript).want(http.StatusOK).contains("Informiamo: [Testo 1].").lacks("{{")

		without := d.template(d.rimini, "avviso", "UTILITY", "Informiamo: {{1}}.")
		d.lists(d.rimini, without)
		b.get(conversationPath(citizen, "/templates")).want(http.StatusOK).lacks("Chi tocca")
		b.post("/broadcasts/preview", written, byScript).want(http.StatusOK).contains("via Roma è chiusa").lacks("Chi tocca")
	})
}

// colleague writes what others act on.
func colleague(m *municipality.Municipality) staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: 77, Name: "Chiara Zanni", Role: staff.Supervisor, Municipality: m.ID}
}

func noticePlan(list string) broadcast.Plan {
	return broadcast.Plan{Audience: broadcast.Audience{Lists: []string{list}}, Message: broadcast.Message{
		Template: conversation.Template{Name: "avviso", Language: "it"}, Parameters: municipality.Parameters{Named: map[string]string{"1": "via Roma è chiusa"}}}}
}

// broadcast is one of a list, brought so far by a colleague.
func (d *desk) broadcast(m *municipality.Municipality, list string, steps ...func(context.Context, *db.Tx, staff.Actor, *municipality.Municipality, int64) (broadcast.Broadcast, error)) (b broadcast.Broadcast) {
	d.Helper()
	d.templates(m)
	d.update(func(ctx context.Context, tx *db.Tx) (err error) {
		if b, err = broadcast.Create(ctx, tx, colleague(m), m, noticePlan(list)); err != nil {
			return err
		}
		for _, step := range steps {
			if b, err = step(ctx, tx, colleague(m), m, b.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return b
}

func draft(b *browser, m *municipality.Municipality) things {
	b.Helper()
	return things{db.FormatID(b.broadcast(m, "PUBBLICAUTILITA").ID)}
}

func awaiting(b *browser, m *municipality.Municipality) things {
	b.Helper()
	return things{db.FormatID(b.broadcast(m, "EMERGENZE", broadcast.Submit).ID)}
}

func going(b *browser, m *municipality.Municipality) things {
	b.Helper()
	return things{db.FormatID(b.broadcast(m, "PUBBLICAUTILITA", broadcast.Submit).ID)}
}

func paused(b *browser, m *municipality.Municipality) things {
	b.Helper()
	return things{db.FormatID(b.broadcast(m, "PUBBLICAUTILITA", broadcast.Submit, broadcast.Pause).ID)}
}

// unheardOf is one with a message of which nothing was heard for ten minutes.
func unheardOf(b *browser, m *municipality.Municipality) things {
	b.Helper()
	b.joins(m, secretName, "39347"+db.FormatID(int64(1000000+b.desk.db.IDs.New()%8999999)), "PUBBLICAUTILITA")
	made := b.broadcast(m, "PUBBLICAUTILITA", broadcast.Submit)
	b.conduct()
	b.goOut(m, unheard)
	b.grow(made.ID)
	return things{db.FormatID(made.ID)}
}

// unheard is an outcome that WhatsApp never told.
func unheard(int) (conversation.Status, int) { return conversation.Uncertain, 0 }

// grow makes what a broadcast sent eleven minutes older.
func (d *desk) grow(id int64) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE message SET sending_at = $1 WHERE broadcast_id = $2`, tx.Now().Add(-11*time.Minute), id)
		return err
	})
}

// joins puts a citizen on a list.
func (d *desk) joins(m *municipality.Municipality, name, phone, list string) (id int64) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) error {
		ids, _, err := contact.Resolve(ctx, tx, m.ID, []contact.Person{{Phone: phone, Name: name, At: tx.Now()}})
		if err != nil {
			return err
		}
		id = ids[0]
		_, err = tx.ExecContext(ctx, `INSERT INTO subscription (municipality_id, contact_id, topic, state, number, since, at) VALUES ($1, $2, $3, 1, $4, $5, $5)`,
			m.ID, id, list, m.Numbers[0].PhoneNumberID, tx.Now())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO subscribers (municipality_id, topic, count) VALUES ($1, $2, 1)
			ON CONFLICT (municipality_id, topic) DO UPDATE SET count = subscribers.count + 1`, m.ID, list)
		return err
	})
	return id
}

// conduct does what the conductor of broadcasts has to do now.
func (d *desk) conduct() {
	d.Helper()
	if err := broadcast.NewConductor(d.db, d.pages.Directory, slog.New(slog.DiscardHandler)).Drain(d.Context()); err != nil {
		d.Fatal(err)
	}
}

// goOut sends what is queued; outcome says what becomes of each message.
func (d *desk) goOut(m *municipality.Municipality, outcome func(i int) (conversation.Status, int)) {
	d.Helper()
	number := m.Numbers[0].PhoneNumberID
	d.update(func(ctx context.Context, tx *db.Tx) error {
		claimed, err := conversation.Claim(ctx, tx, m.ID, number, conversation.Emergency, conversation.Broadcast, 100)
		if err != nil {
			return err
		}
		var outcomes []conversation.Outcome
		for i, c := range claimed {
			status, code := outcome(i)
			o := conversation.Outcome{MessageID: c.ID, ContactID: c.ContactID, BroadcastID: c.BroadcastID, Attempt: c.Attempts, Written: true, Status: status, ErrorCode: code}
			if status == conversation.Accepted {
				o.ExternalID = "wamid." + db.FormatID(c.ID)
			}
			outcomes = append(outcomes, o)
		}
		if err := conversation.Settle(ctx, tx, m.ID, number, outcomes); err != nil {
			return err
		}
		return broadcast.Settled(ctx, tx, m, outcomes)
	})
}

func (d *desk) broadcastNow(m *municipality.Municipality, id int64) (b broadcast.Broadcast) {
	d.Helper()
	d.update(func(ctx context.Context, tx *db.Tx) (err error) {
		b, err = broadcast.Get(ctx, tx, m.ID, id)
		return err
	})
	return b
}

// made is the id of the broadcast that an answer leads to.
func made(a answer) int64 {
	a.Helper()
	to := a.want(http.StatusSeeOther).header.Get("Location")
	_, rest, _ := strings.Cut(to, "/broadcasts/")
	rest, _, _ = strings.Cut(rest, "/")
	id, ok := db.ParseID(rest)
	if !ok {
		a.Fatalf("sent to %q", to)
	}
	return id
}

func broadcastPath(id int64, rest string) string { return "/broadcasts/" + db.FormatID(id) + rest }

// A notice goes from the empty page to the figures, by forms alone.
func TestANoticeWithoutAScript(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(d.rimini)
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		sara.get("/broadcasts").want(http.StatusOK).contains("Ancora nessun avviso", "Nuovo avviso")
		d.joins(d.rimini, "Maria Bianchi", "393471234567", "PUBBLICAUTILITA")
		d.joins(d.rimini, "=Luca;Neri", "393470000002", "PUBBLICAUTILITA")
		sara.get("/broadcasts/new").want(http.StatusOK).contains("2 iscritti", "Avviso · di servizio", "Evento · promozionale").lacks("rifiutato", `name="variable.1"`)
		sara.post("/broadcasts/new", url.Values{"list": {"PUBBLICAUTILITA"}, "template": {"evento/it"}, "act": {"preview"}}).want(http.StatusOK).
			contains(`name="variable.1"`, `name="variable.2"`, "Vieni a …, …!")

		sara.post("/broadcasts/new", with(noticeForm, "act", "preview")).want(http.StatusOK).
			contains("Gentile Maria Bianchi, il Comune informa: via Roma è chiusa.", "2 persone", "Costo stimato")
		draft := made(sara.post("/broadcasts/new", with(noticeForm, "act", "save")))
		sara.get(broadcastPath(draft, "/edit?saved=1")).want(http.StatusOK).contains("La bozza è salva", `value="via Roma è chiusa"`)
		made(sara.post(broadcastPath(draft, "/edit"), with(noticeForm, "variable.1", "via Verdi è chiusa")))
		sara.get(broadcastPath(draft, "")).want(http.StatusOK).contains("via Verdi è chiusa", "Invia ora", "bozza")
		sara.get(broadcastPath(draft, "/confirm/submit")).want(http.StatusOK).contains("Lo ricevono 2 persone.")
		sara.post(broadcastPath(draft, "/submit"), nil).want(http.StatusSeeOther)

		d.conduct()
		d.goOut(d.rimini, func(i int) (conversation.Status, int) {
			return []conversation.Status{conversation.Accepted, conversation.Failed}[i], 131026 * i
		})
		d.conduct()
		sara.get(broadcastPath(draft, "")).want(http.StatusOK).contains("concluso", "Perché non sono arrivati", "il numero non è su WhatsApp", "Scrivi un aggiornamento")
		sara.get("/broadcasts").want(http.StatusOK).contains("via Verdi è chiusa", "concluso", "0 di 2 consegnati")
		sara.get(broadcastPath(draft, "/recipients?part=not_reached")).want(http.StatusOK).contains("=Luca;Neri", "non consegnato")
		sara.get(broadcastPath(draft, "/recipients?part=x")).want(http.StatusNotFound)

		file := sara.get(broadcastPath(draft, "/recipients.csv")).want(http.StatusOK)
		if kind := file.header.Get("Content-Type"); kind != "text/csv; charset=utf-8" {
			t.Errorf("the file is %q", kind)
		}
		table := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, "\ufeff")))
		table.Comma = ';'
		rows, err := table.ReadAll()
		if err != nil || len(rows) != 3 {
			t.Fatalf("%d rows, %v: %s", len(rows), err, file.body)
		}
		if rows[0][0] != "Nome" || rows[1][0] != "Maria Bianchi" || rows[1][1] != "+393471234567" || rows[2][0] != "'=Luca;Neri" {
			t.Errorf("the rows are %q", rows)
		}

		again := sara.get(broadcastPath(draft, "")).want(http.StatusOK)
		if !strings.Contains(again.body, "/broadcasts/new?follows="+db.FormatID(draft)) {
			t.Error("nothing offers an update")
		}
		sara.get("/broadcasts/new?follows="+db.FormatID(draft)+"&ends=1").want(http.StatusOK).
			contains(`<option value="`+db.FormatID(draft)+`" selected>`, `name="ends" checked`, `value="PUBBLICAUTILITA" checked`)
		clear := made(sara.post("/broadcasts/new", with(noticeForm, "follows", db.FormatID(draft), "ends", "on")))
		sara.get(broadcastPath(clear, "")).want(http.StatusOK).contains("CESSATO ALLARME", "Avvisi collegati", "via Verdi è chiusa")
	})
}

// Whatever is wrong is told beside its field, and everything that was typed is still there.
func TestWhatIsWrongIsToldBesideTheField(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(d.rimini)
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		yesterday := d.db.Now().AddDate(0, 0, -1).Format(dateLayout)
		foreign := db.FormatID(d.broadcast(d.pistoia, "PUBBLICAUTILITA", broadcast.Submit).ID)
		for name, test := range map[string]struct {
			form  url.Values
			field string
		}{
			"no list":              {with(noticeForm, "list", ""), "lists"},
			"an unknown list":      {with(noticeForm, "list", "NESSUNA"), "lists"},
			"no text":              {with(noticeForm, "variable.1", "  "), "1"},
			"a text Meta refuses":  {with(noticeForm, "variable.1", "via\tRoma"), "1"},
			"no template":          {with(noticeForm, "template", "rifiutato/it"), "template"},
			"an exercise unsaid":   {with(noticeForm, "exercise", "on"), "exercise"},
			"the State's alarm":    {with(noticeForm, "variable.1", "IT-alert: piove"), "template"},
			"no moment":            {with(noticeForm, "when", "later"), "schedule"},
			"yesterday":            {with(noticeForm, "when", "later", "date", yesterday, "time", "10:00"), "schedule"},
			"another's broadcast":  {with(noticeForm, "follows", foreign), "follows"},
			"a free text too long": {with(noticeForm, "free", strings.Repeat("è", 4097)), "free"},
		} {
			d.named(name, func(d *desk) {
				before := len(d.trail(d.rimini))
				a := sara.of(d).post("/broadcasts/new", test.form).want(http.StatusUnprocessableEntity)
				a.contains(`id="problem-`+test.field+`"`, "Quello che hai scritto è rimasto")
				if text := strings.TrimSpace(test.form.Get("variable.1")); text != "" && test.field != "template" && !strings.Contains(text, "\t") {
					a.contains(`value="` + text + `"`)
				}
				if len(d.trail(d.rimini)) != before {
					d.Error("something was done")
				}
			})
		}
	})
}

// The author of an emergency cannot approve it; a colleague can, and all see when nobody did.
func TestAnEmergencyTakesTwo(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(d.rimini)
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		ada := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		olga := d.signedIn(d.rimini, d.hire(d.rimini, "Olga Uno", staff.Operator))
		alarm := with(noticeForm, "list", "EMERGENZE")

		id := made(sara.post("/broadcasts/new", alarm))
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("EMERGENZA", "Chiedi approvazione")
		sara.post(broadcastPath(id, "/submit"), nil).want(http.StatusSeeOther)
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("Hai scritto tu questa emergenza", "Procedura d’urgenza").lacks("Approva e invia", "chiede di approvare")
		sara.post(broadcastPath(id, "/approve"), nil).want(http.StatusForbidden).contains("Un’emergenza la approva una seconda persona", "attende l’approvazione")
		ada.get("/inbox").want(http.StatusOK).contains("Sara Due chiede di approvare un’emergenza")
		olga.get("/inbox").want(http.StatusOK).lacks("chiede di approvare")
		ada.get(broadcastPath(id, "")).want(http.StatusOK).contains("Approva e invia", "Sara Due chiede la tua approvazione").lacks("Procedura d’urgenza")
		ada.post(broadcastPath(id, "/return"), nil).want(http.StatusSeeOther)
		if b := d.broadcastNow(d.rimini, id); b.State != broadcast.Draft {
			t.Errorf("returned, it is %s", b.State)
		}
		ada.post(broadcastPath(id, "/return"), nil).want(http.StatusConflict).contains("ha cambiato stato")
		sara.post(broadcastPath(id, "/submit"), nil).want(http.StatusSeeOther)
		ada.post(broadcastPath(id, "/approve"), nil).want(http.StatusSeeOther)
		if b := d.broadcastNow(d.rimini, id); b.State != broadcast.Preparing || b.Approver != "Ada Tre" {
			t.Errorf("approved, it is %s by %q", b.State, b.Approver)
		}
		olga.get("/inbox").want(http.StatusOK).lacks("procedura d’urgenza")

		alone := made(sara.post("/broadcasts/new", alarm))
		sara.post(broadcastPath(alone, "/submit"), nil).want(http.StatusSeeOther)
		sara.post(broadcastPath(alone, "/glass"), url.Values{"reason": {"presto"}}).want(http.StatusUnprocessableEntity).contains("almeno 10 caratteri", ">presto</textarea>")
		sara.post(broadcastPath(alone, "/glass"), url.Values{"reason": {"L’acqua sale e <b>nessuno</b> risponde"}}).want(http.StatusSeeOther)
		for _, b := range []*browser{olga, ada, sara} {
			b.get("/inbox").want(http.StatusOK).contains("Sara Due ha inviato un’emergenza con la procedura d’urgenza", "L’acqua sale e &lt;b&gt;nessuno&lt;/b&gt; risponde")
			b.get("/banners", byScript).want(http.StatusOK).contains("via Roma è chiusa")
		}
		olga.get("/banners").lacks("/broadcasts/")
	})
}

// Who rewrote a colleague's emergency and asks for approval needs another one: the colleague, but not themself.
func TestWhoRewritesAnEmergencyCannotApproveIt(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(d.rimini)
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		ada := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		id := made(sara.post("/broadcasts/new", with(noticeForm, "list", "EMERGENZE")))
		made(ada.post(broadcastPath(id, "/edit"), with(noticeForm, "list", "EMERGENZE", "variable.1", "il fiume esce")))
		ada.post(broadcastPath(id, "/submit"), nil).want(http.StatusSeeOther)
		ada.get(broadcastPath(id, "")).want(http.StatusOK).contains("Hai scritto tu questa emergenza", "Procedura d’urgenza").lacks("Approva e invia", "chiede di approvare")
		ada.post(broadcastPath(id, "/approve"), nil).want(http.StatusForbidden)
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("Approva e invia", "Ada Tre chiede la tua approvazione", "Ada Tre chiede di approvare").lacks("Procedura d’urgenza")

		sara.post(broadcastPath(id, "/return"), nil).want(http.StatusSeeOther)
		sara.post(broadcastPath(id, "/submit"), nil).want(http.StatusSeeOther)
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("Hai chiesto tu di approvare questa emergenza", "Approvazione chiesta da", "Procedura d’urgenza").lacks("Approva e invia")
		ada.post(broadcastPath(id, "/approve"), nil).want(http.StatusForbidden)
		sara.post(broadcastPath(id, "/return"), nil).want(http.StatusSeeOther)
		ada.post(broadcastPath(id, "/submit"), nil).want(http.StatusSeeOther)
		sara.post(broadcastPath(id, "/approve"), nil).want(http.StatusSeeOther)
		if b := d.broadcastNow(d.rimini, id); b.State != broadcast.Preparing || b.Author.Name != "Ada Tre" || b.Approver != "Sara Due" {
			t.Errorf("it is %s, by %q, approved by %q", b.State, b.Author.Name, b.Approver)
		}
	})
}

// What a program wrote, by position, is not lost when a person opens it.
func TestWhatAProgramWroteIsEdited(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(d.rimini)
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		program := staff.Actor{Kind: staff.TokenKind, ID: 9, Name: "gestionale", Municipality: d.rimini.ID}
		var b broadcast.Broadcast
		d.update(func(ctx context.Context, tx *db.Tx) (err error) {
			p := noticePlan("EMERGENZE")
			p.Template.Name, p.Parameters = "evento", municipality.Parameters{List: []string{"la prova in piazza", "domani"}}
			if b, err = broadcast.Create(ctx, tx, program, d.rimini, p); err != nil {
				return err
			}
			b, err = broadcast.Submit(ctx, tx, program, d.rimini, b.ID)
			return err
		})
		sara.get(broadcastPath(b.ID, "")).want(http.StatusOK).contains("gestionale chiede la tua approvazione", "Approva e invia")
		sara.get(broadcastPath(b.ID, "/edit")).want(http.StatusOK).contains(`value="la prova in piazza"`, `value="domani"`, "Vieni a la prova in piazza, domani!")
	})
}

// What is scheduled can be paused; the page says when it leaves once it is resumed.
func TestPausedBeforeItsTime(t *testing.T) {
	each(t, func(d *desk) {
		d.templates(d.rimini)
		d.joins(d.rimini, "Maria Bianchi", "393471234567", "PUBBLICAUTILITA")
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		tomorrow := d.db.Now().AddDate(0, 0, 1).Format(dateLayout)
		id := made(sara.post("/broadcasts/new", with(noticeForm, "when", "later", "date", tomorrow, "time", "10:00")))
		sara.post(broadcastPath(id, "/submit"), nil).want(http.StatusSeeOther)
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("Parte da solo", "Metti in pausa")
		sara.post(broadcastPath(id, "/pause"), nil).want(http.StatusSeeOther)
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("in pausa", "Se lo riprendi, parte da solo", "1 persona", "Riprendi").lacks(`id="progress"`, "Parte da solo")
		sara.get("/broadcasts").want(http.StatusOK).lacks("0 di")
		d.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE broadcast SET schedule = $1`, tx.Now().Add(-time.Hour))
			return err
		})
		sara.get(broadcastPath(id, "")).want(http.StatusOK).contains("Doveva partire", "parte subito")
		sara.post(broadcastPath(id, "/resume"), nil).want(http.StatusSeeOther)
		if b := d.broadcastNow(d.rimini, id); b.State != broadcast.Preparing {
			t.Errorf("resumed, it is %s", b.State)
		}
	})
}

// What was accepted and never heard of is offered after ten minutes, to be sent again by one click.
func TestTheUncertainAreOffered(t *testing.T) {
	each(t, func(d *desk) {
		d.joins(d.rimini, "Maria Bianchi", "393471234567", "PUBBLICAUTILITA")
		b := d.broadcast(d.rimini, "PUBBLICAUTILITA", broadcast.Submit)
		d.conduct()
		d.goOut(d.rimini, unheard)
		d.conduct()
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		sara.get(broadcastPath(b.ID, "")).want(http.StatusOK).contains("incerti").lacks("Invia di nuovo")
		d.grow(b.ID)
		sara.get(broadcastPath(b.ID, "")).want(http.StatusOK).contains("Invia di nuovo a 1 persona")
		sara.get(broadcastPath(b.ID, "/confirm/resend"), byScript).want(http.StatusOK).contains("1 persona potrebbe riceverlo due volte")
		sara.post(broadcastPath(b.ID, "/resend"), nil).want(http.StatusSeeOther)
		d.conduct()
		sara.get(broadcastPath(b.ID, "")).want(http.StatusOK).lacks("Invia di nuovo a 1 persona")
		sara.get(broadcastPath(b.ID, "/recipients?part=uncertain")).want(http.StatusOK).contains("inviato di nuovo: in coda")
	})
}

func TestManyBroadcastsComeInPages(t *testing.T) {
	each(t, func(d *desk) {
		for range broadcastsAtOnce + 1 {
			d.broadcast(d.rimini, "PUBBLICAUTILITA")
		}
		sara := d.signedIn(d.rimini, d.hire(d.rimini, "Sara Due", staff.Supervisor))
		first := sara.get("/broadcasts").want(http.StatusOK)
		if n := strings.Count(first.body, `id="cast-`); n != broadcastsAtOnce {
			t.Errorf("%d rows on the first page", n)
		}
		_, cursor, _ := strings.Cut(first.body, "/broadcasts?cursor=")
		cursor, _, _ = strings.Cut(cursor, `"`)
		second := sara.get("/broadcasts?cursor=" + cursor).want(http.StatusOK).contains("Torna ai più recenti")
		if n := strings.Count(second.body, `id="cast-`); n != 1 {
			t.Errorf("%d rows on the second page", n)
		}
	})
}

func TestTheRateIsThatOfTheLastSeconds(t *testing.T) {
	var p paces
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	b := broadcast.Broadcast{ID: 1, State: broadcast.Sending, Recipients: 1000}
	for i, test := range []struct {
		after  time.Duration
		queued int
		want   float64
	}{{0, 1000, 0}, {time.Second, 920, 80}, {3 * time.Second, 760, 80}, {time.Minute, 700, 0}, {62 * time.Second, 600, 50}} {
		b.Reach.Queued = test.queued
		if got := p.of(b, at.Add(test.after)); got != test.want {
			t.Errorf("look %d: %v a second, want %v", i, got, test.want)
		}
	}
	b.State = broadcast.Paused
	if got := p.of(b, at.Add(63*time.Second)); got != 0 || len(p.last) != 0 {
		t.Errorf("paused, it goes at %v and %d are remembered", got, len(p.last))
	}
}
