// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	messagesAtOnce = 50
	messagesAtMost = 1000 // of a thread that was scrolled back so far
	pastShown      = 10
)

// conversation opens a thread: the whole page, or what a click in the list puts beside it.
func (s *Server) conversation(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	if err := s.see(r.Context(), v, conversationID); err != nil {
		return err
	}
	var (
		box     page.Inbox
		thread  page.Thread
		citizen page.Citizen
	)
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil {
			return err
		}
		if thread, err = s.loadThread(ctx, tx, r, v, c, messagesAtOnce); err != nil {
			return err
		}
		if citizen, err = loadCitizen(ctx, tx, v, c); err != nil {
			return err
		}
		if !part(r) {
			box, err = s.loadInbox(ctx, tx, r, v, conversationID)
		}
		return err
	})
	if err != nil {
		return err
	}
	frame := s.inboxFrame(v, thread.Name, box)
	if part(r) {
		return s.draw(w, r, http.StatusOK, page.ThreadFragment(frame, thread, citizen))
	}
	return s.draw(w, r, http.StatusOK, page.InboxPage(frame, box, &thread, &citizen))
}

// see marks what the citizen has written by now as read, and leaves the job that tells WhatsApp so; the page
// that follows shows it. What comes in between stays unread. Looking at what was read before writes nothing.
func (s *Server) see(ctx context.Context, v *visit, conversationID int64) error {
	var last conversation.Message
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil || c.Unread == 0 {
			return err
		}
		last, err = conversation.LastInbound(ctx, tx, v.municipality.ID, c)
		return err
	})
	if err != nil || last.ID == 0 {
		return err
	}
	return s.DB.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		fresh, err := conversation.See(ctx, tx, v.actor, conversationID, last.ID)
		if err != nil || !fresh || s.ReadJob == nil {
			return err
		}
		return tx.Enqueue(ctx, s.ReadJob(v.municipality.ID, last.ID), nil)
	})
}

// live is an open thread after a change. The page says how many messages it shows and which is the
// first, so that it gets the same ones and those that came since; or asks for earlier ones.
func (s *Server) live(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Has("seen") {
		if err := s.see(r.Context(), v, conversationID); err != nil {
			return err
		}
	}
	return s.drawLive(w, r, v, conversationID)
}

func (s *Server) drawLive(w http.ResponseWriter, r *http.Request, v *visit, conversationID int64) error {
	shown, _ := strconv.Atoi(r.FormValue("shown"))
	from, _ := db.ParseID(r.FormValue("from"))
	thread, err := s.thread(r, v, conversationID, min(max(shown, 0)+messagesAtOnce, messagesAtMost), from)
	if err != nil {
		return err
	}
	return s.draw(w, r, http.StatusOK, page.ThreadLive(thread))
}

func (s *Server) thread(r *http.Request, v *visit, conversationID int64, limit int, from int64) (thread page.Thread, err error) {
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil {
			return err
		}
		thread, err = s.loadThread(ctx, tx, r, v, c, limit)
		return err
	})
	if from != 0 {
		all := len(thread.Messages)
		thread.Messages = since(thread.Messages, db.FormatID(from))
		thread.Earlier = thread.Earlier || len(thread.Messages) < all
	}
	return thread, err
}

// since drops what stands above the message with this id.
func since(messages []page.Message, first string) []page.Message {
	at := slices.IndexFunc(messages, func(m page.Message) bool { return m.ID == first })
	return messages[max(at, 0):]
}

