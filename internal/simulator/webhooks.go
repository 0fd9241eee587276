// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Bounds of webhooks as Meta documents them, and of what waits for a callback that is not set yet.
const (
	maxUpdatesPerPost = 1000
	maxPostBytes      = 3 << 20
	keepTrying        = 7 * 24 * time.Hour
	maxWaiting        = 500_000
	callbackTimeout   = 10 * time.Second
)

// hooks delivers one account's webhooks: in batches, several at a time, again until answered 200.
type hooks struct {
	s    *Server
	a    *account
	wake chan struct{}
	slot chan struct{}

	mu      sync.Mutex
	pending []update
	ready   []*delivery         // whose time has come, first come first
	open    map[int64]*delivery // posted or waiting for the next try
	seq     int64
	busy    int // deliveries that are being posted, or about to be
	done    hookFigures
	asked   time.Time // when the callback last answered a verification, rightly or not
}

// delivery is one POST, the same bytes at every try.
type delivery struct {
	ID       int64           `json:"id"`
	Number   string          `json:"number,omitempty"`
	Body     json.RawMessage `json:"body"`
	Incoming []string        `json:"incoming,omitempty"`
	Tells    []told          `json:"tells,omitempty"`
	First    time.Time       `json:"first"`
	Tries    int             `json:"tries"`
	Updates  int             `json:"updates"`

	waiting bool // for its next try
}

// hookFigures count an account's webhooks.
type hookFigures struct {
	Delivered int64 `json:"delivered"` // updates answered 200
	Posts     int64 `json:"posts"`     // POSTs made, repetitions and duplicates included
	Failures  int64 `json:"failures"`  // POSTs not answered 200, which are repeated
	Dropped   int64 `json:"dropped"`   // updates given up
	Pending   int64 `json:"pending"`   // updates not answered 200 yet
}

func newHooks(s *Server, a *account) *hooks {
	h := &hooks{s: s, a: a, wake: make(chan struct{}, 1), slot: make(chan struct{}, s.opts.WebhookParallel), open: map[int64]*delivery{}}
	s.spawn(h.run)
	return h
}

// add queues updates and says whether it did: accounts nobody subscribed to get none.
func (h *hooks) add(updates ...update) bool {
	st := h.a.snapshot()
	if !st.Subscribed {
		return false
	}
	if st.Fields != nil {
		updates = slices.DeleteFunc(updates, func(u update) bool { return !slices.Contains(st.Fields, u.Field) })
	}
	h.mu.Lock()
	h.pending = append(h.pending, updates...)
	if over := len(h.pending) - maxWaiting; over > 0 {
		lost := tellsOf(h.pending[:over])
		h.s.schedule.after(0, func() { h.s.markTold(lost, tellFailed, "too many updates wait") }) // not here: a citizen is locked
		h.pending = h.pending[over:]
		h.done.Dropped += int64(over)
	}
	h.mu.Unlock()
	h.nudge()
	return len(updates) > 0
}

func (h *hooks) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *hooks) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
		if !pause(ctx, h.s.delays().Batch) {
			return
		}
		for h.postNext(ctx) {
		}
	}
}

// postNext takes a free slot, then what is pending: while all slots are busy, updates gather into larger batches.
func (h *hooks) postNext(ctx context.Context) bool {
	select {
	case h.slot <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if d := h.takeReady(); d != nil {
		h.spawnTry(d)
		return true
	}
	d := h.take()
	if d == nil {
		<-h.slot
		return false
	}
	if hold := h.s.faults.holdWebhook(h.s.dice, fmt.Sprintf("hold %s %d", h.a.id, d.ID)); hold > 0 {
		<-h.slot
		h.s.schedule.after(hold, func() { h.start(d) })
		h.leave()
		return true
	}
	h.spawnTry(d)
	return true
}

// spawnTry posts d in the slot that has been taken.
func (h *hooks) spawnTry(d *delivery) {
	h.s.spawn(func(ctx context.Context) {
		defer func() {
			<-h.slot
			h.leave()
		}()
		h.try(ctx, d)
	})
}

// start posts d as soon as a slot is free.
func (h *hooks) start(d *delivery) {
	h.mu.Lock()
	h.ready = append(h.ready, d)
	h.mu.Unlock()
	h.nudge()
}

func (h *hooks) takeReady() *delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ready) == 0 {
		return nil
	}
	d := h.ready[0]
	h.ready = h.ready[1:]
	h.busy++
	return d
}

func (h *hooks) leave() {
	h.mu.Lock()
	h.busy--
	h.mu.Unlock()
}

// idle says whether everything that could be posted has been.
func (h *hooks) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.busy == 0 && len(h.ready) == 0 && (len(h.pending) == 0 || h.target(h.pending[0].Number) == "")
}

// take makes one delivery of pending updates for the same callback; nil when there is nothing to post or nowhere to post it.
func (h *hooks) take() *delivery {
	limit := h.s.faults.batchLimit(h.s.opts.WebhookBatch)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) == 0 {
		return nil
	}
	target := h.target(h.pending[0].Number)
	if target == "" {
		return nil
	}
	n, size := 0, 0
	for n < len(h.pending) && n < limit && h.target(h.pending[n].Number) == target {
		size += h.pending[n].size()
		if n > 0 && size > maxPostBytes-1024 {
			break
		}
		n++
	}
	batch := h.pending[:n:n]
	h.pending = h.pending[n:]
	if len(h.pending) == 0 {
		h.pending = nil
	}
	return h.newDelivery(batch)
}

