// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// maxReplies stays below what WhatsApp lets an office write to forty citizens without a pause.
const maxReplies = 1500

// kills is how often the process is killed; -short does fewer.
const kills = 50

// The process is killed with -9 at random moments while webhooks pour in and replies go out. Nothing
// answered 200 is missing, nothing goes out twice, and the account adds up.
func TestKilledAtAnyMoment(t *testing.T) {
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			in := install(t, address)
			in.start()
			citizens := in.openConversations(40)
			load := in.pour(citizens)
			n := kills
			if testing.Short() {
				n = 8
			}
			for range n {
				in.waitFor(time.Duration(20+rand.IntN(250)) * time.Millisecond)
				in.kill()
				in.start()
			}
			load.stop()
			in.settleDown()
			in.stop()
			in.check(load)
		})
	}
}

// Two instances share one PostgreSQL; one of them is killed again and again, the other goes on.
func TestOneOfTwoInstancesIsKilled(t *testing.T) {
	in := install(t, dbtest.DSNs(t)["postgres"])
	in.start()
	second := in.twin()
	second.start()
	citizens := in.openConversations(40)
	load := in.pour(citizens)
	for range 6 {
		in.waitFor(time.Duration(100+rand.IntN(500)) * time.Millisecond)
		second.kill()
		second.start()
	}
	load.stop()
	in.settleDown()
	second.stop()
	in.stop()
	in.check(load)
}

// waitFor lets the load run on for a while: the moment of the kill is the test's random input.
func (in *installation) waitFor(d time.Duration) {
	select {
	case <-in.t.Context().Done():
	case <-time.After(d):
	}
}

// load is what is poured into the installation, and what was promised about it.
type load struct {
	in       *installation
	pause    time.Duration // of each writer between two webhooks
	end      context.CancelFunc
	running  sync.WaitGroup
	mu       sync.Mutex
	stored   map[string]bool   // wamids of messages whose webhook was answered 200
	accepted map[string]string // idempotency keys of replies answered 202, and their messages
}

// pour pours as much as goes in.
func (in *installation) pour(citizens []string) *load { return in.load(citizens, 0) }

// trickle leaves the machine some rest.
func (in *installation) trickle(citizens []string) *load {
	return in.load(citizens, 20*time.Millisecond)
}

func (in *installation) load(citizens []string, pause time.Duration) *load {
	ctx, end := context.WithCancel(in.t.Context())
	l := &load{in: in, pause: pause, end: end, stored: make(map[string]bool), accepted: make(map[string]string)}
	for w := range 4 {
		l.running.Go(func() { l.write(ctx, w) })
	}
	for w := range 3 {
		l.running.Go(func() { l.reply(ctx, w, citizens) })
	}
	return l
}

func (l *load) stop() {
	l.end()
	l.running.Wait()
}

// write delivers webhooks as Meta does: each again until it is answered 200, some of them twice.
func (l *load) write(ctx context.Context, worker int) {
	for i := 0; ctx.Err() == nil; i++ {
		if l.pause > 0 {
			l.in.waitFor(l.pause)
		}
		id := fmt.Sprintf("wamid.K%d-%d", worker, i)
		body := inboundText(l.in.phoneNumberID, l.in.waba, fmt.Sprintf("39333100%04d", (worker*7919+i)%300), id, "messaggio "+id)
		for ctx.Err() == nil {
			if status := l.in.postWebhook(ctx, body); status == http.StatusOK {
				l.mu.Lock()
				l.stored[id] = true
				l.mu.Unlock()
				if i%10 == 0 {
					l.in.postWebhook(ctx, body)
				}
				break
			}
		}
	}
}

// reply answers citizens by the API, each reply again with its key until it is taken.
func (l *load) reply(ctx context.Context, worker int, citizens []string) {
	for i := 0; ctx.Err() == nil && i < maxReplies/3; i++ {
		l.in.waitFor(20 * time.Millisecond)
		key := fmt.Sprintf("reply-%d-%d", worker, i)
		conversation := citizens[(worker+3*i)%len(citizens)]
		for ctx.Err() == nil {
			status, body := l.in.call(ctx, http.MethodPost, "/api/v1/conversations/"+conversation+"/messages", map[string]any{"text": "risposta " + key}, key)
			if status == http.StatusAccepted {
				var m struct{ ID string }
				if json.Unmarshal(body, &m) == nil {
					l.mu.Lock()
					l.accepted[key] = m.ID
					l.mu.Unlock()
				}
				break
			}
		}
	}
}

