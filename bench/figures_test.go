// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	var all times
	for i := range 1000 {
		all = append(all, time.Duration(1000-i)*time.Millisecond)
	}
	if got := all.String(); got != "p50 501, p99 991, max 1000 ms" {
		t.Errorf("a thousand times are %s", got)
	}
	if got := (times{}).String(); got != "p50 0, p99 0, max 0 ms" {
		t.Errorf("no times are %s", got)
	}
}

func TestRates(t *testing.T) {
	for want, r := range map[string]rates{
		"none":                     nil,
		"950/s":                    {950},
		"1,200/s (999–1,234,567)":  {1234567, 999, 1200},
		"10,000/s (10,000–20,000)": {20000, 10000},
	} {
		if got := r.String(); got != want {
			t.Errorf("%v are %q, not %q", []float64(r), got, want)
		}
	}
}

// A mix tells of every message all its stages, each once, and lets citizens write in between.
func TestMixTellsEveryStage(t *testing.T) {
	const seconds = 3
	var sent []sentMessage
	for i := range seconds*statusesPerSecond/len(stages) + len(stages)*statusesPerSecond {
		sent = append(sent, sentMessage{id: string(rune('a' + i%26)), external: strings.Repeat("x", 20), citizen: i})
	}
	m := newMix(sent)
	told := make(map[string]int)
	for range seconds * mixPerSecond {
		body := string(m.next().body)
		at := slices.IndexFunc(stages, func(stage string) bool { return strings.Contains(body, `"status":"`+stage+`"`) })
		if at < 0 {
			told["message"]++
			continue
		}
		told[stages[at]]++
	}
	for name, want := range map[string]int{"message": seconds * messagesPerSecond, "sent": seconds * 1000, "delivered": seconds * 1000, "read": seconds * 1000} {
		if told[name] != want {
			t.Errorf("%d times %s, not %d", told[name], name, want)
		}
	}
	if m.writers.written.Load() != seconds*messagesPerSecond {
		t.Errorf("%d messages were written", m.writers.written.Load())
	}
}
