// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// recent is how many broadcasts are offered to be followed.
const recent = 20

const (
	dateLayout = "2006-01-02"
	timeLayout = "15:04"
)

// newBroadcast shows an empty form, or one that follows a broadcast.
func (s *Server) newBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	f := written{}
	if follows, ok := db.ParseID(r.URL.Query().Get("follows")); ok {
		err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
			b, err := broadcast.Get(ctx, tx, v.municipality.ID, follows)
			if err != nil {
				return err
			}
			f, err = writtenFrom(ctx, tx, v, b.Plan)
			f.free, f.later = "", false
			f.above.media = 0 // a file goes with the broadcast that it was chosen for
			if f.follows, f.ends = follows, r.URL.Query().Has("ends"); f.ends {
				f.template, f.values = "", nil // an all-clear says something else
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.drawComposer(w, r, v, f, http.StatusOK)
}

func (s *Server) editBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	var f written
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, broadcastID)
		if err == nil && b.State != broadcast.Draft && b.State != broadcast.AwaitingApproval {
			err = broadcast.ErrState
		}
		if err != nil {
			return err
		}
		f, err = writtenFrom(ctx, tx, v, b.Plan)
		return err
	})
	if fault.Is(err, fault.Conflict, broadcast.ErrState.Key) {
		return s.changed(w, r, v, broadcastID, err)
	}
	if err != nil {
		return err
	}
	f.id, f.saved = broadcastID, r.URL.Query().Has("saved")
	return s.drawComposer(w, r, v, f, http.StatusOK)
}

func (s *Server) createBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := readWritten(w, r)
	if err != nil {
		return err
	}
	defer forgetUpload(r)
	return s.saveBroadcast(w, r, v, f)
}

func (s *Server) rewriteBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	broadcastID, err := id(r)
	if err != nil {
		return err
	}
	var before broadcast.Broadcast
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		before, err = broadcast.Get(ctx, tx, v.municipality.ID, broadcastID)
		return err
	})
	if err != nil {
		return err
	}
	f, err := readWritten(w, r)
	if err != nil {
		return err
	}
	defer forgetUpload(r)
	f.id = broadcastID
	f.keepAbove(before)
	return s.saveBroadcast(w, r, v, f)
}

