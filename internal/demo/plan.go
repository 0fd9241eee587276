// SPDX-License-Identifier: AGPL-3.0-or-later

package demo

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/calendar"
)

// talk is a conversation as it is planned.
type talk struct {
	town    int // place in Towns
	citizen citizen
	kind    string
	street  string
	events  []event
}

// event is a step of a talk with its time and its final words.
type event struct {
	step
	at        time.Time
	talk      int
	by        int // place in Staff, of what an operator does
	variables []string
	variant   int  // which of the pictures
	code      int  // Meta's, of an answer that is not delivered
	unsure    bool // of an answer whose fate nobody knows
	read      bool // of an answer
}

const (
	// past ends and today begins so long ago: less than a day, so that every citizen of today can still be answered.
	todayLasts = 20*time.Hour + 30*time.Minute
	pastEnds   = 21 * time.Hour
	pastDays   = 31
	// settled is how long before the end of the past the last of its conversations begins: most end in time.
	settled = 30 * time.Hour
	// returnsAfter is more than the week within which a message continues the conversation before it.
	returnsAfter = 8 * 24 * time.Hour
	freeReplies  = 23*time.Hour + 45*time.Minute // of WhatsApp's 24
)

// planner invents the conversations of one town. It knows no database.
type planner struct {
	place int // in Towns
	town  Town
	desk  *calendar.Calendar
	now   time.Time
	lib   *library
	rng   *rand.Rand
	crowd *crowd
	known []regular
	opens func(time.Time) time.Time // the next moment somebody is at the desk
}

// regular is a citizen whose conversation has ended.
type regular struct {
	citizen citizen
	since   time.Time
}

func newPlanner(place int, town Town, desk *calendar.Calendar, now time.Time, lib *library) *planner {
	rng := rand.New(rand.NewPCG(2026, uint64(town.number)))
	p := &planner{place: place, town: town, desk: desk, now: now, lib: lib, rng: rng, crowd: newCrowd(rng, town)}
	p.opens = p.nextOpening
	return p
}

// past plans the last month, and what of the last days was left open.
func (p *planner) past() []talk {
	until := p.now.Add(-pastEnds)
	var talks []talk
	starts := make([]time.Time, p.town.conversations)
	for i := range starts {
		starts[i] = p.moment(until.Add(-settled))
	}
	slices.SortFunc(starts, time.Time.Compare)
	deck := &deck{rng: p.rng, scripts: p.suitable(p.lib.past)}
	for _, start := range starts {
		s := deck.draw()
		talks = append(talks, p.play(s, p.somebody(s, start), start, until))
	}
	for _, s := range p.suitable(p.lib.open) {
		start := p.atWork(p.now.Add(-time.Duration(s.hours) * time.Hour))
		talks = append(talks, p.play(s, p.crowd.next(s.who), start, until))
	}
	return talks
}

// today plans what is on the desk now.
func (p *planner) today() []talk {
	day := p.workday()
	p.opens = day.next
	var talks []talk
	for _, s := range p.suitable(p.lib.today) {
		if s.at > 100 && day.open() {
			continue // nobody writes after closing time before it
		}
		start := day.place(s.at).Add(p.minutes(0, 3))
		talks = append(talks, p.play(s, p.crowd.next(s.who), start, p.now.Add(-time.Minute)))
	}
	return talks
}

func (p *planner) suitable(from []script) []script {
	var some []script
	for _, s := range from {
		if s.fits(p.town) {
			some = append(some, s)
		}
	}
	return some
}

// somebody is a new citizen, or now and then one who has written before.
func (p *planner) somebody(s script, start time.Time) citizen {
	if s.who == "" && p.rng.IntN(4) == 0 {
		for i, r := range p.known {
			if start.Sub(r.since) > returnsAfter {
				p.known = slices.Delete(p.known, i, i+1)
				return r.citizen
			}
		}
	}
	return p.crowd.next(s.who)
}

