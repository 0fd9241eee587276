// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

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
		"is_pin_enabled": st.PIN != "", "webhook_configuration": hooks, "health_status": n.health(st.Status, s.clock.Now()),
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

var success = map[string]any{"success": true}

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

// changeNumber is POST /{phone_number_id}: the pin, or the callback of this number alone.
func (s *Server) changeNumber(g *graphRequest, n *number) (any, *graphError) {
	var in struct {
		PIN  flexString `json:"pin"`
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
	n.account.hooks.retryNow()
	s.saver.touch()
	return success, nil
}

// verticals are what a business may be.
var verticals = []string{"UNDEFINED", "OTHER", "AUTO", "BEAUTY", "APPAREL", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GROCERY", "GOVT", "HOTEL", "HEALTH",
	"NONPROFIT", "PROF_SERVICES", "RETAIL", "TRAVEL", "RESTAURANT", "ALCOHOL", "ONLINE_GAMBLING", "PHYSICAL_GAMBLING", "OTC_DRUGS", "MATRIMONY_SERVICE"}

// profileLimits are the profile's texts with their greatest length.
var profileLimits = map[string]int{"about": 139, "address": 256, "description": 512, "email": 128}

func (n *number) profile(fields string) map[string]any {
	n.mu.Lock()
	defer n.mu.Unlock()
	profile := map[string]any{"messaging_product": "whatsapp"}
	wanted := fieldNames(fields)
	for name, value := range n.state.Profile {
		if fields == "" || slices.Contains(wanted, name) {
			profile[name] = value
		}
	}
	return map[string]any{"data": []any{profile}}
}

func (s *Server) setProfile(n *number, body []byte) (any, *graphError) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in["messaging_product"] != "whatsapp" {
		return nil, refuse(100, "The parameter messaging_product is required and must be whatsapp.")
	}
	delete(in, "messaging_product")
	for name, longest := range profileLimits {
		if text, ok := in[name].(string); ok && utf8.RuneCountInString(text) > longest {
			return nil, refuse(100, "Param %s must be at most %d characters long.", name, longest)
		}
	}
	if sites, ok := in["websites"].([]any); ok && len(sites) > 2 {
		return nil, refuse(100, "Param websites may have two addresses at most.")
	}
	if about, ok := in["about"].(string); ok && about == "" {
		return nil, refuse(100, "Param about may not be empty.")
	}
	if vertical, ok := in["vertical"]; ok && !slices.Contains(verticals, fmt.Sprint(vertical)) {
		return nil, refuse(100, "Param vertical must be one of {%s}.", strings.Join(verticals, ", "))
	}
	picture := ""
	if handle, ok := in["profile_picture_handle"]; ok {
		var err *graphError
		if picture, err = s.picture(handle); err != nil {
			return nil, err
		}
		delete(in, "profile_picture_handle")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if picture != "" {
		n.state.Picture = picture
	}
	if n.state.Profile == nil {
		n.state.Profile = map[string]any{}
	}
	maps.Copy(n.state.Profile, in)
	maps.DeleteFunc(n.state.Profile, func(_ string, value any) bool { return value == "" }) // what is emptied is not there
	s.saver.touch()
	return success, nil
}

func (n *number) settings() any {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := map[string]any{"storage_configuration": map[string]any{"status": "default"}}
	for name, value := range n.state.Settings {
		all[name] = value
	}
	return all
}

var features = []string{"storage_configuration", "user_identity_change", "calling", "payload_encryption"}

func (s *Server) setSettings(n *number, body []byte) (any, *graphError) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if len(in) != 1 {
		return nil, refuse(100, "Exactly one feature may be set at a time.")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, value := range in {
		if !slices.Contains(features, name) {
			return nil, refuse(100, "Unexpected key %q.", name)
		}
		if n.state.Settings == nil {
			n.state.Settings = map[string]any{}
		}
		n.state.Settings[name] = value
	}
	s.saver.touch()
	return success, nil
}

func (s *Server) setAutomation(n *number, body []byte) (any, *graphError) {
	var in struct {
		Welcome  flexBool `json:"enable_welcome_message"`
		Prompts  []string `json:"prompts"`
		Commands []struct {
			Name        string `json:"command_name"`
			Description string `json:"command_description"`
		} `json:"commands"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if len(in.Prompts) > 4 || len(in.Commands) > 30 {
		return nil, refuse(100, "At most 4 prompts and 30 commands.")
	}
	for _, p := range in.Prompts {
		if n := utf8.RuneCountInString(p); n == 0 || n > 80 {
			return nil, refuse(100, "A prompt has 1 to 80 characters.")
		}
	}
	for _, c := range in.Commands {
		if n := utf8.RuneCountInString(c.Name); n == 0 || n > 32 || utf8.RuneCountInString(c.Description) > 256 {
			return nil, refuse(100, "A command has 1 to 32 characters, its description 256 at most.")
		}
	}
	var kept map[string]any
	if err := json.Unmarshal(body, &kept); err != nil {
		return nil, badJSON(err)
	}
	if _, told := kept["enable_welcome_message"]; told {
		kept["enable_welcome_message"] = in.Welcome
	}
	n.mu.Lock()
	n.state.Automation = kept
	n.mu.Unlock()
	s.saver.touch()
	return success, nil
}

// blockedCitizen is an entry of a number's block list.
type blockedCitizen struct {
	WaID   string `json:"wa_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

type blockRequest struct {
	MessagingProduct string `json:"messaging_product"`
	Users            []struct {
		User   flexString `json:"user"`
		UserID string     `json:"user_id"`
	} `json:"block_users"`
}

func readBlock(body []byte) (*blockRequest, *graphError) {
	var in blockRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badJSON(err)
	}
	if in.MessagingProduct != "whatsapp" || len(in.Users) == 0 {
		return nil, refuse(100, "The parameters messaging_product and block_users are required.")
	}
	return &in, nil
}

// blockUsers blocks those who wrote in the last 24 hours; the others are reported as failed.
func (s *Server) blockUsers(n *number, body []byte) (any, *graphError) {
	in, err := readBlock(body)
	if err != nil {
		return nil, err
	}
	added, failed := []any{}, []any{}
	for _, user := range in.Users {
		input := cmp.Or(user.UserID, string(user.User))
		if isParent(input) {
			return nil, refuse(100, "A parent business-scoped user id can't be blocked.")
		}
		c, ok := s.byAddress(input)
		if !ok || !c.wroteTo(n.id, s.clock.Now().Add(-window)) {
			failed = append(failed, map[string]any{"input": input, "errors": []any{map[string]any{
				"code": 131047, "message": "Re-engagement message", "error_data": map[string]any{"details": "The user has not written in the last 24 hours."}}}})
			continue
		}
		if n.blockedFull() {
			return nil, refuse(139101, "The block list has %d users already.", maxBlocked)
		}
		entry := c.blockEntry(n.account)
		n.block(c.snapshot().Code, entry)
		added = append(added, map[string]any{"input": input, "wa_id": entry.WaID, "user_id": entry.UserID})
	}
	s.saver.touch()
	if len(failed) > 0 {
		return nil, &graphError{Code: 139100, Details: fmt.Sprintf("%d of %d users could not be blocked.", len(failed), len(in.Users)),
			partly: map[string]any{"added_users": added, "failed_users": failed}}
	}
	return map[string]any{"messaging_product": "whatsapp", "block_users": map[string]any{"added_users": added}}, nil
}

// maxBlocked is how many users a number's block list holds.
const maxBlocked = 64000

func (n *number) blockedFull() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.state.Blocked) >= maxBlocked
}

