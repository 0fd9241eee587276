// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	messagesAtOnce = 50
	messagesAtMost = 1000 // of a thread that was scrolled back so far
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

// ourNumber is told where the municipality has more than one.
func ourNumber(m *municipality.Municipality, number string) string {
	if len(m.Numbers)+len(m.Retired) < 2 {
		return ""
	}
	n, _ := m.Number(number)
	return n.Display
}
