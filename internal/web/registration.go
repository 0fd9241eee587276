// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// What is done on the way of a number to WhatsApp; never a code or a PIN.
const (
	numberAdded        staff.Action = "phone_number.added"
	codeRequested      staff.Action = "phone_number.code_requested"
	numberVerified     staff.Action = "phone_number.verified"
	storageChosen      staff.Action = "phone_number.storage_chosen"
	numberRegistered   staff.Action = "phone_number.registered"
	numberDeregistered staff.Action = "phone_number.deregistered"
)

// germany is the one country of the European Union where Meta keeps messages on request.
const germany = "DE"

// accountsOf are the municipality's WhatsApp accounts, each once, with a token that may act on them. A number in the
// file stands for its account.
func accountsOf(v *visit) (accounts []whatsapp.Account) {
	for _, n := range v.municipality.Numbers {
		if !slices.ContainsFunc(accounts, func(a whatsapp.Account) bool { return a.WABAID == n.WABAID }) {
			accounts = append(accounts, n.Account())
		}
	}
	return accounts
}

// anothers tells whether a number is another municipality's: several may share an account.
func (s *Server) anothers(v *visit, id string) bool {
	m, _, ok := s.Directory.ByNumber(id)
	return ok && m.ID != v.municipality.ID
}

// registrations lists the accounts' numbers with how far they have come, and the form to add one.
func (s *Server) registrations(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.drawRegistrations(w, r, v, page.AddNumber{Name: v.municipality.Name}, nil)
}

func (s *Server) drawRegistrations(w http.ResponseWriter, r *http.Request, v *visit, add page.AddNumber, failed error) error {
	if failed != nil {
		if !told(failed) {
			return failed
		}
		add.Problem = inWords(v, failed)
	}
	shown := page.Registrations{Add: add}
	for _, acc := range accountsOf(v) {
		one := page.AccountNumbers{ID: acc.WABAID}
		numbers, err := s.Client.Numbers(r.Context(), acc)
		if err != nil {
			one.Unread = inWords(v, metaFault(err))
		}
		for _, n := range numbers {
			if !s.anothers(v, n.ID) {
				one.Numbers = append(one.Numbers, page.RegisteredNumber{ID: n.ID, Display: n.DisplayPhone, Name: n.VerifiedName,
					Status: factWord(v.language, "status", n.Status), Connected: n.Connected(), InFile: inFile(v, n.ID)})
			}
		}
		shown.Accounts = append(shown.Accounts, one)
	}
	return s.draw(w, r, statusOf(failed), page.RegistrationsPage(s.settingsFrame(v, page.TabNumbers), shown))
}

func inFile(v *visit, id string) bool {
	_, err := numberIn(v, id)
	return err == nil
}

var (
	errPhone = fault.New(fault.Invalid, "desk.register.phone_shape")
	errName  = fault.New(fault.Invalid, "desk.register.name_needed")
	errCode  = fault.New(fault.Invalid, "desk.register.code_shape")
	errSure  = fault.New(fault.Invalid, "desk.register.sure")
)

// addNumber is the first step of a registration.
func (s *Server) addNumber(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	add := page.AddNumber{Phone: field(r, "phone"), Name: field(r, "name"), Account: r.PostForm.Get("account")}
	accounts := accountsOf(v)
	at := slices.IndexFunc(accounts, func(a whatsapp.Account) bool { return a.WABAID == add.Account })
	if at < 0 {
		return errNotFound
	}
	prefix, number, err := splitPhone(add.Phone)
	if err == nil && add.Name == "" {
		err = errName
	}
	var id string
	if err == nil {
		err = s.ask(r, v, deed{action: numberAdded, kind: "account", id: add.Account}, func(ctx context.Context) (err error) {
			id, err = s.Client.AddNumber(ctx, accounts[at], prefix, number, add.Name)
			return err
		})
		err = s.whyNotAdded(r, v, prefix+number, err)
	}
	if err != nil {
		return s.drawRegistrations(w, r, v, add, err)
	}
	http.Redirect(w, r, registrationPath(v, id), http.StatusSeeOther)
	return nil
}

// whyNotAdded says more of a number that Meta refused to add. What Meta tells of one that is there already is the same as
// of one written wrongly, so that the accounts are looked at.
func (s *Server) whyNotAdded(r *http.Request, v *visit, digits string, failed error) error {
	refusal, ok := errors.AsType[*whatsapp.GraphError](failed)
	if !ok || refusal.Code != invalidParameter {
		return failed
	}
	for _, acc := range accountsOf(v) {
		numbers, err := s.Client.Numbers(r.Context(), acc)
		if err != nil {
			return failed
		}
		if slices.ContainsFunc(numbers, func(n whatsapp.PhoneNumber) bool { return digitsOf(n.DisplayPhone) == digits && !s.anothers(v, n.ID) }) {
			return fault.New(fault.Conflict, "desk.register.there_already", "account", acc.WABAID).With(failed)
		}
	}
	return fault.New(fault.Invalid, "desk.register.refused", "code", refusal.Code).With(failed)
}

// invalidParameter is Meta's code for a request that says what it does not take.
const invalidParameter = 100

func digitsOf(phone string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, phone)
}

// splitPhone takes the prefix of the country from a number as people write it; an Italian landline keeps its zero.
func splitPhone(written string) (prefix, number string, err error) {
	parsed, err := phonenumbers.Parse(written, "IT")
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return "", "", errPhone
	}
	return strconv.Itoa(int(parsed.GetCountryCode())), phonenumbers.GetNationalSignificantNumber(parsed), nil
}

func registrationPath(v *visit, id string) string {
	return "/desk/" + v.municipality.Slug + "/settings/registration/" + id
}

