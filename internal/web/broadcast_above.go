// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// above is what stands above a template in the form: a file that is stored, or a place as it was written.
type above struct {
	media                int64
	where, name, address string
}

func aboveOf(form url.Values) above {
	return above{where: db.Text(form.Get("place")), name: db.Text(form.Get("name")), address: db.Text(form.Get("address"))}
}

func aboveFrom(t conversation.Template) above {
	out := above{media: t.MediaID}
	if p := t.Place; p != nil {
		out.where, out.name, out.address = coordinatesOf(p), p.Name, p.Address
	}
	return out
}

func coordinatesOf(p *conversation.Location) string {
	return strconv.FormatFloat(p.Latitude, 'f', 5, 64) + ", " + strconv.FormatFloat(p.Longitude, 'f', 5, 64)
}

// putAbove puts into the use of t what its header asks for. Whether a file is of its kind is seen where it is kept.
func (f written) putAbove(l locale.Language, t municipality.Template, use *conversation.Template, problems map[string]string) {
	switch t.HeaderFormat() {
	case "LOCATION":
		place, err := writtenPlace(url.Values{"place": {f.above.where}, "name": {f.above.name}, "address": {f.above.address}})
		if use.Place = place; err != nil {
			problems["above"] = sentenceOf(l, err, "")
		}
	case "IMAGE", "VIDEO", "DOCUMENT":
		use.MediaID = f.above.media
	}
}

// keepAbove keeps the file that a broadcast has already, under the template it was chosen for.
func (f *written) keepAbove(b broadcast.Broadcast) {
	if f.template == b.Template.Name+"/"+b.Template.Language {
		f.above.media = b.Template.MediaID
	}
}

// findAbove is keepAbove for a form that is only looked at.
func (s *Server) findAbove(ctx context.Context, v *visit, broadcastID int64, f *written) error {
	return s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, broadcastID)
		if err == nil {
			f.keepAbove(b)
		}
		return err
	})
}

// lose says that a file must be chosen again: a browser doesn't put it back into its field.
func (f *written) lose(l locale.Language, stored []storedFile) {
	if len(stored) == 0 {
		return
	}
	f.above.media = 0
	if f.problems["above"] == "" {
		f.problems["above"] = l.T("desk.broadcast.file_again")
	}
}

// fileAbove is the file that stands above a template with such a header, nil for none.
func fileAbove(ctx context.Context, tx *db.Tx, v *visit, h page.HeaderFormat, mediaID int64) (*page.Media, error) {
	if mediaID == 0 || h == "" || h == "LOCATION" {
		return nil, nil
	}
	found, err := media.ByIDs(ctx, tx, v.municipality.ID, []int64{mediaID})
	f, ok := found[mediaID]
	if err != nil || !ok {
		return nil, err
	}
	return &page.Media{ID: db.FormatID(mediaID), State: mediaState(f.State), Name: f.Name, Format: formatOf(f), Bytes: f.Size,
		Width: f.Width, Height: f.Height, Thumbnail: f.Thumbnail, MIME: f.MIME}, nil
}

// sampleAround is what people see around the text of a broadcast.
func sampleAround(ctx context.Context, tx *db.Tx, v *visit, t conversation.Template) (page.Sample, error) {
	var out page.SampleAbove
	var around page.Sample
	if numbers := v.municipality.Numbers; len(numbers) > 0 { // all their accounts have the same template
		known, err := municipality.TemplateOf(ctx, tx, v.municipality.ID, numbers[0].WABAID, t.Name, t.Language)
		if err != nil {
			return around, err
		}
		out.Header = page.HeaderFormat(known.HeaderFormat())
		around.Buttons, around.Replies = known.ButtonLabels(), known.Replies()
	}
	if p := t.Place; p != nil {
		out.Place = &page.Spot{Name: p.Name, Address: p.Address}
		out.Where = coordinatesOf(p)
	}
	var err error
	out.File, err = fileAbove(ctx, tx, v, out.Header, t.MediaID)
	around.Above = &out
	return around, err
}

// forgetUpload removes what a form brought to disk.
func forgetUpload(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll()
	}
}
