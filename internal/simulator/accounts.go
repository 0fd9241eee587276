// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Account is a WhatsApp Business Account with one of its numbers, as a client of the Cloud API gets it from Meta.
// Several accounts with the same WABA are one account with several numbers.
type Account struct {
	WABA          string `json:"waba_id"`         // id of the business account; invented when empty
	PhoneNumberID string `json:"phone_number_id"` // id of the number; invented when empty
	DisplayNumber string `json:"display_number"`  // as people write it, with "+": "+39 0541 123456"
	VerifiedName  string `json:"verified_name"`   // the name citizens see: "Comune di Rimini"
	Token         string `json:"token"`           // bearer token that may use the account
	AppSecret     string `json:"app_secret"`      // key of the webhooks' signature
	VerifyToken   string `json:"verify_token"`    // token of the webhook's verification
	WebhookURL    string `json:"webhook_url"`     // where webhooks go; empty: kept until one is set
	Limit         string `json:"messaging_limit"` // of the account's portfolio: TIER_250, TIER_2K, TIER_10K, TIER_100K or TIER_UNLIMITED (the default)
	Throughput    string `json:"throughput"`      // STANDARD (80 messages a second, in and out; the default), HIGH (1,000) or UNLIMITED (for benchmarks)

	Templates []Template `json:"templates"` // approved from the start, beside hello_world and avviso
}

// DefaultAccount is the account every simulator starts with.
func DefaultAccount() Account {
	return Account{
		WABA: "200000000000001", PhoneNumberID: "100000000000001", DisplayNumber: "+39 0541 123456", VerifiedName: "Comune di Prova",
		Token: "simulator", AppSecret: "simulator", VerifyToken: "simulator",
	}
}

// account is a WABA: what its numbers share.
type account struct {
	id string

	mu        sync.Mutex
	state     accountState
	templates map[string]*template
	numbers   []*number

	hooks     *hooks
	portfolio portfolio
}

type accountState struct {
	Name        string   `json:"name"`
	Tokens      []string `json:"tokens"`
	AppSecret   string   `json:"app_secret"`
	VerifyToken string   `json:"verify_token"`
	CallbackURL string   `json:"callback_url"`
	OverrideURL string   `json:"override_url"`
	Subscribed  bool     `json:"subscribed"`
	Verified    bool     `json:"verified"`
	Creations   []int64  `json:"creations,omitempty"` // unix seconds of the last hour's template creations

	TokenStates    map[string]tokenState `json:"token_states,omitempty"`
	Troubles       []trouble             `json:"troubles,omitempty"`
	BanAt          time.Time             `json:"ban_at,omitzero"` // a ban that is scheduled
	Review         string                `json:"review,omitempty"`
	Fields         []string              `json:"fields,omitempty"` // the app is subscribed to; nil: all
	WebhookVersion string                `json:"webhook_version,omitempty"`
	ContactBookOff bool                  `json:"contact_book_off,omitempty"`
	MessagingLimit string                `json:"messaging_limit,omitempty"`
	Pacing         map[string]*pacing    `json:"pacing,omitempty"`     // by template id
	Calls          map[int64]int         `json:"calls,omitempty"`      // of the management API, by minute
	CallLimit      *int                  `json:"call_limit,omitempty"` // an hour; nil: Meta's, 0: none
}

// addAccount makes the account and its number, or brings those that exist up to date.
func (s *Server) addAccount(spec Account) (*number, error) {
	if spec.WABA == "" {
		spec.WABA = s.dice.id("account")
	}
	if spec.PhoneNumberID == "" {
		spec.PhoneNumberID = s.dice.id("number")
	}
	digits, err := numberDigits(spec.DisplayNumber)
	if err != nil {
		return nil, fmt.Errorf("add account %s: %w", spec.WABA, err)
	}
	if n := s.dir.number(spec.PhoneNumberID); n != nil && n.account.id != spec.WABA {
		return nil, fmt.Errorf("add account %s: number %s belongs to account %s", spec.WABA, spec.PhoneNumberID, n.account.id)
	}
	if n := s.dir.byDigits(digits); n != nil && n.id != spec.PhoneNumberID {
		return nil, fmt.Errorf("add account %s: %s is already number %s", spec.WABA, spec.DisplayNumber, n.id)
	}
	a := s.ensureAccount(spec.WABA)
	a.apply(spec)
	s.dir.addToken(spec.Token, a)
	n := s.ensureNumber(a, spec.PhoneNumberID, digits)
	n.apply(spec, digits)
	for _, t := range append(startingTemplates(), spec.Templates...) {
		if err := s.ensureTemplate(a, t); err != nil {
			return nil, fmt.Errorf("add account %s: %w", spec.WABA, err)
		}
	}
	a.hooks.nudge()
	s.saver.touch()
	return n, nil
}

