// SPDX-License-Identifier: AGPL-3.0-or-later

package browsertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
)

// console collects what no page should say: errors, uncaught exceptions, violations of the content
// security policy, and requests that failed.
type console struct {
	mu      sync.Mutex
	errors  []string
	allowed []string
}

// AllowConsole lets pass errors that hold one of texts, where a test provokes them: the browser
// reports every answer of 400 and more, for example "status of 409".
func (p *Page) AllowConsole(texts ...string) {
	p.console.mu.Lock()
	defer p.console.mu.Unlock()
	p.console.allowed = append(p.console.allowed, texts...)
}

// listen runs on the goroutine that reads from the browser, so it only notes.
func (c *console) listen(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			c.add(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		c.add(fmt.Sprintf("exception: %s %s", e.ExceptionDetails.Text, description(e.ExceptionDetails.Exception)))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			words := make([]string, len(e.Args))
			for i, arg := range e.Args {
				words[i] = description(arg)
			}
			c.add("console." + string(e.Type) + ": " + strings.Join(words, " "))
		}
	}
}

func description(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	if o.Description != "" {
		return o.Description
	}
	return string(o.Value)
}

func (c *console) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errors = append(c.errors, text)
}

// complaints are the collected errors that nothing allows.
func (c *console) complaints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.errors), func(text string) bool {
		return slices.ContainsFunc(c.allowed, func(a string) bool { return strings.Contains(text, a) })
	})
}
