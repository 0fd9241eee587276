// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/examples"
	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// Approved are all templates that Meta has approved for the town's account: those of the conversations, and those that
// come with the product.
func Approved() ([]whatsapp.TemplateDefinition, error) {
	all, err := examples.Templates()
	for _, t := range Templates() {
		all = append(all, whatsapp.TemplateDefinition{Name: t.Name, Language: t.Language, Category: t.Category, ParameterFormat: "POSITIONAL", Components: t.Components()})
	}
	return all, err
}

// approve writes down the templates of a town, as the desk does once it has asked Meta.
func (s *Story) approve(ctx context.Context, tx *db.Tx, k *desk) error {
	approved, err := Approved()
	if err != nil {
		return err
	}
	waba := k.Account().WABA
	templates := make([]municipality.Template, len(approved))
	for i, d := range approved {
		t := d.Template()
		t.ID, t.Status, t.Quality = fmt.Sprintf("%s%03d", waba[len(waba)-4:], i), "APPROVED", "GREEN"
		t.Components = slices.Clone(t.Components)
		templates[i] = municipality.Template{WABA: waba, Template: t}
	}
	return municipality.SaveTemplates(ctx, tx, k.m.ID, waba, templates)
}

// saying is a word by which a citizen joins or leaves lists, or asks for them.
type saying struct {
	at      time.Time
	town    int
	serial  int
	citizen citizen
	text    string
}

// words are what citizens write to the lists of a town; the more often a word stands there, the more write it.
type words struct {
	subscribers         int
	join, leave, status []string
}

var listWords = map[string]words{
	"rimini": {subscribers: 320,
		join: []string{"ISCRIZIONE ON", "ISCRIZIONE ON", "ISCRIZIONE ON", "Iscrizione on", "iscrizione on", "ISCRIZIONE ON #EMERGENZE", "Iscrizione on #emergenze",
			"ISCRIZIONE ON #PUBBLICAUTILITA'", "ISCRIZIONE ON #PUBBLICAUTILITÀ", "ISCRIZIONE ON #EMERGENZE #PUBBLICAUTILITA'", "Iscrizione on emergenze.", "iscrizione ON 👍"},
		leave: []string{"ISCRIZIONE OFF", "ISCRIZIONE OFF #PUBBLICAUTILITA'", "STOP", "iscrizione off"}, status: []string{"LISTE", "liste"}},
	"arezzo": {subscribers: 260,
		join: []string{"Iscrivimi", "Iscrivimi", "Iscrivimi", "iscrivimi", "ISCRIVIMI", "Iscrivimi #EMERGENZE", "Iscrivimi #EMERGENZE #SERVIZI", "Iscrivimi Saione", "Iscrivimi #CENTRO",
			"Iscrivimi #GIOTTO", "Iscrivimi eventi", "Iscrivimi #LAVORI #RIGUTINO"},
		leave: []string{"Cancellami", "Cancellami #EVENTI", "STOP", "cancellami"}, status: []string{"Liste"}},
}

// firstSerial keeps the phones of subscribers apart from those of the citizens who talk.
const firstSerial = 400

// sayings plans who joins the lists of a town in a month: many in the days after it was announced, some every day
// since; a few leave again.
func (p *planner) sayings() []saying {
	w, ok := listWords[p.town.Slug]
	if !ok {
		return nil
	}
	rng := rand.New(rand.NewPCG(1303, uint64(p.town.number)))
	crowd := newCrowd(rng, p.town)
	crowd.serial, crowd.odd = firstSerial, nil
	begins, until := p.now.AddDate(0, 0, -pastDays), p.now.Add(-pastEnds)
	var all []saying
	say := func(at time.Time, c citizen, texts []string) {
		if at = awake(p.desk.Zone(), at); at.Before(until) {
			all = append(all, saying{at: at, town: p.place, serial: len(all), citizen: c, text: pick(rng, texts)})
		}
	}
	for i := range w.subscribers {
		c := crowd.nextWithPhone()
		after := time.Duration(rng.Int64N(int64(until.Sub(begins))))
		if i < w.subscribers*2/5 {
			after = time.Duration(rng.Int64N(int64(3 * 24 * time.Hour)))
		}
		joined := awake(p.desk.Zone(), begins.Add(after))
		say(joined, c, w.join)
		if i%40 == 7 {
			say(joined.Add(time.Duration(30+rng.IntN(90))*time.Minute), c, w.status)
		}
		if i%18 == 5 {
			say(joined.Add(time.Duration(2+rng.IntN(20))*24*time.Hour), c, w.leave)
		}
	}
	slices.SortStableFunc(all, func(a, b saying) int { return a.at.Compare(b.at) })
	return all
}

// awake moves a time at night into the day after.
func awake(zone *time.Location, at time.Time) time.Time {
	if hour := at.In(zone).Hour(); hour < 7 {
		return at.Add(time.Duration(8-hour) * time.Hour)
	}
	return at
}

