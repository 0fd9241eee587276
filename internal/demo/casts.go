// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// cast is a broadcast of the past month.
type cast struct {
	town     string
	days     int // before today
	hour     int // of the town's clock
	template string
	lists    []string
	district []string
	says     map[string]string
	exercise bool
	ends     bool // it is the all-clear of the one before it in the list
	open     bool // it stays a draft
}

// casts are the broadcasts of the past month, in the order of time within a town.
func casts() []cast {
	return []cast{
		{town: "rimini", days: 24, hour: 11, template: "lavori_pubblici", lists: []string{"PUBBLICAUTILITA"}, says: map[string]string{
			"luogo": "viale Tripoli, tra via Pascoli e via Euterpe", "periodo": "da lunedì prossimo per due settimane, dalle 8 alle 18", "modifiche": "senso unico verso il mare e divieto di sosta",
			"link": "https://www.comune.example.it/lavori"}},
		{town: "rimini", days: 17, hour: 10, template: "esercitazione", lists: []string{"EMERGENZE"}, exercise: true, says: map[string]string{
			"scenario": "simuliamo un’allerta rossa per piena del fiume Marecchia", "motivo": "controllare che gli avvisi arrivino a tutti in pochi minuti"}},
		{town: "rimini", days: 9, hour: 18, template: "allerta_arancione", lists: []string{"EMERGENZE"}, says: map[string]string{
			"evento": "vento e mareggiate", "zona": "la costa da Viserba a Miramare", "periodo": "da questa sera alle 22 a domani alle 14", "link": "https://www.comune.example.it/allerta"}},
		{town: "rimini", days: 8, hour: 15, template: "fine_allerta", lists: []string{"EMERGENZE"}, ends: true, says: map[string]string{
			"evento": "vento e mareggiate", "zona": "la costa da Viserba a Miramare", "ora": "oggi alle 14", "indicazioni": "il sottopasso di viale Regina Elena resta chiuso fino a questa sera"}},
		{town: "rimini", days: 3, hour: 10, template: "raccolta_rifiuti", lists: []string{"PUBBLICAUTILITA"}, says: map[string]string{
			"materiale": "carta e cartone", "zona": "Borgo Sant’Andrea e Padulli", "giorno": "il prossimo martedì", "istruzioni": "esponi i sacchi mercoledì entro le 6", "link": "https://www.comune.example.it/rifiuti"}},
		{town: "rimini", days: 1, hour: 10, template: "interruzione_acqua", lists: []string{"PUBBLICAUTILITA"}, open: true, says: map[string]string{
			"zona": "via Flaminia e via Covignano", "periodo": "il prossimo giovedì dalle 9 alle 13", "motivo": "un lavoro alla rete", "link": "https://www.comune.example.it/acqua"}},
		{town: "arezzo", days: 20, hour: 12, template: "evento_in_citta", lists: []string{"EVENTI"}, says: map[string]string{
			"evento": "mercatino di Natale e presepe vivente", "quando": "tutti i fine settimana fino all’Epifania", "luogo": "piazza Grande e Fortezza", "ingresso": "ingresso libero", "link": "https://www.comune.example.it/eventi"}},
		{town: "arezzo", days: 13, hour: 9, template: "interruzione_acqua", lists: []string{"SERVIZI"}, district: []string{"SAIONE", "GIOTTO"}, says: map[string]string{
			"zona": "via Vittorio Veneto e via Romana", "periodo": "domani dalle 8:30 alle 12:30", "motivo": "la riparazione di una condotta", "link": "https://www.comune.example.it/acqua"}},
		{town: "arezzo", days: 6, hour: 17, template: "allerta_gialla", lists: []string{"EMERGENZE"}, says: map[string]string{
			"evento": "pioggia intensa", "zona": "tutto il territorio comunale", "periodo": "dalle 20 di oggi alle 8 di domani", "link": "https://www.comune.example.it/allerta"}},
		{town: "arezzo", days: 5, hour: 9, template: "fine_allerta", lists: []string{"EMERGENZE"}, ends: true, says: map[string]string{
			"evento": "pioggia intensa", "zona": "tutto il territorio comunale", "ora": "oggi alle 8", "indicazioni": "tutte le strade sono percorribili"}},
	}
}

func (c cast) plan(follows int64) broadcast.Plan {
	p := broadcast.Plan{Audience: broadcast.Audience{Lists: c.lists, Districts: c.district},
		Message:  broadcast.Message{Template: conversation.Template{Name: c.template, Language: "it"}, Parameters: named(c.says)},
		Exercise: c.exercise, Ends: c.ends}
	if c.ends {
		p.Follows = follows
	}
	return p
}

// dated is a cast with its desk and its time.
type dated struct {
	cast
	*desk
	at time.Time
}

// dates are the broadcasts in the order of time.
func (s *Story) dates() []dated {
	var all []dated
	for _, c := range casts() {
		i := slices.IndexFunc(s.desks, func(k desk) bool { return k.Slug == c.town })
		k := &s.desks[i]
		day := s.Now.In(k.m.Desk.Zone()).AddDate(0, 0, -c.days)
		at := time.Date(day.Year(), day.Month(), day.Day(), c.hour, 4, 0, 0, day.Location())
		if latest := s.Now.Add(-pastEnds); at.After(latest) {
			at = latest
		}
		all = append(all, dated{c, k, at})
	}
	slices.SortStableFunc(all, func(a, b dated) int { return a.at.Compare(b.at) })
	return all
}

