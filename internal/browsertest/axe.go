// SPDX-License-Identifier: AGPL-3.0-or-later

package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// axeTags are the rules that pages are held to: WCAG 2.2 AA and axe's own good practice.
var axeTags = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}

// axeSource is axe-core, as npm has fetched it. It is evaluated rather than loaded: the content
// security policy would stop a script element.
var axeSource = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(root, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		return "", fmt.Errorf("axe-core is missing, make assets fetches it: %w", err)
	}
	return string(b), nil
})

// Violation is a broken rule of accessibility, and where.
type Violation struct {
	ID      string `json:"id"`
	Impact  string `json:"impact"`
	Help    string `json:"help"`
	HelpURL string `json:"helpUrl"`
	Nodes   []struct {
		Target         json.RawMessage `json:"target"`
		HTML           string          `json:"html"`
		FailureSummary string          `json:"failureSummary"`
	} `json:"nodes"`
}

// Axe fails the test for every rule of accessibility that the page breaks as it is now.
func (p *Page) Axe() {
	p.t.Helper()
	for _, v := range p.Violations() {
		p.t.Errorf("%s: %s", p.URL(), v)
	}
}

// rested is true when what moves or fades has arrived: on its way it has too little contrast, or no text yet.
const rested = `document.getAnimations().every(a => a.playState !== "running" || a.effect.getComputedTiming().endTime === Infinity)`

// Violations are the rules of accessibility that the page breaks as it is now, once it has come to rest.
func (p *Page) Violations() []Violation {
	p.t.Helper()
	p.Until("come to rest", rested)
	source, err := axeSource()
	if err != nil {
		p.t.Fatal(err)
	}
	p.do("load axe-core", chromedp.Evaluate[chromedp.Void](source))
	tags, err := json.Marshal(axeTags)
	if err != nil {
		p.t.Fatal(err)
	}
	return Eval[[]Violation](p, `axe.run(document, {runOnly: {type: "tag", values: `+string(tags)+`}, resultTypes: ["violations"]}).then(r => r.violations)`)
}

// String tells the rule, then each place with what to change.
func (v Violation) String() string {
	const most = 8
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n  %s", v.ID, v.Impact, v.Help, v.HelpURL)
	for i, n := range v.Nodes {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(v.Nodes)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %s\n    %.200s\n    %s", n.Target, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n    "))
	}
	return b.String()
}

// moduleRoot is the folder of go.mod above the folder that go test runs in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no go.mod above the folder of the test")
		}
		dir = up
	}
}
