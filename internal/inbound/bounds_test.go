// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// noise is a text that no index makes shorter.
func noise(bytes int) string {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < bytes {
		fmt.Fprintf(&b, "%016x", r.Uint64())
	}
	return b.String()[:bytes]
}

// An id that is longer than any of WhatsApp's bursts an index of PostgreSQL's, and with it the whole request.
func TestLongIdsHoldNobodyBack(t *testing.T) {
	long := noise(9000)
	each(t, func(t *testing.T, o *office) {
		o.deliver(change(`"messages":[` + strings.Join([]string{
			text("393331234567", "w1", "1764000001", "buono"),
			`{"from":"393331234567","id":"w2","timestamp":"1764000002","type":"revoke","revoke":{"original_message_id":"` + long + `"}}`,
			`{"from":"393331234567","id":"w3","timestamp":"1764000003","type":"edit","edit":{"original_message_id":"` + long + `","message":{"type":"text","text":{"body":"x"}}}}`,
			`{"from":"393331234567","id":"w4","timestamp":"1764000004","type":"reaction","reaction":{"message_id":"` + long + `","emoji":"👍"}}`,
			`{"from":"393331234567","id":"w5","timestamp":"1764000005","type":"image","context":{"id":"` + long + `"},"image":{"id":"m1","url":"` + long + `","mime_type":"` + long + `","sha256":"` + long + `","filename":"` + long + `"}}`,
			`{"from":"393331234567","id":"w6","timestamp":"1764000006","type":"` + long + `"}`,
			`{"from":"393331234567","id":"w7","timestamp":"1764000007","type":"text","text":{"body":"` + strings.Repeat(long[:40]+" ", 40000) + `"}}`,
		}, ",") + `]`))
		if m := o.messages(); len(m) != 5 {
			t.Errorf("%d messages", len(m))
		}
		for _, q := range o.quarantine() {
			if q.Reason != "content_malformed" {
				t.Errorf("quarantined for %s: %s", q.Reason, q.Detail)
			}
		}
		if n := len(o.quarantine()); n != 2 {
			t.Errorf("%d in quarantine", n)
		}
	})
}

