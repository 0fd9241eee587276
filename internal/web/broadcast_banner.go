// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

// glassShown is how long everybody sees that somebody released an emergency alone.
const glassShown = 24 * time.Hour

// showBanners answers with the banners alone, for the pages that are open.
func (s *Server) showBanners(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.draw(w, r, http.StatusOK, page.Banners(s.banners(r.Context(), v)))
}

// banners are what everybody at the desk has to know, and what waits for somebody who may approve. A page is
// shown without them rather than not at all.
func (s *Server) banners(ctx context.Context, v *visit) (all []page.Banner) {
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		broken, err := broadcast.GlassBroken(ctx, tx, v.municipality.ID, v.now.Add(-glassShown))
		for _, b := range broken {
			all = append(all, bannerOf(v, b, b.Approver, orZero(b.ApprovedAt)))
		}
		if err != nil || !v.actor.May(staff.ApproveBroadcasts) {
			return err
		}
		waiting, err := broadcast.AwaitingSecond(ctx, tx, v.municipality.ID)
		for _, b := range waiting {
			if b.Second(v.actor) {
				all = append(all, bannerOf(v, b, b.Submitter.Name, orZero(b.SubmittedAt)))
			}
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("a page is shown without its banners", "error", err)
	}
	return all
}

func bannerOf(v *visit, b broadcast.Broadcast, who string, at time.Time) page.Banner {
	banner := page.Banner{ID: db.FormatID(b.ID), Who: who, At: at, Text: conversation.Personal(b.Reads, "", b.Template.Language), Reason: b.Glass}
	if v.actor.May(staff.SeeFigures) {
		banner.Address = broadcastAddress(v, b.ID)
	}
	return banner
}
