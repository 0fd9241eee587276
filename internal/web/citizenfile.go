// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	pastInFile   = 50
	maxReference = 200 // characters
)

// The channels of changes that are made on pages.
const (
	channelPage    = "page"
	channelCounter = "counter"
)

// person is what the desk knows of a citizen as a subscriber.
type person struct {
	contact.Contact
	addresses     []contact.Address
	subscriptions []broadcast.Subscription
	consents      []contact.Consent
	past          []conversation.Conversation
	stopped       *time.Time
}

func (s *Server) loadPerson(r *http.Request, v *visit) (p person, err error) {
	citizenID, err := id(r)
	if err != nil {
		return p, err
	}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		m := v.municipality.ID
		if p.Contact, err = contact.Get(ctx, tx, m, citizenID); err != nil {
			return err
		}
		if p.addresses, err = contact.Addresses(ctx, tx, m, p.ID); err != nil {
			return err
		}
		if p.subscriptions, err = broadcast.SubscriptionsOf(ctx, tx, m, p.ID); err != nil {
			return err
		}
		if p.consents, err = contact.Consents(ctx, tx, m, p.ID); err != nil {
			return err
		}
		if p.stopped, err = broadcast.MarketingStopped(ctx, tx, m, p.ID); err != nil {
			return err
		}
		p.past, err = conversation.OfContact(ctx, tx, m, p.ID, pastInFile)
		return err
	})
	return p, err
}

func (s *Server) citizenFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.loadPerson(r, v)
	if err != nil {
		return err
	}
	file, err := s.fileWithBlocks(r, v, p)
	if err != nil {
		return err
	}
	file.Counter.Done = r.URL.Query().Has("done")
	return s.drawCitizenFile(w, r, v, http.StatusOK, file)
}

func (s *Server) drawCitizenFile(w http.ResponseWriter, r *http.Request, v *visit, status int, file page.CitizenFile) error {
	return s.draw(w, r, status, page.CitizenFilePage(s.frame(v, page.SectionInbox, file.Name), file))
}

func fileOf(v *visit, p person) page.CitizenFile {
	file := page.CitizenFile{ID: db.FormatID(p.ID), Name: nameOf(p.Contact), Since: p.CreatedAt, Note: p.Note, Stopped: orZero(p.stopped),
		ConsentsFile: citizenPath(v, p.ID) + "/consents.csv", Counter: page.Counter{Key: rand.Text()}}
	for _, a := range p.addresses {
		if a.Kind == contact.Phone {
			file.Addresses = append(file.Addresses, page.Address{Value: contact.DisplayPhone(a.Value), Earlier: a.Until != nil})
		}
	}
	if p.Username != "" {
		file.Addresses = append(file.Addresses, page.Address{Value: "@" + strings.TrimPrefix(p.Username, "@")})
	}
	for _, t := range topicsOf(v.municipality.File) {
		j := joinedOf(v.municipality, t, p.subscriptions)
		if t.district() {
			file.Districts = append(file.Districts, j)
		} else {
			file.Lists = append(file.Lists, j)
		}
	}
	for _, c := range p.consents {
		file.Consents = append(file.Consents, consentOf(v, c))
	}
	for _, c := range p.past {
		file.Conversations = append(file.Conversations, page.Past{ID: db.FormatID(c.ID), At: c.LastMessageAt, Kind: kindLabel(v, c.Kind), Preview: previewText(v, c), Resolved: c.State != conversation.Open})
	}
	return file
}

func citizenPath(v *visit, contactID int64) string {
	return "/desk/" + v.municipality.Slug + "/citizens/" + db.FormatID(contactID)
}

func joinedOf(m *municipality.Municipality, t topic, subscriptions []broadcast.Subscription) page.Joined {
	j := page.Joined{Keyword: t.Keyword, Name: t.Name}
	for _, s := range subscriptions {
		if s.Topic == t.Keyword {
			j.On, j.Suspended, j.Since, j.Number = s.State == broadcast.On, s.State == broadcast.Suspended, s.Since, ourNumber(m, s.Number)
		}
	}
	j.Ticked = j.On
	return j
}

func consentOf(v *visit, c contact.Consent) page.Consent {
	out := page.Consent{At: c.At, Recorded: c.RecordedAt, List: topicName(v.municipality.File, c.Topic), Event: string(c.Event), Channel: wayInWords(v.language, c.Channel),
		Words: c.Words, Wording: c.Wording, Policy: c.PolicyVersion, Message: c.ExternalID, Reference: c.Reference, Hash: c.Hash}
	if c.Actor.Kind != "citizen" {
		out.Who = c.Actor.Name
	}
	return out
}

// topicName is what a topic is called; one that is no longer in the file keeps its keyword.
func topicName(f *municipality.File, keyword string) string {
	for _, t := range topicsOf(f) {
		if t.Keyword == keyword {
			return t.Name
		}
	}
	return keyword
}

