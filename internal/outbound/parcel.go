// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// parcel is a claimed message with all that sending it needs.
type parcel struct {
	message  conversation.Message
	account  whatsapp.Account
	outgoing whatsapp.OutgoingMessage
	due      time.Time
}

// outcome is that of an attempt whose end is not known yet.
func outcome(m conversation.Message) conversation.Outcome {
	return conversation.Outcome{MessageID: m.ID, ConversationID: m.ConversationID, ContactID: m.ContactID, BroadcastID: m.BroadcastID, Attempt: m.Attempts}
}

// upload is a file that must be at WhatsApp before the messages with it can go.
type upload struct {
	media   int64
	message conversation.Message
	account whatsapp.Account
}

// pack makes parcels of what was claimed. What can't go now (its file is not at Meta yet, its citizen got too
// much, its template is gone for everybody) is given back, and what never can is settled as failed, in the same
// transaction. Trouble that says nothing of the message ends the transaction: nothing was claimed then.
func (p *pump) pack(ctx context.Context, tx *db.Tx, claimed []conversation.Message) (parcels []parcel, uploads []upload, err error) {
	if len(claimed) == 0 {
		return nil, nil, nil
	}
	account, err := p.s.account(p.number)
	if err != nil {
		return nil, nil, err
	}
	contacts, files, err := p.load(ctx, tx, claimed)
	if err != nil {
		return nil, nil, err
	}
	closed, err := conversation.WindowsClosed(ctx, tx, p.municipality, claimed)
	if err != nil {
		return nil, nil, err
	}
	var back, refused []conversation.Outcome
	known := newTemplates()
	for _, m := range claimed {
		file := files[m.MediaID]
		if m.MediaID != 0 && file.uploadedID == "" {
			uploads = append(uploads, upload{media: m.MediaID, message: m, account: account})
			back = append(back, queuedFor(m, tx.Now().Add(uploadTime)))
			continue
		}
		if wait := p.pace.pair(time.Now(), m.ContactID); wait > 0 {
			back = append(back, queuedFor(m, tx.Now().Add(wait)))
			continue
		}
		if closed[m.ID] {
			o := queuedFor(m, time.Time{})
			o.AsTemplate = true
			back = append(back, o)
			continue
		}
		out, err := p.outgoing(ctx, tx, m, contacts[m.ContactID], file, known)
		if err != nil {
			bad, ok := errors.AsType[*unsendable](err)
			if !ok {
				return nil, nil, err
			}
			p.s.log.Warn("a message can't be sent as it is", "number", p.number, "message", m.ID, "error", err)
			o := bad.ends(outcome(m))
			back, refused = append(back, o), append(refused, o)
			continue
		}
		parcels = append(parcels, parcel{message: m, account: account, outgoing: out, due: later(m.At, m.NextAt)})
	}
	if len(back) == 0 {
		return parcels, uploads, nil
	}
	if err := conversation.Settle(ctx, tx, p.municipality, p.number, back); err != nil {
		return nil, nil, err
	}
	return parcels, uploads, p.tell(ctx, tx, refused)
}

// queuedFor gives a message back that may go at a time.
func queuedFor(m conversation.Message, at time.Time) conversation.Outcome {
	o := outcome(m)
	o.Status, o.NextAt = conversation.Queued, at
	return o
}

// unsendable is why a message can't be sent as it is, with the code that Meta would refuse it by; 0 where it
// has none.
type unsendable struct {
	code int
	err  error
}

func (u *unsendable) Error() string { return u.err.Error() }
func (u *unsendable) Unwrap() error { return u.err }

// ends is how such a message ends. A copy that would fail like all others of its broadcast waits until a person
// has acted.
func (u *unsendable) ends(o conversation.Outcome) conversation.Outcome {
	o.Status, o.ErrorCode = conversation.Failed, u.code
	if o.BroadcastID != 0 && u.code != 0 && whatsapp.Classify(u.code).StopsBroadcast {
		o.Status = conversation.Queued
	}
	return o
}

