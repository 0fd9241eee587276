// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// What is done to a number, as the trail has it; never a PIN.
const (
	profileChanged       staff.Action = "phone_number.profile_changed"
	pictureChanged       staff.Action = "phone_number.picture_changed"
	pinChanged           staff.Action = "phone_number.pin_changed"
	identityCheckChanged staff.Action = "phone_number.identity_check_changed"
	suggestionsChanged   staff.Action = "phone_number.suggestions_changed"
	usernameClaimed      staff.Action = "phone_number.username_claimed"
	usernameGivenUp      staff.Action = "phone_number.username_given_up"
	linkSaved            staff.Action = "phone_number.link_saved"
	linkDeleted          staff.Action = "phone_number.link_deleted"
)

// ownNumber is the number of the address: one of this municipality's in use.
func ownNumber(r *http.Request, v *visit) (municipality.Number, error) {
	return numberIn(v, r.PathValue("id"))
}

func numberAddress(v *visit, n municipality.Number, tab page.NumberTab) string {
	address := "/desk/" + v.municipality.Slug + "/settings/numbers/" + n.PhoneNumberID
	if tab != page.NumberState {
		address += "/" + string(tab)
	}
	return address
}

func headOf(r *http.Request, n municipality.Number, tab page.NumberTab) page.NumberHead {
	return page.NumberHead{ID: n.PhoneNumberID, Display: n.Display, Tab: tab, Saved: r.Method == http.MethodGet && r.URL.Query().Has("saved")}
}

func deedOn(n municipality.Number, action staff.Action, detail map[string]any) deed {
	return deed{action: action, kind: "number", id: n.PhoneNumberID, detail: detail}
}

// saved goes back to the page that a form was on, to see what Meta says now.
func (s *Server) saved(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number, tab page.NumberTab) error {
	http.Redirect(w, r, numberAddress(v, n, tab)+"?saved=1", http.StatusSeeOther)
	return nil
}

// readForm reads a form within bounds; one that is too large is a failure of its own.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return errForm.With(err)
	}
	return nil
}

// statusOf is the status of a page that shows err beside its form.
func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return statuses[fault.KindOf(err)]
}

// together asks several things of Meta at once.
func together(asks ...func()) {
	var all sync.WaitGroup
	for _, f := range asks {
		all.Go(f)
	}
	all.Wait()
}

// ---- state and switches

func (s *Server) numberPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
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
func (s *Server) setPIN(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	pin := strings.TrimSpace(r.PostForm.Get("pin"))
	err = error(errPIN)
	if whatsapp.UsablePIN(pin) {
		err = s.ask(r, v, deedOn(n, pinChanged, nil), func(ctx context.Context) error { return s.Client.SetPIN(ctx, n.Account(), pin) })
	}
	if err != nil {
		return s.drawNumber(w, r, v, n, page.NumberProblem{PIN: inWords(v, err)}, err)
	}
	return s.saved(w, r, v, n, page.NumberState)
}

func (s *Server) setIdentityCheck(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	on := r.PostForm.Get("on") == "true"
	err = s.ask(r, v, deedOn(n, identityCheckChanged, map[string]any{"on": on}), func(ctx context.Context) error {
		return s.Client.SetIdentityCheck(ctx, n.Account(), on)
	})
	if err != nil {
		return s.drawNumber(w, r, v, n, page.NumberProblem{Identity: inWords(v, err)}, err)
	}
	return s.saved(w, r, v, n, page.NumberState)
}

// setUsername claims a username, or gives up the one there is.
func (s *Server) setUsername(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
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

// ---- profile

func (s *Server) profilePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	p, err := s.Client.BusinessProfile(r.Context(), n.Account())
	shown := page.ProfileForm{Head: headOf(r, n, page.NumberProfile)}
	if err != nil {
		shown.Unread = inWords(v, metaFault(err))
		return s.drawProfile(w, r, v, statusOf(metaFault(err)), shown)
	}
	proposed := proposedProfile(v, n)
	shown.Profile, shown.Proposed = profileFields(p, proposed)
	shown.Picture = p.Picture != ""
	return s.drawProfile(w, r, v, http.StatusOK, shown)
}

func (s *Server) drawProfile(w http.ResponseWriter, r *http.Request, v *visit, status int, shown page.ProfileForm) error {
	return s.draw(w, r, status, page.NumberProfilePage(s.settingsFrame(v, page.TabNumbers), shown))
}

// proposedProfile is what the municipality's file says of the office that answers on the number.
func proposedProfile(v *visit, n municipality.Number) whatsapp.BusinessProfile {
	f := v.municipality.File
	office, ok := f.Office(n.Office)
	if !ok && len(f.Offices) > 0 {
		office = f.Offices[0]
	}
	p := whatsapp.BusinessProfile{
		About:       shortened(f.Locale.T("desk.number.propose_about", "service", f.Service, "municipality", f.Name), whatsapp.MaxAbout),
		Description: shortened(f.Locale.T("desk.number.propose_description", "municipality", f.Name, "office", cmp.Or(office.Name, f.Name)), whatsapp.MaxDescription),
		Address:     shortened(office.Address, whatsapp.MaxAddress), Email: office.Email, Vertical: whatsapp.Government,
	}
	for _, c := range f.Channels {
		if c.Kind == "web" && len(p.Websites) < whatsapp.MaxWebsites {
			p.Websites = append(p.Websites, c.Value)
		}
	}
	return p
}

