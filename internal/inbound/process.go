// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
	"github.com/prometheus/client_golang/prometheus"
)

// Processor turns journal entries into conversation. Any number of instances may run one.
type Processor struct {
	d         *db.DB
	directory *municipality.Directory
	journal   *journal.Journal
	dialogue  *dialogue.Dialogue
	log       *slog.Logger
	processed *prometheus.CounterVec
	lag       prometheus.Gauge
}

// NewProcessor makes a processor, which lets talk answer what it can; its figures go to metrics.
func NewProcessor(d *db.DB, directory *municipality.Directory, j *journal.Journal, talk *dialogue.Dialogue, metrics prometheus.Registerer, log *slog.Logger) *Processor {
	p := &Processor{d: d, directory: directory, journal: j, dialogue: talk, log: log,
		processed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "filodiretto_inbound_items_total",
			Help: "Items of webhooks by what became of them: message, duplicate, revision, status, quarantined, other."}, []string{"kind"}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{Name: "filodiretto_journal_lag_seconds",
			Help: "Age of the oldest journal entry that waits to become conversation."})}
	metrics.MustRegister(p.processed, p.lag)
	return p
}

const (
	batch = 400                   // entries in one short transaction, at most
	least = 16                    // and at least, where they take long
	slice = 10 * time.Millisecond // what a person's write may wait for one, on SQLite
	sweep = 2 * time.Second       // finds what a missed notice told of
)

// Run processes what arrives until ctx ends.
func (p *Processor) Run(ctx context.Context) {
	news := p.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Journal })
	defer news.Close()
	limit := batch
	for ctx.Err() == nil {
		var took time.Duration
		n, err := p.journal.Process(ctx, limit, func(ctx context.Context, tx *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
			start := time.Now()
			defer func() { took = time.Since(start) }()
			return p.digest(ctx, tx, entries)
		})
		switch {
		case err != nil && ctx.Err() == nil:
			p.log.Error("journal entries were not processed; they will be tried again", "error", err)
			p.wait(ctx, nil, time.Second)
		case n == 0:
			p.measure(ctx)
			p.wait(ctx, news.C, sweep)
		case p.d.Engine == db.SQLite: // one writer: what a batch takes, everybody waits
			limit = next(limit, n, took)
		}
	}
}

// next is how many entries to take after n of at most limit took so long.
func next(limit, n int, took time.Duration) int {
	switch {
	case took > slice:
		return max(min(limit, n)/2, least)
	case n == limit && took < slice/3:
		return min(limit*2, batch)
	}
	return limit
}

// Drain processes everything that waits now; tests call it.
func (p *Processor) Drain(ctx context.Context) error {
	for {
		if n, err := p.journal.Process(ctx, batch, p.digest); err != nil || n == 0 {
			return err
		}
	}
}

func (p *Processor) wait(ctx context.Context, news <-chan db.Notice, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-news:
		for len(news) > 0 { // one look finds what all of them told of
			<-news
		}
	case <-time.After(most):
	}
}

func (p *Processor) measure(ctx context.Context) {
	if lag, err := p.journal.Lag(ctx); err == nil {
		p.lag.Set(lag.Seconds())
	}
}

// sorted is what the entries hold for one municipality, sorted by what is to be done with it.
type sorted struct {
	m        *municipality.Municipality
	messages []received
	statuses []told
	wishes   []wish
	news     []news
	tallies  map[conversation.Tally]int64

	keptSince time.Time // messages that came before are kept no longer
}

// received is a message with what its entry adds.
type received struct {
	whatsapp.Message
	number string
	place  int
}

// told is a status with the number it was told of.
type told struct {
	whatsapp.StatusUpdate
	number string
}

// wish is what a citizen told WhatsApp about our marketing messages, with the number of the change.
type wish struct {
	whatsapp.Preference
	number string
}

