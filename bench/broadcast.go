// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

const (
	graphLatency  = 150 * time.Millisecond
	leastSends    = 1000 // a second
	mostOfANumber = 1000 // a second, in and out, at the level HIGH
	sendsInFlight = 400  // as the sender has at most
)

// measureBroadcast sends a broadcast over two numbers while its statuses and other messages come in and an
// operator keeps replying, in turns with the same client that sends to the same Graph and does nothing else.
func measureBroadcast(ctx context.Context, b bench) (results []result, err error) {
	return b.broadcast(ctx, 2, 1, b.many(100_000, 10_000))
}

// measureInstances lets several instances share one PostgreSQL and the broadcasts of several numbers.
func measureInstances(ctx context.Context, b bench) (results []result, err error) {
	if b.engine != "postgresql" {
		return nil, nil
	}
	for _, instances := range []int{2, 3} {
		found, err := b.broadcast(ctx, 4, instances, b.many(40_000, 6_000))
		results = append(results, found...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func (b bench) broadcast(ctx context.Context, numbers, instances, people int) (results []result, err error) {
	err = b.withNumbers(ctx, numbers, func(in *installation) error {
		limit, err := in.sendLimit(ctx, min(people, 10_000))
		if err != nil {
			return err
		}
		s, err := in.scene(ctx, instances, people)
		if err != nil {
			return err
		}
		defer s.close()
		if err := s.play(ctx); err != nil {
			return err
		}
		results = s.results(b, limit)
		return nil
	})
	return results, err
}

// scene is a broadcast with everything that goes on beside it.
type scene struct {
	*town
	instances []*installation
	echo      *echo
	meter     *meter
	anna      *http.Client
	talks     []string // conversations that get replies

	mu      sync.Mutex
	got     map[string]int // templates by the phone they went to
	sends   []time.Time
	replies times
	lag     times
	memory  int64
	used    time.Duration // of the cores, by all instances
}

func (in *installation) scene(ctx context.Context, instances, people int) (*scene, error) {
	t, err := in.subscribe(ctx, people)
	if err != nil {
		return nil, err
	}
	s := &scene{town: t, instances: []*installation{in}, meter: newMeter(), got: make(map[string]int, people)}
	for range instances - 1 {
		other, err := in.twin(ctx)
		if err != nil {
			return s, err
		}
		s.instances = append(s.instances, other)
	}
	if s.talks, err = in.openConversations(ctx, repliesPerSecond*max(20, people/1000)); err != nil {
		return s, err
	}
	if s.anna, err = in.signIn(ctx, operators[0]); err != nil {
		return s, err
	}
	var to []target
	for _, i := range s.instances {
		to = append(to, i.webhook())
	}
	s.echo, err = newEcho(to)
	return s, err
}

// twin is a second instance over the same database, started.
func (in *installation) twin(ctx context.Context) (*installation, error) {
	other := *in
	other.process = nil
	var err error
	if other.listen, err = freeAddress(); err != nil {
		return nil, err
	}
	_, err = other.start(ctx)
	return &other, err
}

// close ends the instances but the first, which whoever made it ends.
func (s *scene) close() {
	for _, other := range s.instances[1:] {
		_ = other.stop()
	}
}

func (s *scene) hear(m wired) {
	s.meter.note(m.number, m.at)
	if m.template {
		s.mu.Lock()
		s.got[m.to]++
		s.sends = append(s.sends, m.at)
		s.mu.Unlock()
	}
	s.echo.hear(m)
}

// sent is how many copies are on the wire.
func (s *scene) sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sends)
}

const longestScene = 10 * time.Minute

// play sends the broadcast and lets the rest of the office go on until it has gone out.
func (s *scene) play(ctx context.Context) error {
	s.in.graph.latency = graphLatency
	before := s.in.graph.sent.Load()
	s.in.graph.tell(s.hear)
	beside, stop := context.WithCancel(ctx)
	defer stop()
	watches := make([]*watch, len(s.instances))
	for i, instance := range s.instances {
		watches[i] = instance.watch(beside)
	}
	usedBefore, err := s.processorTime()
	if err != nil {
		return err
	}
	id, err := s.send(ctx)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	var clicked, written error
	running.Go(func() { clicked = s.click(beside) })
	running.Go(func() { written = s.write(beside) })
	for end := time.Now().Add(longestScene); s.sent() < s.people && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	running.Wait()
	err = errors.Join(clicked, written, s.echo.finish(s.in.graph.sent.Load()-before))
	for _, w := range watches {
		lag, memory := w.end()
		s.lag, s.memory = append(s.lag, lag...), max(s.memory, memory)
	}
	err = errors.Join(err, s.settled(ctx, id))
	used, failed := s.processorTime()
	s.used = used - usedBefore
	return errors.Join(err, failed)
}

func (s *scene) processorTime() (all time.Duration, err error) {
	for _, instance := range s.instances {
		used, failed := instance.processorTime()
		all, err = all+used, errors.Join(err, failed)
	}
	return all, err
}

// click lets an operator reply until the end of the broadcast.
func (s *scene) click(ctx context.Context) error {
	pace := time.NewTicker(time.Second / repliesPerSecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return nil
		}
		took, err := s.in.clickReply(context.WithoutCancel(ctx), s.anna, s.talks[i%len(s.talks)], fmt.Sprintf("Risposta numero %d: provvediamo al più presto, grazie.", i))
		if err != nil {
			return err
		}
		if s.sent() > 0 {
			s.replies = append(s.replies, took)
		}
	}
}

