// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
)

// systemUserID is the user whose tokens all but the app's are.
const systemUserID = "500000000000001"

// userNode is /me: the system user of the token, its businesses, and their accounts.
func (s *Server) userNode(g *graphRequest) (any, *graphError) {
	if g.asApp {
		return s.appNode(g)
	}
	self := s.baseURL(g.Request) + g.URL.Path
	switch g.Method + " " + g.edge {
	case "GET ":
		user := map[string]any{"id": systemUserID, "name": "Simulator"}
		if inner, asked := subfields(g.query.Get("fields"), "businesses"); asked {
			page, err := s.businesses(g, url.Values{"fields": {inner}}, self+"/businesses")
			if err != nil {
				return nil, err
			}
			user["businesses"] = page
		}
		return project(user, g.query.Get("fields"), []string{"name"}), nil
	case "GET businesses":
		return s.businesses(g, g.query, self)
	case "GET assigned_whatsapp_business_accounts":
		return s.grantedAccounts(g, g.query, self, []string{"name", "status"})
	}
	return nil, unsupported(g)
}

func (s *Server) businesses(g *graphRequest, q url.Values, self string) (any, *graphError) {
	node, err := s.business(g, q.Get("fields"))
	if err != nil {
		return nil, err
	}
	return paginate([]listed{{key: businessID, node: node}}, q, self, []string{"name"})
}

// business is the portfolio of all accounts here, with every field that can be asked for.
func (s *Server) business(g *graphRequest, fields string) (map[string]any, *graphError) {
	node := map[string]any{"id": businessID, "name": g.granted[0].snapshot().Name, "verification_status": "verified", "timezone_id": 71}
	if inner, asked := subfields(fields, "owned_whatsapp_business_accounts"); asked {
		page, err := s.grantedAccounts(g, url.Values{"fields": {inner}}, s.baseURL(g.Request)+"/"+g.version+"/"+businessID+"/owned_whatsapp_business_accounts", ownedUsual)
		if err != nil {
			return nil, err
		}
		node["owned_whatsapp_business_accounts"] = page
	}
	return node, nil
}

// businessNode is /{business_id} with the accounts it owns; there are none of clients.
func (s *Server) businessNode(g *graphRequest) (any, *graphError) {
	self := s.baseURL(g.Request) + g.URL.Path
	switch g.Method + " " + g.edge {
	case "GET ":
		node, err := s.business(g, g.query.Get("fields"))
		if err != nil {
			return nil, err
		}
		return project(node, g.query.Get("fields"), []string{"name"}), nil
	case "GET owned_whatsapp_business_accounts":
		return s.grantedAccounts(g, g.query, self, ownedUsual)
	case "GET client_whatsapp_business_accounts":
		return paginate(nil, g.query, self, nil)
	}
	return nil, unsupported(g)
}

// grantedAccounts are those that the token sees.
func (s *Server) grantedAccounts(g *graphRequest, q url.Values, self string, usual []string) (any, *graphError) {
	var items []listed
	for _, a := range g.granted {
		node, err := s.expandedAccount(g, a, q.Get("fields"))
		if err != nil {
			return nil, err
		}
		items = append(items, listed{key: a.id, node: node})
	}
	slices.SortFunc(items, func(x, y listed) int { return cmp.Compare(x.key, y.key) })
	return paginate(items, q, self, usual)
}

// Fields of an account that are told unless others are asked for: of one, and in the list of a business.
var (
	accountUsual = []string{"name", "timezone_id", "message_template_namespace"}
	ownedUsual   = []string{"name", "timezone_id"}
)

// expandedAccount is an account with every field that can be asked for, and the lists that are asked for as fields.
func (s *Server) expandedAccount(g *graphRequest, a *account, fields string) (map[string]any, *graphError) {
	node := s.accountFields(a)
	of := s.baseURL(g.Request) + "/" + g.version + "/" + a.id + "/"
	for edge, list := range map[string]func(*account, url.Values, string) (any, *graphError){"phone_numbers": s.listNumbers, "message_templates": s.listTemplates} {
		inner, asked := subfields(fields, edge)
		if !asked {
			continue
		}
		page, err := list(a, url.Values{"fields": {inner}}, of+edge)
		if err != nil {
			return nil, err
		}
		node[edge] = page
	}
	return node, nil
}

// fieldsElsewhere are fields of Meta's that nothing here tells; asked for, they are left out as empty ones are.
// Source: https://developers.facebook.com/docs/graph-api/reference
var fieldsElsewhere = map[string][]string{
	"WhatsAppBusinessAccount": {"analytics", "audiences", "assigned_users", "auth_international_rate_eligibility", "call_analytics", "conversation_analytics", "creation_time", "flows",
		"is_enabled_for_insights", "is_shared_with_partners", "link", "linked_commerce_account", "marketing_messages_lite_api_status", "marketing_messages_onboarding_status",
		"message_templates", "on_behalf_of_business_info", "owner_business", "phone_numbers", "pricing_analytics", "primary_business_location", "primary_funding_id",
		"product_catalogs", "purchase_order_number", "schedules", "solutions", "subscribed_apps", "template_analytics", "template_group_analytics"},
	"WhatsAppBusinessPhoneNumber": {"business_compliance_info", "calling", "certificate", "conversational_automation", "country_code", "eligibility_for_api_business_global_search", "host_platform",
		"last_onboarded_time", "new_certificate", "new_display_name", "new_name_status", "official_business_account", "search_visibility", "settings", "unified_cert_status",
		"username", "whatsapp_business_profile", "whatsapp_commerce_settings"},
	"MessageTemplate": {"allow_category_change", "bid_spec", "correct_category", "creative_sourcing_spec", "cta_url_link_tracking_opted_out", "degrees_of_freedom_spec",
		"display_format", "is_primary_device_delivery_only", "last_updated_time", "library_template_name", "message_send_ttl_seconds", "optimization_spec",
		"previous_category", "source", "specific_rejection_reason", "sub_category"},
}

// checkFields refuses a field that a node of this kind never has.
func checkFields(kind string, node map[string]any, fields string) *graphError {
	for _, name := range fieldNames(fields) {
		if _, told := node[name]; !told && name != "" && !slices.Contains(fieldsElsewhere[kind], name) {
			return &graphError{Code: 100, Title: "Tried accessing nonexisting field (" + name + ") on node type (" + kind + ")"}
		}
	}
	return nil
}

// projected is project for a node of a kind whose fields are known.
func projected(kind string, node map[string]any, g *graphRequest, usual []string) (any, *graphError) {
	fields := g.query.Get("fields")
	if g.Method == http.MethodGet {
		if err := checkFields(kind, node, fields); err != nil {
			return nil, err
		}
	}
	return project(node, fields, usual), nil
}
