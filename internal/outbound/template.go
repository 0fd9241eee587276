// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// templates are those of one claim: as Meta lists them, and filled. A broadcast says the same to many, or the same
// but for their names.
type templates struct {
	listed map[string]municipality.Template
	filled map[string]json.RawMessage
}

func newTemplates() templates {
	return templates{listed: make(map[string]municipality.Template), filled: make(map[string]json.RawMessage)}
}

func (p *pump) template(ctx context.Context, tx *db.Tx, m conversation.Message, file attached, out *whatsapp.OutgoingMessage, known templates) error {
	use := m.Detail.Template
	components, filled := known.filled[fillingKey(m, file)]
	if !filled {
		t, err := p.listed(ctx, tx, use, known)
		if err != nil {
			return err
		}
		if components, err = fill(t, m, file); err != nil {
			return err
		}
		known.filled[fillingKey(m, file)] = components
	}
	out.Template = &whatsapp.OutgoingTemplate{Name: use.Name, Language: use.Language, Components: components}
	return nil
}

// fillingKey is the same for all that is filled in the same way. What else there is to fill is the same for all of
// a broadcast, and nobody else's is filled with it.
func fillingKey(m conversation.Message, file attached) string {
	use, own := m.Detail.Template, m.BroadcastID
	if own == 0 {
		own = m.ID
	}
	return strings.Join(append([]string{db.FormatID(own), file.uploadedID, use.Name, use.Language}, use.Texts...), "\x00")
}

// listed is a template as Meta lists it for the number's account.
func (p *pump) listed(ctx context.Context, tx *db.Tx, use *conversation.Template, known templates) (municipality.Template, error) {
	key := use.Name + "\x00" + use.Language
	if t, ok := known.listed[key]; ok {
		return t, nil
	}
	_, n, ok := p.s.directory.ByNumber(p.number)
	if !ok {
		return municipality.Template{}, fmt.Errorf("number %s is not set up", p.number)
	}
	t, err := municipality.TemplateOf(ctx, tx, p.municipality, n.WABAID, use.Name, use.Language)
	if errors.Is(err, municipality.ErrTemplateNotFound) {
		return t, &unsendable{codeTemplate, err}
	}
	if err == nil {
		known.listed[key] = t
	}
	return t, err
}

// bodyField is the field of the limit that a filled template breaks for one citizen: their name is too long.
const bodyField = "template body"

func fill(t municipality.Template, m conversation.Message, file attached) (json.RawMessage, error) {
	use := m.Detail.Template
	with := whatsapp.TemplateParameters{Positional: use.Texts, Payloads: use.Payloads}
	if with.Positional == nil {
		with.Positional = []string{}
	}
	if m.MediaID != 0 {
		with.Header = above(file)
	}
	if p := use.Place; p != nil {
		with.Location = &whatsapp.Location{Latitude: p.Latitude, Longitude: p.Longitude, Name: p.Name, Address: p.Address}
	}
	components, err := whatsapp.TemplateComponents(t.Template, with)
	if err == nil {
		return components, nil
	}
	if limit, ok := errors.AsType[*whatsapp.LimitError](err); ok && limit.Field == bodyField {
		return nil, &unsendable{codeTooLong, err}
	}
	return nil, &unsendable{codeParameters, err}
}