// saveBroadcast keeps what was written as a draft. Where something is wrong the form comes back as it was,
// with a sentence beside each field that is.
func (s *Server) saveBroadcast(w http.ResponseWriter, r *http.Request, v *visit, f written) error {
	if r.PostForm.Get("act") == "preview" {
		return s.drawComposer(w, r, v, f, http.StatusOK)
	}
	stored, err := s.storeAbove(r, v)
	if err != nil {
		return err
	}
	if len(stored) > 0 {
		f.above.media = stored[0].id
	}
	var saved broadcast.Broadcast
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		offers, _, err := offersOf(ctx, tx, v)
		if err != nil {
			return err
		}
		plan, problems := f.plan(v, offers)
		if len(problems) > 0 {
			f.problems = problems
			return nil
		}
		if err := s.keep(ctx, tx, v, stored); err != nil {
			return err
		}
		if f.id == 0 {
			saved, err = broadcast.Create(ctx, tx, v.actor, v.municipality, plan)
		} else {
			saved, err = broadcast.Edit(ctx, tx, v.actor, v.municipality, f.id, plan)
		}
		return err
	})
	switch {
	case fault.Is(err, fault.Conflict, broadcast.ErrState.Key):
		return s.changed(w, r, v, f.id, err)
	case fault.KindOf(err) == fault.Invalid:
		f.problems = problemOf(v.language, err)
	case err != nil:
		return err
	}
	if len(f.problems) > 0 {
		f.lose(v.language, stored)
		return s.drawComposer(w, r, v, f, http.StatusUnprocessableEntity)
	}
	to := broadcastAddress(v, saved.ID)
	if r.PostForm.Get("act") == "save" {
		to += "/edit?saved=1"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// previewBroadcast shows what is being written as people would read it, and writes nothing. The fields of
// another template come with it.
func (s *Server) previewBroadcast(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := readWritten(w, r)
	if err != nil {
		return err
	}
	defer forgetUpload(r)
	if broadcastID, ok := db.ParseID(r.PostForm.Get("id")); ok {
		if err := s.findAbove(r.Context(), v, broadcastID, &f); err != nil {
			return err
		}
	}
	form, err := s.composer(r.Context(), v, f)
	if err != nil {
		return err
	}
	if f.shown == form.Template {
		return s.draw(w, r, http.StatusOK, page.PreviewPane(form.Preview))
	}
	return s.draw(w, r, http.StatusOK, page.PreviewPane(form.Preview), page.Blanks(form, true))
}

func (s *Server) drawComposer(w http.ResponseWriter, r *http.Request, v *visit, f written, status int) error {
	form, err := s.composer(r.Context(), v, f)
	if err != nil {
		return err
	}
	return s.draw(w, r, status, page.ComposePage(s.broadcastFrame(v), form))
}

// written is a broadcast as it stands in the form.
type written struct {
	id                        int64 // 0: a new one
	saved                     bool
	lists, districts, exclude []string
	template                  string            // name/language
	values                    map[string]string // of the template's variables, by their names
	above                     above
	shown                     string // the template whose fields the browser shows
	free                      string
	exercise                  bool
	follows                   int64
	ends                      bool
	later                     bool
	date, time                string
	problems                  map[string]string // by field; "" is of no single one
}

const variablePrefix = "variable."

func readWritten(w http.ResponseWriter, r *http.Request) (written, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)); err != nil {
		return written{}, err
	}
	if err := parse(r); err != nil {
		return written{}, err
	}
	form := r.PostForm
	f := written{
		lists: form["list"], districts: form["district"], exclude: form["exclude"],
		template: form.Get("template"), values: valuesOf(form), shown: form.Get("shown"), free: db.Text(form.Get("free")),
		exercise: form.Has("exercise"), ends: form.Has("ends"), later: form.Get("when") == "later", date: form.Get("date"), time: form.Get("time"),
	}
	f.follows, _ = db.ParseID(form.Get("follows"))
	f.above = aboveOf(form)
	return f, nil
}

func valuesOf(form url.Values) map[string]string {
	values := map[string]string{}
	for field, v := range form {
		if name, ok := strings.CutPrefix(field, variablePrefix); ok && len(v) > 0 {
			values[name] = strings.TrimSpace(db.Text(v[0]))
		}
	}
	return values
}

// writtenFrom is a plan in the form. What a program wrote by position is found by the names of the template.
func writtenFrom(ctx context.Context, tx *db.Tx, v *visit, p broadcast.Plan) (written, error) {
	f := written{lists: p.Lists, districts: p.Districts, exclude: p.Exclude, template: p.Template.Name + "/" + p.Template.Language,
		values: maps.Clone(p.Parameters.Named), free: p.Free, exercise: p.Exercise, follows: p.Follows, ends: p.Ends,
		above: aboveFrom(p.Template)}
	if p.Schedule != nil {
		at := p.Schedule.In(v.municipality.Desk.Zone())
		f.later, f.date, f.time = true, at.Format(dateLayout), at.Format(timeLayout)
	}
	if len(p.Parameters.List) == 0 {
		return f, nil
	}
	offers, _, err := offersOf(ctx, tx, v)
	t, _ := f.chosen(offers)
	f.values = map[string]string{}
	for i, name := range variablesOf(t) {
		if i < len(p.Parameters.List) {
			f.values[name] = p.Parameters.List[i]
		}
	}
	return f, err
}

