// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/staff"
)

var (
	invitationIn = regexp.MustCompile(`/invitation/([A-Za-z0-9_-]+)`)
	tokenIn      = regexp.MustCompile(`fd_[A-Za-z0-9_-]+`)
	memberIn     = regexp.MustCompile(`/settings/staff/(\d+)/link`)
)

// Somebody new is added, chooses a password by the link, works, and is shut out in the middle of it.
func TestAPersonComesAndGoes(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		place := url.Values{"name": {"Nina Quattro"}, "email": {"nina@comune.example"}, "role": {"supervisor"}}
		ada.post("/settings/staff/new", url.Values{"name": {"Nina"}, "email": {"nina"}, "role": {"operator"}}).want(http.StatusUnprocessableEntity).contains(`value="nina"`)
		made := ada.post("/settings/staff/new", place).want(http.StatusOK)
		member := memberIn.FindStringSubmatch(made.body)[1]
		ada.post("/settings/staff/new", place).want(http.StatusConflict).contains("Nina Quattro")

		nina := d.browser(d.rimini)
		nina.post(invitationIn.FindString(made.body), url.Values{"password": {"una-password-lunga-e-nuova"}}).want(http.StatusSeeOther)
		nina.get("/broadcasts").want(http.StatusOK)
		ada.post("/settings/staff/"+member, url.Values{"role": {"operator"}, "office": {"urp"}}).want(http.StatusSeeOther)
		nina.get("/broadcasts").want(http.StatusForbidden)
		ada.post("/settings/staff/"+member, url.Values{"role": {"operator"}, "office": {"nessuno"}}).want(http.StatusUnprocessableEntity)
		ada.post("/settings/staff/"+member+"/disable", nil).want(http.StatusSeeOther)
		nina.get("/inbox").want(http.StatusSeeOther)
		ada.get("/settings/staff").want(http.StatusOK).contains("disattivato")
		ada.post("/settings/staff/"+member+"/enable", nil).want(http.StatusSeeOther)
		ada.post("/settings/staff/"+member+"/remove", nil).want(http.StatusSeeOther)
		ada.get("/settings/staff").want(http.StatusOK).lacks("Nina Quattro")
	})
}

// The last administrator stays one, and who also works elsewhere is not this desk's to shut out: both are told.
func TestWhatAnAdministratorMayNot(t *testing.T) {
	each(t, func(d *desk) {
		who := d.hire(d.rimini, "Ada Tre", staff.Administrator)
		ada := d.signedIn(d.rimini, who)
		ada.post("/settings/staff/"+db.FormatID(who.ID), url.Values{"role": {"operator"}}).want(http.StatusConflict).contains("Ada Tre", `role="alert"`)
		ada.get("/settings/staff").want(http.StatusOK)

		shared := d.hire(d.rimini, "Olga Uno", staff.Operator)
		d.update(func(ctx context.Context, tx *db.Tx) error {
			account, err := staff.Get(ctx, tx, shared.ID)
			if err != nil {
				return err
			}
			_, _, err = staff.Add(ctx, tx, staff.System("cli"), d.pistoia.ID, staff.New{Email: account.Email, Name: account.Name, Role: staff.Operator})
			return err
		})
		for _, act := range []string{"/link", "/disable"} {
			ada.post("/settings/staff/"+db.FormatID(shared.ID)+act, nil).want(http.StatusForbidden).contains("Olga Uno", `role="alert"`)
		}
	})
}

// A token is shown once, works, and no longer does once it is revoked.
func TestATokenIsMadeAndRevoked(t *testing.T) {
	each(t, func(d *desk) {
		ada := d.signedIn(d.rimini, d.hire(d.rimini, "Ada Tre", staff.Administrator))
		ada.post("/settings/tokens", url.Values{"name": {" "}}).want(http.StatusUnprocessableEntity).contains(`role="alert"`)
		raw := tokenIn.FindString(ada.post("/settings/tokens", url.Values{"name": {"Gestionale"}, "office": {"urp"}}).want(http.StatusOK).body)
		program, err := staff.Authenticate(t.Context(), d.db, raw)
		if err != nil || program.Municipality != d.rimini.ID || len(program.Offices) != 1 {
			t.Fatalf("the token is %+v, %v", program, err)
		}
		ada.get("/settings/tokens").want(http.StatusOK).contains("Gestionale").lacks(raw)
		ada.post("/settings/tokens/"+db.FormatID(program.ID)+"/revoke", nil).want(http.StatusSeeOther)
		if _, err := staff.Authenticate(t.Context(), d.db, raw); err == nil {
			t.Error("a revoked token works")
		}
	})
}
