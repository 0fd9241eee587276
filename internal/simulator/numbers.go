// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// number is a phone number of a business.
type number struct {
	id      string
	account *account

	mu     sync.Mutex
	state  numberState
	bucket bucket
}

type numberState struct {
	Display       string                    `json:"display"`
	Name          string                    `json:"name"`
	Digits        string                    `json:"digits"`
	Status        string                    `json:"status"`
	Verification  string                    `json:"verification"`
	Throughput    string                    `json:"throughput"`
	Quality       string                    `json:"quality"`
	PIN           string                    `json:"pin,omitempty"`
	Code          string                    `json:"code,omitempty"`
	OverrideURL   string                    `json:"override_url,omitempty"`
	Registrations []int64                   `json:"registrations,omitempty"` // unix seconds, last 72 hours
	Profile       map[string]any            `json:"profile,omitempty"`
	Settings      map[string]any            `json:"settings,omitempty"`
	Automation    map[string]any            `json:"automation,omitempty"`
	Blocked       map[string]blockedCitizen `json:"blocked,omitempty"` // by citizen code
	Links         []link                    `json:"links,omitempty"`   // message_qrdls
	Picture       string                    `json:"picture,omitempty"` // file id of the profile's
	Username      string                    `json:"username,omitempty"`
	FreeMonth     string                    `json:"free_month,omitempty"`
	FreeUsed      int                       `json:"free_used,omitempty"`
	NameStatus    string                    `json:"name_status,omitempty"`
	NewName       string                    `json:"new_name,omitempty"` // asked for, and what became of it
	NewNameStatus string                    `json:"new_name_status,omitempty"`
	PublicKey     string                    `json:"public_key,omitempty"` // of whatsapp_business_encryption
	Onboarded     string                    `json:"onboarded,omitempty"`  // when it was registered last, as Graph writes times
	Allowed       []string                  `json:"allowed,omitempty"`    // digits a test number may write to
	Test          bool                      `json:"test,omitempty"`
}

func (n *number) apply(spec Account, digits string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state.Digits = digits
	n.state.Display = spec.DisplayNumber
	n.state.Name = cmp.Or(spec.VerifiedName, n.state.Name)
	n.state.Throughput = cmp.Or(spec.Throughput, n.state.Throughput)
}

func (n *number) digits() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.Digits
}

