// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
	"fmt"
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

// uploadTime is how long a message waits for its file to reach Meta before it is looked at again.
const uploadTime = 2 * time.Minute

// pack makes parcels of what was claimed. What can't go now (its file is not at Meta yet, its citizen
// got too much) is given back, and what never can is settled as failed, in the same transaction.
func (p *pump) pack(ctx context.Context, tx *db.Tx, claimed []conversation.Message) ([]parcel, error) {
	if len(claimed) == 0 {
		return nil, nil
	}
	account, err := p.s.account(p.number)
	if err != nil {
		return nil, err
	}
	contacts, files, err := p.load(ctx, tx, claimed)
	if err != nil {
		return nil, err
	}
	var parcels []parcel
	var back []conversation.Outcome
	for _, m := range claimed {
		o := conversation.Outcome{MessageID: m.ID, ConversationID: m.ConversationID, Status: conversation.Queued}
		if wait := p.pace.pair(time.Now(), m.ContactID); wait > 0 {
			o.NextAt = tx.Now().Add(wait)
			back = append(back, o)
			continue
		}
		if f := files[m.MediaID]; m.MediaID != 0 && !f.Uploaded(p.number, tx.Now()) {
			o.NextAt = tx.Now().Add(uploadTime)
			back = append(back, o)
			p.upload(account, m)
			continue
		}
		out, err := p.outgoing(ctx, tx, m, contacts[m.ContactID], files[m.MediaID])
		if err != nil {
			o.Status, o.ErrorDetail = conversation.Failed, err.Error()
			back = append(back, o)
			continue
		}
		parcels = append(parcels, parcel{message: m, account: account, outgoing: out, due: later(m.At, m.NextAt)})
	}
	if len(back) == 0 {
		return parcels, nil
	}
	return parcels, conversation.Settle(ctx, tx, p.municipality, p.number, back)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (p *pump) load(ctx context.Context, tx *db.Tx, claimed []conversation.Message) (map[int64]contact.Contact, map[int64]media.File, error) {
	var people, files []int64
	for _, m := range claimed {
		people = append(people, m.ContactID)
		if m.MediaID != 0 {
			files = append(files, m.MediaID)
		}
	}
	contacts, err := contact.ByID(ctx, tx, p.municipality, people)
	if err != nil || len(files) == 0 {
		return contacts, nil, err
	}
	found, err := media.ByIDs(ctx, tx, p.municipality, files)
	return contacts, found, err
}

// kinds says what each type of conversation is on the wire.
var kinds = map[string]whatsapp.MessageKind{
	conversation.TypeText:     whatsapp.KindText,
	conversation.TypeImage:    whatsapp.KindImage,
	conversation.TypeVideo:    whatsapp.KindVideo,
	conversation.TypeAudio:    whatsapp.KindAudio,
	conversation.TypeVoice:    whatsapp.KindVoice,
	conversation.TypeDocument: whatsapp.KindDocument,
	conversation.TypeLocation: whatsapp.KindLocation,
	conversation.TypeReaction: whatsapp.KindReaction,
	conversation.TypeTemplate: whatsapp.KindTemplate,
}

var errNoAddress = errors.New("the contact has neither a phone nor a user id")

// outgoing is the message as WhatsApp takes it. A known phone is preferred: it keeps phones visible in
// later webhooks. Our id goes with it and comes back with every status.
func (p *pump) outgoing(ctx context.Context, tx *db.Tx, m conversation.Message, to contact.Contact, file media.File) (whatsapp.OutgoingMessage, error) {
	out := whatsapp.OutgoingMessage{To: to.Phone, Recipient: to.UserID, Type: kinds[m.Type], ReplyTo: m.ReplyTo, CallbackData: db.FormatID(m.ID)}
	if out.To == "" && out.Recipient == "" {
		return out, errNoAddress
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
		return out, p.template(ctx, tx, m, &out)
	default:
		out.Media = &whatsapp.OutgoingMedia{ID: file.UploadedID, Caption: m.Text}
		if m.Type == conversation.TypeDocument {
			out.Media.Filename = file.Name
		}
	}
	return out, out.Validate()
}

func (p *pump) template(ctx context.Context, tx *db.Tx, m conversation.Message, out *whatsapp.OutgoingMessage) error {
	_, n, ok := p.s.directory.ByNumber(p.number)
	if !ok {
		return fmt.Errorf("number %s is not set up", p.number)
	}
	use := m.Detail.Template
	t, err := municipality.TemplateOf(ctx, tx, p.municipality, n.WABAID, use.Name, use.Language)
	if err != nil {
		return err
	}
	components, err := whatsapp.TemplateComponents(t.Template, whatsapp.TemplateParameters{Positional: use.Texts})
	if err != nil {
		return err
	}
	out.Template = &whatsapp.OutgoingTemplate{Name: use.Name, Language: use.Language, Components: components}
	return nil
}

// upload brings a file to Meta, once at a time, and then lets the messages that wait for it go.
func (p *pump) upload(account whatsapp.Account, m conversation.Message) {
	if _, busy := p.uploading.LoadOrStore(m.MediaID, true); busy {
		return
	}
	go func() {
		defer p.uploading.Delete(m.MediaID)
		ctx, cancel := context.WithTimeout(context.Background(), uploadTime)
		defer cancel()
		_, err := p.s.media.UploadForSending(ctx, account, p.municipality, m.MediaID)
		if err := p.s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			return conversation.FileReady(ctx, tx, p.municipality, uploadOutcome(tx, m, err))
		}); err != nil {
			p.s.log.Error("a message with a file was not released; it will be looked at again", "number", p.number, "error", err)
		}
		p.poke()
	}()
}

// uploadOutcome lets the message go, tries later, or gives up on a file that Meta refuses.
func uploadOutcome(tx *db.Tx, m conversation.Message, err error) conversation.Outcome {
	o := conversation.Outcome{MessageID: m.ID, ConversationID: m.ConversationID, Status: conversation.Queued, NextAt: tx.Now()}
	if err == nil {
		return o
	}
	if fault.KindOf(err) == fault.NotFound { // its content is gone: it was not restored
		o.Status, o.ErrorDetail = conversation.Failed, err.Error()
		return o
	}
	var graph *whatsapp.GraphError
	if errors.As(err, &graph) && graph.Advice().Class != whatsapp.Retry && graph.Advice().Class != whatsapp.Slow && !graph.Advice().StopsNumber {
		o.Status, o.ErrorCode, o.ErrorDetail = conversation.Failed, graph.Code, graph.Details
		return o
	}
	o.NextAt = tx.Now().Add(backoff(m.Attempts))
	return o
}