// profileFields is what stands in the form: what Meta has, and where it has nothing what is proposed.
func profileFields(p, proposed whatsapp.BusinessProfile) (shown page.Profile, filled bool) {
	pick := func(has, propose string) string {
		filled = filled || has == "" && propose != ""
		return cmp.Or(has, propose)
	}
	if p.Vertical == "UNDEFINED" {
		p.Vertical = ""
	}
	shown = page.Profile{About: pick(p.About, proposed.About), Address: pick(p.Address, proposed.Address), Description: pick(p.Description, proposed.Description),
		Email: pick(p.Email, proposed.Email), Vertical: pick(p.Vertical, proposed.Vertical)}
	sites := p.Websites
	if len(sites) == 0 {
		sites, filled = proposed.Websites, filled || len(proposed.Websites) > 0
	}
	copy(shown.Websites[:], sites)
	return shown, filled
}

func (s *Server) setProfile(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	p := whatsapp.BusinessProfile{Vertical: cmp.Or(field(r, "vertical"), whatsapp.Government), About: field(r, "about"), Address: field(r, "address"),
		Description: field(r, "description"), Email: field(r, "email")}
	for _, site := range r.PostForm["website"] {
		if site = strings.TrimSpace(db.Text(site)); site != "" {
			p.Websites = append(p.Websites, site)
		}
	}
	if name, why := p.Problem(); name != "" {
		err = fault.New(fault.Invalid, "desk.number.problem_"+name+"_"+why)
	} else {
		err = s.ask(r, v, deedOn(n, profileChanged, nil), func(ctx context.Context) error { return s.Client.SetBusinessProfile(ctx, n.Account(), p) })
	}
	if err == nil {
		return s.saved(w, r, v, n, page.NumberProfile)
	}
	if !told(err) {
		return err
	}
	shown := page.ProfileForm{Head: headOf(r, n, page.NumberProfile), Problem: inWords(v, err)}
	shown.Profile, _ = profileFields(p, whatsapp.BusinessProfile{})
	return s.drawProfile(w, r, v, statusOf(err), shown)
}

// field is a field of a form as both engines keep it.
func field(r *http.Request, name string) string {
	return strings.TrimSpace(db.Text(r.PostForm.Get(name)))
}

const maxPicture = 5 << 20 // bytes

var (
	errPicture      = fault.New(fault.Invalid, "desk.number.picture_type")
	errPictureLarge = fault.New(fault.TooLarge, "desk.number.picture_large")
)

// setPicture gives Meta the profile's picture by a resumable upload.
func (s *Server) setPicture(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	data, mime, err := pictureOf(w, r)
	if err == nil {
		err = s.ask(r, v, deedOn(n, pictureChanged, nil), func(ctx context.Context) error {
			handle, err := s.Client.Upload(ctx, n.Account(), "picture", mime, int64(len(data)), bytes.NewReader(data))
			if err != nil {
				return err
			}
			return s.Client.SetProfilePicture(ctx, n.Account(), handle)
		})
	}
	if err == nil {
		return s.saved(w, r, v, n, page.NumberProfile)
	}
	if !told(err) && fault.KindOf(err) != fault.TooLarge {
		return err
	}
	shown := page.ProfileForm{Head: headOf(r, n, page.NumberProfile), PictureProblem: inWords(v, err)}
	p, unread := s.Client.BusinessProfile(r.Context(), n.Account())
	if unread != nil {
		shown.Unread = inWords(v, metaFault(unread))
	}
	shown.Profile, shown.Proposed = profileFields(p, proposedProfile(v, n))
	shown.Picture = p.Picture != ""
	return s.drawProfile(w, r, v, statusOf(err), shown)
}

// pictureOf reads the file of the form: a JPEG or PNG by its bytes, whatever its name says.
func pictureOf(w http.ResponseWriter, r *http.Request) (data []byte, mime string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPicture+maxForm)
	file, _, err := r.FormFile("files")
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, "", errPictureLarge
		}
		return nil, "", errPicture.With(err)
	}
	defer file.Close()
	if data, err = io.ReadAll(io.LimitReader(file, maxPicture+1)); err != nil {
		return nil, "", errPicture.With(err)
	}
	if len(data) > maxPicture {
		return nil, "", errPictureLarge
	}
	for _, mime := range []string{"image/jpeg", "image/png"} {
		if mimetype.Detect(data).Is(mime) {
			return data, mime, nil
		}
	}
	return nil, "", errPicture
}

// picture shows the profile's picture. The browser may load nothing from Meta, so that Meta learns nothing of it.
func (s *Server) picture(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	p, err := s.Client.BusinessProfile(r.Context(), n.Account())
	if err != nil {
		return metaFault(err)
	}
	var data bytes.Buffer
	if _, err := s.Client.DownloadMedia(r.Context(), n.Account(), p.Picture, &data, maxPicture); err != nil {
		return errNotFound.With(err)
	}
	found := mimetype.Detect(data.Bytes())
	if !found.Is("image/jpeg") && !found.Is("image/png") {
		return errNotFound
	}
	w.Header().Set("Content-Type", found.String())
	_, _ = w.Write(data.Bytes())
	return nil
}

// ---- suggestions in the chat

func (s *Server) suggestionsPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
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

func (s *Server) setSuggestions(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
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

// ---- short links

func (s *Server) linksPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
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
func (s *Server) setLink(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
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
func (s *Server) linkCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := ownNumber(r, v)
	if err != nil {
		return err
	}
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
