// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// What Meta sends at most, for 1,000 messages a second out: three statuses of each, and as much again
// coming in as an office with this many citizens gets.
const (
	writers           = 20_000 // citizens who write, half of whom have written before
	statusesPerSecond = 3000
	messagesPerSecond = 300
	mixPerSecond      = statusesPerSecond + messagesPerSecond
	alonePerSecond    = 2000
)

// measureRoad lets Meta's mix and then messages alone come in, and looks how far the conversations lag
// behind the journal.
func measureRoad(ctx context.Context, b bench) (results []result, err error) {
	lasting := b.long(20*time.Second, 5*time.Second)
	err = b.with(ctx, func(in *installation) error {
		found, err := b.measureMix(ctx, in, lasting)
		if err != nil {
			return err
		}
		results = append(results, found...)
		r, err := b.measureAlone(ctx, in, b.long(10*time.Second, 4*time.Second))
		if err != nil {
			return err
		}
		results = append(results, r)
		r, err = b.measureCeiling(ctx, in, b.many(40000, 10000))
		results = append(results, r)
		return err
	})
	return results, err
}

func (b bench) measureMix(ctx context.Context, in *installation, lasting time.Duration) ([]result, error) {
	sent, err := in.seedSent(ctx, lasting)
	if err != nil {
		return nil, err
	}
	mix := newMix(sent)
	watch := in.watch(ctx)
	l, err := in.receive(ctx, func(load) int64 { return mix.writers.written.Load() }, func() (load, error) {
		return openLoop(ctx, in.webhook(), 128, mixPerSecond, lasting, mix.next)
	})
	lag, memory := watch.end()
	if err := errors.Join(err, in.mixStored(ctx, mix)); err != nil {
		return nil, err
	}
	return []result{
		{row: "webhook intake at 3,300/s, the whole road behind it", engine: b.engine, figure: l.sent.String(), target: "p99 < 50 ms", met: l.sent.p99() < 50*time.Millisecond},
		{row: "whole road in, 3,000 statuses and 300 messages/s", engine: b.engine, figure: fmt.Sprintf("lag p50 %s, max %s ms", ms(lag.p50()), ms(lag.max())),
			target: "lag < 2,000 ms", met: lag.max() < 2*time.Second},
		{row: "memory of serve under that mix", engine: b.engine, figure: megabytes(memory), target: "< 200 MB", met: memory < mostMemory},
	}, nil
}

// seedSent puts what the statuses will be about into the outbox: accepted by Meta, in conversations.
func (in *installation) seedSent(ctx context.Context, lasting time.Duration) ([]sentMessage, error) {
	messages := int(lasting.Seconds()*statusesPerSecond)/len(stages) + len(stages)*statusesPerSecond
	return history{in: in, citizens: writers / 2, messages: 3 * messages, span: time.Hour, open: 1, answered: conversation.Accepted}.write(ctx)
}

// mix is what Meta sends at most. The statuses of a message are a second apart.
type mix struct {
	sent     []sentMessage
	writers  *citizens
	requests atomic.Int64
}

func newMix(sent []sentMessage) *mix { return &mix{sent: sent, writers: newCitizens(0, writers)} }

func (m *mix) next() delivery {
	i := m.requests.Add(1) - 1
	if i%(mixPerSecond/messagesPerSecond) == 0 {
		return m.writers.next()
	}
	s := int(i - i/(mixPerSecond/messagesPerSecond) - 1) // this status's number
	stage := s % len(stages)
	at := s/len(stages) + (len(stages)-1-stage)*statusesPerSecond/len(stages)
	return status(m.sent[at], stages[stage], time.Now())
}

// mixStored wants every message and every status where it belongs: a road that drops is fast.
func (in *installation) mixStored(ctx context.Context, m *mix) error {
	requests := m.requests.Load()
	reached := (requests - requests/(mixPerSecond/messagesPerSecond) - 1) / int64(len(stages))
	read, err := in.count(ctx, `SELECT count(*) FROM message WHERE municipality_id = $1 AND direction = 'out' AND status = 80`, in.municipality)
	if err != nil {
		return err
	}
	if read < reached-2 {
		return fmt.Errorf("%d messages are read, of %d that Meta told of", read, reached)
	}
	return nil
}

