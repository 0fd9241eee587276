// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// filesOf loads what the page must know of the files of messages.
func (s *Server) filesOf(ctx context.Context, tx *db.Tx, v *visit, messages []conversation.Message) (map[int64]*page.Media, error) {
	var ids []int64
	for _, m := range messages {
		if m.MediaID != 0 {
			ids = append(ids, m.MediaID)
		}
	}
	files, err := media.ByIDs(ctx, tx, v.municipality.ID, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]*page.Media, len(files))
	for id, f := range files {
		out[id] = &page.Media{
			ID: db.FormatID(id), State: mediaState(f.State), Name: f.Name, Format: formatOf(f), Bytes: f.Size,
			Width: f.Width, Height: f.Height, Length: f.Duration, Thumbnail: f.Thumbnail, MIME: f.MIME, Reason: locale.Key(f.Reason),
			Sound: s.Media.Transcodes(f), Description: f.Description.Text, DescribedBy: f.Description.By, DescribedAt: f.Description.At,
		}
	}
	return out, nil
}

func mediaState(s media.State) page.MediaState {
	switch s {
	case media.Ready:
		return page.MediaReady
	case media.Pending:
		return page.MediaWaiting
	case media.Refused:
		return page.MediaRefused
	default:
		return page.MediaFailed
	}
}

// formatOf is a file's kind as people call it: "PDF".
func formatOf(f media.File) string {
	if ext := strings.TrimPrefix(path.Ext(f.Name), "."); ext != "" && len(ext) <= 5 {
		return strings.ToUpper(ext)
	}
	_, kind, _ := strings.Cut(f.MIME, "/")
	kind, _, _ = strings.Cut(kind, ";")
	return strings.ToUpper(kind)
}

// file serves a file, as it came, to the staff of its municipality, and nobody else.
func (s *Server) file(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.serveFile(w, r, v, false)
}

// thumbnail serves a picture as small as a thread shows it.
func (s *Server) thumbnail(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.serveFile(w, r, v, true)
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, v *visit, small bool) error {
	f, err := s.readyFile(r, v)
	if err != nil {
		return err
	}
	small = small && f.Thumbnail
	content, err := s.Media.Open(v.municipality.ID, f, small)
	if err != nil {
		return fmt.Errorf("open media %d: %w", f.ID, err)
	}
	defer func() { _ = content.Close() }() // it was only read
	media.ServeContent(w, r, f, content, small)
	return nil
}

// readyFile is the file that an address names.
func (s *Server) readyFile(r *http.Request, v *visit) (f media.File, err error) {
	fileID, err := id(r)
	if err != nil {
		return f, err
	}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		f, err = media.Get(ctx, tx, v.municipality.ID, fileID)
		return err
	})
	if err == nil && f.State != media.Ready {
		err = errNotFound
	}
	return f, err
}

// derivedTime is how long a browser waits for what is made of a file: as long as that may take, and its turn.
const derivedTime = 3 * time.Minute

// shownPicture serves a picture upright and without metadata.
func (s *Server) shownPicture(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.serveDerived(w, r, v, s.Media.OpenShown, media.ServeShown)
}

// sound serves a sound as every browser plays it.
func (s *Server) sound(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.serveDerived(w, r, v, s.Media.OpenSound, media.ServeSound)
}

func (s *Server) serveDerived(w http.ResponseWriter, r *http.Request, v *visit, open func(context.Context, int64, media.File) (*os.File, error),
	serve func(http.ResponseWriter, *http.Request, media.File, *os.File)) error {
	f, err := s.readyFile(r, v)
	if err != nil {
		return err
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(derivedTime)); err != nil {
		return err
	}
	content, err := open(r.Context(), v.municipality.ID, f)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	serve(w, r, f, content)
	return nil
}