// digest is the work of one transaction.
func (p *Processor) digest(ctx context.Context, tx *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
	byMunicipality := make(map[int64]*sorted)
	var bad []journal.Bad
	for _, e := range entries {
		s := byMunicipality[e.Municipality]
		if s == nil {
			m, ok := p.directory.ByID(e.Municipality)
			if !ok {
				bad = append(bad, whole(e, "unknown_municipality", "The municipality is not set up on this installation."))
				continue
			}
			keptSince, err := m.File.Retention.Messages.Before(tx.Now())
			if err != nil {
				return nil, fmt.Errorf("retention of municipality %d: %w", e.Municipality, err)
			}
			s = &sorted{m: m, tallies: make(map[conversation.Tally]int64), keptSince: keptSince}
			byMunicipality[e.Municipality] = s
		}
		bad = append(bad, s.sort(e)...)
	}
	for _, id := range slices.Sorted(maps.Keys(byMunicipality)) {
		if err := p.store(ctx, tx, byMunicipality[id]); err != nil {
			return nil, fmt.Errorf("municipality %d: %w", id, err)
		}
	}
	p.processed.WithLabelValues("quarantined").Add(float64(len(bad)))
	return bad, nil
}

func whole(e journal.Entry, reason, detail string) journal.Bad {
	return journal.Bad{Municipality: e.Municipality, Entry: e.ID, Reason: reason, Detail: detail, Body: e.Body}
}

// sort takes an entry apart and returns what of it can't be understood. A webhook is good only for the
// municipality's own numbers, or, where it names none, for its own accounts.
func (s *sorted) sort(e journal.Entry) []journal.Bad {
	w, err := whatsapp.ParseWebhook(e.Body)
	if err != nil {
		return []journal.Bad{whole(e, "not_a_webhook", err.Error())}
	}
	var bad []journal.Bad
	place := 0
	for i, c := range w.Changes {
		at := "change/" + strconv.Itoa(i)
		if reason := s.foreign(c); reason != "" {
			bad = append(bad, journal.Bad{Municipality: e.Municipality, Entry: e.ID, Place: at, Reason: reason,
				Detail: "It is about a number or an account that this municipality's file does not have.", Body: c.Raw})
			continue
		}
		if c.PhoneNumberID == "" && len(c.Messages)+len(c.Statuses) > 0 {
			if c.PhoneNumberID = s.onlyNumber(c); c.PhoneNumberID == "" {
				bad = append(bad, journal.Bad{Municipality: e.Municipality, Entry: e.ID, Place: at, Reason: "number_missing",
					Detail: "It does not say to which of the account's numbers it came.", Body: c.Raw})
				continue
			}
		}
		for k, b := range c.Bad {
			bad = append(bad, journal.Bad{Municipality: e.Municipality, Entry: e.ID, Place: at + "/item/" + strconv.Itoa(k),
				Reason: string(b.Reason), Detail: b.Detail, Body: b.Raw})
		}
		s.change(e, c, &place)
	}
	return bad
}

func (s *sorted) foreign(c whatsapp.Change) string {
	if c.PhoneNumberID != "" {
		if anyNumber(s.m, func(n municipality.Number) bool { return n.PhoneNumberID == c.PhoneNumberID }) {
			return ""
		}
		return "foreign_number"
	}
	if anyNumber(s.m, func(n municipality.Number) bool { return n.WABAID == c.EntryID }) {
		return ""
	}
	return "foreign_account"
}

// onlyNumber is the number that a change without its id must mean: the one it shows, or the only one of its account.
func (s *sorted) onlyNumber(c whatsapp.Change) string {
	var ofAccount []string
	for _, n := range s.m.Numbers {
		if c.DisplayPhone != "" && strings.TrimPrefix(n.E164, "+") == c.DisplayPhone {
			return n.PhoneNumberID
		}
		if n.WABAID == c.EntryID {
			ofAccount = append(ofAccount, n.PhoneNumberID)
		}
	}
	if len(ofAccount) != 1 {
		return ""
	}
	return ofAccount[0]
}

// fast is how far WhatsApp's clock may be before ours: a word from the future would hold against all that follow it.
const fast = time.Minute