func (s *Server) loadThread(ctx context.Context, tx *db.Tx, r *http.Request, v *visit, c conversation.Conversation, limit int) (page.Thread, error) {
	found, err := conversation.LoadThread(ctx, tx, v.municipality.ID, c.ContactID, c.Number, conversation.Position{}, limit)
	if err != nil {
		return page.Thread{}, err
	}
	draft, err := conversation.GetDraft(ctx, tx, v.actor, c.ID)
	if err != nil {
		return page.Thread{}, err
	}
	view, _ := boxOf(r, v)
	th := page.Thread{
		ID:       db.FormatID(c.ID),
		Name:     nameOf(c.Contact),
		Address:  addressOf(c.Contact),
		Number:   ourNumber(v.municipality, c.Number),
		View:     view,
		Resolved: c.State != conversation.Open,
		Reason:   c.Resolution,
		Holder:   c.HolderName,
		Mine:     c.HolderID == v.actor.ID,
		Office:   officeName(v.municipality, c.Office),
		Kind:     kindLabel(v, c.Kind),
		KindID:   c.Kind,
		Earlier:  found.More,
		Composer: composerOf(v, c, draft),
		Rights:   rightsOf(v, c),
	}
	since, err := blockedSince(ctx, tx, v, c.ContactID)
	if err != nil {
		return th, err
	}
	if on, blocked := since[c.Number]; blocked {
		th.Composer.Block, th.Composer.Since, th.Citizen = page.BlockCitizen, on, db.FormatID(c.ContactID)
	}
	if c.WindowOpen(v.now) {
		th.Closes = *c.WindowClosesAt()
	}
	if th.Messages, err = s.messages(ctx, tx, v, c, found); err != nil || draft.ReplyTo == 0 {
		return th, err
	}
	th.Composer.Quote, err = draftQuote(ctx, tx, v, c, draft)
	return th, err
}

func composerOf(v *visit, c conversation.Conversation, d conversation.Draft) page.Composer {
	composer := page.Composer{
		Draft:        d.Key,
		Text:         d.Text,
		Note:         d.Mode == "note",
		Limit:        conversation.MaxText,
		NoAutomation: v.municipality.File.Automation == municipality.AutomationNone,
		Keywords:     len(v.municipality.File.Lists) > 0,
	}
	if composer.Draft == "" {
		composer.Draft = rand.Text()
	}
	switch {
	case c.State != conversation.Open:
		composer.Block = page.BlockSolved
	case c.HolderID != 0 && c.HolderID != v.actor.ID:
		composer.Block = page.BlockHeld
		composer.Note = composer.Note || d.Text == ""
	case !c.WindowOpen(v.now):
		composer.Block = page.BlockWindow
	}
	return composer
}

func rightsOf(v *visit, c conversation.Conversation) page.Rights {
	open := c.State == conversation.Open
	mine := c.HolderID == v.actor.ID
	touch := c.HolderID == 0 || mine || v.actor.May(staff.ReleaseOthers)
	return page.Rights{
		Take:     open && !mine && touch,
		Release:  open && c.HolderID != 0 && touch,
		HandOver: open && touch,
		Resolve:  open && touch,
		Reopen:   !open,
	}
}

// loadCitizen is the pane on the right.
func loadCitizen(ctx context.Context, tx *db.Tx, v *visit, c conversation.Conversation) (page.Citizen, error) {
	person, err := contact.Get(ctx, tx, v.municipality.ID, c.ContactID)
	if err != nil {
		return page.Citizen{}, err
	}
	past, err := conversation.OfContact(ctx, tx, v.municipality.ID, c.ContactID, pastShown)
	if err != nil {
		return page.Citizen{}, err
	}
	subscriptions, err := broadcast.SubscriptionsOf(ctx, tx, v.municipality.ID, person.ID)
	if err != nil {
		return page.Citizen{}, err
	}
	citizen := page.Citizen{ID: db.FormatID(person.ID), Name: nameOf(person), Since: person.CreatedAt, Notes: person.Note, Lists: listsInPane(v, subscriptions)}
	if person.Phone != "" {
		citizen.Addresses = append(citizen.Addresses, contact.DisplayPhone(person.Phone))
	}
	if person.Username != "" {
		citizen.Addresses = append(citizen.Addresses, "@"+strings.TrimPrefix(person.Username, "@"))
	}
	for _, p := range past {
		citizen.Conversations = append(citizen.Conversations, page.Past{
			ID: db.FormatID(p.ID), At: p.LastMessageAt, Kind: kindLabel(v, p.Kind), Preview: previewText(v, p),
			Resolved: p.State != conversation.Open, Current: p.ID == c.ID,
		})
	}
	return citizen, nil
}