// play gives the steps of a dialogue their times and words. What would happen after until is left out.
func (p *planner) play(s script, c citizen, start, until time.Time) talk {
	f := newFiller(p.rng, p.town, c, p.desk, start, p.lib.letter)
	one := talk{town: p.place, citizen: c, kind: s.kind, street: f.values["via"] + " " + f.values["civico"]}
	run := &run{planner: p, words: f, talk: &one, at: start, by: p.operator()}
	for _, st := range s.steps {
		run.step(st)
	}
	one.events = slices.DeleteFunc(one.events, func(e event) bool { return e.at.After(until) })
	if n := len(one.events); n > 0 && one.events[n-1].verb == resolve && s.who == "" {
		p.known = append(p.known, regular{c, one.events[n-1].at})
	}
	return one
}

// operator is who answers: mostly one of the two operators, sometimes the supervisor.
func (p *planner) operator() int {
	if p.rng.IntN(10) == 0 {
		return 2
	}
	return p.rng.IntN(2)
}

// run is a dialogue on its way.
type run struct {
	*planner
	words   *filler
	talk    *talk
	at      time.Time
	by      int
	last    verb // of what was said last
	written time.Time
}

func (r *run) step(st step) {
	switch st.verb {
	case fail:
		r.talk.events[len(r.talk.events)-1].code = 131026 // the recipient has no WhatsApp any more
		return
	case uncertain:
		r.talk.events[len(r.talk.events)-1].unsure = true
		return
	case handOver:
		r.pause(st)
		r.write(st)
		r.by = 1 - min(r.by, 1)
		return
	}
	r.pause(st)
	for slices.Contains([]verb{out, quote, answer}, st.verb) && r.at.Sub(r.written) > freeReplies {
		r.callBack()
		r.pause(st)
	}
	r.write(st)
}

// callBack is what an operator does when the 24 hours are over: a template, and the citizen comes back.
func (r *run) callBack() {
	r.write(step{verb: template, text: "riprendi_conversazione {nome}"})
	eccomi := step{verb: in, text: "Sì, eccomi"}
	r.pause(eccomi)
	r.write(eccomi)
}

// write writes a step down.
func (r *run) write(st step) {
	e := event{step: st, at: r.at, by: r.by, variant: r.place % pictureVariants, read: r.rng.IntN(5) > 0}
	switch st.verb {
	case template:
		name, variables, _ := strings.Cut(st.text, " ")
		e.text, e.variables = name, r.words.variables(variables)
	case resolve:
		e.text = r.words.fill(st.text)
		if e.text == "" && r.last == in {
			e.text = pick(r.rng, []string{"Risposta già data: il cittadino ringrazia.", "Solo un ringraziamento.", "Nessun'altra domanda."})
		}
	default:
		e.text = r.words.fill(st.text)
	}
	switch st.verb {
	case in:
		r.last, r.written = in, r.at
	case out, quote, template:
		r.last = out
	}
	r.talk.events = append(r.talk.events, e)
}

// pause moves the time on to when a step is taken: citizens write when they like, operators when they are there.
func (r *run) pause(st step) {
	first, after := len(r.talk.events) == 0, verb("")
	if !first {
		after = r.talk.events[len(r.talk.events)-1].verb
	}
	citizens := func(v verb) bool { return v == in || v == react }
	r.at = r.at.Add(st.wait)
	switch {
	case first && citizens(st.verb):
	case citizens(st.verb) && citizens(after):
		r.at = r.at.Add(r.seconds(12, 70))
	case citizens(st.verb):
		r.at = r.at.Add(r.minutes(1, 16))
	case citizens(after):
		r.at = r.opens(r.at.Add(r.minutes(3, 24)))
	case st.verb == resolve:
		r.at = r.opens(r.at.Add(r.minutes(2, 30)))
	default:
		r.at = r.opens(r.at.Add(r.seconds(40, 200)))
	}
}

func (p *planner) seconds(least, most int) time.Duration {
	return time.Duration(least+p.rng.IntN(most-least))*time.Second + time.Duration(p.rng.IntN(1000))*time.Millisecond
}

func (p *planner) minutes(least, most int) time.Duration {
	return time.Duration(least*60+p.rng.IntN((most-least)*60))*time.Second + time.Duration(p.rng.IntN(1000))*time.Millisecond
}

// nextOpening is t while the desk is open, else some minutes after it opens: those who waited are answered in turn.
func (p *planner) nextOpening(t time.Time) time.Time {
	state := p.desk.At(t)
	if state.Open {
		return t
	}
	return state.Opens.Add(p.minutes(2, 45))
}

