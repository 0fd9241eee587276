// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// exportedAtOnce is how many recipients one transaction reads for a file.
const exportedAtOnce = 1000

// recipientsPart reads which recipients a request asks for.
func recipientsPart(r *http.Request) (broadcast.Part, error) {
	p := broadcast.Part(r.URL.Query().Get("part"))
	if !slices.Contains([]broadcast.Part{broadcast.Everybody, broadcast.NotReached, broadcast.Uncertain}, p) {
		return "", errNotFound
	}
	return p, nil
}

func (s *Server) recipients(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	which, err := recipientsPart(r)
	if err != nil {
		return err
	}
	after, _ := db.ParseID(r.URL.Query().Get("cursor"))
	list := page.Recipients{Part: page.RecipientsPart(which), First: after == 0}
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, broadcastID)
		if err != nil {
			return err
		}
		list.Broadcast = rowOfBroadcast(v, b, b.Reach.Outcomes)
		found, next, err := broadcast.Recipients(ctx, tx, v.municipality.ID, broadcastID, which, after, itemsAtOnce)
		for _, f := range found {
			list.Rows = append(list.Rows, recipientRow(v.language, f))
		}
		if next != 0 {
			list.Next = db.FormatID(next)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.draw(w, r, http.StatusOK, page.RecipientsPage(s.broadcastFrame(v), list))
}

func recipientRow(l locale.Language, f broadcast.Recipient) page.RecipientRow {
	row := page.RecipientRow{Name: nameOf(f.Contact), Address: addressOf(f.Contact), Status: page.Status(f.Message.Status.String()), Reason: notReachedWhy(l, f.Message), At: lastStep(f.Message)}
	if f.Resent != nil {
		row.Resent = page.Status(f.Resent.Status.String())
	}
	return row
}

// notReachedWhy is why a message failed or was not sent, in words; "" of any other.
func notReachedWhy(l locale.Language, m conversation.Message) string {
	switch m.Status {
	case conversation.Failed:
		return graphSentence(l, m.ErrorCode)
	case conversation.Skipped:
		return skippedWhy(l, m.ErrorDetail)
	}
	return ""
}

// skippedWhy is why a recipient got nothing, in words.
func skippedWhy(l locale.Language, why string) string {
	switch why {
	case conversation.SkippedLeft, conversation.SkippedTwice, conversation.SkippedBlocked:
		return l.T(locale.Key("desk.broadcast.skipped_why." + why))
	}
	return ""
}

// lastStep is when a message came to be what it is; zero while it waits.
func lastStep(m conversation.Message) time.Time {
	for _, at := range []*time.Time{m.ReadAt, m.DeliveredAt, m.SentAt, m.SendingAt} {
		if at != nil {
			return *at
		}
	}
	return time.Time{}
}

// exportRecipients writes them as CSV, in pages: their number does not matter. A failure
// half-way breaks the connection, so that nobody takes a part for the whole.
func (s *Server) exportRecipients(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	which, err := recipientsPart(r)
	if err != nil {
		return err
	}
	var file *csvFile
	for after := int64(0); ; {
		var found []broadcast.Recipient
		var next int64
		err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
			if _, err := broadcast.Get(ctx, tx, v.municipality.ID, broadcastID); err != nil {
				return err
			}
			found, next, err = broadcast.Recipients(ctx, tx, v.municipality.ID, broadcastID, which, after, exportedAtOnce)
			return err
		})
		if err != nil && file == nil {
			return err
		}
		if err != nil {
			s.Log.Error("an export broke off", "error", err)
			panic(http.ErrAbortHandler)
		}
		if file == nil {
			file = newCSV(w, exportName(v, broadcastID, which))
			file.row(exportedColumns(v.language)...)
		}
		for _, f := range found {
			file.row(exportedRow(v, f)...)
		}
		if !file.more() || next == 0 {
			return nil // done, or nobody listens any more
		}
		after = next
	}
}

func exportName(v *visit, id int64, which broadcast.Part) string {
	name := v.municipality.Slug + "-broadcast-" + db.FormatID(id)
	if which != broadcast.Everybody {
		name += "-" + strings.ReplaceAll(string(which), "_", "-")
	}
	return name
}

func exportedColumns(l locale.Language) []string {
	return []string{l.T("desk.broadcast.column.name"), l.T("desk.broadcast.column.phone"), l.T("desk.broadcast.column.outcome"),
		l.T("desk.broadcast.column.reason"), l.T("desk.broadcast.column.time")}
}

// exportedRow has the phone as it is: to write it in groups takes longer than all the rest.
func exportedRow(v *visit, f broadcast.Recipient) []string {
	at, address := "", f.Contact.Phone
	if step := lastStep(f.Message); !step.IsZero() {
		at = step.In(v.municipality.Desk.Zone()).Format("2006-01-02 15:04:05")
	}
	if address == "" {
		address = addressOf(f.Contact)
	}
	return []string{f.Contact.Name, address, v.language.T(locale.Key("status." + f.Message.Status.String())), notReachedWhy(v.language, f.Message), at}
}
