// SPDX-License-Identifier: AGPL-3.0-or-later

package locale

// GraphError is the sentence for an error code of Meta's Cloud API
// (developers.facebook.com, whatsapp/cloud-api/support/error-codes): what
// happened and what to do. A code without a sentence of its own has
// "graph.unknown", the only one with a place: {code}.
func GraphError(code int) Key {
	switch code {
	case 131047:
		return "graph.window_closed"
	case 131026:
		return "graph.not_on_whatsapp"
	case 131021:
		return "graph.same_number"
	case 131030:
		return "graph.test_number"
	case 130497:
		return "graph.country"
	case 131062:
		return "graph.user_id_recipient"
	case 131050:
		return "graph.opted_out"
	case 131049:
		return "graph.not_delivered_by_meta"
	case 130472:
		return "graph.experiment"
	case 137000:
		return "graph.identity_changed"
	case 0, 190:
		return "graph.token"
	case 131042, 131044:
		return "graph.payment"
	case 4, 613, 80007, 130429:
		return "graph.rate"
	case 131056:
		return "graph.pair_rate"
	case 368, 131031, 131064, 141008, 141014:
		return "graph.blocked"
	case 131048:
		return "graph.spam"
	case 1, 2, 131000, 131016, 133004, 135000:
		return "graph.unavailable"
	case 131057, 2494100:
		return "graph.maintenance"
	case 100, 131008, 131009:
		return "graph.parameter"
	case 131051:
		return "graph.unsupported_type"
	case 131014, 131053:
		return "graph.media"
	case 131052:
		return "graph.inbound_media"
	case 131035:
		return "graph.inbound_lost"
	case 131036:
		return "graph.resend_refused"
	case 132001:
		return "graph.template_missing"
	case 132015:
		return "graph.template_paused"
	case 132016:
		return "graph.template_disabled"
	case 132000, 132008, 132012, 132018:
		return "graph.template_parameters"
	case 132005:
		return "graph.template_too_long"
	case 132007:
		return "graph.template_policy"
	case 2388019:
		return "graph.template_limit"
	case 131045, 133000, 133006, 133010, 141010:
		return "graph.not_registered"
	case 131037:
		return "graph.display_name"
	case 133005, 133008, 133009:
		return "graph.pin"
	case 133015, 133016:
		return "graph.wait"
	case 131055, 131063, 139200:
		return "graph.configuration"
	case 3, 10, 33, 131005:
		return "graph.permission"
	}
	if 200 <= code && code <= 299 {
		return "graph.permission"
	}
	return "graph.unknown"
}