// isParent tells a parent BSUID, "IT.ENT.…", by its second part.
func isParent(id string) bool { return len(id) > 7 && id[2:7] == ".ENT." }

func (c *citizen) blockEntry(a *account) blockedCitizen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return blockedCitizen{WaID: c.state.Phone, UserID: c.state.userID(a)}
}

func (n *number) block(code string, entry blockedCitizen) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.state.Blocked == nil {
		n.state.Blocked = map[string]blockedCitizen{}
	}
	n.state.Blocked[code] = entry
}

func (s *Server) unblockUsers(n *number, body []byte) (any, *graphError) {
	in, err := readBlock(body)
	if err != nil {
		return nil, err
	}
	removed := []any{}
	for _, user := range in.Users {
		input := cmp.Or(user.UserID, string(user.User))
		if c, ok := s.byAddress(input); ok {
			code := c.snapshot().Code
			n.mu.Lock()
			delete(n.state.Blocked, code)
			n.mu.Unlock()
			removed = append(removed, map[string]any{"input": input})
		}
	}
	s.saver.touch()
	return map[string]any{"messaging_product": "whatsapp", "block_users": map[string]any{"removed_users": removed}}, nil
}

// listBlocked is GET /{phone_number_id}/block_users, page by page. An entry has no id of its own.
func (s *Server) listBlocked(g *graphRequest, n *number) (any, *graphError) {
	var items []listed
	n.mu.Lock()
	for code, entry := range n.state.Blocked {
		items = append(items, listed{key: code, node: map[string]any{"messaging_product": "whatsapp", "wa_id": entry.WaID, "user_id": entry.UserID}})
	}
	n.mu.Unlock()
	slices.SortFunc(items, func(a, b listed) int { return cmp.Compare(a.key, b.key) })
	page, err := paginate(items, g.query, s.baseURL(g.Request)+g.URL.Path, []string{"messaging_product", "wa_id", "user_id"})
	if err != nil {
		return nil, err
	}
	for _, entry := range page["data"].([]map[string]any) {
		if entry["wa_id"] == "" { // left out, not empty, as everywhere
			delete(entry, "wa_id")
		}
	}
	return page, nil
}

