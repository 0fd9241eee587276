// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
)

func (s *Server) tokensPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.drawTokens(w, r, v, http.StatusOK, page.Tokens{})
}

func (s *Server) drawTokens(w http.ResponseWriter, r *http.Request, v *visit, status int, p page.Tokens) error {
	var list []staff.Token
	err := s.DB.View(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = staff.Tokens(ctx, tx, v.municipality.ID)
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range list {
		token := page.Token{ID: db.FormatID(t.ID), Name: t.Name, Created: t.CreatedAt, Used: orZero(t.UsedAt), Revoked: orZero(t.RevokedAt)}
		for _, o := range t.Offices {
			token.Offices = append(token.Offices, officeName(v.municipality, o))
		}
		p.List = append(p.List, token)
	}
	p.Offices = officeChoices(v.municipality)
	return s.draw(w, r, status, page.TokensPage(s.settingsFrame(v, page.TabTokens), p))
}

// createToken shows the secret this once: only its hash is kept.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	offices, err := officesIn(w, r, v)
	if err != nil {
		return err
	}
	p := page.Tokens{Name: r.PostForm.Get("name"), Ticked: offices}
	var raw string
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		raw, _, err = staff.CreateToken(ctx, tx, v.actor, v.municipality.ID, p.Name, offices)
		return err
	})
	if fault.KindOf(err) == fault.Invalid {
		p.Problem = sentenceOf(v.language, err, "")
		return s.drawTokens(w, r, v, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return s.drawTokens(w, r, v, http.StatusOK, page.Tokens{Made: p.Name, Secret: raw})
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	tokenID, err := id(r)
	if err != nil {
		return err
	}
	err = s.DB.Update(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return staff.RevokeToken(ctx, tx, v.actor, v.municipality.ID, tokenID)
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/desk/"+v.municipality.Slug+"/settings/tokens", http.StatusSeeOther)
	return nil
}
