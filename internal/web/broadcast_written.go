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
)

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

const (
	dateLayout = "2006-01-02"
	timeLayout = "15:04"
)
