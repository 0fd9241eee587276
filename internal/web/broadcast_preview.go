// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"slices"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

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
		sample.Again = slices.ContainsFunc(shown.Samples, func(before page.Sample) bool { return before.Free == s.Free })
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
