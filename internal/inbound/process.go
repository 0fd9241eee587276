// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
)

// Processor turns journal entries into conversation. Any number of instances may run one.
type Processor struct {
	d         *db.DB
	directory *municipality.Directory
	journal   *journal.Journal
	dialogue  *dialogue.Dialogue
	log       *slog.Logger
	processed *prometheus.CounterVec
	lag       prometheus.Gauge
}

// NewProcessor makes a processor, which lets talk answer what it can; its figures go to metrics.
func NewProcessor(d *db.DB, directory *municipality.Directory, j *journal.Journal, talk *dialogue.Dialogue, metrics prometheus.Registerer, log *slog.Logger) *Processor {
	p := &Processor{d: d, directory: directory, journal: j, dialogue: talk, log: log,
		processed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "filodiretto_inbound_items_total",
			Help: "Items of webhooks by what became of them: message, duplicate, revision, status, quarantined, other."}, []string{"kind"}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{Name: "filodiretto_journal_lag_seconds",
			Help: "Age of the oldest journal entry that waits to become conversation."})}
	metrics.MustRegister(p.processed, p.lag)
	return p
}

const (
	batch   = 400                   // entries in one short transaction, at most
	least   = 16                    // and at least, where they take long
	slice   = 10 * time.Millisecond // what a person's write may wait for one, on SQLite
	gathers = 25 * time.Millisecond // between two small ones, on PostgreSQL: most of a batch of few is what any batch costs
	sweep   = 2 * time.Second       // finds what a missed notice told of
)

// Run processes what arrives until ctx ends.
func (p *Processor) Run(ctx context.Context) {
	news := p.d.Hub.Subscribe(func(n db.Notice) bool { return n.Topic == db.Journal })
	defer news.Close()
	limit := batch
	for ctx.Err() == nil {
		begun := time.Now()
		var took time.Duration
		n, err := p.journal.Process(ctx, limit, func(ctx context.Context, tx *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
			start := time.Now()
			defer func() { took = time.Since(start) }()
			return p.digest(ctx, tx, entries)
		})
		switch {
		case err != nil && ctx.Err() == nil:
			p.log.Error("journal entries were not processed; they will be tried again", "error", err)
			p.wait(ctx, nil, time.Second)
		case n == 0:
			p.measure(ctx)
			p.wait(ctx, news.C, sweep)
		case p.d.Engine == db.SQLite: // one writer: what a batch takes, everybody waits
			limit = next(limit, n, took)
		case n < batch:
			p.wait(ctx, nil, gathers-time.Since(begun))
		}
	}
}

// next is how many entries to take after n of at most limit took so long.
func next(limit, n int, took time.Duration) int {
	switch {
	case took > slice:
		return max(min(limit, n)/2, least)
	case n == limit && took < slice/3:
		return min(limit*2, batch)
	}
	return limit
}

// Drain processes everything that waits now; tests call it.
func (p *Processor) Drain(ctx context.Context) error {
	for {
		if n, err := p.journal.Process(ctx, batch, p.digest); err != nil || n == 0 {
			return err
		}
	}
}

func (p *Processor) wait(ctx context.Context, news <-chan db.Notice, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-news:
		for len(news) > 0 { // one look finds what all of them told of
			<-news
		}
	case <-time.After(most):
	}
}

func (p *Processor) measure(ctx context.Context) {
	if lag, err := p.journal.Lag(ctx); err == nil {
		p.lag.Set(lag.Seconds())
	}
}

// digest is the work of one transaction.
func (p *Processor) digest(ctx context.Context, tx *db.Tx, entries []journal.Entry) ([]journal.Bad, error) {
	byMunicipality := make(map[int64]*sorted)
	var quarantined []journal.Bad
	for _, e := range entries {
		s := byMunicipality[e.Municipality]
		if s == nil {
			m, ok := p.directory.ByID(e.Municipality)
			if !ok {
				quarantined = append(quarantined, bad(e, "", "unknown_municipality", "The municipality is not set up on this installation.", e.Body))
				continue
			}
			keptSince, err := m.File.Retention.Messages.Before(tx.Now())
			if err != nil {
				return nil, fmt.Errorf("retention of municipality %d: %w", e.Municipality, err)
			}
			s = &sorted{m: m, tallies: make(map[conversation.Tally]int64), keptSince: keptSince}
			byMunicipality[e.Municipality] = s
		}
		quarantined = append(quarantined, s.sort(e)...)
	}
	for _, id := range slices.Sorted(maps.Keys(byMunicipality)) {
		if err := p.store(ctx, tx, byMunicipality[id]); err != nil {
			return nil, fmt.Errorf("municipality %d: %w", id, err)
		}
	}
	p.processed.WithLabelValues("quarantined").Add(float64(len(quarantined)))
	return quarantined, nil
}
