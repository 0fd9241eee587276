// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// linked is one request of somebody with a link from the chat. The link is all they need: who has it is the citizen.
type linked struct {
	person
	municipality *municipality.Municipality
	language     locale.Language
}

// citizenOf opens the link that the address is. A link of another municipality, or too old, is none.
func (s *Server) citizenOf(r *http.Request) (linked, error) {
	m, err := s.municipalityOf(r)
	if err != nil {
		return linked{}, err
	}
	c := linked{municipality: m, language: s.setting(r, nil).Language}
	contactID, err := broadcast.OpenLink(s.Key, m.ID, r.PathValue("token"), s.DB.Now())
	if err != nil {
		return c, err
	}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if c.Contact, err = contact.Get(ctx, tx, m.ID, contactID); err != nil {
			return err
		}
		if c.subscriptions, err = broadcast.SubscriptionsOf(ctx, tx, m.ID, c.ID); err != nil {
			return err
		}
		c.past, err = conversation.OfContact(ctx, tx, m.ID, c.ID, 1)
		return err
	})
	return c, err
}

// ownLists shows a citizen what they get. It changes nothing, whoever follows the link: WhatsApp's preview does.
func (s *Server) ownLists(w http.ResponseWriter, r *http.Request) error {
	private(w)
	c, err := s.citizenOf(r)
	if fault.KindOf(err) == fault.NotFound && c.municipality != nil {
		return s.linkOver(w, r, c)
	}
	if err != nil {
		return err
	}
	return s.draw(w, r, http.StatusOK, page.OwnListsPage(c.page(s, r.URL.Query().Has("saved"))))
}

// private keeps the address of a page, which is a key to it, from whatever the page links to and from search engines.
func private(w http.ResponseWriter) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
}

func (c linked) page(s *Server, saved bool) page.OwnLists {
	o := page.OwnLists{Town: s.town(c.municipality, c.language), Key: rand.Text(), Leave: "STOP", Saved: saved, Now: c.inWords()}
	for _, t := range topicsOf(c.municipality.File) {
		j := joinedOf(c.municipality, t, c.subscriptions)
		own := page.OwnList{Keyword: j.Keyword, Name: j.Name, On: j.On, Suspended: j.Suspended}
		if t.Kind == municipality.ListEmergency {
			own.About = c.language.T("page.lists.about_emergency")
		}
		if t.district() {
			o.Districts = append(o.Districts, own)
		} else {
			o.Lists = append(o.Lists, own)
		}
	}
	return o
}

// inWords says what the citizen gets.
func (c linked) inWords() string {
	var lists, districts []string
	for _, t := range topicsOf(c.municipality.File) {
		switch j := joinedOf(c.municipality, t, c.subscriptions); {
		case !j.On:
		case t.district():
			districts = append(districts, t.Name)
		default:
			lists = append(lists, t.Name)
		}
	}
	if len(lists) == 0 {
		return c.language.T("page.lists.now_none")
	}
	now := c.language.T("page.lists.now", "lists", c.language.List(lists))
	if len(districts) > 0 {
		now += " " + c.language.T("page.lists.now_district", "districts", c.language.List(districts))
	}
	return now
}

// saveOwnLists does what the citizen asked for, and shows it anew.
func (s *Server) saveOwnLists(w http.ResponseWriter, r *http.Request) error {
	private(w)
	c, err := s.citizenOf(r)
	if fault.KindOf(err) == fault.NotFound && c.municipality != nil {
		return s.linkOver(w, r, c)
	}
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	change, err := c.change(r.PostForm)
	if err != nil {
		return err
	}
	if change.LeaveAll || len(change.Join)+len(change.Leave) > 0 {
		err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := broadcast.Apply(ctx, tx, staff.Citizen(c.municipality.ID, c.ID), c.municipality, change)
			return err
		})
		if err != nil {
			return err
		}
	}
	http.Redirect(w, r, r.URL.EscapedPath()+"?saved=1", http.StatusSeeOther)
	return nil
}

// change is what a form asks for, with what the citizen was shown and did: the proof of their consent.
func (c linked) change(form url.Values) (broadcast.Change, error) {
	l, f := c.language, c.municipality.File
	change := broadcast.Change{Contact: c.ID, Number: numberFor(c.municipality, c.person), Channel: channelPage, Language: l, Key: form.Get("key")}
	if form.Get("do") == "leave" {
		change.LeaveAll, change.Words, change.Wording = true, l.T("page.lists.words_leave"), l.T("page.lists.leave_title")+" "+l.T("page.lists.leave_lead")
		return change, nil
	}
	t, err := tickedIn(form, f)
	if err != nil {
		return change, err
	}
	change.Join, change.Leave = t.join, t.leave
	shown := namesOf(f, keywords(topicsOf(f)))
	change.Wording = l.T("page.lists.which") + " " + strings.Join(shown, ", ") + ". " + l.T("page.lists.consent", "leave", "STOP") + " " +
		l.T("page.lists.notice", "policy", broadcast.Notice(f))
	ticked := l.T("page.lists.nothing")
	if len(t.now) > 0 {
		ticked = strings.Join(namesOf(f, slices.Sorted(slices.Values(t.now))), ", ")
	}
	change.Words = l.T("page.lists.words_save", "lists", ticked)
	return change, nil
}

// linkOver tells how to get a link that works. A number that is shown to the registered only is not shown here.
func (s *Server) linkOver(w http.ResponseWriter, r *http.Request, c linked) error {
	f, n := c.municipality.File, firstNumber(c.municipality)
	over := page.LinkOver{Town: s.town(c.municipality, c.language), Word: strings.Join(f.Subscription.Status[:min(1, len(f.Subscription.Status))], "")}
	if f.Access == municipality.AccessOpen {
		over.Number, over.Link = n.Display, chatLink(n, over.Word)
	}
	return s.draw(w, r, http.StatusNotFound, page.LinkOverPage(over))
}

// town is the frame of a citizen's page.
func (s *Server) town(m *municipality.Municipality, l locale.Language) page.Town {
	w := page.Town{Municipality: m.Name, Service: m.File.Service, Policy: page.Policy{URL: m.File.Policy.URL, Text: m.File.Policy.Text}}
	state, zone := m.Desk.At(s.DB.Now()), m.Desk.Zone()
	now := s.DB.Now().In(zone)
	if state.Open {
		w.Hours = l.OpenUntil(inZone(state.Until, zone), now)
	} else {
		w.Hours = l.ClosedUntil(inZone(state.Opens, zone), now, state.ReasonIn(l))
	}
	for _, c := range m.File.Channels {
		w.Contacts = append(w.Contacts, page.Contact{Label: c.Label, Value: c.Value, Address: channelAddress(c)})
	}
	return w
}

// channelAddress is where a channel leads, "" where there is nothing to follow.
func channelAddress(c municipality.Channel) string {
	switch {
	case c.Kind == "phone":
		return "tel:" + strings.ReplaceAll(c.Value, " ", "")
	case c.Kind == "email":
		return "mailto:" + c.Value
	case strings.HasPrefix(c.Value, "https://"):
		return c.Value
	default:
		return ""
	}
}
