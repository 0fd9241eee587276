// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
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

// sendReply queues the text and each file, all in one transaction.
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
	return s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if err := s.keep(ctx, tx, v, stored); err != nil {
			return err
		}
		for i, out := range outgoing(text, stored) {
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

// outgoing are the messages of a reply. A short text beside files becomes the first one's caption.
func outgoing(text string, files []storedFile) (all []conversation.Outgoing) {
	if len(files) == 0 || !captions(files[0], text) {
		if len(files) == 0 || strings.TrimSpace(text) != "" {
			all = append(all, conversation.Outgoing{Type: conversation.TypeText, Text: text})
		}
		text = ""
	}
	for _, f := range files {
		all = append(all, conversation.Outgoing{Type: f.kind, MediaID: f.id, Text: text})
		text = ""
	}
	return all
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
