// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"cmp"
	"errors"
	"time"

	"github.com/tidwall/gjson"
)

// Error is one error of a webhook: of the account, of an inbound message or of
// a failed status. Branch on Code only; Meta's words may change.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
type Error struct {
	Code                          int
	Title, Message, Details, Href string
}

// readErrors reads the errors of any age: details within error_data, error_data
// as a string, details beside the code, an error that is but a string, or one
// outside an array.
func readErrors(v gjson.Result) []Error {
	list, ok := items(v)
	if !ok {
		list = []gjson.Result{v}
	}
	var read []Error
	for _, e := range list {
		if one := readError(e); one != (Error{}) {
			read = append(read, one)
		}
	}
	return read
}

func readError(v gjson.Result) Error {
	if !v.IsObject() {
		return Error{Message: text(v)}
	}
	return Error{
		Code:    integer(v.Get("code")),
		Title:   text(v.Get("title")),
		Message: text(v.Get("message")),
		Details: details(v),
		Href:    text(v.Get("href")),
	}
}

func details(v gjson.Result) string {
	data := v.Get("error_data")
	return cmp.Or(text(data.Get("details")), text(data), text(v.Get("details")))
}

// NotDone tells that what was asked for was not done: Meta said so in so many words, or was never asked. After any other
// failure it may have been done.
func NotDone(err error) bool {
	_, graph := errors.AsType[*GraphError](err)
	_, block := errors.AsType[BlockError](err)
	_, limit := errors.AsType[*LimitError](err)
	return graph || block || limit
}

// ErrorCode is Meta's code of a failed call, 0 where it gave none.
func ErrorCode(err error) int {
	if block, ok := errors.AsType[BlockError](err); ok {
		return block.Code
	}
	if graph, ok := errors.AsType[*GraphError](err); ok {
		return graph.Code
	}
	return 0
}

// Class is what an error asks of the sender.
type Class int

// Classes of error.
const (
	Fix          Class = iota // this message will never go; a bug or configuration
	Retry                     // later, with growing pauses
	Slow                      // lower the rate of this number, then retry
	Pair                      // too much to this citizen: wait 4^n seconds, retry
	Stop                      // nothing will go until a person acts
	Dead                      // this citizen cannot be reached now
	OptOut                    // this citizen refused: record it
	NeedTemplate              // needs a template, or another one
	Info                      // nothing to do for the message
)

// Advice is what to do about an error code.
type Advice struct {
	Class          Class
	StopsNumber    bool          // nothing more from this number until a person acts
	StopsBroadcast bool          // the broadcast will fail for everybody: pause it
	Tries          int           // how often at most to retry; 0 is the caller's usual
	Wait           time.Duration // how long at least before a retry
	Reason         string        // key of the sentence for people, such as "window_closed"
}

// Classify advises on the code of a parsed Graph error, and only of such: an
// answer without one tells nothing about the message. An unknown code concerns
// its message only; whoever sees it on many in a row should stop.
func Classify(code int) Advice {
	if code >= 200 && code <= 299 {
		code = 200
	}
	if code >= 131201 && code <= 131215 {
		code = 131201
	}
	if a, ok := advice[code]; ok {
		return a
	}
	return Advice{Class: Fix, Reason: reasonUnknown}
}

const reasonUnknown = "unknown_error"

func stopNumber(reason string) Advice {
	return Advice{Class: Stop, StopsNumber: true, StopsBroadcast: true, Reason: reason}
}

func stopBroadcast(class Class, reason string) Advice {
	return Advice{Class: class, StopsBroadcast: true, Reason: reason}
}

func fix(reason string) Advice  { return Advice{Class: Fix, Reason: reason} }
func info(reason string) Advice { return Advice{Class: Info, Reason: reason} }