// Who writes broadcasts, and who releases emergencies: places in Staff.
const (
	writes   = 2
	releases = 3
)

// cast writes a broadcast, sends it as conductor and sender do, and lets it arrive.
func (s *Story) cast(ctx context.Context, c dated) error {
	b, err := s.compose(ctx, c)
	if err != nil || c.open {
		return err
	}
	s.casts[c.Slug] = b.ID
	out, err := s.carry(ctx, c)
	if err != nil {
		return err
	}
	if err := s.arrive(ctx, c, out); err != nil {
		return err
	}
	return s.conductor().Drain(ctx) // which counts what it reached
}

func (s *Story) conductor() *broadcast.Conductor {
	return broadcast.NewConductor(s.DB, s.Directory, slog.New(slog.DiscardHandler))
}

func (s *Story) compose(ctx context.Context, c dated) (b broadcast.Broadcast, err error) {
	s.Clock.Set(c.at)
	err = s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		if b, err = broadcast.Create(ctx, tx, c.staff[writes], c.m, c.plan(s.casts[c.Slug])); err != nil || c.open {
			return err
		}
		b, err = broadcast.Submit(ctx, tx, c.staff[writes], c.m, b.ID)
		return err
	})
	if err != nil || b.State != broadcast.AwaitingApproval {
		return b, err
	}
	s.Clock.Set(c.at.Add(3 * time.Minute)) // a second person has read it
	err = s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err = broadcast.Approve(ctx, tx, c.staff[releases], c.m, b.ID)
		return err
	})
	return b, err
}

// perRound is what a number sends in two seconds.
const perRound = 160

// carry sends until nothing is left, and returns what went out.
func (s *Story) carry(ctx context.Context, c dated) (out []conversation.Message, err error) {
	at := c.at.Add(3*time.Minute + 5*time.Second)
	for conductor := s.conductor(); ; at = at.Add(2 * time.Second) {
		s.Clock.Set(at)
		if err := conductor.Drain(ctx); err != nil {
			return nil, err
		}
		var claimed []conversation.Message
		err := s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			claimed, err = conversation.Claim(ctx, tx, c.m.ID, c.number(), conversation.Emergency, conversation.Broadcast, perRound)
			if err != nil || len(claimed) == 0 {
				return err
			}
			var outcomes []conversation.Outcome
			for i := range claimed {
				m := &claimed[i]
				m.ExternalID, m.At = "wamid.DEMOCAST"+db.FormatID(m.ID), at
				outcomes = append(outcomes, conversation.Outcome{MessageID: m.ID, ConversationID: m.ConversationID, ContactID: m.ContactID, BroadcastID: m.BroadcastID,
					Attempt: m.Attempts, Written: true, Status: conversation.Accepted, ExternalID: m.ExternalID})
			}
			if err := conversation.Settle(ctx, tx, c.m.ID, c.number(), outcomes); err != nil {
				return err
			}
			return broadcast.Settled(ctx, tx, c.m, outcomes)
		})
		if err != nil || len(claimed) == 0 {
			return out, err
		}
		out = append(out, claimed...)
	}
}

// arrive brings what went out to the phones: some are off, a few have no WhatsApp any more, most are read.
func (s *Story) arrive(ctx context.Context, c dated, out []conversation.Message) error {
	s.Clock.Set(c.at.Add(90 * time.Minute))
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		var failed []conversation.Failure
		for _, stage := range []conversation.Status{conversation.Sent, conversation.Delivered, conversation.Read} {
			var changes []conversation.Change
			for i, m := range out {
				if change, ok := fate(m, i, stage); ok {
					changes = append(changes, change)
				}
			}
			found, err := conversation.ApplyStatuses(ctx, tx, c.m.ID, changes)
			if err != nil {
				return err
			}
			failed = append(failed, found...)
		}
		return broadcast.NoteFailures(ctx, tx, c.m, failed)
	})
}

// fate is what WhatsApp tells of the i-th message at a stage, if anything.
func fate(m conversation.Message, i int, stage conversation.Status) (conversation.Change, bool) {
	c := conversation.Change{Number: m.Number, ExternalID: m.ExternalID, MessageID: m.ID, Status: stage, At: m.At.Add(time.Second)}
	quick := time.Duration(i*7919%9000) * time.Millisecond
	switch stage {
	case conversation.Sent:
		if i%67 == 31 {
			c.Status, c.ErrorCode, c.ErrorDetail = conversation.Failed, 131026, "Message Undeliverable."
		}
		return c, true
	case conversation.Delivered:
		c.At = m.At.Add(2*time.Second + quick)
		if i%9 == 4 {
			c.At = c.At.Add(quick * 50) // in a pocket, in a tunnel
		}
		return c, i%67 != 31 && i%29 != 11
	}
	c.At = m.At.Add(20*time.Second + quick*400)
	return c, i%67 != 31 && i%29 != 11 && i%6 != 2
}

// told says what a failed broadcast was, without its text.
func (c cast) String() string {
	return fmt.Sprintf("%s to %s", c.template, strings.Join(c.lists, ", "))
}
