// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"slices"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

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

// recent is how many broadcasts are offered to be followed.
const recent = 20

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
