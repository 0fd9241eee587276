// SPDX-License-Identifier: AGPL-3.0-or-later

package outbound_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/metatest"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/outbound"
	"github.com/filodiretto/filodiretto/internal/secret"
	"github.com/filodiretto/filodiretto/internal/simulator"
	"github.com/filodiretto/filodiretto/internal/staff"
	"github.com/filodiretto/filodiretto/internal/towntest"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const number = "100000000000001" // the simulator's own

// office can send: it has conversations with citizens who wrote to the simulator just now.
type office struct {
	t     *testing.T
	d     *db.DB
	key   *secret.Key
	m     *municipality.Municipality
	graph *httptest.Server
	files *media.Store
}

func each(t *testing.T, f func(t *testing.T, o *office)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := setUp(t, d)
		o.start(d)
		f(t, o)
	})
}

func setUp(t *testing.T, d *db.DB) *office {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Delays: &simulator.Delays{Sent: -1, Delivered: -1, Read: -1, Played: -1, Retry: time.Hour, RetryMax: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	files, err := media.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, d: d, key: towntest.Key(t), graph: httptest.NewServer(sim.Handler()), files: files}
	t.Cleanup(func() { o.graph.Close(); _ = sim.Close() })
	o.apply(towntest.Simulated)
	return o
}

// apply brings the municipality to what a file says.
func (o *office) apply(text string) {
	o.t.Helper()
	o.m = towntest.Apply(o.t, o.d, o.key, text)
}

// start runs a sender over d, which may be a second instance's handle, until stop.
func (o *office) start(d *db.DB) (stop func()) {
	o.t.Helper()
	directory, err := municipality.NewDirectory(o.t.Context(), d, o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: o.graph.URL, Timeout: 2 * time.Second})
	files := media.NewService(media.Options{DB: d, Store: o.files, Client: client, Directory: directory, Log: slog.New(slog.DiscardHandler)})
	sender := outbound.New(d, directory, client, files, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { sender.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	o.t.Cleanup(stop)
	return stop
}

func (o *office) update(f func(ctx context.Context, tx *db.Tx) error) {
	o.t.Helper()
	if err := o.d.Update(o.t.Context(), f); err != nil {
		o.t.Fatal(err)
	}
}

// citizen writes to the simulator and to the desk, and returns the conversation.
func (o *office) citizen(phone string) (id int64) {
	o.t.Helper()
	o.control(http.MethodPost, "citizens", map[string]any{"phone": "+" + phone, "name": "Maria"}, nil)
	o.control(http.MethodPost, "citizens/+"+phone+"/messages", map[string]any{"number": number, "text": "Buongiorno"}, nil)
	o.update(func(ctx context.Context, tx *db.Tx) error {
		ids, _, err := contact.Resolve(ctx, tx, o.m.ID, []contact.Person{{Phone: phone, Name: "Maria", At: tx.Now()}})
		if err != nil {
			return err
		}
		r, err := conversation.Receive(ctx, tx, o.m.ID, []conversation.Message{{ID: tx.NewID(), ContactID: ids[0], Number: number,
			ExternalID: "wamid.in" + phone, Type: conversation.TypeText, Text: "Buongiorno", At: tx.Now()}})
		id = r[0].Conversation
		return err
	})
	return id
}

func (o *office) reply(id int64, text string) (message int64) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		m, err := conversation.Send(ctx, tx, o.anna(), id, conversation.Outgoing{Type: conversation.TypeText, Text: text, ClientKey: text + db.FormatID(id)})
		message = m.ID
		return err
	})
	return message
}

func (o *office) anna() staff.Actor {
	return staff.Actor{Kind: staff.OperatorKind, ID: 1, Name: "Anna", Role: staff.Operator, Municipality: o.m.ID}
}

func (o *office) status(message int64) (s conversation.Status) {
	o.t.Helper()
	o.update(func(ctx context.Context, tx *db.Tx) error {
		m, err := conversation.GetMessage(ctx, tx, o.m.ID, message)
		s = m.Status
		return err
	})
	return s
}

// await looks until what it looks at is as it should be; now is what it is like.
func (o *office) await(look func() (as bool, now any)) {
	o.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		as, now := look()
		if as {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			o.t.Fatalf("it stays at %+v", now)
		}
	}
}

// becomes waits until the message has a status.
func (o *office) becomes(message int64, want conversation.Status) {
	o.t.Helper()
	o.await(func() (bool, any) {
		got := o.status(message)
		return got == want, got
	})
}

func (o *office) control(method, path string, body, into any) {
	o.t.Helper()
	metatest.Control(o.t, o.graph.URL, method, path, body, into)
}