// check holds what was promised against what is there.
func (in *installation) check(l *load) {
	t := in.t
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: in.address})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	municipality := in.municipalityID(d)
	onTheWire := in.sentByCallback()
	err = d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		missing := 0
		for id := range l.stored {
			found, err := conversation.ByExternalID(ctx, tx, municipality, []string{id})
			if err != nil {
				return err
			}
			if len(found) == 0 {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d of %d messages that were answered 200 are missing", missing, len(l.stored))
		}
		account, err := towntest.Outbox(ctx, tx, municipality)
		if err != nil {
			return err
		}
		total := 0
		for _, n := range account {
			total += n
		}
		t.Logf("%d webhooks stored, %d replies taken, %d sends on the wire, account %v", len(l.stored), len(l.accepted), len(onTheWire), account)
		if account[conversation.Queued]+account[conversation.Sending] > 0 {
			t.Errorf("something is still queued or sending: %v", account)
		}
		if total < len(l.accepted) {
			t.Errorf("%d replies were taken, the account has %d", len(l.accepted), total)
		}
		for key, id := range l.accepted {
			n, ok := db.ParseID(id)
			if !ok {
				t.Errorf("reply %s was answered with the id %q", key, id)
				continue
			}
			m, err := conversation.GetMessage(ctx, tx, municipality, n)
			if err != nil {
				t.Errorf("reply %s: %v", key, err)
				continue
			}
			if m.Status == conversation.Failed {
				t.Errorf("reply %s failed: %d %s", key, m.ErrorCode, m.ErrorDetail)
			}
			if onTheWire[id] == 0 && m.Status != conversation.Uncertain {
				t.Errorf("reply %s is %v and never went out", key, m.Status)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, n := range onTheWire {
		if n > 1 {
			t.Errorf("message %s went out %d times", id, n)
		}
	}
	if len(l.stored) == 0 || len(l.accepted) == 0 {
		t.Error("nothing was poured in: the test tested nothing")
	}
	in.oneRecipientEach()
}

func inboundText(phoneNumberID, waba, from, id, text string) []byte {
	return fmt.Appendf(nil, `{"object":"whatsapp_business_account","entry":[{"id":%q,"changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
		"metadata":{"display_phone_number":"390541123456","phone_number_id":%q},"contacts":[{"profile":{"name":"Cittadina %s"},"wa_id":%q}],
		"messages":[{"from":%q,"id":%q,"timestamp":"%d","type":"text","text":{"body":%q}}]}}]}]}`,
		waba, phoneNumberID, from, from, from, id, time.Now().Unix(), text)
}

func (in *installation) postWebhook(ctx context.Context, body []byte) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.url+"/webhooks/whatsapp/"+in.slug, bytes.NewReader(body))
	if err != nil {
		in.t.Error(err)
		return 0
	}
	mac := hmac.New(sha256.New, []byte(in.appSecret))
	mac.Write(body)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return in.do(req, nil)
}

// call is a call of the API; status 0 is no answer.
func (in *installation) call(ctx context.Context, method, path string, body any, key string) (int, []byte) {
	raw, err := json.Marshal(body)
	if err != nil {
		in.t.Error(err)
		return 0, nil
	}
	req, err := http.NewRequestWithContext(ctx, method, in.url+path, bytes.NewReader(raw))
	if err != nil {
		in.t.Error(err)
		return 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+in.token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	var answer bytes.Buffer
	status := in.do(req, &answer)
	return status, answer.Bytes()
}

func (in *installation) do(req *http.Request, into io.Writer) int {
	res, err := in.client.Do(req)
	if err != nil {
		select { // the process is down: not in a tight loop
		case <-req.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	if into == nil {
		into = io.Discard
	}
	if _, err := io.Copy(into, io.LimitReader(res.Body, 1<<20)); err != nil {
		return 0
	}
	return res.StatusCode
}
