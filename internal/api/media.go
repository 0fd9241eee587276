// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Media is a file of a message; its content is at /media/{id}.
type Media struct {
	ID    string `json:"id" example:"3797402938376195"`
	MIME  string `json:"mime" example:"image/jpeg" doc:"As found in the content, once it is there"`
	Name  string `json:"name" example:"modulo.pdf" doc:"Empty where the sender gave none"`
	Size  int64  `json:"size" example:"48213" doc:"Bytes; 0 until it is there"`
	State string `json:"state" enum:"pending,ready,failed,refused" doc:"Pending is being fetched; failed can't be had; refused is not what it says or too large"`

	Description string `json:"description" example:"Una buca davanti al civico 3" doc:"What the office wrote of it; empty where nobody has"`
}

func newMedia(f media.File) Media {
	return Media{ID: db.FormatID(f.ID), MIME: f.MIME, Name: f.Name, Size: f.Size, State: string(f.State), Description: f.Description.Text}
}

type mediaID struct {
	ID string `path:"id" example:"3797402938376195"`
}

// content is a file as it is; it is written as it is read.
type content struct{ Body func(huma.Context) }

// The failures of a file that is known and can't be had.
var (
	errNoFile  = fault.New(fault.NotFound, "api.media_not_found")
	errPending = fault.New(fault.Conflict, "api.media_pending")
	errGone    = fault.New(fault.NotFound, "api.media_gone")
)

func (s *server) mediaRoutes(api huma.API) {
	file := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	register(s, api, huma.Operation{OperationID: "getMedia", Method: http.MethodGet, Path: "/media/{id}", Tags: []string{"messages"},
		Summary: "Get the content of a file", Description: "Ranges work. It is a conflict while the file is being fetched from WhatsApp (`media_pending`).",
		Responses: map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"*/*": file}}}},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict}, s.getMedia)
}

func (s *server) getMedia(ctx context.Context, in *mediaID) (*content, error) {
	var f media.File
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		f, err = visibleFile(ctx, tx, in.ID)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case f.State == media.Pending:
		return nil, errPending
	case f.State != media.Ready:
		return nil, errGone
	}
	file, err := s.Media.Open(callOf(ctx).actor.Municipality, f, false)
	if fault.KindOf(err) == fault.NotFound { // a restore without its files, perhaps
		s.Log.ErrorContext(ctx, "the content of a file is not on the disk", "request", callOf(ctx).id, "media", in.ID, "error", err)
		return nil, errGone
	}
	if err != nil {
		return nil, fmt.Errorf("open media %d: %w", f.ID, err)
	}
	return &content{func(hc huma.Context) {
		defer func() { _ = file.Close() }() // it was only read
		r, w := humago.Unwrap(hc)
		w.Header().Del("Cache-Control") // a file never changes: whoever asked may keep it
		media.ServeContent(w, r, f, file, false)
	}}, nil
}

// visibleFile is the file, if the token may see it: one of some offices sees its own, and those of the messages it
// sees.
func visibleFile(ctx context.Context, tx *db.Tx, id string) (media.File, error) {
	actor := callOf(ctx).actor
	if err := actor.Require(staff.Converse, actor.Municipality); err != nil {
		return media.File{}, err
	}
	key, ok := db.ParseID(id)
	if !ok {
		return media.File{}, errNoFile
	}
	f, err := media.Get(ctx, tx, actor.Municipality, key)
	if fault.KindOf(err) == fault.NotFound {
		return f, errNoFile
	}
	if err != nil || len(actor.Offices) == 0 || f.UploadedBy == actor.ID {
		return f, err
	}
	m, err := conversation.GetMessage(ctx, tx, actor.Municipality, f.MessageID)
	if errors.Is(err, conversation.ErrNoMessage) {
		return f, errNoFile
	}
	if err != nil {
		return f, err
	}
	seen, err := maySeeMessage(ctx, tx, m)
	if err == nil && !seen {
		err = errNoFile
	}
	return f, err
}