// A time to come would hold against all that is told after it.
func TestTimesToComeAreThoseOfReceipt(t *testing.T) {
	eachOf(t, rimini(), func(t *testing.T, o *office) {
		now := time.Now()
		tell := func(field, value string, entry int64) {
			o.deliver(fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"2001","time":%d,"changes":[{"field":%q,"value":{%s}}]}]}`, entry, field, value))
		}
		wish := func(value string, at time.Time) {
			tell("user_preferences", fmt.Sprintf(`"metadata":{"phone_number_id":"1001"},"user_preferences":[{"wa_id":%q,"category":"marketing_messages","value":%q,"timestamp":%d}]`, citizen, value, at.Unix()), now.Unix())
		}
		c := newClock()
		o.says(c, citizen, "ISCRIZIONE ON")
		wamid := o.accepted(citizen)
		wish("stop", now.AddDate(10, 0, 0))
		wish("resume", now.Add(30*time.Second))
		o.view(func(ctx context.Context, tx *db.Tx) error {
			at, err := broadcast.MarketingStopped(ctx, tx, o.m.ID, o.contact(citizen))
			if at != nil {
				t.Errorf("marketing is stopped since %v", at)
			}
			return err
		})
		tell("business_capability_update", `"max_daily_conversations_per_business":"TIER_250"`, now.AddDate(10, 0, 0).Unix())
		tell("business_capability_update", `"max_daily_conversations_per_business":"TIER_10K"`, now.Add(30*time.Second).Unix())
		o.deliver(change(fmt.Sprintf(`"statuses":[{"id":%q,"status":"read","timestamp":"%d","recipient_id":%q}]`, wamid, now.AddDate(10, 0, 0).Unix(), citizen)))
		o.view(func(ctx context.Context, tx *db.Tx) error {
			var limit string
			if err := tx.QueryRowContext(ctx, `SELECT messaging_limit FROM number WHERE municipality_id = $1`, o.m.ID).Scan(&limit); err != nil {
				return err
			}
			if limit != "TIER_10K" {
				t.Errorf("the limit is %s", limit)
			}
			var read time.Time
			err := tx.QueryRowContext(ctx, `SELECT read_at FROM message WHERE municipality_id = $1 AND external_id = $2`, o.m.ID, wamid).Scan(&read)
			if read.After(now.AddDate(1, 0, 0)) {
				t.Errorf("read at %v", read)
			}
			return err
		})
	})
}

// Numbers are read and kept as they were written, also those that no float holds and no database takes for a number.
func TestLargeNumbersStayAsTheyAre(t *testing.T) {
	answers := `{\"pratica\":12345678901234567890,\"grande\":1e400,\"piccolo\":1e-99999,\"enorme\":1e999999,\"righe\":[1e400,2]}`
	each(t, func(t *testing.T, o *office) {
		o.deliver(change(`"messages":[{"from":"393331234567","id":"w1","timestamp":"1764000001","type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","response_json":"` + answers + `"}}},
			{"from":"393331234567","id":"w2","timestamp":"1764000002","type":"poll","poll":{"id":12345678901234567890,"x":1e400,"y":"\u0000"}}]`))
		m := o.messages()
		if len(m) != 2 || m[0].Text != "pratica: 12345678901234567890\ngrande: 1e400\npiccolo: 1e-99999\nenorme: 1e999999\nrighe: 1e400, 2" {
			t.Fatalf("messages %+v", m)
		}
		for _, kept := range []string{string(m[0].Detail.Form.Answers), string(m[1].Detail.Raw)} {
			if !strings.Contains(kept, "12345678901234567890") || !strings.Contains(kept, `"1e400"`) {
				t.Errorf("kept %s", kept)
			}
		}
	})
}

// An edit that comes under the id of its message leaves what the message said at first where it was.
func TestAnEditUnderItsMessagesId(t *testing.T) {
	edit := func(at, body string) string {
		return change(`"messages":[{"from":"393331234567","id":"w1","timestamp":"` + at + `","type":"edit","edit":{"original_message_id":"w1","message":{"type":"text","text":{"body":"` + body + `"}}}}]`)
	}
	each(t, func(t *testing.T, o *office) {
		o.deliver(edit("1764000003", "terza"), change(`"messages":[`+text("393331234567", "w1", "1764000001", "prima")+`]`), edit("1764000002", "seconda"), edit("1764000003", "terza"))
		if m := o.messages(); len(m) != 1 || m[0].Text != "terza" || m[0].EditedAt == nil {
			t.Fatalf("messages %+v", m)
		}
		o.view(func(ctx context.Context, tx *db.Tx) error {
			history, err := conversation.Revisions(ctx, tx, o.m.ID, []string{"w1"})
			var said []string
			for _, r := range history["w1"] {
				said = append(said, r.Text)
			}
			if got := strings.Join(said, " "); got != "prima seconda terza" {
				t.Errorf("it said %s", got)
			}
			return err
		})
	})
}

// A contact card that stands alone is one.
func TestACardWithoutItsArray(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.deliver(change(`"messages":[{"from":"393331234567","id":"w1","timestamp":"1764000001","type":"contacts","contacts":{"name":{"formatted_name":"Luca"}}}]`))
		if m := o.messages(); len(m) != 1 || m[0].Text != "Luca" {
			t.Errorf("messages %+v", m)
		}
	})
}

// Why a message has no content may stand beside it.
func TestErrorsBesideAMessageExplainIt(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.deliver(change(`"messages":[{"from":"393331234567","id":"w1","timestamp":"1764000001","type":"text"},` + text("393331234567", "w2", "1764000002", "intero") + `],
			"errors":[{"code":131035,"title":"Message content unavailable"}]`))
		m := o.messages()
		if len(m) != 2 || len(m[0].Detail.Problems) != 1 || m[0].Detail.Problems[0].Code != 131035 || len(m[1].Detail.Problems) != 0 {
			t.Errorf("messages %+v", m)
		}
	})
}
