// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound

import (
	"context"
	"errors"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// upload is a file that must be at WhatsApp before the messages with it can go.
type upload struct {
	media   int64
	message conversation.Message
	account whatsapp.Account
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
