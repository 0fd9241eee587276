// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
)

const (
	filePath = "/media"

	maxFile  = 101 << 20        // bytes of a form with a file; WhatsApp takes 100 MB
	fileTime = 10 * time.Minute // for it over a slow line
	fileIn   = "file"           // the form's field
)

// fileUploaded is the action in the audit trail of handing in a file.
const fileUploaded staff.Action = "file.uploaded"

var (
	errUploadForm = fault.New(fault.Invalid, "api.upload_form")
	errUploadType = fault.New(fault.Invalid, "api.upload_type")
)

// uploadMedia is a form with a file. It is read as it comes: files are large.
type uploadMedia struct {
	Keyed
	w http.ResponseWriter
	r *http.Request
}

// Resolve takes the request as it is.
func (in *uploadMedia) Resolve(c huma.Context) []error {
	in.r, in.w = humago.Unwrap(c)
	return nil
}

type newMediaFile struct {
	Location string `header:"Location" doc:"Where its content is"`
	Body     Media
}

func (s *server) uploadRoutes(api huma.API) {
	register(s, api, huma.Operation{OperationID: "uploadMedia", Method: http.MethodPost, Path: filePath, Tags: []string{"messages"}, DefaultStatus: http.StatusCreated,
		Summary: "Hand in a file to send",
		Description: "A form (`multipart/form-data`) with the file in its field `file`, whose name is what the citizen sees of a document. " +
			"The type is found in the content. The answer's `id` is the `media_id` of messages and broadcasts, any number of times, for as long as the municipality keeps files. " +
			"WhatsApp takes pictures up to 5 MB, stickers up to 500 kB, sounds and films up to 16 MB, documents up to 100 MB. " +
			"For an Idempotency-Key the request is the file's name and content."},
		[]int{http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, s.uploadMedia)
	form := &huma.Schema{Type: huma.TypeObject, Required: []string{fileIn}, Properties: map[string]*huma.Schema{fileIn: {Type: huma.TypeString, Format: "binary"}}}
	api.OpenAPI().Paths[filePath].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: form}}}
}

func (s *server) uploadMedia(ctx context.Context, in *uploadMedia) (*newMediaFile, error) {
	c := callOf(ctx)
	if err := c.actor.Require(staff.Converse, c.actor.Municipality); err != nil {
		return nil, err
	}
	f, err := s.receiveFile(ctx, in.w, in.r)
	if err != nil {
		return nil, err
	}
	c.identity = []byte(http.MethodPost + " " + filePath + "\n" + f.Name + "\n" + f.SHA256)
	out, err := once(ctx, s, http.StatusCreated, func(ctx context.Context, tx *db.Tx) (Media, error) {
		f.ID, f.UploadedBy = tx.NewID(), c.actor.ID
		if err := media.Save(ctx, tx, c.actor.Municipality, f); err != nil {
			return Media{}, err
		}
		return newMedia(f), staff.Record(ctx, tx, c.actor, fileUploaded, "media", db.FormatID(f.ID), map[string]any{"bytes": f.Size})
	})
	if err != nil {
		return nil, err
	}
	return &newMediaFile{Location: Prefix + filePath + "/" + out.ID, Body: out}, nil
}

// receiveFile puts the form's file into the store; what comes after it is not read.
func (s *server) receiveFile(ctx context.Context, w http.ResponseWriter, r *http.Request) (media.File, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return media.File{}, errUploadType
	}
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(fileTime)) // a writer without a connection has no deadlines
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	parts := multipart.NewReader(http.MaxBytesReader(w, r.Body, maxFile), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return media.File{}, unread(ctx, err)
		}
		if part.FormName() != fileIn {
			continue
		}
		content := &upload{from: part}
		f, err := s.Media.Add(ctx, callOf(ctx).actor.Municipality, part.FileName(), content)
		if content.failed != nil {
			return media.File{}, unread(ctx, content.failed)
		}
		return f, err
	}
}

// upload tells a line that broke from a disk that did.
type upload struct {
	from   io.Reader
	failed error
}

func (u *upload) Read(b []byte) (int, error) {
	n, err := u.from.Read(b)
	if err != nil && err != io.EOF {
		u.failed = err
	}
	return n, err
}

func unread(ctx context.Context, err error) error {
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return fault.New(fault.TooLarge, "api.body_too_large", "max", callOf(ctx).language.Size(maxFile)).With(err)
	case err == io.EOF:
		return errUploadForm
	}
	return fault.New(fault.Invalid, "api.body_unread").With(err)
}