// hearAtOnce is how many words are taken in one transaction.
const hearAtOnce = 60

// hear lets citizens write their words, and the desk answer by itself, town by town.
func (s *Story) hear(ctx context.Context, said []saying) error {
	for town := range s.desks {
		var mine []saying
		for _, w := range said {
			if w.town == town {
				mine = append(mine, w)
			}
		}
		for part := range slices.Chunk(mine, hearAtOnce) {
			if err := s.hearPart(ctx, &s.desks[town], part); err != nil {
				return fmt.Errorf("words for the lists of %s: %w", s.desks[town].Slug, err)
			}
		}
	}
	return nil
}

func (s *Story) hearPart(ctx context.Context, k *desk, part []saying) error {
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		s.Clock.Set(part[len(part)-1].at)
		tx.Tick()
		people := make([]contact.Person, len(part))
		for i, w := range part {
			people[i] = contact.Person{Phone: w.citizen.phone, Name: w.citizen.profile, At: w.at}
		}
		ids, _, err := contact.Resolve(ctx, tx, k.m.ID, people)
		if err != nil {
			return err
		}
		messages := make([]conversation.Message, len(part))
		for i, w := range part {
			messages[i] = conversation.Message{ID: tx.NewID(), ContactID: ids[i], Number: k.number(), Type: conversation.TypeText, Text: w.text,
				ExternalID: fmt.Sprintf("wamid.DEMOLIST%d%06d", k.Town.number, w.serial), At: w.at.UTC().Truncate(time.Second)}
		}
		turn, err := s.Dialogue.Listen(ctx, tx, k.m, messages)
		if err != nil {
			return err
		}
		receipts, err := conversation.Receive(ctx, tx, k.m.ID, messages)
		if err != nil {
			return err
		}
		if err := turn.Answer(ctx, tx, receipts); err != nil {
			return err
		}
		return s.settle(ctx, tx, k, nil)
	})
}

// Who is on a list that Rimini kept on paper, and who signs at a counter of Arezzo.
const (
	onPaper   = 45
	atCounter = 6
	// firstOnPaper keeps their phones apart from everybody else's.
	firstOnPaper = 900
)

// takeOver brings in those who had consented before there was a desk, each with the proof that is kept of it, and a few
// who sign at the counter.
func (s *Story) takeOver(ctx context.Context) error {
	s.Clock.Set(s.Now.AddDate(0, 0, -pastDays).Add(-time.Hour))
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		for i := range s.desks {
			var err error
			switch k := &s.desks[i]; k.Slug {
			case "rimini":
				err = s.importPaper(ctx, tx, k)
			case "arezzo":
				err = s.signAtCounter(ctx, tx, k)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *desk) crowdOnPaper() *crowd {
	c := newCrowd(rand.New(rand.NewPCG(1861, uint64(k.Town.number))), k.Town)
	c.serial, c.odd = firstOnPaper, nil
	return c
}

// nextWithPhone invents somebody whose phone is known.
func (c *crowd) nextWithPhone() citizen {
	one := c.next("")
	for one.phone == "" {
		one = c.next("")
	}
	return one
}

func (s *Story) importPaper(ctx context.Context, tx *db.Tx, k *desk) error {
	crowd := k.crowdOnPaper()
	rows := make([]broadcast.ImportRow, onPaper)
	for i := range rows {
		c := crowd.nextWithPhone()
		rows[i] = broadcast.ImportRow{Line: i + 2, Phone: c.phone, Name: c.full, Basis: "Consenso su modulo cartaceo",
			Date: tx.Now().AddDate(0, 0, -20-i*3).Truncate(24 * time.Hour), Reference: fmt.Sprintf("Modulo n. %d/%d, Protezione civile", 101+i, tx.Now().Year())}
	}
	_, err := broadcast.Import(ctx, tx, k.staff[releases], k.m, "EMERGENZE", rows)
	return err
}

func (s *Story) signAtCounter(ctx context.Context, tx *db.Tx, k *desk) error {
	crowd := k.crowdOnPaper()
	for i := range atCounter {
		c := crowd.nextWithPhone()
		ids, _, err := contact.Resolve(ctx, tx, k.m.ID, []contact.Person{{Phone: c.phone, Name: c.full, At: tx.Now()}})
		if err != nil {
			return err
		}
		_, err = broadcast.Apply(ctx, tx, k.staff[0], k.m, broadcast.Change{Contact: ids[0], Join: []string{"EMERGENZE", "SERVIZI"}, Channel: "counter",
			Words: "Chiedo di ricevere gli avvisi di emergenza e sulle interruzioni dei servizi", Reference: fmt.Sprintf("Modulo n. %d/%d", 12+i, tx.Now().Year()),
			Language: k.m.File.Locale, Key: fmt.Sprintf("demo-counter-%d", i)})
		if err != nil {
			return err
		}
	}
	return nil
}

// named are the parameters of a template by name.
func named(values map[string]string) municipality.Parameters {
	return municipality.Parameters{Named: values}
}
