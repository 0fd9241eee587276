// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	rowsAtOnce    = 50
	rowsAtMost    = 500 // a list that was scrolled so far is fetched anew from its beginning
	lettersInList = 160
)

// boxOf says which list a request looks at.
func boxOf(r *http.Request, v *visit) (page.View, conversation.Filter) {
	q := r.URL.Query()
	view := page.View(q.Get("view"))
	filter := conversation.Filter{Staff: v.actor.ID, Office: q.Get("office")}
	switch view {
	case page.ViewMine:
		filter.Box = conversation.BoxMine
	case page.ViewWaiting:
		filter.Box = conversation.BoxWaiting
	case page.ViewResolved:
		filter.Box = conversation.BoxResolved
	default:
		view, filter.Box = page.ViewOpen, conversation.BoxOpen
		if filter.Office != "" {
			filter.Box = conversation.BoxOffice
		}
	}
	return view, filter
}

// loadInbox reads one page of a list and the figures beside the views.
func (s *Server) loadInbox(ctx context.Context, tx *db.Tx, r *http.Request, v *visit, selected int64) (page.Inbox, error) {
	view, filter := boxOf(r, v)
	list, after, err := conversation.List(ctx, tx, v.municipality.ID, filter, cursorOf(r), rowsOf(r))
	if err != nil {
		return page.Inbox{}, err
	}
	counts, err := conversation.Count(ctx, tx, v.municipality.ID, v.actor.ID)
	if err != nil {
		return page.Inbox{}, err
	}
	box := page.Inbox{View: view, Open: counts.Open, Mine: counts.Mine, Waiting: counts.Waiting, Office: filter.Office,
		Offices: officeChoices(v.municipality), Next: formatCursor(after), Rows: make([]page.Row, len(list))}
	marks, err := conversation.MarksOf(ctx, tx, v.municipality.ID, v.actor.ID, list)
	if err != nil {
		return page.Inbox{}, err
	}
	for i, c := range list {
		box.Rows[i] = rowOf(v, c)
		box.Rows[i].Draft, box.Rows[i].Failed = marks.Draft[c.ID], marks.Failed[c.ID]
	}
	if selected != 0 {
		box.Selected = db.FormatID(selected)
	}
	return box, nil
}

func rowOf(v *visit, c conversation.Conversation) page.Row {
	row := page.Row{
		ID:       db.FormatID(c.ID),
		Name:     nameOf(c.Contact),
		Preview:  page.Preview{Type: typeOf(c.LastType), Text: shortened(c.LastText, lettersInList), Ours: c.LastDirection == conversation.Out, Note: c.LastDirection == conversation.Note},
		At:       c.LastMessageAt,
		Unread:   c.Unread,
		Kind:     kindLabel(v, c.Kind),
		Holder:   c.HolderName,
		Mine:     c.HolderID == v.actor.ID,
		Office:   officeName(v.municipality, c.Office),
		Resolved: c.State != conversation.Open,
	}
	if c.WindowOpen(v.now) {
		row.Closes = *c.WindowClosesAt()
	}
	return row
}

func (s *Server) inbox(w http.ResponseWriter, r *http.Request, v *visit) error {
	var box page.Inbox
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		box, err = s.loadInbox(ctx, tx, r, v, 0)
		return err
	})
	if err != nil {
		return err
	}
	return s.draw(w, r, http.StatusOK, page.InboxPage(s.inboxFrame(v, v.language.T("desk.section.inbox"), box), box, nil, nil))
}

func (s *Server) inboxFrame(v *visit, title string, box page.Inbox) page.Desk {
	frame := s.frame(v, page.SectionInbox, title)
	for _, row := range box.Rows {
		if row.Unread > 0 {
			frame.Unread++
		}
	}
	return frame
}

// list is the left pane alone: fetched anew after a change, or the rows that follow.
func (s *Server) list(w http.ResponseWriter, r *http.Request, v *visit) error {
	var box page.Inbox
	selected, _ := db.ParseID(r.URL.Query().Get("selected"))
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		box, err = s.loadInbox(ctx, tx, r, v, selected)
		return err
	})
	if err != nil {
		return err
	}
	if !part(r) {
		return s.draw(w, r, http.StatusOK, page.InboxPage(s.inboxFrame(v, v.language.T("desk.section.inbox"), box), box, nil, nil))
	}
	if r.URL.Query().Has("cursor") {
		return s.draw(w, r, http.StatusOK, page.Rows(box))
	}
	return s.draw(w, r, http.StatusOK, page.List(box))
}

// rowsOf is how many rows to read: what the list has grown to, within bounds.
func rowsOf(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("rows"))
	if err != nil {
		return rowsAtOnce
	}
	return min(max(n, rowsAtOnce), rowsAtMost)
}

// A cursor is the time in microseconds and the id of the last row, in hexadecimal.
func formatCursor(c conversation.Cursor) string {
	if c.ID == 0 {
		return ""
	}
	return strconv.FormatInt(c.At.UnixMicro(), 36) + "-" + strconv.FormatInt(c.ID, 36)
}

func cursorOf(r *http.Request) conversation.Cursor {
	at, last, _ := cut(r.URL.Query().Get("cursor"))
	if last == 0 {
		return conversation.Cursor{}
	}
	return conversation.Cursor{At: time.UnixMicro(at).UTC(), ID: last}
}

func cut(cursor string) (at, last int64, ok bool) {
	for i := range cursor {
		if cursor[i] != '-' {
			continue
		}
		at, err := strconv.ParseInt(cursor[:i], 36, 64)
		if err != nil {
			return 0, 0, false
		}
		last, err := strconv.ParseInt(cursor[i+1:], 36, 64)
		return at, last, err == nil
	}
	return 0, 0, false
}

func officeChoices(m *municipality.Municipality) []page.Choice {
	choices := make([]page.Choice, len(m.File.Offices))
	for i, o := range m.File.Offices {
		choices[i] = page.Choice{ID: o.ID, Label: o.Name}
	}
	return choices
}

func officeName(m *municipality.Municipality, office string) string {
	if o, ok := m.File.Office(office); ok {
		return o.Name
	}
	return office
}

func kindLabel(v *visit, kind string) string {
	if kind == "" {
		return ""
	}
	if k, ok := v.municipality.File.Kind(kind); ok {
		return k.LabelIn(v.language)
	}
	if key := locale.Key("kind." + kind); locale.Has(key) {
		return v.language.T(key)
	}
	return kind
}

func shortened(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(slices.Concat(runes[:most], []rune("…")))
}
