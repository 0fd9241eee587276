// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write what is understood into testdata/webhooks/*.want")

// TestParseWebhookOddities reads each payload of testdata/webhooks, which are
// named after the oddity they hold; the .want beside it tells what is to be
// understood, a line for each thing.
func TestParseWebhookOddities(t *testing.T) {
	files, err := filepath.Glob("testdata/webhooks/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d payloads, error %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			got := strings.Join(tell(parseFile(t, name)), "\n") + "\n"
			truth := strings.TrimSuffix(file, ".json") + ".want"
			if *update {
				if err := os.WriteFile(truth, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(truth)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "webhooks", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func parseFile(t testing.TB, name string) *Webhook {
	t.Helper()
	w, err := ParseWebhook(readFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// tell lists what a webhook holds. Changes show their number and field only
// where these are not the usual ones.
func tell(w *Webhook) []string {
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	for _, c := range w.Changes {
		if c.Field != "messages" || c.PhoneNumberID != "106500001" || c.EntryID != "102200001" {
			say("change %s %s of %s", c.Field, c.PhoneNumberID, c.EntryID)
		}
		for _, m := range c.Messages {
			say("%s", tellMessage(m))
		}
		for _, s := range c.Statuses {
			say("%s", tellStatus(s))
		}
		for _, p := range c.Preferences {
			say("preference %s/%s %s %s fallback=%t", p.Phone, p.UserID, p.Category, p.Value, p.AtFallback)
		}
		for _, e := range c.Errors {
			say("error %s", tellError(e))
		}
		for _, b := range c.Bad {
			say("bad %s %.60s", b.Reason, compact(b.Raw))
		}
	}
	return lines
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func tellMessage(m Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s from %s", m.Kind, m.ID, tellSender(m.From))
	if m.Text != "" {
		fmt.Fprintf(&b, " %q", m.Text)
	}
	if m.Type != string(m.Kind) {
		fmt.Fprintf(&b, " type=%q", m.Type)
	}
	if m.AtFallback {
		b.WriteString(" time?")
	}
	if md := m.Media; md != nil {
		fmt.Fprintf(&b, " media=%s %s %s voice=%t animated=%t", md.ID, md.MIME, md.Filename, md.Voice, md.Animated)
	}
	if l := m.Location; l != nil {
		fmt.Fprintf(&b, " at %v,%v %s %s", l.Latitude, l.Longitude, l.Name, l.Address)
	}
	for _, c := range m.Contacts {
		fmt.Fprintf(&b, " card=%s origin=%s vcard=%s", compact(c), c.Origin, c.VCard)
	}
	if m.Reaction != nil {
		fmt.Fprintf(&b, " to %s", m.Reaction.MessageID)
	}
	if r := m.Reply; r != nil {
		fmt.Fprintf(&b, " reply=%s id=%q description=%q name=%q response=%s", r.Type, r.ID, r.Description, r.Name, r.Response)
		if r.Words != "" {
			fmt.Fprintf(&b, " words=%q", r.Words)
		}
		if !r.Expires.IsZero() {
			fmt.Fprintf(&b, " until=%d", r.Expires.Unix())
		}
	}
	if m.Order != nil {
		fmt.Fprintf(&b, " catalog=%s items=%s", m.Order.CatalogID, compact(m.Order.Items))
	}
	if s := m.System; s != nil {
		fmt.Fprintf(&b, " system=%s phone=%s user=%s previous=%s identity=%s", s.Type, s.Phone, s.UserID, s.PreviousUserID, s.IdentityHash)
	}
	if m.TargetID != "" {
		b.WriteString(" target=" + m.TargetID)
	}
	if m.Unclear {
		b.WriteString(" unclear")
	}
	if m.GroupID != "" {
		b.WriteString(" group=" + m.GroupID)
	}
	if m.Referral != nil {
		fmt.Fprintf(&b, " referral=%+v", *m.Referral)
	}
	if m.ReplyTo != "" || m.ContextFrom != "" {
		fmt.Fprintf(&b, " replies to %s of %s", m.ReplyTo, m.ContextFrom)
	}
	if m.Product != nil {
		fmt.Fprintf(&b, " product=%+v", *m.Product)
	}
	if m.Forwarded {
		b.WriteString(" forwarded")
	}
	if m.Frequently {
		b.WriteString(" frequently")
	}
	if m.Subtype != "" {
		b.WriteString(" subtype=" + m.Subtype)
	}
	for _, e := range m.Errors {
		b.WriteString(" error " + tellError(e))
	}
	return b.String()
}

func tellSender(s Sender) string {
	parts := []string{s.Phone, s.UserID, s.ParentUserID, s.Username, s.Name, s.IdentityHash}
	return "<" + strings.TrimRight(strings.Join(parts, "|"), "|") + ">"
}

func tellStatus(s StatusUpdate) string {
	var b strings.Builder
	who := Sender{Phone: s.RecipientPhone, UserID: s.RecipientUserID, ParentUserID: s.RecipientParentUserID, Username: s.Username, Name: s.Name}
	fmt.Fprintf(&b, "status %s %s to %s", s.ID, s.Status, tellSender(who))
	if s.AtFallback {
		b.WriteString(" time?")
	}
	if s.CallbackData != "" {
		fmt.Fprintf(&b, " callback=%s", s.CallbackData)
	}
	if s.Pricing != nil {
		fmt.Fprintf(&b, " pricing=%+v", *s.Pricing)
	}
	if s.GroupID != "" {
		fmt.Fprintf(&b, " group=%s", s.GroupID)
	}
	for _, e := range s.Errors {
		b.WriteString(" error " + tellError(e))
	}
	return b.String()
}

func tellError(e Error) string {
	return fmt.Sprintf("%d %q %q %q", e.Code, e.Title, e.Message, e.Details)
}

func TestParseWebhookRefusesWhatIsNone(t *testing.T) {
	for _, body := range []string{
		``, ` `, `null`, `true`, `12`, `"entry"`, `[]`, `{}`, `{`, `{"entry":null}`, `{"entry":{}}`, `{"entry":"x"}`,
		`{"entry":[]} trailing`, `{"entry":[]`, `<html>`, "\x00", "\xff\xfe",
		strings.Repeat("[", 3<<20), strings.Repeat(`{"entry":[`, 1<<18),
	} {
		w, err := ParseWebhook([]byte(body))
		if !errors.Is(err, ErrNotWebhook) {
			t.Errorf("%.40q: got %v, error %v", body, w, err)
		}
	}
}

func TestTimesAreReadInSecondsAndMilliseconds(t *testing.T) {
	messages := parseFile(t, "bad-times").Changes[0].Messages
	if got := messages[0].At.UnixMilli(); got != 1795000000123 || messages[0].AtFallback {
		t.Errorf("milliseconds: got %d, fallback %t", got, messages[0].AtFallback)
	}
	for _, m := range messages[1:] {
		if !m.At.IsZero() {
			t.Errorf("%s: got time %v of garbage", m.ID, m.At)
		}
	}
	if got := parseFile(t, "text").Changes[0].Messages[0].At.Unix(); got != 1795000000 {
		t.Errorf("seconds: got %d", got)
	}
	c := parseFile(t, "other-fields").Changes[0]
	if c.EntryTime.Unix() != 1795000000 {
		t.Errorf("entry: got %v", c.EntryTime)
	}
}

func TestChangesKeepTheirPlaceAndRawForm(t *testing.T) {
	for i, c := range parseFile(t, "several-entries-and-numbers").Changes {
		if c.Index != i {
			t.Errorf("change %d has index %d", i, c.Index)
		}
	}
	c := parseFile(t, "error-shapes").Changes[0]
	for _, s := range c.Statuses {
		if !strings.Contains(string(c.Raw), string(s.Raw)) || !strings.Contains(string(s.Raw), s.ID) {
			t.Errorf("status %s: raw %s", s.ID, s.Raw)
		}
	}
	if got := parseFile(t, "status-failed").Changes[0].Statuses[0].Errors[0].Href; got != "https://developers.facebook.com/x" {
		t.Errorf("href: got %q", got)
	}
}

// TestRawOfOddBytesIsText holds what a database needs of kept raw items.
func TestRawOfOddBytesIsText(t *testing.T) {
	for _, name := range []string{"invalid-utf8", "lone-surrogate", "nul-bytes-and-invisible-text", "deeply-nested-item"} {
		for _, c := range parseFile(t, name).Changes {
			if !utf8.Valid(c.Raw) || strings.Contains(string(c.Raw), "\x00") {
				t.Errorf("%s: raw is no text: %q", name, c.Raw)
			}
		}
	}
}

// burst is a webhook with n updates, as Meta sends them in the middle of a
// broadcast.
func burst(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"object":"whatsapp_business_account","entry":[{"id":"102200001","changes":[{"field":"messages","value":` +
		`{"messaging_product":"whatsapp","metadata":{"display_phone_number":"390541123456","phone_number_id":"106500001"},"contacts":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"profile":{"name":"Anna %d","username":"@anna.%d"},"wa_id":"39333%07d","user_id":"IT.%d"}`, i, i, i, i)
	}
	b.WriteString(`],"statuses":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"wamid.HBgMMzkzMzMxMjM0NTY3FQIAERgSQzA2RUU5NkY3%08d","status":"delivered","timestamp":"1795000003",`+
			`"recipient_id":"39333%07d","recipient_user_id":"IT.%d","biz_opaque_callback_data":"m:7212345678901234%d",`+
			`"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}`, i, i, i, i)
	}
	b.WriteString(`]}}]}]}`)
	return []byte(b.String())
}

func TestThousandUpdatesInOneWebhook(t *testing.T) {
	w, err := ParseWebhook(burst(1000))
	if err != nil {
		t.Fatal(err)
	}
	statuses := w.Changes[0].Statuses
	if len(statuses) != 1000 || len(w.Changes[0].Bad) != 0 {
		t.Fatalf("got %d statuses, %d bad", len(statuses), len(w.Changes[0].Bad))
	}
	if s := statuses[999]; s.RecipientPhone != "393330000999" || s.Name != "Anna 999" || s.CallbackData != "m:7212345678901234999" {
		t.Errorf("last status: %s", tellStatus(s))
	}
}

func BenchmarkParseThousandStatuses(b *testing.B) {
	body := burst(1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseWebhook(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseOneMessage(b *testing.B) {
	body := readFile(b, "text")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseWebhook(body); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParseWebhook holds what everybody behind the parser relies on.
func FuzzParseWebhook(f *testing.F) {
	files, err := filepath.Glob("testdata/webhooks/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := ParseWebhook(body)
		if err != nil {
			if !errors.Is(err, ErrNotWebhook) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		for _, c := range w.Changes {
			checkChange(t, c)
		}
	})
}

func checkChange(t *testing.T, c Change) {
	t.Helper()
	for _, m := range c.Messages {
		if !usableID(m.ID) || !m.From.usable() || m.Kind == "" || !json.Valid(m.Raw) {
			t.Errorf("unusable message: %s", tellMessage(m))
		}
		if m.At.IsZero() != m.AtFallback {
			t.Errorf("time %v, fallback %t", m.At, m.AtFallback)
		}
	}
	for _, s := range c.Statuses {
		if !usableID(s.ID) || s.Status == "" || !json.Valid(s.Raw) || s.At.IsZero() != s.AtFallback {
			t.Errorf("unusable status: %s", tellStatus(s))
		}
	}
	for _, b := range c.Bad {
		if b.Reason == "" || b.Detail == "" || !json.Valid(b.Raw) {
			t.Errorf("bad item without reason or raw: %+v", b)
		}
	}
	news := c.News()
	for name, value := range news.Facts {
		if name == "" || value == "" {
			t.Errorf("an empty fact: %q is %q", name, value)
		}
	}
	for _, s := range append(texts(reflect.ValueOf(c)), texts(reflect.ValueOf(news))...) {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			t.Errorf("a text that PostgreSQL refuses: %q", s)
		}
	}
}

// texts lists every string within a value.
func texts(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return texts(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		var all []string
		for i := range v.NumField() {
			all = append(all, texts(v.Field(i))...)
		}
		return all
	case reflect.Map:
		var all []string
		for _, key := range v.MapKeys() {
			all = append(all, texts(v.MapIndex(key))...)
		}
		return all
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return []string{string(v.Bytes())}
		}
		var all []string
		for i := range v.Len() {
			all = append(all, texts(v.Index(i))...)
		}
		return all
	default:
		return nil
	}
}

// An id is somebody's identity: what is none, or would burst an index, is left out wherever it stands.
func TestOnlyUserIDsAreIdentities(t *testing.T) {
	const shape = `{"entry":[{"id":"1","changes":[{"field":"messages","value":{
		"contacts":[{"wa_id":"393331234567","parent_user_id":%[1]q}],
		"messages":[{"from":"393331234567","from_parent_user_id":%[1]q,"id":"w1","timestamp":"1764000001","type":"system","system":{
			"type":"user_changed_user_id","user_id":%[1]q,"parent_user_id":%[1]q,"previous_user_id":%[1]q,"previous_parent_user_id":%[1]q}}],
		"statuses":[{"id":"w2","status":"read","timestamp":"1764000001","recipient_id":"393331234567","recipient_user_id":%[1]q,"recipient_parent_user_id":%[1]q}]}}]}]}`
	for value, want := range map[string]string{
		"unknown": "", "0": "", "IT." + strings.Repeat("A", 6000): "", "IT.ENT.1A2B": "IT.ENT.1A2B",
	} {
		w, err := ParseWebhook(fmt.Appendf(nil, shape, value))
		if err != nil || len(w.Changes[0].Messages) != 1 || len(w.Changes[0].Statuses) != 1 {
			t.Fatalf("%.20q: %v", value, err)
		}
		m, u := w.Changes[0].Messages[0], w.Changes[0].Statuses[0]
		for name, got := range map[string]string{
			"the sender's parent": m.From.ParentUserID, "new": m.System.UserID, "new parent": m.System.ParentUserID,
			"previous": m.System.PreviousUserID, "previous parent": m.System.PreviousParentUserID,
			"recipient": u.RecipientUserID, "the recipient's parent": u.RecipientParentUserID,
		} {
			if got != want {
				t.Errorf("%s id of %.20q is %.20q", name, value, got)
			}
		}
	}
}
