// SPDX-License-Identifier: AGPL-3.0-or-later

package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to do what a test waits for. It is generous: a test that
// meets it has failed, and no test measures time by it.
const patience = time.Minute

// screenshotVariable names the folder that Screenshot writes to.
const screenshotVariable = "FILODIRETTO_SCREENSHOTS"

// Page is one tab of one person's browser. Its methods end the test when the page does not do in time
// what they ask. Selectors are CSS and mean the first match.
type Page struct {
	t       testing.TB
	ctx     context.Context
	console *console
	close   func()
}

// Open opens a page of a new person: no cookies, 1366 × 768, light, Italian, in the time zone of Rome.
// It closes with the test.
func Open(t testing.TB) *Page {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return open(t, browser.ctx, chromedp.WithNewBrowserContext())
}

// Tab opens another tab of the same person.
func (p *Page) Tab() *Page {
	p.t.Helper()
	return open(p.t, p.ctx)
}

func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *Page {
	t.Helper()
	p := &Page{t: t, console: &console{}}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(p.console.listen))...)
	p.ctx = ctx
	p.close = sync.OnceFunc(func() {
		complaints := p.console.complaints()
		cancel()
		for _, complaint := range complaints {
			t.Errorf("the browser's console: %s", complaint)
		}
	})
	t.Cleanup(p.close)
	if err := chromedp.Do(ctx); err != nil { // the first call carries no time limit, or it would close the tab
		t.Fatalf("open a page: %v", err)
	}
	call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Rome"})
	p.Viewport(1366, 768)
	return p
}

// Close closes the page, which otherwise happens at the end of the test. A page that stays open while
// its server stops complains about that in the console.
func (p *Page) Close() { p.close() }

// Go opens address and waits until it is loaded.
func (p *Page) Go(address string) {
	p.t.Helper()
	p.do("open "+address, chromedp.Navigate(address))
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	p.do("reload", chromedp.Reload())
}

// URL is the address of the page.
func (p *Page) URL() string {
	p.t.Helper()
	return Eval[string](p, "location.href")
}

// Viewport sets the size of the window. One narrower than 600 pixels is a phone.
func (p *Page) Viewport(width, height int64) {
	p.t.Helper()
	var phone []chromedp.EmulateViewportOption
	if width < 600 {
		phone = []chromedp.EmulateViewportOption{chromedp.EmulateMobile, chromedp.EmulateTouch}
	}
	p.do("resize", chromedp.EmulateViewport(width, height, phone...))
}

// Prefer sets media features as a person's system does, for example "prefers-color-scheme", "dark"
// or "prefers-reduced-motion", "reduce".
func (p *Page) Prefer(feature, value string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
}

// Offline takes the network away from the page, or gives it back.
func (p *Page) Offline(offline bool) {
	p.t.Helper()
	call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}},
	})
	call(p, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
	})
}

// Click clicks the middle of the element, as soon as it is visible, enabled, at rest and not covered.
func (p *Page) Click(selector string) {
	p.t.Helper()
	var last, spot place
	p.until("click "+selector, func(ctx context.Context) (done bool, err error) {
		last = spot
		spot, err = chromedp.Run(ctx, chromedp.Evaluate[place](expression(placeOf, selector)))
		return err == nil && spot.Free && spot == last, err
	}, func() string { return spot.Why })
	p.do("click "+selector, chromedp.MouseClickXY(spot.X, spot.Y))
}

// Fill replaces what is in a text field, at once, as pasting does.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	p.WaitFor(selector)
	p.do("focus "+selector, chromedp.Evaluate[chromedp.Void](expression(`s => {
		const e = document.querySelector(s);
		e.focus();
		e.select();
	}`, selector)))
	if text == "" {
		p.Press("\b")
		return
	}
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// Type types text into a field, key by key.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.WaitFor(selector)
	p.do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Press presses keys where the focus is: letters as they are, others from package kb of chromedp.
func (p *Page) Press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do("press "+keys, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// Select chooses the option with this value in a select.
func (p *Page) Select(selector, value string) {
	p.t.Helper()
	p.WaitFor(selector)
	p.do("choose in "+selector, chromedp.Evaluate[chromedp.Void](expression(`(s, v) => {
		const e = document.querySelector(s);
		e.value = v;
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
	}`, selector, value)))
}

// Upload chooses files in a file field.
func (p *Page) Upload(selector string, files ...string) {
	p.t.Helper()
	p.do("choose files in "+selector, chromedp.SetUploadFiles(chromedp.CSS(selector), files, chromedp.NodeReady))
}

// WaitFor waits until the element is visible.
func (p *Page) WaitFor(selector string) {
	p.t.Helper()
	p.Until("see "+selector, expression(`s => !!document.querySelector(s)?.checkVisibility({visibilityProperty: true})`, selector))
}

// WaitGone waits until no visible element matches.
func (p *Page) WaitGone(selector string) {
	p.t.Helper()
	p.Until("see no more "+selector, expression(
		`s => ![...document.querySelectorAll(s)].some(e => e.checkVisibility({visibilityProperty: true}))`, selector))
}

// WaitText waits until a matching element holds text, spaces apart.
func (p *Page) WaitText(selector, text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf("read %q in %s", text, selector), expression(
		`(s, want) => [...document.querySelectorAll(s)].some(e => e.textContent.replace(/\s+/g, " ").includes(want))`, selector, text))
}

