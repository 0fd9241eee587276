// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Template is the use of an approved template.
type Template struct {
	Name     string         `json:"name"`
	Language string         `json:"language"`
	Texts    []string       `json:"texts,omitempty"`    // of its variables, in their order
	Buttons  []string       `json:"buttons,omitempty"`  // the labels under it
	MediaID  int64          `json:"media,omitempty"`    // of a broadcast's: the file above it. A message has it as its own file
	Place    *Location      `json:"place,omitempty"`    // above it, where its header is one
	Payloads map[int]string `json:"payloads,omitempty"` // what its reply buttons give back, by position from 0; else their label
}

// storable is t in texts such as both engines keep.
func (t Template) storable() *Template {
	t.Name, t.Language, t.Texts, t.Buttons = db.Text(t.Name), db.Text(t.Language), texts(t.Texts), texts(t.Buttons)
	if p := t.Place; p != nil {
		t.Place = &Location{Latitude: p.Latitude, Longitude: p.Longitude, Name: db.Text(p.Name), Address: db.Text(p.Address)}
	}
	payloads := t.Payloads
	t.Payloads = nil
	for button, payload := range payloads {
		if t.Payloads == nil {
			t.Payloads = make(map[int]string, len(payloads))
		}
		t.Payloads[button] = db.Text(payload)
	}
	return &t
}

func texts(all []string) []string {
	var out []string
	for _, s := range all {
		out = append(out, db.Text(s))
	}
	return out
}

// Filling is what somebody puts into a template.
type Filling struct {
	municipality.Parameters
	MediaID  int64
	Place    *Location
	Payloads map[int]string
}

// Fill is the use of t with what f puts into it, and what the citizen will read. It fails with a sentence for people
// where something is missing, too much, or such as Meta refuses; what stands above is for CheckAbove to see.
func Fill(t municipality.Template, f Filling) (use Template, reads string, err error) {
	if err := t.CheckPayloads(f.Payloads); err != nil {
		return Template{}, "", err
	}
	texts, reads, err := t.Fill(f.Parameters)
	return Template{Name: t.Name, Language: t.Language, Texts: texts, Buttons: t.ButtonLabels(), MediaID: f.MediaID, Place: f.Place, Payloads: f.Payloads}, reads, err
}

// CheckAbove wants above a use of t what its header asks for: a file that is there and of its kind, a place, or nothing.
func CheckAbove(ctx context.Context, tx *db.Tx, of int64, t municipality.Template, use Template) error {
	mime := ""
	if use.MediaID != 0 {
		f, err := media.Get(ctx, tx, of, use.MediaID)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		if mime = f.MIME; err != nil || f.State != media.Ready {
			mime = "unknown"
		}
	}
	return t.CheckHeader(mime, use.Place != nil)
}