// listsInPane names the lists and districts of a citizen, in the order of the file.
func listsInPane(v *visit, subscriptions []broadcast.Subscription) (out []string) {
	for _, t := range topicsOf(v.municipality.File) {
		switch j := joinedOf(v.municipality, t, subscriptions); {
		case j.Suspended:
			out = append(out, v.language.T("desk.file.pane_suspended", "list", t.Name))
		case j.On:
			out = append(out, t.Name)
		}
	}
	return out
}

func previewText(v *visit, c conversation.Conversation) string {
	if c.LastText != "" {
		return shortened(c.LastText, lettersInList)
	}
	return v.language.T(page.TypeKey(typeOf(c.LastType)))
}

func nameOf(c contact.Contact) string {
	if c.Name == "" && c.Phone != "" {
		return contact.DisplayPhone(c.Phone)
	}
	return c.Label()
}

func addressOf(c contact.Contact) string {
	switch {
	case c.Phone != "":
		return contact.DisplayPhone(c.Phone)
	case c.Username != "":
		return "@" + strings.TrimPrefix(c.Username, "@")
	default:
		return ""
	}
}

// ourNumber is told where the municipality has more than one.
func ourNumber(m *municipality.Municipality, number string) string {
	if len(m.Numbers)+len(m.Retired) < 2 {
		return ""
	}
	n, _ := m.Number(number)
	return n.Display
}

// messages are the thread as the page draws it: reactions under what they react to, events in between.
func (s *Server) messages(ctx context.Context, tx *db.Tx, v *visit, c conversation.Conversation, found conversation.Thread) ([]page.Message, error) {
	quoted, err := quotedBy(ctx, tx, v, found.Messages)
	if err != nil {
		return nil, err
	}
	files, err := s.filesOf(ctx, tx, v, found.Messages)
	if err != nil {
		return nil, err
	}
	history, err := revisionsOf(ctx, tx, v, found.Messages)
	if err != nil {
		return nil, err
	}
	var out []page.Message
	reactions := map[string]map[string]page.Reaction{}
	for _, m := range found.Messages {
		if m.Type == conversation.TypeReaction {
			react(reactions, v, c, m)
			continue
		}
		if m.Type == conversation.TypeSystem {
			out = append(out, systemEvent(v, m))
			continue
		}
		shown := messageOf(v, c, m, quoted, files)
		revise(&shown, m, history[m.ExternalID])
		out = append(out, shown)
	}
	for i, m := range out {
		for _, reaction := range reactions[m.External] {
			out[i].Reactions = append(out[i].Reactions, reaction)
		}
		slices.SortFunc(out[i].Reactions, func(a, b page.Reaction) int { return cmp.Compare(a.Who, b.Who) })
	}
	for _, e := range found.Events {
		if text := eventText(v, e); text != "" {
			out = append(out, page.Message{ID: "e" + db.FormatID(e.ID), Side: page.Event, At: e.At, Text: text})
		}
	}
	slices.SortStableFunc(out, before)
	return out, nil
}

// before puts what happened above what was written at the same instant: who replies takes first.
func before(a, b page.Message) int {
	if order := a.At.Compare(b.At); order != 0 || a.Side == b.Side {
		return order
	}
	switch page.Event {
	case a.Side:
		return -1
	case b.Side:
		return 1
	default:
		return 0
	}
}

