// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
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

// file serves a file to the staff of its municipality, and nobody else.
func (s *Server) file(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.serveFile(w, r, v, false)
}

// thumbnail serves a picture as small as a thread shows it.
func (s *Server) thumbnail(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.serveFile(w, r, v, true)
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, v *visit, small bool) error {
	fileID, err := id(r)
	if err != nil {
		return err
	}
	var f media.File
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		f, err = media.Get(ctx, tx, v.municipality.ID, fileID)
		return err
	})
	if err != nil {
		return err
	}
	if f.State != media.Ready {
		return errNotFound
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
		out = append(out, storedFile{id: f.ID, kind: kindOfFile(f.MIME), file: f})
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

// kindOfFile is the type of message a file goes as; what WhatsApp shows in no other way is a document.
func kindOfFile(mime string) string {
	class, _, _ := strings.Cut(mime, "/")
	switch {
	case mime == "image/jpeg", mime == "image/png":
		return conversation.TypeImage
	case class == "video":
		return conversation.TypeVideo
	case class == "audio":
		return conversation.TypeAudio
	default:
		return conversation.TypeDocument
	}
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
