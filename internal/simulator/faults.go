// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Faults are the troubles switched on. PUT /simulator/faults replaces them all, {} ends them;
// GET /simulator/faults shows them with what each field means.
type Faults struct {
	AnswerDelay span `json:"answer_delay,omitzero" doc:"every answer of the Graph API comes this much later, like \"2s\""`
	// Refuse and Broken are counted down by the requests they hit.
	Refuse []Refusal `json:"refuse,omitempty" doc:"sends refused with one of Meta's codes: [{code, times (0 = always), to (phone or user id; empty = anybody), later (true = answered 200 and failed by webhook), details}]"`
	Broken []Breach  `json:"broken,omitempty" doc:"answers that are not Graph answers: [{kind, status, times (0 = always), processed, path, delay}]; kind is status (bare HTTP status, 500 unless set), half (cut in the middle), garbage (200 with no JSON), empty (200 with no body), hang (no answer until the client leaves, or for delay) or drop (connection cut); processed: the request took effect all the same; path: part of the path, /messages unless set, * for all"`

	RefuseLater  bool `json:"refuse_later,omitempty" doc:"a closed window, and a messaging limit that is used up, are told by a failed status after a 200 instead of by the answer"`
	WindowClosed bool `json:"window_closed,omitempty" doc:"the 24-hour window is closed for everybody: free messages get 131047"`
	Hold         span `json:"hold,omitzero" doc:"templates are held for quality assessment this long (message_status held_for_quality_assessment), then sent"`
	HoldDrop     bool `json:"hold_drop,omitempty" doc:"held templates are dropped with 132015 instead of sent"`

	WebhookDelay      span   `json:"webhook_delay,omitzero" doc:"webhooks come this much later"`
	WebhookDuplicates int    `json:"webhook_duplicates,omitempty" doc:"every webhook comes this many times more, at the same moment"`
	WebhookReorder    bool   `json:"webhook_reorder,omitempty" doc:"webhooks come one update each and out of order"`
	ReorderWithin     span   `json:"reorder_within,omitzero" doc:"how long a webhook may be held back by webhook_reorder (8s unless set)"`
	WebhookBatch      int    `json:"webhook_batch,omitempty" doc:"at most this many updates in one webhook"`
	WebhookSignature  string `json:"webhook_signature,omitempty" doc:"wrong or missing: webhooks are signed wrongly or not at all"`

	WebhookMilliseconds bool `json:"webhook_milliseconds,omitempty" doc:"timestamps come in milliseconds instead of seconds"`
	WebhookUnknown      bool `json:"webhook_unknown,omitempty" doc:"every webhook has keys and a change of a field that nobody knows yet"`
	WebhookBareContacts bool `json:"webhook_bare_contacts,omitempty" doc:"contacts come without profile, as they have with statuses"`
	WebhookIDAsPhone    bool `json:"webhook_id_as_phone,omitempty" doc:"where the phone is hidden, the user id stands in from and wa_id instead of nothing"`

	MediaHang  bool `json:"media_hang,omitempty" doc:"the media host takes the request and never answers"`
	MediaWrong bool `json:"media_wrong,omitempty" doc:"the media host answers 200 with other bytes than those sent"`
}

// Refusal refuses sends with a code of Meta's.
type Refusal struct {
	Code    int    `json:"code"`
	Times   int    `json:"times,omitempty"`
	To      string `json:"to,omitempty"`
	Later   bool   `json:"later,omitempty"`
	Details string `json:"details,omitempty"`
}

// Breach is an answer that is no Graph answer.
type Breach struct {
	Kind      string `json:"kind"`
	Status    int    `json:"status,omitempty"`
	Times     int    `json:"times,omitempty"`
	Processed bool   `json:"processed,omitempty"`
	Path      string `json:"path,omitempty"`
	Delay     span   `json:"delay,omitzero"`
}

var breachKinds = []string{"status", "half", "garbage", "empty", "hang", "drop"}

// faultBox holds the faults in force.
type faultBox struct {
	mu  sync.RWMutex
	now Faults
}

func (b *faultBox) set(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = f
}

func (b *faultBox) get() Faults {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.now
}

// refusalHit is a refusal that meets a send.
type refusalHit struct {
	err   *graphError
	later bool
}