// since is when something happened: as told, or, where that is no time or one to come, when we were told.
func since(at time.Time, fallback bool, e journal.Entry) time.Time {
	if fallback || at.After(e.ReceivedAt.Add(fast)) {
		return e.ReceivedAt
	}
	return at
}

func (s *sorted) change(e journal.Entry, c whatsapp.Change, place *int) {
	for _, w := range c.Preferences {
		w.At = since(w.At, w.AtFallback, e)
		s.wishes = append(s.wishes, wish{Preference: w, number: c.PhoneNumberID})
	}
	if c.Field != "messages" && c.Field != "" { // one without a name is read as messages
		s.count(e, c.PhoneNumberID, "field:"+clip(c.Field))
		s.tell(e, c)
		return
	}
	for _, failure := range c.Errors {
		s.count(e, c.PhoneNumberID, "webhook_error")
		if raw, err := json.Marshal(failure); err == nil { // plain texts always marshal
			s.keepExample(e, c, fieldErrors, strconv.Itoa(failure.Code), raw)
		}
	}
	for _, m := range c.Messages {
		*place++
		if e.Replayed && e.ReceivedAt.Before(s.keptSince) { // its neighbours were deleted since: they must not come back with it
			s.count(e, c.PhoneNumberID, "kept_no_longer")
			continue
		}
		if m.GroupID != "" {
			s.count(e, c.PhoneNumberID, "group_message")
			s.keep(c, fieldGroup, whatsapp.News{}, cmp.Or(m.At, e.ReceivedAt), m.Raw)
			continue
		}
		if s.own(c.PhoneNumberID, m.From.Phone) { // what the number itself wrote is nobody's message to it
			s.count(e, c.PhoneNumberID, "own_message")
			s.keep(c, whatsapp.FieldEchoes, whatsapp.News{}, cmp.Or(m.At, e.ReceivedAt), m.Raw)
			continue
		}
		at := since(m.At, m.AtFallback, e)
		m.At, m.AtFallback = at, m.AtFallback || !at.Equal(m.At)
		s.messages = append(s.messages, received{Message: m, number: c.PhoneNumberID, place: *place})
	}
	for _, key := range c.Unread {
		s.count(e, c.PhoneNumberID, "list:"+clip(key))
	}
	for _, u := range c.Statuses {
		if u.Subject != "" { // of a payment or a call, whose failure is not a message's
			s.count(e, c.PhoneNumberID, "status_of:"+clip(u.Subject))
			s.keepExample(e, c, fieldStatus, u.Subject+" "+u.Status, u.Raw)
			continue
		}
		if _, known := conversation.StatusOf(strings.ToLower(u.Status)); !known || u.GroupID != "" {
			s.count(e, c.PhoneNumberID, "status:"+clip(u.Status))
			s.keepExample(e, c, fieldStatus, u.Status, u.Raw)
			continue
		}
		u.At = since(u.At, u.AtFallback, e)
		s.statuses = append(s.statuses, told{StatusUpdate: u, number: c.PhoneNumberID})
	}
}

// own tells whether the phone is that of the number.
func (s *sorted) own(number, phone string) bool {
	return phone != "" && anyNumber(s.m, func(n municipality.Number) bool {
		return n.PhoneNumberID == number && strings.TrimPrefix(n.E164, "+") == phone
	})
}

func (s *sorted) count(e journal.Entry, number, name string) {
	s.tallies[conversation.Tally{Day: e.ReceivedAt.Format(time.DateOnly), Number: number, Name: name}]++
}

// clip keeps a word from outside from becoming an endless name. It cuts between letters: half of one is no text
// that PostgreSQL stores.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 60)], "") }