func (o *office) faults(f map[string]any) { o.t.Helper(); o.control(http.MethodPut, "faults", f, nil) }

// sends are the send requests that reached Meta, in their order.
func (o *office) sends() (texts []string) {
	o.t.Helper()
	var all struct {
		Items []struct {
			Body struct {
				Callback string `json:"biz_opaque_callback_data"`
				Text     struct{ Body string }
			}
		}
	}
	o.control(http.MethodGet, "requests?path=/messages&method=POST", nil, &all)
	for _, r := range all.Items {
		if r.Body.Callback != "" {
			texts = append(texts, r.Body.Text.Body)
		}
	}
	return texts
}

// probes are the statuses that Meta answered with when the desk asked for its number, to see whether the line is up.
func (o *office) probes() (statuses []int) {
	o.t.Helper()
	var all struct{ Items []struct{ Status int } }
	o.control(http.MethodGet, "requests?path=/"+number+"&method=GET", nil, &all)
	for _, r := range all.Items {
		statuses = append(statuses, r.Status)
	}
	return statuses
}

func TestAReplyGoesOut(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.citizen("393331234567")
		m := o.reply(id, "Eccoci")
		o.becomes(m, conversation.Accepted)
		if got := o.sends(); !slices.Equal(got, []string{"Eccoci"}) {
			t.Errorf("sends are %v", got)
		}
	})
}

// A file is brought to Meta before the messages that show it go, in their order.
func TestAReplyWaitsForItsFile(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.citizen("393331234567")
		f, err := o.files.Add(t.Context(), o.m.ID, "orari.txt", strings.NewReader("dalle 9 alle 13"))
		if err != nil {
			t.Fatal(err)
		}
		var m conversation.Message
		o.update(func(ctx context.Context, tx *db.Tx) error {
			f.ID = tx.NewID()
			if err := media.Save(ctx, tx, o.m.ID, f); err != nil {
				return err
			}
			m, err = conversation.Send(ctx, tx, o.anna(), id, conversation.Outgoing{Type: conversation.TypeDocument, Text: "Ecco gli orari", MediaID: f.ID, ClientKey: "file"})
			return err
		})
		o.becomes(m.ID, conversation.Accepted)
		o.becomes(o.reply(id, "Buona giornata"), conversation.Accepted)
		if got := o.sends(); !slices.Equal(got, []string{"", "Buona giornata"}) {
			t.Errorf("sends are %q", got)
		}
	})
}

// Whatever is no Graph answer leaves the message uncertain, and it is never sent again by itself.
func TestWhatIsNotSureIsNotSentAgain(t *testing.T) {
	for _, kind := range []string{"status", "half", "garbage", "empty", "hang", "drop"} {
		t.Run(kind, func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				id := o.citizen("393331234567")
				o.faults(map[string]any{"broken": []any{map[string]any{"kind": kind, "times": 1, "status": 500}}})
				m := o.reply(id, "forse")
				o.becomes(m, conversation.Uncertain)
				next := o.reply(id, "poi")
				o.becomes(next, conversation.Accepted)
				if got := o.status(m); got != conversation.Uncertain {
					t.Errorf("the uncertain message became %v", got)
				}
				if got := o.sends(); !slices.Equal(got, []string{"forse", "poi"}) {
					t.Errorf("sends are %q", got)
				}
			})
		})
	}
}

func TestThreeUncertainInARowStopTheNumber(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var replies []int64
		for i := range 8 {
			replies = append(replies, o.citizen(fmt.Sprint("39333123456", i)))
		}
		o.faults(map[string]any{"broken": []any{map[string]any{"kind": "status", "status": 502}, map[string]any{"kind": "status", "status": 502, "path": "*"}}})
		for i, id := range replies {
			replies[i] = o.reply(id, fmt.Sprint("risposta ", i))
			if i < 3 {
				o.becomes(replies[i], conversation.Uncertain)
			}
		}
		o.await(func() (bool, any) { return len(o.probes()) > 0, "no probe" })
		if got := len(o.sends()); got != 3 {
			t.Errorf("%d sends after three uncertain ones", got)
		}
		o.faults(map[string]any{})
		for _, m := range replies[3:] {
			o.becomes(m, conversation.Accepted)
		}
	})
}