// advice is Meta's error table with what each means for a sender.
var advice = map[int]Advice{
	// token, permission, account
	0:      stopNumber("token_invalid"),
	3:      stopNumber("permission_missing"),
	10:     stopNumber("permission_missing"),
	33:     stopNumber("permission_missing"),
	190:    stopNumber("token_invalid"),
	200:    stopNumber("permission_missing"), // and 201 to 299
	368:    stopNumber("account_blocked"),
	131005: stopNumber("permission_missing"),
	131031: stopNumber("account_blocked"),
	131037: stopNumber("display_name_missing"),
	131042: stopNumber("payment_problem"),
	131045: stopNumber("number_not_registered"),
	131048: stopNumber("spam_limited"),
	133010: stopNumber("number_not_registered"),
	141008: stopNumber("account_blocked"),
	141010: stopNumber("account_blocked"),
	141014: stopNumber("account_blocked"),
	131064: stopBroadcast(Stop, "account_blocked"),

	// trouble at Meta
	1:       {Class: Retry, Tries: 3, Reason: "meta_unavailable"},
	2:       {Class: Retry, Reason: "meta_unavailable"},
	131000:  {Class: Retry, Reason: "meta_unavailable"},
	131016:  {Class: Retry, Reason: "meta_unavailable"},
	131036:  {Class: Retry, Reason: "meta_unavailable"},
	131057:  {Class: Retry, Wait: time.Minute, Reason: "number_in_maintenance"},
	133004:  {Class: Retry, Reason: "meta_unavailable"},
	133015:  {Class: Retry, Wait: 5 * time.Minute, Reason: "number_in_maintenance"},
	134101:  {Class: Retry, Wait: 10 * time.Minute, Reason: "meta_unavailable"},
	134102:  {Class: Retry, Wait: 10 * time.Minute, Reason: "meta_unavailable"},
	139103:  {Class: Retry, Reason: "meta_unavailable"},
	2494100: {Class: Retry, Wait: time.Minute, Reason: "number_in_maintenance"},

	// too fast
	4:      {Class: Slow, Reason: "rate_limited"},
	613:    {Class: Slow, Reason: "rate_limited"},
	80007:  {Class: Slow, Reason: "rate_limited"},
	130429: {Class: Slow, Reason: "rate_limited"},
	131056: {Class: Pair, Reason: "citizen_rate_limited"},

	// the citizen
	130472: {Class: Dead, Reason: "marketing_experiment"},
	130497: {Class: Dead, Reason: "country_not_allowed"},
	131021: {Class: Dead, Reason: "recipient_is_sender"},
	131026: {Class: Dead, Reason: "not_reachable"},
	131049: {Class: Dead, Reason: "marketing_limited"}, // not before 24 hours, never in a loop
	131050: {Class: OptOut, Reason: "marketing_refused"},
	131030: fix("recipient_not_allowed"),
	131062: fix("phone_needed"),
	137000: fix("identity_changed"), // send nothing personal before the citizen is verified again

	// window and templates
	131047: {Class: NeedTemplate, Reason: "window_closed"},
	139200: {Class: NeedTemplate, Reason: "window_closed"},
	132000: stopBroadcast(Fix, "template_parameters"),
	132001: stopBroadcast(NeedTemplate, "template_missing"),
	132005: fix("text_too_long"),
	132007: stopBroadcast(NeedTemplate, "template_refused"),
	132008: fix("template_parameters"),
	132012: stopBroadcast(Fix, "template_parameters"),
	132015: stopBroadcast(NeedTemplate, "template_paused"),
	132016: stopBroadcast(NeedTemplate, "template_disabled"),
	132018: fix("template_parameters"),
	132068: fix("category_not_allowed"),
	132069: fix("category_not_allowed"),
	131055: fix("category_not_allowed"),
	131063: stopBroadcast(Fix, "category_not_allowed"),
	134100: fix("category_not_allowed"),

	// the message
	100:    fix("message_invalid"),
	131008: fix("message_invalid"),
	131009: fix("message_invalid"),
	131020: fix("message_invalid"),
	131041: fix("message_invalid"),
	131051: fix("type_unsupported"),
	131059: fix("message_invalid"),
	131201: fix("message_invalid"), // and up to 131215: groups, which we never address
	130403: fix("message_invalid"),
	135000: {Class: Retry, Tries: 1, Reason: "message_invalid"},

	// media
	131014: {Class: Retry, Tries: 1, Reason: "media_refused"},
	131053: {Class: Retry, Tries: 1, Reason: "media_refused"},
	131052: info("media_not_received"),

	// registration and account management
	133000:  fix("number_not_registered"),
	133005:  fix("pin_wrong"),
	133006:  fix("number_not_registered"),
	133008:  fix("pin_wrong"),
	133009:  fix("pin_wrong"),
	133016:  fix("registration_limited"),
	2388019: fix("template_limit_reached"),
	2388040: fix("not_concerning_messages"),
	2388047: fix("not_concerning_messages"),
	2388072: fix("not_concerning_messages"),
	2388073: fix("not_concerning_messages"),
	2388293: fix("not_concerning_messages"),
	2388299: fix("not_concerning_messages"),

	// nothing to do for a message
	131035:  info("webhook_lost"),
	131044:  info("not_concerning_messages"),
	134011:  info("not_concerning_messages"),
	139100:  info("not_concerning_messages"),
	139101:  info("not_concerning_messages"),
	139102:  info("not_concerning_messages"),
	147001:  info("not_concerning_messages"),
	147002:  info("not_concerning_messages"),
	147003:  info("not_concerning_messages"),
	147004:  info("not_concerning_messages"),
	147005:  info("not_concerning_messages"),
	200005:  info("not_concerning_messages"),
	200006:  info("not_concerning_messages"),
	200007:  info("not_concerning_messages"),
	1752041: info("not_concerning_messages"),
	2388318: info("not_concerning_messages"),
	2388330: info("not_concerning_messages"),
	2593107: info("not_concerning_messages"),
	2593108: info("not_concerning_messages"),
	2593109: info("not_concerning_messages"),
}
