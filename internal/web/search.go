// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	citizensFound = 8
	messagesFound = 50
	maxQuery      = 200 // characters
	aroundMatch   = 70  // characters shown before the first match
)

func (s *Server) search(w http.ResponseWriter, r *http.Request, v *visit) error {
	found := page.Found{Query: shortened(strings.TrimSpace(r.URL.Query().Get("q")), maxQuery)}
	if found.Query != "" {
		err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
			return find(ctx, tx, v, &found)
		})
		if err != nil {
			return err
		}
	}
	frame := s.frame(v, page.SectionInbox, v.language.T("desk.search.title"))
	frame.Search = found.Query
	return s.draw(w, r, http.StatusOK, page.SearchPage(frame, found))
}

func find(ctx context.Context, tx *db.Tx, v *visit, found *page.Found) error {
	citizens, err := contact.Search(ctx, tx, v.municipality.ID, found.Query, citizensFound)
	if err != nil {
		return err
	}
	contacts := make([]int64, len(citizens))
	for i, c := range citizens {
		contacts[i] = c.ID
	}
	latest, err := conversation.Latest(ctx, tx, v.municipality.ID, contacts)
	if err != nil {
		return err
	}
	for _, c := range citizens {
		if last, ok := latest[c.ID]; ok {
			found.Citizens = append(found.Citizens, page.Hit{Conversation: db.FormatID(last.ID), Name: nameOf(c), Address: addressOf(c), At: last.LastMessageAt})
		}
	}
	messages, err := conversation.Search(ctx, tx, v.municipality.ID, found.Query, messagesFound)
	if err != nil {
		return err
	}
	var ids []int64
	for _, f := range messages {
		ids = append(ids, f.Message.MediaID)
	}
	files, err := media.ByIDs(ctx, tx, v.municipality.ID, ids)
	marks := newMarker(found.Query)
	for _, f := range messages {
		said := strings.TrimSpace(f.Message.Text + "\n" + files[f.Message.MediaID].Description.Text)
		found.Messages = append(found.Messages, page.Hit{
			Conversation: db.FormatID(f.Message.ConversationID), Message: db.FormatID(f.Message.ID), Name: nameOf(f.Conversation.Contact),
			At: f.Message.At, Ours: f.Message.Direction != conversation.In, Parts: marks.mark(said),
		})
	}
	return err
}

// marker cuts texts into what the index found by the query and what it did not, from a little before the first match.
type marker struct {
	wanted map[string]bool // words as the index knows them
	known  map[string]bool // words as they stand in the texts: most come again and again
}

func newMarker(query string) marker {
	m := marker{wanted: map[string]bool{}, known: map[string]bool{}}
	for _, w := range wordsOf(query) {
		m.wanted[db.MessageSearch.Word(query[w[0]:w[1]])] = true
	}
	return m
}

func (m marker) matches(word string) bool {
	yes, known := m.known[word]
	if !known {
		yes = m.wanted[db.MessageSearch.Word(word)]
		m.known[word] = yes
	}
	return yes
}

func (m marker) mark(text string) []page.Part {
	var parts []page.Part
	from := 0
	for _, w := range wordsOf(text) {
		if !m.matches(text[w[0]:w[1]]) {
			continue
		}
		if w[0] > from {
			parts = append(parts, page.Part{Text: text[from:w[0]]})
		}
		parts = append(parts, page.Part{Text: text[w[0]:w[1]], Match: true})
		from = w[1]
	}
	if from < len(text) {
		parts = append(parts, page.Part{Text: text[from:]})
	}
	if len(parts) > 1 && !parts[0].Match {
		parts[0].Text = ending(parts[0].Text, aroundMatch)
	}
	return parts
}

func ending(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	letters := []rune(text)
	return "…" + string(letters[len(letters)-most:])
}

func wordsOf(text string) [][2]int {
	var words [][2]int
	start := -1
	for i, r := range text {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		if letter && start < 0 {
			start = i
		}
		if !letter && start >= 0 {
			words = append(words, [2]int{start, i})
			start = -1
		}
	}
	if start >= 0 {
		words = append(words, [2]int{start, len(text)})
	}
	return words
}
