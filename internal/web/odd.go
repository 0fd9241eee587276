// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// oddities add to a message what not every message has: where it came from, what it asks about, what went wrong.
func oddities(v *visit, out *page.Message, m conversation.Message) {
	l := v.language
	d := m.Detail
	if d.Often {
		out.Labels = append(out.Labels, l.T("desk.message.forwarded_often"))
	}
	if d.Product != nil {
		out.Labels = append(out.Labels, l.T("desk.message.product", "id", d.Product.ID))
	}
	if d.OwnPhone {
		out.Labels = append(out.Labels, l.T("desk.message.own_phone"))
	}
	if d.Referral != nil {
		out.Advert = advertOf(l, *d.Referral)
	}
	if d.Call != nil {
		out.Title, out.Text = callWords(v, *d.Call), ""
	}
	if m.Direction == conversation.In {
		out.Problem = whatIsWrong(l, m)
		out.Ask = askAgain(v.municipality.File.Locale, m, out.Media)
	}
	out.Raw = indented(d.Raw)
}

// revisionsOf loads what citizens changed of the messages.
func revisionsOf(ctx context.Context, tx *db.Tx, v *visit, messages []conversation.Message) (map[string][]conversation.Revision, error) {
	var targets []string
	for _, m := range messages {
		if m.EditedAt != nil || m.RevokedAt != nil {
			targets = append(targets, m.ExternalID)
		}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	return conversation.Revisions(ctx, tx, v.municipality.ID, targets)
}

// revise shows when a message was changed or taken back, and what it said before.
func revise(out *page.Message, m conversation.Message, history []conversation.Revision) {
	out.Edited, out.Revoked = orZero(m.EditedAt), orZero(m.RevokedAt)
	if m.EditedAt == nil {
		return
	}
	var texts []page.Version
	for _, r := range history {
		if r.Kind != conversation.Revoke && !r.SameText {
			texts = append(texts, page.Version{At: r.At, Text: r.Text})
		}
	}
	if len(texts) > 0 {
		out.Earlier = texts[:len(texts)-1] // the last is what it says now
	}
}

func advertOf(l locale.Language, r conversation.Referral) *page.Advert {
	advert := &page.Advert{Title: r.Headline, Body: r.Body}
	if advert.Title == "" {
		advert.Title = l.T("desk.message.advert_untitled")
	}
	if u, err := url.Parse(r.URL); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		advert.Address = r.URL
	}
	return advert
}

func callWords(v *visit, c conversation.CallPermission) string {
	switch {
	case !c.Granted:
		return v.language.T("desk.message.call_denied")
	case c.Until != nil:
		return v.language.T("desk.message.call_until", "moment", v.language.Moment(c.Until.In(v.municipality.Desk.Zone()), v.now))
	default:
		return v.language.T("desk.message.call_granted")
	}
}

// Meta's codes of messages that came in without all of their content.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
const (
	codeLost  = 131035 // it waited too long for us
	codeMedia = 131052 // its file could not be downloaded
)

// files are types of which something can be missing that a citizen can send again.
var files = []string{conversation.TypeImage, conversation.TypeVideo, conversation.TypeAudio, conversation.TypeVoice, conversation.TypeDocument, conversation.TypeSticker}

func has(m conversation.Message, code int) bool {
	return slices.ContainsFunc(m.Detail.Problems, func(p conversation.Problem) bool { return p.Code == code })
}

// fileLost tells whether WhatsApp could not bring us the file of a message.
func fileLost(m conversation.Message) bool {
	return has(m, codeMedia) || m.Type == conversation.TypeUnsupported && slices.Contains(files, m.Detail.Kind)
}

// whatIsWrong says in plain words what is wrong with what came in and what to do; "" where nothing is.
func whatIsWrong(l locale.Language, m conversation.Message) string {
	odd := m.Type == conversation.TypeUnsupported
	own := locale.Key("desk.unsupported." + m.Detail.Kind)
	switch {
	case fileLost(m):
		return l.T("desk.message.file_lost")
	case has(m, codeLost):
		return l.T("desk.message.lost")
	case odd && locale.Has(own):
		return l.T(own)
	case odd:
		return l.T("desk.message.unsupported")
	case len(m.Detail.Problems) > 0:
		return l.T("desk.message.partial", "code", m.Detail.Problems[0].Code)
	case m.Detail.Corrects:
		return l.T("desk.message.corrects")
	default:
		return ""
	}
}

// askAgain is what to write to a citizen whose file did not come, in the language of the municipality's citizens;
// "" where nothing is lost.
func askAgain(l locale.Language, m conversation.Message, file *page.Media) string {
	if m.RevokedAt != nil {
		return ""
	}
	if fileLost(m) {
		return l.T("ask_again.not_received")
	}
	if file == nil || file.State != page.MediaFailed && file.State != page.MediaRefused {
		return ""
	}
	switch file.Reason {
	case media.ReasonOld: // it did come
		return ""
	case media.ReasonTooLarge, media.ReasonPixels:
		return l.T("ask_again.too_large")
	case media.ReasonMismatch, media.ReasonDangerous:
		return l.T("ask_again.unsafe")
	default:
		return l.T("ask_again.not_received")
	}
}

func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if len(raw) == 0 || json.Indent(&b, raw, "", "  ") != nil {
		return ""
	}
	return shortened(b.String(), maxExcerpt)
}
