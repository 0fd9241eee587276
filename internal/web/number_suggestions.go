// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func (s *Server) suggestionsPage(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	has, err := s.Client.Suggestions(r.Context(), n.Account())
	shown := page.SuggestionsForm{Head: headOf(r, n, page.NumberSuggestions)}
	if err != nil {
		shown.Unread = inWords(v, metaFault(err))
		return s.drawSuggestions(w, r, v, statusOf(metaFault(err)), shown)
	}
	if len(has.Prompts)+len(has.Commands) == 0 && !shown.Head.Saved {
		has, shown.Proposed = proposedSuggestions(v), true
	}
	fillSuggestions(&shown, has)
	return s.drawSuggestions(w, r, v, http.StatusOK, shown)
}

func (s *Server) drawSuggestions(w http.ResponseWriter, r *http.Request, v *visit, status int, shown page.SuggestionsForm) error {
	return s.draw(w, r, status, page.NumberSuggestionsPage(s.settingsFrame(v, page.TabNumbers), shown))
}

// fillSuggestions puts what there is into the form, with empty rows for more.
func fillSuggestions(shown *page.SuggestionsForm, has whatsapp.Suggestions) {
	shown.Prompts = append(shown.Prompts, has.Prompts...)
	for len(shown.Prompts) < whatsapp.MaxPrompts {
		shown.Prompts = append(shown.Prompts, "")
	}
	for _, c := range has.Commands {
		shown.Commands = append(shown.Commands, page.CommandRow{Name: c.Name, Hint: c.Hint})
	}
	for range min(3, whatsapp.MaxCommands-len(has.Commands)) {
		shown.Commands = append(shown.Commands, page.CommandRow{})
	}
}

// proposedSuggestions are made of the lists: what they offer is understood when it comes back as a message.
func proposedSuggestions(v *visit) (s whatsapp.Suggestions) {
	f := v.municipality.File
	if len(f.Lists) == 0 {
		return s
	}
	grammar := broadcast.NewGrammar(f)
	for _, t := range topicsOf(f) {
		words := wordsFor(f, grammar, broadcast.Join, f.Subscription.Join, t)
		if len(s.Prompts) < whatsapp.MaxPrompts-1 && utf8.RuneCountInString(words) <= whatsapp.MaxPrompt && !t.district() {
			s.Prompts = append(s.Prompts, words)
		}
	}
	if len(f.Subscription.Status) > 0 {
		word := f.Subscription.Status[0]
		s.Prompts = append(s.Prompts, word)
		if !strings.Contains(word, " ") {
			s.Commands = append(s.Commands, whatsapp.Command{Name: strings.ToLower(word), Hint: f.Locale.T("desk.number.propose_lists")})
		}
	}
	s.Commands = append(s.Commands, whatsapp.Command{Name: "stop", Hint: f.Locale.T("desk.number.propose_stop")})
	return s
}

func (s *Server) setSuggestions(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	var err error
	wanted := suggestionsIn(r)
	if what, which := wanted.Problem(); what != "" {
		err = fault.New(fault.Invalid, "desk.number.problem_"+what, "text", which)
	} else {
		err = s.ask(r, v, deedOn(n, suggestionsChanged, map[string]any{"prompts": len(wanted.Prompts), "commands": len(wanted.Commands)}),
			func(ctx context.Context) error { return s.Client.SetSuggestions(ctx, n.Account(), wanted) })
	}
	if err == nil {
		return s.saved(w, r, v, n, page.NumberSuggestions)
	}
	if !told(err) {
		return err
	}
	shown := page.SuggestionsForm{Head: headOf(r, n, page.NumberSuggestions), Problem: inWords(v, err)}
	fillSuggestions(&shown, wanted)
	return s.drawSuggestions(w, r, v, statusOf(err), shown)
}

// suggestionsIn is what the form has, without its empty rows.
func suggestionsIn(r *http.Request) (s whatsapp.Suggestions) {
	for _, p := range r.PostForm["prompt"] {
		if p = strings.TrimSpace(db.Text(p)); p != "" {
			s.Prompts = append(s.Prompts, p)
		}
	}
	hints := r.PostForm["hint"]
	for i, name := range r.PostForm["command"] {
		c := whatsapp.Command{Name: strings.ToLower(strings.TrimPrefix(strings.TrimSpace(db.Text(name)), "/"))}
		if i < len(hints) {
			c.Hint = strings.TrimSpace(db.Text(hints[i]))
		}
		if c != (whatsapp.Command{}) {
			s.Commands = append(s.Commands, c)
		}
	}
	return s
}
