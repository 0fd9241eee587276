// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http"
	"sync"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
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

// numberHandler answers for one of the municipality's numbers in use.
type numberHandler func(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error

// onNumber finds the number of the address.
func onNumber(h numberHandler) deskHandler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		n, err := numberIn(v, r.PathValue("id"))
		if err != nil {
			return err
		}
		return h(w, r, v, n)
	}
}

// numberForm also reads the form that was sent about it.
func numberForm(h numberHandler) deskHandler {
	return onNumber(func(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
		if err := readForm(w, r); err != nil {
			return err
		}
		return h(w, r, v, n)
	})
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

// statusOf is the status of a page that shows err beside its form.
func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return fault.KindOf(err).Status()
}

// together asks several things of Meta at once.
func together(asks ...func()) {
	var all sync.WaitGroup
	for _, f := range asks {
		all.Go(f)
	}
	all.Wait()
}
