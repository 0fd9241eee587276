// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import "testing"

func TestClassify(t *testing.T) {
	tests := []struct {
		code              int
		class             Class
		number, broadcast bool
		reason            string
	}{
		{0, Stop, true, true, "token_invalid"},
		{190, Stop, true, true, "token_invalid"},
		{200, Stop, true, true, "permission_missing"},
		{299, Stop, true, true, "permission_missing"},
		{300, Fix, false, false, "unknown_error"},
		{131042, Stop, true, true, "payment_problem"},
		{131048, Stop, true, true, "spam_limited"},
		{131064, Stop, false, true, "account_blocked"},
		{131000, Retry, false, false, "meta_unavailable"},
		{130429, Slow, false, false, "rate_limited"},
		{131056, Pair, false, false, "citizen_rate_limited"},
		{131026, Dead, false, false, "not_reachable"},
		{131050, OptOut, false, false, "marketing_refused"},
		{131047, NeedTemplate, false, false, "window_closed"},
		{132001, NeedTemplate, false, true, "template_missing"},
		{132000, Fix, false, true, "template_parameters"},
		{132015, NeedTemplate, false, true, "template_paused"},
		{100, Fix, false, false, "message_invalid"},
		{131201, Fix, false, false, "message_invalid"},
		{131215, Fix, false, false, "message_invalid"},
		{131052, Info, false, false, "media_not_received"},
		{-1, Fix, false, false, "unknown_error"},
		{424242, Fix, false, false, "unknown_error"},
	}
	for _, test := range tests {
		a := Classify(test.code)
		if a.Class != test.class || a.StopsNumber != test.number || a.StopsBroadcast != test.broadcast || a.Reason != test.reason {
			t.Errorf("%d: got %+v", test.code, a)
		}
	}
}

// TestAdviceIsConsistent holds what senders rely on for the whole table.
func TestAdviceIsConsistent(t *testing.T) {
	for code, a := range advice {
		if a.Reason == "" || a.Reason == reasonUnknown {
			t.Errorf("%d has no reason", code)
		}
		if a.StopsNumber && !a.StopsBroadcast {
			t.Errorf("%d stops the number but not its broadcasts", code)
		}
		if a.Class == Stop && !a.StopsBroadcast {
			t.Errorf("%d is of class Stop and stops nothing", code)
		}
		if (a.Tries > 0 || a.Wait > 0) && a.Class != Retry {
			t.Errorf("%d has tries or a wait and is not retried", code)
		}
	}
}
