// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// accountEvent is something Meta does to an account or a number by itself. Which fields an event reads is in
// docs/simulator.md.
type accountEvent struct {
	Event  string `json:"event"`
	WABA   string `json:"waba_id"`
	Number string `json:"phone_number_id"`
	End    bool   `json:"end"` // ends what the event began
	For    span   `json:"for"` // how long it lasts; until it is ended unless set
	Code   int    `json:"code"`

	Limit       string   `json:"limit"`
	Type        string   `json:"type"`
	Decision    string   `json:"decision"`
	Name        string   `json:"name"`
	Reason      string   `json:"reason"`
	Token       string   `json:"token"`
	Scopes      []string `json:"scopes"`
	Entity      string   `json:"entity"`
	Severity    string   `json:"severity"`
	Status      string   `json:"status"`
	Description string   `json:"description"`
	Requester   string   `json:"requester"`
}

// accountEvents are what POST /simulator/events knows, by name.
var accountEvents = map[string]func(*Server, *account, *number, *accountEvent) error{
	"messaging_limit":    (*Server).changeLimit,
	"throughput_upgrade": (*Server).upgradeThroughput,
	"restriction":        (*Server).restrict,
	"violation":          (*Server).tellViolation,
	"ban":                (*Server).ban,
	"deletion":           (*Server).tellDeletion,
	"payment_failure":    (*Server).failPayment,
	"maintenance":        (*Server).maintain,
	"token":              (*Server).changeToken,
	"name":               (*Server).decideName,
	"security":           (*Server).tellSecurity,
	"alert":              (*Server).alert,
	"review":             (*Server).reviewAccount,
}

// postEvent is POST /simulator/events.
func (s *Server) postEvent(r *http.Request) (int, any, error) {
	var in accountEvent
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	happen, ok := accountEvents[in.Event]
	if !ok {
		return 0, nil, badRequest("event must be one of %s, not %q", strings.Join(slices.Sorted(maps.Keys(accountEvents)), ", "), in.Event)
	}
	n := s.dir.number(cmp.Or(in.Number, DefaultAccount().PhoneNumberID))
	if n == nil {
		return 0, nil, notFound("number %s is not known", in.Number)
	}
	if in.Number == "" && in.WABA != "" {
		a, err := s.accountNamed(in.WABA)
		if err != nil {
			return 0, nil, err
		}
		if n = a.firstNumber(); n == nil {
			return 0, nil, notFound("account %s has no number", in.WABA)
		}
	}
	if err := happen(s, n.account, n, &in); err != nil {
		return 0, nil, err
	}
	s.saver.touch()
	return http.StatusOK, s.accountView(n), nil
}

func (a *account) firstNumber() *number {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.numbers) == 0 {
		return nil
	}
	return a.numbers[0]
}

// tell sends a change of a field other than messages.
func (s *Server) tell(a *account, field string, value map[string]any) {
	a.hooks.add(update{Field: field, At: s.clock.Now().Unix(), Value: marshal(value)})
}

// until is when an event that begins now ends; the zero time where it does not end by itself.
func (s *Server) until(e *accountEvent) time.Time {
	if e.For <= 0 {
		return time.Time{}
	}
	return s.clock.Now().Add(time.Duration(e.For))
}

// set begins or ends a trouble of the account.
func (a *account) set(t trouble, end bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if end {
		a.state.end(t.Kind, t.Number)
		return
	}
	a.state.begin(t)
}

func (s *Server) changeLimit(a *account, _ *number, e *accountEvent) error {
	if err := checkTier(e.Limit); err != nil {
		return err
	}
	a.mu.Lock()
	a.state.MessagingLimit = e.Limit
	a.mu.Unlock()
	s.tell(a, "business_capability_update", map[string]any{"max_daily_conversations_per_business": cmp.Or(e.Limit, unlimited),
		"max_phone_numbers_per_business": 20, "max_phone_numbers_per_waba": 20})
	return nil
}

// upgradeThroughput takes a while, in which sends are refused; then the number sends 1,000 messages a second.
func (s *Server) upgradeThroughput(a *account, n *number, e *accountEvent) error {
	wait := cmp.Or(time.Duration(e.For), s.delays().Upgrade)
	done := s.clock.Now().Add(wait)
	a.set(trouble{Kind: "upgrade", Number: n.id, Code: 131057, Until: done,
		Details: "The throughput of this number is being upgraded. Try again in a minute."}, false)
	s.planUpgrade(a, n.id, done)
	return nil
}

