// SPDX-License-Identifier: AGPL-3.0-or-later

package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// What a test of killed broadcasts does. The kills of all three together are a hundred.
const (
	crowdKilled   = 2000 // subscribers
	leavers       = 100  // of them write STOP meanwhile
	broadcastKill = 40   // times on each database, and half as often with two instances
	perBroadcast  = 10   // kills, of which the first falls into its preparation
	perLease      = 15   // kills, of which one waits until something is sent: the lease of who was killed before has ended then
)

// The process is killed with -9 at random moments while broadcasts are prepared and sent, are paused and
// resumed, citizens leave, others write and get replies, and Meta fails now and then. Nobody gets a copy
// twice, nobody is left out in silence, and who has left gets nothing more.
func TestBroadcastKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for engine, address := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			s := startScene(t, address)
			s.killed(fewer(broadcastKill), s.in)
			s.end()
			s.in.stop()
			s.check()
		})
	}
}

// Of two instances on one PostgreSQL one or the other is killed again and again, also the one that sends.
func TestBroadcastWithOneOfTwoInstancesKilled(t *testing.T) {
	t.Parallel()
	s := startScene(t, dbtest.DSNs(t)["postgres"])
	second := s.in.twin()
	second.start()
	s.killed(fewer(broadcastKill/2), second, s.in)
	s.end()
	second.stop()
	s.in.stop()
	s.check()
}

func fewer(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}

// killing is an installation in which broadcasts are killed, and what is known about them.
type killing struct {
	in      *installation
	d       *db.DB
	town    int64
	phones  []string
	load    *load
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	ids     []string        // of the broadcasts
	left    map[string]bool // phones that wrote STOP
	sending map[int64]bool  // messages that were in flight at a kill

}

