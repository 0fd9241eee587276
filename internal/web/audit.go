// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/retention"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

func (s *Server) audit(w http.ResponseWriter, r *http.Request, v *visit) error {
	before, _ := db.ParseID(r.URL.Query().Get("cursor"))
	var entries []staff.Entry
	var ran *time.Time
	trail := page.Trail{Verified: r.URL.Query().Has("verify")} // only when asked: a long one takes its time
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		if ran, err = retention.LastRun(ctx, tx, v.municipality.ID); err != nil {
			return err
		}
		if entries, err = staff.AuditPage(ctx, tx, v.municipality.ID, before, itemsAtOnce+1); err != nil || !trail.Verified {
			return err
		}
		rows, broken, err := staff.VerifyAudit(ctx, tx, v.municipality.ID)
		trail.Rows = rows
		if broken != nil {
			trail.Broken = *broken
		}
		return err
	})
	if err != nil {
		return err
	}
	entries, more := firstPage(entries, func(e staff.Entry) int64 { return e.ID })
	var named map[subject]page.Subject
	err = s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		named, err = nameSubjects(ctx, tx, v, entries)
		return err
	})
	if err != nil {
		return err
	}
	acts := make([]page.Act, len(entries))
	for i, e := range entries {
		acts[i] = actOf(v, e)
		acts[i].On = named[subject{e.ObjectKind, e.ObjectID}]
	}
	return s.draw(w, r, http.StatusOK, page.AuditPage(s.settingsFrame(v, page.TabAudit), acts, more, trail, keptOf(v.municipality.File.Retention, orZero(ran))))
}

func keptOf(r municipality.Retention, ran time.Time) page.Kept {
	return page.Kept{Messages: spanOf(r.Messages), Media: spanOf(r.Media), Consents: spanOf(r.Consents), Ran: ran}
}

func spanOf(p municipality.Period) page.Span {
	n, unit := p.Parts()
	return page.Span{Count: n, Unit: unit}
}

func actOf(v *visit, e staff.Entry) page.Act {
	act := page.Act{At: e.At, Who: whoOf(v, e.Actor), What: string(e.Action), Seal: e.Seq}
	if key := locale.Key("desk.act_word." + strings.ReplaceAll(string(e.Action), "-", "_")); locale.Has(key) {
		act.What = v.language.T(key)
	}
	return act
}

func whoOf(v *visit, a staff.Actor) string {
	if a.Name != "" {
		return a.Name
	}
	return v.language.T(locale.Key("desk.audit.kind_" + string(a.Kind)))
}