func (n *number) snapshot() numberState {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

func numberDigits(display string) (string, error) {
	digits := onlyDigits(display)
	if !strings.HasPrefix(strings.TrimSpace(display), "+") || len(digits) < 5 || len(digits) > 15 {
		return "", errors.New("display_number must be international, like \"+39 0541 123456\"")
	}
	return digits, nil
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// numberFields is a number with every field that can be asked for.
func (s *Server) numberFields(n *number) map[string]any {
	st, acc := n.snapshot(), n.account.snapshot()
	hooks := map[string]any{"application": acc.CallbackURL}
	if acc.OverrideURL != "" {
		hooks["whatsapp_business_account"] = acc.OverrideURL
	}
	if st.OverrideURL != "" {
		hooks["phone_number"] = st.OverrideURL
	}
	fields := map[string]any{
		"id": n.id, "display_phone_number": st.Display, "verified_name": st.Name, "status": n.shownStatus(st.Status, s.clock.Now()),
		"quality_rating": st.Quality, "quality_score": map[string]any{"score": st.Quality},
		"code_verification_status": st.Verification, "name_status": cmp.Or(st.NameStatus, "APPROVED"), "platform_type": "CLOUD_API",
		"throughput": map[string]any{"level": cmp.Or(map[string]string{"UNLIMITED": "HIGH"}[st.Throughput], st.Throughput)},
		"whatsapp_business_manager_messaging_limit": cmp.Or(acc.MessagingLimit, unlimited), "account_mode": st.mode(), "is_official_business_account": false,
		"messaging_limit_tier": cmp.Or(acc.MessagingLimit, unlimited), "last_onboarded_time": cmp.Or(st.Onboarded, "2026-01-01T00:00:00+0000"),
		"is_on_biz_app": false, "is_preverified_number": false, "country_dial_code": countryCode(st.Digits),
		"is_pin_enabled": st.PIN != "", "webhook_configuration": hooks, "health_status": n.health(st.Status, s.clock.Now()),
	}
	if st.NewName != "" {
		fields["new_display_name"], fields["new_name_status"] = st.NewName, st.NewNameStatus
	}
	if st.Automation != nil {
		fields["conversational_automation"] = st.Automation
	}
	return fields
}

func (s *Server) listNumbers(a *account, q url.Values, self string) (any, *graphError) {
	a.mu.Lock()
	numbers := slices.Clone(a.numbers)
	a.mu.Unlock()
	var items []listed
	for _, n := range numbers {
		items = append(items, listed{key: n.id, node: s.numberFields(n)})
	}
	slices.SortFunc(items, func(x, y listed) int { return cmp.Compare(x.key, y.key) })
	return paginate(items, q, self, []string{"verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput"})
}

var success = map[string]any{"success": true}

// changeNumber is POST /{phone_number_id}: the pin, the display name, or the callback of this number alone.
func (s *Server) changeNumber(g *graphRequest, n *number) (any, *graphError) {
	var in struct {
		PIN  flexString `json:"pin"`
		Name string     `json:"new_display_name"`
		Hook *struct {
			URL         string `json:"override_callback_uri"`
			VerifyToken string `json:"verify_token"`
		} `json:"webhook_configuration"`
	}
	if err := json.Unmarshal(g.body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in.PIN != "" && !sixDigits.MatchString(string(in.PIN)) {
		return nil, refuse(100, "Param pin must have six digits.")
	}
	if in.Hook != nil && in.Hook.URL != "" {
		if err := s.checkOverride(g, in.Hook.URL, in.Hook.VerifyToken); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	if in.PIN != "" {
		n.state.PIN = string(in.PIN)
	}
	if in.Hook != nil {
		n.state.OverrideURL = in.Hook.URL
	}
	n.mu.Unlock()
	if in.Name != "" {
		s.reviewName(n, in.Name)
	}
	n.account.hooks.retryNow()
	s.saver.touch()
	return success, nil
}

// numberChange is what a test may change of a number; what it does not tell stays.
type numberChange struct {
	Throughput *string   `json:"throughput"`
	Status     *string   `json:"status"`
	Quality    *string   `json:"quality_rating"`
	Allowed    *[]string `json:"allowed_recipients"` // makes it a test number, which writes to these only
	Test       *bool     `json:"test_number"`
	Limit      *string   `json:"messaging_limit"` // of the whole account, as it is Meta's of the portfolio
	CallLimit  *int      `json:"call_limit"`      // management calls an hour, also of the whole account; 0: none, negative: Meta's
}

func (c numberChange) check() error {
	if c.Throughput != nil {
		if err := checkThroughput(*c.Throughput); err != nil {
			return err
		}
	}
	if c.Limit != nil {
		if err := checkTier(*c.Limit); err != nil {
			return err
		}
	}
	if c.Allowed != nil && len(*c.Allowed) > maxAllowed {
		return badRequest("a test number may write to %d people at most", maxAllowed)
	}
	return nil
}

// putNumber is PUT /simulator/numbers/{number}.
func (s *Server) putNumber(r *http.Request) (int, any, error) {
	n := s.dir.number(r.PathValue("number"))
	if n == nil {
		return 0, nil, notFound("number %s is not known", r.PathValue("number"))
	}
	var change numberChange
	if err := readControl(r, &change); err != nil {
		return 0, nil, err
	}
	if err := change.check(); err != nil {
		return 0, nil, err
	}
	if change.Limit != nil {
		n.account.mu.Lock()
		n.account.state.MessagingLimit = *change.Limit
		n.account.mu.Unlock()
	}
	if change.CallLimit != nil {
		n.account.limitCalls(*change.CallLimit)
	}
	n.mu.Lock()
	n.allow(change.Allowed, change.Test)
	setIf(&n.state.Throughput, change.Throughput)
	setIf(&n.state.Status, change.Status)
	setIf(&n.state.Quality, change.Quality)
	n.mu.Unlock()
	s.saver.touch()
	return http.StatusOK, s.accountView(n), nil
}

// maxAllowed are the people a test number may write to.
const maxAllowed = 5

// allow makes the number a test number, or one like any other; n must be locked.
func (n *number) allow(phones *[]string, test *bool) {
	if phones != nil {
		n.state.Test, n.state.Allowed = true, nil
		for _, phone := range *phones {
			n.state.Allowed = append(n.state.Allowed, onlyDigits(phone))
		}
	}
	setIf(&n.state.Test, test)
}

// checkAllowed refuses whom a test number may not write to.
func (n *number) checkAllowed(to recipient) *graphError {
	st, phone := n.snapshot(), to.citizen.snapshot().Phone
	if !st.Test || slices.Contains(st.Allowed, phone) {
		return nil
	}
	return refuse(131030, "Recipient phone number not in allowed list: add it to the recipients of the test number.")
}
