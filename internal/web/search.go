// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
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
	return s.draw(w, r, http.StatusOK, page.SearchPage(frame, found))
}

func find(ctx context.Context, tx *db.Tx, v *visit, found *page.Found) error {
	citizens, err := contact.Search(ctx, tx, v.municipality.ID, found.Query, citizensFound)
	if err != nil {
		return err
	}
	for _, c := range citizens {
		last, err := conversation.OfContact(ctx, tx, v.municipality.ID, c.ID, 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			found.Citizens = append(found.Citizens, page.Hit{Conversation: db.FormatID(last[0].ID), Name: nameOf(c), Address: addressOf(c), At: last[0].LastMessageAt})
		}
	}
	messages, err := conversation.Search(ctx, tx, v.municipality.ID, found.Query, messagesFound)
	for _, f := range messages {
		found.Messages = append(found.Messages, page.Hit{
			Conversation: db.FormatID(f.Message.ConversationID), Message: db.FormatID(f.Message.ID), Name: nameOf(f.Conversation.Contact),
			At: f.Message.At, Ours: f.Message.Direction != conversation.In, Parts: marked(f.Message.Text, found.Query),
		})
	}
	return err
}

// marked cuts text into what matches a word of the query and what does not, from a little before the
// first match. Words match by their beginning, without accents, up to the ending that the index stems.
func marked(text, query string) []page.Part {
	stems := stemsOf(query)
	var parts []page.Part
	from := 0
	for _, w := range wordsOf(text) {
		if !matches(text[w[0]:w[1]], stems) {
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
		letter := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
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

func stemsOf(query string) []string {
	var stems []string
	for _, w := range wordsOf(query) {
		word := []rune(plain(query[w[0]:w[1]]))
		if len(word) > 4 {
			word = word[:len(word)-1]
		}
		stems = append(stems, string(word))
	}
	return stems
}

func matches(word string, stems []string) bool {
	word = plain(word)
	for _, stem := range stems {
		if strings.HasPrefix(word, stem) && len(word) <= len(stem)+4 {
			return true
		}
	}
	return false
}

// plain is a word in lower case without accents.
func plain(word string) string {
	out, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), strings.ToLower(word))
	if err != nil {
		return word
	}
	return out
}