func (s *Server) descriptionDialog(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := s.readyFile(r, v)
	if err != nil {
		return err
	}
	kind := media.GoesAs(f.MIME)
	if strings.HasPrefix(f.MIME, "image/") {
		kind = conversation.TypeImage
	}
	if kind == conversation.TypeDocument {
		return errNotFound // it speaks for itself
	}
	return s.dialog(w, r, v, page.DescriptionDialog(page.DescriptionForm{
		Media: db.FormatID(f.ID), Type: typeOf(kind), Text: f.Description.Text, Limit: media.MaxDescription,
	}))
}

const fileDescribed staff.Action = "file.described"

// describe keeps what a photo shows or a voice note says, and lets whoever has the thread open see it.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, v *visit) error {
	fileID, err := id(r)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	var shown int64
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		f, changed, err := media.Describe(ctx, tx, v.municipality.ID, fileID, media.Author{ID: v.actor.ID, Name: v.actor.Name}, r.PostFormValue("text"))
		if err != nil {
			return err
		}
		if changed { // the trail outlives what it speaks of: it says how long the text is, never what it says
			detail := map[string]any{"characters": utf8.RuneCountInString(f.Description.Text)}
			if err := staff.Record(ctx, tx, v.actor, fileDescribed, "media", db.FormatID(f.ID), detail); err != nil {
				return err
			}
		}
		m, err := conversation.GetMessage(ctx, tx, v.municipality.ID, f.MessageID)
		if err != nil {
			return err
		}
		if changed {
			if err := conversation.FindBy(ctx, tx, v.municipality.ID, m, f.Description.Text); err != nil {
				return err
			}
		}
		shown = openOr(r, m.ConversationID)
		tx.Notify(db.Notice{Topic: db.Conversation, Municipality: v.municipality.ID, ID: m.ConversationID})
		return nil
	})
	if err != nil {
		return err
	}
	return s.acted(w, r, v, shown)
}

// storedFile is an upload that lies in the store, and whose row is yet to be written.
type storedFile struct {
	id   int64
	kind string // of message
	file media.File
}

// store puts uploads into the store. A file that no row names is harmless there.
func (s *Server) store(ctx context.Context, v *visit, files []*multipart.FileHeader) ([]storedFile, error) {
	var out []storedFile
	for _, h := range files {
		f, err := s.storeOne(ctx, v, h)
		if err != nil {
			return nil, err
		}
		out = append(out, storedFile{id: f.ID, kind: media.GoesAs(f.MIME), file: f})
	}
	return out, nil
}

func (s *Server) storeOne(ctx context.Context, v *visit, h *multipart.FileHeader) (media.File, error) {
	content, err := h.Open()
	if err != nil {
		return media.File{}, fmt.Errorf("open an upload: %w", err)
	}
	defer func() { _ = content.Close() }() // it was only read
	f, err := s.Media.Add(ctx, v.municipality.ID, h.Filename, content)
	f.ID = s.DB.IDs.New()
	return f, err
}

func (s *Server) keep(ctx context.Context, tx *db.Tx, v *visit, stored []storedFile) error {
	for _, f := range stored {
		if err := media.Save(ctx, tx, v.municipality.ID, f.file); err != nil {
			return err
		}
	}
	return nil
}

// cardsOf reads contact cards as WhatsApp writes them; what is not as described shows as an empty card.
func cardsOf(raw json.RawMessage) []page.Card {
	var cards []struct {
		Name struct {
			Formatted string `json:"formatted_name"`
		} `json:"name"`
		Org struct {
			Company string `json:"company"`
		} `json:"org"`
		Phones []struct {
			Phone string `json:"phone"`
		} `json:"phones"`
		Emails []struct {
			Email string `json:"email"`
		} `json:"emails"`
	}
	if err := json.Unmarshal(raw, &cards); err != nil {
		return []page.Card{{}}
	}
	out := make([]page.Card, len(cards))
	for i, c := range cards {
		out[i] = page.Card{Name: c.Name.Formatted, Organisation: c.Org.Company}
		for _, p := range c.Phones {
			out[i].Lines = append(out[i].Lines, p.Phone)
		}
		for _, e := range c.Emails {
			out[i].Lines = append(out[i].Lines, e.Email)
		}
	}
	return out
}
