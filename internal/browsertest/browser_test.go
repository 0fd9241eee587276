// SPDX-License-Identifier: AGPL-3.0-or-later

package browsertest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

const samplePage = `<!doctype html><html lang="it"><head><title>Prova</title><link rel="icon" href="data:,">
<script src="/page.js" defer></script></head>
<body><main><h1>Prova</h1>
<form id="form"><label>Nome <input id="name"></label><label>Foto <input id="file" type="file"></label>
<button id="send" disabled>Invia</button></form>
<p id="answer"></p><p id="cookie"></p><p id="width"></p></main></body></html>`

const sampleScript = `
const id = x => document.getElementById(x);
id("cookie").textContent = document.cookie;
id("width").textContent = innerWidth + " " + matchMedia("(prefers-color-scheme: dark)").matches + " " + navigator.language;
id("name").addEventListener("input", () => { id("send").disabled = false; });
id("file").addEventListener("change", e => { id("answer").textContent = e.target.files[0].name; });
id("form").addEventListener("submit", async e => {
	e.preventDefault();
	try {
		id("answer").textContent = await (await fetch("/answer?" + id("name").value)).text();
	} catch {
		id("answer").textContent = "senza rete";
	}
});`

// serve serves a page under the policy that ours have, with body changed by the replacements.
func serve(t *testing.T, replacements ...string) string {
	t.Helper()
	page := strings.NewReplacer(replacements...).Replace(samplePage)
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Query().Has("name") {
			http.SetCookie(w, &http.Cookie{Name: "name", Value: r.URL.Query().Get("name")})
		}
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("/page.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, sampleScript)
	})
	mux.HandleFunc("/answer", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "Ciao "+r.URL.RawQuery)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func TestPageIsUsedAsAPersonWould(t *testing.T) {
	p := Open(t)
	p.Go(serve(t))
	p.Fill("#name", "Maria")
	p.Click("#send")
	p.WaitText("#answer", "Ciao Maria")
	p.Fill("#name", "")
	p.Type("#name", "Luca")
	if !p.Focused("#name") || p.Value("#name") != "Luca" {
		t.Errorf("the field holds %q", p.Value("#name"))
	}
	p.Press(kb.Enter)
	p.WaitText("#answer", "Ciao Luca")

	photo := filepath.Join(t.TempDir(), "buca.jpg")
	if err := os.WriteFile(photo, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Upload("#file", photo)
	p.WaitText("#answer", "buca.jpg")

	p.Offline(true)
	p.AllowConsole("ERR_INTERNET_DISCONNECTED")
	p.Click("#send")
	p.WaitText("#answer", "senza rete")
	p.Offline(false)
	p.Click("#send")
	p.WaitText("#answer", "Ciao Luca")
	p.Axe()
}

func TestPagesAreDifferentPeople(t *testing.T) {
	address := serve(t)
	anna, luca := Open(t), Open(t)
	anna.Go(address + "?name=anna")
	anna.Go(address)
	anna.WaitText("#cookie", "name=anna")
	luca.Go(address)
	if got := Eval[string](luca, "document.cookie"); got != "" {
		t.Errorf("the second browser sees the cookie %q of the first", got)
	}
	tab := anna.Tab()
	tab.Go(address)
	tab.WaitText("#cookie", "name=anna")
}

func TestPageLooksAsAsked(t *testing.T) {
	p := Open(t)
	p.Go(serve(t))
	p.WaitText("#width", "1366 false it")
	p.Viewport(360, 740)
	p.Prefer("prefers-color-scheme", "dark")
	p.Reload()
	// Without a viewport element a phone lays a page out 980 pixels wide: ours must have one.
	p.WaitText("#width", "980 true it")

	folder := t.TempDir()
	t.Setenv(screenshotVariable, folder)
	p.Screenshot("sample")
	if _, err := os.Stat(filepath.Join(folder, "sample.png")); err != nil {
		t.Error(err)
	}
}

// What a page must not do has to be noticed, or the tests of our pages would prove nothing.
func TestFaultsAreNoticed(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           string
	}{
		{"inline script", "<h1>", `<script>document.title = "x"</script><h1>`, "Content Security Policy"},
		{"missing file", "<h1>", `<img src="/missing.png" alt=""><h1>`, "status of 404"},
		{"foreign host", "<h1>", `<img src="http://127.0.0.1:1/x.png" alt=""><h1>`, "Content Security Policy"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := Open(t)
			p.Go(serve(t, test.old, test.new))
			p.until("complain", func(context.Context) (bool, error) { return len(p.console.complaints()) > 0, nil }, func() string { return "no complaint" })
			if got := p.console.complaints(); !strings.Contains(got[0], test.want) {
				t.Errorf("the console says %q, want %q", got, test.want)
			}
			p.AllowConsole(test.want)
			if got := p.console.complaints(); len(got) != 0 {
				t.Errorf("%q is allowed and yet told", got)
			}
		})
	}
}

func TestExceptionsAreNoticed(t *testing.T) {
	p := Open(t)
	p.Go(serve(t))
	Eval[int](p, `setTimeout(() => { throw new Error("rotto") })`)
	p.until("complain", func(context.Context) (bool, error) { return len(p.console.complaints()) > 0, nil }, func() string { return "no complaint" })
	if got := p.console.complaints()[0]; !strings.Contains(got, "rotto") {
		t.Errorf("the console says %q", got)
	}
	p.AllowConsole("rotto")
}

// A closed page does not notice that its server is gone.
func TestClosedPageIsSilent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>Prova</title><link rel="icon" href="data:,"><script>
			const source = new EventSource("/events"); source.onopen = () => { document.title = "aperto" }</script>`)
	}))
	p := Open(t)
	p.Go(server.URL)
	p.Until("open the stream", `document.title === "aperto"`)
	p.Close()
	server.Close()
	if got := p.console.complaints(); len(got) != 0 {
		t.Errorf("the console says %q", got)
	}
}

func TestBarriersAreNoticed(t *testing.T) {
	p := Open(t)
	p.Go(serve(t, "<h1>", `<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><h1>`))
	found := p.Violations()
	if !slices.ContainsFunc(found, func(v Violation) bool { return v.ID == "image-alt" }) {
		t.Errorf("an image without a text is not among %v", found)
	}
}
