// SPDX-License-Identifier: AGPL-3.0-or-later

// Package browsertest drives a real headless Chromium in tests.
//
// A test binary starts one browser, when the first page is opened. Every Page is a browser context of
// its own, with its own cookies: two pages are two people at two computers. A page fails its test when
// the console shows an error, an uncaught exception or a violation of the content security policy.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/chromedp/chromedp"
)

// browser is the one browser of this test binary.
type browser struct {
	ctx context.Context
	// lifeline is the input of the process that removes the browser's folder when this process has ended,
	// in whatever way: the system closes it then; held here, it is not collected earlier.
	lifeline io.Closer
}

var chromium = sync.OnceValues(start)

var errNoChromium = errors.New("no Chromium here: install it (Debian, Ubuntu: apt-get install --no-install-recommends chromium)")

func start() (browser, error) {
	program, err := find()
	if err != nil {
		return browser{}, err
	}
	profile, err := os.MkdirTemp("", "filodiretto-chromium-")
	if err != nil {
		return browser{}, err
	}
	lifeline, err := removeAfterUs(profile)
	if err != nil {
		return browser{}, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox, // root in a container has no other way
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "it"),
		chromedp.Flag("accept-lang", "it-IT,it"),
		chromedp.Flag("font-render-hinting", "none"),
		// Voice notes are recorded from a microphone that plays a tone.
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
	)
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil { // without a time limit, or the limit would end the browser
		return browser{}, fmt.Errorf("start %s: %w", program, err)
	}
	return browser{ctx, lifeline}, nil
}

func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoChromium
}

// removeAfterUs removes dir when the lifeline is closed. The browser itself is killed by the system when
// this process ends, so nothing else could.
func removeAfterUs(dir string) (lifeline io.Closer, err error) {
	cmd := exec.Command("/bin/sh", "-c", `while read -r _; do :; done; sleep 1; rm -rf "$1"`, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lifeline, err = cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return lifeline, cmd.Start()
}
