// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func (s *Server) linksPage(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	return s.drawLinks(w, r, v, n, "", nil)
}

func (s *Server) drawLinks(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number, text string, failed error) error {
	if failed != nil && !told(failed) {
		return failed
	}
	shown := page.LinksForm{Head: headOf(r, n, page.NumberLinks), Text: text, Limit: whatsapp.MaxLinkText}
	if failed != nil {
		shown.Problem = inWords(v, failed)
	}
	links, err := s.Client.Links(r.Context(), n.Account())
	if err != nil {
		shown.Unread = inWords(v, metaFault(err))
	}
	for _, l := range links {
		one := page.ShortLink{Code: l.Code, Text: l.Text, Address: l.Address}
		if one.QR, err = codeOf(l.Address); err != nil {
			return err
		}
		shown.Links = append(shown.Links, one)
	}
	f := v.municipality.File
	grammar := broadcast.NewGrammar(f)
	for _, t := range topicsOf(f) {
		words := wordsFor(f, grammar, broadcast.Join, f.Subscription.Join, t)
		if !slices.ContainsFunc(shown.Links, func(l page.ShortLink) bool { return l.Text == words }) {
			shown.Lists = append(shown.Lists, page.Choice{ID: words, Label: t.Name, Hint: words})
		}
	}
	return s.draw(w, r, statusOf(failed), page.NumberLinksPage(s.settingsFrame(v, page.TabNumbers), shown))
}

var errLinkText = fault.New(fault.Invalid, "desk.number.link_text", "max", whatsapp.MaxLinkText)

// setLink makes a link, changes the text of one, or takes one away.
func (s *Server) setLink(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	var err error
	code, text := field(r, "code"), cmp.Or(field(r, "text"), field(r, "list"))
	switch count := utf8.RuneCountInString(text); {
	case r.PostForm.Get("do") == "delete":
		err = s.ask(r, v, deedOn(n, linkDeleted, map[string]any{"code": code}), func(ctx context.Context) error { return s.Client.DeleteLink(ctx, n.Account(), code) })
	case count == 0 || count > whatsapp.MaxLinkText:
		err = errLinkText
	default:
		err = s.ask(r, v, deedOn(n, linkSaved, map[string]any{"code": code}), func(ctx context.Context) error {
			_, err := s.Client.SaveLink(ctx, n.Account(), code, text)
			return err
		})
	}
	if err != nil {
		return s.drawLinks(w, r, v, n, text, err)
	}
	return s.saved(w, r, v, n, page.NumberLinks)
}

var usableCode = regexp.MustCompile(`^[A-Za-z0-9]{1,40}$`)

// linkCode is the QR code of a link, to print.
func (s *Server) linkCode(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	links, err := s.Client.Links(r.Context(), n.Account())
	if err != nil {
		return metaFault(err)
	}
	i := slices.IndexFunc(links, func(l whatsapp.Link) bool { return l.Code == r.PathValue("code") && usableCode.MatchString(l.Code) })
	if i < 0 {
		return errNotFound
	}
	drawn, err := codeOf(links[i].Address)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.municipality.Slug+"-"+links[i].Code+`.svg"`)
	w.Header().Set("Content-Type", "image/svg+xml")
	return page.CodeFile(drawn).Render(r.Context(), w)
}
