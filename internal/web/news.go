// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// newsLog shows what Meta told of the account, the newest first.
func (s *Server) newsLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	var list []municipality.News
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		before, beforeID := time.Unix(1<<40, 0), int64(math.MaxInt64)
		if cursor, ok := db.ParseID(r.URL.Query().Get("cursor")); ok {
			at, there, err := municipality.GetNews(ctx, tx, v.municipality.ID, cursor)
			if err != nil {
				return err
			}
			if there {
				before, beforeID = at, cursor
			}
		}
		var err error
		list, err = municipality.NewsPage(ctx, tx, v.municipality.ID, before, beforeID, itemsAtOnce+1)
		return err
	})
	if err != nil {
		return err
	}
	list, more := firstPage(list, func(n municipality.News) int64 { return n.ID })
	items := make([]page.News, len(list))
	for i, n := range list {
		items[i] = newsOf(v, n)
	}
	return s.draw(w, r, http.StatusOK, page.NewsPage(s.settingsFrame(v, page.TabLog), items, more))
}

// toAct are the news after which somebody of the office should do something, by field and event; a field alone stands
// for all its events.
var toAct = []string{
	"message_template_status_update.PAUSED", "message_template_status_update.DISABLED", "message_template_status_update.REJECTED",
	"message_template_status_update.ARCHIVED", "message_template_status_update.FLAGGED", "message_template_status_update.LOCKED",
	"message_template_status_update.PENDING_DELETION", "message_template_quality_update.RED",
	"template_category_update.announced", "template_category_update.done",
	"phone_number_name_update.REJECTED", "phone_number_quality_update.FLAGGED", "phone_number_quality_update.DOWNGRADE",
	"account_update.ACCOUNT_DELETED", "account_update.ACCOUNT_VIOLATION", "account_update.ACCOUNT_RESTRICTION", "account_update.DISABLED_UPDATE",
	"account_update.ACCOUNT_OFFBOARDED", "account_review_update.REJECTED", "security.PIN_RESET_REQUEST", "errors",
}

// shown are the facts that stand below the sentence, in this order.
var shown = []string{"reason", "title", "description", "violation", "restrictions", "ban", "date", "severity", "status", "text", "numbers", "tier", "country", "requester"}

func newsOf(v *visit, n municipality.News) page.News {
	out := page.News{ID: db.FormatID(n.ID), At: n.At, Field: n.Field, Text: newsSentence(v.language, n), Raw: indented(json.RawMessage(n.Body)),
		Bad: slices.Contains(toAct, n.Field) || slices.Contains(toAct, n.Field+"."+n.Event) || n.Facts["severity"] == "CRITICAL"}
	if out.Raw == "" { // it was cut
		out.Raw = shortened(n.Body, maxExcerpt)
	}
	for _, name := range shown {
		if value := n.Facts[name]; value != "" {
			out.Facts = append(out.Facts, page.NewsFact{Label: v.language.T(locale.Key("news.fact." + name)), Value: newsWords(v, name, value)})
		}
	}
	return out
}

// newsSentence says what happened; what this version has no words for it says in Meta's.
func newsSentence(l locale.Language, n municipality.News) string {
	key := locale.Key("news." + n.Field + "." + strings.ToLower(n.Event))
	if !locale.Has(key) {
		key = locale.Key("news." + n.Field + ".other")
	}
	if !locale.Has(key) {
		key = "news.other"
	}
	fact := func(name, otherwise string) string {
		if value := n.Facts[name]; value != "" {
			return newsWord(l, value)
		}
		return otherwise
	}
	number := n.Subject
	if n.Facts["number"] != "" {
		number = n.Facts["number"]
	}
	return l.T(key, "name", fact("name", "?"), "language", fact("language", "?"), "from", fact("from", "?"), "to", fact("to", "?"),
		"limit", limitWords(l, n.Facts["limit"]), "number", contact.DisplayPhone("+"+number), "event", n.Event, "field", n.Field)
}

func limitWords(l locale.Language, tier string) string {
	if people := (municipality.Health{MessagingLimit: tier}).PeopleADay(); people > 0 {
		return l.N("news.limit", people)
	}
	if strings.HasSuffix(tier, "UNLIMITED") {
		return l.T("news.limit_none")
	}
	return l.T("news.limit_unknown")
}

// newsWord is what an office calls one of Meta's words; one without a word of ours stays as it is.
func newsWord(l locale.Language, word string) string {
	if key := locale.Key("news.word." + strings.ToLower(word)); locale.Has(key) {
		return l.T(key)
	}
	return word
}

// newsWords are lines of words and times, each as a reader knows it; a restriction lasts until its time.
func newsWords(v *visit, name, value string) string {
	lines := strings.Split(value, "\n")
	for i, line := range lines {
		words := strings.Fields(line)
		if len(words) > 2 { // a sentence of Meta's
			continue
		}
		for k, word := range words {
			if at, err := time.Parse(time.RFC3339, word); err == nil {
				if words[k] = v.language.Moment(at.In(v.municipality.Desk.Zone()), v.now); name == "restrictions" {
					words[k] = v.language.T("news.until", "moment", words[k])
				}
				continue
			}
			words[k] = newsWord(v.language, word)
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, "; ")
}
