// SPDX-License-Identifier: AGPL-3.0-or-later

// Package outbound brings queued messages to the citizens: it claims them, paces them, sends them and
// settles how that ended.
//
// At most once out: a message is claimed in a transaction that commits before the first byte is
// written. What was surely not sent goes back to the queue; what may have been sent is never sent again
// by itself.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
	"github.com/prometheus/client_golang/prometheus"
)

// HTTP cannot be fenced by a lease, so that these hold together: a request ends within requestTimeout,
// none starts after half the lease, and what is sending is declared abandoned only after abandonAfter.
const (
	leaseTime      = 10 * time.Second
	requestTimeout = 10 * time.Second
	abandonAfter   = 20 * time.Second
	sweep          = 2 * time.Second
)

// Sender runs a pump for every number that has something to send.
type Sender struct {
	d         *db.DB
	directory *municipality.Directory
	client    *whatsapp.Client
	media     *media.Service
	log       *slog.Logger
	metrics   *metrics

	mu    sync.Mutex
	pumps map[string]*pump
	slots chan struct{} // requests in flight, over all numbers

	behind func(context.Context) (time.Duration, error) // nil: nobody tells
	late   atomic.Int64                                 // how far behind, in ns, as last told
}

// maxInFlight bounds the requests of a process: 1,000 a second at 150 ms need 150.
const maxInFlight = 400

type metrics struct {
	sends *prometheus.CounterVec
	wait  prometheus.Histogram
	lag   prometheus.Gauge
}

// New makes a sender; its figures go to registerer.
func New(d *db.DB, directory *municipality.Directory, client *whatsapp.Client, files *media.Service, registerer prometheus.Registerer, log *slog.Logger) *Sender {
	m := &metrics{
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "filodiretto_sends_total",
			Help: "Attempts to send by how they ended: accepted, held, not_sent, uncertain, or the class of Graph's error."}, []string{"outcome"}),
		wait: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "filodiretto_outbox_wait_seconds",
			Help:    "Time from the moment a message may be sent until its bytes are written.",
			Buckets: []float64{.002, .005, .01, .02, .03, .05, .1, .25, .5, 1, 5, 30, 300}}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{Name: "filodiretto_outbox_lag_seconds",
			Help: "How long the most overdue queued message has waited."}),
	}
	registerer.MustRegister(m.sends, m.wait, m.lag)
	return &Sender{d: d, directory: directory, client: client, media: files, log: log, metrics: m,
		pumps: make(map[string]*pump), slots: make(chan struct{}, maxInFlight)}
}

// GiveWay lets notices to many go slower while the desk is behind with what comes in, as behind tells: their own
// statuses are most of it, and citizens who write wait behind them. Call it before Run.
func (s *Sender) GiveWay(behind func(context.Context) (time.Duration, error)) { s.behind = behind }

// The share of its room that a notice takes falls from all to a tenth between these.
const (
	inTime    = 75 * time.Millisecond
	tooLate   = 400 * time.Millisecond
	leastRoom = 0.1
	lookBack  = 200 * time.Millisecond
)

// gentle is what of its room a notice takes now.
func (s *Sender) gentle(room int) int {
	late := time.Duration(s.late.Load())
	if late <= inTime {
		return room
	}
	share := max(leastRoom, 1-float64(late-inTime)/float64(tooLate-inTime))
	return int(math.Ceil(float64(room) * share))
}

// lookBehind asks how far behind the desk is, as long as something goes out.
func (s *Sender) lookBehind(ctx context.Context) {
	ticks := time.NewTicker(lookBack)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if len(s.slots) == 0 {
			s.late.Store(0)
			continue
		}
		late, err := s.behind(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("how far the desk is behind is not known", "error", err)
		}
		s.late.Store(int64(late))
	}
}

// Run sends until ctx ends, and then finishes what is in flight.
func (s *Sender) Run(ctx context.Context) {
	if s.d.Engine == db.SQLite {
		s.abandon(ctx, 0) // there is one serve at a time: whoever was sending is gone
	}
	news := s.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Outbox || n.Topic == db.Inbound })
	defer news.Close()
	var running sync.WaitGroup
	defer running.Wait()
	if s.behind != nil {
		running.Go(func() { s.lookBehind(ctx) })
	}
	ticks := time.NewTicker(sweep)
	defer ticks.Stop()
	s.sweep(ctx, &running)
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-news.C:
			s.hear(ctx, n, &running)
		case <-ticks.C:
			s.abandon(ctx, abandonAfter)
			s.sweep(ctx, &running)
		}
	}
}

func (s *Sender) hear(ctx context.Context, n db.Notice, running *sync.WaitGroup) {
	switch n.Topic {
	case db.Outbox:
		if p := s.pump(ctx, n.Key, running); p != nil {
			p.queued(conversation.Lane(n.ID))
		}
	case db.Inbound:
		s.mu.Lock()
		p := s.pumps[n.Key]
		s.mu.Unlock()
		if p != nil {
			p.pace.took(int(n.ID))
		}
	case db.Refresh:
		s.sweep(ctx, running)
	}
}

// pump is that of a number, which starts if it is not running; nil where there is no such number.
func (s *Sender) pump(ctx context.Context, number string, running *sync.WaitGroup) *pump {
	m, n, ok := s.directory.ByNumber(number)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pumps[number]
	if p == nil {
		p = newPump(s, m.ID, n.PhoneNumberID)
		s.pumps[number] = p
		running.Go(func() { p.run(ctx) })
	}
	return p
}

// sweep wakes the pump of every number with something queued: notices are hints. What is queued on a
// number that is no longer in use fails.
func (s *Sender) sweep(ctx context.Context, running *sync.WaitGroup) {
	var numbers []string
	var retired []conversation.Outlet
	err := s.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		var overdue time.Duration
		if numbers, overdue, err = conversation.Waiting(ctx, tx); err != nil {
			return err
		}
		s.metrics.lag.Set(overdue.Seconds())
		retired, err = conversation.QueuedOnRetired(ctx, tx)
		return err
	})
	for _, o := range retired {
		err = errors.Join(err, s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error { return conversation.FailQueued(ctx, tx, o) }))
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("the outbox could not be looked through; it will be tried again", "error", err)
	}
	for _, n := range numbers {
		if p := s.pump(ctx, n, running); p != nil {
			p.poke()
		}
	}
}

// abandon declares uncertain what has been sending for longer than any request may take.
func (s *Sender) abandon(ctx context.Context, after time.Duration) {
	var stuck []int64
	err := s.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		stuck, err = conversation.StuckSince(ctx, tx, tx.Now().Add(-after))
		return err
	})
	for _, id := range stuck {
		var n int
		err = errors.Join(err, s.d.Update(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			n, err = conversation.Abandoned(ctx, tx, id, tx.Now().Add(-after))
			return err
		}))
		s.log.Warn("messages may or may not have been sent; they wait for a status or a person", "municipality", id, "messages", n)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("abandoned messages were not settled; it will be tried again", "error", err)
	}
}

func (s *Sender) account(number string) (whatsapp.Account, error) {
	_, n, ok := s.directory.ByNumber(number)
	if !ok {
		return whatsapp.Account{}, fmt.Errorf("number %s is not set up", number)
	}
	return n.Account(), nil
}

// rate is what Meta lets the number send and receive, in messages a second.
func (s *Sender) rate(number string) float64 {
	m, _, ok := s.directory.ByNumber(number)
	if !ok {
		return municipality.Health{}.Rate()
	}
	return m.Health(number).Rate()
}
