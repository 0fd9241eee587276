// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rsc.io/qr"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	subscribersAtOnce = 50
	subscribersInFile = 1000 // read at once for a file
	listsLookBack     = 30   // days
)

// topic is a list or a district.
type topic struct {
	Keyword, Name string
	Kind          municipality.ListKind // "" of a district
}

func (t topic) district() bool { return t.Kind == "" }

// topicsOf are the lists of a municipality and then its districts, in the order of its file.
func topicsOf(f *municipality.File) (out []topic) {
	for _, l := range f.Lists {
		out = append(out, topic{Keyword: l.Keyword, Name: l.Name, Kind: l.Kind})
	}
	for _, d := range f.Districts {
		out = append(out, topic{Keyword: d.Keyword, Name: d.Name})
	}
	return out
}

func keywords(topics []topic) (out []string) {
	for _, t := range topics {
		out = append(out, t.Keyword)
	}
	return out
}

// topicOf is the list or district that the address names.
func topicOf(r *http.Request, v *visit) (topic, error) {
	topics := topicsOf(v.municipality.File)
	i := slices.IndexFunc(topics, func(t topic) bool { return t.Keyword == r.PathValue("keyword") })
	if i < 0 {
		return topic{}, errNotFound
	}
	return topics[i], nil
}

func (s *Server) listsPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	days := broadcast.Days(v.now.In(v.municipality.Desk.Zone()), listsLookBack)
	var (
		count     map[string]int
		movements []broadcast.Movement
	)
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if count, err = broadcast.CountSubscribers(ctx, tx, v.municipality.ID); err != nil {
			return err
		}
		movements, err = broadcast.Movements(ctx, tx, v.municipality.ID, days[0])
		return err
	})
	if err != nil {
		return err
	}
	var lists, districts []page.ListLine
	grammar := broadcast.NewGrammar(v.municipality.File)
	for _, t := range topicsOf(v.municipality.File) {
		line, err := lineOf(v.municipality, grammar, t)
		if err != nil {
			return err
		}
		joined, left := broadcast.Flow([]string{t.Keyword}, days, movements)
		line.Subscribers, line.Joined, line.Left = count[t.Keyword], sum(joined), sum(left)
		if t.district() {
			districts = append(districts, line)
		} else {
			lists = append(lists, line)
		}
	}
	frame := s.frame(v, page.SectionLists, v.language.T("desk.lists.title"))
	return s.draw(w, r, http.StatusOK, page.ListsPage(frame, firstNumber(v.municipality).Display, lists, districts))
}

// firstNumber is the one that a municipality's notices name.
func firstNumber(m *municipality.Municipality) municipality.Number {
	if len(m.Numbers) == 0 {
		return municipality.Number{}
	}
	return m.Numbers[0]
}

func lineOf(m *municipality.Municipality, g *broadcast.Grammar, t topic) (page.ListLine, error) {
	s := m.File.Subscription
	line := page.ListLine{Keyword: t.Keyword, Name: t.Name, Kind: string(t.Kind), Words: wordsFor(m.File, g, broadcast.Join, s.Join, t), Leave: wordsFor(m.File, g, broadcast.Leave, s.Leave, t)}
	if t.district() {
		line.Kind = "district"
	}
	line.Link = chatLink(firstNumber(m), line.Words)
	var err error
	line.Code, err = codeOf(line.Link)
	return line, err
}

// lineOfAddress is the list or district of the address, with its line.
func lineOfAddress(r *http.Request, v *visit) (topic, page.ListLine, error) {
	t, err := topicOf(r, v)
	if err != nil {
		return t, page.ListLine{}, err
	}
	line, err := lineOf(v.municipality, broadcast.NewGrammar(v.municipality.File), t)
	return t, line, err
}

// wordsFor is what a citizen writes to join or leave t: the first phrase that says so, with t's keyword in its place or
// behind it. The grammar itself is asked, so that no notice ever prints words that mean nothing.
func wordsFor(f *municipality.File, g *broadcast.Grammar, verb broadcast.Verb, phrases []string, t topic) string {
	for _, p := range phrases {
		words := strings.NewReplacer("{list}", t.Keyword, "{district}", t.Keyword, "{town}", strings.TrimPrefix(f.Name, "Comune di ")).Replace(p)
		for _, said := range []string{words, words + " " + t.Keyword} {
			if c, ok := g.Parse(said); ok && c.Verb == verb && slices.Equal(c.Topics, []string{t.Keyword}) {
				return said
			}
		}
	}
	return strings.TrimSpace(strings.Join(phrases[:min(1, len(phrases))], "") + " " + t.Keyword)
}