func (s *Server) ensureAccount(id string) *account {
	s.dir.mu.Lock()
	defer s.dir.mu.Unlock()
	if a, ok := s.dir.accounts[id]; ok {
		return a
	}
	a := &account{id: id, state: accountState{Subscribed: true}, templates: map[string]*template{}}
	a.hooks = newHooks(s, a)
	s.dir.accounts[id] = a
	return a
}

func (s *Server) ensureNumber(a *account, id, digits string) *number {
	if n := s.dir.number(id); n != nil {
		return n
	}
	n := &number{id: id, account: a, state: numberState{Digits: digits, Status: "CONNECTED", Verification: "VERIFIED", Throughput: standard, Quality: "GREEN"}}
	s.dir.addNumber(n)
	return n
}

func (a *account) apply(spec Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := &a.state
	st.Name = cmp.Or(spec.VerifiedName, st.Name)
	st.AppSecret = cmp.Or(spec.AppSecret, st.AppSecret)
	st.VerifyToken = cmp.Or(spec.VerifyToken, st.VerifyToken)
	st.CallbackURL = cmp.Or(spec.WebhookURL, st.CallbackURL)
	st.MessagingLimit = cmp.Or(spec.Limit, st.MessagingLimit)
	if spec.Token != "" && !slices.Contains(st.Tokens, spec.Token) {
		st.Tokens = append(st.Tokens, spec.Token)
	}
}

func (a *account) snapshot() accountState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

func (a *account) hasNumber(n *number) bool { return n != nil && n.account == a }

// postAccount is POST /simulator/accounts: an account with a number, or a change of them.
func (s *Server) postAccount(r *http.Request) (int, any, error) {
	var spec Account
	if err := readControl(r, &spec); err != nil {
		return 0, nil, err
	}
	if err := cmp.Or(checkThroughput(cmp.Or(spec.Throughput, standard)), checkTier(spec.Limit)); err != nil {
		return 0, nil, err
	}
	n, err := s.addAccount(spec)
	if err != nil {
		return 0, nil, badRequest("%v", err)
	}
	return http.StatusCreated, s.accountView(n), nil
}

func (s *Server) getAccounts(*http.Request) (int, any, error) {
	items := []map[string]any{}
	for _, n := range s.dir.allNumbers() {
		items = append(items, s.accountView(n))
	}
	return http.StatusOK, map[string]any{"items": items}, nil
}

func (s *Server) accountView(n *number) map[string]any {
	num, acc := n.snapshot(), n.account.snapshot()
	return map[string]any{
		"waba_id": n.account.id, "phone_number_id": n.id, "display_number": num.Display, "verified_name": num.Name,
		"status": num.Status, "throughput": num.Throughput, "messaging_limit": cmp.Or(acc.MessagingLimit, unlimited), "reached": n.account.portfolio.count(s.clock.Now()), "subscribed": acc.Subscribed, "verified": acc.Verified,
		"webhook_url": cmp.Or(num.OverrideURL, acc.OverrideURL, acc.CallbackURL), "webhooks": n.account.hooks.figures(),
	}
}

// accountNamed is the account of a control call: the default one unless another is told.
func (s *Server) accountNamed(waba string) (*account, error) {
	a := s.dir.account(cmp.Or(waba, DefaultAccount().WABA))
	if a == nil {
		return nil, notFound("account %s is not known", waba)
	}
	return a, nil
}

// appID is the one app everything here belongs to.
const (
	appID      = "300000000000001"
	businessID = "400000000000001"
)

// accountFields is a WABA with every field that can be asked for.
func (s *Server) accountFields(a *account) map[string]any {
	st := a.snapshot()
	return map[string]any{
		"id": a.id, "name": st.Name, "currency": "EUR", "timezone_id": "71", "country": "IT", "status": "ACTIVE",
		"message_template_namespace": "sim_" + a.id, "account_review_status": cmp.Or(st.Review, "APPROVED"), "business_verification_status": "verified",
		"ownership_type": "SELF", "owner_business_info": map[string]any{"id": businessID, "name": st.Name},
		"whatsapp_business_manager_messaging_limit": cmp.Or(st.MessagingLimit, unlimited), "health_status": a.health(s.clock.Now()),
	}
}
