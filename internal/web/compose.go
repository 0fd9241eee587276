// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	maxUpload   = 120 << 20 // bytes of a reply with its files; WhatsApp takes 100 MB
	maxInMemory = 1 << 20   // of them; the rest waits on disk
	maxFiles    = 10
	uploadTime  = 10 * time.Minute // for files over a slow line
	maxKey      = 80               // characters of a draft's id
)

// send takes what the composer or the template picker sends. The draft's id is the message's key: the
// same form twice, by a double click or a browser that tries again, sends once.
func (s *Server) send(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)); err != nil {
		return err
	}
	if err := parse(r); err != nil {
		return err
	}
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
	}
	key := r.PostFormValue("draft")
	if key == "" || len(key) > maxKey*2 {
		return errForm
	}
	switch r.PostFormValue("mode") {
	case "note":
		err = s.sendNote(r, v, conversationID, key)
	case "template":
		err = s.sendTemplate(r, v, conversationID, key)
	case "offer":
		err = s.sendOffer(r, v, conversationID, key)
	case "card":
		err = s.sendCard(r, v, conversationID, key)
	case "place":
		err = s.sendPlace(r, v, conversationID, key)
	default:
		err = s.sendReply(r, v, conversationID, key)
	}
	if err != nil {
		renew(w, err)
		return err
	}
	if err := sentTrigger(w, key); err != nil {
		return err
	}
	return s.acted(w, r, v, conversationID)
}

func parse(r *http.Request) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := r.ParseForm(); err != nil {
			return errForm.With(err)
		}
		return nil
	}
	err := r.ParseMultipartForm(maxInMemory)
	if err == nil || kindOf(err) == fault.TooLarge {
		return err
	}
	return errForm.With(err)
}

// sentTrigger tells the composer that what it wrote under this id is committed, and the id of the next.
func sentTrigger(w http.ResponseWriter, key string) error {
	detail, err := json.Marshal(map[string]any{"desk:sent": map[string]string{"sent": key, "draft": rand.Text()}, "desk:done": true})
	if err != nil {
		return err
	}
	w.Header().Set(afterSwap, string(detail))
	return nil
}

// freshDraft is the header with a new id for the composer, when a message went out under the one it has.
const freshDraft = "Desk-Draft"

func renew(w http.ResponseWriter, err error) {
	if fault.Is(err, fault.Conflict, conversation.ErrKeyUsed.Key) {
		w.Header().Set(freshDraft, rand.Text())
	}
}

func (s *Server) sendNote(r *http.Request, v *visit, conversationID int64, key string) error {
	return s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := conversation.AddNote(ctx, tx, v.actor, conversationID, r.PostFormValue("text"), key)
		return err
	})
}