// react keeps the last reaction of each side; an empty one takes it away.
func react(reactions map[string]map[string]page.Reaction, v *visit, c conversation.Conversation, m conversation.Message) {
	if m.Detail.Reaction == nil || m.Status == conversation.Failed || m.Status == conversation.Cancelled {
		return
	}
	target := m.Detail.Reaction.ExternalID
	if reactions[target] == nil {
		reactions[target] = map[string]page.Reaction{}
	}
	side, who := string(m.Direction), nameOf(c.Contact)
	if m.Direction == conversation.Out {
		who = v.municipality.Name
	}
	if m.Detail.Reaction.Emoji == "" {
		delete(reactions[target], side)
		return
	}
	reactions[target][side] = page.Reaction{Emoji: m.Detail.Reaction.Emoji, Who: who}
}

// quotedBy finds the messages that others answer to, most of which are in the same thread.
func quotedBy(ctx context.Context, tx *db.Tx, v *visit, messages []conversation.Message) (map[string]conversation.Message, error) {
	here := map[string]conversation.Message{}
	for _, m := range messages {
		if m.ExternalID != "" {
			here[m.ExternalID] = m
		}
	}
	var elsewhere []string
	for _, m := range messages {
		if _, ok := here[m.ReplyTo]; !ok && m.ReplyTo != "" {
			elsewhere = append(elsewhere, m.ReplyTo)
		}
	}
	if len(elsewhere) == 0 {
		return here, nil
	}
	more, err := conversation.ByExternalID(ctx, tx, v.municipality.ID, elsewhere)
	for external, m := range more {
		here[external] = m
	}
	return here, err
}

func messageOf(v *visit, c conversation.Conversation, m conversation.Message, quoted map[string]conversation.Message, files map[int64]*page.Media) page.Message {
	out := page.Message{
		ID:        db.FormatID(m.ID),
		External:  m.ExternalID,
		Side:      page.Side(m.Direction),
		Type:      typeOf(m.Type),
		Author:    m.Author.Name,
		Automatic: m.Direction == conversation.Out && m.Author.Kind == string(staff.SystemKind),
		At:        m.At,
		Notice:    m.BroadcastID != 0,
		Doubtful:  m.Detail.TimeGuess,
		Text:      m.Text,
		Forwarded: m.Detail.Forwarded && !m.Detail.Often,
		Media:     files[m.MediaID],
	}
	if l := m.Detail.Location; l != nil {
		out.Location = &page.Spot{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address, URL: l.URL}
		out.Text = ""
	}
	if m.Type == conversation.TypeContacts {
		out.Cards, out.Text = cardsOf(m.Detail.Contacts), ""
	}
	if choice := m.Detail.Choice; choice != nil {
		out.Title, out.Text = choice.Title, choice.Description
	}
	if t := m.Detail.Template; t != nil {
		out.Title = t.Name
		if len(t.Buttons) > 0 {
			out.Taps = &page.Taps{Kind: page.TapTemplate}
			for _, label := range t.Buttons {
				out.Taps.Choices = append(out.Taps.Choices, page.Tap{Title: label})
			}
		}
		if p := t.Place; p != nil {
			out.Location = &page.Spot{Latitude: p.Latitude, Longitude: p.Longitude, Name: p.Name, Address: p.Address}
		}
	}
	if o := m.Detail.Interactive; o != nil {
		out.Taps = offerOf(*o)
	}
	oddities(v, &out, m)
	if m.ReplyTo != "" {
		out.Quote = quoteOf(v, c, m, quoted)
	}
	if m.Direction == conversation.Out {
		tellStatus(v, &out, m)
	}
	return out
}

func offerOf(i conversation.Interactive) *page.Taps {
	out := &page.Taps{Kind: offerKinds[i.Kind()], Header: i.Header, Footer: i.Footer, Button: i.Button, Address: i.URL}
	for _, c := range i.Choices {
		out.Choices = append(out.Choices, page.Tap{Title: c.Title, Description: c.Description, Section: c.Section})
	}
	return out
}

