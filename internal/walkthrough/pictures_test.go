// SPDX-License-Identifier: AGPL-3.0-or-later

package walkthrough

import (
	"testing"

	"github.com/filodiretto/filodiretto/internal/browsertest"
)

// The desk on the morning that the demo begins with, as a newcomer finds it: on a screen, in the dark, on a phone.
func TestDemoMorning(t *testing.T) {
	demo := startDemo(t)

	phones := browsertest.Open(t)
	phones.Go(demo.phones)
	phones.WaitFor("#phone-messages [data-message-id]")
	// Found and opened at once: the column is drawn anew whenever somebody writes.
	phones.Until("open a citizen who was answered", `(() => {
		const one = [...document.querySelectorAll("#citizens [data-address]")].find(c => /bella notizia|retta a chi|inserimento quando/.test(c.textContent));
		one?.click();
		return Boolean(one);
	})()`)
	phones.WaitText("#phone-messages", "graduatoria del nido")
	phones.Screenshot("phones")

	anna := browsertest.Open(t)
	anna.Go(demo.desk)
	anna.WaitFor(`input[name="password"]`)
	anna.Screenshot("sign-in")
	anna.Fill(`input[name="email"]`, demo.operator.email)
	anna.Fill(`input[name="password"]`, demo.operator.password)
	anna.Click(`button[type="submit"]`)

	anna.WaitText("#rows", ", Rimini")
	anna.Screenshot("inbox")
	anna.Until("open the conversation with a place", `(() => {
		const row = [...document.querySelectorAll("#rows li")].find(r => /\d, Rimini/.test(r.textContent));
		row?.querySelector(".row-link").click();
		return Boolean(row);
	})()`)
	anna.WaitText("#messages", "buca enorme")
	anna.Until("load the photo", `[...document.querySelectorAll("#messages img")].some(i => i.complete && i.naturalWidth > 0)`)
	anna.Axe()
	anna.Screenshot("thread")

	look := func() { // a page that is loaded anew fades from nothing
		anna.Reload()
		anna.WaitText("#messages", "buca enorme")
		anna.Until("load the photo", `[...document.querySelectorAll("#messages img")].some(i => i.complete && i.naturalWidth > 0)`)
		anna.Axe()
	}
	anna.Prefer("prefers-color-scheme", "dark")
	look()
	anna.Screenshot("thread-dark")

	anna.Prefer("prefers-color-scheme", "light")
	anna.Viewport(360, 740)
	look()
	anna.Screenshot("narrow-thread")
	anna.Go(demo.desk)
	anna.WaitFor("#rows li")
	anna.Axe()
	anna.Screenshot("narrow-inbox")
}
