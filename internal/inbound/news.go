// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// news is what Meta tells of the account: as it is kept, and as it is applied.
type news struct {
	kept municipality.News
	told whatsapp.News
}

// Fields of our own in the log, for what comes within the field messages and is no citizen's message to us.
const (
	fieldGroup  = "group_message"
	fieldStatus = "status"
	fieldErrors = "errors"
)

// onlyCounted are fields of which nothing is kept but a count: wishes of citizens, which are applied elsewhere; calls,
// which are left alone; and what a number shared with the app brings by the thousand.
var onlyCounted = []string{"user_preferences", "calls", "history", "smb_app_state_sync"}

// tell notes what a change tells of the account.
func (s *sorted) tell(e journal.Entry, c whatsapp.Change) {
	if slices.Contains(onlyCounted, c.Field) {
		return
	}
	at, mark := c.EntryTime, ""
	if at.IsZero() { // the same may happen again another day
		at, mark = e.ReceivedAt, day(e.ReceivedAt)
	}
	at = since(at, false, e)
	told := c.News()
	s.keep(c, clip(c.Field), told, at, c.Raw, c.EntryTime.String(), mark)
}

// keep adds to the log what marks make one of a kind.
func (s *sorted) keep(c whatsapp.Change, field string, told whatsapp.News, at time.Time, raw json.RawMessage, marks ...string) {
	key := sha256.Sum256([]byte(strings.Join(append([]string{field, c.EntryID, c.PhoneNumberID, string(raw)}, marks...), "\x00")))
	for name, value := range told.Facts {
		told.Facts[name] = strings.ToValidUTF8(value[:min(len(value), maxFact)], "")
	}
	subject := cmp.Or(told.Subject, c.DisplayPhone)
	s.news = append(s.news, news{told: told, kept: municipality.News{Key: hex.EncodeToString(key[:]), WABA: clip(c.EntryID), Field: field,
		Event: clip(told.Event), Subject: strings.ToValidUTF8(subject[:min(len(subject), maxSubject)], ""), Facts: told.Facts, Body: string(raw), At: at}})
}

// maxSubject keeps a subject within an index; a template's name has 512 characters at most.
const maxSubject = 600

// maxFact is more than anybody reads in a line; the whole stands in what came.
const maxFact = 1000

// keepExample keeps one of a kind a day: it may come by the thousand.
func (s *sorted) keepExample(e journal.Entry, c whatsapp.Change, field, event string, raw json.RawMessage) {
	key := sha256.Sum256([]byte(strings.Join([]string{field, c.PhoneNumberID, event, day(e.ReceivedAt)}, "\x00")))
	s.news = append(s.news, news{kept: municipality.News{Key: hex.EncodeToString(key[:]), WABA: clip(c.EntryID), Field: field,
		Event: clip(event), Subject: c.DisplayPhone[:min(len(c.DisplayPhone), maxSubject)], Body: string(raw), At: e.ReceivedAt}})
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// stopped are the states in which Meta delivers nothing of a template, with Graph's error that says so of a message.
var stopped = map[string]int{
	"PAUSED": 132015, "DISABLED": 132016, "ARCHIVED": 132001, "DELETED": 132001, "PENDING_DELETION": 132001, "REJECTED": 132001, "LOCKED": 132016,
}

// learn keeps what Meta told, and applies what is news where it matters: templates, broadcasts on their way, and what
// a number may send.
func (s *sorted) learn(ctx context.Context, tx *db.Tx) error {
	kept := make([]municipality.News, len(s.news))
	for i, n := range s.news {
		kept[i] = n.kept
	}
	fresh, err := municipality.AddNews(ctx, tx, s.m.ID, kept)
	if err != nil {
		return err
	}
	for i, n := range s.news {
		if !fresh[i] {
			continue
		}
		if err := n.apply(ctx, tx, s.m); err != nil {
			return err
		}
	}
	return nil
}

func (n news) apply(ctx context.Context, tx *db.Tx, m *municipality.Municipality) error {
	if n.told.Limit != "" || n.told.Throughput != "" {
		n.kept.Subject = n.told.Subject
		return municipality.ApplyNumberNews(ctx, tx, m, n.kept, municipality.Health{Throughput: n.told.Throughput, MessagingLimit: n.told.Limit})
	}
	t := n.told.Template
	if t == nil {
		return nil
	}
	status, err := municipality.ApplyTemplateNews(ctx, tx, m.ID, n.kept, *t)
	if err != nil {
		return err
	}
	if code := stopped[status]; code != 0 {
		return broadcast.TemplateStopped(ctx, tx, m, t.Name, t.Language, code)
	}
	return nil
}
