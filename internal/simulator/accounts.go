// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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
	Allowed       []string                  `json:"allowed,omitempty"` // digits a test number may write to
	Test          bool                      `json:"test,omitempty"`
}

// directory holds accounts, numbers and tokens; they are few and change rarely.
type directory struct {
	mu       sync.RWMutex
	accounts map[string]*account
	numbers  map[string]*number
	tokens   map[string][]*account
}

func newDirectory() *directory {
	return &directory{accounts: map[string]*account{}, numbers: map[string]*number{}, tokens: map[string][]*account{}}
}

func (d *directory) account(id string) *account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.accounts[id]
}

func (d *directory) number(id string) *number {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.numbers[id]
}

// byDigits finds a number by what a phone dials.
func (d *directory) byDigits(digits string) *number {
	for _, n := range d.allNumbers() {
		if n.digits() == digits {
			return n
		}
	}
	return nil
}

func (d *directory) allAccounts() []*account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Values(d.accounts), func(a, b *account) int { return cmp.Compare(a.id, b.id) })
}

func (d *directory) allNumbers() []*number {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Values(d.numbers), func(a, b *number) int { return cmp.Compare(a.id, b.id) })
}

// grants says which accounts a token may use; none for an unknown token.
func (d *directory) grants(token string) []*account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.tokens[token]
}

func (d *directory) addToken(token string, a *account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if token != "" && !slices.Contains(d.tokens[token], a) {
		d.tokens[token] = append(slices.Clone(d.tokens[token]), a)
	}
}

func (d *directory) addNumber(n *number) {
	d.mu.Lock()
	d.numbers[n.id] = n
	d.mu.Unlock()
	a := n.account
	a.mu.Lock()
	a.numbers = append(a.numbers, n)
	a.mu.Unlock()
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
	n := &number{id: id, account: a, state: numberState{Digits: digits, Status: "CONNECTED", Verification: "VERIFIED", Throughput: "STANDARD", Quality: "GREEN"}}
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

func (a *account) snapshot() accountState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

func (a *account) hasNumber(n *number) bool { return n != nil && n.account == a }

// take counts a message against the number's rate. Incoming messages count too but are never refused,
// so they pass force: citizens who write eat into what the business may send, as Meta does.
func (n *number) take(now time.Time, force bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	rate := throughputs[n.state.Throughput]
	return rate == 0 || n.bucket.take(now, rate, force)
}

// throughputs are messages a second, in and out together; UNLIMITED (0) is ours, for benchmarks.
var throughputs = map[string]float64{"STANDARD": 80, "HIGH": 1000, "UNLIMITED": 0}

// bucket lets a second's worth through at once and then rate a second.
type bucket struct {
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time, rate float64, force bool) bool {
	if b.last.IsZero() {
		b.tokens = rate
	} else if now.After(b.last) {
		b.tokens = min(rate, b.tokens+rate*now.Sub(b.last).Seconds())
	}
	b.last = now
	if b.tokens < 1 && !force {
		return false
	}
	b.tokens = max(b.tokens-1, -rate)
	return true
}

// ---- control: POST and GET /simulator/accounts, PUT /simulator/numbers/{id}, PUT /simulator/webhook

func (s *Server) postAccount(r *http.Request) (int, any, error) {
	var spec Account
	if err := readControl(r, &spec); err != nil {
		return 0, nil, err
	}
	if spec.Throughput != "" {
		if _, ok := throughputs[spec.Throughput]; !ok {
			return 0, nil, badRequest("throughput must be STANDARD, HIGH or UNLIMITED, not %q", spec.Throughput)
		}
	}
	if err := checkTier(spec.Limit); err != nil {
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

func (s *Server) putNumber(r *http.Request) (int, any, error) {
	n := s.dir.number(r.PathValue("number"))
	if n == nil {
		return 0, nil, notFound("number %s is not known", r.PathValue("number"))
	}
	var change struct {
		Throughput *string   `json:"throughput"`
		Status     *string   `json:"status"`
		Quality    *string   `json:"quality_rating"`
		Allowed    *[]string `json:"allowed_recipients"` // makes it a test number, which writes to these only
		Test       *bool     `json:"test_number"`
		Limit      *string   `json:"messaging_limit"` // of the whole account, as it is Meta's of the portfolio
		CallLimit  *int      `json:"call_limit"`      // management calls an hour, also of the whole account; 0: none, negative: Meta's
	}
	if err := readControl(r, &change); err != nil {
		return 0, nil, err
	}
	if change.Throughput != nil {
		if _, ok := throughputs[*change.Throughput]; !ok {
			return 0, nil, badRequest("throughput must be STANDARD, HIGH or UNLIMITED, not %q", *change.Throughput)
		}
	}
	if change.Limit != nil {
		if err := checkTier(*change.Limit); err != nil {
			return 0, nil, err
		}
		n.account.mu.Lock()
		n.account.state.MessagingLimit = *change.Limit
		n.account.mu.Unlock()
	}
	if change.CallLimit != nil {
		n.account.limitCalls(*change.CallLimit)
	}
	if change.Allowed != nil && len(*change.Allowed) > maxAllowed {
		return 0, nil, badRequest("a test number may write to %d people at most", maxAllowed)
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

func checkTier(tier string) error {
	if _, ok := tierSize(tier); !ok {
		return badRequest("messaging_limit must be one of %s, or a size of your own like TIER_3, not %q", strings.Join(messagingLimits, ", "), tier)
	}
	return nil
}

func setIf[T any](target *T, value *T) {
	if value != nil {
		*target = *value
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

func (s *Server) putWebhook(r *http.Request) (int, any, error) {
	var hook struct {
		WABA        string  `json:"waba_id"`
		URL         *string `json:"url"`
		Version     *string `json:"version"` // of the Graph API that webhooks are written by, like v23.0
		AppSecret   *string `json:"app_secret"`
		VerifyToken *string `json:"verify_token"`
	}
	if err := readControl(r, &hook); err != nil {
		return 0, nil, err
	}
	a, err := s.accountNamed(hook.WABA)
	if err != nil {
		return 0, nil, err
	}
	if hook.URL != nil && *hook.URL != "" {
		if err := checkCallback(*hook.URL); err != nil {
			return 0, nil, badRequest("%v", err)
		}
	}
	if hook.Version != nil && !versionSegment.MatchString(*hook.Version) {
		return 0, nil, badRequest("version must be like v23.0, not %q", *hook.Version)
	}
	a.mu.Lock()
	a.state.Verified = false
	setIf(&a.state.CallbackURL, hook.URL)
	setIf(&a.state.WebhookVersion, hook.Version)
	setIf(&a.state.AppSecret, hook.AppSecret)
	setIf(&a.state.VerifyToken, hook.VerifyToken)
	a.mu.Unlock()
	s.saver.touch()
	return http.StatusOK, s.verifyWebhook(r.Context(), a), nil
}

// verifyWebhook asks the callback once and says how it went. A desk that is not up yet is asked again before
// the first delivery, so the order in which the two are started does not matter.
func (s *Server) verifyWebhook(ctx context.Context, a *account) map[string]any {
	st := a.snapshot()
	view := map[string]any{"waba_id": a.id, "url": st.CallbackURL, "verified": false}
	if st.CallbackURL == "" {
		return view
	}
	err := s.verifyCallback(ctx, st.CallbackURL, st.VerifyToken)
	a.mu.Lock()
	a.state.Verified = err == nil
	a.mu.Unlock()
	view["verified"] = err == nil
	if err != nil {
		view["error"] = err.Error()
	}
	a.hooks.retryNow()
	return view
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
