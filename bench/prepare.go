// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/staff"
)

const longestPreparation = 3 * time.Second

// measurePrepare times how long a broadcast takes from its release until every subscriber has a row, in
// turns with the same rows inserted and nothing else.
func measurePrepare(ctx context.Context, b bench) (results []result, err error) {
	people := b.many(100_000, 20_000)
	var prepared, bare times
	for range b.many(3, 1) {
		took, err := b.prepare(ctx, people, preparation)
		if err != nil {
			return nil, err
		}
		prepared = append(prepared, took)
		if took, err = b.prepare(ctx, people, bareRows); err != nil {
			return nil, err
		}
		bare = append(bare, took)
	}
	limit := longestPreparation * time.Duration(people) / 100_000
	return []result{{row: fmt.Sprintf("broadcast prepared for %s", thousands(float64(people))), engine: b.engine, figure: prepared.p50().Round(time.Millisecond).String(),
		limit: bare.p50().Round(time.Millisecond).String() + " for the bare rows", ratio: fmt.Sprintf("%.2f", float64(bare.p50())/float64(prepared.p50())),
		target: fmt.Sprintf("< %s", limit), met: prepared.p50() < limit}}, nil
}

// prepare times f on a fresh installation with so many subscribers, where serve has learnt the numbers and
// the template and has been stopped.
func (b bench) prepare(ctx context.Context, people int, f func(ctx context.Context, in *installation, t *town) (time.Duration, error)) (took time.Duration, err error) {
	err = b.withNumbers(ctx, 2, func(in *installation) error {
		t, err := in.subscribe(ctx, people)
		if err != nil {
			return err
		}
		if err := in.stop(); err != nil {
			return err
		}
		took, err = f(ctx, in, t)
		return err
	})
	return took, err
}

func preparation(ctx context.Context, in *installation, t *town) (time.Duration, error) {
	start := time.Now()
	id, err := t.send(ctx)
	if err != nil {
		return 0, err
	}
	if err := broadcast.NewConductor(in.d, t.directory, slog.New(slog.DiscardHandler)).Drain(ctx); err != nil {
		return 0, err
	}
	sent, err := t.get(ctx, id)
	if err == nil && (sent.StartedAt == nil || sent.Recipients != t.people) {
		err = fmt.Errorf("%d of %d are prepared, and it is %s", sent.Recipients, t.people, sent.State)
	}
	if err != nil {
		return 0, err
	}
	return sent.StartedAt.Sub(start), nil
}

// bareRows inserts rows like the copies of a broadcast, all by one statement.
func bareRows(ctx context.Context, in *installation, t *town) (time.Duration, error) {
	start := time.Now()
	err := in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, status, lane, broadcast_id, client_key,
			author_kind, author_id, author_name, at, created_at, next_at)
			SELECT municipality_id, contact_id, contact_id, number, 'out', 'template', 10, -1, 1, 'copy:1000000000000000000:' || contact_id, 'operator', 1, 'Anna', $2, $2, $2
			FROM subscription WHERE municipality_id = $1`, in.municipality, tx.Now())
		return err
	})
	return time.Since(start), err
}

// town is a municipality with subscribers, and its door to broadcasts.
type town struct {
	in        *installation
	directory *municipality.Directory
	people    int
}

// subscribe waits until serve has learnt, and puts so many citizens on the list, by
// the municipality's numbers in turn.
func (in *installation) subscribe(ctx context.Context, people int) (*town, error) {
	t, err := in.learn(ctx)
	if err != nil {
		return nil, err
	}
	t.people = people
	subscribers := make([]person, people)
	h := history{in: in}
	since := time.Now().UTC().Add(-24 * time.Hour).Truncate(time.Microsecond)
	if err := h.writePeople(ctx, subscribers, since); err != nil {
		return nil, err
	}
	for from := 0; from < people; from += perTransaction {
		err := in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
			var rows [][]any
			for i := from; i < min(people, from+perTransaction); i++ {
				rows = append(rows, []any{in.municipality, subscribers[i].contact, list, 1, numberID(i % in.numbers), since, since})
			}
			return insert(ctx, tx, "subscription", []string{"municipality_id", "contact_id", "topic", "state", "number", "since", "at"}, rows)
		})
		if err != nil {
			return nil, err
		}
	}
	err = in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		return insert(ctx, tx, "subscribers", []string{"municipality_id", "topic", "count"}, [][]any{{in.municipality, list, people}})
	})
	if err != nil {
		return nil, err
	}
	return t, h.settle(ctx)
}

// learn waits until serve has learnt of Meta what it needs.
func (in *installation) learn(ctx context.Context) (*town, error) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ready, err := in.count(ctx, `SELECT count(*) FROM number, template WHERE throughput = 'HIGH'`)
		if err != nil {
			return nil, err
		}
		if int(ready) == in.numbers {
			break
		}
		if time.Now().After(end) {
			return nil, errors.New("serve did not learn its numbers' throughput and the template within 30 s")
		}
	}
	return in.town(ctx)
}

// town is the municipality with the program's key.
func (in *installation) town(ctx context.Context) (*town, error) {
	key, err := secret.Load(filepath.Join(in.dir, "secret.key"))
	if err != nil {
		return nil, err
	}
	t := &town{in: in}
	if t.directory, err = municipality.NewDirectory(ctx, in.d, key); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *town) municipality() *municipality.Municipality {
	m, _ := t.directory.BySlug(slug)
	return m
}

func (t *town) actor() staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Anna", Role: staff.Supervisor, Municipality: t.in.municipality}
}

// send writes a broadcast to the list and sends it.
func (t *town) send(ctx context.Context) (id int64, err error) { return t.sendTo(ctx, list) }

func (t *town) sendTo(ctx context.Context, list string) (id int64, err error) {
	if id, err = t.write(ctx, broadcast.Audience{Lists: []string{list}}); err != nil {
		return 0, err
	}
	return id, t.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := broadcast.Submit(ctx, tx, t.actor(), t.municipality(), id)
		return err
	})
}

// write writes a broadcast and does not send it.
func (t *town) write(ctx context.Context, to broadcast.Audience) (id int64, err error) {
	p := broadcast.Plan{Audience: to, Message: broadcast.Message{
		Template: conversation.Template{Name: templateName, Language: "it"}, Parameters: municipality.Parameters{List: []string{"via Roma è chiusa fino a venerdì"}}}}
	err = t.in.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		b, err := broadcast.Create(ctx, tx, t.actor(), t.municipality(), p)
		if err != nil {
			return err
		}
		id = b.ID
		return nil
	})
	return id, err
}

func (t *town) get(ctx context.Context, id int64) (b broadcast.Broadcast, err error) {
	err = t.in.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
		b, err = broadcast.Get(ctx, tx, t.in.municipality, id)
		return err
	})
	return b, err
}
