// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Topic says what a notice is about.
type Topic string

// The topics. A notice is a hint: whoever depends on one also sweeps every two seconds.
const (
	Conversation Topic = "conversation" // a conversation or its messages changed; ID is the conversation
	Outbox       Topic = "outbox"       // messages were queued; Key is the phone number id, ID their lane
	Journal      Topic = "journal"      // entries were appended
	Inbound      Topic = "inbound"      // messages came in, which count in a number's rate; Key is the phone number id, ID how many
	Config       Topic = "config"       // a municipality was applied, a token or a role changed
	Broadcast    Topic = "broadcast"    // a broadcast changed, or its messages did; ID is the broadcast
	Refresh      Topic = "refresh"      // notices may have been missed: look at everything again
)

// Notice tells that something committed.
type Notice struct {
	Topic        Topic  `json:"t"`
	Municipality int64  `json:"m,omitempty"`
	ID           int64  `json:"i,omitempty"`
	Key          string `json:"k,omitempty"`
}

// Hub passes notices on inside the process.
type Hub struct {
	mu   sync.Mutex
	subs map[*Subscription]struct{}
	out  chan Notice // to the other instances; nil on SQLite

	overflow atomic.Bool // out was full: the others get a Refresh
}

// Subscription receives notices on C. One that doesn't keep up gets a Refresh in place of what it missed.
type Subscription struct {
	C      chan Notice
	hub    *Hub
	wanted func(Notice) bool
}

func newHub() *Hub { return &Hub{subs: make(map[*Subscription]struct{})} }

// Subscribe delivers the notices that wanted accepts until Close.
func (h *Hub) Subscribe(wanted func(Notice) bool) *Subscription {
	s := &Subscription{C: make(chan Notice, 256), hub: h, wanted: wanted}
	h.mu.Lock()
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	return s
}

// Close ends the subscription. C is not closed.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	delete(s.hub.subs, s)
	s.hub.mu.Unlock()
}

// deliver hands ns to the subscribers of this process.
func (h *Hub) deliver(ns ...Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		for _, n := range ns {
			if n.Topic == Refresh || s.wanted(n) {
				s.offer(n)
			}
		}
	}
}

// offer runs under the hub's lock. When there is no room, what waits and n become one Refresh.
func (s *Subscription) offer(n Notice) {
	select {
	case s.C <- n:
		return
	default:
	}
	for len(s.C) > 0 {
		select {
		case <-s.C:
		default:
		}
	}
	s.C <- Notice{Topic: Refresh}
}

func (d *DB) publish(ns []Notice) {
	if len(ns) == 0 {
		return
	}
	d.Hub.deliver(ns...)
	if d.Hub.out == nil {
		return
	}
	for _, n := range ns {
		select {
		case d.Hub.out <- n:
		default:
			d.Hub.overflow.Store(true)
		}
	}
}

// Publish tells of something that another handle of the database committed.
func (d *DB) Publish(n Notice) { d.publish([]Notice{n}) }

const (
	channel       = "filodiretto"
	coalesce      = 10 * time.Millisecond
	maxNoticeSize = 7000 // of PostgreSQL's 8000 bytes
)

type envelope struct {
	From    string   `json:"f"`
	Notices []Notice `json:"n"`
}

// startNotices carries notices between instances. NOTIFY runs after commit and outside of every
// transaction, one per instance and 10 ms: inside, it would serialise all commits.
func (d *DB) startNotices(run context.Context) {
	d.Hub.out = make(chan Notice, 4096)
	d.done.Go(func() { d.sendNotices(run) })
	d.done.Go(func() { d.listen(run) })
}

func (d *DB) sendNotices(run context.Context) {
	for {
		var first Notice
		select {
		case <-run.Done():
			return
		case first = <-d.Hub.out:
		}
		batch := map[Notice]struct{}{first: {}}
		timer := time.After(coalesce)
	collect:
		for {
			select {
			case n := <-d.Hub.out:
				batch[n] = struct{}{}
			case <-timer:
				break collect
			}
		}
		if d.Hub.overflow.Swap(false) {
			batch = map[Notice]struct{}{{Topic: Refresh}: {}}
		}
		for _, payload := range payloads(d.owner, batch) {
			if _, err := d.main.ExecContext(run, "SELECT pg_notify($1, $2)", channel, payload); err != nil && run.Err() == nil {
				d.log.Warn("a notice did not reach the other instances; their sweep finds it", "error", err)
			}
		}
	}
}

func payloads(owner string, batch map[Notice]struct{}) []string {
	var out []string
	var part []Notice
	size := 0
	flush := func() {
		if len(part) == 0 {
			return
		}
		b, err := json.Marshal(envelope{From: owner, Notices: part})
		if err == nil { // strings and numbers always marshal
			out = append(out, string(b))
		}
		part, size = nil, 0
	}
	for n := range batch {
		if size += 90 + len(n.Key); size > maxNoticeSize {
			flush()
			size = 90 + len(n.Key)
		}
		part = append(part, n)
	}
	flush()
	return out
}

// listen holds an own connection. After a reconnect notices may be missing, so it tells everybody to look.
func (d *DB) listen(run context.Context) {
	for run.Err() == nil {
		if err := d.listenOnce(run); err != nil && run.Err() == nil {
			d.log.Warn("listening for notices was interrupted", "error", err)
			select {
			case <-run.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (d *DB) listenOnce(run context.Context) error {
	conn, err := pgx.Connect(run, d.dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(run)) }()
	if _, err := conn.Exec(run, "LISTEN "+channel); err != nil {
		return err
	}
	d.Hub.deliver(Notice{Topic: Refresh})
	for {
		n, err := waitOrPing(run, conn)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		var e envelope
		if json.Unmarshal([]byte(n.Payload), &e) == nil && e.From != d.owner {
			d.Hub.deliver(e.Notices...)
		}
	}
}

// pingEvery finds a connection that is gone without a word: it would hear nothing for ever.
const pingEvery = 30 * time.Second

// waitOrPing returns the next notification, or nil after a while in which there was none.
func waitOrPing(run context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	wait, cancel := context.WithTimeout(run, pingEvery)
	defer cancel()
	n, err := conn.WaitForNotification(wait)
	if err == nil || run.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return n, err
	}
	answer, cancelPing := context.WithTimeout(run, 10*time.Second)
	defer cancelPing()
	return nil, conn.Ping(answer)
}