// store writes what one municipality received.
func (p *Processor) store(ctx context.Context, tx *db.Tx, s *sorted) error {
	slices.SortStableFunc(s.messages, func(a, b received) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.place, b.place), cmp.Compare(a.ID, b.ID))
	})
	contacts, merges, err := contact.Resolve(ctx, tx, s.m.ID, s.people())
	if err != nil {
		return err
	}
	preferred := s.preferred(contacts)
	if len(merges)+len(preferred) > 0 {
		everybody := slices.Clone(contacts)
		for _, merge := range merges {
			everybody = append(everybody, merge.From, merge.Into)
		}
		if err := broadcast.Hold(ctx, tx, s.m.ID, everybody); err != nil {
			return err
		}
	}
	if err := conversation.Merge(ctx, tx, s.m.ID, merges); err != nil {
		return err
	}
	if err := broadcast.Merge(ctx, tx, s.m, merges); err != nil {
		return err
	}
	if err := broadcast.Prefer(ctx, tx, s.m, preferred); err != nil {
		return err
	}
	if err := p.storeMessages(ctx, tx, s, contacts[:len(s.messages)]); err != nil {
		return err
	}
	failed, err := conversation.ApplyStatuses(ctx, tx, s.m.ID, s.changes())
	if err != nil {
		return err
	}
	if err := broadcast.NoteFailures(ctx, tx, s.m, failed); err != nil {
		return err
	}
	if err := s.learn(ctx, tx); err != nil {
		return err
	}
	p.processed.WithLabelValues("status").Add(float64(len(s.statuses)))
	p.processed.WithLabelValues("other").Add(float64(len(s.tallies)))
	return conversation.AddTallies(ctx, tx, s.m.ID, s.tallies)
}

// people are the senders, in the order of the messages, then those who told WhatsApp of a wish, and then those whom
// statuses name by two addresses, which may tie contacts together.
func (s *sorted) people() []contact.Person {
	people := make([]contact.Person, 0, len(s.messages))
	for _, m := range s.messages {
		people = append(people, person(m))
	}
	for _, w := range s.wishes {
		people = append(people, contact.Person{Phone: w.Phone, UserID: w.UserID, At: w.At})
	}
	seen := make(map[string]bool)
	for _, u := range s.statuses {
		if u.RecipientPhone == "" || u.RecipientUserID == "" || seen[u.RecipientUserID] {
			continue
		}
		seen[u.RecipientUserID] = true
		people = append(people, contact.Person{Phone: u.RecipientPhone, UserID: u.RecipientUserID, ParentUserID: u.RecipientParentUserID,
			Name: u.Name, Username: u.Username, At: u.At, OnlyKnown: true})
	}
	return people
}

// preferred are the wishes about marketing messages, which is the only category there is.
func (s *sorted) preferred(contacts []int64) []broadcast.Preference {
	var out []broadcast.Preference
	for i, w := range s.wishes {
		if (w.Category == "" || w.Category == "marketing_messages") && (w.Value == "stop" || w.Value == "resume") {
			out = append(out, broadcast.Preference{Contact: contacts[len(s.messages)+i], Stop: w.Value == "stop", At: w.At, Detail: clip(w.Detail), Number: w.number})
		}
	}
	return out
}

// person is who sent a message. One that tells of a change of number or id names both the new
// addresses and those they replace.
func person(m received) contact.Person {
	p := contact.Person{Phone: m.From.Phone, UserID: m.From.UserID, ParentUserID: m.From.ParentUserID, Name: m.From.Name, Username: m.From.Username, At: m.At}
	for _, c := range m.Contacts { // given because we asked for it: the citizen's own
		if c.Origin == ownCard && len(c.Phones) > 0 && p.Phone == "" {
			p.Phone = whatsapp.Phone(c.Phones[0].WaID)
		}
	}
	if m.System == nil || (m.System.Type != whatsapp.SystemChangedNumber && m.System.Type != whatsapp.SystemChangedUserID) {
		return p
	}
	changes := m.System
	was := func(kind contact.Kind, old, renewed string) string {
		if renewed == "" || renewed == old {
			return old
		}
		if old != "" {
			p.Was = append(p.Was, contact.Key{Kind: kind, Value: old})
		}
		return renewed
	}
	p.Phone = was(contact.Phone, p.Phone, changes.Phone)
	p.UserID = was(contact.BSUID, cmp.Or(changes.PreviousUserID, p.UserID), changes.UserID)
	p.ParentUserID = was(contact.Parent, cmp.Or(changes.PreviousParentUserID, p.ParentUserID), changes.ParentUserID)
	return p
}