func (s *Server) planUpgrade(a *account, numberID string, at time.Time) {
	s.schedule.at(at, func() { s.finishUpgrade(a, numberID, at) })
}

// finishUpgrade does the upgrade that was planned for this time, unless another was begun since.
func (s *Server) finishUpgrade(a *account, numberID string, at time.Time) {
	n := s.dir.number(numberID)
	if n == nil || !a.endTrouble("upgrade", numberID, at) {
		return
	}
	n.mu.Lock()
	n.state.Throughput = "HIGH"
	n.mu.Unlock()
	s.tell(a, "phone_number_quality_update", map[string]any{"display_phone_number": n.digits(), "event": "THROUGHPUT_UPGRADE",
		"max_daily_conversations_per_business": a.messagingLimit()})
	s.saver.touch()
}

// resumeAccount plans what was under way with the account and its numbers; it must be locked.
func (s *Server) resumeAccount(a *account) {
	for _, t := range a.state.Troubles {
		if t.Kind == "upgrade" {
			s.planUpgrade(a, t.Number, t.Until)
		}
	}
	if !a.state.BanAt.IsZero() {
		s.planBan(a, a.state.BanAt)
	}
}

// restrict keeps the account from sending first, or as the type says from answering.
func (s *Server) restrict(a *account, _ *number, e *accountEvent) error {
	kind := cmp.Or(e.Type, "RESTRICTED_BIZ_INITIATED_MESSAGING")
	t := trouble{Kind: "restriction", Code: cmp.Or(e.Code, 368), Until: s.until(e), Details: "The account is restricted from messaging: " + kind + "."}
	if kind == "RESTRICTED_BIZ_INITIATED_MESSAGING" {
		t.Only = onlyOutside
	}
	if kind != "RESTRICTED_ADD_PHONE_NUMBER_ACTION" {
		a.set(t, e.End)
	}
	if e.End {
		return nil
	}
	info := map[string]any{"restriction_type": kind}
	if !t.Until.IsZero() {
		info["expiration"] = t.Until.Unix()
	}
	s.tell(a, "account_update", map[string]any{"event": "ACCOUNT_RESTRICTION", "restriction_info": []any{info}})
	return nil
}

func (s *Server) tellViolation(a *account, _ *number, e *accountEvent) error {
	s.tell(a, "account_update", map[string]any{"event": "ACCOUNT_VIOLATION", "violation_info": map[string]any{"violation_type": cmp.Or(e.Type, "SPAM")}})
	return nil
}

// ban locks the account, at once or (type SCHEDULE_FOR_DISABLE) after a while; end reinstates it.
func (s *Server) ban(a *account, _ *number, e *accountEvent) error {
	state := cmp.Or(e.Type, "DISABLE")
	switch {
	case e.End:
		state = "REINSTATE"
	case state != "DISABLE" && state != "SCHEDULE_FOR_DISABLE":
		return badRequest("type must be DISABLE or SCHEDULE_FOR_DISABLE, not %q", e.Type)
	}
	date, scheduled := s.clock.Now(), time.Time{}
	if state == "SCHEDULE_FOR_DISABLE" {
		date = date.Add(cmp.Or(time.Duration(e.For), 7*24*time.Hour))
		scheduled = date
	} else {
		a.set(locked(), e.End)
	}
	a.mu.Lock()
	a.state.BanAt = scheduled // what was scheduled before is off
	a.mu.Unlock()
	if !scheduled.IsZero() {
		s.planBan(a, scheduled)
	}
	s.tell(a, "account_update", map[string]any{"event": "DISABLED_UPDATE", "ban_info": map[string]any{"waba_ban_state": state, "waba_ban_date": date.UTC().Format("January 2, 2006")}})
	return nil
}

func locked() trouble {
	return trouble{Kind: "ban", Code: 131031, Details: "Business account has been locked."}
}

// planBan locks the account at a time, unless the ban is off by then.
func (s *Server) planBan(a *account, at time.Time) {
	s.schedule.at(at, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.state.BanAt.Equal(at) {
			a.state.BanAt = time.Time{}
			a.state.begin(locked())
			s.saver.touch()
		}
	})
}

func (s *Server) tellDeletion(a *account, _ *number, _ *accountEvent) error {
	a.set(trouble{Kind: "ban", Code: 131031, Details: "Business account has been deleted."}, false)
	s.tell(a, "account_update", map[string]any{"event": "ACCOUNT_DELETED"})
	return nil
}

