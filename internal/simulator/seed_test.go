// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/filodiretto/filodiretto/internal/simulator"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// stillClock puts the clock of a simulator to a morning and stops it there.
func (s *sim) stillClock() {
	s.ok("POST", "/simulator/clock", object{"set": monday, "frozen": true})
}

func (s *sim) advance(by string) { s.ok("POST", "/simulator/clock", object{"advance": by}) }

// scene is what happens between two citizens and a desk; it returns everything that was answered and posted.
func scene(t *testing.T, s *sim) []string {
	d := newDesk(t)
	s.connect(d)
	var told []string
	for i, phone := range []string{maria, "+393331112223"} {
		told = append(told, fmt.Sprint(s.write(phone, object{"text": fmt.Sprint("Salve ", i)})))
	}
	for i := range 12 {
		_, answer := s.send(text(fmt.Sprint("Buongiorno ", i)))
		told = append(told, fmt.Sprint(answer))
	}
	_, refused := s.send(text(""))
	told = append(told, fmt.Sprint(refused), fmt.Sprint(s.ok("POST", templatesPath, emergency())))
	s.ok("PUT", "/simulator/faults", object{"webhook_reorder": true})
	told = append(told, s.sent(text("fuori ordine")), s.sent(text("fuori ordine anche questo")))
	s.advance("10m")
	eventually(t, "the end", func() bool { return s.hooks()["pending"] == 0.0 })
	for _, p := range d.all() {
		told = append(told, string(p.body))
	}
	return told
}

func TestSameSeedSameResults(t *testing.T) {
	run := func(seed uint64) []string {
		s := start(t, simulator.Options{Seed: seed})
		s.stillClock()
		return scene(t, s)
	}
	first, again, other := run(7), run(7), run(8)
	if !slices.Equal(first, again) {
		for i := range min(len(first), len(again)) {
			if first[i] != again[i] {
				t.Fatalf("with the same seed, %d is\n%s\nand then\n%s", i, first[i], again[i])
			}
		}
		t.Fatalf("with the same seed there are %d things and then %d", len(first), len(again))
	}
	if len(first) < 50 {
		t.Fatalf("only %d things happened: %v", len(first), first)
	}
	if slices.Equal(first, other) {
		t.Error("another seed gives the same")
	}
}

func TestResetWithASeedBeginsAnew(t *testing.T) {
	s := start(t, simulator.Options{})
	var runs [2]string
	for i := range runs {
		s.ok("POST", "/simulator/reset", object{"seed": 5})
		runs[i] = s.write(maria, object{"text": "Salve"}) + s.sent(text("Buongiorno"))
	}
	if runs[0] != runs[1] {
		t.Errorf("ids are %s and then %s", runs[0], runs[1])
	}
}

func TestSeedDoesNotGiveAnIDTwiceAfterARestart(t *testing.T) {
	dir := t.TempDir()
	var ids []string
	for range 2 {
		server, err := simulator.New(simulator.Options{Seed: 3, Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		s := running(t, server)
		ids = append(ids, s.write(maria, object{"text": "Salve"}))
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0] == ids[1] {
		t.Errorf("both messages are %s", ids[0])
	}
}

func TestClockStopsAtWhatIsDueOnTheWay(t *testing.T) {
	delays := quick()
	delays.Sent, delays.Delivered, delays.Read = time.Minute, time.Hour, 4*time.Hour
	s, d := start(t, simulator.Options{Delays: delays}), newDesk(t)
	s.connect(d)
	s.stillClock()
	s.write(maria, object{"text": "Salve"})
	s.sent(text("Buongiorno"))
	s.advance("24h")
	eventually(t, "all statuses", func() bool { return len(d.items(t, "statuses")) == 3 })
	bounds := []time.Duration{time.Minute, time.Minute + time.Hour, time.Minute + 5*time.Hour}
	for i, st := range d.items(t, "statuses") {
		var at int64
		if _, err := fmt.Sscan(st["timestamp"].(string), &at); err != nil {
			t.Fatal(err)
		}
		after := time.Unix(at, 0).Sub(monday)
		if after < bounds[i]*7/10 || after > bounds[i]*13/10 {
			t.Errorf("%s comes after %s, not after about %s", st["status"], after, bounds[i])
		}
	}
	now := s.ok("GET", "/simulator/clock", nil)
	if now["now"] != monday.Add(24*time.Hour).Format(time.RFC3339) || now["frozen"] != true {
		t.Errorf("the clock shows %v", now)
	}
	if s.ok("POST", "/simulator/clock", object{"frozen": false})["frozen"] != false {
		t.Error("the clock does not go on")
	}
	if status, _ := s.call("POST", "/simulator/clock", object{"advance": "-1h"}); status != 400 {
		t.Errorf("an advance backwards is answered %d", status)
	}
	if !bytes.Contains(d.all()[0].body, []byte(fmt.Sprint(monday.Unix()))) {
		t.Errorf("the citizen's message does not have the clock's time: %s", d.all()[0].body)
	}
}