// registering finds the number of the address among those of the municipality's accounts, as Meta has it now: where its
// registration stands is nowhere else. A number of another municipality is none.
func (s *Server) registering(r *http.Request, v *visit) (whatsapp.Account, whatsapp.PhoneNumber, error) {
	id := r.PathValue("id")
	if s.anothers(v, id) {
		return whatsapp.Account{}, whatsapp.PhoneNumber{}, errNotFound
	}
	for _, acc := range accountsOf(v) {
		numbers, err := s.Client.Numbers(r.Context(), acc)
		if err != nil {
			return acc, whatsapp.PhoneNumber{}, metaFault(err)
		}
		if i := slices.IndexFunc(numbers, func(n whatsapp.PhoneNumber) bool { return n.ID == id }); i >= 0 {
			acc.PhoneNumberID = id
			return acc, numbers[i], nil
		}
	}
	return whatsapp.Account{}, whatsapp.PhoneNumber{}, errNotFound
}

// registration shows the step that a number is at.
func (s *Server) registration(w http.ResponseWriter, r *http.Request, v *visit) error {
	acc, n, err := s.registering(r, v)
	if err != nil {
		return err
	}
	return s.drawRegistration(w, r, v, acc, n, nil)
}

func (s *Server) drawRegistration(w http.ResponseWriter, r *http.Request, v *visit, acc whatsapp.Account, n whatsapp.PhoneNumber, failed error) error {
	if failed != nil && !told(failed) {
		return failed
	}
	shown := page.Registration{ID: n.ID, Display: n.DisplayPhone, Name: n.VerifiedName, Account: acc.WABAID, PIN: n.PIN, InFile: inFile(v, n.ID),
		Status: factWord(v.language, "status", n.Status), Step: stepOf(n, r.FormValue("asked") != "")}
	if shown.Step == page.StepCode {
		shown.Asked = r.FormValue("asked")
	}
	if failed != nil {
		shown.Problem = inWords(v, failed)
	}
	return s.draw(w, r, statusOf(failed), page.RegistrationPage(s.settingsFrame(v, page.TabNumbers), shown))
}

// stepOf is where a number stands by Meta's own account. Only that a code was asked for Meta does not tell: the page
// remembers it in its address.
func stepOf(n whatsapp.PhoneNumber, asked bool) page.Step {
	switch {
	case n.Connected():
		return page.StepDone
	case n.Verified():
		return page.StepPIN
	case asked:
		return page.StepCode
	default:
		return page.StepAsk
	}
}

// step does one step of the registration of the number in the address, and shows the next.
func (s *Server) step(w http.ResponseWriter, r *http.Request, v *visit, query string, do func(acc whatsapp.Account, n whatsapp.PhoneNumber) error) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	acc, n, err := s.registering(r, v)
	if err != nil {
		return err
	}
	if err := do(acc, n); err != nil {
		return s.drawRegistration(w, r, v, acc, n, err)
	}
	http.Redirect(w, r, registrationPath(v, n.ID)+query, http.StatusSeeOther)
	return nil
}

func deedOnID(id string, action staff.Action, detail map[string]any) deed {
	return deedOn(municipality.Number{PhoneNumberID: id}, action, detail)
}

// requestCode has Meta call the number, or text it.
func (s *Server) requestCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	method, asked := whatsapp.ByVoice, "voice"
	if r.FormValue("method") == "sms" {
		method, asked = whatsapp.BySMS, "sms"
	}
	language := "it"
	if v.municipality.File.Locale == locale.English {
		language = "en_US"
	}
	return s.step(w, r, v, "?asked="+asked, func(acc whatsapp.Account, n whatsapp.PhoneNumber) error {
		return s.ask(r, v, deedOnID(n.ID, codeRequested, map[string]any{"method": asked}), func(ctx context.Context) error {
			return s.Client.RequestCode(ctx, acc, method, language)
		})
	})
}

// verifyCode tells Meta the code that the number was told.
func (s *Server) verifyCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.step(w, r, v, "", func(acc whatsapp.Account, n whatsapp.PhoneNumber) error {
		code := strings.Map(func(c rune) rune {
			if c == ' ' || c == '-' {
				return -1
			}
			return c
		}, field(r, "code"))
		if !whatsapp.UsablePIN(code) {
			return errCode
		}
		return s.ask(r, v, deedOnID(n.ID, numberVerified, nil), func(ctx context.Context) error { return s.Client.VerifyCode(ctx, acc, code) })
	})
}

// register connects the number, with its PIN; before that it may choose where messages rest.
func (s *Server) register(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.step(w, r, v, "", func(acc whatsapp.Account, n whatsapp.PhoneNumber) error {
		pin := field(r, "pin")
		if !whatsapp.UsablePIN(pin) {
			return errPIN
		}
		if r.PostForm.Get("storage") == germany {
			err := s.ask(r, v, deedOnID(n.ID, storageChosen, map[string]any{"region": germany}), func(ctx context.Context) error { return s.Client.StoreIn(ctx, acc, germany) })
			if err != nil {
				return err
			}
		}
		return s.ask(r, v, deedOnID(n.ID, numberRegistered, nil), func(ctx context.Context) error { return s.Client.Register(ctx, acc, pin) })
	})
}

// deregister disconnects a number: nothing more is sent or received on it.
func (s *Server) deregister(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.step(w, r, v, "", func(acc whatsapp.Account, n whatsapp.PhoneNumber) error {
		if r.PostForm.Get("sure") != "yes" {
			return errSure
		}
		return s.ask(r, v, deedOnID(n.ID, numberDeregistered, nil), func(ctx context.Context) error { return s.Client.Deregister(ctx, acc) })
	})
}