// chatLink opens WhatsApp with a message to a number already written; "" where there is no number.
// https://faq.whatsapp.com/5913398998672934
func chatLink(n municipality.Number, words string) string {
	if n.E164 == "" {
		return ""
	}
	return "https://wa.me/" + strings.TrimPrefix(n.E164, "+") + "?text=" + strings.ReplaceAll(url.QueryEscape(words), "+", "%20")
}

// codeOf draws a QR code that a poster in the rain still gives back: a seventh of it may be lost.
func codeOf(text string) (page.Code, error) {
	if text == "" {
		return page.Code{}, nil
	}
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return page.Code{}, fmt.Errorf("draw a code for %s: %w", text, err)
	}
	var path strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			from := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return page.Code{Size: c.Size, Path: path.String()}, nil
}

// listCode is the QR code of a list as a file, for whoever prints the notice.
func (s *Server) listCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	t, line, err := lineOfAddress(r, v)
	if err != nil {
		return err
	}
	if line.Link == "" {
		return errNotFound
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.municipality.Slug+"-"+strings.ToLower(t.Keyword)+`.svg"`)
	w.Header().Set("Content-Type", "image/svg+xml")
	return page.CodeFile(line.Code).Render(r.Context(), w)
}

func (s *Server) subscribersPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	t, line, err := lineOfAddress(r, v)
	if err != nil {
		return err
	}
	after, _ := db.ParseID(r.URL.Query().Get("cursor"))
	shown := page.Subscribers{ListLine: line, Query: shortened(strings.TrimSpace(r.URL.Query().Get("q")), maxQuery), First: after == 0,
		File: "/desk/" + v.municipality.Slug + "/lists/" + url.PathEscape(t.Keyword) + "/subscribers.csv"}
	var list []broadcast.Subscriber
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		count, err := broadcast.CountSubscribers(ctx, tx, v.municipality.ID)
		if err != nil {
			return err
		}
		shown.Subscribers, shown.Next = count[t.Keyword], ""
		if shown.Query != "" {
			list, shown.Cut, err = broadcast.FindSubscribers(ctx, tx, v.municipality.ID, t.Keyword, shown.Query, subscribersAtOnce)
			return err
		}
		var next int64
		if list, next, err = broadcast.Subscribers(ctx, tx, v.municipality.ID, t.Keyword, after, subscribersAtOnce); next != 0 {
			shown.Next = db.FormatID(next)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range list {
		shown.Rows = append(shown.Rows, page.Subscriber{ID: db.FormatID(one.ID), Name: nameOf(one.Contact), Address: addressOf(one.Contact), Since: one.Since})
	}
	return s.draw(w, r, http.StatusOK, page.SubscribersPage(s.frame(v, page.SectionLists, t.Name), shown))
}

// subscribersFile is all subscribers of a list. It is read page by page, so that neither a long list nor a slow
// browser holds a transaction.
func (s *Server) subscribersFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	t, err := topicOf(r, v)
	if err != nil {
		return err
	}
	read := func(after int64) (list []broadcast.Subscriber, next int64, err error) {
		err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
			list, next, err = broadcast.Subscribers(ctx, tx, v.municipality.ID, t.Keyword, after, subscribersInFile)
			return err
		})
		return list, next, err
	}
	list, next, err := read(0)
	if err != nil {
		return err
	}
	file := newCSV(w, v.municipality.Slug+"-"+strings.ToLower(t.Keyword)+"-"+v.now.In(v.municipality.Desk.Zone()).Format(time.DateOnly))
	file.row("name", "phone", "username", "user_id", "since")
	for {
		for _, one := range list {
			file.row(one.Name, contact.DisplayPhone(one.Phone), one.Username, one.UserID, one.Since.UTC().Format(time.RFC3339))
		}
		if next == 0 || !file.more() {
			return file.end()
		}
		if list, next, err = read(next); err != nil {
			s.Log.Error("an export broke off", "error", err)
			panic(http.ErrAbortHandler) // the browser says that the download failed: nobody takes a part for the whole
		}
	}
}
