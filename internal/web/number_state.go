// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func (s *Server) numberPage(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	return s.drawNumber(w, r, v, n, page.NumberProblem{}, nil)
}

// drawNumber shows a number as Meta sees it now. What Meta does not tell is said in its place.
func (s *Server) drawNumber(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number, problem page.NumberProblem, failed error) error {
	if failed != nil && !told(failed) {
		return failed
	}
	acc := n.Account()
	shown := page.NumberShown{Head: headOf(r, n, page.NumberState), Problem: problem}
	var now whatsapp.PhoneNumber
	var settings whatsapp.NumberSettings
	var username whatsapp.Username
	var unread, unset, unnamed error
	together(
		func() { now, unread = s.Client.PhoneNumber(r.Context(), acc) },
		func() { settings, unset = s.Client.NumberSettings(r.Context(), acc) },
		func() {
			if username, unnamed = s.Client.Username(r.Context(), acc); unnamed == nil && username.Name == "" {
				shown.Suggested, _ = s.Client.UsernameSuggestions(r.Context(), acc) // without them a name is thought of
			}
		},
	)
	if unread != nil {
		shown.Unread = inWords(v, metaFault(unread))
	} else {
		shown.Facts = factsOf(v, now)
		shown.Health = healthOf(now.Health)
		shown.Connected, shown.PIN = now.Connected(), now.PIN
	}
	shown.Settings = unset == nil
	shown.Local, shown.Region, shown.IdentityCheck = settings.LocalStorage(), settings.StorageRegion, settings.IdentityCheck
	shown.Usernames, shown.Username = unnamed == nil, username.Name
	return s.draw(w, r, statusOf(failed), page.NumberStatePage(s.settingsFrame(v, page.TabNumbers), shown))
}

// factsOf are the lines of what Meta says of a number, in words where there are some.
func factsOf(v *visit, n whatsapp.PhoneNumber) []page.Fact {
	pin := "no"
	if n.PIN {
		pin = "yes"
	}
	var facts []page.Fact
	for _, f := range []struct{ name, value string }{
		{"status", n.Status}, {"verified_name", n.VerifiedName}, {"name_status", n.NameStatus}, {"quality", n.Quality}, {"throughput", n.Throughput},
		{"limit", n.MessagingLimit}, {"verification", n.CodeVerification}, {"pin", pin}, {"callback", n.Callback.Effective()},
	} {
		if f.value != "" {
			facts = append(facts, page.Fact{Name: v.language.T(locale.Key("desk.number.fact." + f.name)), Value: factWord(v.language, f.name, f.value)})
		}
	}
	return facts
}

// factWord is a value of Meta's in words; one without stays as it is.
func factWord(l locale.Language, name, value string) string {
	if key := locale.Key("desk.number.value." + name + "_" + strings.ToLower(value)); locale.Has(key) {
		return l.T(key)
	}
	return value
}

// healthOf is what keeps the number from sending, in Meta's words.
func healthOf(h whatsapp.Health) (lines []string) {
	for _, e := range h.Entities {
		for _, failure := range e.Errors {
			lines = append(lines, strings.TrimSpace(e.Type+": "+failure.Description+" "+failure.Solution))
		}
		for _, info := range e.Info {
			lines = append(lines, e.Type+": "+info)
		}
	}
	return lines
}

var (
	errPIN      = fault.New(fault.Invalid, "desk.number.pin_shape")
	errUsername = fault.New(fault.Invalid, "desk.number.username_shape")
)

// setPIN changes the two-step PIN. It goes to Meta and nowhere else.
func (s *Server) setPIN(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	pin := strings.TrimSpace(r.PostForm.Get("pin"))
	err := error(errPIN)
	if whatsapp.UsablePIN(pin) {
		err = s.ask(r, v, deedOn(n, pinChanged, nil), func(ctx context.Context) error { return s.Client.SetPIN(ctx, n.Account(), pin) })
	}
	if err != nil {
		return s.drawNumber(w, r, v, n, page.NumberProblem{PIN: inWords(v, err)}, err)
	}
	return s.saved(w, r, v, n, page.NumberState)
}

func (s *Server) setIdentityCheck(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	on := r.PostForm.Get("on") == "true"
	err := s.ask(r, v, deedOn(n, identityCheckChanged, map[string]any{"on": on}), func(ctx context.Context) error {
		return s.Client.SetIdentityCheck(ctx, n.Account(), on)
	})
	if err != nil {
		return s.drawNumber(w, r, v, n, page.NumberProblem{Identity: inWords(v, err)}, err)
	}
	return s.saved(w, r, v, n, page.NumberState)
}

// setUsername claims a username, or gives up the one there is.
func (s *Server) setUsername(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	var err error
	name := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(r.PostForm.Get("username")), "@"))
	switch {
	case r.PostForm.Get("do") == "give_up":
		err = s.ask(r, v, deedOn(n, usernameGivenUp, nil), func(ctx context.Context) error { return s.Client.DeleteUsername(ctx, n.Account()) })
	case whatsapp.UsernameProblem(name) != "":
		err = errUsername
	default:
		err = s.ask(r, v, deedOn(n, usernameClaimed, map[string]any{"username": name}), func(ctx context.Context) error {
			return s.Client.SetUsername(ctx, n.Account(), name)
		})
	}
	if err != nil {
		return s.drawNumber(w, r, v, n, page.NumberProblem{Username: inWords(v, err), Name: r.PostForm.Get("username")}, err)
	}
	return s.saved(w, r, v, n, page.NumberState)
}
