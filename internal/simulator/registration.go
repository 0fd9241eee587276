// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// createNumber is the first step of a number's registration.
func (s *Server) createNumber(a *account, body []byte) (any, *graphError) {
	var in struct {
		CC    flexString `json:"cc"`
		Phone flexString `json:"phone_number"`
		Name  string     `json:"verified_name"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	digits := onlyDigits(string(in.CC)) + onlyDigits(string(in.Phone))
	parsed, err := phonenumbers.Parse("+"+digits, "")
	switch {
	case in.CC == "" || in.Phone == "" || in.Name == "":
		return nil, refuse(100, "The parameters cc, phone_number and verified_name are required.")
	case err != nil || !phonenumbers.IsPossibleNumber(parsed):
		return nil, refuse(100, "+%s is not a phone number.", digits)
	case s.dir.byDigits(digits) != nil:
		return nil, refuse(100, "+%s is registered already.", digits)
	}
	n := &number{id: s.dice.id("number"), account: a, state: numberState{
		Digits: digits, Display: phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL), Name: in.Name,
		Status: "PENDING", Verification: "NOT_VERIFIED", Throughput: "STANDARD", Quality: "UNKNOWN"}}
	s.dir.addNumber(n)
	s.saver.touch()
	return map[string]any{"id": n.id}, nil
}

// requestCode would call or text the number; here the code is always 123456.
func (s *Server) requestCode(n *number, body []byte) (any, *graphError) {
	var in struct {
		Method   string `json:"code_method"`
		Language string `json:"language"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in.Method != "SMS" && in.Method != "VOICE" {
		return nil, refuse(100, "Param code_method must be one of {SMS, VOICE}.")
	}
	if in.Language == "" {
		return nil, refuse(100, "The parameter language is required.")
	}
	n.mu.Lock()
	n.state.Code = "123456"
	n.mu.Unlock()
	s.saver.touch()
	return success, nil
}

func (s *Server) verifyCode(n *number, body []byte) (any, *graphError) {
	var in struct {
		Code flexString `json:"code"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.Code == "" || strings.ReplaceAll(string(in.Code), "-", "") != n.state.Code {
		return nil, refuse(136024, "The code is not the one that was sent.")
	}
	n.state.Verification, n.state.Code = "VERIFIED", ""
	s.saver.touch()
	return success, nil
}

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

func (s *Server) register(n *number, body []byte) (any, *graphError) {
	var in struct {
		MessagingProduct string     `json:"messaging_product"`
		PIN              flexString `json:"pin"`
		Region           string     `json:"data_localization_region"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case in.MessagingProduct != "whatsapp":
		return nil, refuse(100, "The parameter messaging_product is required and must be whatsapp.")
	case !sixDigits.MatchString(string(in.PIN)):
		return nil, refuse(100, "Param pin must have six digits.")
	case n.state.Verification != "VERIFIED":
		return nil, refuse(133006, "Verify the number with request_code and verify_code first.")
	case n.state.PIN != "" && n.state.PIN != string(in.PIN):
		return nil, refuse(133005, "The pin is not the one set for this number.")
	}
	if err := n.countRegistration(s.clock.Now().Unix()); err != nil {
		return nil, err
	}
	n.state.PIN, n.state.Status = string(in.PIN), "CONNECTED"
	n.state.Onboarded = s.clock.Now().UTC().Format("2006-01-02T15:04:05-0700")
	s.saver.touch()
	return success, nil
}

func (s *Server) deregister(n *number) (any, *graphError) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.countRegistration(s.clock.Now().Unix()); err != nil {
		return nil, err
	}
	n.state.Status = "PENDING"
	s.saver.touch()
	return success, nil
}

// countRegistration allows ten (de)registrations in 72 hours; n must be locked.
func (n *number) countRegistration(now int64) *graphError {
	n.state.Registrations = slices.DeleteFunc(n.state.Registrations, func(at int64) bool { return now-at > 72*3600 })
	if len(n.state.Registrations) >= 10 {
		return refuse(133016, "The number was registered and deregistered ten times in 72 hours.")
	}
	n.state.Registrations = append(n.state.Registrations, now)
	return nil
}