// What Meta would refuse these by, if they were sent.
const (
	codeParameters = 132000 // the template has other variables by now
	codeTemplate   = 132001 // there is no such template
	codeTooLong    = 132005
	codeHeader     = 132012 // the file above it can't be had
	codeInvalid    = 131009
)

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// attached is a file of a message, with WhatsApp's id of it; "" until it is there.
type attached struct {
	media.File
	uploadedID string
}

func (p *pump) load(ctx context.Context, tx *db.Tx, claimed []conversation.Message) (map[int64]contact.Contact, map[int64]attached, error) {
	var people, ids []int64
	for _, m := range claimed {
		people = append(people, m.ContactID)
		if m.MediaID != 0 && !slices.Contains(ids, m.MediaID) { // a broadcast's is the same for all
			ids = append(ids, m.MediaID)
		}
	}
	contacts, err := contact.ByID(ctx, tx, p.municipality, people)
	if err != nil || len(ids) == 0 {
		return contacts, nil, err
	}
	found, err := media.ByIDs(ctx, tx, p.municipality, ids)
	if err != nil {
		return nil, nil, err
	}
	uploads, err := media.Uploads(ctx, tx, p.municipality, p.number, ids)
	files := make(map[int64]attached, len(found))
	for id, f := range found {
		files[id] = attached{f, uploads[id]}
	}
	return contacts, files, err
}

// kinds says what each type of conversation is on the wire.
var kinds = map[string]whatsapp.MessageKind{
	conversation.TypeText:        whatsapp.KindText,
	conversation.TypeInteractive: whatsapp.KindInteractive,
	conversation.TypeImage:       whatsapp.KindImage,
	conversation.TypeVideo:       whatsapp.KindVideo,
	conversation.TypeAudio:       whatsapp.KindAudio,
	conversation.TypeVoice:       whatsapp.KindVoice,
	conversation.TypeDocument:    whatsapp.KindDocument,
	conversation.TypeSticker:     whatsapp.KindSticker,
	conversation.TypeContacts:    whatsapp.KindContacts,
	conversation.TypeLocation:    whatsapp.KindLocation,
	conversation.TypeReaction:    whatsapp.KindReaction,
	conversation.TypeTemplate:    whatsapp.KindTemplate,
}

var errNoAddress = errors.New("the contact has neither a phone nor a user id")

// outgoing is the message as WhatsApp takes it. A known phone is preferred: it keeps phones visible in
// later webhooks. Our id goes with it and comes back with every status.
func (p *pump) outgoing(ctx context.Context, tx *db.Tx, m conversation.Message, to contact.Contact, file attached, known templates) (whatsapp.OutgoingMessage, error) {
	out := whatsapp.OutgoingMessage{To: to.Phone, Recipient: to.UserID, Type: kinds[m.Type], ReplyTo: m.ReplyTo, CallbackData: db.FormatID(m.ID)}
	if out.To == "" && out.Recipient == "" {
		return out, &unsendable{err: errNoAddress}
	}
	switch m.Type {
	case conversation.TypeText:
		out.Text, out.PreviewURL = m.Text, true
	case conversation.TypeLocation:
		l := m.Detail.Location
		out.Location = &whatsapp.Location{Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address}
	case conversation.TypeReaction:
		out.Reaction = &whatsapp.Reaction{MessageID: m.Detail.Reaction.ExternalID, Emoji: m.Detail.Reaction.Emoji}
	case conversation.TypeTemplate:
		return out, p.template(ctx, tx, m, file, &out, known)
	case conversation.TypeInteractive:
		var err error
		if out.Interactive, err = interactive(m, file); err != nil {
			return out, &unsendable{codeInvalid, err}
		}
	case conversation.TypeContacts:
		var err error
		if out.Contacts, err = m.Cards(); err != nil {
			return out, &unsendable{codeInvalid, err}
		}
	default:
		out.Media = &whatsapp.OutgoingMedia{ID: file.uploadedID, Caption: m.Text}
		if m.Type == conversation.TypeDocument {
			out.Media.Filename = file.Name
		}
	}
	if err := out.Validate(); err != nil {
		return out, &unsendable{codeInvalid, err}
	}
	return out, nil
}

