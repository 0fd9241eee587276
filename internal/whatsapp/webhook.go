// SPDX-License-Identifier: AGPL-3.0-or-later

// Package whatsapp speaks the WhatsApp Cloud API: it checks and reads what
// Meta's webhooks bring, and sends through the Graph API. It knows nothing of
// municipalities, conversations or databases.
//
// Reading is lenient, because a webhook answered with 200 never comes again:
// what can be understood is, what cannot is handed back raw, and one bad item
// never holds back its neighbours. Sending is strict: limits are checked
// before the wire, and each send ends in exactly one Outcome, of which Unknown
// is the one that must never be tried again by itself.
package whatsapp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Webhook is what one POST of Meta's brought.
type Webhook struct {
	// Changes of all entries, in the order of the payload.
	Changes []Change
}

// Change is one entry[].changes[] of a webhook: one field of one WhatsApp
// Business Account, mostly "messages".
type Change struct {
	EntryID      string    // the WABA; of news about partners, whose entries are of the portfolio, the one they name
	EntryTime    time.Time // zero when absent, which is usual for messages
	Field        string    // "messages", "account_update", …; unknown ones are kept
	Index        int       // place of the change in the payload, from 0
	Messages     []Message
	Statuses     []StatusUpdate
	Errors       []Error // of account or system, not of a message
	Preferences  []Preference
	Bad          []BadItem       // what could not be understood
	Raw          json.RawMessage // the change as it came
	DisplayPhone string          // digits of the business number, "" if absent
	Unread       []string        // lists of the field "messages" that nothing here reads, by their keys

	// PhoneNumberID is the business number the change is about, by which it
	// must be routed; "" where Meta sends no metadata (account fields).
	PhoneNumberID string
}

// BadItem is a part of a change that could not be understood.
type BadItem struct {
	Reason string // a machine word, one of the Bad… constants
	Detail string // an English sentence, free of personal data
	Raw    json.RawMessage
}

// Reasons of a BadItem.
const (
	BadEntry     = "entry_malformed"   // an entry without changes
	BadChange    = "change_malformed"  // a change that is no object, or without value
	BadList      = "list_malformed"    // messages, statuses… that is no array
	BadShape     = "item_malformed"    // an item that is no object
	BadDepth     = "item_too_deep"     // an item nested beyond reason
	BadID        = "id_missing"        // an item without usable id
	BadSender    = "sender_missing"    // a message from neither a phone nor a user id
	BadContent   = "content_malformed" // a known type whose content has another shape
	BadStatus    = "status_missing"    // a status update that does not say which
	BadRecipient = "recipient_missing" // a preference of nobody
)

// Preference is what a citizen told WhatsApp about our messages: with Value
// "stop" and Category "marketing_messages" it is a legal opt-out.
type Preference struct {
	Phone, UserID           string // at least one is there
	Category, Value, Detail string // the first two in small letters
	At                      time.Time
	AtFallback              bool // no usable time: take that of receipt
	Raw                     json.RawMessage
}

// ErrNotWebhook is wrapped by the errors of ParseWebhook.
var ErrNotWebhook = errors.New("not a WhatsApp webhook")

const (
	// maxDepth bounds the nesting of an item. Meta's deepest is about 10; the
	// raw item goes on into a database that recurses over it.
	maxDepth = 64
	// maxID bounds an id. Meta's are below 200 bytes; ids go into unique
	// indexes, which refuse long values and would fail the whole batch.
	maxID = 512
)

// ParseWebhook reads the body of a webhook whose signature has been verified.
// The error, which wraps ErrNotWebhook, means that the body as a whole is not
// a webhook: not JSON, or without an array of entries. Everything smaller that
// is wrong is in the Bad of its change. Invalid UTF-8 is replaced, and texts
// hold no NUL bytes; raw items may still hold an escaped one, which jsonb
// refuses. Texts share the memory of one copy of the body.
func ParseWebhook(body []byte) (*Webhook, error) {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	if !json.Valid(body) {
		return nil, notWebhook("the body is not valid JSON")
	}
	s := string(body)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	root := gjson.Parse(s)
	if !root.IsObject() {
		return nil, notWebhook("the body is not a JSON object")
	}
	deep := nestsDeeper(s, maxDepth)
	w := &Webhook{}
	if root.Get("value").IsObject() && !root.Get("entry").Exists() { // one change alone, as Meta's app dashboard shows its samples
		w.add(readChange(root, deep))
		return w, nil
	}
	entries, ok := listed(root.Get("entry"), "changes")
	if !ok {
		return nil, notWebhook("the body has no array of entries")
	}
	for _, entry := range entries {
		w.addEntry(entry, deep)
	}
	return w, nil
}

// listed are the elements of an array, or the one object that stands there alone and has what each of them would have.
func listed(v gjson.Result, has string) ([]gjson.Result, bool) {
	if v.IsObject() && v.Get(has).Exists() {
		return []gjson.Result{v}, true
	}
	return v.Array(), v.IsArray()
}

func notWebhook(why string) error {
	return &malformed{why}
}

type malformed struct{ why string }