var offerKinds = map[conversation.InteractiveKind]page.TapKind{
	conversation.InteractiveButtons: page.TapButtons,
	conversation.InteractiveList:    page.TapList,
	conversation.InteractiveLink:    page.TapLink,
	conversation.InteractivePlace:   page.TapPlace,
	conversation.InteractivePhone:   page.TapPhone,
}

func quoteOf(v *visit, c conversation.Conversation, m conversation.Message, quoted map[string]conversation.Message) *page.Quote {
	q, ok := quoted[m.ReplyTo]
	if !ok || q.ContactID != m.ContactID {
		return &page.Quote{}
	}
	quote := &page.Quote{ID: db.FormatID(q.ID), Author: q.Author.Name, Text: shortened(q.Text, lettersInList), Type: typeOf(q.Type)}
	if q.RevokedAt != nil {
		quote.Text, quote.Type = "", conversation.TypeRevoked
	}
	switch {
	case q.Direction == conversation.In:
		quote.Author = nameOf(c.Contact)
	case quote.Author == "":
		quote.Author = v.municipality.Name
	}
	return quote
}

// draftQuote is the message that a draft answers to.
func draftQuote(ctx context.Context, tx *db.Tx, v *visit, c conversation.Conversation, d conversation.Draft) (*page.Quote, error) {
	m, err := conversation.GetMessage(ctx, tx, v.municipality.ID, d.ReplyTo)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answer := conversation.Message{ContactID: c.ContactID, ReplyTo: m.ExternalID}
	return quoteOf(v, c, answer, map[string]conversation.Message{m.ExternalID: m}), nil
}

// tellStatus says how far a message of ours came, and what to do where it stopped.
func tellStatus(v *visit, out *page.Message, m conversation.Message) {
	out.Status = page.Status(m.Status.String())
	switch m.Status {
	case conversation.Failed:
		out.Reason = graphSentence(v.language, m.ErrorCode)
		out.Resend = m.BroadcastID == 0
	case conversation.Uncertain:
		out.Resend = m.BroadcastID == 0 && m.OfferResend(v.now) // a broadcast's page offers its own
	}
}

// typeOf is a type as the page knows it.
func typeOf(t string) page.Type {
	switch t {
	case conversation.TypeChoice:
		return page.ButtonReply
	case conversation.TypeReaction, conversation.TypeSystem:
		return page.Type(t)
	case "", conversation.TypeInteractive: // a text, and what may be picked under it
		return page.Text
	default:
		return page.Type(t)
	}
}

// eventText says what happened as a person would; "" leaves it to the figures.
func eventText(v *visit, e conversation.Event) string {
	l := v.language
	switch e.Kind {
	case conversation.Taken:
		return l.T("desk.event.taken", "who", e.Actor.Name)
	case conversation.Released:
		return l.T("desk.event.released", "who", e.Actor.Name)
	case conversation.HandedOver:
		if office, ok := strings.CutPrefix(e.Detail, "office:"); ok {
			return l.T("desk.event.handed_over", "who", e.Actor.Name, "to", officeName(v.municipality, office))
		}
		return l.T("desk.event.handed_over", "who", e.Actor.Name, "to", strings.TrimPrefix(e.Detail, "staff:"))
	case conversation.KindSet:
		if e.Detail == "" {
			return ""
		}
		return l.T("desk.event.kind_set", "who", e.Actor.Name, "kind", kindLabel(v, e.Detail))
	case conversation.Resolved:
		if e.Detail == "" {
			return l.T("desk.event.resolved", "who", e.Actor.Name)
		}
		return l.T("desk.event.resolved_because", "who", e.Actor.Name, "reason", e.Detail)
	case conversation.Reopened:
		if e.Actor.Name == "" {
			return l.T("desk.event.reopened_by_citizen")
		}
		return l.T("desk.event.reopened", "who", e.Actor.Name)
	default:
		return ""
	}
}