// offersOf are the templates that all accounts of the municipality may send, by name and language, and the names of those
// that Meta has paused in one of them.
func offersOf(ctx context.Context, tx *db.Tx, v *visit) (offers []municipality.Template, paused []string, err error) {
	accounts := map[string]bool{}
	for _, n := range v.municipality.Numbers {
		accounts[n.WABAID] = true
	}
	all, err := municipality.Templates(ctx, tx, v.municipality.ID)
	count := map[string]int{}
	for _, t := range all {
		switch {
		case !accounts[t.WABA] || !t.Supported():
		case t.Paused() && !slices.Contains(paused, t.Name):
			paused = append(paused, t.Name)
		case t.Approved():
			if count[offerID(t)]++; count[offerID(t)] == len(accounts) {
				offers = append(offers, t)
			}
		}
	}
	return offers, paused, err
}

func offerID(t municipality.Template) string { return t.Name + "/" + t.Language }

// chosen is the template that f is written with.
func (f written) chosen(offers []municipality.Template) (municipality.Template, bool) {
	i := slices.IndexFunc(offers, func(t municipality.Template) bool { return offerID(t) == f.template })
	if i < 0 {
		return municipality.Template{}, false
	}
	return offers[i], true
}

// plan is what f says, and what is missing or wrong in it, by field.
func (f written) plan(v *visit, offers []municipality.Template) (broadcast.Plan, map[string]string) {
	l, problems := v.language, map[string]string{}
	p := broadcast.Plan{
		Audience: broadcast.Audience{Lists: f.lists, Districts: f.districts, Exclude: f.exclude},
		Message:  broadcast.Message{Free: strings.TrimSpace(f.free), Parameters: municipality.Parameters{Named: map[string]string{}}},
		Exercise: f.exercise, Follows: f.follows, Ends: f.ends && f.follows != 0,
	}
	if len(f.lists) == 0 {
		problems["lists"] = l.T(locale.Key(broadcast.ErrNobody.Key))
	}
	t, ok := f.chosen(offers)
	if !ok {
		problems["template"] = l.T(locale.Key(broadcast.ErrNoTemplate.Key))
	}
	p.Template = conversation.Template{Name: t.Name, Language: t.Language}
	f.putAbove(l, t, &p.Template, problems)
	for _, variable := range variablesOf(t) {
		value := f.values[variable]
		p.Parameters.Named[variable] = value
		if value == "" {
			problems[variablePrefix+variable] = l.T("error.required")
		}
	}
	if f.later {
		at, err := time.ParseInLocation(dateLayout+" "+timeLayout, f.date+" "+f.time, v.municipality.Desk.Zone())
		if err != nil {
			problems["schedule"] = l.T("desk.broadcast.moment_missing")
		} else {
			p.Schedule = &at
		}
	}
	return p, problems
}

func variablesOf(t municipality.Template) (names []string) {
	if t.Name == "" {
		return nil
	}
	for _, variable := range t.Variables() {
		names = append(names, variable.Name)
	}
	return names
}

// fields are where the failures of the domain belong in the form.
var fields = map[string]string{
	broadcast.ErrNobody.Key:     "lists",
	broadcast.ErrExercise.Key:   "exercise",
	broadcast.ErrImitation.Key:  "template",
	broadcast.ErrFollows.Key:    "follows",
	broadcast.ErrSchedule.Key:   "schedule",
	broadcast.ErrNoTemplate.Key: "template",
	broadcast.ErrFree.Key:       "free",

	"error.template_header_image": "above", "error.template_header_video": "above", "error.template_header_document": "above",
	"error.template_header_location": "above", "error.template_header_none": "above",
}

func problemOf(l locale.Language, err error) map[string]string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return map[string]string{"": sentenceOf(l, err, "")}
	}
	if f.Key == "error.template_parameter" && len(f.Args) == 2 {
		if name, ok := f.Args[1].(string); ok {
			return map[string]string{variablePrefix + name: sentenceOf(l, err, "")}
		}
	}
	return map[string]string{fields[f.Key]: sentenceOf(l, err, "")}
}