func (m *malformed) Error() string { return "read webhook: " + m.why }
func (m *malformed) Unwrap() error { return ErrNotWebhook }

func (w *Webhook) addEntry(entry gjson.Result, deep bool) {
	id := text(entry.Get("id"))
	at, _ := moment(entry.Get("time"))
	changes, ok := listed(entry.Get("changes"), "value")
	if !entry.IsObject() || !ok {
		c := Change{EntryID: id, EntryTime: at, Raw: raw(entry)}
		c.bad(BadEntry, "The entry is no object with an array of changes.", entry)
		w.add(c)
		return
	}
	for _, change := range changes {
		c := readChange(change, deep)
		c.EntryID, c.EntryTime = cmp.Or(text(change.Get("value.waba_info.waba_id")), id), at
		w.add(c)
	}
}

func (w *Webhook) add(c Change) {
	c.Index = len(w.Changes)
	w.Changes = append(w.Changes, c)
}

// readChange reads one change. Only the field "messages" holds messages of
// ours to read: echoes, history and standby have the same shapes and another
// meaning, so they stay raw.
func readChange(change gjson.Result, deep bool) Change {
	c := Change{Field: text(change.Get("field")), Raw: raw(change)}
	value := change.Get("value")
	if !value.IsObject() {
		c.bad(BadChange, "The change is no object with a value.", change)
		return c
	}
	c.PhoneNumberID = text(value.Get("metadata.phone_number_id"))
	c.DisplayPhone = digits(text(value.Get("metadata.display_phone_number")))
	r := reader{change: &c, deep: deep}
	switch c.Field {
	case "messages", "":
		r.messages(value)
	case "user_preferences":
		r.preferences(value.Get("user_preferences"))
	}
	return c
}

func (c *Change) bad(reason, detail string, v gjson.Result) {
	c.Bad = append(c.Bad, BadItem{Reason: reason, Detail: detail, Raw: raw(v)})
}

// reader fills one change.
type reader struct {
	change *Change
	deep   bool // the payload has an item nested too deep: look at each
}

func (r *reader) messages(value gjson.Result) {
	var messages, statuses []gjson.Result
	var contacts, failures gjson.Result
	each(value, func(key string, v gjson.Result) {
		switch key {
		case "messages": // a key that comes twice brings both lists
			messages = append(messages, r.list(key, v)...)
		case "statuses":
			statuses = append(statuses, r.list(key, v)...)
		case "contacts":
			contacts = v
		case "errors":
			failures = v
		case "user_preferences":
			r.preferences(v)
		default:
			if len(v.Array()) > 0 && v.IsArray() {
				r.change.Unread = append(r.change.Unread, strings.ReplaceAll(key, "\x00", ""))
			}
		}
	})
	people := readPeople(contacts)
	r.change.Messages = make([]Message, 0, len(messages))
	for _, v := range messages {
		r.message(v, people, len(messages) == 1)
	}
	r.change.Statuses = make([]StatusUpdate, 0, len(statuses))
	for _, v := range statuses {
		r.status(v, people)
	}
	r.change.Errors = readErrors(failures)
	r.explain()
}

// explain gives messages without their content, which do not say why, the errors that stand beside them: of a number
// without storage, what waited too long comes so.
func (r *reader) explain() {
	for i := range r.change.Messages {
		if m := &r.change.Messages[i]; m.Kind == KindUnsupported && len(m.Errors) == 0 {
			m.Errors = r.change.Errors
		}
	}
}

// list returns the usable items of an array, or the one that stands there alone, and reports the others.
func (r *reader) list(name string, v gjson.Result) []gjson.Result {
	all, ok := items(v)
	if !ok && v.IsObject() { // one, without the array around it
		all, ok = []gjson.Result{v}, true
	}
	if !ok {
		r.change.bad(BadList, "The value of "+name+" is no array.", v)
	}
	usable := all[:0]
	for _, item := range all {
		switch {
		case !item.IsObject():
			r.change.bad(BadShape, "An item of "+name+" is no object.", item)
		case r.deep && nestsDeeper(item.Raw, maxDepth):
			r.change.bad(BadDepth, "An item of "+name+" is nested too deep.", item)
		default:
			usable = append(usable, item)
		}
	}
	return usable
}

func (r *reader) preferences(list gjson.Result) {
	for _, v := range r.list("user_preferences", list) {
		p := Preference{
			Category: strings.ToLower(text(v.Get("category"))),
			Value:    strings.ToLower(text(v.Get("value"))),
			Detail:   text(v.Get("detail")),
			Raw:      raw(v),
		}
		who := Sender{}
		who.address(text(v.Get("wa_id")))
		who.identify(text(v.Get("user_id")))
		p.Phone, p.UserID = who.Phone, who.UserID
		if !who.usable() {
			r.change.bad(BadRecipient, "A preference names neither a phone nor a user id.", v)
			continue
		}
		at, ok := moment(v.Get("timestamp"))
		p.At, p.AtFallback = at, !ok
		r.change.Preferences = append(r.change.Preferences, p)
	}
}

// usableID tells whether an id can be a key.
func usableID(id string) bool { return id != "" && len(id) <= maxID }