// write lets other citizens write until the end of the broadcast.
func (s *scene) write(ctx context.Context) error {
	c := newCitizens(firstNoise, writers)
	c.numbers = s.in.numbers
	var n atomic.Int64
	l, err := openLoop(ctx, s.instances[len(s.instances)-1].webhook(), 32, messagesPerSecond, longestScene, func() delivery {
		s.meter.note(numberID(int(n.Add(1))%c.numbers), time.Now())
		return c.next()
	})
	if ctx.Err() != nil {
		return nil // it is over
	}
	return errors.Join(err, l.whole())
}

// settled wants everybody to have got one copy, and every copy to be known to be read.
func (s *scene) settled(ctx context.Context, id int64) error {
	if err := s.in.drained(ctx); err != nil {
		return err
	}
	var out broadcast.Outcomes
	for end := time.Now().Add(30 * time.Second); out.Read < s.people; time.Sleep(50 * time.Millisecond) {
		err := s.in.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			out, err = broadcast.Count(ctx, tx, s.in.municipality, id)
			return err
		})
		if err != nil || time.Now().After(end) {
			return errors.Join(err, fmt.Errorf("of %d copies these are known: %+v", s.people, out))
		}
	}
	for to, n := range s.got {
		if n != 1 {
			return fmt.Errorf("%s got %d copies", to, n)
		}
	}
	if len(s.got) != s.people {
		return fmt.Errorf("%d citizens got a copy, of %d", len(s.got), s.people)
	}
	return nil
}

func (s *scene) results(b bench, limit float64) []result {
	took := s.sends[len(s.sends)-1].Sub(s.sends[0])
	rate, most := float64(len(s.sends))/took.Seconds(), s.meter.most()
	what := fmt.Sprintf("broadcast to %s over %d numbers", thousands(float64(s.people)), s.in.numbers)
	if len(s.instances) > 1 {
		what += fmt.Sprintf(", %d instances", len(s.instances))
	}
	return []result{
		{row: what, engine: b.engine, figure: perSecond(rate), limit: perSecond(limit) + " with no database",
			ratio: fmt.Sprintf("%.2f", rate/limit), target: "≥ 1,000/s", met: rate >= leastSends},
		{row: "most of a number in any second, in and out", engine: b.engine, figure: thousands(float64(most)), target: "≤ 1,000", met: most <= mostOfANumber},
		{row: "reply click → on the wire, beside it", engine: b.engine, figure: s.replies.String(), target: "p99 < 30 ms", met: s.replies.p99() < 30*time.Millisecond},
		{row: "lag of statuses and messages, beside it", engine: b.engine, figure: fmt.Sprintf("p50 %s, max %s ms", ms(s.lag.p50()), ms(s.lag.max())),
			target: "< 2,000 ms", met: s.lag.max() < 2*time.Second},
		{row: "cores' time of serve for a message, with all that goes on beside it", engine: b.engine, figure: fmt.Sprintf("%.2f ms", s.used.Seconds()*1000/float64(len(s.sends)))},
		{row: "memory of serve, beside it", engine: b.engine, figure: megabytes(s.memory), target: "< 200 MB", met: s.memory < mostMemory},
	}
}

// sendLimit is how many messages a second the same client brings to the same Graph, in a process of its own,
// with nothing to look up and nothing to note.
func (in *installation) sendLimit(ctx context.Context, n int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	in.graph.latency = graphLatency
	defer func() { in.graph.latency = 0 }()
	cmd := exec.CommandContext(ctx, self, sendArgument, in.graph.url, strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("measure the limit of sending: %w", err)
	}
	line, err := bufio.NewReader(strings.NewReader(string(out))).ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(line), 64)
}

// sendLimit sends n messages to the Graph at an address and prints how many a second it were.
func sendLimit(args []string) error {
	if len(args) != 2 {
		return errors.New("it takes the address of the Graph and how many to send")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	client := whatsapp.NewClient(whatsapp.ClientOptions{GraphURL: args[0]})
	components, err := whatsapp.TemplateComponents(whatsapp.Template{Name: templateName, Language: "it", ParameterFormat: "POSITIONAL",
		Components: []byte(`[{"type":"BODY","text":"Il Comune informa: {{1}}. Per non ricevere avvisi scrivi STOP."}]`)},
		whatsapp.TemplateParameters{Positional: []string{"via Roma è chiusa fino a venerdì"}})
	if err != nil {
		return err
	}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	start := time.Now()
	for range sendsInFlight {
		running.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := client.Send(ctx, whatsapp.Account{PhoneNumberID: numberID(int(i % 2)), WABAID: wabaID, Token: "token"}, whatsapp.OutgoingMessage{
					To: "+" + phone(int(i)), Type: whatsapp.KindTemplate, CallbackData: strconv.FormatInt(i, 10),
					Template: &whatsapp.OutgoingTemplate{Name: templateName, Language: "it", Components: components}})
				cancel()
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	fmt.Println(float64(n) / time.Since(start).Seconds())
	return nil
}