// failPayment refuses whatever costs money; Meta has no webhook for it.
func (s *Server) failPayment(a *account, _ *number, e *accountEvent) error {
	a.set(trouble{Kind: "payment", Code: 131042, Only: onlyCharged, Until: s.until(e),
		Details: "Message failed to send because there was one or more errors related to your payment method."}, e.End)
	return nil
}

func (s *Server) maintain(a *account, n *number, e *accountEvent) error {
	code := cmp.Or(e.Code, 131057)
	if !slices.Contains([]int{131057, 133004, 2494100}, code) {
		return badRequest("code must be 131057, 133004 or 2494100, not %d", code)
	}
	a.set(trouble{Kind: "maintenance", Number: n.id, Code: code, Until: s.until(e), Details: "The number is in maintenance. Try again later."}, e.End)
	return nil
}

func (s *Server) decideName(a *account, n *number, e *accountEvent) error {
	decision := cmp.Or(e.Decision, "APPROVED")
	if !slices.Contains([]string{"APPROVED", "DEFERRED", "PENDING", "REJECTED"}, decision) {
		return badRequest("decision must be APPROVED, DEFERRED, PENDING or REJECTED, not %q", e.Decision)
	}
	n.mu.Lock()
	name := cmp.Or(e.Name, n.state.Name)
	if decision == "APPROVED" {
		n.state.Name = name
	}
	n.state.NameStatus = map[string]string{"APPROVED": "APPROVED", "REJECTED": "DECLINED"}[decision]
	n.state.NameStatus = cmp.Or(n.state.NameStatus, "PENDING_REVIEW")
	if n.state.NewName == name && n.state.NameStatus != "PENDING_REVIEW" {
		n.state.NewName, n.state.NewNameStatus = "", ""
	}
	n.mu.Unlock()
	value := map[string]any{"display_phone_number": n.digits(), "decision": decision, "requested_verified_name": name, "rejection_reason": nil}
	if decision == "REJECTED" {
		value["rejection_reason"] = cmp.Or(e.Reason, "NAME_NOT_CONSISTENT")
	}
	s.tell(a, "phone_number_name_update", value)
	return nil
}

func (s *Server) tellSecurity(a *account, n *number, e *accountEvent) error {
	kind := cmp.Or(e.Type, "PIN_CHANGED")
	if !slices.Contains([]string{"PIN_CHANGED", "PIN_RESET_REQUEST", "PIN_REQUEST_SUCCESS"}, kind) {
		return badRequest("type must be PIN_CHANGED, PIN_RESET_REQUEST or PIN_REQUEST_SUCCESS, not %q", e.Type)
	}
	s.tell(a, "security", map[string]any{"display_phone_number": n.digits(), "event": kind, "requester": cmp.Or(e.Requester, "61555822107539")})
	return nil
}

func (s *Server) alert(a *account, n *number, e *accountEvent) error {
	entity := cmp.Or(e.Entity, "BUSINESS")
	ids := map[string]string{"BUSINESS": businessID, "PHONE_NUMBER": n.id, "CURRENT_STATUS_ID": n.id}
	if ids[entity] == "" {
		return badRequest("entity must be BUSINESS, PHONE_NUMBER or CURRENT_STATUS_ID, not %q", e.Entity)
	}
	s.tell(a, "account_alerts", map[string]any{"entity_type": entity, "entity_id": ids[entity], "alert_info": map[string]any{
		"alert_severity": cmp.Or(e.Severity, "INFORMATIONAL"), "alert_status": cmp.Or(e.Status, "NONE"),
		"alert_type": cmp.Or(e.Type, "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED"), "alert_description": cmp.Or(e.Description, "The messaging limit was not increased.")}})
	return nil
}

func (s *Server) reviewAccount(a *account, _ *number, e *accountEvent) error {
	decision := cmp.Or(e.Decision, "APPROVED")
	if !slices.Contains([]string{"APPROVED", "REJECTED", "PENDING", "DEFERRED"}, decision) {
		return badRequest("decision must be APPROVED, REJECTED, PENDING or DEFERRED, not %q", e.Decision)
	}
	a.mu.Lock()
	a.state.Review = decision
	a.mu.Unlock()
	s.tell(a, "account_review_update", map[string]any{"decision": decision})
	return nil
}