// Until waits until the JavaScript expression is true, also across navigations. The first argument
// completes the sentence "the page did not …".
func (p *Page) Until(what, js string) {
	p.t.Helper()
	p.until(what, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
	}, func() string { return "" })
}

// Text is the visible text of the element.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	p.WaitFor(selector)
	return Eval[string](p, expression(`s => document.querySelector(s).innerText`, selector))
}

// Value is what is in a field.
func (p *Page) Value(selector string) string {
	p.t.Helper()
	p.WaitFor(selector)
	return Eval[string](p, expression(`s => document.querySelector(s).value`, selector))
}

// Count is the number of elements that match.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	return Eval[int](p, expression(`s => document.querySelectorAll(s).length`, selector))
}

// Focused reports whether the focus is on the element.
func (p *Page) Focused(selector string) bool {
	p.t.Helper()
	return Eval[bool](p, expression(`s => !!document.activeElement?.matches(s)`, selector))
}

// Eval evaluates a JavaScript expression; a promise is awaited.
func Eval[T any](p *Page, js string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("evaluate "+js, err.Error())
	}
	return v
}

// Screenshot writes what is visible to NAME.png in the folder of FILODIRETTO_SCREENSHOTS, if that is set.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	if os.Getenv(screenshotVariable) == "" {
		return
	}
	if err := p.screenshot(name); err != nil {
		p.t.Errorf("take the screenshot %s: %v", name, err)
	}
}

func (p *Page) screenshot(name string) error {
	dir := os.Getenv(screenshotVariable)
	if dir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](settled, chromedp.EvalAwaitPromise)); err != nil {
		return err
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
}

// settled is fulfilled when fonts and pictures are there and what moves has arrived.
const settled = `(async () => {
	await document.fonts.ready;
	await Promise.allSettled([...document.images].filter(i => i.loading !== "lazy").map(i => i.decode()));
	await Promise.allSettled(document.getAnimations().filter(a => a.effect?.getComputedTiming().endTime < 2000).map(a => a.finished));
	await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
})()`

func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail(what, err.Error())
	}
}

// until tries until done. An error may come from a page that is just being replaced, so it is only
// told in the end.
func (p *Page) until(what string, try func(context.Context) (done bool, err error), why func() string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		done, err := try(ctx)
		if done {
			return
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if reason := why(); reason != "" {
				p.fail(what, reason)
			}
			p.fail(what, fmt.Sprint(last))
		}
	}
}

// fail ends the test with what the page shows, for whoever has to find out why.
func (p *Page) fail(what, why string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	address, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body?.innerText.replace(/\n\s*\n+/g, "\n").slice(0, 6000) ?? ""`))
	if err := p.screenshot("failed-" + strings.NewReplacer("/", "-", " ", "-").Replace(p.t.Name())); err != nil {
		p.t.Logf("no screenshot: %v", err)
	}
	p.t.Fatalf("the page did not %s: %s\n%s\n%s", what, why, address, text)
}

// place is where an element can be clicked, or why it can't.
type place struct {
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
	Free bool    `json:"free"`
	Why  string  `json:"why"`
}

const placeOf = `s => {
	const e = document.querySelector(s);
	if (!e) return {x: 0, y: 0, free: false, why: "it is not there"};
	if (!e.checkVisibility({visibilityProperty: true})) return {x: 0, y: 0, free: false, why: "it is not visible"};
	if (e.disabled) return {x: 0, y: 0, free: false, why: "it is disabled"};
	e.scrollIntoView({block: "nearest", inline: "nearest", behavior: "instant"});
	const r = e.getClientRects()[0];
	const x = r.left + r.width / 2, y = r.top + r.height / 2;
	const top = document.elementFromPoint(x, y);
	const free = e === top || e.contains(top) || (e.labels && [...e.labels].some(l => l.contains(top)));
	return {x, y, free: !!free, why: free ? "it moves" : "it is covered by " + (top ? top.outerHTML.slice(0, 200) : "the edge of the window")};
}`

// expression calls a JavaScript function with arguments.
func expression(function string, arguments ...string) string {
	quoted := make([]string, len(arguments))
	for i, a := range arguments {
		b, err := json.Marshal(a)
		if err != nil { // a string always marshals
			panic(err)
		}
		quoted[i] = string(b)
	}
	return "(" + function + ")(" + strings.Join(quoted, ", ") + ")"
}

// call runs one command of the browser's protocol on the page.
func call[P, R any](p *Page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.fail(fmt.Sprintf("obey %T", params), err.Error())
	}
	return result
}