func (b *faultBox) refusal(to string) *refusalHit {
	b.mu.RLock()
	none := len(b.now.Refuse) == 0
	b.mu.RUnlock()
	if none {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range b.now.Refuse {
		if r.To != "" && !sameAddress(r.To, to) {
			continue
		}
		b.now.Refuse = slices.Clone(b.now.Refuse)
		b.now.Refuse = countDown(b.now.Refuse, i, &b.now.Refuse[i].Times)
		return &refusalHit{err: refuse(r.Code, orElse(r.Details, "Refused because the simulator was told to.")), later: r.Later}
	}
	return nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// The lists are replaced, never changed in place: whoever has read them goes on reading what was in force.

// countDown takes one off an item's times and drops the item when none is left; 0 from the start means always.
func countDown[T any](items []T, i int, times *int) []T {
	if *times == 0 {
		return items
	}
	if *times--; *times > 0 {
		return items
	}
	return slices.Delete(items, i, i+1)
}

func sameAddress(a, b string) bool {
	if strings.Contains(a, ".") || strings.Contains(b, ".") {
		return a == b
	}
	return onlyDigits(a) == onlyDigits(b)
}

// breach is the broken answer the request at path gets, if any.
func (b *faultBox) breach(path string) *Breach {
	b.mu.RLock()
	none := len(b.now.Broken) == 0
	b.mu.RUnlock()
	if none {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, broken := range b.now.Broken {
		if broken.Path != "*" && !strings.Contains(path, orElse(broken.Path, "/messages")) {
			continue
		}
		b.now.Broken = slices.Clone(b.now.Broken)
		b.now.Broken = countDown(b.now.Broken, i, &b.now.Broken[i].Times)
		return &broken
	}
	return nil
}

func (b *faultBox) windowClosed() bool         { return b.get().WindowClosed }
func (b *faultBox) refusesLater() bool         { return b.get().RefuseLater }
func (b *faultBox) holds() bool                { return b.get().Hold > 0 || b.get().HoldDrop }
func (b *faultBox) answerDelay() time.Duration { return time.Duration(b.get().AnswerDelay) }
func (b *faultBox) extraCopies() int           { return min(b.get().WebhookDuplicates, 20) }
func (b *faultBox) mediaHangs() bool           { return b.get().MediaHang }
func (b *faultBox) mediaIsWrong() bool         { return b.get().MediaWrong }

// release is what becomes of a held message.
func (b *faultBox) release() (status, time.Duration) {
	f := b.get()
	if f.HoldDrop {
		return statusFailed, time.Duration(f.Hold)
	}
	return statusAccepted, time.Duration(f.Hold)
}

// holdWebhook is how long the next webhook waits before it is posted.
func (b *faultBox) holdWebhook(d *dice, name string) time.Duration {
	f := b.get()
	wait := time.Duration(f.WebhookDelay)
	if f.WebhookReorder {
		within := time.Duration(f.ReorderWithin)
		if within <= 0 {
			within = 8 * time.Second
		}
		wait += d.within(within, name)
	}
	return wait
}

func (b *faultBox) batchLimit(usual int) int {
	f := b.get()
	if f.WebhookReorder {
		return 1
	}
	if f.WebhookBatch > 0 {
		return min(f.WebhookBatch, maxUpdatesPerPost)
	}
	return usual
}

func (b *faultBox) signature(secret string, body []byte) string {
	switch b.get().WebhookSignature {
	case "missing":
		return ""
	case "wrong":
		return sign(secret+"-wrong", body)
	}
	return sign(secret, body)
}

// hang keeps the request open until the client leaves or the simulator closes, or for d.
func (s *Server) hang(r *http.Request, d time.Duration) {
	if d <= 0 {
		d = 24 * time.Hour
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	pause(ctx, d)
}

func (s *Server) getFaults(*http.Request) (int, any, error) {
	fields := map[string]string{}
	for field := range reflect.TypeFor[Faults]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = field.Tag.Get("doc")
	}
	return http.StatusOK, map[string]any{"faults": s.faults.get(), "fields": fields}, nil
}

func (s *Server) putFaults(r *http.Request) (int, any, error) {
	var f Faults
	if err := readControl(r, &f); err != nil {
		return 0, nil, err
	}
	for _, broken := range f.Broken {
		if !slices.Contains(breachKinds, broken.Kind) {
			return 0, nil, badRequest("broken.kind must be one of %s, not %q", strings.Join(breachKinds, ", "), broken.Kind)
		}
	}
	if f.WebhookSignature != "" && f.WebhookSignature != "wrong" && f.WebhookSignature != "missing" {
		return 0, nil, badRequest("webhook_signature must be wrong or missing")
	}
	s.settled(r.Context())() // what has happened before comes as it was to come
	s.faults.set(f)
	s.saver.touch()
	s.events.publish(pageEvent{Kind: "faults"})
	return http.StatusOK, map[string]any{"faults": f}, nil
}