// The codes of a parsed error decide: some are tried again, some end the message, some stop the number.
func TestGraphErrorsDecide(t *testing.T) {
	for _, c := range []struct {
		code int
		want conversation.Status
	}{
		{131026, conversation.Failed}, {131047, conversation.Failed}, {100, conversation.Failed}, {987654, conversation.Failed},
		{131000, conversation.Accepted}, {130429, conversation.Accepted}, {131056, conversation.Accepted}, {2, conversation.Accepted},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			each(t, func(t *testing.T, o *office) {
				id := o.citizen("393331234567")
				o.faults(map[string]any{"refuse": []any{map[string]any{"code": c.code, "times": 1}}})
				o.becomes(o.reply(id, "prova"), c.want)
				want := 1
				if c.want == conversation.Accepted {
					want = 2
				}
				if got := o.sends(); len(got) != want {
					t.Errorf("sends are %v", got)
				}
			})
		})
	}
}

func TestABadTokenStopsTheNumberAndLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.citizen("393331234567")
		o.faults(map[string]any{"refuse": []any{map[string]any{"code": 190}}})
		m := o.reply(id, "prova")
		o.await(func() (bool, any) {
			var stops map[string]int
			o.update(func(ctx context.Context, tx *db.Tx) (err error) {
				stops, err = conversation.Stops(ctx, tx, o.m.ID)
				return err
			})
			return stops[number] == 190, stops
		})
		if got := o.status(m); got != conversation.Queued {
			t.Errorf("the message is %v", got)
		}
		if got := o.sends(); len(got) != 1 {
			t.Errorf("sends are %q", got)
		}
	})
}

// While Meta can't be reached nothing is lost, and afterwards each citizen gets everything in order.
func TestAnOutageDrainsInOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := setUp(t, d)
		first, second := o.citizen("393331234561"), o.citizen("393331234562")
		listener := o.graph.Listener.Addr().String()
		handler := o.graph.Config.Handler
		o.graph.Close() // nothing listens: surely not sent
		o.start(d)
		var lastA, lastB int64
		for i := range 6 {
			lastA, lastB = o.reply(first, fmt.Sprint("a", i)), o.reply(second, fmt.Sprint("b", i))
		}
		if a, b := o.status(lastA), o.status(lastB); a != conversation.Queued || b != conversation.Queued {
			t.Errorf("without a line the messages are %v and %v", a, b)
		}
		l, err := net.Listen("tcp", listener)
		if err != nil {
			t.Fatal(err)
		}
		o.graph = httptest.NewUnstartedServer(handler)
		o.graph.Listener = l
		o.graph.Start()
		o.becomes(lastA, conversation.Accepted)
		o.becomes(lastB, conversation.Accepted)
		var a, b []string
		for _, text := range o.sends() {
			if strings.HasPrefix(text, "a") {
				a = append(a, text)
			} else {
				b = append(b, text)
			}
		}
		if !slices.Equal(a, []string{"a0", "a1", "a2", "a3", "a4", "a5"}) || !slices.Equal(b, []string{"b0", "b1", "b2", "b3", "b4", "b5"}) {
			t.Errorf("sent %v and %v", a, b)
		}
	})
}

// A status may settle a message before our own answer does, or in its place.
func TestAStatusSettlesWhatWasUncertain(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id := o.citizen("393331234567")
		o.faults(map[string]any{"broken": []any{map[string]any{"kind": "garbage", "times": 1, "processed": true}}})
		m := o.reply(id, "arrivata?")
		o.becomes(m, conversation.Uncertain)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			_, err := conversation.ApplyStatuses(ctx, tx, o.m.ID, []conversation.Change{{Number: number, ExternalID: "wamid.X", MessageID: m, Status: conversation.Delivered, At: tx.Now()}})
			return err
		})
		o.becomes(m, conversation.Delivered)
	})
}

func TestACitizenIsNotFlooded(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		id, other := o.citizen("393331234567"), o.citizen("393331234568")
		var last int64
		for i := range 47 {
			last = o.reply(id, fmt.Sprintf("%02d", i))
		}
		o.await(func() (bool, any) { n := len(o.sends()); return n >= 45, n })
		o.becomes(o.reply(other, "99"), conversation.Accepted) // others don't wait
		if got := o.status(last); got != conversation.Queued {
			t.Errorf("the 47th message is %v: WhatsApp allows 45 at once", got)
		}
		if got := o.sends(); !slices.IsSorted(got) {
			t.Errorf("sent out of order: %v", got)
		}
	})
}