// composer is the form as it is drawn, with its preview.
func (s *Server) composer(ctx context.Context, v *visit, f written) (form page.BroadcastForm, err error) {
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		counts, err := broadcast.CountSubscribers(ctx, tx, v.municipality.ID)
		if err != nil {
			return err
		}
		offers, paused, err := offersOf(ctx, tx, v)
		if err != nil {
			return err
		}
		form = formOf(v, f, offers, counts)
		form.Paused = paused
		if form.Recent, err = recentBroadcasts(ctx, tx, v, f); err != nil {
			return err
		}
		if form.Preview, err = f.preview(ctx, tx, v, offers); err != nil {
			return err
		}
		if t, ok := f.chosen(offers); ok {
			form.File, err = fileAbove(ctx, tx, v, page.HeaderFormat(t.HeaderFormat()), f.above.media)
		}
		return err
	})
	return form, err
}

func formOf(v *visit, f written, offers []municipality.Template, counts map[string]int) page.BroadcastForm {
	form := page.BroadcastForm{
		Saved: f.saved, Free: f.free, Exercise: f.exercise, Ends: f.ends, Later: f.later, Date: f.date, Time: f.time,
		Zone: v.municipality.Desk.Zone().String(), Problems: f.problems, Problem: f.problems[""],
	}
	if f.id != 0 {
		form.ID = db.FormatID(f.id)
	}
	if f.follows != 0 {
		form.Follows = db.FormatID(f.follows)
	}
	for _, l := range v.municipality.File.Lists {
		topic := page.Topic{Keyword: l.Keyword, Name: l.Name, Count: counts[l.Keyword], Emergency: l.Kind == municipality.ListEmergency}
		topic.Chosen = slices.Contains(f.lists, l.Keyword)
		form.Lists = append(form.Lists, topic)
		topic.Chosen = slices.Contains(f.exclude, l.Keyword)
		form.Excluded = append(form.Excluded, topic)
	}
	for _, d := range v.municipality.File.Districts {
		form.Districts = append(form.Districts, page.Topic{Keyword: d.Keyword, Name: d.Name, Count: counts[d.Keyword], Chosen: slices.Contains(f.districts, d.Keyword)})
	}
	for _, t := range offers {
		form.Offers = append(form.Offers, page.Offer{ID: offerID(t), Name: t.Name, Language: t.Language, Category: t.Category, Low: t.LowQuality()})
	}
	if t, ok := f.chosen(offers); ok {
		form.Template, form.Body = offerID(t), t.Preview()
		form.Header, form.Where = page.HeaderFormat(t.HeaderFormat()), f.above.where
		form.Spot = page.Spot{Name: f.above.name, Address: f.above.address}
		for _, variable := range t.Variables() {
			form.Blanks = append(form.Blanks, page.Blank{Name: variable.Name, Example: variable.Example, Value: f.values[variable.Name], Problem: f.problems[variablePrefix+variable.Name]})
		}
	}
	return form
}

// recentBroadcasts are those that can be followed: they have begun to be sent.
func recentBroadcasts(ctx context.Context, tx *db.Tx, v *visit, f written) (choices []page.Choice, err error) {
	list, _, err := broadcast.List(ctx, tx, v.municipality.ID, 0, recent)
	if err != nil {
		return nil, err
	}
	if f.follows != 0 && !slices.ContainsFunc(list, func(b broadcast.Broadcast) bool { return b.ID == f.follows }) {
		b, err := broadcast.Get(ctx, tx, v.municipality.ID, f.follows)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		list = append(list, b)
	}
	zone := v.municipality.Desk.Zone()
	for _, b := range list {
		if b.StartedAt != nil && b.ID != f.id {
			label := v.language.Moment(b.StartedAt.In(zone), v.now.In(zone)) + " · " + shortened(conversation.Personal(b.Reads, "", b.Template.Language), lettersInList)
			choices = append(choices, page.Choice{ID: db.FormatID(b.ID), Label: label})
		}
	}
	return choices, nil
}