// receive runs a load and waits until what it brought is conversation. It wants each of the messages
// that were answered 200 in the database.
func (in *installation) receive(ctx context.Context, messages func(load) int64, run func() (load, error)) (load, error) {
	const received = `SELECT count(*) FROM message WHERE municipality_id = $1 AND direction = 'in'`
	before, err := in.count(ctx, received, in.municipality)
	if err != nil {
		return load{}, err
	}
	l, err := run()
	if err := errors.Join(err, l.whole(), in.drained(ctx)); err != nil {
		return l, err
	}
	after, err := in.count(ctx, received, in.municipality)
	if err == nil && after-before != messages(l) {
		err = fmt.Errorf("%d messages are stored, of %d that were sent", after-before, messages(l))
	}
	return l, err
}

// each is for loads of which every request is a message.
func each(l load) int64 { return int64(len(l.sent)) }

// watch looks at the lag and the memory of serve while a load runs.
type watch struct {
	stop   context.CancelFunc
	done   chan struct{}
	lag    times
	memory int64 // the highest
}

func (in *installation) watch(ctx context.Context) *watch {
	w := &watch{done: make(chan struct{})}
	ctx, w.stop = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		for ctx.Err() == nil {
			if lag, err := in.journal.Lag(ctx); err == nil {
				w.lag = append(w.lag, lag)
			}
			if now, err := in.memory("VmRSS"); err == nil {
				w.memory = max(w.memory, now)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return w
}

func (w *watch) end() (lag times, memory int64) {
	w.stop()
	<-w.done
	return w.lag, w.memory
}

// measureAlone lets only new messages come in, at the rate of the target.
func (b bench) measureAlone(ctx context.Context, in *installation, lasting time.Duration) (result, error) {
	c := newCitizens(0, writers)
	watch := in.watch(ctx)
	_, err := in.receive(ctx, each, func() (load, error) {
		return openLoop(ctx, in.webhook(), 128, alonePerSecond, lasting, c.next)
	})
	lag, _ := watch.end()
	return result{row: "whole road in, 2,000 new messages/s", engine: b.engine, figure: fmt.Sprintf("lag p50 %s, max %s ms", ms(lag.p50()), ms(lag.max())),
		target: "lag < 2,000 ms", met: lag.max() < 2*time.Second}, err
}

// measureCeiling lets serve find a full journal and times how fast it becomes conversation.
func (b bench) measureCeiling(ctx context.Context, in *installation, messages int) (result, error) {
	if err := in.stop(); err != nil {
		return result{}, err
	}
	if err := in.fillJournal(ctx, messages); err != nil {
		return result{}, err
	}
	if _, err := in.start(ctx); err != nil {
		return result{}, err
	}
	var before int64
	const pending = `SELECT count(*) FROM journal_waiting`
	start := time.Now()
	err := in.d.ViewJournal(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.QueryRowContext(ctx, pending).Scan(&before) })
	if err := errors.Join(err, in.drained(ctx)); err != nil {
		return result{}, err
	}
	rate := float64(before) / time.Since(start).Seconds()
	return result{row: "journal → conversation, searchable, new messages", engine: b.engine, figure: perSecond(rate), target: "≥ 2,000/s", met: rate >= 2000}, nil
}

func (in *installation) fillJournal(ctx context.Context, messages int) error {
	c := newCitizens(0, writers)
	for messages > 0 {
		n := min(messages, perTransaction)
		messages -= n
		err := in.d.UpdateJournal(ctx, func(ctx context.Context, tx *db.Tx) error {
			var rows, waiting [][]any
			for range n {
				id, body := tx.NewID(), c.next().body
				rows = append(rows, []any{in.municipality, id, tx.Now(), body})
				waiting = append(waiting, []any{in.municipality, id, tx.Now(), len(body)})
			}
			if err := insert(ctx, tx, "journal", []string{"municipality_id", "entry_id", "received_at", "body"}, rows); err != nil {
				return err
			}
			return insert(ctx, tx, "journal_waiting", []string{"municipality_id", "entry_id", "received_at", "size"}, waiting)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
