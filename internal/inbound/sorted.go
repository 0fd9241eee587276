// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

// sorted is what the entries hold for one municipality, sorted by what is to be done with it.
type sorted struct {
	m        *municipality.Municipality
	messages []received
	statuses []told
	wishes   []wish
	news     []news
	tallies  map[conversation.Tally]int64

	keptSince time.Time // messages that came before are kept no longer
}

// received is a message with what its entry adds.
type received struct {
	whatsapp.Message
	number string
	place  int
}

// told is a status with the number it was told of.
type told struct {
	whatsapp.StatusUpdate
	number string
}

// wish is what a citizen told WhatsApp about our marketing messages, with the number of the change.
type wish struct {
	whatsapp.Preference
	number string
}

// bad is what of an entry can't be understood: the whole, or what stands at a place in it.
func bad(e journal.Entry, place, reason, detail string, body []byte) journal.Bad {
	return journal.Bad{Municipality: e.Municipality, Entry: e.ID, Place: place, Reason: reason, Detail: detail, Body: body}
}

// sort takes an entry apart and returns what of it can't be understood. A webhook is good only for the
// municipality's own numbers, or, where it names none, for its own accounts.
func (s *sorted) sort(e journal.Entry) (quarantined []journal.Bad) {
	w, err := whatsapp.ParseWebhook(e.Body)
	if err != nil {
		return []journal.Bad{bad(e, "", "not_a_webhook", err.Error(), e.Body)}
	}
	place := 0
	for i, c := range w.Changes {
		at := "change/" + strconv.Itoa(i)
		if reason := s.foreign(c); reason != "" {
			quarantined = append(quarantined, bad(e, at, reason, "It is about a number or an account that this municipality's file does not have.", c.Raw))
			continue
		}
		if c.PhoneNumberID == "" && len(c.Messages)+len(c.Statuses) > 0 {
			if c.PhoneNumberID = s.onlyNumber(c); c.PhoneNumberID == "" {
				quarantined = append(quarantined, bad(e, at, "number_missing", "It does not say to which of the account's numbers it came.", c.Raw))
				continue
			}
		}
		for k, b := range c.Bad {
			quarantined = append(quarantined, bad(e, at+"/item/"+strconv.Itoa(k), string(b.Reason), b.Detail, b.Raw))
		}
		s.change(e, c, &place)
	}
	return quarantined
}

func (s *sorted) foreign(c whatsapp.Change) string {
	if c.PhoneNumberID != "" {
		if anyNumber(s.m, func(n municipality.Number) bool { return n.PhoneNumberID == c.PhoneNumberID }) {
			return ""
		}
		return "foreign_number"
	}
	if anyNumber(s.m, func(n municipality.Number) bool { return n.WABAID == c.EntryID }) {
		return ""
	}
	return "foreign_account"
}

// onlyNumber is the number that a change without its id must mean: the one it shows, or the only one of its account.
func (s *sorted) onlyNumber(c whatsapp.Change) string {
	var ofAccount []string
	for _, n := range s.m.Numbers {
		if c.DisplayPhone != "" && strings.TrimPrefix(n.E164, "+") == c.DisplayPhone {
			return n.PhoneNumberID
		}
		if n.WABAID == c.EntryID {
			ofAccount = append(ofAccount, n.PhoneNumberID)
		}
	}
	if len(ofAccount) != 1 {
		return ""
	}
	return ofAccount[0]
}

// fast is how far WhatsApp's clock may be before ours: a word from the future would hold against all that follow it.
const fast = time.Minute

// since is when something happened: as told, or, where that is no time or one to come, when we were told.
func since(at time.Time, fallback bool, e journal.Entry) time.Time {
	if fallback || at.After(e.ReceivedAt.Add(fast)) {
		return e.ReceivedAt
	}
	return at
}

func (s *sorted) change(e journal.Entry, c whatsapp.Change, place *int) {
	for _, w := range c.Preferences {
		w.At = since(w.At, w.AtFallback, e)
		s.wishes = append(s.wishes, wish{Preference: w, number: c.PhoneNumberID})
	}
	if c.Field != "messages" && c.Field != "" { // one without a name is read as messages
		s.count(e, c.PhoneNumberID, "field:"+clip(c.Field))
		s.tell(e, c)
		return
	}
	for _, failure := range c.Errors {
		s.count(e, c.PhoneNumberID, "webhook_error")
		if raw, err := json.Marshal(failure); err == nil { // plain texts always marshal
			s.keepExample(e, c, fieldErrors, strconv.Itoa(failure.Code), raw)
		}
	}
	for _, m := range c.Messages {
		*place++
		s.message(e, c, m, *place)
	}
	for _, key := range c.Unread {
		s.count(e, c.PhoneNumberID, "list:"+clip(key))
	}
	for _, u := range c.Statuses {
		s.status(e, c, u)
	}
}

func (s *sorted) message(e journal.Entry, c whatsapp.Change, m whatsapp.Message, place int) {
	if e.Replayed && e.ReceivedAt.Before(s.keptSince) { // its neighbours were deleted since: they must not come back with it
		s.count(e, c.PhoneNumberID, "kept_no_longer")
		return
	}
	if m.GroupID != "" {
		s.count(e, c.PhoneNumberID, "group_message")
		s.keep(c, fieldGroup, whatsapp.News{}, cmp.Or(m.At, e.ReceivedAt), m.Raw)
		return
	}
	if s.own(c.PhoneNumberID, m.From.Phone) { // what the number itself wrote is nobody's message to it
		s.count(e, c.PhoneNumberID, "own_message")
		s.keep(c, whatsapp.FieldEchoes, whatsapp.News{}, cmp.Or(m.At, e.ReceivedAt), m.Raw)
		return
	}
	at := since(m.At, m.AtFallback, e)
	m.At, m.AtFallback = at, m.AtFallback || !at.Equal(m.At)
	s.messages = append(s.messages, received{Message: m, number: c.PhoneNumberID, place: place})
}

func (s *sorted) status(e journal.Entry, c whatsapp.Change, u whatsapp.StatusUpdate) {
	if u.Subject != "" { // of a payment or a call, whose failure is not a message's
		s.count(e, c.PhoneNumberID, "status_of:"+clip(u.Subject))
		s.keepExample(e, c, fieldStatus, u.Subject+" "+u.Status, u.Raw)
		return
	}
	if _, known := conversation.StatusOf(strings.ToLower(u.Status)); !known || u.GroupID != "" {
		s.count(e, c.PhoneNumberID, "status:"+clip(u.Status))
		s.keepExample(e, c, fieldStatus, u.Status, u.Raw)
		return
	}
	u.At = since(u.At, u.AtFallback, e)
	s.statuses = append(s.statuses, told{StatusUpdate: u, number: c.PhoneNumberID})
}

// own tells whether the phone is that of the number.
func (s *sorted) own(number, phone string) bool {
	return phone != "" && anyNumber(s.m, func(n municipality.Number) bool {
		return n.PhoneNumberID == number && strings.TrimPrefix(n.E164, "+") == phone
	})
}

func (s *sorted) count(e journal.Entry, number, name string) {
	s.tallies[conversation.Tally{Day: e.ReceivedAt.Format(time.DateOnly), Number: number, Name: name}]++
}

// clip keeps a word from outside from becoming an endless name. It cuts between letters: half of one is no text
// that PostgreSQL stores.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 60)], "") }