// Two instances over one database send each message once, and one takes over when the other goes.
func TestTwoInstancesSendOnce(t *testing.T) {
	address := dbtest.DSNs(t)["postgres"]
	open := func() *db.DB {
		d, err := db.Open(t.Context(), db.Options{DSN: address})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	a, b := open(), open()
	o := setUp(t, a)
	stopA := o.start(a)
	o.start(b)
	var ids []int64
	for i := range 20 {
		ids = append(ids, o.citizen(fmt.Sprint("3933312345", 10+i)))
	}
	var replies []int64
	for round := range 4 {
		if round == 2 {
			stopA()
		}
		for _, id := range ids {
			replies = append(replies, o.reply(id, fmt.Sprintf("%d-%d", round, id)))
		}
	}
	for _, m := range replies {
		o.becomes(m, conversation.Accepted)
	}
	seen := make(map[string]int)
	for _, text := range o.sends() {
		if seen[text]++; seen[text] > 1 {
			t.Errorf("%s went out twice", text)
		}
	}
	if len(seen) != len(replies) {
		t.Errorf("%d of %d replies went out", len(seen), len(replies))
	}
}

// Meta says of itself, for long, that it is down: nothing is lost, and it is not asked for every message.
func TestMetaDownIsWaitedOut(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var ids []int64
		for i := range 6 {
			ids = append(ids, o.citizen(fmt.Sprint("39333123456", i)))
		}
		o.faults(map[string]any{"refuse": []any{map[string]any{"code": 2}}})
		for i, id := range ids {
			ids[i] = o.reply(id, fmt.Sprint("risposta ", i))
			if i < 3 {
				o.await(func() (bool, any) { n := len(o.sends()); return n > i, n })
			}
		}
		o.await(func() (bool, any) { return len(o.probes()) > 0, "no probe" })
		if sends, probes := len(o.sends()), len(o.probes()); sends > 3+probes { // each probe lets one try
			t.Errorf("%d sends and %d probes", sends, probes)
		}
		o.faults(map[string]any{})
		for _, m := range ids {
			o.becomes(m, conversation.Accepted)
		}
	})
}

// A stop that somebody else noted is cleared by whoever sends again.
func TestAStopIsClearedByWhoeverSends(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := setUp(t, d)
		id := o.citizen("393331234567")
		o.update(func(ctx context.Context, tx *db.Tx) error { return conversation.SetStop(ctx, tx, o.m.ID, number, 190) })
		m := o.reply(id, "di nuovo")
		o.start(d)
		o.becomes(m, conversation.Accepted)
		o.update(func(ctx context.Context, tx *db.Tx) error {
			stops, err := conversation.Stops(ctx, tx, o.m.ID)
			if len(stops) != 0 {
				t.Errorf("still stopped: %v", stops)
			}
			return err
		})
	})
}

// A probe that Graph refuses is an answer: the line is up.
func TestARefusedProbeIsAnAnswer(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var ids []int64
		for i := range 4 {
			ids = append(ids, o.citizen(fmt.Sprint("39333123456", i)))
		}
		o.control(http.MethodPut, "numbers/"+number, map[string]any{"call_limit": 1}, nil)
		o.spendCall()
		o.faults(map[string]any{"broken": []any{map[string]any{"kind": "status", "status": 502, "times": 3}}})
		for i, id := range ids[:3] {
			o.becomes(o.reply(id, fmt.Sprint(i)), conversation.Uncertain)
		}
		o.becomes(o.reply(ids[3], "ultima"), conversation.Accepted)
		if got := o.probes(); len(got) < 2 || slices.Min(got[1:]) < 400 {
			t.Errorf("the probes after the first call were answered with %v: they were to be refused", got)
		}
	})
}

// spendCall makes a management call, of which the hour has only so many.
func (o *office) spendCall() {
	o.t.Helper()
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: o.graph.URL, Timeout: 2 * time.Second})
	if _, err := client.PhoneNumber(o.t.Context(), o.m.Numbers[0].Account()); err != nil {
		o.t.Fatal(err)
	}
}

// What is queued when its number leaves the municipality's file is settled, and said.
func TestARetiredNumbersQueueFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := setUp(t, d)
		m := o.reply(o.citizen("393331234567"), "mai partita")
		o.apply(strings.ReplaceAll(towntest.Simulated, number, "100000000000002"))
		o.start(d)
		o.becomes(m, conversation.Failed)
		if sent := o.sends(); len(sent) != 0 {
			t.Errorf("sent %v", sent)
		}
	})
}

// A restored database marks nothing as read: the mark may have been made since (invariant 15).
func TestARestoredDatabaseMarksNothing(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var left int
		o.update(func(ctx context.Context, tx *db.Tx) error {
			if err := tx.Enqueue(ctx, outbound.ReadArgs{Municipality: o.m.ID}, nil); err != nil {
				return err
			}
			if err := outbound.RestoreSafe(ctx, tx); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, `SELECT count(*) FROM river_job`).Scan(&left)
		})
		if left != 0 {
			t.Errorf("%d jobs are left", left)
		}
	})
}