// sendReply queues the text and each file, all in one transaction. A short text beside files becomes
// the first one's caption.
func (s *Server) sendReply(r *http.Request, v *visit, conversationID int64, key string) error {
	replyTo, _ := db.ParseID(r.PostFormValue("reply_to"))
	seen, _ := db.ParseID(r.PostFormValue("last"))
	text := r.PostFormValue("text")
	var files []*multipart.FileHeader
	if r.MultipartForm != nil {
		files = chosen(r.MultipartForm.File["files"])
	}
	if len(files) > maxFiles {
		return fault.New(fault.Invalid, "desk.composer.too_many", "max", maxFiles)
	}
	stored, err := s.store(r.Context(), v, files)
	if err != nil {
		return err
	}
	var all []conversation.Outgoing
	if len(stored) == 0 || !captions(stored[0], text) {
		if len(stored) == 0 || strings.TrimSpace(text) != "" {
			all = append(all, conversation.Outgoing{Type: conversation.TypeText, Text: text})
		}
		text = ""
	}
	for _, f := range stored {
		all = append(all, conversation.Outgoing{Type: f.kind, MediaID: f.id, Text: text})
		text = ""
	}
	return s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if err := s.keep(ctx, tx, v, stored); err != nil {
			return err
		}
		for i, out := range all {
			out.ClientKey, out.Seen = key, seen
			if i == 0 {
				out.ReplyTo = replyTo
			} else {
				out.ClientKey += "-" + strconv.Itoa(i)
			}
			m, err := conversation.Send(ctx, tx, v.actor, conversationID, out)
			if err != nil {
				return err
			}
			if err := media.Attach(ctx, tx, v.municipality.ID, m.MediaID, m.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// chosen leaves out the empty file that a browser sends for a field with nothing in it.
func chosen(files []*multipart.FileHeader) []*multipart.FileHeader {
	var out []*multipart.FileHeader
	for _, f := range files {
		if f.Filename != "" {
			out = append(out, f)
		}
	}
	return out
}

func captions(f storedFile, text string) bool {
	return f.kind != conversation.TypeAudio && f.kind != conversation.TypeSticker && utf8.RuneCountInString(text) <= conversation.MaxCaption
}

func (s *Server) sendTemplate(r *http.Request, v *visit, conversationID int64, key string) error {
	filling := conversation.Filling{Parameters: municipality.Parameters{Named: valuesOf(r.PostForm)}}
	stored, err := s.storeAbove(r, v)
	if err != nil {
		return err
	}
	if len(stored) > 0 {
		filling.MediaID = stored[0].id
	}
	if r.PostForm.Has("place") {
		if filling.Place, err = writtenPlace(r.PostForm); err != nil {
			return err
		}
	}
	seen, _ := db.ParseID(r.PostFormValue("last"))
	return s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil {
			return err
		}
		number, ok := v.municipality.Number(c.Number)
		if !ok {
			return municipality.ErrTemplateNotFound
		}
		t, err := municipality.TemplateOf(ctx, tx, v.municipality.ID, number.WABAID, r.PostFormValue("template"), r.PostFormValue("language"))
		if err != nil {
			return err
		}
		if !t.Approved() {
			return municipality.ErrTemplateNotFound
		}
		use, reads, err := conversation.Fill(t, filling)
		if err != nil {
			return err
		}
		if err := s.keep(ctx, tx, v, stored); err != nil {
			return err
		}
		if err := conversation.CheckAbove(ctx, tx, v.municipality.ID, t, use); err != nil {
			return err
		}
		m, err := conversation.Send(ctx, tx, v.actor, conversationID, conversation.Outgoing{Type: conversation.TypeTemplate, Text: reads,
			Template: &use, Seen: seen, ClientKey: key})
		if err != nil {
			return err
		}
		return media.Attach(ctx, tx, v.municipality.ID, m.MediaID, m.ID)
	})
}

// storeAbove puts the file that goes above a template into the store; none where the form has none.
func (s *Server) storeAbove(r *http.Request, v *visit) ([]storedFile, error) {
	if r.MultipartForm == nil {
		return nil, nil
	}
	files := chosen(r.MultipartForm.File["above"])
	return s.store(r.Context(), v, files[:min(1, len(files))])
}

func (s *Server) templates(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	dialog := page.Templates{Conversation: db.FormatID(conversationID), Draft: rand.Text()}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil {
			return err
		}
		number, _ := v.municipality.Number(c.Number)
		all, err := municipality.Templates(ctx, tx, v.municipality.ID)
		for _, t := range all {
			switch {
			case t.WABA != number.WABAID || !t.Supported():
			case t.Approved():
				dialog.Templates = append(dialog.Templates, templateChoice(t))
			case t.Paused():
				dialog.Paused = append(dialog.Paused, t.Name)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.dialog(w, r, v, page.TemplateDialog(dialog))
}

func templateChoice(t municipality.Template) page.TemplateChoice {
	c := page.TemplateChoice{Name: t.Name, Language: t.Language, Category: t.Category, Low: t.LowQuality(), Body: t.Unfilled().Body, Whole: t.Preview(),
		Header: page.HeaderFormat(t.HeaderFormat()), Buttons: t.ButtonLabels(), Replies: t.Replies()}
	for _, variable := range t.Variables() {
		c.Variables = append(c.Variables, page.Variable{Key: variable.Name, Name: variable.Name})
	}
	return c
}

// saveDraft keeps what is being written. Now and then it also lets the citizen see that somebody writes.
func (s *Server) saveDraft(w http.ResponseWriter, r *http.Request, v *visit) error {
	conversationID, err := id(r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.With(err)
	}
	replyTo, _ := db.ParseID(r.PostForm.Get("reply_to"))
	draft := conversation.Draft{Key: r.PostForm.Get("draft"), Mode: cmp.Or(r.PostForm.Get("mode"), "reply"), Text: r.PostForm.Get("text"), ReplyTo: replyTo}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return conversation.SaveDraft(ctx, tx, v.actor, conversationID, draft)
	})
	if err != nil {
		renew(w, err)
		return err
	}
	if r.PostForm.Has("typing") && draft.Mode == "reply" && strings.TrimSpace(draft.Text) != "" {
		s.showTyping(r.Context(), v, conversationID)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showTyping is a courtesy: it never delays the draft, and where many write at once some are left out.
func (s *Server) showTyping(ctx context.Context, v *visit, conversationID int64) {
	if s.Sender == nil {
		return
	}
	select {
	case s.typing <- struct{}{}:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	go func() {
		defer func() { cancel(); <-s.typing }()
		if err := s.typingTo(ctx, v, conversationID); err != nil {
			s.Log.Debug("typing was not shown", "error", err)
		}
	}()
}

func (s *Server) typingTo(ctx context.Context, v *visit, conversationID int64) error {
	var last conversation.Message
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := conversation.Get(ctx, tx, v.municipality.ID, conversationID)
		if err != nil || !c.WindowOpen(tx.Now()) || c.HolderID != 0 && c.HolderID != v.actor.ID {
			return err
		}
		last, err = conversation.LastInbound(ctx, tx, v.municipality.ID, c)
		return err
	})
	if err != nil || last.ID == 0 {
		return err
	}
	return s.Sender.Typing(ctx, v.municipality.ID, last.ID)
}

// resend sends a message again that failed or stayed uncertain, because a person decided so.
func (s *Server) resend(w http.ResponseWriter, r *http.Request, v *visit) error {
	messageID, err := id(r)
	if err != nil {
		return err
	}
	var again conversation.Message
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		again, err = conversation.Resend(ctx, tx, v.actor, messageID)
		return err
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, openOr(r, again.ConversationID))
}

// cancel takes back a message that has not left yet.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request, v *visit) error {
	messageID, err := id(r)
	if err != nil {
		return err
	}
	var m conversation.Message
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if m, err = conversation.GetMessage(ctx, tx, v.municipality.ID, messageID); err != nil {
			return err
		}
		return conversation.Cancel(ctx, tx, v.actor, messageID)
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, openOr(r, m.ConversationID))
}

// openOr is the conversation that the page shows: a thread runs over all conversations of a citizen.
func openOr(r *http.Request, conversationID int64) int64 {
	if open, ok := db.ParseID(r.FormValue("open")); ok {
		return open
	}
	return conversationID
}

func (s *Server) react(w http.ResponseWriter, r *http.Request, v *visit) error {
	messageID, err := id(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	emoji := r.PostFormValue("emoji")
	if !page.Emoji(emoji) {
		return errForm
	}
	var shown int64
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		m, err := conversation.GetMessage(ctx, tx, v.municipality.ID, messageID)
		if err != nil {
			return err
		}
		shown = openOr(r, m.ConversationID)
		_, err = conversation.Send(ctx, tx, v.actor, shown, conversation.Outgoing{
			Type: conversation.TypeReaction, Reaction: emoji, ReplyTo: m.ID, ClientKey: "reaction:" + db.FormatID(tx.NewID()),
		})
		return err
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, shown)
}
