// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

const (
	itemsAtOnce = 50
	maxExcerpt  = 4000 // characters of a raw body
)

// freeReplies are the free-form replies that Meta delivers free in a month, on each number, since they
// began to cost. The figure is its partners', several of whom agree; Meta announced the price on 1 July 2026.
const freeReplies = 1000

var repliesCost = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// settings sends a person to the first tab they may see.
func (s *Server) settings(w http.ResponseWriter, r *http.Request, v *visit) error {
	to := "/preferences"
	switch {
	case v.actor.May(staff.ManageStaff):
		to = "/settings/staff"
	case v.actor.May(staff.SeeAudit):
		to = "/settings/audit"
	case v.actor.May(staff.BlockCitizens):
		to = "/settings/blocked"
	}
	http.Redirect(w, r, "/desk/"+v.municipality.Slug+to, http.StatusSeeOther)
	return nil
}

func (s *Server) settingsFrame(v *visit, tab page.Tab) page.Desk {
	return s.frame(v, page.SectionSettings, v.language.T(page.TabKey(tab)))
}

func (s *Server) numbers(w http.ResponseWriter, r *http.Request, v *visit) error {
	var (
		delivered map[string]int64
		stops     map[string]int
		costs     map[string][]conversation.Cost
	)
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if delivered, err = conversation.MonthTally(ctx, tx, v.municipality.ID, conversation.FreeDelivered, v.now.In(v.municipality.Desk.Zone())); err != nil {
			return err
		}
		if costs, err = conversation.MonthCosts(ctx, tx, v.municipality.ID, v.now.In(v.municipality.Desk.Zone())); err != nil {
			return err
		}
		stops, err = conversation.Stops(ctx, tx, v.municipality.ID)
		return err
	})
	if err != nil {
		return err
	}
	var lines []page.Line
	for _, n := range v.municipality.Numbers {
		health := v.municipality.Health(n.PhoneNumberID)
		line := page.Line{ID: n.PhoneNumberID, Display: n.Display, Office: officeName(v.municipality, n.Office), Quality: quality(health.Quality),
			Checked: orZero(health.CheckedAt), Month: v.now, Replies: int(delivered[n.PhoneNumberID]), Costs: pricedOf(v.language, costs[n.PhoneNumberID])}
		if !v.now.Before(repliesCost) {
			line.Allowance = freeReplies
		}
		if code := stops[n.PhoneNumberID]; code != 0 {
			line.Stopped = graphSentence(v.language, code)
		}
		lines = append(lines, line)
	}
	return s.draw(w, r, http.StatusOK, page.NumbersPage(s.settingsFrame(v, page.TabNumbers), lines))
}

// pricedOf names what was delivered as an office does; a category without words of its own stays as it is.
func pricedOf(l locale.Language, costs []conversation.Cost) (out []page.Priced) {
	for _, c := range costs {
		cost := page.Priced{Category: c.Pricing.Category(), Price: l.T("desk.cost.price_unknown"), Count: int(c.Count)}
		if key := locale.Key("desk.cost." + c.Pricing.Category()); locale.Has(key) {
			cost.Category = l.T(key)
		}
		switch kind := c.Pricing.Type(); {
		case kind == "regular":
			cost.Price = l.T("desk.cost.price_charged")
		case strings.HasPrefix(kind, "free"):
			cost.Price = l.T("desk.cost.price_free")
		}
		out = append(out, cost)
	}
	return out
}

// quality leaves out what Meta has no word for yet.
func quality(q string) string {
	if slices.Contains([]string{"GREEN", "YELLOW", "RED"}, q) {
		return q
	}
	return ""
}

// graphSentence says what an error of Meta's means and what to do.
func graphSentence(l locale.Language, code int) string {
	if code == 0 {
		return l.T("desk.message.failed")
	}
	return l.T(conversation.FailureKey(code), "code", code)
}

func (s *Server) quarantine(w http.ResponseWriter, r *http.Request, v *visit) error {
	before, _ := db.ParseID(r.URL.Query().Get("cursor"))
	var items []journal.Item
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		items, err = journal.Unsolved(ctx, tx, v.municipality.ID, before, itemsAtOnce+1)
		return err
	})
	if err != nil {
		return err
	}
	items, more := firstPage(items, func(i journal.Item) int64 { return i.ID })
	held := make([]page.HeldBack, len(items))
	for i, item := range items {
		held[i] = page.HeldBack{ID: db.FormatID(item.ID), At: item.At, Reason: reasonOf(v.language, item), Excerpt: shortened(item.Body, maxExcerpt),
			Bytes: int64(len(item.Body)), Asked: item.ReplayedAt != nil}
	}
	return s.draw(w, r, http.StatusOK, page.QuarantinePage(s.settingsFrame(v, page.TabQuarantine), held, more))
}

// firstPage is what a page shows of a list that was asked for with one more than that, and the cursor of the next page.
func firstPage[T any](list []T, id func(T) int64) (shown []T, next string) {
	if len(list) <= itemsAtOnce {
		return list, ""
	}
	return list[:itemsAtOnce], db.FormatID(id(list[itemsAtOnce-1]))
}

// reasonOf says why something was not understood; a reason without words of its own stays as it is.
func reasonOf(l locale.Language, item journal.Item) string {
	key := locale.Key("desk.quarantine.reason." + item.Reason)
	text := strings.ReplaceAll(item.Reason, "_", " ")
	if locale.Has(key) {
		text = l.T(key)
	}
	if item.Place != "" {
		text += " (" + item.Place + ")"
	}
	return text
}

const replayAsked staff.Action = "quarantine.replayed"

// replay notes the wish first and then acts on it: after a crash between the two the item is still
// to be seen.
func (s *Server) replay(w http.ResponseWriter, r *http.Request, v *visit) error {
	itemID, err := id(r)
	if err != nil {
		return err
	}
	var item journal.Item
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		if item, err = journal.GetItem(ctx, tx, v.municipality.ID, itemID); err != nil {
			return err
		}
		if err := journal.AskReplay(ctx, tx, v.municipality.ID, itemID); err != nil {
			return err
		}
		return staff.Record(ctx, tx, v.actor, replayAsked, "quarantine", db.FormatID(itemID), nil)
	})
	if err != nil {
		return err
	}
	if err := s.Journal.Replay(r.Context(), v.municipality.ID, item); err != nil {
		return err
	}
	http.Redirect(w, r, "/desk/"+v.municipality.Slug+"/settings/quarantine", http.StatusSeeOther)
	return nil
}

// orZero is the time, or none.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