var errNothingToTap = errors.New("an interactive message with nothing to tap")

func interactive(m conversation.Message, file attached) (json.RawMessage, error) {
	if m.Detail.Interactive == nil {
		return nil, errNothingToTap
	}
	wire := m.Detail.Interactive.Wire(m.Text)
	if m.MediaID != 0 {
		wire.File, wire.FileAs = above(file), shownAs(file.MIME)
	}
	return json.Marshal(wire)
}

// above is a file over a text.
func above(file attached) *whatsapp.OutgoingMedia {
	out := &whatsapp.OutgoingMedia{ID: file.uploadedID}
	if shownAs(file.MIME) == whatsapp.KindDocument {
		out.Filename = file.Name
	}
	return out
}

func shownAs(mime string) whatsapp.MessageKind {
	switch class, _, _ := strings.Cut(mime, "/"); class {
	case "image":
		return whatsapp.KindImage
	case "video":
		return whatsapp.KindVideo
	}
	return whatsapp.KindDocument
}

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

// uploadTime is how long a message waits for its file before it is looked at again; an upload of 100 MB
// over a slow line takes longer, and lets the messages go when it is done.
const uploadTime = 2 * time.Minute

// uploadLimit ends an upload that the client has not given up, and giveUpUploads the tries.
const (
	uploadLimit   = 20 * time.Minute
	giveUpUploads = 24 * time.Hour
)

// upload brings a file to Meta, once at a time, and then lets the messages that wait for it go.
func (p *pump) upload(ctx context.Context, u upload) {
	if _, busy := p.uploading.LoadOrStore(u.media, true); busy {
		return
	}
	p.flying.Go(func() {
		defer p.uploading.Delete(u.media)
		limited, cancel := context.WithTimeout(ctx, uploadLimit) // a stop ends it: nothing of the message was sent
		defer cancel()
		_, err := p.s.media.UploadForSending(limited, u.account, p.municipality, u.media)
		if ctx.Err() != nil {
			return
		}
		err = p.s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			o := p.uploadOutcome(tx, u.message, err)
			if err := conversation.FileReady(ctx, tx, p.municipality, p.number, u.media, o); err != nil || o.ErrorCode == 0 {
				return err
			}
			return p.tell(ctx, tx, []conversation.Outcome{o})
		})
		if err != nil {
			p.s.log.Error("messages with a file were not released; they will be looked at again", "number", p.number, "error", err)
		}
		p.poke()
	})
}

// uploadOutcome lets the message go, tries later, or gives up on a file that Meta refuses.
func (p *pump) uploadOutcome(tx *db.Tx, m conversation.Message, err error) conversation.Outcome {
	o := outcome(m)
	o.Status, o.NextAt = conversation.Queued, tx.Now()
	if err == nil {
		return o
	}
	p.s.log.Warn("a file was not uploaded", "number", p.number, "message", m.ID, "error", err)
	graph, refused := errors.AsType[*whatsapp.GraphError](err)
	switch {
	case refused && final(graph.Advice()):
		o.Status, o.ErrorCode, o.ErrorDetail = conversation.Failed, graph.Code, graph.Details
	case fault.KindOf(err) == fault.NotFound, tx.Now().Sub(m.At) > giveUpUploads:
		o.Status = conversation.Failed
	default:
		o.NextAt = tx.Now().Add(backoff(m.Attempts))
	}
	if o.BroadcastID != 0 && o.Status == conversation.Failed { // all its copies have that file: they wait for a person
		o.Status, o.ErrorCode, o.NextAt = conversation.Queued, codeHeader, tx.Now().Add(uploadTime)
	}
	return o
}

// final reports whether an error will be the same next time.
func final(a whatsapp.Advice) bool {
	return a.Class != whatsapp.Retry && a.Class != whatsapp.Slow && !a.StopsNumber
}