// moment is some time of the month before until, mostly while the desk is open.
func (p *planner) moment(until time.Time) time.Time {
	first := calendar.DateOf(p.now.In(p.desk.Zone())).AddDays(-pastDays)
	for {
		day := first.AddDays(p.rng.IntN(pastDays))
		hours := p.desk.Day(day)
		if len(hours) == 0 && p.rng.IntN(3) > 0 {
			continue
		}
		t := time.Date(day.Year, day.Month, day.Day, 7, 0, 0, 0, p.desk.Zone()).Add(p.minutes(0, 15*60))
		if len(hours) > 0 && p.rng.IntN(10) < 7 {
			i := pick(p.rng, hours)
			t = i.Open.Add(time.Duration(p.rng.Int64N(int64(i.Close.Sub(i.Open)))))
		}
		if t.Before(until) {
			return t
		}
	}
}

// atWork is some time in the first half of the last hours of opening that began before t.
func (p *planner) atWork(t time.Time) time.Time {
	for day := calendar.DateOf(t.In(p.desk.Zone())); ; day = day.AddDays(-1) {
		for _, i := range slices.Backward(p.desk.Day(day)) {
			if i.Open.Before(t) {
				return i.Open.Add(time.Duration(p.rng.Int64N(int64(i.Close.Sub(i.Open) / 2))))
			}
		}
	}
}

// deck deals dialogues, the frequent ones more often, none again before all were dealt.
type deck struct {
	rng     *rand.Rand
	scripts []script
	cards   []script
}

func (d *deck) draw() script {
	if len(d.cards) == 0 {
		for _, s := range d.scripts {
			for range s.weight {
				d.cards = append(d.cards, s)
			}
		}
		d.rng.Shuffle(len(d.cards), func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	}
	s := d.cards[0]
	d.cards = d.cards[1:]
	return s
}

// workday is the working time of the last hours.
type workday struct {
	hours []calendar.Interval
	from  time.Time // when today begins
	now   time.Time
}

// workday is today as the desk knows it. A demo started on a Sunday evening shows work all the same: the
// last four hours then count as if the desk had been open.
func (p *planner) workday() workday {
	w := workday{from: p.now.Add(-todayLasts), now: p.now}
	for day := calendar.DateOf(w.from.In(p.desk.Zone())); !calendar.DateOf(w.now.In(p.desk.Zone())).Before(day); day = day.AddDays(1) {
		for _, i := range p.desk.Day(day) {
			if i.Open.Before(w.from) {
				i.Open = w.from
			}
			if i.Close.After(w.now) {
				i.Close = w.now
			}
			if i.Open.Before(i.Close) {
				w.hours = append(w.hours, i)
			}
		}
	}
	if w.length() < 45*time.Minute {
		w.hours = []calendar.Interval{{Open: w.now.Add(-4 * time.Hour), Close: w.now}}
	}
	return w
}

func (w workday) length() time.Duration {
	var sum time.Duration
	for _, i := range w.hours {
		sum += i.Close.Sub(i.Open)
	}
	return sum
}

// open tells whether the desk is at work, or has closed just now.
func (w workday) open() bool { return w.now.Sub(w.hours[len(w.hours)-1].Close) < 20*time.Minute }

// place is the time at so many hundredths of the working time; below 0 lies before it, above 100 after it.
func (w workday) place(at int) time.Time {
	first, last := w.hours[0].Open, w.hours[len(w.hours)-1].Close
	part := func(d time.Duration, n, of int) time.Duration { return d * time.Duration(n) / time.Duration(of) }
	switch {
	case at < 0:
		return first.Add(part(first.Sub(w.from), at, 20))
	case at > 100:
		return last.Add(part(w.now.Sub(last), at-100, 20))
	}
	left := part(w.length(), at, 100)
	for _, i := range w.hours {
		if length := i.Close.Sub(i.Open); left > length {
			left -= length
			continue
		}
		return i.Open.Add(left)
	}
	return last
}

// next is the first working moment from t on, or a time that has not come.
func (w workday) next(t time.Time) time.Time {
	for _, i := range w.hours {
		if t.Before(i.Open) {
			return i.Open.Add(2 * time.Minute)
		}
		if t.Before(i.Close) {
			return t
		}
	}
	return w.now.Add(time.Hour)
}