// subscriptions is GET /{waba_id}/subscribed_apps. The fields that may be asked for are those of the app (id, name, link),
// which stands one level deeper in an entry.
func (a *account) subscriptions(q url.Values, self string) (any, *graphError) {
	st, fields := a.snapshot(), q.Get("fields")
	if !st.Subscribed {
		return paginate(nil, q, self, nil)
	}
	ofApp, deeper := subfields(fields, "whatsapp_business_api_data")
	if !deeper {
		ofApp = fields
	}
	app := map[string]any{"id": appID, "name": "Simulator", "link": "https://www.facebook.com/games/?app_id=" + appID}
	entry := map[string]any{"whatsapp_business_api_data": project(app, ofApp, []string{"name", "link"})}
	if st.OverrideURL != "" && (fields == "" || slices.Contains(fieldNames(fields), "override_callback_uri")) {
		entry["override_callback_uri"] = st.OverrideURL
	}
	page := maps.Clone(q)
	page.Del("fields")
	return paginate([]listed{{key: appID, node: entry}}, page, self, []string{"whatsapp_business_api_data", "override_callback_uri"})
}

// subscribe subscribes the app and sets or, without a body, removes the override of the callback.
func (s *Server) subscribe(g *graphRequest, a *account) (any, *graphError) {
	var in struct {
		URL         string `json:"override_callback_uri"`
		VerifyToken string `json:"verify_token"`
	}
	if len(g.body) > 0 {
		if err := json.Unmarshal(g.body, &in); err != nil {
			return nil, badJSON(err)
		}
	}
	if in.URL != "" {
		if err := s.checkOverride(g, in.URL, in.VerifyToken); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	a.state.Subscribed, a.state.OverrideURL = true, in.URL
	a.mu.Unlock()
	a.hooks.retryNow()
	s.saver.touch()
	return success, nil
}

func (s *Server) checkOverride(g *graphRequest, callback, token string) *graphError {
	if err := checkCallback(callback); err != nil {
		return refuse(100, "Param override_callback_uri: %v", err)
	}
	if token == "" {
		return refuse(100, "The parameter verify_token is required.")
	}
	if err := s.verifyCallback(g.Context(), callback, token); err != nil {
		return &graphError{Code: 2200, Title: "Callback verification failed with the following errors: " + err.Error()}
	}
	return nil
}

func (s *Server) unsubscribe(a *account) (any, *graphError) {
	a.mu.Lock()
	a.state.Subscribed = false
	a.mu.Unlock()
	s.saver.touch()
	return success, nil
}
