// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
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