func startScene(t *testing.T, address string) *killing {
	t.Helper()
	in := install(t, address)
	in.control(http.MethodPut, "numbers/"+in.phoneNumberID, map[string]any{"throughput": "HIGH"}, nil)
	file := filepath.Join(in.data, "prova.yaml")
	if err := os.WriteFile(file, []byte(listsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	in.command("apply", file)
	s := &killing{in: in, left: make(map[string]bool), sending: make(map[int64]bool)}
	s.phones = in.crowd("PUBBLICAUTILITA", crowdKilled)
	in.start()
	s.d = in.open()
	s.town = in.municipalityID(s.d)
	in.until("the number and the template are known", func() bool {
		return in.count(s.d, `SELECT count(*) FROM number, template WHERE throughput = 'HIGH' AND name = 'avviso'`) == 1
	})
	s.citizens()
	s.load = in.trickle(in.openConversations(40))
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	s.running.Go(func() { s.leave(ctx) })
	s.running.Go(func() { s.pauseAndResume(ctx) })
	s.running.Go(func() { s.breakMeta(ctx) })
	return s
}

// citizens gives the subscribers phones that answer.
func (s *killing) citizens() {
	var running sync.WaitGroup
	for part := range slices.Chunk(s.phones, len(s.phones)/4) {
		running.Go(func() {
			for _, phone := range part {
				s.in.control(http.MethodPost, "citizens", map[string]any{"phone": phone, "name": "Cittadina"}, nil)
			}
		})
	}
	running.Wait()
}

// killed kills instances n times, in turn. Every so often a broadcast has just begun.
func (s *killing) killed(n int, victims ...*installation) {
	for i := range n {
		switch {
		case i%perBroadcast == 0:
			s.begin()
			s.in.waitFor(rand.N(80 * time.Millisecond))
		case i%perLease == perLease-1:
			before := s.accepted()
			s.in.until("Meta takes something", func() bool { return s.accepted() > before })
		default:
			s.in.waitFor(20*time.Millisecond + rand.N(250*time.Millisecond))
		}
		victim := victims[i%len(victims)]
		victim.kill()
		s.noteFlying()
		victim.start()
	}
}

func (s *killing) accepted() int {
	return s.in.count(s.d, `SELECT count(*) FROM message WHERE accepted_at IS NOT NULL`)
}

// begin sends a broadcast, as often as it takes until it is there.
func (s *killing) begin() {
	s.in.t.Helper()
	key := fmt.Sprint("broadcast-", len(s.ids))
	body := map[string]any{"lists": []string{"PUBBLICAUTILITA"}, "template": map[string]any{"name": "avviso", "language": "it", "parameters": []string{key}}}
	s.in.until("a broadcast is taken", func() bool {
		status, raw := s.in.call(s.in.t.Context(), http.MethodPost, "/api/v1/broadcasts", body, key)
		var b struct{ ID string }
		if status != http.StatusCreated || json.Unmarshal(raw, &b) != nil {
			return false
		}
		s.mu.Lock()
		s.ids = append(s.ids, b.ID)
		s.mu.Unlock()
		return true
	})
}

// noteFlying notes what was in flight when somebody was killed: it may stay uncertain.
func (s *killing) noteFlying() {
	s.in.t.Helper()
	err := s.d.View(s.in.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return tx.Query(ctx, `SELECT message_id FROM message WHERE stage IN (20, 30)`, [][]any{{}}, func(_ int, row db.Scanner) error {
			var id int64
			err := row.Scan(&id)
			s.sending[id] = true
			return err
		})
	})
	if err != nil {
		s.in.t.Fatal(err)
	}
}

// leave lets some of the subscribers write STOP, one after the other.
func (s *killing) leave(ctx context.Context) {
	for i := range leavers {
		phone := s.phones[i*len(s.phones)/leavers]
		s.in.control(http.MethodPost, "citizens/"+phone+"/messages", map[string]any{"number": s.in.phoneNumberID, "text": "STOP"}, nil)
		s.mu.Lock()
		s.left[phone] = true
		s.mu.Unlock()
		if !rest(ctx, rand.N(150*time.Millisecond)) {
			return
		}
	}
}

// pauseAndResume does either to any broadcast; what it can't do to it is refused.
func (s *killing) pauseAndResume(ctx context.Context) {
	for rest(ctx, 100*time.Millisecond+rand.N(500*time.Millisecond)) {
		s.mu.Lock()
		ids := slices.Clone(s.ids)
		s.mu.Unlock()
		if len(ids) > 0 {
			s.in.call(ctx, http.MethodPost, "/api/v1/broadcasts/"+ids[rand.IntN(len(ids))]+"/"+[]string{"pause", "resume", "resume"}[rand.IntN(3)], nil, "")
		}
	}
}

// breakMeta lets Meta fail in one way or another for a moment.
func (s *killing) breakMeta(ctx context.Context) {
	for rest(ctx, time.Second+rand.N(2*time.Second)) {
		s.in.control(http.MethodPut, "faults", map[string]any{"broken": []any{map[string]any{
			"kind": []string{"half", "drop"}[rand.IntN(2)], "processed": rand.IntN(2) == 0}}}, nil)
		rest(ctx, rand.N(300*time.Millisecond))
		s.in.control(http.MethodPut, "faults", map[string]any{}, nil)
	}
}

// rest reports false when it is over.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// end lets everything come to its end: nothing fails or pauses any more, and what was paused goes on.
func (s *killing) end() {
	s.in.t.Helper()
	s.stop()
	s.running.Wait()
	s.load.stop()
	s.in.control(http.MethodPut, "faults", map[string]any{}, nil)
	s.in.until("all broadcasts are completed", func() bool {
		for _, id := range s.ids {
			switch s.in.look(id).State {
			case "paused":
				s.in.call(s.in.t.Context(), http.MethodPost, "/api/v1/broadcasts/"+id+"/resume", nil, "")
				return false
			case "completed":
			default:
				return false
			}
		}
		return true
	})
	s.in.settleDown()
}

// copy is a copy of a broadcast as the database has it.
type copyRow struct {
	id, broadcast int64
	phone         string
	status        conversation.Status
	detail        string
	claimed       *db.Time
}

// check holds the ledger against what reached Meta.
func (s *killing) check() {
	t := s.in.t
	t.Helper()
	s.in.check(s.load)
	copies, leftAt := s.ledger()
	sends := s.sends()
	s.addsUp(copies)
	onWire := make(map[string]int) // by broadcast and phone
	told := make(map[conversation.Status]int)
	for _, c := range copies {
		told[c.status]++
		sent := sends[db.FormatID(c.id)]
		onWire[fmt.Sprint(c.broadcast, " ", c.phone)] += sent.out
		switch {
		case c.status == conversation.Queued || c.status == conversation.Sending:
			t.Errorf("a copy to %s is still %v", c.phone, c.status)
		case c.status == conversation.Skipped && (leftAt[c.phone] == nil || c.detail != conversation.SkippedLeft || sent.out > 0):
			t.Errorf("the copy to %s was skipped (%q), which was sent %d times", c.phone, c.detail, sent.out)
		case c.status == conversation.Uncertain && sent.accepted > 0:
			t.Errorf("the copy to %s stayed uncertain: Meta took it, and told so", c.phone)
		case c.status == conversation.Uncertain && sent.broken == 0 && !s.sending[c.id]:
			t.Errorf("the copy to %s is uncertain, and was not in flight at any kill", c.phone)
		case c.status.Rank() >= conversation.Accepted.Rank() && c.status < conversation.Cancelled && c.status != conversation.Failed && sent.out == 0:
			t.Errorf("the copy to %s is %v and was never sent", c.phone, c.status)
		case c.status == conversation.Cancelled || c.status == conversation.Failed:
			t.Errorf("the copy to %s is %v: %s", c.phone, c.status, c.detail)
		}
		if at := leftAt[c.phone]; at != nil && c.claimed != nil && c.claimed.Sub(at.Time) > time.Second {
			t.Errorf("%s had left at %v, and a copy was sent at %v", c.phone, at.Time, c.claimed.Time)
		}
	}
	for who, n := range onWire {
		if n > 1 {
			t.Errorf("broadcast and phone %s: sent %d times", who, n)
		}
	}
	t.Logf("%d broadcasts, %d copies: %v; %d left, %d in flight at the kills", len(s.ids), len(copies), told, len(leftAt), len(s.sending))
	if told[conversation.Skipped] == 0 || len(copies) < len(s.ids)*(crowdKilled-leavers) {
		t.Error("the test tested less than it should")
	}
}

// ledger reads the copies of all broadcasts, and when the leave of each phone that left was processed.
func (s *killing) ledger() (copies []copyRow, leftAt map[string]*db.Time) {
	t := s.in.t
	t.Helper()
	leftAt = make(map[string]*db.Time)
	err := s.d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		copies = nil
		err := tx.Query(ctx, `SELECT m.message_id, m.broadcast_id, c.phone, m.status, m.error_detail, m.sending_at FROM message m
			JOIN contact c ON c.municipality_id = m.municipality_id AND c.contact_id = m.contact_id WHERE m.broadcast_id <> 0`, [][]any{{}}, func(_ int, row db.Scanner) error {
			var c copyRow
			err := row.Scan(&c.id, &c.broadcast, &c.phone, &c.status, &c.detail, &c.claimed)
			copies = append(copies, c)
			return err
		})
		if err != nil {
			return err
		}
		return tx.Query(ctx, `SELECT c.phone, min(m.created_at) FROM message m JOIN contact c ON c.municipality_id = m.municipality_id AND c.contact_id = m.contact_id
			WHERE m.direction = 'in' AND m.text = 'STOP' GROUP BY c.phone`, [][]any{{}}, func(_ int, row db.Scanner) error {
			var phone string
			var at db.Time
			err := row.Scan(&phone, &at)
			leftAt[phone] = &at
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, phone := range slices.Sorted(maps.Keys(s.left)) {
		if leftAt[strings.TrimPrefix(phone, "+")] == nil {
			t.Errorf("the STOP of %s is not there", phone)
		}
	}
	return copies, leftAt
}

// sends are the requests by which a message was sent, by our id: those that Meta took, those that it broke off,
// and all that may have had an effect.
type sends struct{ accepted, broken, out int }

func (s *killing) sends() map[string]sends {
	s.in.t.Helper()
	var all struct {
		Forgotten int
		Items     []struct {
			Status   int
			Callback string
		}
	}
	s.in.control(http.MethodGet, "requests?path=/messages&fields=status,callback", nil, &all)
	if all.Forgotten > 0 {
		s.in.t.Fatalf("the simulator has forgotten %d requests", all.Forgotten)
	}
	out := make(map[string]sends)
	for _, r := range all.Items {
		n := out[r.Callback]
		switch {
		case r.Status == http.StatusOK:
			n.accepted++
			n.out++
		case r.Status == 0 || r.Status >= http.StatusInternalServerError:
			n.broken++
			n.out++
		}
		out[r.Callback] = n
	}
	return out
}

// addsUp holds that every subscriber who never left has a copy of each broadcast, and each copy an outcome.
func (s *killing) addsUp(copies []copyRow) {
	t := s.in.t
	t.Helper()
	have := make(map[string]int)
	for _, c := range copies {
		have["+"+c.phone]++
	}
	for _, phone := range s.phones {
		if n := have[phone]; n > len(s.ids) || n < len(s.ids) && !s.left[phone] {
			t.Errorf("%s has %d copies of %d broadcasts", phone, n, len(s.ids))
		}
	}
	err := s.d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for _, raw := range s.ids {
			id, _ := db.ParseID(raw)
			b, err := broadcast.Get(ctx, tx, s.town, id)
			if err != nil {
				return err
			}
			out, err := broadcast.Count(ctx, tx, s.town, id)
			if err != nil {
				return err
			}
			if sum := out.Out() + out.Failed + out.Skipped + out.Cancelled + out.Uncertain; sum != b.Recipients || out.Open() != 0 {
				t.Errorf("broadcast %s is to %d, and its outcomes are %+v", raw, b.Recipients, out)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