// blank stands in the preview where nothing is written yet.
const blank = "…"

// preview is what is known of f as far as it is written: places that are still empty show as dots.
func (f written) preview(ctx context.Context, tx *db.Tx, v *visit, offers []municipality.Template) (page.BroadcastPreview, error) {
	if len(f.lists) == 0 {
		return page.BroadcastPreview{Missing: v.language.T("desk.broadcast.missing_lists")}, nil
	}
	if _, ok := f.chosen(offers); !ok && len(offers) > 0 {
		f.template = offerID(offers[0]) // any of them counts the recipients
		shown, err := f.preview(ctx, tx, v, offers)
		if shown.Estimate != nil {
			shown = page.BroadcastPreview{Estimate: &page.Estimate{Recipients: shown.Estimate.Recipients, Partial: true}, Emergency: shown.Emergency, Missing: v.language.T("desk.broadcast.missing_template")}
		}
		return shown, err
	}
	plan, _ := f.plan(v, offers)
	for name, value := range plan.Parameters.Named {
		if value == "" {
			plan.Parameters.Named[name] = blank
		}
	}
	return previewOf(ctx, tx, v, plan)
}

// previewOf is what sending a plan would do. What keeps it from being sent is in Missing.
func previewOf(ctx context.Context, tx *db.Tx, v *visit, p broadcast.Plan) (page.BroadcastPreview, error) {
	e, err := broadcast.Look(ctx, tx, v.municipality, p)
	if kind := fault.KindOf(err); kind == fault.Invalid || kind == fault.NotFound {
		return page.BroadcastPreview{Missing: sentenceOf(v.language, err, "")}, nil
	}
	if err != nil {
		return page.BroadcastPreview{}, err
	}
	shown := page.BroadcastPreview{Estimate: estimateOf(v, e), Emergency: emergency(v, p.Lists)}
	if e.Recipients == 0 {
		shown.Missing = v.language.T("desk.broadcast.nobody")
	}
	if !v.actor.May(staff.ManageBroadcasts) {
		return shown, nil
	}
	around, err := sampleAround(ctx, tx, v, p.Template)
	if err != nil {
		return shown, err
	}
	samples, err := broadcast.Sample(ctx, tx, v.actor, v.municipality, p, sampled)
	for _, s := range samples {
		sample := page.Sample{Free: s.Free}
		if !s.Free {
			sample = around
		}
		sample.Text = s.Text
		if s.Contact.ID != 0 {
			sample.Name = nameOf(s.Contact)
		}
		shown.Samples = append(shown.Samples, sample)
	}
	return shown, err
}

func emergency(v *visit, lists []string) bool {
	return slices.ContainsFunc(v.municipality.File.Lists, func(l municipality.List) bool {
		return l.Kind == municipality.ListEmergency && slices.Contains(lists, l.Keyword)
	})
}

func estimateOf(v *visit, e broadcast.Estimate) *page.Estimate {
	out := &page.Estimate{Recipients: e.Recipients, Free: e.Free, NoDistrict: e.NoDistrict, Refused: e.Refused, Blocked: e.Blocked, Duration: e.Duration, Limit: e.Limit, Days: e.Days}
	if len(e.ByNumber) > 1 {
		for _, n := range v.municipality.Numbers {
			if count := e.ByNumber[n.PhoneNumberID]; count > 0 {
				out.Numbers = append(out.Numbers, page.Share{Label: n.Display, Count: count})
			}
		}
	}
	if e.Price.Known {
		out.Price, out.Each = money(v.language, e.Price.Total, e.Price.Currency, 2), money(v.language, e.Price.Each, e.Price.Currency, 4)
	}
	return out
}