func (h *hooks) newDelivery(batch []update) *delivery {
	h.seq++
	h.busy++
	d := &delivery{ID: h.seq, Number: batch[0].Number, Body: h.s.faults.disfigure(webhookBody(h.a, batch)), First: h.s.clock.Now(), Updates: len(batch), Tells: tellsOf(batch)}
	for _, u := range batch {
		if u.Incoming != "" {
			d.Incoming = append(d.Incoming, u.Incoming)
		}
	}
	h.open[d.ID] = d
	return d
}

// try posts d, with the copies the faults ask for, and settles or plans the next try.
func (h *hooks) try(ctx context.Context, d *delivery) {
	if !h.begin(d) {
		return
	}
	copies := h.s.faults.extraCopies()
	var group sync.WaitGroup
	for range copies {
		group.Go(func() { _ = h.post(ctx, d) }) // the original decides what becomes of the delivery
	}
	err := h.post(ctx, d)
	group.Wait()
	if ctx.Err() != nil {
		return // saved as open, tried again by the next start
	}
	if err == nil {
		h.settle(d)
		return
	}
	h.retry(d, err)
}

// begin is false for a delivery that a reset has forgotten.
func (h *hooks) begin(d *delivery) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.waiting = false
	return h.open[d.ID] == d
}

func (h *hooks) settle(d *delivery) {
	h.mu.Lock()
	delete(h.open, d.ID)
	h.done.Delivered += int64(d.Updates)
	h.mu.Unlock()
	for _, id := range d.Incoming {
		h.s.markIncoming(id, statusDelivered)
	}
	h.s.markTold(d.Tells, tellDelivered, "")
	h.s.saver.touch()
}

func (h *hooks) retry(d *delivery, err error) {
	h.s.log.Info("webhook not accepted", "waba", h.a.id, "try", d.Tries+1, "error", err)
	h.s.saver.touch()
	state := tellRetrying
	if h.s.clock.Now().Sub(d.First) > cmp.Or(h.s.delays().RetryFor, keepTrying) {
		state = tellFailed
	}
	h.s.markTold(d.Tells, state, err.Error())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done.Failures++
	if state == tellFailed {
		delete(h.open, d.ID)
		h.done.Dropped += int64(d.Updates)
		return
	}
	d.Tries++
	d.waiting = true
	try := d.Tries
	h.s.schedule.after(h.s.delays().backoff(try), func() { h.startIfWaiting(d, try) })
}

// startIfWaiting posts d again unless that has happened meanwhile because the callback changed.
func (h *hooks) startIfWaiting(d *delivery, try int) {
	h.mu.Lock()
	due := d.waiting && d.Tries == try && h.open[d.ID] == d
	d.waiting = d.waiting && !due
	h.mu.Unlock()
	if due {
		h.start(d)
	}
}

// retryNow posts everything that waits: the callback has changed or has come up.
func (h *hooks) retryNow() {
	h.mu.Lock()
	var due []*delivery
	for _, d := range h.open {
		if d.waiting {
			d.waiting = false
			due = append(due, d)
		}
	}
	h.mu.Unlock()
	for _, d := range due {
		h.start(d)
	}
	h.nudge()
}

func (h *hooks) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending, h.ready, h.open, h.done = nil, nil, map[int64]*delivery{}, hookFigures{}
}

func (h *hooks) figures() hookFigures {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.done
	f.Pending = int64(len(h.pending))
	for _, d := range h.open {
		f.Pending += int64(d.Updates)
	}
	return f
}

func (h *hooks) post(ctx context.Context, d *delivery) error {
	h.mu.Lock()
	h.done.Posts++
	h.mu.Unlock()
	target := h.target(d.Number)
	if target == "" {
		return errors.New("no callback is set")
	}
	st := h.a.snapshot()
	if err := h.ensureVerified(ctx, st, target); err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"facebookexternalua"}}
	if signature := h.s.faults.signature(st.AppSecret, d.Body); signature != "" {
		header.Set("X-Hub-Signature-256", signature)
	}
	e := &exchange{at: h.s.clock.Now(), webhook: true, again: d.Tries > 0, method: http.MethodPost, url: target, headers: header, body: d.Body}
	if err := h.s.postExchange(ctx, e); err != nil {
		return fmt.Errorf("post webhook: %w", err)
	}
	return nil
}

// postWebhook queues any change a test wants delivered, for what this simulator does not produce by itself.
func (s *Server) postWebhook(r *http.Request) (int, any, error) {
	var in struct {
		WABA  string          `json:"waba_id"`
		Field string          `json:"field"`
		Value json.RawMessage `json:"value"`
	}
	if err := readControl(r, &in); err != nil {
		return 0, nil, err
	}
	a, err := s.accountNamed(in.WABA)
	if err != nil {
		return 0, nil, err
	}
	if in.Field == "" || len(in.Value) == 0 {
		return 0, nil, badRequest("field and value are needed")
	}
	a.hooks.add(update{Field: in.Field, At: s.clock.Now().Unix(), Value: escapeASCII(in.Value)})
	return http.StatusAccepted, map[string]any{"queued": true}, nil
}

// longestSettling bounds how long a clock that stands still waits for callbacks before it moves.
const longestSettling = 30 * time.Second

// settled returns what waits until all webhooks have been posted, where the clock stands still: then it is certain what
// comes before what. A clock that goes does not wait.
func (s *Server) settled(ctx context.Context) func() {
	deadline := time.Now().Add(longestSettling)
	return func() {
		for s.clock.frozen.Load() != nil && time.Now().Before(deadline) && !s.allIdle() {
			if !pause(ctx, 500*time.Microsecond) {
				return
			}
		}
	}
}

func (s *Server) allIdle() bool {
	for _, a := range s.dir.allAccounts() {
		if !a.hooks.idle() {
			return false
		}
	}
	return true
}