func (p *Processor) storeMessages(ctx context.Context, tx *db.Tx, s *sorted, contacts []int64) error {
	var incoming []conversation.Message
	var sources []received // of incoming, in its order
	var revisions []conversation.Revision
	numbers := make(map[string]int64)
	for i, m := range s.messages {
		numbers[m.number]++
		heard := conversation.Message{}
		if kind, revises := revisionKinds[m.Kind]; revises {
			r := revision(m, kind, contacts[i])
			revisions = append(revisions, r)
			if r.SameText {
				continue
			}
			heard = correction(tx, m, r)
		} else {
			heard = message(tx, m, contacts[i])
		}
		incoming = append(incoming, heard)
		sources = append(sources, m)
	}
	turn, err := p.dialogue.Listen(ctx, tx, s.m, incoming)
	if err != nil {
		return err
	}
	fresh, err := receive(ctx, tx, s.m.ID, incoming)
	if err != nil {
		return err
	}
	if err := turn.Answer(ctx, tx, fresh); err != nil {
		return err
	}
	var files []media.Expected
	var arrived []string
	stored, duplicate := 0, 0
	for i, m := range incoming {
		if onlyRevises(m) {
			continue
		}
		if !fresh[i].Stored {
			duplicate++
			continue
		}
		stored++
		arrived = append(arrived, m.ExternalID)
		if f := sources[i].Media; m.MediaID != 0 {
			files = append(files, media.Expected{MediaID: m.MediaID, MessageID: m.ID, ConversationID: fresh[i].Conversation, Number: m.Number,
				ExternalID: f.ID, URL: f.URL, MIME: f.MIME, Name: f.Filename, SHA256: f.SHA256, At: m.At})
		}
	}
	if err := conversation.Revise(ctx, tx, s.m.ID, revisions, arrived); err != nil {
		return err
	}
	p.processed.WithLabelValues("message").Add(float64(stored))
	p.processed.WithLabelValues("revision").Add(float64(len(revisions)))
	p.processed.WithLabelValues("duplicate").Add(float64(duplicate))
	for number, n := range numbers {
		tx.Notify(db.Notice{Topic: db.Inbound, Municipality: s.m.ID, Key: number, ID: n})
	}
	return media.Expect(ctx, tx, s.m.ID, files)
}

// receive stores what is a message, and reports for all of incoming.
func receive(ctx context.Context, tx *db.Tx, municipality int64, incoming []conversation.Message) ([]conversation.Receipt, error) {
	var messages []conversation.Message
	var at []int
	for i, m := range incoming {
		if onlyRevises(m) {
			continue
		}
		if m.Detail.Corrects {
			m.Type = conversation.TypeText // the file is the first message's
		}
		messages, at = append(messages, m), append(at, i)
	}
	receipts := make([]conversation.Receipt, len(incoming))
	received, err := conversation.Receive(ctx, tx, municipality, messages)
	for n, r := range received {
		receipts[at[n]] = r
	}
	return receipts, err
}

// onlyRevises tells of a correction that says nothing to the desk.
func onlyRevises(m conversation.Message) bool {
	return m.Detail.Corrects && m.Lane != conversation.Automatic
}

func (s *sorted) changes() []conversation.Change {
	out := make([]conversation.Change, 0, len(s.statuses))
	for _, u := range s.statuses {
		status, _ := conversation.StatusOf(strings.ToLower(u.Status))
		c := conversation.Change{Number: u.number, ExternalID: u.ID, Status: status, At: u.At}
		if id, ok := db.ParseID(u.CallbackData); ok {
			c.MessageID = id
		}
		if p := u.Pricing; p != nil {
			c.Pricing = conversation.PricingOf(clip(p.Category), clip(p.Type), p.Billable)
		}
		if len(u.Errors) > 0 {
			c.ErrorCode, c.ErrorDetail = u.Errors[0].Code, cmp.Or(u.Errors[0].Details, u.Errors[0].Title)
		}
		out = append(out, c)
	}
	return out
}
