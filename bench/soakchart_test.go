// SPDX-License-Identifier: AGPL-3.0-or-later

package main

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a soak saw is drawn whole, and told in words to those who don't see the drawing.
func TestSoakIsDrawn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "soak-sqlite.csv")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := csv.NewWriter(f)
	rows := [][]string{soakColumns}
	for i := range 30 {
		rows = append(rows, sample{second: 10 * (i + 1), memory: 80e6 + int64(i), database: 72e6, used: 50e6, journal: 300e6,
			intake: times{time.Millisecond, 5 * time.Millisecond}, replies: times{12 * time.Millisecond}, lag: 40 * time.Millisecond, deleted: int64(1000 * i), load: 1.5}.cells())
	}
	if err := errors.Join(lines.WriteAll(rows), f.Close(), drawSoak(file)); err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(strings.TrimSuffix(file, ".csv") + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	for d := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
	lined := 0
	for _, p := range soakPanels {
		lined += len(p.lines)
	}
	if count["polyline"] != lined || count["title"] != 1 {
		t.Errorf("there are %d lines, want %d", count["polyline"], lined)
	}
	for _, want := range []string{`role="img"`, `aria-labelledby="title desc"`, "5 minutes at a tenth", "Memory of serve, memory: 80 MB in the first tenth of the time", "webhook: 5 ms"} {
		if !strings.Contains(string(drawn), want) {
			t.Errorf("the drawing does not say %q", want)
		}
	}
	for _, v := range []struct{ highest, step float64 }{{0, 1}, {3.9, 1}, {4, 1}, {300, 100}, {0.02, 0.005}} {
		if step := niceStep(v.highest); step < v.step*.999 || step > v.step*1.001 {
			t.Errorf("up to %v it steps by %v, want %v", v.highest, step, v.step)
		}
	}
}