func namesOf(f *municipality.File, topics []string) (out []string) {
	for _, t := range topics {
		out = append(out, topicName(f, t))
	}
	return out
}

// consentsFile is a citizen's part of the consent register.
func (s *Server) consentsFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.loadPerson(r, v)
	if err != nil {
		return err
	}
	file := newCSV(w, v.municipality.Slug+"-consents-"+db.FormatID(p.ID))
	file.row("id", "list", "event", "at", "recorded_at", "channel", "words", "wording", "policy_version", "policy_sha256", "language", "message", "entered_by", "reference", "sha256")
	for _, c := range p.consents {
		file.row(db.FormatID(c.ID), c.Topic, string(c.Event), c.At.UTC().Format(time.RFC3339), c.RecordedAt.UTC().Format(time.RFC3339), c.Channel, c.Words, c.Wording,
			c.PolicyVersion, c.PolicyHash, string(c.Language), c.ExternalID, consentOf(v, c).Who, c.Reference, c.Hash)
	}
	return file.end()
}

// ticked is a form with lists to tick: what is ticked now, and what was when the page was shown. Only what differs is
// somebody's wish: the rest may have changed in the chat since.
type ticked struct{ now, join, leave []string }

func tickedIn(form url.Values, f *municipality.File) (ticked, error) {
	known := keywords(topicsOf(f))
	for _, t := range slices.Concat(form["topic"], form["was"]) {
		if !slices.Contains(known, t) {
			return ticked{}, errForm
		}
	}
	t := ticked{now: form["topic"]}
	for _, k := range known {
		is, was := slices.Contains(form["topic"], k), slices.Contains(form["was"], k)
		switch {
		case is && !was:
			t.join = append(t.join, k)
		case was && !is:
			t.leave = append(t.leave, k)
		}
	}
	return t, nil
}

func (t ticked) changes() bool { return len(t.join)+len(t.leave) > 0 }

// setLists enters what a citizen asked for on paper.
func (s *Server) setLists(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.loadPerson(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	t, err := tickedIn(r.PostForm, v.municipality.File)
	if err != nil {
		return err
	}
	reference := shortened(strings.TrimSpace(db.Text(r.PostForm.Get("reference"))), maxReference)
	if problem := counterProblem(t, reference); problem != "" {
		file, err := s.fileWithBlocks(r, v, p)
		if err != nil {
			return err
		}
		return s.drawCitizenFile(w, r, v, http.StatusUnprocessableEntity, withProblem(file, t, reference, v.language.T(problem)))
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := broadcast.Apply(ctx, tx, v.actor, v.municipality, counterChange(v, p, t, reference, r.PostForm.Get("key")))
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, citizenPath(v, p.ID)+"?done=1", http.StatusSeeOther)
	return nil
}

func counterProblem(t ticked, reference string) locale.Key {
	switch {
	case !t.changes():
		return "desk.file.no_change"
	case len(t.join) > 0 && reference == "": // to leave must be as easy as it can be (GDPR, article 7(3))
		return "desk.file.no_reference"
	default:
		return ""
	}
}

// withProblem keeps what was ticked and written.
func withProblem(file page.CitizenFile, t ticked, reference, problem string) page.CitizenFile {
	for _, list := range [][]page.Joined{file.Lists, file.Districts} {
		for i := range list {
			list[i].Ticked = slices.Contains(t.now, list[i].Keyword)
		}
	}
	file.Counter.Problem, file.Counter.Reference = problem, reference
	return file
}

func counterChange(v *visit, p person, t ticked, reference, key string) broadcast.Change {
	l, f := v.municipality.File.Locale, v.municipality.File
	listed := func(topics []string) string {
		if len(topics) == 0 {
			return l.T("desk.file.nothing")
		}
		return l.List(namesOf(f, topics))
	}
	wording := l.T("desk.file.counter_left")
	if len(t.join) > 0 {
		wording = l.T("desk.file.counter_wording", "reference", reference, "policy", broadcast.Notice(f))
	}
	return broadcast.Change{Contact: p.ID, Join: t.join, Leave: t.leave, Number: numberFor(v.municipality, p), Channel: channelCounter, Language: l,
		Words:   l.T("desk.file.counter_words", "join", listed(t.join), "leave", listed(t.leave)),
		Wording: wording, Reference: reference, Key: key}
}

// numberFor is which of our numbers a citizen knows: where they joined before, else where they wrote last.
func numberFor(m *municipality.Municipality, p person) string {
	var candidates []string
	for _, s := range p.subscriptions {
		candidates = append(candidates, s.Number)
	}
	for _, c := range p.past {
		candidates = append(candidates, c.Number)
	}
	for _, n := range candidates {
		if slices.ContainsFunc(m.Numbers, func(ours municipality.Number) bool { return ours.PhoneNumberID == n }) {
			return n
		}
	}
	return firstNumber(m).PhoneNumberID
}
