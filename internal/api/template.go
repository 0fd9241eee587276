// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// NewTemplate is the use of an approved template.
type NewTemplate struct {
	_          struct{}          `additionalProperties:"false"`
	Name       string            `json:"name" minLength:"1" maxLength:"512" example:"avviso"`
	Language   string            `json:"language" minLength:"1" maxLength:"20" example:"it" doc:"As Meta writes it"`
	Parameters Parameters        `json:"parameters,omitempty"`
	Header     *Above            `json:"header,omitempty" doc:"What stands above it, where the template's header is a picture, a video, a document or a place"`
	Payloads   map[string]string `json:"payloads,omitempty" maxProperties:"10" doc:"What its reply buttons give back, by their position from 0; else it is their label" example:"{\"1\": \"disdetta:42\"}"`
}

// Parameters fill the variables of a template.
type Parameters struct{ municipality.Parameters }

// Schema is a list or an object of texts.
func (Parameters) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString, MaxLength: new(1024)}
	return &huma.Schema{
		Description: "Texts for the variables: a list by position over header, body and buttons, or an object by name",
		OneOf: []*huma.Schema{
			{Type: huma.TypeArray, Items: text, MaxItems: new(100)},
			{Type: huma.TypeObject, AdditionalProperties: text, MaxProperties: new(100)},
		},
		Examples: []any{[]string{"lunedì 2 marzo"}, map[string]string{"giorno": "lunedì 2 marzo"}},
	}
}

// template is a use of one of the templates of the account that the conversation's number is of. What
// the citizen will read is kept as its text.
func (s *server) template(ctx context.Context, tx *db.Tx, c conversation.Conversation, in NewTemplate) (conversation.Outgoing, error) {
	t, err := s.findTemplate(ctx, tx, c, in)
	if err != nil {
		return conversation.Outgoing{}, err
	}
	filling, err := in.filling(ctx, tx)
	if err != nil {
		return conversation.Outgoing{}, err
	}
	use, reads, err := conversation.Fill(t, filling)
	if err != nil {
		return conversation.Outgoing{}, err
	}
	if err := conversation.CheckAbove(ctx, tx, callOf(ctx).actor.Municipality, t, use); err != nil {
		return conversation.Outgoing{}, err
	}
	return conversation.Outgoing{Type: conversation.TypeTemplate, Text: reads, Template: &use}, nil
}

// filling is what is put into a template. A file above it is one that the token may see.
func (n NewTemplate) filling(ctx context.Context, tx *db.Tx) (conversation.Filling, error) {
	out := conversation.Filling{Parameters: n.Parameters.storable(), Payloads: payloads(n.Payloads)}
	if n.Header == nil {
		return out, nil
	}
	if l := n.Header.Location; l != nil {
		out.Place = l.place()
	}
	if n.Header.MediaID == "" {
		return out, nil
	}
	f, err := readyFile(ctx, tx, n.Header.MediaID)
	out.MediaID = f.ID
	return out, err
}

func (s *server) findTemplate(ctx context.Context, tx *db.Tx, c conversation.Conversation, in NewTemplate) (municipality.Template, error) {
	id := callOf(ctx).actor.Municipality
	m, ok := s.Directory.ByID(id)
	if !ok {
		return municipality.Template{}, errNoTemplate
	}
	number, ok := m.Number(c.Number)
	if !ok {
		return municipality.Template{}, errNoTemplate
	}
	t, err := municipality.TemplateOf(ctx, tx, id, number.WABAID, db.Text(in.Name), db.Text(in.Language))
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return t, errNoTemplate // it is the request that is wrong, not its address
	case err != nil:
		return t, err
	case !t.Approved():
		return t, errNotApproved
	case !t.Supported():
		return t, errUnsupported
	}
	return t, nil
}

// storable are the parameters in texts that both engines keep.
func (p Parameters) storable() municipality.Parameters {
	out := municipality.Parameters{}
	for _, text := range p.List {
		out.List = append(out.List, db.Text(text))
	}
	for name, text := range p.Named {
		if out.Named == nil {
			out.Named = make(map[string]string, len(p.Named))
		}
		out.Named[name] = db.Text(text)
	}
	return out
}

// Above is what stands above a template: a file or a place, one of them.
type Above struct {
	_        struct{}     `additionalProperties:"false"`
	MediaID  string       `json:"media_id,omitempty" example:"3797402938376195" doc:"Id of a file that is ready: a picture, a video or a document, as the template wants"`
	Location *NewLocation `json:"location,omitempty"`
}

// payloads are what reply buttons give back, by their position.
func payloads(written map[string]string) map[int]string {
	if len(written) == 0 {
		return nil
	}
	out := make(map[int]string, len(written))
	for position, payload := range written {
		i, err := strconv.Atoi(position)
		if err != nil {
			i = -1 // no button stands there
		}
		out[i] = payload
	}
	return out
}
